// The registry: a new format is a file of its own and a line here.
#include <array>

#include "vtl/interchange/format.h"
#include "vtl/interchange/registry.h"

namespace vtl::interchange {

std::span<const Format* const> formats() {
  static const std::array<const Format*, 3> all = {&raw_format(), &directory_format(),
                                                   &simh_format()};
  return all;
}

const Format* find_format(std::string_view name) {
  for (const Format* format : formats())
    if (format->name() == name) return format;
  return nullptr;
}

const Format* guess_format(FileSystem& files, const std::string& path) {
  if (has_manifest(files, path)) return &directory_format();
  const auto ends_with = [&](std::string_view ending) { return path.ends_with(ending); };
  if (ends_with(".tap") || ends_with(".TAP") || ends_with(".e11")) return &simh_format();
  return nullptr;
}

}  // namespace vtl::interchange
