// F4 to F7, F16, F18: a disk that cannot be written, has no space, or takes its time.
#include "test/unit/faults/rig.h"

using namespace vtl::test;
using vtl::FileSystem;
using vtl::IoMode;
using vtl::MediumOptions;
using Alerts = std::vector<unsigned>;

namespace {

constexpr const char* kWriteError = "3/0C/00";
constexpr const char* kEarlyWarning = "0/00/02 EOM info=0";
constexpr const char* kVolumeOverflow = "D/00/02 EOM info=100000";
const Alerts kHardAndWriteFailure = {3, 6};

// A pool that runs full after some megabytes.
MediumOptions small_reserve() {
  MediumOptions options;
  options.hard_water_bytes = 1u << 20;
  return options;
}

// Writes from block n on until nothing fits, also when all that waited is written; the next block.
std::uint64_t fill(Drive& host, std::uint64_t n) {
  for (int refused = 0; refused < 2;) {
    const std::string answer = host.write(n);
    if (answer == kVolumeOverflow) {
      ++refused;
      host.settle();
    } else {
      REQUIRE((answer == "GOOD" || answer == kEarlyWarning));
      refused = 0;
      ++n;
    }
    REQUIRE(n < 1000);
  }
  return n;
}

// From now on everything that would write is refused, to whomever, and told so; reading is not.
void expect_no_appending(Drive& host) {
  for (const scsi::NexusId nexus : {kHost, kOther}) {
    CHECK(host.write(99, nexus) == kWriteError);
    CHECK(host.filemarks(1, nexus) == kWriteError);
    CHECK(host.filemarks(0, nexus) == kWriteError);
  }
  CHECK(host.erase() == kWriteError);
  CHECK(host.test_unit_ready() == "GOOD");
}

// I9: only a load makes it a tape again.
void expect_a_tape_again(Drive& host, const std::string& tape) {
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape() == tape);
  CHECK(host.write(70) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  CHECK(host.tape() == tape + (tape.empty() ? "b70 |" : " b70 |"));
}

// Five blocks and a filemark, durable.
void begin_tape(Rig& rig) {
  rig.host->load();
  rig.write(0, 5);
  REQUIRE(rig.host->filemarks(1) == "GOOD");
}
const std::string kBegun = "b0 b1 b2 b3 b4 |";

}  // namespace

TEST_CASE("F4: EIO of a write is deferred sense, once, to the host that wrote") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 16);  // past the end of a segment, so that it is written at all
  const bool partly = GENERATE(true, false);  // half of it is in the file
  if (partly) {
    rig.files.inject = [](const std::string& what, const std::string& path) {
      return what == "pwrite" && path.find("/p0.") != std::string::npos ? EIO : 0;
    };
  } else {
    rig.files.broken = "pwrite";
    rig.files.broken_path = "/p0.";
  }
  host.settle();
  rig.files.inject = nullptr;
  rig.files.broken.clear();

  CHECK(host.test_unit_ready(kOther) == "GOOD");
  CHECK(host.write(16) == "3/0C/00 info=11 deferred");  // and not executed
  CHECK(host.test_unit_ready() == "GOOD");
  CHECK(host.position() == "6/1");
  CHECK(host.tape_alerts() == kHardAndWriteFailure);
  CHECK(host.alerted("writing has failed"));
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  CHECK(host.locate(3) == "GOOD");
  CHECK(host.read() == "b3");
  expect_a_tape_again(host, kBegun);
}

TEST_CASE("F4: a synchronising command that meets EIO tells of it as its own error") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 7);
  rig.files.broken = "pwrite";
  rig.files.broken_path = "/p0.";
  const auto [cdb, lost] = GENERATE(std::pair(Cdb{0x10, 0, 0, 0, 1}, 3),  // its own mark is one
                                    std::pair(Cdb{0x10, 0, 0, 0, 0}, 2), std::pair(Cdb{0x01}, 2),
                                    std::pair(Cdb{0x2B}, 2), std::pair(Cdb{0x11, 3}, 2));
  CHECK(host.command(cdb) == "3/0C/00 info=" + std::to_string(lost));
  rig.files.broken.clear();
  CHECK(host.test_unit_ready() == "GOOD");
  CHECK(host.tape_alerts() == kHardAndWriteFailure);
  CHECK(host.position() == "6/1");
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  expect_a_tape_again(host, kBegun);
}

TEST_CASE("F4: UNLOAD that meets EIO tells of it, and lets the cartridge go") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 7);
  rig.files.broken = "pwrite";
  rig.files.broken_path = "/p0.";
  CHECK(host.unload() == "3/0C/00 info=2");
  rig.files.broken.clear();
  CHECK(host.test_unit_ready() == "2/3A/00");
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape() == kBegun);
}

TEST_CASE("F4: EIO where writing begins, or where space is prepared, is as final") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == "GOOD");
  rig.files.broken_path = "VTL001L8";
  std::string kept = kBegun;
  SECTION("the label") {
    CHECK(host.command({0x11, 3}) == "GOOD");
    rig.files.broken = "pwrite";
    CHECK(host.write(5) == "3/0C/00 info=100000");
  }
  SECTION("the directory that is to take an overwritten one's place") {
    rig.files.broken = "mkdir";
    CHECK(host.write(5) == "3/0C/00 info=100000");
  }
  SECTION("the first segment's space") {
    rig.files.broken = "fallocate";
    CHECK(host.write(5) == "3/0C/00 info=100000");
    kept = "";  // it was cut already
  }
  SECTION("the next segment's space") {
    CHECK(host.command({0x11, 3}) == "GOOD");
    rig.files.broken = "fallocate";
    std::string last;
    std::uint64_t next = 5;
    while ((last = host.write(next)) == "GOOD") ++next;
    // What was accepted before it may be lost with it, and is counted: never what was durable.
    CHECK((last == "3/0C/00 info=100000" || last.ends_with(" deferred")));
    rig.files.broken.clear();
    kept = host.tape();
    CHECK(kept.starts_with(kBegun));
  }
  rig.files.broken.clear();
  CHECK(host.test_unit_ready() == "GOOD");
  CHECK(host.tape_alerts() == kHardAndWriteFailure);
  expect_no_appending(host);
  CHECK(host.tape() == kept);
  expect_a_tape_again(host, kept);
}

TEST_CASE("F5: EIO of one fdatasync fails the filemark; it is not tried again") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 7);
  int syncs = 0;
  rig.files.inject = [&](const std::string& what, const std::string& path) {
    const bool here = what == "fdatasync" && path.find("/p0.") != std::string::npos;
    return here && ++syncs == 1 ? EIO : 0;
  };
  CHECK(host.filemarks(1) == "3/0C/00 info=3");
  CHECK(host.test_unit_ready() == "GOOD");
  CHECK(host.position() == "6/1");
  CHECK(host.tape_alerts() == kHardAndWriteFailure);
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  CHECK(syncs == 1);
  rig.files.inject = nullptr;
  // A load takes what can be read; how much of what was not acknowledged that is, depends.
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape().starts_with(kBegun));
}

TEST_CASE("F5: what the failed sync has left in memory only is durable after the next barrier") {
  const bool said = GENERATE(true, false);  // whether the label could be told APPEND_FAILED
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    Rig rig(seed);
    begin_tape(rig);
    rig.write(5, 7);
    rig.files.inject = [&](const std::string& what, const std::string& path) {
      return what == "fdatasync" && (!said || path.find("/p0.") != std::string::npos) ? EIO : 0;
    };
    CHECK(rig.host->filemarks(1) == "3/0C/00 info=3");
    rig.files.inject = nullptr;
    CHECK(rig.host->unload() == "GOOD");
    CHECK(rig.host->load_again() == "GOOD");
    const std::string found = rig.host->tape();
    CHECK(rig.host->write(70) == "GOOD");
    CHECK(rig.host->filemarks(1) == "GOOD");
    rig.cut_power(0.0);
    rig.host->load();
    const auto objects =
        static_cast<std::uint64_t>(std::count(found.begin(), found.end(), ' ')) + 3;
    CHECK(rig.host->medium->partition(0).end_of_data == objects);
  }
}

TEST_CASE("F6: a pool without space: early warning, then VOLUME OVERFLOW; nothing is lost") {
  Rig rig;
  rig.files.total_bytes = rig.files.used_bytes() + (40u << 20);
  Drive& host = *rig.host;
  host.load(small_reserve());
  std::uint64_t n = 0;
  while (host.write(n) == "GOOD") ++n;
  ++n;  // it was written, with early warning
  n = fill(host, n);
  CHECK(host.write(n) == kVolumeOverflow);
  CHECK(host.position() == std::to_string(n) + "/0");
  CHECK(host.filemarks(2) == kEarlyWarning);  // they fit, and are durable
  CHECK(host.tape_alerts() == Alerts{});
  CHECK(host.alerted("short of free space"));
  CHECK(host.alerted("no space left"));
  CHECK(host.test_unit_ready() == "GOOD");
  const std::string tape = Rig::blocks(0, n) + " | |";
  CHECK(host.tape() == tape);
  CHECK(host.write(n) == kVolumeOverflow);
  CHECK(host.position() == std::to_string(n + 2) + "/2");
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape() == tape);
  rig.files.total_bytes = 1ull << 40;  // space comes back, and so does the tape
  CHECK(host.write(n) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  CHECK(host.tape() == tape + " b" + std::to_string(n) + " |");
}

TEST_CASE("F6: ENOSPC at fallocate alone") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.files.inject = [](const std::string& what, const std::string&) {
    return what == "fallocate" ? ENOSPC : 0;
  };
  std::uint64_t n = 5;
  std::string last;
  while ((last = host.write(n)) == "GOOD" || last == kEarlyWarning) ++n;
  CHECK(last == kVolumeOverflow);
  CHECK(host.filemarks(1) == kEarlyWarning);
  CHECK(host.tape() == kBegun + " " + Rig::blocks(5, n) + " |");
  rig.files.inject = nullptr;
  CHECK(host.write(n) == "GOOD");
}

TEST_CASE("F7: another process fills the pool: what was accepted lands, and it still loads") {
  Rig rig;
  begin_tape(rig);
  rig.write(5, 8);
  Drive& host = *rig.host;
  rig.files.total_bytes = rig.files.used_bytes();
  const std::uint64_t n = fill(host, 8);
  CHECK(host.filemarks(1) == kEarlyWarning);
  const std::string tape = kBegun + " " + Rig::blocks(5, n) + " |";
  CHECK(host.tape() == tape);
  const bool in_order = GENERATE(true, false);
  if (in_order) {
    CHECK(host.unload() == "GOOD");
    CHECK(host.load_again() == "GOOD");
    CHECK(host.tape() == tape);
    return;
  }
  // Nor does a crash on a full pool keep it from being read. A file system that copies on write may
  // have no space for what is there already, either.
  rig.kill();
  const bool copies = GENERATE(true, false);
  rig.files.inject = [copies](const std::string& what, const std::string&) {
    return (copies && what == "pwrite") || what == "fallocate" ? ENOSPC : 0;
  };
  rig.host->load();
  CHECK(rig.host->medium->partition(0).end_of_data == n + 2);
  CHECK(rig.host->command({0x11, 3}) == "GOOD");
  CHECK(rig.host->write(0) == (copies ? "7/27/02" : kVolumeOverflow));
  CHECK(rig.host->unload() == "GOOD");
  rig.files.inject = nullptr;
  rig.files.total_bytes = 1ull << 40;
  CHECK(rig.host->load_again() == "GOOD");
  CHECK(rig.host->command({0x11, 3}) == "GOOD");
  CHECK(rig.host->write(0) == "GOOD");
}

TEST_CASE("F7: no space for what was accepted all the same is a write error, not the tape's end") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 7);
  rig.files.inject = [](const std::string& what, const std::string&) {
    return what == "pwrite" ? ENOSPC : 0;
  };
  CHECK(host.filemarks(1) == "3/0C/00 info=3");
  rig.files.inject = nullptr;
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  expect_a_tape_again(host, kBegun);
}

TEST_CASE("F7: an ERASE without space is an error of writing only if what is before it is lost") {
  const bool behind = GENERATE(true, false);  // what had been accepted is to go, all of it
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 8);
  CHECK(host.locate(behind ? 3 : 8) == "GOOD");
  rig.files.inject = [](const std::string& what, const std::string& path) {
    return what == "fdatasync" && path.find("/p0.") != std::string::npos ? ENOSPC : 0;
  };
  CHECK(host.erase() == (behind ? "D/00/02 EOM" : kWriteError));
  rig.files.inject = nullptr;
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  expect_a_tape_again(host, kBegun);
}

TEST_CASE("F16: an evicted node's writes fail with ESHUTDOWN, and its sync says success") {
  Rig rig;
  begin_tape(rig);
  Drive& host = *rig.host;
  rig.write(5, 7);
  rig.files.inject = [](const std::string& what, const std::string& path) {
    return what == "pwrite" && path.find("VTL001L8") != std::string::npos ? ESHUTDOWN : 0;
  };
  CHECK(host.filemarks(1) == "3/0C/00 info=3");
  expect_no_appending(host);
  CHECK(host.tape() == kBegun);
  CHECK(host.unload() == "GOOD");
  CHECK(host.load_again() == kWriteError);  // not even the label
  CHECK(host.test_unit_ready() == kWriteError);
  rig.files.inject = nullptr;
  CHECK(host.load_again() == "GOOD");
  CHECK(host.tape() == kBegun);
}

TEST_CASE("F18: a slow disk withholds GOOD; nothing is lost, and nobody else waits") {
  Rig rig;
  CHECK(create_cartridge(rig.files, kPool,
                         [] {
                           vtl::CartridgeSpec spec = test_spec();
                           spec.barcode = "VTL002L8";
                           spec.uuid = test_uuid(2);
                           return spec;
                         }())
            .ok());
  Drive& slow = *rig.host;
  MediumOptions options;
  options.queue_bytes = 1u << 20;
  slow.load(options);
  const vtl::Strand strand = rig.executor.last;
  Drive other(rig.files, rig.executor, vtl::cartridge_directory(kPool, "VTL002L8"));
  other.load(options);
  rig.write(0, 3);

  rig.executor.held = strand;
  std::uint64_t n = 3;
  while (slow.sink.ended.size() == n - 3) {  // into the buffer, until it is full
    slow.submit_write(n++);
    rig.executor.inner.run();
    REQUIRE(n < 100);
  }
  CHECK(slow.sink.ended.size() == n - 4);
  for (std::uint64_t i = 0; i < 30; ++i) CHECK(other.write(i) == "GOOD");
  CHECK(other.filemarks(1) == "GOOD");
  CHECK(other.tape() == Rig::blocks(0, 30) + " |");
  CHECK(slow.sink.ended.size() == n - 4);  // still held

  // What only asks does not wait for the disk, whoever asks and however often; what is behind the
  // WRITE does, and so does what its own host asks after that.
  const auto asked = [&](scsi::NexusId nexus, const Cdb& cdb) {
    const std::size_t before = slow.sink.ended.size();
    slow.sink.submit(nexus, cdb);
    rig.executor.inner.run();
    if (slow.sink.ended.size() == before) return std::string("waits");
    const std::string answer = told(slow.sink.ended.back());
    slow.sink.ended.pop_back();
    return answer;
  };
  for (const scsi::NexusId nexus : {kOther, kHost, kOther}) {
    CHECK(asked(nexus, {0x00}) == "GOOD");
    CHECK(asked(nexus, {0x03, 0, 0, 0, 18, 0}) == "GOOD");                    // REQUEST SENSE
    CHECK(asked(nexus, {0x12, 0, 0, 0, 96, 0}) == "GOOD");                    // INQUIRY
    CHECK(asked(nexus, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}) == "GOOD");  // REPORT LUNS
  }
  CHECK(asked(kOther, {0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0}) == "waits");  // READ POSITION
  CHECK(asked(kHost, {0x00}) == "GOOD");
  CHECK(asked(kOther, {0x00}) == "waits");

  rig.executor.release();
  rig.executor.inner.run();
  REQUIRE(slow.sink.ended.size() == n - 3 + 2);
  for (const Ended& end : slow.sink.ended) CHECK(told(end) == "GOOD");
  slow.sink.ended.clear();
  CHECK(slow.filemarks(1) == "GOOD");
  CHECK(slow.tape() == Rig::blocks(0, n) + " |");
}
