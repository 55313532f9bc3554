// A listening TCP socket.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/net/address.h"
#include "transport/net/loop.h"
#include "transport/net/sockets.h"

namespace net {

// Loop thread.
class Listener {
 public:
  // Makes the protocol's side of a new connection, or nullptr to refuse it. local and peer are
  // "192.0.2.1:3260" and "192.0.2.9".
  using Accept =
      std::function<std::unique_ptr<iscsi::Connection>(std::string local, std::string peer)>;

  // What comes in is `sockets`'.
  Listener(Loop& loop, Sockets& sockets, Accept accept);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Takes the port. An IPv6 address that is any ("[::]:3260") takes IPv4 as well, unless ipv6_only.
  // `besides`: listeners that may have a part of the address ("127.0.0.1:3260" of "0.0.0.0:3260")
  // and will give it up. An empty string, or what went wrong and what to do.
  std::string open(const Address& address, bool ipv6_only = false,
                   const std::vector<Listener*>& besides = {});
  // Connections are taken from now on; those that came since open() have waited.
  void start();
  // The port that was bound, also when port 0 asked for any.
  Address address() const;

  void stop_accepting();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace net
