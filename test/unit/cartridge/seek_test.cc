// LOCATE and SPACE on random tapes of many small segments, against a plain list of objects.
#include <catch2/catch.hpp>
#include <cerrno>
#include <random>

#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/open_cartridge.h"

using namespace vtl;
using namespace vtl::test;
using Stop = SpaceOutcome::Stop;

namespace {

struct Oracle {
  std::vector<bool> marks;  // by object: is it a filemark

  std::uint64_t filemarks_before(std::uint64_t object) const {
    return static_cast<std::uint64_t>(
        std::count(marks.begin(), marks.begin() + static_cast<std::ptrdiff_t>(object), true));
  }
  // What SPACE does, one object at a time (SSC-5 7.9).
  std::pair<std::uint64_t, SpaceOutcome> space(std::uint64_t at, SpaceUnit unit,
                                               std::int64_t count) const {
    SpaceOutcome out;
    for (std::int64_t left = count; left > 0;) {
      if (at == marks.size()) {
        out.stop = Stop::kEndOfData;
        break;
      }
      const bool mark = marks[at++];
      if (unit == SpaceUnit::kBlocks && mark) {
        out.stop = Stop::kFilemark;
        break;
      }
      if (unit == SpaceUnit::kBlocks || mark) {
        ++out.spaced;
        --left;
      }
    }
    for (std::int64_t left = count; left < 0;) {
      if (at == 0) {
        out.stop = Stop::kBeginning;
        break;
      }
      const bool mark = marks[--at];
      if (unit == SpaceUnit::kBlocks && mark) {
        out.stop = Stop::kFilemark;
        break;
      }
      if (unit == SpaceUnit::kBlocks || mark) {
        ++out.spaced;
        ++left;
      }
    }
    return {at, out};
  }
};

void check_moves(TapeDriver& tape, const Oracle& oracle, std::mt19937& random) {
  const std::uint64_t end = oracle.marks.size();
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t from = random() % (end + 1);
    const SpaceOutcome located = tape.locate(from);
    REQUIRE(located.stop == Stop::kNone);
    REQUIRE(tape.position() == Position{0, from, oracle.filemarks_before(from)});
    const SpaceUnit unit = random() % 2 == 0 ? SpaceUnit::kBlocks : SpaceUnit::kFilemarks;
    const std::int64_t reach = unit == SpaceUnit::kBlocks ? 60 : 12;
    const std::int64_t count =
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * reach)) - reach;
    const auto [object, expected] = oracle.space(from, unit, count);
    const SpaceOutcome out = tape.space(unit, count);
    INFO("from " << from << " space " << (unit == SpaceUnit::kBlocks ? "blocks " : "filemarks ")
                 << count);
    REQUIRE(out.spaced == expected.spaced);
    REQUIRE(out.stop == expected.stop);
    REQUIRE(tape.position() == Position{0, object, oracle.filemarks_before(object)});
  }
  const std::uint64_t files = oracle.filemarks_before(end);
  for (std::uint64_t n = 0; n <= files; n += 1 + random() % 5) {
    REQUIRE(tape.locate_file(n).stop == Stop::kNone);
    REQUIRE(tape.position().filemarks == n);
    if (n != 0) REQUIRE(oracle.marks[tape.position().object - 1]);
  }
  CHECK(tape.locate_file(files + 1).stop == Stop::kEndOfData);
  CHECK(tape.position() == Position{0, end, files});
  CHECK(tape.locate(end + 5).stop == Stop::kEndOfData);
  CHECK(tape.position().object == end);
  CHECK(tape.space(SpaceUnit::kFilemarks, 0).stop == Stop::kNone);
  CHECK(tape.space(SpaceUnit::kFilemarks, INT64_MIN).stop == Stop::kBeginning);
  CHECK(tape.position() == Position{0, 0, 0});
  CHECK(tape.space(SpaceUnit::kFilemarks, INT64_MAX).stop == Stop::kEndOfData);
  CHECK(tape.locate_end().stop == Stop::kNone);
}

}  // namespace

TEST_CASE("Positions on random tapes") {
  const std::uint32_t seed = GENERATE(1u, 2u, 3u, 4u);
  const unsigned mark_every = GENERATE(2u, 9u, 200u);
  std::mt19937 random(seed);
  TapeFixture f(seed);
  REQUIRE_FALSE(f.tape.load());
  Oracle oracle;
  while (oracle.marks.size() < 400) {
    const bool mark = random() % mark_every == 0;
    oracle.marks.push_back(mark);
    if (mark)
      REQUIRE_FALSE(f.tape.filemarks(1, WriteMode::kBuffered).fault);
    else
      REQUIRE_FALSE(f.tape.write(std::string(1 + random() % 30'000, 'x')).fault);
  }
  CHECK(f.files.find(".seg").size() >= 2);
  check_moves(f.tape, oracle, random);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  check_moves(f.tape, oracle, random);
  // Without the table, from the trailers.
  REQUIRE_FALSE(f.tape.unload().fault);
  f.files.unlink(f.files.find("SEGTAB").at(0));
  REQUIRE_FALSE(f.tape.load());
  check_moves(f.tape, oracle, random);
}

TEST_CASE("A LOCATE that a disk failed once knows its filemarks all the same") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 6; ++i) {
    REQUIRE_FALSE(f.tape.write(block_text(static_cast<std::uint64_t>(i), 1000)).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  // The trailer, and then all records: at once, and block by block but for the header's.
  std::size_t failures = 1;
  f.files.edit(f.files.find(".seg").at(0), [&](auto& bytes) { failures += bytes.size() / 4096; });
  f.files.inject = [&](const std::string& what, const std::string& path) {
    const bool now = what == "pread" && path.ends_with(".seg") && failures != 0;
    if (now) --failures;
    return now ? EIO : 0;
  };
  CHECK(f.tape.locate(7).stop == Stop::kFault);
  CHECK(failures == 0);
  CHECK(f.tape.position() == Position{0, 7, 3});
  CHECK(f.tape.space(SpaceUnit::kFilemarks, 1).stop == Stop::kNone);
  CHECK(f.tape.position() == Position{0, 8, 4});
}

TEST_CASE("A LOCATE that a disk failed twice ends where the filemarks are known") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 6; ++i) {
    REQUIRE_FALSE(f.tape.write(block_text(static_cast<std::uint64_t>(i), 1000)).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  // Each time the trailer, and then all records: at once, and block by block but for the header's.
  std::size_t failures = 1;
  f.files.edit(f.files.find(".seg").at(0), [&](auto& bytes) { failures += bytes.size() / 4096; });
  failures *= 2;
  f.files.inject = [&](const std::string& what, const std::string& path) {
    const bool now = what == "pread" && path.ends_with(".seg") && failures != 0;
    if (now) --failures;
    return now ? EIO : 0;
  };
  CHECK(f.tape.locate(7).stop == Stop::kFault);
  CHECK(failures == 0);
  CHECK(f.tape.position() == Position{0, 0, 0});
  CHECK(f.tape.space(SpaceUnit::kFilemarks, 2).stop == Stop::kNone);
  CHECK(f.tape.position() == Position{0, 4, 2});
}

TEST_CASE("SPACE passes no filemark that a disk would not show it") {
  for (const std::int64_t count : {3, -3}) {
    TapeFixture f;
    REQUIRE_FALSE(f.tape.load());
    for (int i = 0; i < 6; ++i) {
      REQUIRE_FALSE(f.tape.write(block_text(static_cast<std::uint64_t>(i), 1000)).fault);
      REQUIRE_FALSE(f.tape.filemarks(1).fault);
    }
    REQUIRE_FALSE(f.tape.unload().fault);
    REQUIRE_FALSE(f.tape.load());
    if (count < 0) REQUIRE(f.tape.locate_end().stop == Stop::kNone);
    int failures = 1000;
    f.files.inject = [&](const std::string& what, const std::string& path) {
      const bool now = what == "pread" && path.ends_with(".seg") && failures != 0;
      if (now) --failures;
      return now ? EIO : 0;
    };
    CHECK(f.tape.space(SpaceUnit::kBlocks, count).stop == Stop::kFault);
    CHECK(failures < 1000);
  }
}

TEST_CASE("A segment ends at its number of objects, too") {
  TapeFixture f;
  OpenCartridge::Options options;
  options.max_segment_objects = 100;
  auto opened = OpenCartridge::open(f.files, kDir, options, nullptr);
  REQUIRE(opened.cartridge);
  REQUIRE_FALSE(opened.cartridge->begin_append(0, 0));
  for (int i = 0; i < 1050; ++i) {
    const std::string text = std::to_string(i);
    REQUIRE_FALSE(opened.cartridge->append_block(scsi::as_bytes(text)));
  }
  REQUIRE_FALSE(opened.cartridge->close({}));
  CHECK(f.files.find(".seg").size() == 11);
  auto reader = CartridgeReader::open(f.files, kDir);
  REQUIRE(reader);
  for (int i = 0; i < 1050; ++i) CHECK(scsi::as_text((*reader)->next().data) == std::to_string(i));
  CHECK((*reader)->next().kind == TapeObject::Kind::kEndOfData);
}

TEST_CASE(
    "READ passes what a disk does not show, and its filemarks are counted when they are wanted") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 6; ++i) {
    REQUIRE_FALSE(f.tape.write(block_text(static_cast<std::uint64_t>(i), 1000)).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
  }
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  bool fails = true;
  f.files.inject = [&](const std::string& what, const std::string& path) {
    return fails && what == "pread" && path.ends_with(".seg") ? EIO : 0;
  };
  for (int i = 0; i < 2; ++i) CHECK(f.tape.read().stop == ReadOutcome::Stop::kFault);
  CHECK(f.tape.position().object == 2);
  CHECK_FALSE(f.tape.position().filemarks_known);
  CHECK(f.tape.count_filemarks());  // the disk does not show it now either
  CHECK(f.tape.position().object == 2);
  CHECK_FALSE(f.tape.position().filemarks_known);
  SECTION("to the end of data, where it is known") {
    for (int i = 2; i < 12; ++i) CHECK(f.tape.read().stop == ReadOutcome::Stop::kFault);
    CHECK(f.tape.read().stop == ReadOutcome::Stop::kEndOfData);
    CHECK(f.tape.position() == Position{0, 12, 6});
  }
  SECTION("SPACE does not guess") {
    CHECK(f.tape.space(SpaceUnit::kFilemarks, 1).stop == Stop::kFault);
    CHECK(f.tape.position() == Position{0, 0, 0});  // the nearest place that is known
  }
  SECTION("WRITE does not begin where it cannot know") {
    CHECK(f.tape.write("x").fault);
    CHECK(f.tape.medium->partition(0).end_of_data == 12);
  }
  SECTION("the disk is well again") {
    fails = false;
    SECTION("asked") {
      CHECK_FALSE(f.tape.count_filemarks());
      CHECK(f.tape.position() == Position{0, 2, 1});
    }
    SECTION("read on") {
      CHECK(text_of(f.tape.read().data) == block_text(1, 1000));
      CHECK(f.tape.read().stop == ReadOutcome::Stop::kFilemark);
      CHECK_FALSE(f.tape.count_filemarks());
      CHECK(f.tape.position() == Position{0, 4, 2});
    }
    SECTION("SPACE") {
      CHECK(f.tape.space(SpaceUnit::kFilemarks, 1).stop == Stop::kNone);
      CHECK(f.tape.position() == Position{0, 4, 2});
      CHECK(f.tape.space(SpaceUnit::kFilemarks, -2).stop == Stop::kNone);
      CHECK(f.tape.position() == Position{0, 1, 0});
    }
    SECTION("WRITE") {
      REQUIRE_FALSE(f.tape.write("x").fault);
      CHECK(f.tape.position() == Position{0, 3, 1});
      REQUIRE_FALSE(f.tape.filemarks(1).fault);
      CHECK(f.tape.position() == Position{0, 4, 2});
      CHECK(f.tape.medium->partition(0).filemarks == 2);
      REQUIRE_FALSE(f.tape.unload().fault);
      REQUIRE_FALSE(f.tape.load());
      CHECK(f.tape.medium->partition(0).filemarks == 2);
    }
    SECTION("ERASE") {
      REQUIRE_FALSE(f.tape.erase().fault);
      CHECK(f.tape.position() == Position{0, 2, 1});
    }
  }
}
