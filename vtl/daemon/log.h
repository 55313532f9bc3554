// The daemon's log: lines on standard error, through spdlog. Rooms below take a function and never
// see this.
#pragma once

#include <chrono>
#include <string_view>

#include "transport/iscsi/portal.h"
#include "vtl/config/config.h"

namespace vtl::daemon {

// A server's: once, before anything logs. Lines carry time and level. Logging waits for no disk
// (log_writer.h).
void start_log(config::LogLevel level);
// Before the process ends: waits at most so long for lines that wait to be written.
void flush_log(std::chrono::milliseconds limit);
// From now on; any thread.
void set_log_level(config::LogLevel level);
// A command's: warnings and errors, as it prints its own.
void start_command_log();

void log_debug(std::string_view line);
void log_info(std::string_view line);
void log_warning(std::string_view line);
void log_error(std::string_view line);
void log(iscsi::LogLevel level, std::string_view line);

}  // namespace vtl::daemon
