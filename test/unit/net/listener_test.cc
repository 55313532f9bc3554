// Sockets and listeners with the real protocol behind them and a plain client in front.
#include "transport/net/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "transport/iscsi/portal.h"

using namespace std::chrono_literals;

namespace {

struct World {
  explicit World(const std::string& where = "127.0.0.1:0") {
    const auto address = net::Address::parse(where);
    error = listener.open(*address);
    if (error.empty()) listener.start();
  }

  // Turns the loop until `done`, at most five seconds.
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + 5s;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      net::Timer tick(loop);
      tick.start(2ms, [this] { loop.stop(); });
      loop.run();
    }
    return true;
  }

  int connect() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener.address().port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    return fd;
  }

  auth::AccessPolicy policy;
  scsi::BufferPool buffers{{16u << 20, 8u << 20}};
  net::Loop loop;
  iscsi::Portal portal{
      iscsi::PortalOptions{}, policy, buffers,
      [](scsi::MutableBytes into) { std::fill(into.begin(), into.end(), std::byte{7}); },
      [](iscsi::LogLevel, std::string_view) {}};
  std::vector<std::string> locals, peers;
  bool refuse = false;
  net::Sockets sockets{loop};
  net::Listener listener{loop, sockets, [this](std::string local, std::string peer) {
                           locals.push_back(local);
                           peers.push_back(peer);
                           return refuse ? nullptr
                                         : portal.accept(std::move(local), std::move(peer));
                         }};
  std::string error;
};

// True when the peer has closed (anything it sent before is dropped).
bool closed(int fd) {
  std::array<char, 4096> scrap;
  for (;;) {
    pollfd poll_fd{fd, POLLIN, 0};
    if (::poll(&poll_fd, 1, 0) == 0) return false;
    if (::recv(fd, scrap.data(), scrap.size(), 0) <= 0) return true;
  }
}

// A discovery login in one PDU (RFC 7143 11.12).
std::vector<unsigned char> discovery_login() {
  std::string keys("InitiatorName=iqn.2026-11.local.test:unit\0SessionType=Discovery\0", 65);
  std::vector<unsigned char> pdu(48);
  pdu[0] = 0x43;
  pdu[1] = 0x87;
  pdu[7] = static_cast<unsigned char>(keys.size());
  pdu[8] = 0x80;
  pdu[19] = 1;
  pdu.insert(pdu.end(), keys.begin(), keys.end());
  pdu.resize((pdu.size() + 3) / 4 * 4);
  return pdu;
}

}  // namespace

TEST_CASE("a connection is accepted, answered and let go") {
  World world;
  REQUIRE(world.error.empty());
  const int fd = world.connect();
  const auto pdu = discovery_login();
  REQUIRE(::send(fd, pdu.data(), pdu.size(), 0) == static_cast<ssize_t>(pdu.size()));
  REQUIRE(world.run_until([&] {
    pollfd poll_fd{fd, POLLIN, 0};
    return ::poll(&poll_fd, 1, 0) == 1;
  }));
  std::array<unsigned char, 48> answer{};
  REQUIRE(::recv(fd, answer.data(), answer.size(), MSG_WAITALL) == 48);
  CHECK(answer[0] == 0x23);
  CHECK(answer[36] == 0);
  CHECK(world.locals.at(0) == world.listener.address().to_string());
  CHECK(world.peers.at(0) == "127.0.0.1");
  CHECK(world.sockets.size() == 1);
  bool idle = false;
  world.sockets.on_idle([&] { idle = true; });
  ::close(fd);
  CHECK(world.run_until([&] { return idle; }));
  CHECK(world.sockets.size() == 0);
}

TEST_CASE("a login that comes byte by byte is answered all the same") {
  World world;
  const int fd = world.connect();
  for (const unsigned char byte : discovery_login()) {
    REQUIRE(::send(fd, &byte, 1, MSG_NOSIGNAL) == 1);
    world.run_until([] { return true; });
  }
  REQUIRE(world.run_until([&] {
    pollfd poll_fd{fd, POLLIN, 0};
    return ::poll(&poll_fd, 1, 0) == 1;
  }));
  std::array<unsigned char, 48> answer{};
  REQUIRE(::recv(fd, answer.data(), answer.size(), MSG_WAITALL) == 48);
  CHECK(answer[0] == 0x23);
  ::close(fd);
}

TEST_CASE("nonsense is closed, and the socket goes when the client does") {
  World world;
  const int fd = world.connect();
  const std::vector<unsigned char> noise(100000, 0xff);
  (void)::send(fd, noise.data(), noise.size(), MSG_NOSIGNAL);
  CHECK(world.run_until([&] { return closed(fd); }));
  ::close(fd);
  CHECK(world.run_until([&] { return world.sockets.size() == 0; }));
}

TEST_CASE("those who are refused and stay hold no more sockets than the limit") {
  World world;
  constexpr std::size_t kClients = 100;
  std::vector<int> clients;
  for (std::size_t n = 0; n < kClients; ++n) {
    clients.push_back(world.connect());
    const std::array<unsigned char, 48> command{0x01};  // before any login
    REQUIRE(::send(clients.back(), command.data(), command.size(), MSG_NOSIGNAL) == 48);
    CHECK(world.run_until([&] { return world.peers.size() == n + 1; }));
    CHECK(world.sockets.size() <= iscsi::PortalOptions{}.max_connections_per_address);
  }
  CHECK(world.run_until([&] { return std::all_of(clients.begin(), clients.end(), closed); }));
  for (const int fd : clients) ::close(fd);
  CHECK(world.run_until([&] { return world.sockets.size() == 0; }));
}

TEST_CASE("a refused connection is closed at once") {
  World world;
  world.refuse = true;
  const int fd = world.connect();
  CHECK(world.run_until([&] { return closed(fd); }));
  CHECK(world.sockets.size() == 0);
  ::close(fd);
}

TEST_CASE("dropping all connections, and destroying a listener that has some") {
  std::array<int, 5> clients{};
  {
    World world;
    for (int& fd : clients) fd = world.connect();
    REQUIRE(world.run_until([&] { return world.sockets.size() == clients.size(); }));
    SECTION("dropped") {
      world.sockets.drop_all();
      CHECK(world.run_until([&] { return world.sockets.size() == 0; }));
    }
    SECTION("destroyed") {}
  }
  for (const int fd : clients) {
    CHECK(closed(fd));
    ::close(fd);
  }
}

TEST_CASE("a port that is taken, and one of no interface, say so") {
  World first;
  World second(first.listener.address().to_string());
  CHECK(second.error.find(first.listener.address().to_string()) != std::string::npos);
  CHECK(second.error.find("in use") != std::string::npos);
}

TEST_CASE("IPv6 takes IPv4 as well, unless it must not") {
  World both("[::]:0");
  REQUIRE(both.error.empty());
  const int fd = both.connect();  // over IPv4
  REQUIRE(both.run_until([&] { return both.sockets.size() == 1; }));
  CHECK(both.peers.at(0) == "127.0.0.1");
  CHECK(both.locals.at(0) == "127.0.0.1:" + std::to_string(both.listener.address().port()));
  ::close(fd);

  net::Loop loop;
  net::Sockets sockets(loop);
  net::Listener only(loop, sockets, [](std::string, std::string) { return nullptr; });
  REQUIRE(only.open(*net::Address::parse("[::]:0"), true).empty());
  net::Listener beside(loop, sockets, [](std::string, std::string) { return nullptr; });
  CHECK(beside.open(*net::Address::parse("0.0.0.0:" + std::to_string(only.address().port())))
            .empty());
}

TEST_CASE("connections that came before start() have waited") {
  World world;
  net::Listener late(world.loop, world.sockets, [&](std::string local, std::string peer) {
    return world.portal.accept(std::move(local), std::move(peer));
  });
  REQUIRE(late.open(*net::Address::parse("127.0.0.1:0")).empty());
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  const net::Address address = late.address();
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0);
  CHECK(world.sockets.size() == 0);
  late.start();
  CHECK(world.run_until([&] { return world.sockets.size() == 1; }));
  ::close(fd);
}

TEST_CASE("of those that are over and do not close few linger: the others are in nobody's way") {
  World world;
  std::vector<int> clients;
  const std::array<unsigned char, 48> no_login{};  // a NOP-Out
  for (int n = 0; n < 48; ++n) {
    clients.push_back(world.connect());
    REQUIRE(::send(clients.back(), no_login.data(), no_login.size(), 0) == 48);
  }
  REQUIRE(world.run_until(
      [&] { return world.locals.size() == clients.size() && world.sockets.size() <= 32; }));
  CHECK(world.sockets.size() == 32);
  CHECK(world.portal.connections() == 32);
  for (const int fd : clients) {
    CHECK(closed(fd));
    ::close(fd);
  }
  CHECK(world.run_until([&] { return world.sockets.size() == 0; }));
}
