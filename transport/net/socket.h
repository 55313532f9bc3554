// One TCP connection: moves bytes between a socket and an iscsi::Connection, which says where the
// next bytes go, what is to be sent, when it wants to be woken, and when it is over.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "transport/iscsi/connection.h"
#include "transport/net/loop.h"

namespace net {

// Loop thread.
class Socket final : private Deferred {
 public:
  // Takes the descriptor (non-blocking). `closed` is called once, never from inside the
  // constructor, when there is nothing left to do: destroy this then.
  Socket(Loop& loop, int fd, std::unique_ptr<iscsi::Connection> connection,
         std::function<void(Socket&)> closed);
  // Ends the connection at once if it is not over.
  ~Socket();

  // Drops the connection now (RST if data is unread, as the peer deserves to know); `closed`
  // follows.
  void drop();

 private:
  struct Impl;
  void run_deferred() override;
  void ready(bool readable, bool writable);
  void receive();
  bool send();
  void settle();
  void end(bool linger);
  void drain();

  std::unique_ptr<Impl> impl_;
};

}  // namespace net
