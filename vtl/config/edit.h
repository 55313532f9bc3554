// Changes of a vtl.yaml that leave everything else in it as it is, comments too.
#pragma once

#include <cstdint>
#include <string>

#include "vtl/config/config.h"

namespace vtl::config {

struct Edited {
  std::string text;   // of the whole file
  Config config;      // what it says now
  std::string error;  // empty: good
};
// The file at `path` with other numbers of slots. Refused, with a reason, when the file or the
// numbers are not right, or when it is laid out so that the numbers cannot be told from the rest.
Edited with_sizes(const std::string& path, std::uint32_t slots, std::uint32_t ie_slots,
                  const ReadFile& read = read_from_disk());

}  // namespace vtl::config
