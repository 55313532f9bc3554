#include "vtl/cartridge/codec.h"

#include <lz4.h>
#include <zstd.h>

#include "scsi/crc32c.h"
#include "vtl/cartridge/cipher.h"

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

std::uint32_t BlockForm::overhead() const {
  if (encrypts()) return sealing_overhead(*encryption);
  return protection == scsi::Protection::kReedSolomon ? format::kReedSolomonBytes : 0;
}

namespace {

// Written as it is: what another drive has sealed.
CodedBlock external_block(scsi::Bytes block, CodedBlock out) {
  const std::optional<RawBlock> raw = parse_raw_block(block);
  VTL_CHECK(raw.has_value());
  out.logical_length = raw->block.logical_length;
  out.logical_crc = 0;
  out.reed_solomon.reset();
  out.flags = raw->block.flags | format::kWrittenExternally;
  out.compression = static_cast<Compression>(raw->block.compression);
  out.payload = raw->payload;
  out.extension_length = raw->extension_length;
  out.payload_crc = scsi::crc32c(out.payload);
  return out;
}

void seal_block(const scsi::ssc::Encryption& encryption, CodedBlock& out,
                scsi::MutableBytes scratch, const RandomBytes& random) {
  out.flags |= format::kEncryptedByHost;
  if (encryption.raw_readable) out.flags |= format::kRawReadable;
  const SealedBlock sealed{out.flags, static_cast<std::uint8_t>(out.compression),
                           out.logical_length, out.logical_crc, out.reed_solomon.value_or(0)};
  std::array<std::byte, kNonceBytes> nonce{};
  random(nonce);
  const std::size_t length = sealing_overhead(encryption) + out.payload.size();
  out.extension_length = seal(encryption, sealed, nonce, out.payload, scratch);
  out.payload = scsi::Bytes(scratch).first(length);
  out.payload_crc = scsi::crc32c(out.payload);
  // A checksum of what was encrypted would tell of it: both are within.
  out.logical_crc = 0;
  out.reed_solomon.reset();
}

}  // namespace

CodedBlock code_block(const BlockForm& form, scsi::Bytes block, scsi::MutableBytes scratch,
                      const RandomBytes& random) {
  CodedBlock out;
  const scsi::Bytes checked = block.last(scsi::protection_bytes(form.protection));
  block = block.first(block.size() - checked.size());
  if (!checked.empty()) {
    const std::uint32_t value = scsi::decode_protection(form.protection, checked);
    out.flags = format::kHostCrcVerified;
    if (form.protection == scsi::Protection::kReedSolomon) out.reed_solomon = value;
    // What the host computed, and not anew: so a reader also checks what is between here and the
    // drive's own check.
    if (form.protection == scsi::Protection::kCrc32c) out.logical_crc = value;
  }
  if (form.external()) return external_block(block, std::move(out));
  out.logical_length = static_cast<std::uint32_t>(block.size());
  if (form.protection != scsi::Protection::kCrc32c) out.logical_crc = scsi::crc32c(block);
  out.payload_crc = out.logical_crc;
  out.payload = block;
  const std::size_t at = form.encrypts() ? stored_offset(*form.encryption) : 0;
  if (form.compression != Compression::kNone) {
    const std::size_t n = compress(form.compression, block, scratch.subspan(at));
    if (n != 0) {
      out.compression = form.compression;
      out.flags |= format::kCompressed;
      out.payload = scsi::Bytes(scratch).subspan(at, n);
      if (!form.encrypts()) out.payload_crc = scsi::crc32c(out.payload);
    }
  }
  if (form.encrypts()) seal_block(*form.encryption, out, scratch, random);
  return out;
}

}  // namespace vtl
