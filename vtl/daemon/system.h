// The named doors to the operating system that are made here and passed in: random numbers and the
// wall clock.
#pragma once

#include <cstdint>
#include <string>

#include "scsi/bytes.h"

namespace vtl::daemon {

// Fills the span from the kernel's generator; aborts if there is none.
void random_bytes(scsi::MutableBytes into);
// Milliseconds since 1970.
std::uint64_t wall_clock_ms();
// "2026-11-22T19:10:05Z"; "" for 0.
std::string iso_time(std::uint64_t unix_ns);

}  // namespace vtl::daemon
