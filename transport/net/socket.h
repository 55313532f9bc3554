// One TCP connection: moves bytes between a socket and an iscsi::Connection, which says where the
// next bytes go, what is to be sent, when it wants to be woken, and when it is over.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "transport/iscsi/connection.h"
#include "transport/iscsi/handover.h"
#include "transport/net/loop.h"

namespace net {

// Loop thread.
class Socket final : private Deferred {
 public:
  // Takes the descriptor (non-blocking). `closed` is called once, never from inside the
  // constructor, when there is nothing left to do: destroy this then. `lingering` outlives it: how
  // many sockets of the loop are over but for the peer, who has a moment to close.
  Socket(Loop& loop, int fd, std::unique_ptr<iscsi::Connection> connection, std::size_t& lingering,
         std::function<void(Socket&)> closed);
  // Ends the connection at once if it is not over.
  ~Socket();

  // Drops the connection now (RST if data is unread, as the peer deserves to know); `closed`
  // follows.
  void drop();

  // In `closed`: the connection did not end but leaves for another portal (iscsi/handover.h). The
  // descriptor is the caller's; nothing else may use it until this is destroyed.
  struct Departure {
    int fd = -1;
    std::unique_ptr<iscsi::Handover> handover;
  };
  std::optional<Departure> take_departure();

 private:
  struct Impl;
  void run_deferred() override;
  void ready(bool readable, bool writable);
  void receive();
  bool send();
  void settle();
  void end(bool linger);
  void drain();
  void stop_draining();

  std::unique_ptr<Impl> impl_;
};

}  // namespace net
