// The faults that concern the store: what is damaged, and what still works.
#include <catch2/catch.hpp>

#include "test/unit/cartridge/player.h"
#include "vtl/cartridge/format.h"

using namespace vtl;
using namespace vtl::test;
using Kind = MediumFault::Kind;
using Stop = ReadOutcome::Stop;
using SpaceStop = SpaceOutcome::Stop;

namespace {

constexpr std::size_t kBlocks = 30;
std::string nth(std::size_t i) { return block_text(i, 100'000); }

// Blocks 0..29 of 100,000 bytes and a filemark behind every tenth: three objects numbers are
// filemarks.
void write_tape(TapeFixture& f) {
  REQUIRE_FALSE(f.tape.load());
  for (std::size_t i = 0; i < kBlocks; ++i) {
    REQUIRE_FALSE(f.tape.write(nth(i)).fault);
    if (i % 10 == 9) REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
}

// Reads everything; the objects that could not be read, with the kind of their fault.
std::vector<std::pair<std::uint64_t, Kind>> read_all(TapeFixture& f) {
  std::vector<std::pair<std::uint64_t, Kind>> bad;
  REQUIRE(f.tape.locate(0).stop == SpaceStop::kNone);
  for (std::uint64_t object = 0; object < kBlocks + 3; ++object) {
    REQUIRE(f.tape.position().object == object);
    const ReadOutcome out = f.tape.read();
    if (out.fault) {
      bad.emplace_back(object, out.fault->kind);
    } else if (object % 11 == 10) {
      CHECK(out.stop == Stop::kFilemark);
    } else {
      CHECK(text_of(out.data) == nth(object - object / 11));
    }
  }
  CHECK(f.tape.read().stop == Stop::kEndOfData);
  return bad;
}

void flip(MemoryFiles& files, const std::string& path, std::size_t at) {
  files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] ^= std::byte{0x10}; });
}

// The segment file that holds a block, and where the block's bytes begin in it.
std::pair<std::string, std::size_t> find_block(MemoryFiles& files, std::size_t block) {
  const std::string start = nth(block).substr(0, 64);
  for (const std::string& path : files.find(".seg")) {
    std::size_t at = std::string::npos;
    files.edit(path, [&](std::vector<std::byte>& bytes) { at = scsi::as_text(bytes).find(start); });
    if (at != std::string::npos) return {path, at};
  }
  FAIL("block " << block << " is nowhere");
  return {};
}

using Bad = std::vector<std::pair<std::uint64_t, Kind>>;

}  // namespace

TEST_CASE("F4: a write that fails is told once, with what was lost; what is written can be read") {
  MediumOptions options;
  options.queue_bytes = 1u << 20;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 5; ++i) REQUIRE_FALSE(f.tape.write(nth(i)).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.files.broken = "pwrite";
  f.files.broken_path = "/p0.";
  std::uint64_t accepted = 6;
  std::optional<MediumFault> fault;
  for (int i = 0; i < 100 && !fault; ++i) {
    const WriteOutcome out = f.tape.write(nth(i));
    accepted += out.accepted;
    fault = out.fault;
    f.executor.run();
    if (!fault) fault = f.tape.medium->take_deferred_fault();
  }
  REQUIRE(fault);
  CHECK(fault->kind == Kind::kWriteError);
  CHECK(f.tape.medium->partition(0).end_of_data == 6);
  CHECK(fault->objects_lost == accepted - 6);
  CHECK(f.tape.position() == Position{0, 6, 1});
  CHECK_FALSE(f.tape.medium->take_deferred_fault());
  f.files.broken.clear();

  CHECK(f.tape.medium->append_failed());
  CHECK(f.tape.write("more").fault->kind == Kind::kWriteError);
  CHECK(f.tape.write("more").accepted == 0);
  CHECK(f.tape.filemarks(1).fault);
  CHECK(f.tape.erase().fault);
  CHECK_FALSE(f.tape.flush(WriteMode::kDurable).fault);
  CHECK(f.tape.locate(4).stop == SpaceStop::kNone);
  CHECK(text_of(f.tape.read().data) == nth(4));
  CHECK(f.tape.read().stop == Stop::kFilemark);
  CHECK(f.tape.read().stop == Stop::kEndOfData);

  // I9: only a load makes it a tape again.
  CHECK_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  CHECK_FALSE(f.tape.medium->append_failed());
  CHECK(f.tape.medium->partition(0).end_of_data == 6);
  f.tape.locate_end();
  CHECK_FALSE(f.tape.write("more", WriteMode::kDurable).fault);
}

TEST_CASE("F5: a sync that fails once is final, though the next would succeed") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("durable").fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  REQUIRE_FALSE(f.tape.write("lost").fault);
  f.files.broken = "fdatasync";
  f.files.broken_path = "/p0.";
  const WriteOutcome out = f.tape.filemarks(1);
  REQUIRE(out.fault);
  CHECK(out.fault->objects_lost == 2);
  f.files.broken.clear();
  CHECK_FALSE(f.tape.medium->take_deferred_fault());
  CHECK(f.tape.filemarks(1).fault);
  CHECK(f.tape.filemarks(0).fault);
  CHECK(f.tape.medium->partition(0).end_of_data == 2);
  f.tape.locate(0);
  CHECK(text_of(f.tape.read().data) == "durable");
  CHECK(f.tape.read().stop == Stop::kFilemark);
  CHECK(f.tape.read().stop == Stop::kEndOfData);
}

TEST_CASE("F5: what a failed sync has left in memory only is durable after the next barrier") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    TapeFixture f(seed);
    REQUIRE_FALSE(f.tape.load());
    for (std::size_t i = 0; i < 4; ++i) REQUIRE_FALSE(f.tape.write(nth(i)).fault);
    f.files.broken = "fdatasync";
    f.files.broken_path = seed % 2 == 0 ? "" : "/p0.";  // the label does not get to know either
    REQUIRE(f.tape.filemarks(1).fault);
    f.files.broken.clear();
    (void)f.tape.unload();
    REQUIRE_FALSE(f.tape.load());
    // However much of it can still be read:
    const std::uint64_t found = f.tape.medium->partition(0).end_of_data;
    f.tape.locate_end();
    REQUIRE_FALSE(f.tape.write(nth(9)).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    f.tape.vanish();
    f.files.crash(0.0);
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.tape.medium->partition(0).end_of_data == found + 2);
    for (std::size_t i = 0; i < std::min<std::size_t>(found, 4); ++i)
      CHECK(text_of(f.tape.read().data) == nth(i));
  }
}

TEST_CASE(
    "F6: a full file system refuses at admission; what was accepted lands, and filemarks still "
    "fit") {
  CartridgeSpec spec = test_spec();
  MediumOptions options;
  options.hard_water_bytes = 1u << 20;
  TapeFixture f(1, spec, options);
  f.files.total_bytes = f.files.used_bytes() + (40u << 20);
  REQUIRE_FALSE(f.tape.load());
  std::size_t written = 0;
  bool warned = false;
  while (true) {
    const WriteOutcome out = f.tape.write(nth(written));
    REQUIRE_FALSE(out.fault);
    if (out.full) {
      CHECK(out.accepted == 0);
      break;
    }
    warned = warned || out.zone == Zone::kEarlyWarning;
    ++written;
    REQUIRE(written < 1000);
  }
  CHECK(written > 100);
  CHECK(warned);
  for (int i = 0; i < 50; ++i) REQUIRE_FALSE(f.tape.filemarks(1).fault);
  CHECK_FALSE(f.tape.medium->append_failed());
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == written + 50);
  for (std::size_t i = 0; i < written; ++i) REQUIRE(text_of(f.tape.read().data) == nth(i));
  // Space comes back, and so does the tape.
  f.files.total_bytes = 1ull << 40;
  f.tape.locate_end();
  CHECK(f.tape.write(nth(1)).accepted == 1);
}

TEST_CASE("F6: a tape that could be cut, but for want of space not be written, reads as cut") {
  MediumOptions options;
  options.hard_water_bytes = 1u << 20;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  for (std::size_t i = 0; i < 8; ++i) REQUIRE_FALSE(f.tape.write(nth(i)).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  f.files.total_bytes = f.files.used_bytes() + (2u << 20);
  REQUIRE_FALSE(f.tape.load());
  const WriteOutcome out = f.tape.write(nth(9));
  CHECK(out.full);
  CHECK(out.accepted == 0);
  CHECK(f.tape.medium->partition(0).end_of_data == 0);
  CHECK(f.tape.read().stop == ReadOutcome::Stop::kEndOfData);
  CHECK_FALSE(f.tape.medium->append_failed());
}

TEST_CASE("F8: a flipped bit in a block costs that block only") {
  TapeFixture f;
  write_tape(f);
  const bool sealed = GENERATE(true, false);
  if (sealed) REQUIRE_FALSE(f.tape.unload().fault);
  const auto [path, at] = find_block(f.files, sealed ? 12 : 2);
  flip(f.files, path, at + 5000);
  if (sealed) REQUIRE_FALSE(f.tape.load());
  CHECK(read_all(f) == Bad{{sealed ? 13u : 2u, Kind::kReadError}});
}

TEST_CASE("F9: header, index and trailer of a sealed segment") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  const auto [path, at] = find_block(f.files, 12);
  std::size_t size = 0;
  f.files.edit(path, [&](auto& bytes) { size = bytes.size(); });
  SECTION("a record's header: only that block") {
    flip(f.files, path, at - 64 + 20);
    REQUIRE_FALSE(f.tape.load());
    CHECK(read_all(f) == Bad{{13, Kind::kReadError}});
    // Also when it is the first thing that is read.
    f.tape.locate(13);
    CHECK(f.tape.read().fault);
    CHECK(text_of(f.tape.read().data) == nth(13));
  }
  SECTION("the index: rebuilt from the records") {
    flip(f.files, path, size - 8192 + 10);
    REQUIRE_FALSE(f.tape.load());
    f.tape.locate(13);
    CHECK(text_of(f.tape.read().data) == nth(12));
    CHECK(read_all(f).empty());
  }
  SECTION("the trailer: rebuilt, and written again") {
    flip(f.files, path, size - 4096 + 100);
    for (const std::string& table : f.files.find("SEGTAB")) f.files.unlink(table);
    REQUIRE_FALSE(f.tape.load());
    CHECK_FALSE(f.tape.alerts.empty());
    CHECK(read_all(f).empty());
    REQUIRE_FALSE(f.tape.unload().fault);
    f.tape.alerts.clear();
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.tape.alerts.empty());
    CHECK(read_all(f).empty());
  }
  SECTION("the segment's own header: its trailer says the same") {
    flip(f.files, path, 30);
    for (const std::string& table : f.files.find("SEGTAB")) f.files.unlink(table);
    REQUIRE_FALSE(f.tape.load());
    CHECK(read_all(f).empty());
  }
}

TEST_CASE("F10: damage inside the open segment does not lose what was synced after it") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (std::size_t i = 0; i < 5; ++i) {
    REQUIRE_FALSE(f.tape.write(nth(i)).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
  f.tape.vanish();
  f.files.kill();
  const std::size_t block = GENERATE(0u, 2u);
  const bool header = GENERATE(true, false);
  const auto [path, at] = find_block(f.files, block);
  const std::size_t sector = (header ? at - 64 : at + 20'000) / 512 * 512;
  f.files.edit(path, [&, start = sector](auto& bytes) {
    std::fill_n(bytes.begin() + static_cast<long>(start), 512, std::byte{});
  });
  REQUIRE_FALSE(f.tape.load());
  CHECK_FALSE(f.tape.alerts.empty());
  CHECK(f.tape.medium->partition(0).end_of_data == 10);
  CHECK(f.tape.medium->partition(0).filemarks == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    f.tape.locate_file(i);
    const ReadOutcome out = f.tape.read();
    if (i == block) {
      REQUIRE(out.fault);
      CHECK(out.fault->kind == Kind::kReadError);
    } else {
      CHECK(text_of(out.data) == nth(i));
    }
    // A whole sector of zeros in front of a filemark's record may cost the filemark's place, never
    // its number.
    CHECK(f.tape.position().object == 2 * i + 1);
  }
  // Appending goes on behind it, and a sealed index remembers what is lost.
  f.tape.locate_end();
  REQUIRE_FALSE(f.tape.write("after").fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  f.tape.locate(2 * block);
  CHECK(f.tape.read().fault->kind == Kind::kReadError);
  f.tape.locate(10);
  CHECK(text_of(f.tape.read().data) == "after");
}

TEST_CASE("F11: a missing segment is an extent that cannot be read") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  const bool table = GENERATE(true, false);
  std::vector<std::string> segments = f.files.find(".seg");
  REQUIRE(segments.size() >= 3);
  if (!table)
    for (const std::string& t : f.files.find("SEGTAB")) f.files.unlink(t);
  const std::size_t which = GENERATE(0u, 1u, 2u);
  const std::string gone = which == 2 ? segments.back() : segments[which];
  f.files.unlink(gone);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == kBlocks + 3);
  const Bad bad = read_all(f);
  REQUIRE_FALSE(bad.empty());
  CHECK(bad.size() < kBlocks);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    CHECK(bad[i].second == Kind::kObjectMissing);
    CHECK(bad[i].first == bad[0].first + i);
  }
  CHECK(f.tape.position().filemarks == 3);
  // Locating behind it works; spacing over it with filemarks inside stops in front of it.
  if (which != 2) {
    CHECK(f.tape.locate(kBlocks + 2).stop == SpaceStop::kNone);
    CHECK(f.tape.read().stop == Stop::kFilemark);
  }
  f.tape.locate_end();
  REQUIRE_FALSE(f.tape.write("after").fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.vanish();
  f.files.kill();
  REQUIRE_FALSE(f.tape.load());
  f.tape.locate(kBlocks + 3);
  CHECK(text_of(f.tape.read().data) == "after");
}

TEST_CASE("F12: with both copies of the label gone, the tape can still be read") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  f.tape.medium.reset();
  const bool missing = GENERATE(true, false);
  if (missing) {
    f.files.unlink(kDir + "/CART");
  } else {
    flip(f.files, kDir + "/CART", 100);
    flip(f.files, kDir + "/CART", 4096 + 100);
  }
  const auto summary = read_summary(f.files, kDir);
  REQUIRE(summary);
  CHECK(summary->label_damaged);
  CHECK(summary->info.barcode == "VTL001L8");
  CHECK(summary->info.write_protected);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().write_protected);
  CHECK_FALSE(f.tape.alerts.empty());
  CHECK(read_all(f).empty());
  f.tape.locate(0);
  CHECK(f.tape.write("no").fault);
  CHECK_FALSE(f.tape.unload().fault);
}

TEST_CASE("F12: with one copy of the label gone, the other serves") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  flip(f.files, kDir + "/CART", GENERATE(100u, 4196u));
  const auto loaded = f.tape.load();
  REQUIRE_FALSE(loaded);
  CHECK(read_all(f).empty());
}

TEST_CASE("F13: a table of segments that is missing, stale or damaged is ignored") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  const std::string table = f.files.find("SEGTAB").at(0);
  SECTION("missing") { f.files.unlink(table); }
  SECTION("damaged") { flip(f.files, table, 50); }
  SECTION("cut short") {
    f.files.edit(table, [](auto& bytes) { bytes.resize(40); });
  }
  SECTION("stale") {
    std::vector<std::byte> old;
    f.files.edit(table, [&](auto& bytes) { old = bytes; });
    REQUIRE_FALSE(f.tape.load());
    f.tape.locate_end();
    REQUIRE_FALSE(f.tape.write("x").fault);
    f.tape.locate(33);
    REQUIRE_FALSE(f.tape.erase().fault);
    REQUIRE_FALSE(f.tape.unload().fault);
    f.files.edit(table, [&](auto& bytes) { bytes = old; });
  }
  f.tape.alerts.clear();
  REQUIRE_FALSE(f.tape.load());
  CHECK_FALSE(f.tape.alerts.empty());
  CHECK(read_all(f).empty());
}

TEST_CASE("F14: a segment of another tape is set aside") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  CartridgeSpec other = test_spec();
  other.barcode = "VTL002L8";
  other.uuid = test_uuid(2);
  REQUIRE(create_cartridge(f.files, kPool, other));
  {
    auto writer = CartridgeWriter::open(f.files, cartridge_directory(kPool, "VTL002L8"),
                                        CartridgeWriter::At::kBeginning);
    REQUIRE(writer);
    REQUIRE((*writer)->write_block(scsi::as_bytes("foreign")));
    REQUIRE((*writer)->finish());
  }
  const std::string theirs = f.files.find("VTL002L8/p0.1/0000000000").at(0);
  const std::string last = f.files.find("VTL001L8/p0.1/").back();
  f.files.copy(theirs, kDir + "/p0.1/0000000000-000000ff.seg");
  f.files.copy(theirs, kDir + "/p0.1/0000000050-000000ff.seg");
  for (const std::string& table : f.files.find("SEGTAB")) f.files.unlink(table);
  REQUIRE_FALSE(f.tape.load());
  CHECK(read_all(f).empty());
  CHECK(f.files.find("quarantine/p0.1-").size() == 2);
}

TEST_CASE("F15: a cartridge is open once") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  TapeDriver second(f.files, f.executor);
  const auto fault = second.load();
  REQUIRE(fault);
  CHECK(fault->kind == Kind::kInUse);
  CHECK(CartridgeReader::open(f.files, kDir).error().code == EAGAIN);
  CHECK(set_write_protect(f.files, kDir, true).error().code == EAGAIN);
  CHECK(delete_cartridge(f.files, kPool, "VTL001L8").error().code == EAGAIN);
  CHECK(check_idle(f.files, kDir).error().code == EAGAIN);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(check_idle(f.files, kDir));
  CHECK_FALSE(second.load());
}

TEST_CASE("F17: what a newer version has written") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  f.tape.medium.reset();
  const auto change = [&](auto&& edit) {
    for (const std::size_t slot : {0u, 4096u})
      f.files.edit(kDir + "/CART", [&](auto& bytes) {
        const scsi::MutableBytes block = scsi::MutableBytes(bytes).subspan(slot, 4096);
        auto cart = format::decode_cart(block);
        if (!cart) return;
        edit(*cart);
        format::encode_cart(*cart, block);
      });
  };
  SECTION("a feature that it cannot do without") {
    change([](format::Cart& cart) { cart.feat_incompat = 4; });
    CHECK(read_summary(f.files, kDir).error().code == EPROTONOSUPPORT);
    CHECK(CartridgeReader::open(f.files, kDir).error().code == EPROTONOSUPPORT);
  }
  SECTION("a major version") {
    change([](format::Cart& cart) { cart.major = 2; });
    CHECK(read_summary(f.files, kDir).error().code == EPROTONOSUPPORT);
  }
  SECTION("a feature that forbids writing only") {
    change([](format::Cart& cart) { cart.feat_ro_compat = 4; });
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.tape.medium->info().write_protected);
    CHECK(read_all(f).empty());
  }
}

TEST_CASE("A file that cannot be read in one place") {
  TapeFixture f;
  write_tape(f);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  f.tape.locate(3);
  f.files.broken = "pread";
  f.files.broken_path = ".seg";
  CHECK(f.tape.read().fault->kind == Kind::kReadError);
  CHECK(f.tape.position().object == 4);
  f.files.broken.clear();
  CHECK(text_of(f.tape.read().data) == nth(4));
  CHECK(read_all(f).empty());
}

TEST_CASE("WORM: only filemarks at the end give way") {
  CartridgeSpec spec = test_spec();
  spec.worm = true;
  TapeFixture f(1, spec);
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("kept").fault);
  REQUIRE_FALSE(f.tape.filemarks(2).fault);
  f.tape.locate(2);
  CHECK_FALSE(f.tape.write("between the marks").fault);
  f.tape.locate(1);
  CHECK(f.tape.write("over a block").fault);
  f.tape.locate(0);
  CHECK(f.tape.write("over everything").fault);
  CHECK(f.tape.erase().fault);
  f.tape.locate(0);
  CHECK(text_of(f.tape.read().data) == "kept");
  CHECK(f.tape.medium->partition(0).end_of_data == 3);
}
