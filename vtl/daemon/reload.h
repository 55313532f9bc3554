// The configuration read again while the server serves: who may log in, where it listens, how much
// it logs. Sessions go on.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "vtl/daemon/data_directory.h"
#include "vtl/daemon/device_loops.h"
#include "vtl/daemon/listeners.h"
#include "vtl/daemon/management.h"

namespace vtl::daemon {

// All of it takes effect, or nothing: a configuration with an error, or an address that cannot be
// had, leaves everything as it is. First loop's thread; outlives the running of the loops.
class Reload {
 public:
  // `override`: what the command line said beside the configuration.
  Reload(DataDirectory& directory, Executor& executor, DeviceLoops& loops, Listeners& listeners,
         std::function<void(config::Config&)> override_config);

  // The answer to POST /v1/reload, once it holds on every loop:
  // {"changed": ["listen", ...], "restart": ["library.slots is ...", ...], "warnings": [...],
  //  "refused_sessions": [{target, initiator, address}], "ended": false}
  // or, with status 409, {"error": "...", "problems": ["vtl.yaml:12: ...", ...]}. Also in the log.
  // `end_sessions`: those that the new rules would not let in are asked to log out. One after the
  // other, in the order in which they came: the last one has read what is there now.
  void run(bool end_sessions, scsi::Done<Answer> done);

 private:
  struct Waiting {
    bool end_sessions;
    scsi::Done<Answer> done;
  };
  void next();
  void apply(CheckedConfig checked, bool end_sessions, scsi::Done<Answer> done);
  std::vector<std::string> take_over(const config::Config& config);

  DataDirectory& directory_;
  Executor& executor_;
  DeviceLoops& loops_;
  Listeners& listeners_;
  const std::function<void(config::Config&)> override_;
  std::deque<Waiting> waiting_;
  bool running_ = false;
};

}  // namespace vtl::daemon
