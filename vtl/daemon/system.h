// The named doors to the operating system that are made here and passed in: random numbers, the
// wall clock, how much of the machine is ours, and what a service manager is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "scsi/bytes.h"

namespace vtl::daemon {

// Fills the span from the kernel's generator; aborts if there is none.
void random_bytes(scsi::MutableBytes into);
// Milliseconds since 1970.
std::uint64_t wall_clock_ms();
// "2026-11-22T19:10:05Z"; "" for 0.
std::string iso_time(std::uint64_t unix_ns);
// How many processors' worth of time this process may use: by its affinity, and by the limits of
// its control groups, rounded up. At least 1.
std::uint32_t usable_processors();
// What a control group's cpu.max allows ("200000 100000": two); nothing: no limit ("max 100000").
std::optional<std::uint32_t> processors_of(std::string_view cpu_max);
// To systemd, where it waits for that (sd_notify(3)): the service can be used. Makes a socket,
// which the sandbox forbids. Empty, or why that cannot be told.
std::string notify_ready();

}  // namespace vtl::daemon
