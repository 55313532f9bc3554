// For the negative controls: preloaded into the server, it makes fsync and fdatasync answer success
// and do nothing - for every file, or only for those whose names end in $VTL_FORGET_SYNC.
#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

bool forgotten(int fd) {
  const char* suffix = std::getenv("VTL_FORGET_SYNC");
  if (suffix == nullptr) return false;
  std::array<char, 4096> name{};
  const ssize_t length =
      ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), name.data(), name.size());
  return length > 0 &&
         std::string_view(name.data(), static_cast<std::size_t>(length)).ends_with(suffix);
}

int sync_unless_forgotten(const char* call, int fd) {
  if (forgotten(fd)) return 0;
  return reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, call))(fd);
}

}  // namespace

extern "C" int fsync(int fd) { return sync_unless_forgotten("fsync", fd); }
extern "C" int fdatasync(int fd) { return sync_unless_forgotten("fdatasync", fd); }
