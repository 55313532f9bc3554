// What a load may and must do to a cartridge that was not unloaded in order, or was changed behind
// our back: nothing that survived is lost, nothing of use is thrown away.
#include <catch2/catch.hpp>

#include "test/unit/cartridge/player.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/superblock.h"

using namespace vtl;
using namespace vtl::test;
using Kind = MediumFault::Kind;
using Stop = ReadOutcome::Stop;

namespace {

std::string nth(std::size_t i) { return block_text(i, 100'000); }

void write_blocks(TapeFixture& f, std::size_t from, std::size_t to) {
  for (std::size_t i = from; i < to; ++i) REQUIRE_FALSE(f.tape.write(nth(i)).fault);
}
void expect_blocks(TapeFixture& f, std::size_t from, std::size_t to) {
  REQUIRE_FALSE(f.tape.locate(from).fault);
  for (std::size_t i = from; i < to; ++i) {
    INFO("block " << i);
    CHECK(text_of(f.tape.read().data) == nth(i));
  }
}
void kill(TapeFixture& f) {
  f.tape.vanish();
  f.files.kill();
}
void flip(MemoryFiles& files, const std::string& path, std::size_t at) {
  files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] ^= std::byte{0x10}; });
}
// The newest copy of the label goes.
void lose_newest_label(MemoryFiles& files) {
  const auto cart = read_cart(files, kDir);
  REQUIRE(cart);
  flip(files, kDir + "/CART", (cart->gen & 1) * format::kBlock + 100);
}
// The label as it was, in both copies, comes back.
std::vector<std::byte> label(MemoryFiles& files) {
  std::vector<std::byte> both;
  files.edit(kDir + "/CART", [&](const std::vector<std::byte>& bytes) { both = bytes; });
  return both;
}
void put_back(MemoryFiles& files, const std::vector<std::byte>& older) {
  files.edit(kDir + "/CART", [&](std::vector<std::byte>& bytes) { bytes = older; });
}

}  // namespace

TEST_CASE("What a killed process had written is durable before anything is built upon it") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  const std::size_t blocks = GENERATE(3u, 10u, 25u);  // an open segment, a full one, several
  write_blocks(f, 0, blocks);
  REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);
  kill(f);
  REQUIRE_FALSE(f.tape.load());
  REQUIRE(f.tape.medium->partition(0).end_of_data == blocks);
  const bool appends = GENERATE(true, false);
  if (appends) {
    f.tape.locate_end();
    REQUIRE_FALSE(f.tape.write("more").fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
  f.tape.vanish();
  f.files.crash(0.0);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == blocks + (appends ? 2 : 0));
  expect_blocks(f, 0, blocks);
  if (appends) CHECK(text_of(f.tape.read().data) == "more");
}

TEST_CASE("The two copies of a label, or of attributes, are never in doubt at the same time") {
  const auto value = [](const std::string& text) {
    Attribute attribute;
    attribute.id = 0x0800;
    for (std::size_t i = 0; i < 2000; ++i)  // several sectors
      attribute.value.push_back(static_cast<std::byte>(text[i % text.size()]));
    return std::vector{attribute};
  };
  const bool label = GENERATE(true, false);
  const auto change = [&](TapeFixture& f, const std::string& text) {
    if (!label) return (void)f.tape.attributes(value(text));
    f.tape.locate(0);
    f.tape.write(text);
  };
  // The process is killed at some operation, or its sync fails, so that one copy is written and not
  // durable, and the power goes at some operation of the next process, which writes the other.
  const bool sync_fails = GENERATE(false, true);
  for (std::uint32_t killed = 0; killed < 6; ++killed) {
    for (std::uint32_t cut = 0; cut < 40; ++cut) {
      INFO("killed at " << killed << ", cut at " << cut);
      TapeFixture f(40 * killed + cut + 1);
      REQUIRE_FALSE(f.tape.load());
      write_blocks(f, 0, 3);
      REQUIRE_FALSE(f.tape.filemarks(1).fault);
      REQUIRE_FALSE(f.tape.attributes(value("first")).fault);
      if (sync_fails) {
        f.files.broken = "fdatasync";
        f.files.broken_path = label ? "/CART" : "/MAM";
      } else {
        f.files.fail_at(killed, MemoryFiles::Failure::kPowerCut);
      }
      change(f, "second");
      f.files.broken.clear();
      kill(f);
      f.files.fail_at(cut, MemoryFiles::Failure::kPowerCut);
      if (!f.tape.load()) change(f, "third");
      f.tape.vanish();
      f.files.crash(0.5);
      REQUIRE_FALSE(f.tape.load());
      CHECK_FALSE(f.tape.medium->info().write_protected);
      CHECK(f.tape.medium->host_attributes(0).size() == 1);
    }
  }
}

// F5: the system's memory may show a label whose sync has failed, and call it written. The next
// load reads it, and power goes while that builds upon it.
TEST_CASE("A label that a failed sync has left in memory only is durable before it is built upon") {
  for (std::uint32_t cut = 0; cut < 100; ++cut) {
    INFO("world " << cut);
    TapeFixture f(cut + 1);
    Player p(f.tape);
    p.load();
    for (std::size_t i = 0; i < 15; ++i) p.write(100'000);
    p.filemarks(1, WriteMode::kDurable);
    p.unload();
    p.load();
    p.locate(cut % 2 == 0 ? 0 : 4);
    f.files.broken = "fdatasync";
    f.files.broken_path = "/CART";
    p.write(1000);
    REQUIRE(p.stopped);
    f.files.broken.clear();
    f.tape.unload();
    f.files.fail_at(cut / 2 % 25, MemoryFiles::Failure::kPowerCut);
    (void)f.tape.load();
    f.tape.vanish();
    f.files.crash(cut % 3 * 0.5);
    REQUIRE_FALSE(f.tape.load());
    p.check_recovered();
    CHECK_FALSE(f.tape.medium->info().write_protected);
  }
}

// F12 after F1: either copy of the label knows that the tape is written to, and what was cut.
TEST_CASE("A damaged copy of the label does not bring an older tape back") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 15);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  const std::size_t from = GENERATE(15u, 5u, 0u);  // appended, or overwritten
  REQUIRE_FALSE(f.tape.locate(from).fault);
  write_blocks(f, from, from + 3);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  kill(f);
  lose_newest_label(f.files);
  SECTION("loaded") {}
  SECTION("changed from outside") { REQUIRE(set_element_hint(f.files, kDir, 1000)); }
  SECTION("repaired") { REQUIRE(repair_cartridge(f.files, kDir)); }
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == from + 4);
  CHECK_FALSE(f.tape.medium->info().write_protected);
  expect_blocks(f, 0, from + 3);
}

TEST_CASE("Power that goes while a segment is sealed, or opened again, leaves no damage") {
  const bool again = GENERATE(false, true);
  for (std::uint32_t cut = 0; cut < 300; ++cut) {
    INFO("cut at " << cut % 15 << ", world " << cut);
    TapeFixture f(cut + 1);
    REQUIRE_FALSE(f.tape.load());
    write_blocks(f, 0, 3);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    if (again) {
      REQUIRE_FALSE(f.tape.unload().fault);
      REQUIRE_FALSE(f.tape.load());
      f.tape.locate_end();
      f.files.fail_at(cut % 15, MemoryFiles::Failure::kPowerCut);
      f.tape.write("more");
      f.tape.filemarks(1);
    } else {
      f.files.fail_at(cut % 15, MemoryFiles::Failure::kPowerCut);
      f.tape.unload();
    }
    f.tape.vanish();
    constexpr double kSurvival[] = {0.1, 0.5, 0.9};
    f.files.crash(kSurvival[cut / 15 % 3]);
    const auto report = verify_cartridge(f.files, kDir);
    REQUIRE(report);
    CHECK(report->damage.empty());
    // A copy of the label may be torn: that is why there are two. (Where one stood beside that of a
    // clean unload and its first sector is still the old one, nothing tells it from damage.)
    for (const auto& texts : {report->repairable, report->notes})
      for (const std::string& text : texts) CHECK(text.find("/CART: ") != std::string::npos);
    CHECK((again || report->repairable.empty()));
    CHECK(report->blocks >= 3);
  }
}

TEST_CASE("Damage in a segment that was opened again costs one block, not the rest of the tape") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 7);
  const bool cut = GENERATE(true, false);
  if (cut) {
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    f.tape.locate(5);
    REQUIRE_FALSE(f.tape.write("queued", WriteMode::kBuffered).fault);
  } else {
    REQUIRE_FALSE(f.tape.unload().fault);
    REQUIRE_FALSE(f.tape.load());
    f.tape.locate_end();
    REQUIRE_FALSE(f.tape.write("queued", WriteMode::kBuffered).fault);
  }
  kill(f);  // the footer is gone, and nothing new has come
  const std::string path = f.files.find(".seg").at(0);
  f.files.edit(path, [](auto& bytes) {
    bytes[scsi::as_text(bytes).find(nth(2).substr(0, 64)) + 5000] ^= std::byte{1};
  });
  REQUIRE_FALSE(f.tape.load());
  const std::size_t kept = cut ? 5 : 7;
  CHECK(f.tape.medium->partition(0).end_of_data == kept);
  expect_blocks(f, 0, 2);
  CHECK(f.tape.read().fault->kind == Kind::kReadError);
  expect_blocks(f, 3, kept);
}

TEST_CASE("ERASE that fails takes the position along, and is the last thing that is written") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 4);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  write_blocks(f, 4, 9);
  f.tape.locate(8);
  f.files.broken = "fdatasync";
  f.files.broken_path = "/p0.";
  const bool erase = GENERATE(true, false);
  const WriteOutcome out = erase ? f.tape.erase() : f.tape.write("over it");
  f.files.broken.clear();
  REQUIRE(out.fault);
  CHECK(out.fault->objects_lost == 3);  // of the eight in front of it, all but what was durable
  CHECK(f.tape.medium->append_failed());
  CHECK(f.tape.position() == Position{0, 5, 1});
  CHECK(f.tape.medium->partition(0).end_of_data == 5);
  CHECK_FALSE(f.tape.medium->take_deferred_fault());
  CHECK(f.tape.filemarks(0).fault);
  CHECK(f.tape.write("no").fault);
  CHECK(f.tape.erase().fault);
  expect_blocks(f, 0, 4);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  expect_blocks(f, 0, 4);
}

TEST_CASE("A writer without a drive gives no success after a failure either") {
  TapeFixture f;
  auto writer = CartridgeWriter::open(f.files, kDir, CartridgeWriter::At::kBeginning);
  REQUIRE(writer);
  f.files.broken = "pwrite";
  f.files.broken_path = "/p0.";
  bool failed = false;
  for (int i = 0; i < 100 && !failed; ++i) failed = !(*writer)->write_block(scsi::as_bytes(nth(1)));
  REQUIRE(failed);
  f.files.broken.clear();
  CHECK_FALSE((*writer)->finish());
}

TEST_CASE("Nothing counts as buffered after a failure, whatever else was under way") {
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    TapeFixture f(seed);
    REQUIRE_FALSE(f.tape.load());
    REQUIRE_FALSE(f.tape.write(nth(0)).fault);
    f.executor.run();
    f.files.broken = "fdatasync";
    f.files.broken_path = "/p0.";
    for (std::size_t i = 1; i < 40; ++i) (void)f.tape.write(nth(i));
    f.executor.run();
    REQUIRE(f.tape.medium->append_failed());
    CHECK(f.tape.medium->buffered_objects() == 0);
    CHECK(f.tape.medium->buffered_bytes() == 0);
  }
}

TEST_CASE("A footer that outlives the objects before it") {
  // The power goes while a segment with unsynced objects is being sealed.
  for (std::uint32_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    TapeFixture f(seed);
    REQUIRE_FALSE(f.tape.load());
    f.files.fail_at(seed % 30, MemoryFiles::Failure::kPowerCut);
    for (std::size_t i = 0; i < 12; ++i) (void)f.tape.write(nth(i));
    (void)f.tape.flush(WriteMode::kBuffered);
    f.tape.vanish();
    f.files.crash(0.9);
    REQUIRE_FALSE(f.tape.load());
    expect_blocks(f, 0, f.tape.medium->partition(0).end_of_data);
  }
}

TEST_CASE("A directory whose sync fails in a cut ends writing; it is not asked again") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 25);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  const bool second = GENERATE(false, true);
  if (second) {  // what the first has voided goes later, and must before another
    f.tape.locate(12);
    REQUIRE_FALSE(f.tape.write(nth(12)).fault);
  }
  f.files.broken = "fsync directory";
  f.tape.locate(second ? 5 : 0);
  CHECK(f.tape.write("over it").fault);
  f.files.broken.clear();
  CHECK(f.tape.medium->append_failed());
  CHECK(f.tape.write("over it").fault);
  expect_blocks(f, 0, second ? 13 : 25);
}

TEST_CASE("Voided segments go before another cut, whatever lies in the trash") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 25);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.locate(0);
  write_blocks(f, 0, 25);  // the first directory is in the trash now
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.locate(10);
  REQUIRE_FALSE(f.tape.write("new").fault);
  f.executor.run();  // the cut is made
  const std::size_t before = f.files.find("/p0.2/").size();
  kill(f);
  const bool refused = GENERATE(true, false);
  if (refused) {  // it does not go: then there is no other cut
    f.files.broken = "rename";
    f.files.broken_path = "/p0.2/";
    REQUIRE_FALSE(f.tape.load());
    f.tape.locate(9);
    CHECK(f.tape.write("newer").fault);
    f.files.broken.clear();
    return;
  }
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.files.find("/p0.2/").size() < before);
  f.tape.locate(9);
  REQUIRE_FALSE(f.tape.write("newer").fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  kill(f);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == 11);
  expect_blocks(f, 0, 9);
  CHECK(text_of(f.tape.read().data) == "newer");
}

// I3: a cut at the end of a full segment, and before a new name is synced another one behind it.
// What the first has voided would fit to the second.
TEST_CASE("What a cut has voided does not come back under another cut when power goes") {
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    MediumOptions options;
    options.max_segment_objects = 5;
    TapeFixture f(seed, test_spec(), options);
    REQUIRE_FALSE(f.tape.load());
    write_blocks(f, 0, 15);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    f.tape.locate(5);
    REQUIRE_FALSE(f.tape.write("over 5", WriteMode::kDurable).fault);
    REQUIRE_FALSE(f.tape.write("over 6").fault);
    REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);  // the voided ones are moved away
    f.tape.locate(6);
    REQUIRE_FALSE(f.tape.write("again 6", WriteMode::kDurable).fault);
    f.tape.vanish();
    f.files.crash(0);
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.tape.medium->partition(0).end_of_data == 7);
    expect_blocks(f, 0, 5);
    CHECK(text_of(f.tape.read().data) == "over 5");
    CHECK(text_of(f.tape.read().data) == "again 6");
  }
}

TEST_CASE("A spare that could not be removed gives way to the next") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 10);  // a segment, almost: the next one is prepared
  f.files.broken = "remove";
  f.files.broken_path = ".spare";
  REQUIRE_FALSE(f.tape.unload().fault);
  f.files.broken.clear();
  REQUIRE(f.files.find(".spare").size() == 1);
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.locate_end().fault);
  write_blocks(f, 10, 30);
  CHECK_FALSE(f.tape.filemarks(1).fault);
  expect_blocks(f, 0, 30);
}

TEST_CASE("A segment that is missing can be voided and followed like others") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 25);
  REQUIRE_FALSE(f.tape.unload().fault);
  const std::vector<std::string> segments = f.files.find(".seg");
  REQUIRE(segments.size() == 3);
  const bool last = GENERATE(true, false);
  f.files.unlink(segments[last ? 2 : 1]);
  REQUIRE_FALSE(f.tape.load());
  if (last) {
    f.tape.locate_end();
  } else {
    f.tape.locate(3);
  }
  REQUIRE_FALSE(f.tape.write("after").fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.space(SpaceUnit::kBlocks, -1);
  f.tape.space(SpaceUnit::kBlocks, -1);
  CHECK(text_of(f.tape.read().data) == "after");
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == (last ? 27 : 5));
}

TEST_CASE("An epoch is never used twice, though the labels that knew of it are lost") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  const std::vector<std::byte> older = label(f.files);
  write_blocks(f, 0, 3);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  kill(f);
  const std::uint32_t next = read_cart(f.files, kDir)->next_epoch;
  put_back(f.files, older);
  REQUIRE(read_cart(f.files, kDir)->next_epoch < next);
  REQUIRE_FALSE(f.tape.load());
  f.tape.locate_end();
  REQUIRE_FALSE(f.tape.write("more", WriteMode::kDurable).fault);
  CHECK(read_cart(f.files, kDir)->next_epoch == next + 1);
}

TEST_CASE("Data that an older label does not know are set aside, not thrown away") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 3);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  const std::vector<std::byte> older = label(f.files);
  f.tape.locate(0);
  REQUIRE_FALSE(f.tape.write("new", WriteMode::kDurable).fault);
  kill(f);
  put_back(f.files, older);
  SECTION("they can be") {
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.files.find("/quarantine/p0.2/").size() >= 1);
  }
  SECTION("they cannot: nothing is written beside them") {
    f.files.broken = "rename";
    f.files.broken_path = "/p0.2";
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.tape.medium->info().write_protected);
    CHECK(f.tape.write("no").fault);
  }
  CHECK_FALSE(f.tape.alerts.empty());
}

TEST_CASE("What lies in quarantine is not replaced") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 3);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  for (unsigned round = 1; round <= 3; ++round) {
    kill(f);
    const std::string foreign = kDir + "/p0.1/0000000009-000000ff.seg";
    f.files.copy(f.files.find("/p0.1/0000000000").at(0), foreign);
    REQUIRE_FALSE(f.tape.load());
    CHECK(f.files.find("quarantine/p0.1-").size() == round);
    expect_blocks(f, 0, 3);
  }
}

TEST_CASE("A cartridge that a newer version has written is read and left as it is") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  write_blocks(f, 0, 15);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  kill(f);
  for (const std::size_t slot : {0u, 4096u})
    f.files.edit(kDir + "/CART", [&](auto& bytes) {
      const scsi::MutableBytes block = scsi::MutableBytes(bytes).subspan(slot, 4096);
      auto cart = format::decode_cart(block);
      if (!cart) return;
      cart->feat_ro_compat = 4;
      format::encode_cart(*cart, block);
    });
  f.files.copy(kDir + "/CART", kDir + "/p0.1/0000000009-000000ff.seg");
  f.files.copy(kDir + "/CART", kDir + "/p0.1/0000000009.spare");
  REQUIRE(f.files.make_directory(kDir + "/p1.1"));
  const auto before = f.files.find(kDir + "/p");
  REQUIRE_FALSE(f.tape.load());
  expect_blocks(f, 0, 15);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(f.files.find(kDir + "/p") == before);
  CHECK(set_write_protect(f.files, kDir, true).error().code == EROFS);
  CHECK(set_element_hint(f.files, kDir, 5).error().code == EROFS);
}
