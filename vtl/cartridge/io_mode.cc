#include "vtl/cartridge/io_mode.h"

#include <array>
#include <cerrno>

namespace vtl {

bool direct_io_works(FileSystem& files, const std::string& path) {
  struct alignas(4096) Block {
    std::array<std::byte, 4096> bytes{};
  };
  const auto file = files.open(path, FileSystem::Mode::kRead, FileSystem::Io::kDirect);
  if (!file) return file.error().code != EINVAL;
  Block block;
  const auto read = (*file)->pread(block.bytes, 0);
  return read || read.error().code != EINVAL;
}

}  // namespace vtl
