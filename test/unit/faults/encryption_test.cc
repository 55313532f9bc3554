// Tape encryption with a real cartridge beneath: what lies on the disk, and what can be made of it
// with a key, with another, and with none.
#include "scsi/crc32c.h"
#include "test/unit/faults/rig.h"
#include "vtl/cartridge/scrub.h"

using namespace vtl::test;

namespace {

constexpr int kOff = 0, kExternal = 1, kEncrypt = 2;
constexpr int kRaw = 1, kDecrypt = 2, kMixed = 3;

struct Encrypted : Rig {
  explicit Encrypted(vtl::MediumOptions with = {}) : options(std::move(with)) {
    options.random = [n = std::uint8_t{0}](scsi::MutableBytes into) mutable {
      for (std::byte& each : into) each = static_cast<std::byte>(++n);
    };
    host->load(options);
  }
  // SECURITY PROTOCOL OUT, scope all I_T nexus. `control`: CEEM, RDMC.
  std::string set(int write, int read, int key = 1, int control = 0) {
    std::vector<std::byte> page =
        ::test::bytes({0, 0x10, 0, 48, 0x40, control, write, read, 1, 0, 0});
    page.resize(20);
    page[19] = std::byte{32};
    page.resize(52, static_cast<std::byte>(key));
    host->sink.submit(kHost, {0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52, 0, 0}, 0, page);
    return told(host->finish());
  }
  std::string off() { return set(kOff, kOff); }
  void rewind() { REQUIRE(host->command({0x01}) == "GOOD"); }
  std::string first() {
    rewind();
    return host->read();
  }
  // READ of a block of unknown length.
  std::vector<std::byte> read_any() {
    return host->run({0x08, 2, 0x04, 0, 0, 0}, kHost, 0x40000).data();
  }
  std::string write_any(const std::vector<std::byte>& data) {
    host->sink.submit(
        kHost,
        {0x0A, 0, static_cast<std::uint8_t>(data.size() >> 16),
         static_cast<std::uint8_t>(data.size() >> 8), static_cast<std::uint8_t>(data.size()), 0},
        0, data);
    return told(host->finish());
  }
  bool on_disk(const std::string& text) {
    bool found = false;
    for (const std::string& path : files.find(".seg"))
      files.edit(path, [&](auto& bytes) {
        found = found || scsi::as_text(bytes).find(text) != std::string::npos;
      });
    return found;
  }
  unsigned next_status() {
    const auto page = host->run({0xA2, 0x20, 0, 0x21, 0, 0, 0, 0, 1, 0, 0, 0}, kHost, 256).data();
    REQUIRE(page.size() >= 16);
    return std::to_integer<unsigned>(page[12]);
  }
  vtl::MediumOptions options;
};

}  // namespace

TEST_CASE("Encryption: the disk holds ciphertext, and only the key reads it") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  for (std::uint64_t i = 0; i < 12; ++i) REQUIRE(rig.host->write(i) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  REQUIRE(rig.off() == "GOOD");
  REQUIRE(rig.host->write(12) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  for (std::uint64_t i = 0; i < 12; ++i)
    CHECK_FALSE(rig.on_disk(block_text(i, kBlockBytes).substr(500, 16)));
  CHECK(rig.on_disk(block_text(12, kBlockBytes).substr(500, 16)));
  REQUIRE(rig.host->unload() == "GOOD");
  REQUIRE(rig.host->load_again() == "GOOD");

  CHECK(rig.first() == "7/74/01 info=100000");
  CHECK(rig.host->position() == "0/0");
  CHECK(rig.next_status() == 0x06);
  REQUIRE(rig.set(kEncrypt, kMixed, 2) == "GOOD");
  CHECK(rig.first() == "7/74/03 info=100000");
  CHECK(rig.host->position() == "0/0");
  CHECK(rig.next_status() == 0x06);
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  CHECK(rig.next_status() == 0x05);
  CHECK(rig.host->tape() == Rig::blocks(0, 12) + " | b12 |");
  REQUIRE(rig.set(kEncrypt, kDecrypt) == "GOOD");
  REQUIRE(rig.host->locate(13) == "GOOD");
  CHECK(rig.next_status() == 0x03);
  CHECK(rig.host->read() == "7/74/02 info=100000");
  CHECK(rig.host->position() == "13/1");
  // Positions need no key.
  REQUIRE(rig.off() == "GOOD");
  rig.rewind();
  CHECK(rig.host->command({0x11, 0, 0, 0, 13, 0}) == "0/00/01 FM info=1");
  CHECK(rig.host->alerts.empty());
}

TEST_CASE("Encryption: what was read ahead under one key is not given out under another") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  for (std::uint64_t i = 0; i < 5; ++i) REQUIRE(rig.host->write(i) == "GOOD");
  CHECK(rig.first() == "b0");
  rig.host->settle();  // the rest is read ahead
  REQUIRE(rig.off() == "GOOD");
  CHECK(rig.host->read() == "7/74/01 info=100000");
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  CHECK(rig.host->read() == "b1");
}

TEST_CASE("Encryption: compressed first, and the tape carries what it takes") {
  vtl::MediumOptions with;
  with.compression = vtl::Compression::kLz4;
  Encrypted rig(with);
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  const std::vector<std::byte> text(200'000, std::byte{'v'});
  for (int i = 0; i < 3; ++i) REQUIRE(rig.write_any(text) == "GOOD");
  REQUIRE(rig.host->write(1) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  CHECK(rig.host->medium->partition(0).used_bytes < 110'000);
  rig.rewind();
  CHECK(rig.next_status() == 0x05);
  for (int i = 0; i < 3; ++i) CHECK(rig.read_any() == text);
  CHECK(rig.host->read() == "b1");
}

TEST_CASE("Encryption: damage is a medium error; a forgery is what the tag finds") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  REQUIRE(rig.host->write(0) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  REQUIRE(rig.host->unload() == "GOOD");
  const std::string path = rig.files.find(".seg").at(0);
  rig.flip(path, 4096 + 64 + 5000);
  REQUIRE(rig.host->load_again() == "GOOD");
  CHECK(rig.first() == "3/11/00 info=100000");
  // The same, and the checksums of record and header put right: only the key can tell.
  rig.files.edit(path, [](std::vector<std::byte>& bytes) {
    const scsi::MutableBytes record = scsi::MutableBytes(bytes).subspan(4096);
    const auto segment = vtl::format::decode_segment_header(bytes);
    REQUIRE(segment);
    const std::uint32_t salt =
        vtl::format::record_salt(segment->uuid, segment->partition, segment->seq, segment->epoch);
    auto header = vtl::format::decode_record_header(record, salt);
    REQUIRE(header);
    header->payload_crc = scsi::crc32c(record.subspan(64, header->stored_length));
    vtl::format::encode_record_header(*header, salt, record);
  });
  REQUIRE(rig.host->load_again() == "GOOD");
  CHECK(rig.first() == "7/74/04 info=100000");
  CHECK(rig.host->position() == "0/0");
}

TEST_CASE("Encryption: raw reading, and writing as it is: a copy that needs no key") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed, 1, 0x20) == "GOOD");  // RDMC 2: may be read raw
  REQUIRE(rig.host->write(0) == "GOOD");
  REQUIRE(rig.set(kEncrypt, kMixed, 1, 0x30) == "GOOD");  // RDMC 3: may not
  REQUIRE(rig.host->write(1) == "GOOD");
  REQUIRE(rig.set(kExternal, kRaw) == "GOOD");
  rig.rewind();
  const std::vector<std::byte> raw = rig.read_any();
  CHECK(raw.size() > kBlockBytes);
  CHECK(rig.host->command({0x08, 2, 4, 0, 0, 0}) == "7/74/0A info=262144");
  CHECK(rig.host->position() == "1/0");

  CHECK(rig.write_any(raw) == "GOOD");  // over the second
  CHECK(rig.write_any(std::vector<std::byte>(1000)) == "7/74/0B info=1000");
  CHECK(rig.host->position() == "2/0");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  rig.rewind();
  CHECK(rig.read_any() == raw);
  CHECK(rig.read_any() == raw);
  REQUIRE(rig.set(kOff, kDecrypt) == "GOOD");
  CHECK(rig.host->tape() == "b0 b0 |");
  // CEEM: what was written in one mode is not to be read.
  REQUIRE(rig.set(kOff, kDecrypt, 1, 0x80) == "GOOD");  // CEEM 2: not what was written as it is
  CHECK(rig.first() == "b0");
  CHECK(rig.host->read() == "7/74/09 info=100000");
  REQUIRE(rig.set(kOff, kDecrypt, 1, 0xC0) == "GOOD");  // CEEM 3: not what the drive encrypted
  CHECK(rig.first() == "7/74/09 info=100000");
}

TEST_CASE("Encryption: verify, scrub and recovery need no key; export says who has it") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  for (std::uint64_t i = 0; i < 15; ++i) REQUIRE(rig.host->write(i) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  rig.kill();
  rig.host->load(rig.options);
  CHECK(rig.host->position() == "0/0");
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  for (std::uint64_t i = 0; i < 15; ++i)
    CHECK(scsi::as_text(rig.read_any()) == block_text(i, kBlockBytes));
  CHECK(rig.host->read() == "|");
  REQUIRE(rig.host->unload() == "GOOD");

  const auto report = vtl::verify_cartridge(rig.files, kDir);
  REQUIRE(report);
  CHECK(report->blocks == 15);
  CHECK(report->bytes == 15 * kBlockBytes);
  CHECK(report->damage.empty());
  vtl::CartridgeScrub scrub(rig.files, kDir, vtl::FileSystem::Io::kBuffered, {});
  const std::atomic<bool> stop = false;
  while (scrub.step(1u << 20, stop)) {
  }
  CHECK(scrub.state().report.damage.empty());
  CHECK(scrub.state().report.error.empty());

  auto reader = vtl::CartridgeReader::open(rig.files, kDir);
  REQUIRE(reader);
  const vtl::TapeObject object = (*reader)->next();
  CHECK(object.kind == vtl::TapeObject::Kind::kDamaged);
  CHECK(object.detail.find("under a host's key") != std::string::npos);
}

TEST_CASE("Encryption: a full partition is full at its stored size") {
  Encrypted rig;
  REQUIRE(rig.set(kEncrypt, kMixed) == "GOOD");
  REQUIRE(rig.host->write(0) == "GOOD");
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  // Nonce, key check, tag, and what is sealed with the block.
  CHECK(rig.host->medium->partition(0).used_bytes == kBlockBytes + 60);
}
