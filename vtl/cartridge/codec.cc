#include "vtl/cartridge/codec.h"

#include <lz4.h>
#include <zstd.h>

#include "scsi/crc32c.h"

namespace vtl {
namespace {

const char* chars(scsi::Bytes bytes) { return reinterpret_cast<const char*>(bytes.data()); }
char* chars(scsi::MutableBytes bytes) { return reinterpret_cast<char*>(bytes.data()); }
constexpr int kZstdLevel = 1;

}  // namespace

std::size_t compress(Compression algorithm, scsi::Bytes block, scsi::MutableBytes out) {
  const std::size_t worthwhile = block.size() - block.size() * 3 / 100;
  if (algorithm == Compression::kLz4) {
    const int n = LZ4_compress_default(chars(block), chars(out), static_cast<int>(block.size()),
                                       static_cast<int>(worthwhile));
    return n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  if (algorithm == Compression::kZstd) {
    const std::size_t n =
        ZSTD_compress(out.data(), worthwhile, block.data(), block.size(), kZstdLevel);
    return ZSTD_isError(n) != 0U ? 0 : n;
  }
  return 0;
}

bool decompress(std::uint8_t algorithm, scsi::Bytes stored, scsi::MutableBytes out) {
  switch (static_cast<Compression>(algorithm)) {
    case Compression::kLz4:
      return LZ4_decompress_safe(chars(stored), chars(out), static_cast<int>(stored.size()),
                                 static_cast<int>(out.size())) == static_cast<int>(out.size());
    case Compression::kZstd:
      return ZSTD_decompress(out.data(), out.size(), stored.data(), stored.size()) == out.size();
    case Compression::kNone:
      break;
  }
  return false;
}

CodedBlock code_block(Compression algorithm, scsi::Bytes block, scsi::MutableBytes scratch) {
  CodedBlock out;
  out.logical_length = static_cast<std::uint32_t>(block.size());
  out.logical_crc = out.payload_crc = scsi::crc32c(block);
  out.payload = block;
  if (const std::size_t n = compress(algorithm, block, scratch); n != 0) {
    out.compression = algorithm;
    out.payload = scsi::Bytes(scratch).first(n);
    out.payload_crc = scsi::crc32c(out.payload);
  }
  return out;
}

}  // namespace vtl
