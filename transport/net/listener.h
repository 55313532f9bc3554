// A listening TCP socket, and the connections that came in through it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "transport/net/address.h"
#include "transport/net/loop.h"
#include "transport/net/socket.h"

namespace net {

// Loop thread.
class Listener {
 public:
  // Makes the protocol's side of a new connection, or nullptr to refuse it. local and peer are
  // "192.0.2.1:3260" and "192.0.2.9".
  using Accept =
      std::function<std::unique_ptr<iscsi::Connection>(std::string local, std::string peer)>;

  Listener(Loop& loop, Accept accept);
  ~Listener();  // drops its connections
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Takes the port. An IPv6 address that is any ("[::]:3260") takes IPv4 as well, unless ipv6_only.
  // An empty string, or what went wrong and what to do.
  std::string open(const Address& address, bool ipv6_only = false);
  // Connections are taken from now on; those that came since open() have waited.
  void start();
  // The port that was bound, also when port 0 asked for any.
  Address address() const;

  void stop_accepting();
  // Drops every connection; they go at the end of the turn.
  void drop_connections();
  std::size_t connections() const;
  // Called whenever the last connection has gone.
  void on_idle(std::function<void()> idle);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
