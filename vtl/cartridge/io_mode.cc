#include "vtl/cartridge/io_mode.h"

#include <array>

namespace vtl {

bool direct_io_works(FileSystem& files, const std::string& dir) {
  struct alignas(4096) Block {
    std::array<std::byte, 4096> bytes{};
  };
  const std::string path = dir + "/direct-io.probe";
  (void)files.remove(path);  // of an earlier crash
  auto file = files.open(path, FileSystem::Mode::kCreate, FileSystem::Io::kDirect);
  if (!file) return false;
  Block block;
  const bool works = (*file)->pwrite(block.bytes, 0).ok() && (*file)->pread(block.bytes, 0).ok();
  file->reset();
  (void)files.remove(path);
  return works;
}

}  // namespace vtl
