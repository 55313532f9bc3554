// Changes of a vtl.yaml that leave everything else in it as it is, comments too.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vtl/config/config.h"

namespace vtl::config {

struct Edited {
  std::string text;   // of the whole file
  Config config;      // what it says now
  std::string error;  // empty: good
};
struct Growth {
  std::uint32_t slots = 0, ie_slots = 0;  // so many from now on
  std::vector<Drive> drives;              // behind those there are
};
// The file at `path`, which says `now` of the library, with other numbers of slots and more drives.
// Refused, with a reason, when it says something else by now, when the file or the numbers are not
// right, or when it is laid out so that these cannot be told from the rest.
Edited with_growth(const std::string& path, const LibraryConfig& now, const Growth& growth,
                   const ReadFile& read = read_from_disk());

}  // namespace vtl::config
