// The control socket: HTTP/1.1 and JSON on a Unix socket in the data directory. Threads of its own
// parse and write; every request is handed to the loop and waits for the answer there.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>

#include "transport/net/loop.h"
#include "vtl/daemon/management.h"

namespace vtl::daemon {

// DIR/control.sock; whoever may open it may do everything, so only the server's user may (mode
// 0600).
class ControlServer {
 public:
  ControlServer(net::Loop& loop, Management& management);
  ~ControlServer();  // after close() has ended
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  // Under the directory's lock only: a socket that is there already belongs to nobody. An empty
  // string, or what is wrong.
  std::string open(const std::string& data_directory);
  // Takes no more requests; `done` on the loop when the last has its answer. The loop must keep
  // running.
  void close(scsi::Callback done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The other end. Blocking; any thread.
class ControlClient {
 public:
  // Nothing if no server listens there.
  static std::unique_ptr<ControlClient> connect(const std::string& data_directory);
  ~ControlClient();

  // An answer, or why there is none.
  std::variant<Answer, std::string> call(const Request& request);

 private:
  struct Impl;
  explicit ControlClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vtl::daemon
