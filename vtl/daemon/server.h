// The running server: every room put together over one data directory.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "vtl/daemon/data_directory.h"

namespace vtl::daemon {

struct ServeOptions {
  std::string data_directory;
  std::vector<config::Endpoint> listen;  // instead of the configuration's; empty: those
  bool realistic = false;                // whatever the configuration says
  std::optional<std::uint32_t> threads;  // likewise; 0: one for each processor
  bool sandbox = true;                   // false: core dumps, debuggers and tracers work
  std::string version;
};

// Serves until SIGTERM or SIGINT, then stops in bounded time. Prints a line for each target and
// then "ready" to `out`, everything else to the log. Takes over the process: signals, umask at
// start, the log.
ExitCode serve(const ServeOptions& options, std::ostream& out);

}  // namespace vtl::daemon
