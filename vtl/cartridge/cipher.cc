#include "vtl/cartridge/cipher.h"

#include <cryptopp/aes.h>
#include <cryptopp/gcm.h>
#include <cryptopp/hmac.h>
#include <cryptopp/sha.h>

#include "scsi/bytes.h"

namespace vtl {

using scsi::Bytes;
using scsi::ssc::CipherRefusal;
using scsi::ssc::Encryption;
using scsi::ssc::KeyAssociatedData;

namespace {

constexpr std::size_t kKeyCheckBytes = 16;
constexpr std::uint32_t kRawMagic = 0x56545258;  // VTRX
// Of a record's flags, those that the tag covers and a raw block carries. Whether it was written in
// external mode is the tape's own business.
constexpr std::uint16_t kCovered = format::kCompressed | format::kEncryptedByHost |
                                   format::kHostCrcVerified | format::kRawReadable;

const CryptoPP::byte* raw(const std::byte* bytes) {
  return reinterpret_cast<const CryptoPP::byte*>(bytes);
}
CryptoPP::byte* raw(std::byte* bytes) { return reinterpret_cast<CryptoPP::byte*>(bytes); }

// Which key it was: says nothing of the key, and is another for each block.
std::array<std::byte, kKeyCheckBytes> key_check(const Encryption& encryption, Bytes nonce) {
  CryptoPP::HMAC<CryptoPP::SHA256> mac(raw(encryption.key.data()), encryption.key.size());
  const Bytes label = scsi::as_bytes("VTL key check");
  mac.Update(raw(label.data()), label.size());
  mac.Update(raw(nonce.data()), nonce.size());
  std::array<std::byte, kKeyCheckBytes> out{};
  mac.TruncatedFinal(raw(out.data()), out.size());
  return out;
}

std::vector<std::byte> encode_associated(const std::vector<KeyAssociatedData>& associated) {
  scsi::ByteBuilder out;
  for (const KeyAssociatedData& each : associated)
    out.u8(each.type).u8(0).u16(each.value.size()).bytes(each.value);
  return out.take();
}

std::vector<std::byte> extensions_of(const Encryption& encryption, Bytes nonce) {
  using Type = format::ExtensionType;
  std::vector<std::byte> out;
  if (!encryption.associated.empty())
    format::put_extension(out, Type::kKeyAssociatedData, encode_associated(encryption.associated));
  format::put_extension(out, Type::kNonce, nonce);
  format::put_extension(out, Type::kKeyInstanceHash, key_check(encryption, nonce));
  return out;
}

std::size_t extensions_size(const Encryption& encryption) {
  std::size_t size = 2 * format::kExtensionHeaderBytes + kNonceBytes + kKeyCheckBytes;
  if (encryption.associated.empty()) return size;
  size += format::kExtensionHeaderBytes;
  for (const KeyAssociatedData& each : encryption.associated) size += 4 + each.value.size();
  return size;
}

// The nonce and the key check of a record, or nothing where they are not what they should be.
struct KeyMarks {
  Bytes nonce, check;
};
std::optional<KeyMarks> key_marks(Bytes extensions) {
  const auto nonce = format::find_extension(extensions, format::ExtensionType::kNonce);
  const auto check = format::find_extension(extensions, format::ExtensionType::kKeyInstanceHash);
  if (!nonce || nonce->size() != kNonceBytes || !check || check->size() != kKeyCheckBytes)
    return std::nullopt;
  return KeyMarks{*nonce, *check};
}

template <class Cipher>
void add_header(Cipher& cipher, const SealedBlock& block, Bytes extensions) {
  scsi::ByteBuilder header;
  header.u16(block.flags & kCovered).u8(block.compression).u32(block.logical_length);
  cipher.Update(raw(header.view().data()), header.size());
  cipher.Update(raw(extensions.data()), extensions.size());
}

}  // namespace

std::uint32_t sealing_overhead(const Encryption& encryption) {
  return static_cast<std::uint32_t>(extensions_size(encryption) + kInnerBytes + kTagBytes);
}

std::size_t stored_offset(const Encryption& encryption) {
  return extensions_size(encryption) + kInnerBytes;
}

std::uint32_t seal(const Encryption& encryption, const SealedBlock& block,
                   std::array<std::byte, kNonceBytes> nonce, Bytes stored, scsi::MutableBytes out) {
  const std::vector<std::byte> extensions = extensions_of(encryption, nonce);
  scsi::ByteWriter writer(out);
  writer.bytes(extensions);
  std::array<std::byte, kInnerBytes> inner{};
  scsi::ByteWriter(inner).u32(block.logical_crc).u32(block.reed_solomon);

  CryptoPP::GCM<CryptoPP::AES>::Encryption cipher;
  cipher.SetKeyWithIV(raw(encryption.key.data()), encryption.key.size(), raw(nonce.data()),
                      nonce.size());
  add_header(cipher, block, extensions);
  std::byte* at = out.data() + extensions.size();
  cipher.ProcessData(raw(at), raw(inner.data()), inner.size());
  cipher.ProcessData(raw(at + kInnerBytes), raw(stored.data()), stored.size());
  cipher.TruncatedFinal(raw(at + kInnerBytes + stored.size()), kTagBytes);
  return static_cast<std::uint32_t>(extensions.size());
}

bool unseal(const Encryption& encryption, std::uint32_t extension_length, Bytes payload,
            SealedBlock& block, std::vector<std::byte>& out) {
  if (payload.size() < std::size_t{extension_length} + kInnerBytes + kTagBytes) return false;
  const Bytes extensions = payload.first(extension_length);
  const auto marks = key_marks(extensions);
  if (!marks) return false;
  const Bytes tag = payload.last(kTagBytes);
  const Bytes sealed =
      payload.subspan(extension_length, payload.size() - extension_length - kTagBytes);
  CryptoPP::GCM<CryptoPP::AES>::Decryption cipher;
  cipher.SetKeyWithIV(raw(encryption.key.data()), encryption.key.size(), raw(marks->nonce.data()),
                      marks->nonce.size());
  add_header(cipher, block, extensions);
  std::array<std::byte, kInnerBytes> inner{};
  cipher.ProcessData(raw(inner.data()), raw(sealed.data()), inner.size());
  out.resize(sealed.size() - kInnerBytes);
  cipher.ProcessData(raw(out.data()), raw(sealed.data() + kInnerBytes), out.size());
  if (!cipher.TruncatedVerify(raw(tag.data()), tag.size())) return false;
  scsi::ByteReader reader(inner);
  block.logical_crc = reader.u32();
  block.reed_solomon = reader.u32();
  return true;
}

CipherRefusal cipher_refusal(const Encryption* encryption, std::uint16_t flags, Bytes extensions) {
  using Read = Encryption::Read;
  using Check = Encryption::Check;
  const Read mode = encryption == nullptr ? Read::kDisable : encryption->read;
  if ((flags & format::kEncryptedByHost) == 0)
    return mode == Read::kDecrypt ? CipherRefusal::kNotEncrypted : CipherRefusal::kNone;
  if (mode == Read::kDisable) return CipherRefusal::kNoKey;
  const bool external = (flags & format::kWrittenExternally) != 0;
  if (encryption->check == (external ? Check::kNotExternal : Check::kNotEncrypt))
    return CipherRefusal::kModeMismatch;
  if (mode == Read::kRaw)
    return (flags & format::kRawReadable) != 0 ? CipherRefusal::kNone : CipherRefusal::kNotRaw;
  const auto marks = key_marks(extensions);
  if (!marks) return CipherRefusal::kTampered;
  const auto expected = key_check(*encryption, marks->nonce);
  return std::equal(expected.begin(), expected.end(), marks->check.begin())
             ? CipherRefusal::kNone
             : CipherRefusal::kWrongKey;
}

std::vector<KeyAssociatedData> associated_data(Bytes extensions) {
  std::vector<KeyAssociatedData> out;
  const auto list = format::find_extension(extensions, format::ExtensionType::kKeyAssociatedData);
  if (!list) return out;
  for (scsi::ByteReader r(*list); r.remaining() != 0;) {
    const std::uint8_t type = r.u8();
    r.skip(1);
    const Bytes value = r.bytes(r.u16());
    if (!r.ok()) break;
    out.push_back({type, {value.begin(), value.end()}});
  }
  return out;
}

std::vector<std::byte> raw_block(const format::RecordHeader& header, Bytes payload) {
  scsi::ByteBuilder out;
  out.u32(kRawMagic).u16(header.flags & kCovered).u8(header.compression).u8(0);
  out.u32(header.logical_length).u32(header.extension_length).bytes(payload);
  return out.take();
}

std::optional<RawBlock> parse_raw_block(Bytes bytes) {
  scsi::ByteReader r(bytes);
  RawBlock raw;
  const bool marked = r.u32() == kRawMagic;
  raw.block.flags = r.u16();
  raw.block.compression = r.u8();
  r.skip(1);
  raw.block.logical_length = r.u32();
  raw.extension_length = r.u32();
  if (!r.ok() || !marked || (raw.block.flags & ~kCovered) != 0 ||
      (raw.block.flags & format::kEncryptedByHost) == 0 || raw.block.logical_length == 0 ||
      raw.block.logical_length > kMaxBlockBytes || raw.extension_length > r.remaining() ||
      r.remaining() - raw.extension_length < kInnerBytes + kTagBytes)
    return std::nullopt;
  raw.payload = r.bytes(r.remaining());
  if (!key_marks(raw.payload.first(raw.extension_length))) return std::nullopt;
  return raw;
}

}  // namespace vtl
