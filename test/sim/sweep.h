// One fixed story of the whole product, lived through once for each operation on a file that it
// makes, and each way in which that operation can fail.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sim {

struct SweepOptions {
  std::uint64_t stride = 1;  // every so many operations; another share for each kind of failure
  // Only this one, line by line: "eio", "no-space", "power-cut", "kill".
  std::string kind;
  std::uint64_t operation = 0;
};

// Prints counts. `at` hears which world is about to be lived, for the line that replays it.
void sweep(const SweepOptions& options, void (*at)(const char* kind, std::uint64_t operation));

}  // namespace sim
