// How segment files are written and read; one mode for all of a file's data (I10 of FORMAT.md).
#pragma once

#include <string>

#include "vtl/cartridge/file.h"

namespace vtl {

enum class IoMode {
  kAuto,      // direct, unless the file system refuses it
  kDirect,    // O_DIRECT
  kBuffered,  // through the page cache, paced: network and FUSE file systems
};

// Whether the file system lets its files be used with O_DIRECT: tried by reading one that is there,
// as a full pool has no room for another. Only EINVAL says no.
bool direct_io_works(FileSystem& files, const std::string& path);

}  // namespace vtl
