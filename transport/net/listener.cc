#include "transport/net/listener.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "transport/net/uv.h"

namespace net {
namespace {

constexpr int kBacklog = 128;
constexpr int kAcceptsPerTurn = 32;

std::string explain(const Address& address, int error) {
  std::string text = "cannot listen on " + address.to_string() + ": " + std::strerror(error);
  switch (error) {
    case EADDRINUSE:
      return text +
             "; another program has the port - see `ss -ltnp`, or choose another with --listen";
    case EADDRNOTAVAIL:
      return text + "; no interface of this machine has that address";
    case EACCES:
      return text + "; ports below 1024 need a privilege, choose a higher one";
    case EAFNOSUPPORT:
      return text + "; this machine has no such protocol";
    default:
      return text;
  }
}

}  // namespace

struct Listener::Impl {
  Impl(Loop& loop_, Sockets& sockets_, Accept accept_)
      : loop(loop_), sockets(sockets_), accept(std::move(accept_)) {}

  Loop& loop;
  Sockets& sockets;
  Accept accept;
  int fd = -1;
  // Given up when the process has no descriptor left, to accept and close: an unaccepted connection
  // would wake the loop for ever.
  int spare_fd = -1;
  std::unique_ptr<Poll> poll;

  void accept_some();
  void take(int client);
};

Listener::Listener(Loop& loop, Sockets& sockets, Accept accept)
    : impl_(std::make_unique<Impl>(loop, sockets, std::move(accept))) {}

Listener::~Listener() { stop_accepting(); }

std::string Listener::open(const Address& address, bool ipv6_only,
                           const std::vector<Listener*>& besides) {
  VTL_CHECK(impl_->fd < 0);
  const int fd = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return explain(address, errno);
  const int on = 1;
  const int v6_only = ipv6_only ? 1 : 0;
  (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (address.family() == AF_INET6) {
    (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  }
  // Only while it is bound: otherwise any process of this user could have the port as well.
  const auto share = [&](int with) {
    if (besides.empty()) return;
    (void)::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &with, sizeof with);
    for (const Listener* other : besides)
      (void)::setsockopt(other->impl_->fd, SOL_SOCKET, SO_REUSEPORT, &with, sizeof with);
  };
  share(1);
  const bool bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length) == 0 &&
      ::listen(fd, kBacklog) == 0;
  const int error = errno;
  share(0);
  if (!bound) {
    ::close(fd);
    return explain(address, error);
  }
  impl_->fd = fd;
  impl_->spare_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  impl_->poll = std::make_unique<Poll>(impl_->loop, fd,
                                       [impl = impl_.get()](bool, bool) { impl->accept_some(); });
  return {};
}

void Listener::start() { impl_->poll->want(true, false); }

Address Listener::address() const {
  Address out;
  out.length = sizeof out.storage;
  if (impl_->fd < 0 ||
      ::getsockname(impl_->fd, reinterpret_cast<sockaddr*>(&out.storage), &out.length) != 0) {
    return {};
  }
  return out;
}

void Listener::stop_accepting() {
  if (impl_->fd < 0) return;
  impl_->poll.reset();
  ::close(std::exchange(impl_->fd, -1));
  if (impl_->spare_fd >= 0) ::close(std::exchange(impl_->spare_fd, -1));
}

void Listener::Impl::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int client = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client >= 0) {
      take(client);
    } else if ((errno == EMFILE || errno == ENFILE) && spare_fd >= 0) {
      ::close(std::exchange(spare_fd, -1));
      const int refused = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (refused >= 0) ::close(refused);
      spare_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

void Listener::Impl::take(int client) {
  Address local;
  Address peer;
  local.length = peer.length = sizeof local.storage;
  if (::getsockname(client, reinterpret_cast<sockaddr*>(&local.storage), &local.length) != 0 ||
      ::getpeername(client, reinterpret_cast<sockaddr*>(&peer.storage), &peer.length) != 0) {
    ::close(client);  // gone already
    return;
  }
  auto connection = accept(local.to_string(), peer.host());
  if (connection == nullptr) {
    ::close(client);
    return;
  }
  sockets.add(client, std::move(connection));
}

}  // namespace net
