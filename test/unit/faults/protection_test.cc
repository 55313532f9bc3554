// F19, and logical block protection from the host to the disk and back.
#include "scsi/protection.h"
#include "test/unit/faults/rig.h"

using namespace vtl::test;
using scsi::Protection;

namespace {

std::vector<std::byte> with_protection(Protection method, const std::string& block) {
  const scsi::Bytes data = scsi::as_bytes(block);
  std::vector<std::byte> out(data.begin(), data.end());
  const auto four = scsi::encode_protection(method, scsi::protection_value(method, data));
  out.insert(out.end(), four.begin(), four.end());
  return out;
}

struct Protected : Rig {
  explicit Protected(vtl::MediumOptions options = {}) { host->load(std::move(options)); }
  std::string select(Protection method, int flags) {
    std::vector<std::byte> list = ::test::bytes(
        {0, 0, 0, 0x10, 0, 0, 0, 0, 0x4A, 0xF0, 0, 0x1C, static_cast<int>(method), 4, flags});
    list.resize(40);
    return send({0x55, 0x10, 0, 0, 0, 0, 0, 0, 40, 0}, list);
  }
  std::string send(const Cdb& cdb, const std::vector<std::byte>& out) {
    host->sink.submit(kHost, cdb, 0, out);
    return told(host->finish());
  }
  std::string write(const std::vector<std::byte>& sent) {
    return send({0x0A, 0, 0, static_cast<std::uint8_t>(sent.size() >> 8),
                 static_cast<std::uint8_t>(sent.size()), 0},
                sent);
  }
  std::vector<std::byte> read(std::size_t length) {
    return host
        ->run({0x08, 0, 0, static_cast<std::uint8_t>(length >> 8),
               static_cast<std::uint8_t>(length), 0},
              kHost, static_cast<std::uint32_t>(length))
        .data();
  }
  void rewind() { REQUIRE(host->command({0x01}) == "GOOD"); }
};

}  // namespace

TEST_CASE("F19: the host's block CRC is wrong: the WRITE fails with 4/10/01, nothing is stored") {
  for (const Protection method : {Protection::kReedSolomon, Protection::kCrc32c}) {
    Protected rig;
    REQUIRE(rig.select(method, 0x80) == "GOOD");
    std::vector<std::byte> sent = with_protection(method, block_text(1, 3000));
    REQUIRE(rig.write(sent) == "GOOD");
    std::vector<std::byte> wrong = with_protection(method, block_text(2, 3000));
    wrong[1000] ^= std::byte{1};
    CHECK(rig.write(wrong) == "4/10/01 info=3004");
    CHECK(rig.host->position() == "1/0");
    // It is not a fault of the medium: what is right goes on.
    CHECK(rig.write(sent) == "GOOD");
    CHECK(rig.host->filemarks(1) == "GOOD");
    CHECK(rig.host->tape_alerts().empty());
    CHECK(rig.host->position() == "3/1");
    CHECK(rig.host->unload() == "GOOD");
    const auto report = vtl::verify_cartridge(rig.files, kDir);
    REQUIRE(report);
    CHECK(report->blocks == 2);
    CHECK(report->damage.empty());
  }
}

TEST_CASE(
    "Protection from end to end: stored, and returned as it was, after loads and compressed") {
  for (const Protection method : {Protection::kReedSolomon, Protection::kCrc32c})
    for (const auto compression : {vtl::Compression::kNone, vtl::Compression::kLz4}) {
      vtl::MediumOptions options;
      options.compression = compression;
      Protected rig(options);
      REQUIRE(rig.select(method, 0xC0) == "GOOD");
      const std::string noise = block_text(3, 4000), text(5000, 'x');
      for (const std::string& block : {noise, text})
        CHECK(rig.write(with_protection(method, block)) == "GOOD");
      CHECK(rig.host->filemarks(1) == "GOOD");
      CHECK(rig.host->unload() == "GOOD");
      CHECK(rig.host->load_again() == "GOOD");
      for (const std::string& block : {noise, text})
        CHECK(rig.read(block.size() + 4) == with_protection(method, block));
      // The other method, and none.
      const Protection other =
          method == Protection::kCrc32c ? Protection::kReedSolomon : Protection::kCrc32c;
      REQUIRE(rig.select(other, 0x40) == "GOOD");
      rig.rewind();
      CHECK(rig.read(4004) == with_protection(other, noise));
      REQUIRE(rig.select(Protection::kNone, 0) == "GOOD");
      rig.rewind();
      CHECK(scsi::as_text(rig.read(4000)) == noise);
    }
}

TEST_CASE("Protection: what changes between the drive's check and the disk is found on reading") {
  // The host's CRC32C is stored as it came: a block that is changed after the check does not match
  // it, however right all that was computed later is.
  std::vector<std::byte> sent = with_protection(Protection::kCrc32c, block_text(4, 1000));
  sent[5] ^= std::byte{1};
  const vtl::BlockForm form{vtl::Compression::kNone, Protection::kCrc32c, {}};
  const vtl::CodedBlock coded = vtl::code_block(form, sent, {}, {});
  CHECK(coded.logical_crc ==
        scsi::decode_protection(Protection::kCrc32c, scsi::Bytes(sent).last(4)));
  CHECK(coded.logical_crc !=
        scsi::protection_value(Protection::kCrc32c, scsi::Bytes(sent).first(1000)));
}

TEST_CASE("F8 with protection: a damaged block is a medium error, not a wrong check value") {
  Protected rig;
  REQUIRE(rig.select(Protection::kReedSolomon, 0xC0) == "GOOD");
  const std::string block = block_text(0, kBlockBytes);
  REQUIRE(rig.send({0x0A, 0, (kBlockBytes + 4) >> 16, (kBlockBytes + 4) >> 8 & 255,
                    (kBlockBytes + 4) & 255, 0},
                   with_protection(Protection::kReedSolomon, block)) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  REQUIRE(rig.host->unload() == "GOOD");
  const auto [path, at] = rig.find(0);
  rig.flip(path, at + 50);
  REQUIRE(rig.host->load_again() == "GOOD");
  CHECK(rig.host->command({0x08, 0, (kBlockBytes + 4) >> 16, (kBlockBytes + 4) >> 8 & 255,
                           (kBlockBytes + 4) & 255, 0}) == "3/11/00 info=100004");
}
