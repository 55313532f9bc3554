// Where a server listens, and how that changes while it serves.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "transport/net/listener.h"
#include "vtl/config/config.h"

namespace vtl::daemon {

// Loop thread.
class Listeners {
 public:
  Listeners(net::Loop& loop, net::Sockets& sockets, net::Listener::Accept accept);

  // Takes the ports that are not held yet; connections wait there, and nothing is given up, until
  // switch_over(). Empty; or what is wrong, and then all is as before.
  std::vector<std::string> prepare(const std::vector<config::Endpoint>& endpoints);
  // Connections are taken where prepare() was told, and nowhere else any more.
  void switch_over();
  void stop_accepting();  // for ever

  std::vector<std::string> addresses() const;  // as bound: with the port, if any was asked for
  // The others by which whoever came to this one may come as well: none that stands for all, and
  // the loopback only for whom it is no other machine's.
  std::vector<std::string> beside(const std::string& address) const;

 private:
  struct One {
    config::Endpoint endpoint;
    std::unique_ptr<net::Listener> listener;
  };
  net::Loop& loop_;
  net::Sockets& sockets_;
  const net::Listener::Accept accept_;
  std::vector<One> open_, prepared_;
  std::vector<config::Endpoint> wanted_;
  bool stopped_ = false;
};

}  // namespace vtl::daemon
