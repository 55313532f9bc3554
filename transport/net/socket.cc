#include "transport/net/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "transport/net/uv.h"

namespace net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What one connection may take of a turn of the loop while others wait.
constexpr std::size_t kReceiveBudget = 2u << 20;
constexpr std::size_t kSendBudget = 4u << 20;
// After our last byte the peer gets this long to read it and close. Closing with unread input would
// send RST, and that could destroy the Login or Logout Response on its way (RFC 1122 4.2.2.13).
constexpr milliseconds kLinger{2000};
constexpr std::size_t kLingerBytes = 1u << 20;
// Of all that are over; past it they just close. Each is a connection that others cannot have.
constexpr std::size_t kMaxLingering = 32;
constexpr std::size_t kMaxIovecs = 1024;  // IOV_MAX of Linux

void set_option(int fd, int level, int name, int value) {
  // Fails on sockets that are not TCP (tests use pairs); none of these is needed for correctness.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

}  // namespace

struct Socket::Impl {
  Impl(Loop& loop_, int fd_, std::unique_ptr<iscsi::Connection> connection_,
       std::size_t& lingering_, std::function<void(Socket&)> closed_,
       std::function<void(bool, bool)> ready_)
      : loop(loop_),
        fd(fd_),
        connection(std::move(connection_)),
        lingering(lingering_),
        closed(std::move(closed_)),
        poll(loop_, fd_, std::move(ready_)),
        timer(loop_) {}

  Loop& loop;
  int fd;
  std::unique_ptr<iscsi::Connection> connection;
  std::size_t& lingering;
  std::function<void(Socket&)> closed;
  Poll poll;
  Timer timer;
  iscsi::TimePoint timer_at = iscsi::TimePoint::max();
  bool blocked = false;   // the kernel's send buffer is full
  bool lost = false;      // the byte stream is gone
  bool over = false;      // only `closed` is left to be called
  bool draining = false;  // our side is shut, waiting for the peer's
  std::size_t drained = 0;
  std::unique_ptr<iscsi::Handover> handover;
};

Socket::Socket(Loop& loop, int fd, std::unique_ptr<iscsi::Connection> connection,
               std::size_t& lingering, std::function<void(Socket&)> closed)
    : impl_(std::make_unique<Impl>(
          loop, fd, std::move(connection), lingering, std::move(closed),
          [this](bool readable, bool writable) { ready(readable, writable); })) {
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  // A host that vanished while it was idle is found by iSCSI pings; this covers the half-open login
  // as well.
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 4);
  impl_->connection->set_output_listener([this] { impl_->loop.defer(*this); });
  impl_->loop.defer(*this);  // the first deadline, and what there may be to say already
  impl_->poll.want(true, false);
}

Socket::~Socket() {
  impl_->loop.cancel(*this);
  impl_->connection->set_output_listener({});
  impl_->connection->lost(steady_clock::now());
  stop_draining();
  const int fd = impl_->fd;
  impl_.reset();  // the poll handle first
  if (fd >= 0) ::close(fd);
}

std::optional<Socket::Departure> Socket::take_departure() {
  if (impl_->handover == nullptr) return {};
  return Departure{std::exchange(impl_->fd, -1), std::move(impl_->handover)};
}

void Socket::drop() {
  if (impl_->over) return;
  stop_draining();
  end(false);
}

void Socket::stop_draining() {
  if (std::exchange(impl_->draining, false)) --impl_->lingering;
}

void Socket::run_deferred() {
  if (impl_->over) {
    const auto closed = std::move(impl_->closed);  // it destroys this
    closed(*this);
    return;
  }
  if (!impl_->draining) settle();
}

void Socket::ready(bool readable, bool writable) {
  if (impl_->over) return;
  if (impl_->draining) {
    drain();
    return;
  }
  if (writable) impl_->blocked = false;
  if (readable) receive();
  settle();
}

// As long as there is more and nothing to answer. A read that was not filled has emptied the
// kernel's buffer, so it need not be asked again; and an answer goes out before the next question
// is looked for.
void Socket::receive() {
  std::size_t budget = kReceiveBudget;
  while (!impl_->lost) {
    const scsi::MutableBytes into = impl_->connection->recv_span();
    if (into.empty()) return;
    const ssize_t n = ::recv(impl_->fd, into.data(), into.size(), 0);
    if (n > 0) {
      const auto count = static_cast<std::size_t>(n);
      impl_->connection->received(count, steady_clock::now());
      if (count < into.size() || count >= budget) return;
      budget -= count;
      if (!impl_->connection->send_spans().empty() || impl_->connection->wants_close()) return;
    } else if (n == 0) {
      impl_->lost = true;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno != EINTR) {
      impl_->lost = true;
    }
  }
}

// False when there is more to send than this turn may.
bool Socket::send() {
  std::size_t budget = kSendBudget;
  while (!impl_->lost && !impl_->blocked) {
    const std::span<const iovec> spans = impl_->connection->send_spans();
    if (spans.empty()) return true;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(spans.data());  // sendmsg only reads it
    message.msg_iovlen = std::min(spans.size(), kMaxIovecs);
    const ssize_t n = ::sendmsg(impl_->fd, &message, MSG_NOSIGNAL);
    if (n >= 0) {
      const auto count = static_cast<std::size_t>(n);
      impl_->connection->sent(count, steady_clock::now());
      if (count >= budget) return false;
      budget -= count;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      impl_->blocked = true;
    } else if (errno != EINTR) {
      impl_->lost = true;
    }
  }
  return true;
}

// After anything happened: sends what can be sent, and arranges what is to be waited for.
void Socket::settle() {
  const bool all_sent = send();
  iscsi::Connection& connection = *impl_->connection;
  if (impl_->lost) {
    end(false);
    return;
  }
  if ((impl_->handover = connection.take_handover())) {
    end(false);
    return;
  }
  if (connection.wants_close()) {
    end(true);
    return;
  }
  impl_->poll.want(!connection.recv_span().empty(), impl_->blocked || !all_sent);

  const auto deadline = connection.deadline();
  if (!deadline) return;  // an armed timer finds nothing to do
  if (impl_->timer.active() && impl_->timer_at <= *deadline) return;  // looks again when it fires
  impl_->timer_at = *deadline;
  const auto delay = std::chrono::ceil<milliseconds>(*deadline - steady_clock::now());
  impl_->timer.start(delay, [this] {
    const auto now = steady_clock::now();
    const auto due = impl_->connection->deadline();
    if (due && *due <= now) impl_->connection->expire(now);
    settle();
  });
}

void Socket::end(bool linger) {
  // The session ends here; the object stays as long as the descriptor, so that both are counted.
  impl_->connection->set_output_listener({});
  impl_->connection->lost(steady_clock::now());
  impl_->timer.stop();
  if (linger && impl_->lingering < kMaxLingering && ::shutdown(impl_->fd, SHUT_WR) == 0) {
    impl_->draining = true;
    ++impl_->lingering;
    impl_->poll.want(true, false);
    impl_->timer.start(kLinger, [this] { drop(); });
    return;
  }
  impl_->over = true;
  impl_->poll.want(false, false);
  impl_->loop.defer(*this);
}

void Socket::drain() {
  std::array<std::byte, 16384> scrap;
  while (impl_->drained < kLingerBytes) {
    const ssize_t n = ::recv(impl_->fd, scrap.data(), scrap.size(), 0);
    if (n > 0) {
      impl_->drained += static_cast<std::size_t>(n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return;
    } else {
      break;
    }
  }
  drop();
}

}  // namespace net
