#include "transport/net/sockets.h"

#include <utility>

namespace net {

Sockets::Sockets(Loop& loop, Carry carry) : loop_(loop), carry_(std::move(carry)) {}

Sockets::~Sockets() = default;

void Sockets::add(int fd, std::unique_ptr<iscsi::Connection> connection) {
  auto socket = std::make_unique<Socket>(loop_, fd, std::move(connection), lingering_,
                                         [this](Socket& gone) { closed(gone); });
  Socket* key = socket.get();
  all_.emplace(key, std::move(socket));
}

void Sockets::drop_all() {
  for (auto& [key, socket] : all_) socket->drop();
}

void Sockets::closed(Socket& socket) {
  auto departure = socket.take_departure();
  all_.erase(&socket);  // this loop watches the descriptor no more
  if (departure) carry_(std::move(*departure));
  if (all_.empty() && idle_) idle_();
}

}  // namespace net
