// F8 to F14: what lies on the disk is not what was written.
#include "test/unit/faults/rig.h"
#include "vtl/cartridge/format.h"

using namespace vtl::test;
using Alerts = std::vector<unsigned>;

namespace {

constexpr const char* kUnreadable = "3/11/00 info=100000";
constexpr const char* kMissing = "3/14/00 info=100000";
const Alerts kHardAndReadFailure = {3, 5};

// Thirty blocks in three segments, a filemark behind every tenth.
std::string write_tape(Rig& rig) {
  rig.host->load();
  for (std::uint64_t i = 0; i < 30; ++i) {
    REQUIRE(rig.host->write(i) == "GOOD");
    if (i % 10 == 9) REQUIRE(rig.host->filemarks(1) == "GOOD");
  }
  return Rig::blocks(0, 10) + " | " + Rig::blocks(10, 20) + " | " + Rig::blocks(20, 30) + " |";
}

std::string replaced(std::string tape, const std::string& what, const std::string& with) {
  const std::size_t at = (" " + tape + " ").find(" " + what + " ");
  REQUIRE(at != std::string::npos);
  return tape.replace(at, what.size(), with);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++n) ++at;
  return n;
}

}  // namespace

TEST_CASE("F8: a flipped bit in a block: that READ fails, the position is behind it") {
  Rig rig;
  const std::string tape = write_tape(rig);
  const bool sealed = GENERATE(true, false);
  if (sealed) REQUIRE(rig.host->unload() == "GOOD");
  const auto [path, at] = rig.find(25);
  rig.flip(path, at + 5000);
  if (sealed) REQUIRE(rig.host->load_again() == "GOOD");
  Drive& host = *rig.host;
  CHECK(host.tape_alerts() == Alerts{});
  CHECK(host.locate(27) == "GOOD");
  CHECK(host.read() == kUnreadable);
  CHECK(host.position() == "28/2");
  CHECK(host.read() == "b26");
  CHECK(host.tape_alerts() == kHardAndReadFailure);
  CHECK(host.alerted("does not match its checksum"));
  CHECK(host.tape() == replaced(tape, "b25", kUnreadable));
  CHECK(host.write(30) == "GOOD");  // appending goes on
  CHECK(host.filemarks(1) == "GOOD");
}

TEST_CASE("F9: a flipped bit in a record's header, the index or the trailer of a sealed segment") {
  Rig rig;
  const std::string tape = write_tape(rig);
  REQUIRE(rig.host->unload() == "GOOD");
  Drive& host = *rig.host;
  const auto [path, at] = rig.find(12);
  SECTION("header: only that block; the index knows where the next begins") {
    rig.flip(path, at - 64 + 20);
    REQUIRE(host.load_again() == "GOOD");
    CHECK(host.tape() == replaced(tape, "b12", kUnreadable));
    CHECK(host.tape_alerts() == kHardAndReadFailure);
    CHECK(host.locate(14) == "GOOD");
    CHECK(host.read() == "b13");
  }
  SECTION("index: rebuilt where it leads astray, with an alert") {
    rig.flip(path, rig.size(path) - 8192 + 10);
    REQUIRE(host.load_again() == "GOOD");
    for (std::uint8_t block = 20; block-- > 10;) {  // backwards: nothing was read ahead
      CHECK(host.locate(block + 1) == "GOOD");
      CHECK(host.read() == "b" + std::to_string(block));
    }
    CHECK(host.tape() == tape);
    CHECK(host.unload() == "GOOD");
    CHECK(host.alerted("its index is damaged and was rebuilt"));
    CHECK(host.tape_alerts() == Alerts{});
  }
  SECTION("trailer: written again, with an alert, once") {
    rig.flip(path, rig.size(path) - 4096 + 100);
    rig.lose_segment_tables();
    REQUIRE(host.load_again() == "GOOD");
    CHECK(host.alerted("its trailer was damaged; it was rebuilt"));
    CHECK(host.tape() == tape);
    REQUIRE(host.unload() == "GOOD");
    host.alerts.clear();
    REQUIRE(host.load_again() == "GOOD");
    CHECK(host.tape() == tape);
    CHECK(host.alerts.empty());
  }
}

TEST_CASE("F9: what cannot be mended keeps the tape as it is, and the next load tries again") {
  Rig rig;
  const std::string tape = write_tape(rig);
  const bool header = GENERATE(true, false);
  std::string path;
  if (header) {  // of the open segment, after a crash
    path = rig.find(25).first;
    rig.kill();
    rig.flip(path, 100);
  } else {
    path = rig.find(12).first;
    REQUIRE(rig.host->unload() == "GOOD");
    rig.flip(path, rig.size(path) - 4096 + 100);
    rig.lose_segment_tables();
  }
  const std::string what = header ? "its header was damaged; " : "its trailer was damaged; ";
  rig.files.broken = "pwrite";
  rig.files.broken_path = path;
  Drive& host = *rig.host;
  if (header)
    host.load();
  else
    CHECK(host.load_again() == "GOOD");
  CHECK(host.alerted(what + "its records are used without it"));
  CHECK(host.tape() == tape);
  CHECK(host.write_protected());
  CHECK(host.write(99) == "7/27/02");
  CHECK(host.unload() == "GOOD");
  rig.files.broken.clear();
  CHECK(host.load_again() == "GOOD");
  CHECK(host.alerted(what + (header ? "it was written anew" : "it was rebuilt")));
  CHECK_FALSE(host.write_protected());
  CHECK(host.tape() == tape);
  CHECK(host.unload() == "GOOD");
  host.alerts.clear();
  CHECK(host.load_again() == "GOOD");
  CHECK(host.alerts.empty());
}

TEST_CASE("F9: a header or trailer that the disk does not show costs what is in it, no more") {
  Rig rig;
  const std::string tape = write_tape(rig);
  const auto [path, at] = rig.find(GENERATE(5u, 12u, 25u));
  const std::size_t bad = GENERATE(0u, 1u, 2u);  // header, trailer, both
  const std::size_t end = rig.size(path);
  const auto before = rig.files.find("/pool/");
  rig.kill();
  // Blocks that cannot be read: a disk's, of 4096 bytes.
  rig.files.bad_block = [&, p = path](const std::string& file, std::uint64_t offset,
                                      std::size_t length) {
    const auto hit = [&](std::size_t block) {
      return offset < block + 4096 && block < offset + length;
    };
    return file == p && ((bad != 1 && hit(0)) || (bad != 0 && hit(end - 4096)));
  };
  rig.host->load();
  Drive& host = *rig.host;
  const bool last = path == rig.files.find(".seg").back();
  const std::string found = [&] {  // names of blocks are the host's that wrote
    std::string out;
    REQUIRE(host.command({0x01}) == "GOOD");
    for (std::string o; (o = host.read()) != "8/00/05 info=100000";) out += o + ";";
    return out;
  }();
  // A sealed segment says at both ends what it is. In the open one, how much is missing nobody can
  // say: one object stands for it, so that the host does not take this for the end of its data.
  const std::size_t lost = count(found, "3/14/00 info=100000;");
  INFO(found);
  CHECK(count(found, "3/") == lost);
  if (last) CHECK((lost >= 1 && found.ends_with("3/14/00 info=100000;")));
  if (!last && bad == 2) CHECK(lost >= 10);
  if (!last && bad != 2) CHECK(lost == 0);
  CHECK(host.write_protected() == (lost != 0));
  if (lost != 0) {
    CHECK(host.write(99) == "7/27/02");
    CHECK(host.alerted("cannot be read; the cartridge is write-protected"));
  }
  // The disk recovers, and it is all there: nothing was moved, cut off or written over.
  CHECK(host.unload() == "GOOD");
  rig.files.bad_block = nullptr;
  CHECK(host.load_again() == "GOOD");
  CHECK_FALSE(host.write_protected());
  CHECK(host.medium->partition(0).end_of_data == 33);
  for (const std::string& name : before)
    if (name.ends_with(".seg")) CHECK(rig.files.has(name));
  for (std::uint64_t i = 0; i < 30; ++i) {
    CHECK(host.locate(static_cast<std::uint8_t>(i + i / 10)) == "GOOD");
    const std::vector<std::byte> data =
        host.run({0x08, 0, 1, 0x86, 0xA0}, kHost, kBlockBytes).data();
    CHECK(scsi::as_text(data) == block_text(i, kBlockBytes));
  }
}

TEST_CASE("F10: a zeroed sector inside the open segment costs no block that was synced later") {
  Rig rig;
  rig.host->load();
  std::string tape;
  for (std::uint64_t i = 0; i < 5; ++i) {
    REQUIRE(rig.host->write(i) == "GOOD");
    REQUIRE(rig.host->filemarks(1) == "GOOD");
  }
  const std::uint64_t block = GENERATE(0u, 2u);
  const auto [path, at] = rig.find(block);
  const std::size_t sector = (GENERATE(true, false) ? at - 64 : at + 20'000) / 512 * 512;
  rig.files.edit(path, [&, start = sector](auto& bytes) {
    std::fill_n(bytes.begin() + static_cast<long>(start), 512, std::byte{});
  });
  rig.kill();
  rig.host->load();
  Drive& host = *rig.host;
  CHECK(host.alerted("1 objects in it are damaged"));
  CHECK(host.medium->partition(0).end_of_data == 10);
  for (std::uint64_t i = 0; i < 5; ++i) {
    CHECK(host.locate(static_cast<std::uint8_t>(2 * i)) == "GOOD");
    CHECK((host.read() == kUnreadable) == (i == block));
    CHECK(host.position() == std::to_string(2 * i + 1) + "/" + std::to_string(i));
    CHECK(host.read() == "|");
  }
  CHECK(host.tape_alerts() == kHardAndReadFailure);
  CHECK(host.write(5) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
}

TEST_CASE("F8, F9, F10: damage behind the last synchronisation but one, in the open segment") {
  // Nothing that was written later says that these had been durable; DURABLE does.
  Rig rig;
  rig.host->load();
  rig.write(0, 5);
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  const std::string tape = Rig::blocks(0, 5) + " |";
  const std::uint64_t block = GENERATE(0u, 2u, 4u);
  const auto [path, at] = rig.find(block);
  const bool header = GENERATE(true, false);
  SECTION("a flipped bit") { rig.flip(path, header ? at - 64 + 20 : at + 5000); }
  SECTION("a zeroed sector") {
    rig.files.edit(path, [&, start = (header ? at - 64 : at + 20'000) / 512 * 512](auto& bytes) {
      std::fill_n(bytes.begin() + static_cast<long>(start), 512, std::byte{});
    });
  }
  rig.kill();
  const auto verified = vtl::verify_cartridge(rig.files, kDir);
  REQUIRE(verified);
  REQUIRE(verified->damage.size() == 1);
  CHECK(verified->damage[0].first_object <= block);
  CHECK(verified->damage[0].first_object + verified->damage[0].objects > block);
  rig.host->load();
  Drive& host = *rig.host;
  CHECK(host.medium->partition(0).end_of_data == 6);
  const std::string found = replaced(tape, "b" + std::to_string(block), kUnreadable);
  const auto reads = [&](const std::string& what) {
    REQUIRE(host.command({0x01}) == "GOOD");
    std::string out = host.tape();
    // A zeroed sector may hold the end of the block before it, too.
    CHECK((out == what || count(out, kUnreadable) == 2));
    return out;
  };
  const std::string first = reads(found);
  CHECK(host.command({0x11, 3}) == "GOOD");
  CHECK(host.write(5) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  REQUIRE(host.unload() == "GOOD");
  REQUIRE(host.load_again() == "GOOD");
  CHECK(host.tape() == first + " b5 |");
}

TEST_CASE("F9: the last object that was synchronised is damaged, and nothing follows it") {
  Rig rig;
  rig.host->load();
  rig.write(0, 5);
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  const auto [path, at] = rig.find(4);
  const std::size_t filemark = (at + kBlockBytes + 15) / 16 * 16;
  const std::size_t size = rig.size(path);
  rig.flip(path, filemark + 20);
  rig.kill();
  rig.host->load();
  Drive& host = *rig.host;
  CHECK(host.alerted("objects 5 to 5 are missing"));
  CHECK(host.medium->partition(0).end_of_data == 6);
  CHECK(host.medium->partition(0).filemarks == 1);
  CHECK(host.locate(5) == "GOOD");
  CHECK(host.read() == kMissing);
  CHECK(host.write(5) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  CHECK(host.locate(6) == "GOOD");
  CHECK(host.read() == "b5");
  CHECK(rig.size(path) > size);  // what is left of it is still there
  REQUIRE(host.unload() == "GOOD");
  REQUIRE(host.load_again() == "GOOD");
  CHECK(host.medium->partition(0).end_of_data == 8);
}

TEST_CASE("F10: without DURABLE, or with one of before a cut, no loss is claimed that is none") {
  Rig rig;
  rig.host->load();
  rig.write(0, 5);
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  std::vector<std::byte> old;
  const std::string mark = rig.files.find("/DURABLE").at(0);
  SECTION("cut") {
    rig.files.edit(mark, [&](auto& bytes) { old = bytes; });
    REQUIRE(rig.host->locate(2) == "GOOD");
    REQUIRE(rig.host->write(7) == "GOOD");
    REQUIRE(rig.host->filemarks(1) == "GOOD");
    rig.files.edit(mark, [&](auto& bytes) { bytes = old; });
    rig.kill();
    rig.host->load();
    CHECK(rig.host->alerts.empty());
    CHECK(rig.host->medium->partition(0).end_of_data == 4);
  }
  SECTION("of another tape") {
    rig.files.edit(mark, [&](auto& bytes) {
      auto durable = vtl::format::decode_durable(bytes);
      REQUIRE(durable);
      durable->uuid = test_uuid(2);
      durable->end_of_data = 100;
      vtl::format::encode_durable(*durable, bytes);
    });
    rig.kill();
    rig.host->load();
    CHECK(rig.host->alerts.empty());
    CHECK(rig.host->medium->partition(0).end_of_data == 6);
  }
  SECTION("lost") {
    rig.files.unlink(mark);
    rig.kill();
    rig.host->load();
    CHECK(rig.host->alerts.empty());
    CHECK(rig.host->medium->partition(0).end_of_data == 6);
    CHECK(rig.files.has(mark));  // the load has synchronised what it found
  }
}

TEST_CASE("F9: the damaged header of the open segment costs nothing, or what else is damaged") {
  Rig rig;
  const std::string tape = write_tape(rig);
  const auto [path, at] = rig.find(25);
  REQUIRE(path == rig.files.find(".seg").back());
  const bool more = GENERATE(false, true);
  rig.files.edit(
      path, [&](auto& bytes) { std::fill_n(bytes.begin(), more ? 3 * 4096 : 4096, std::byte{}); });
  rig.kill();
  rig.host->load();
  Drive& host = *rig.host;
  CHECK(host.alerted("its header was damaged; it was written anew"));
  CHECK_FALSE(host.write_protected());
  CHECK(host.medium->partition(0).end_of_data == 33);
  REQUIRE(host.command({0x01}) == "GOOD");
  const std::string found = host.tape();
  CHECK(count(found, kUnreadable) == (more ? 1 : 0));
  if (!more) CHECK(found == tape);
  CHECK(host.write(30) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  rig.kill();
  rig.host->load();
  CHECK_FALSE(rig.host->alerted("its header was damaged"));
  CHECK(rig.host->medium->partition(0).end_of_data == 35);
  CHECK(rig.files.find("/quarantine/").empty());
}

TEST_CASE("F11: a missing segment: its objects are MEDIUM ERROR, the others are there") {
  Rig rig;
  const std::string tape = write_tape(rig);
  REQUIRE(rig.host->unload() == "GOOD");
  const std::vector<std::string> segments = rig.files.find(".seg");
  const std::size_t which = GENERATE(0u, 1u, 2u);
  rig.files.unlink(segments[which]);
  const bool table_lost = GENERATE(true, false);
  if (table_lost) rig.lose_segment_tables();
  Drive& host = *rig.host;
  REQUIRE(host.load_again() == "GOOD");
  const std::string found = host.tape();
  const std::size_t missing = count(found, kMissing);
  CHECK(missing >= 9);
  CHECK(missing + count(found, "b") + count(found, "|") == 33);
  CHECK(found.find("something") == std::string::npos);
  CHECK(host.position() == "33/3");
  CHECK(host.tape_alerts() == (table_lost ? Alerts{0x03, 0x05, 0x12} : kHardAndReadFailure));
  CHECK(host.alerted("are missing"));
  if (which == 1) {
    CHECK(host.locate(2) == "GOOD");
    CHECK(host.read() == "b2");
    CHECK(host.command({0x11, 1, 0, 0, 2}) == "3/14/00 info=1");  // over the second filemark
    CHECK(host.locate(30) == "GOOD");
    CHECK(host.read() == "b28");
  }
  CHECK(host.command({0x11, 3}) == "GOOD");
  CHECK(host.write(30) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  CHECK(host.locate(33) == "GOOD");
  CHECK(host.read() == "b30");
}

TEST_CASE("F12: both copies of the label gone: known by its segments, readable, write-protected") {
  Rig rig;
  const std::string tape = write_tape(rig);
  REQUIRE(rig.host->unload() == "GOOD");
  if (GENERATE(true, false)) {
    rig.files.unlink(kDir + "/CART");
  } else {
    rig.flip(kDir + "/CART", 100);
    rig.flip(kDir + "/CART", 4196);
  }
  Drive& host = *rig.host;
  REQUIRE(host.load_again() == "GOOD");
  CHECK(host.medium->info().barcode == "VTL001L8");
  CHECK(host.alerted("CART: damaged; the cartridge is write-protected"));
  CHECK(host.write_protected());
  CHECK(host.tape() == tape);
  CHECK(host.write(30) == "7/27/02");
  CHECK(host.filemarks(1) == "7/27/02");
  CHECK(host.erase() == "7/27/02");
  CHECK(host.position() == "33/3");
  CHECK(host.unload() == "GOOD");
}

TEST_CASE("F12: one copy of the label gone: the other serves") {
  Rig rig;
  const std::string tape = write_tape(rig);
  REQUIRE(rig.host->unload() == "GOOD");
  rig.flip(kDir + "/CART", GENERATE(100u, 4196u));
  REQUIRE(rig.host->load_again() == "GOOD");
  CHECK(rig.host->tape() == tape);
  CHECK(rig.host->write(30) == "GOOD");
}

TEST_CASE("F13: a table of segments that is missing, damaged or stale is ignored") {
  Rig rig;
  std::string tape = write_tape(rig);
  Drive& host = *rig.host;
  REQUIRE(host.unload() == "GOOD");
  const std::string table = rig.files.find("SEGTAB").at(0);
  SECTION("missing") { rig.files.unlink(table); }
  SECTION("damaged") { rig.flip(table, 50); }
  SECTION("stale") {
    std::vector<std::byte> old;
    rig.files.edit(table, [&](auto& bytes) { old = bytes; });
    REQUIRE(host.load_again() == "GOOD");
    REQUIRE(host.command({0x11, 3}) == "GOOD");
    REQUIRE(host.write(30) == "GOOD");
    REQUIRE(host.unload() == "GOOD");
    rig.files.edit(table, [&](auto& bytes) { bytes = old; });
    tape += " b30";
  }
  host.alerts.clear();
  REQUIRE(host.load_again() == "GOOD");
  CHECK(host.alerted("the segments are read instead"));
  CHECK(host.tape() == tape);
  CHECK_FALSE(host.write_protected());
  CHECK(host.tape_alerts() == Alerts{0x12});  // the directory was of no use
  CHECK(host.write(31) == "GOOD");
}

TEST_CASE("F14: a segment of another tape is rejected and set aside") {
  Rig rig;
  const std::string tape = write_tape(rig);
  Drive& host = *rig.host;
  REQUIRE(host.unload() == "GOOD");
  vtl::CartridgeSpec spec = test_spec();
  spec.barcode = "VTL002L8";
  spec.uuid = test_uuid(2);
  REQUIRE(create_cartridge(rig.files, kPool, spec).ok());
  const std::string other = vtl::cartridge_directory(kPool, "VTL002L8");
  {
    Drive second(rig.files, rig.executor, other);
    second.load();
    REQUIRE(second.write(77) == "GOOD");
    REQUIRE(second.unload() == "GOOD");
  }
  const std::string theirs = rig.files.find(other + "/p0.1/0000000000").at(0);
  rig.files.copy(theirs, kDir + "/p0.1/0000000000-000000ff.seg");
  rig.files.copy(theirs, kDir + "/p0.1/0000000050-000000ff.seg");
  rig.lose_segment_tables();
  REQUIRE(host.load_again() == "GOOD");
  CHECK(host.alerted("it belongs to another cartridge or place"));
  CHECK(host.tape() == tape);
  CHECK(host.position() == "33/3");
  CHECK(rig.files.find("quarantine/p0.1-").size() == 2);
}
