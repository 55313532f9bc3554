#include "scsi/crc32c.h"

#include <isa-l/crc.h>

namespace scsi {

std::uint32_t crc32c(Bytes bytes, std::uint32_t previous) {
  // ISA-L takes an int length and does not complement; it does not write through the pointer
  // either.
  constexpr std::size_t kStep = 1u << 30;
  std::uint32_t crc = ~previous;
  while (!bytes.empty()) {
    Bytes step = bytes.first(bytes.size() < kStep ? bytes.size() : kStep);
    auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(step.data()));
    crc = crc32_iscsi(data, static_cast<int>(step.size()), crc);
    bytes = bytes.subspan(step.size());
  }
  return ~crc;
}

}  // namespace scsi
