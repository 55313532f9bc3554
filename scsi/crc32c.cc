#include "scsi/crc32c.h"

#include <isa-l/crc.h>

#include <array>

namespace scsi {

namespace {

// A CRC is a polynomial over GF(2) of degree below 32, its highest bit the coefficient of x^0.
constexpr std::uint32_t kCastagnoli = 0x82F63B78;
constexpr std::uint32_t kOne = 0x80000000;

constexpr std::uint32_t times_x(std::uint32_t a) {
  return (a >> 1) ^ ((a & 1) != 0 ? kCastagnoli : 0);
}
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (; a != 0; a <<= 1, b = times_x(b))
    if ((a & kOne) != 0) product ^= b;
  return product;
}

// x^(8 * 2^k), by k: that many bytes of zeros appended.
constexpr std::array<std::uint32_t, 32> kZeros = [] {
  std::array<std::uint32_t, 32> powers{};
  powers[0] = kOne >> 8;
  for (std::size_t k = 1; k < powers.size(); ++k)
    powers[k] = multiply(powers[k - 1], powers[k - 1]);
  return powers;
}();

}  // namespace

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

std::uint32_t crc32c_join(std::uint32_t first, std::uint32_t second, std::uint32_t second_length) {
  for (std::size_t k = 0; second_length != 0; ++k, second_length >>= 1)
    if ((second_length & 1) != 0) first = multiply(kZeros[k], first);
  return first ^ second;
}

}  // namespace scsi
