// Features that meet on one tape: a drive on a real cartridge, where partitions, encryption,
// logical block protection, compression, append-only mode, WORM and capacity have to leave each
// other alone.
#include "scsi/protection.h"
#include "test/unit/faults/rig.h"

using namespace vtl::test;
using Data = std::vector<std::byte>;

namespace {

struct Tape : Rig {
  explicit Tape(vtl::MediumOptions with = {}) {
    with.random = [n = std::uint8_t{0}](scsi::MutableBytes into) mutable {
      for (std::byte& each : into) each = static_cast<std::byte>(++n);
    };
    options = std::move(with);
    host->load(options);
  }
  static std::uint8_t u8(std::uint64_t value) { return static_cast<std::uint8_t>(value); }
  std::string send(const Cdb& cdb, const Data& list) {
    host->sink.submit(kHost, cdb, 0, list);
    return told(host->finish());
  }
  std::string write(const Data& data) {
    return send({0x0A, 0, u8(data.size() >> 16), u8(data.size() >> 8), u8(data.size()), 0}, data);
  }
  std::string write_fixed(std::uint8_t blocks, const Data& data) {
    return send({0x0A, 1, 0, 0, blocks, 0}, data);
  }
  // READ of a block of unknown length: what came, or what was told.
  Data read(std::uint32_t most = 1u << 20) {
    const Ended end = host->run({0x08, 2, u8(most >> 16), u8(most >> 8), u8(most)}, kHost, most);
    last = told(end);
    return end.data();
  }
  std::string locate(std::uint8_t partition, std::uint8_t object = 0) {
    return host->command({0x92, 2, 0, partition, 0, 0, 0, 0, 0, 0, 0, object, 0, 0, 0, 0});
  }
  std::string select(const Data& page, std::uint32_t block_bytes = 0) {
    Data list = ::test::bytes({0, 0, 0, 0x10, 0, 0, 0, 8, 0, 0, 0, 0, 0, u8(block_bytes >> 16),
                               u8(block_bytes >> 8), u8(block_bytes)});
    list.insert(list.end(), page.begin(), page.end());
    const std::string answer = send({0x55, 0x10, 0, 0, 0, 0, 0, 0, u8(list.size()), 0}, list);
    while (host->test_unit_ready(kOther).starts_with("6/")) {
    }
    return answer;
  }
  std::string protect(int method, int flags, std::uint32_t block_bytes = 0) {
    Data page = ::test::bytes({0x4A, 0xF0, 0, 0x1C, method, method == 0 ? 0 : 4, flags});
    page.resize(32);
    return select(page, block_bytes);
  }
  std::string compress(bool on) {
    Data page = ::test::bytes({0x0F, 0x0E, on ? 0xC0 : 0x40, 0x80, 0, 0, 0, 1, 0, 0, 0, 1});
    page.resize(16);
    return select(page);
  }
  std::string write_mode(int mode) {
    Data page = ::test::bytes({0x50, 1, 0, 0x1C, 0, mode << 4 | 2});
    page.resize(32);
    return select(page);
  }
  std::string key(int write, int read, int control = 0, int value = 1) {
    Data page = ::test::bytes({0, 0x10, 0, 48, 0x40, control, write, read, 1, 0, 0});
    page.resize(19);
    page.push_back(std::byte{32});
    page.resize(52, static_cast<std::byte>(value));
    const std::string answer = send({0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52, 0, 0}, page);
    while (host->test_unit_ready(kOther).starts_with("6/")) {
    }
    return answer;
  }
  // Two partitions: 200 MB, and the rest.
  void partition() {
    const Data page = ::test::bytes({0x11, 10, 3, 1, 0x34, 3, 9, 0, 0, 200, 0xFF, 0xFF});
    REQUIRE(select(page) == "GOOD");
    REQUIRE(host->command({0x04, 0, 1}) == "GOOD");
  }
  std::uint64_t number(const Data& data, std::size_t at, std::size_t width) {
    scsi::ByteReader r(scsi::Bytes(data).subspan(at));
    std::uint64_t value = 0;
    while (width-- != 0) value = value << 8 | r.u8();
    return value;
  }
  std::uint64_t log_number(int page, std::uint16_t code) {
    const Data all = host->run({0x4D, 0, u8(0x40u | static_cast<unsigned>(page)), 0, 0,
                                u8(code >> 8), u8(code), 0x10, 0},
                               kHost, 4096)
                         .data();
    return number(all, 8, number(all, 7, 1));
  }
  unsigned position_flags() {
    return static_cast<unsigned>(number(host->run({0x34, 6}, kHost, 32).data(), 0, 1));
  }

  vtl::MediumOptions options;
  std::string last;
};

Data text(std::size_t size, int seed) {
  const std::string made = block_text(static_cast<std::uint64_t>(seed), size);
  const scsi::Bytes bytes = scsi::as_bytes(made);
  return {bytes.begin(), bytes.end()};
}
Data with_protection(scsi::Protection method, Data block) {
  const auto four = scsi::encode_protection(method, scsi::protection_value(method, block));
  block.insert(block.end(), four.begin(), four.end());
  return block;
}

}  // namespace

TEST_CASE(
    "Crossing: a key and two partitions - each keeps its own blocks, the key is the drive's") {
  Tape tape;
  tape.partition();
  const Data plain = text(5000, 1), secret = text(5000, 2);
  REQUIRE(tape.write(plain) == "GOOD");
  REQUIRE(tape.key(2, 3, 0x04) == "GOOD");  // CKOD
  REQUIRE(tape.locate(1) == "GOOD");
  REQUIRE(tape.write(secret) == "GOOD");
  REQUIRE(tape.host->filemarks(1) == "GOOD");
  REQUIRE(tape.locate(0) == "GOOD");
  CHECK(tape.read() == plain);
  REQUIRE(tape.write(secret) == "GOOD");
  REQUIRE(tape.locate(1) == "GOOD");
  CHECK(tape.read() == secret);

  REQUIRE(tape.host->unload() == "GOOD");
  CHECK(tape.host->test_unit_ready() == "6/2A/12");
  REQUIRE(tape.host->load_again() == "GOOD");
  CHECK(tape.read() == plain);
  CHECK(tape.read().empty());
  CHECK(tape.last == "7/74/01 info=1048576");
  REQUIRE(tape.locate(1) == "GOOD");
  tape.read();
  CHECK(tape.last == "7/74/01 info=1048576");
  CHECK(tape.host->position() == "0/0");
  REQUIRE(tape.key(0, 3) == "GOOD");
  CHECK(tape.read() == secret);
  // A FORMAT keeps the key, and makes it useless.
  REQUIRE(tape.locate(0) == "GOOD");
  REQUIRE(tape.host->command({0x04, 0, 0}) == "GOOD");
  tape.read();
  CHECK(tape.last == "8/00/05 info=1048576");
  CHECK(tape.locate(1) == "5/24/00");
}

TEST_CASE("Crossing: protection, fixed blocks, compression and a key on one tape, read all ways") {
  using enum scsi::Protection;
  vtl::MediumOptions with;
  with.compression = vtl::Compression::kLz4;
  Tape tape(with);
  Data first = Data(2000, std::byte{'a'}), second = text(2000, 3);
  REQUIRE(tape.protect(2, 0xC0, 2004) == "GOOD");
  Data run = with_protection(kCrc32c, first), more = with_protection(kCrc32c, second);
  run.insert(run.end(), more.begin(), more.end());
  REQUIRE(tape.write_fixed(2, run) == "GOOD");  // compressed
  REQUIRE(tape.host->filemarks(1) == "GOOD");
  // (The descriptor of a MODE SELECT sets the block length as well: 0.)
  REQUIRE(tape.compress(false) == "GOOD");
  REQUIRE(tape.key(2, 3) == "GOOD");
  REQUIRE(tape.write(with_protection(kCrc32c, first)) == "GOOD");
  REQUIRE(tape.compress(true) == "GOOD");
  REQUIRE(tape.protect(1, 0xC0) == "GOOD");
  REQUIRE(tape.write(with_protection(kReedSolomon, first)) == "GOOD");
  Data wrong = with_protection(kReedSolomon, second);
  wrong[0] ^= std::byte{1};
  CHECK(tape.write(wrong) == "4/10/01 info=2004");
  CHECK(tape.host->position() == "5/1");

  for (const int method : {0, 1, 2}) {
    INFO("method " << method);
    REQUIRE(tape.protect(method, method == 0 ? 0 : 0x40) == "GOOD");
    const auto expected = [&](const Data& block) {
      return method == 0 ? block : with_protection(static_cast<scsi::Protection>(method), block);
    };
    REQUIRE(tape.locate(0) == "GOOD");
    CHECK(tape.read() == expected(first));
    CHECK(tape.read() == expected(second));
    CHECK(tape.read().empty());
    CHECK(tape.last == "0/00/01 FM info=1048576");
    CHECK(tape.read() == expected(first));
    CHECK(tape.read() == expected(first));
    tape.read();
    CHECK(tape.last == "8/00/05 info=1048576");
  }
  // VERIFY to the end needs no protection, but the key.
  REQUIRE(tape.locate(0) == "GOOD");
  CHECK(tape.host->command({0x13, 0x20}) == "GOOD");
  REQUIRE(tape.key(0, 0) == "GOOD");
  REQUIRE(tape.locate(0) == "GOOD");
  CHECK(tape.host->command({0x13, 0x20}) == "7/74/01");
  CHECK(tape.host->position() == "3/1");
}

TEST_CASE("Crossing: SET CAPACITY, then to early warning and the end, with a key that takes room") {
  Tape tape;
  const std::uint64_t full = tape.log_number(0x31, 3);
  REQUIRE(tape.host->command({0x0B, 0, 0, 0, 0}) == "GOOD");  // the least: 128 MiB
  CHECK(tape.log_number(0x31, 3) == 112);
  CHECK(tape.log_number(0x31, 1) == 112);
  const Data pews = [] {
    Data page = ::test::bytes({0x50, 1, 0, 0x1C, 0, 0x02, 0, 30});  // 30 MB
    page.resize(32);
    return page;
  }();
  REQUIRE(tape.select(pews) == "GOOD");
  REQUIRE(tape.key(2, 3) == "GOOD");
  const Data block = text(8u << 20, 4);
  std::string answers;
  std::vector<unsigned> flags;
  for (int i = 0; i < 16; ++i) {
    const std::string answer = tape.write(block);
    answers += answer == "GOOD"                       ? '.'
               : answer == "0/00/07 EOM"              ? 'p'
               : answer == "0/00/02 EOM info=0"       ? 'e'
               : answer == "D/00/02 EOM info=8388608" ? 'f'
                                                      : '?';
    flags.push_back(tape.position_flags());
  }
  // 128 MiB hold 15 sealed blocks of 8 MiB, not 16; early warning is at 112 MiB, programmable early
  // warning 30 MB (28.6 MiB) before that.
  CHECK(answers == "..........pppeef");
  for (std::size_t i = 0; i < answers.size(); ++i) {
    INFO(i);
    CHECK((flags[i] & 0x41) == (answers[i] == '.' ? 0u : answers[i] == 'p' ? 0x01u : 0x41u));
  }
  CHECK(tape.host->filemarks(2) == "0/00/02 EOM info=0");
  CHECK(tape.host->filemarks(0) == "GOOD");
  CHECK(tape.log_number(0x31, 1) == 0);
  CHECK(tape.log_number(0x17, 0x0017) == tape.log_number(0x17, 0x0016));
  CHECK((tape.position_flags() & 0x40) != 0);
  REQUIRE(tape.host->command({0x01}) == "GOOD");
  CHECK(tape.position_flags() == 0x80);
  CHECK(tape.read(8u << 20) == block);
  // Written over from the beginning there is room again.
  REQUIRE(tape.host->command({0x01}) == "GOOD");
  CHECK(tape.write(block) == "GOOD");
  CHECK(tape.log_number(0x31, 1) == 103);
  REQUIRE(tape.host->command({0x01}) == "GOOD");
  REQUIRE(tape.host->command({0x0B, 0, 0, 0xFF, 0xFF}) == "GOOD");
  CHECK(tape.log_number(0x31, 3) == full);
}

TEST_CASE("Crossing: append-only mode with partitions, filemarks of no number, ERASE and LOCATE") {
  Tape tape;
  tape.partition();
  REQUIRE(tape.write_mode(1) == "GOOD");
  REQUIRE(tape.write(text(3000, 1)) == "GOOD");
  REQUIRE(tape.host->filemarks(1) == "GOOD");
  REQUIRE(tape.locate(1) == "GOOD");
  REQUIRE(tape.write(text(3000, 2)) == "GOOD");  // a blank partition's beginning is its end
  CHECK(tape.write_mode(0) == "5/3B/0C");
  REQUIRE(tape.locate(0) == "GOOD");
  CHECK(tape.host->filemarks(0) == "GOOD");
  CHECK(tape.host->filemarks(1) == "7/50/01");
  CHECK(tape.host->erase() == "7/50/01");
  CHECK(tape.host->command({0x04, 0, 0}) == "7/50/01");
  const auto allow = [&](int what, int partition, int object) {
    return tape.host->command({0x82, 0, Tape::u8(static_cast<unsigned>(what)),
                               Tape::u8(static_cast<unsigned>(partition)), 0, 0, 0, 0, 0, 0, 0,
                               Tape::u8(static_cast<unsigned>(object))});
  };
  CHECK(allow(1, 1, 0) == "5/3B/00");
  REQUIRE(allow(1, 0, 0) == "GOOD");
  CHECK(tape.host->filemarks(0) == "GOOD");  // writes nothing: it is still allowed
  CHECK(tape.write(text(100, 3)) == "GOOD");
  REQUIRE(tape.locate(1) == "GOOD");
  CHECK(tape.read() == text(3000, 2));  // the other partition is as it was
  REQUIRE(tape.host->unload() == "GOOD");
  REQUIRE(tape.host->load_again() == "GOOD");
  CHECK(tape.write(text(100, 4)) == "GOOD");  // the mode ended with the load
}

TEST_CASE("Crossing: WORM - what may be written where, and what never") {
  MemoryFiles files(1);
  SlowExecutor executor;
  REQUIRE(vtl::create_pool(files, kPool, {test_uuid(9), 1}).ok());
  vtl::CartridgeSpec spec = test_spec();
  spec.worm = true;
  REQUIRE(vtl::create_cartridge(files, kPool, spec).ok());
  Drive host(files, executor);
  host.load();
  CHECK(host.write(0) == "GOOD");
  CHECK(host.filemarks(2) == "GOOD");
  for (const Cdb& cdb : {Cdb{0x04}, Cdb{0x04, 0, 1}, Cdb{0x0B, 0, 0, 0xFF, 0xFF}})
    CHECK(host.command(cdb) == "5/3B/0C");
  CHECK(host.erase() == "7/30/0C");
  CHECK(host.locate(2) == "GOOD");  // between the filemarks that end the data
  CHECK(host.write(1) == "GOOD");
  CHECK(host.filemarks(2) == "GOOD");
  CHECK(host.tape() == "b0 | b1 | |");
  for (std::uint8_t object = 0; object < 4; ++object) {
    INFO(int(object));
    REQUIRE(host.locate(object) == "GOOD");
    CHECK(host.write(9) == "7/30/0C");
    CHECK(host.filemarks(1) == "7/30/0C");
    CHECK(host.filemarks(0) == "GOOD");
    CHECK(host.erase() == "7/30/0C");
  }
  REQUIRE(host.command({0x01}) == "GOOD");
  for (const Cdb& cdb : {Cdb{0x04}, Cdb{0x04, 0, 1}, Cdb{0x0B, 0, 0, 0xFF, 0xFF}})
    CHECK(host.command(cdb) == "7/30/0C");
  CHECK(host.tape_alerts() == std::vector<unsigned>{0x3C});
  CHECK(host.tape() == "b0 | b1 | |");
  CHECK(host.write(2) == "GOOD");
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape() == "b0 | b1 | | b2");
}
