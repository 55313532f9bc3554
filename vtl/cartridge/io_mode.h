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

// Whether files in `dir` can be written and read with O_DIRECT: tried with a file of its own.
bool direct_io_works(FileSystem& files, const std::string& dir);

}  // namespace vtl
