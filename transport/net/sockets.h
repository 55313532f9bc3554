// The connections of one loop.
#pragma once

#include <functional>
#include <map>
#include <memory>

#include "transport/net/socket.h"

namespace net {

// Loop thread.
class Sockets {
 public:
  // Takes a connection that leaves for another portal to the loop of that one.
  using Carry = std::function<void(Socket::Departure departure)>;

  explicit Sockets(Loop& loop, Carry carry = {});
  ~Sockets();  // drops them
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  // Takes the descriptor (non-blocking).
  void add(int fd, std::unique_ptr<iscsi::Connection> connection);
  // Drops every connection; they go at the end of the turn.
  void drop_all();
  std::size_t size() const { return all_.size(); }
  // Called whenever the last connection has gone.
  void on_idle(std::function<void()> idle) { idle_ = std::move(idle); }

 private:
  void closed(Socket& socket);

  Loop& loop_;
  Carry carry_;
  std::function<void()> idle_;
  std::size_t lingering_ = 0;
  std::map<Socket*, std::unique_ptr<Socket>> all_;
};

}  // namespace net
