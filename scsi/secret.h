// Memory for a key: wiped when it goes, never in a core dump, and not swapped out.
#pragma once

#include "scsi/bytes.h"

namespace scsi {

// For what must not stay in memory; not optimised away.
void wipe(MutableBytes bytes);

// 32 bytes in a page of their own, zero at first. Where the system lets no more be locked
// (RLIMIT_MEMLOCK) it may be swapped out; throws std::bad_alloc where there is no page. Any thread.
class SecretKey {
 public:
  SecretKey();
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey();

  static constexpr std::size_t size() { return 32; }
  std::byte* data() { return bytes_; }
  const std::byte* data() const { return bytes_; }
  MutableBytes view() { return {bytes_, size()}; }
  Bytes view() const { return {bytes_, size()}; }

 private:
  std::byte* bytes_;
};

}  // namespace scsi
