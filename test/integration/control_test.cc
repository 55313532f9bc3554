// The control socket when a client of it is slow.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "library.h"

TEST_CASE("clients that do not end their requests are in nobody's way") {
  Library library;
  const std::string path = library.daemon.data() + "/control.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  std::vector<int> slow;
  for (int n = 0; n < 16; ++n) {
    slow.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(slow.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
            0);
    REQUIRE(::send(slow.back(), "GET /v1/ser", 11, 0) == 11);
  }
  // Each of them would be waited for for five seconds.
  const auto start = std::chrono::steady_clock::now();
  CHECK_FALSE(vtl_json({"iscsi", "show", "--data", library.daemon.data()})["limits"].empty());
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(4));
  for (const int fd : slow) ::close(fd);
}
