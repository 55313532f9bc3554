#include "scsi/protection.h"

#include <initializer_list>

#include "scsi/check.h"
#include "scsi/crc32c.h"

namespace scsi {

namespace {

// GF(2^8) with x^8 + x^4 + x^3 + x^2 + 1.
constexpr std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (unsigned shifted = a; b != 0; b = static_cast<std::uint8_t>(b >> 1)) {
    if ((b & 1) != 0) product ^= shifted;
    shifted <<= 1;
    if ((shifted & 0x100) != 0) shifted ^= 0x11D;
  }
  return static_cast<std::uint8_t>(product);
}

// What a symbol that leaves the register of four adds to it: the symbol times the generator.
constexpr std::uint32_t feedback(std::uint8_t symbol) {
  std::uint32_t out = 0;
  for (const std::uint8_t coefficient : std::initializer_list<std::uint8_t>{0x38, 0xCF, 0x38, 0x01})
    out = out << 8 | multiply(symbol, coefficient);
  return out;
}

// By k and symbol: the register after the symbol and k zeros behind it. So eight symbols are taken
// at once.
constexpr auto kTables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (unsigned symbol = 0; symbol < 256; ++symbol)
    tables[0][symbol] = feedback(static_cast<std::uint8_t>(symbol));
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (unsigned symbol = 0; symbol < 256; ++symbol) {
      const std::uint32_t before = tables[k - 1][symbol];
      tables[k][symbol] = before << 8 ^ tables[0][before >> 24];
    }
  return tables;
}();

}  // namespace

std::uint32_t reed_solomon_crc(Bytes bytes, std::uint32_t previous) {
  std::uint32_t reg = previous;
  const auto at = [&](std::size_t i) { return std::to_integer<std::uint8_t>(bytes[i]); };
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    reg = kTables[7][at(0) ^ reg >> 24] ^ kTables[6][at(1) ^ (reg >> 16 & 0xFF)] ^
          kTables[5][at(2) ^ (reg >> 8 & 0xFF)] ^ kTables[4][at(3) ^ (reg & 0xFF)] ^
          kTables[3][at(4)] ^ kTables[2][at(5)] ^ kTables[1][at(6)] ^ kTables[0][at(7)];
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) reg = reg << 8 ^ kTables[0][at(i) ^ reg >> 24];
  return reg;
}

std::uint32_t protection_value(Protection method, Bytes bytes, std::uint32_t previous) {
  VTL_CHECK(method != Protection::kNone);
  return method == Protection::kCrc32c ? crc32c(bytes, previous)
                                       : reed_solomon_crc(bytes, previous);
}

std::array<std::byte, kProtectionBytes> encode_protection(Protection method, std::uint32_t value) {
  std::array<std::byte, kProtectionBytes> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t shift = 8 * (method == Protection::kCrc32c ? i : out.size() - 1 - i);
    out[i] = static_cast<std::byte>(value >> shift);
  }
  return out;
}

std::uint32_t decode_protection(Protection method, Bytes bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < kProtectionBytes; ++i) {
    const std::size_t shift = 8 * (method == Protection::kCrc32c ? i : kProtectionBytes - 1 - i);
    value |= std::to_integer<std::uint32_t>(bytes[i]) << shift;
  }
  return value;
}

}  // namespace scsi
