// What was accepted and would be lost if power went now: appended and not yet durable.
#pragma once

#include <cstdint>

namespace vtl {

struct Dirty {
  std::uint64_t objects = 0;
  std::uint64_t bytes = 0;  // of blocks, as stored, or as sent while still queued; filemarks: none
};

}  // namespace vtl
