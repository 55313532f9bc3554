// Blocks under a host's key: the golden payload in both directions, and what must not be read.
#include <catch2/catch.hpp>

#include "scsi/crc32c.h"
#include "test/unit/support/golden.h"
#include "vtl/cartridge/cipher.h"
#include "vtl/cartridge/codec.h"

using namespace test;
using namespace vtl;
using scsi::ssc::CipherRefusal;
using scsi::ssc::Encryption;

namespace {

std::vector<std::byte> bytes_of(const std::string& hex) {
  std::vector<std::byte> out;
  for (const std::uint8_t byte : golden_bytes(hex)) out.push_back(std::byte{byte});
  return out;
}

scsi::ssc::KeyAssociatedData data_of(std::uint8_t type, std::string_view text) {
  const scsi::Bytes value = scsi::as_bytes(text);
  return {type, {value.begin(), value.end()}};
}

std::shared_ptr<Encryption> encryption(int key,
                                       Encryption::Read read = Encryption::Read::kDecrypt) {
  auto out = std::make_shared<Encryption>();
  out->write = Encryption::Write::kEncrypt;
  out->read = read;
  for (std::size_t i = 0; i < out->key.size(); ++i)
    out->key.data()[i] = static_cast<std::byte>(i + static_cast<std::size_t>(key));
  return out;
}

void fixed_nonce(scsi::MutableBytes into) {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<std::byte>(0xA0 + i);
}

struct Sealed {
  std::shared_ptr<const Encryption> under;
  std::vector<std::byte> scratch;
  CodedBlock coded;
};
Sealed seal_block(std::shared_ptr<const Encryption> under, scsi::Bytes block,
                  Compression compression = Compression::kNone) {
  Sealed out;
  out.under = under;
  const BlockForm form{compression, scsi::Protection::kNone, under};
  out.scratch.resize(block.size() + form.overhead());
  out.coded = code_block(form, block, out.scratch, fixed_nonce);
  return out;
}

SealedBlock fields_of(const CodedBlock& coded) {
  return {coded.flags, static_cast<std::uint8_t>(coded.compression), coded.logical_length, 0, 0};
}

}  // namespace

TEST_CASE("Encryption: golden payload, written and read") {
  for (const GoldenCase& each : read_golden("sealed.txt")) {
    INFO(each.at("name"));
    auto under = encryption(0);
    const std::vector<std::byte> key = bytes_of(each.at("key"));
    std::copy(key.begin(), key.end(), under->key.data());
    under->raw_readable = true;
    under->associated = {data_of(0, "label"), data_of(1, "twelve bytes")};
    const std::vector<std::byte> block = bytes_of(each.at("block"));
    const Sealed sealed = seal_block(under, block);
    CHECK(scsi::gather({{nullptr, sealed.coded.payload}}) == bytes_of(each.at("payload")));
    CHECK(sealed.coded.flags == (format::kEncryptedByHost | format::kRawReadable));
    CHECK(sealed.coded.logical_crc == 0);  // it would tell of the block
    CHECK(sealed.coded.payload_crc == scsi::crc32c(sealed.coded.payload));
    CHECK(sealed.coded.payload.size() == block.size() + sealing_overhead(*under));

    SealedBlock fields = fields_of(sealed.coded);
    std::vector<std::byte> read;
    REQUIRE(unseal(*under, sealed.coded.extension_length, sealed.coded.payload, fields, read));
    CHECK(read == block);
    CHECK(fields.logical_crc == scsi::crc32c(block));
    const scsi::Bytes extensions = sealed.coded.payload.first(sealed.coded.extension_length);
    CHECK(associated_data(extensions) == under->associated);
  }
}

TEST_CASE("Encryption: any changed bit of record or fields is found; another key is told apart") {
  const std::vector<std::byte> block(200, std::byte{0x11});
  auto under = encryption(1);
  under->associated = {data_of(1, "alias")};
  const Sealed sealed = seal_block(under, block);
  const std::vector<std::byte> payload(sealed.coded.payload.begin(), sealed.coded.payload.end());
  const std::uint32_t extension = sealed.coded.extension_length;
  std::vector<std::byte> read;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    std::vector<std::byte> changed = payload;
    changed[i] ^= std::byte{0x04};
    SealedBlock fields = fields_of(sealed.coded);
    INFO("byte " << i);
    CHECK_FALSE(unseal(*under, extension, changed, fields, read));
  }
  SealedBlock longer = fields_of(sealed.coded);
  ++longer.logical_length;
  CHECK_FALSE(unseal(*under, extension, payload, longer, read));
  for (std::size_t n = 0; n < payload.size(); n += 7) {
    SealedBlock fields = fields_of(sealed.coded);
    CHECK_FALSE(unseal(*under, extension, scsi::Bytes(payload).first(n), fields, read));
  }
  const scsi::Bytes extensions = scsi::Bytes(payload).first(extension);
  const std::uint16_t flags = sealed.coded.flags;
  CHECK(cipher_refusal(under.get(), flags, extensions) == CipherRefusal::kNone);
  CHECK(cipher_refusal(encryption(2).get(), flags, extensions) == CipherRefusal::kWrongKey);
  CHECK(cipher_refusal(nullptr, flags, extensions) == CipherRefusal::kNoKey);
  CHECK(cipher_refusal(under.get(), flags, {}) == CipherRefusal::kTampered);
}

TEST_CASE("Encryption: nothing of a block is to be seen, compressed or not") {
  std::vector<std::byte> block;
  for (int i = 0; i < 400; ++i)
    for (const char c : std::string("a secret ")) block.push_back(static_cast<std::byte>(c));
  for (const Compression compression :
       {Compression::kNone, Compression::kLz4, Compression::kZstd}) {
    const Sealed sealed = seal_block(encryption(5), block, compression);
    CHECK(scsi::as_text(sealed.coded.payload).find("secret") == std::string_view::npos);
    CHECK((sealed.coded.payload.size() < block.size()) == (compression != Compression::kNone));
    SealedBlock fields = fields_of(sealed.coded);
    std::vector<std::byte> read;
    REQUIRE(
        unseal(*sealed.under, sealed.coded.extension_length, sealed.coded.payload, fields, read));
    std::vector<std::byte> whole(block.size());
    if (compression == Compression::kNone)
      whole = read;
    else
      REQUIRE(decompress(static_cast<std::uint8_t>(compression), read, whole));
    CHECK(whole == block);
  }
}

TEST_CASE("Encryption: what a host has checked is sealed with the block, and comes back") {
  const std::vector<std::byte> block(100, std::byte{0x42});
  for (const scsi::Protection method :
       {scsi::Protection::kReedSolomon, scsi::Protection::kCrc32c}) {
    std::vector<std::byte> sent = block;
    const auto four = scsi::encode_protection(method, scsi::protection_value(method, block));
    sent.insert(sent.end(), four.begin(), four.end());
    const BlockForm form{Compression::kNone, method, encryption(3)};
    std::vector<std::byte> scratch(block.size() + form.overhead());
    const CodedBlock coded = code_block(form, sent, scratch, fixed_nonce);
    CHECK((coded.flags & format::kHostCrcVerified) != 0);
    CHECK_FALSE(coded.reed_solomon);
    SealedBlock fields = fields_of(coded);
    std::vector<std::byte> read;
    REQUIRE(unseal(*form.encryption, coded.extension_length, coded.payload, fields, read));
    CHECK(read == block);
    CHECK(fields.logical_crc == scsi::crc32c(block));
    CHECK(fields.reed_solomon ==
          (method == scsi::Protection::kReedSolomon ? scsi::reed_solomon_crc(block) : 0));
  }
}

TEST_CASE("Raw blocks: only what raw reading gave is taken") {
  const std::vector<std::byte> block(50, std::byte{0x33});
  auto under = encryption(4);
  under->raw_readable = true;
  const Sealed sealed = seal_block(under, block);
  format::RecordHeader header;
  header.flags = sealed.coded.flags | format::kWrittenExternally;
  header.logical_length = sealed.coded.logical_length;
  header.extension_length = sealed.coded.extension_length;
  const std::vector<std::byte> raw = raw_block(header, sealed.coded.payload);
  CHECK(raw.size() == kRawHeaderBytes + sealed.coded.payload.size());
  const auto parsed = parse_raw_block(raw);
  REQUIRE(parsed);
  CHECK(parsed->block.flags == sealed.coded.flags);
  CHECK(parsed->block.logical_length == 50);
  CHECK(std::equal(parsed->payload.begin(), parsed->payload.end(), sealed.coded.payload.begin(),
                   sealed.coded.payload.end()));
  for (std::size_t n = 0; n < kRawHeaderBytes + sealed.coded.extension_length + 23; ++n)
    CHECK_FALSE(parse_raw_block(scsi::Bytes(raw).first(n)));
  for (const std::size_t at : {0u, 5u, 15u, 17u}) {
    std::vector<std::byte> changed = raw;
    changed[at] ^= std::byte{0x80};
    INFO("byte " << at);
    CHECK_FALSE(parse_raw_block(changed));
  }
  CHECK_FALSE(parse_raw_block(block));
}
