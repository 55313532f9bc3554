#include "scsi/secret.h"

#include <sys/mman.h>

#include <new>

namespace scsi {

namespace {
constexpr std::size_t kPage = 4096;  // what the kernel makes of it is a page at least
}

void wipe(MutableBytes bytes) {
  volatile std::byte* at = bytes.data();
  for (std::size_t i = 0; i < bytes.size(); ++i) at[i] = std::byte{};
}

SecretKey::SecretKey() {
  void* page = ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) throw std::bad_alloc();
  ::madvise(page, kPage, MADV_DONTDUMP);
  ::mlock(page, kPage);  // a wish: a host that asks for a key gets it
  bytes_ = static_cast<std::byte*>(page);
}

SecretKey::~SecretKey() {
  wipe(view());
  ::munmap(bytes_, kPage);
}

}  // namespace scsi
