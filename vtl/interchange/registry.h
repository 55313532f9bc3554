// The formats' constructors, for the registry. Private to vtl/interchange.
#pragma once

#include "vtl/interchange/format.h"

namespace vtl::interchange {

const Format& raw_format();
const Format& directory_format();
const Format& simh_format();

// Whether `path` is a directory with our manifest.
bool has_manifest(FileSystem& files, const std::string& path);

}  // namespace vtl::interchange
