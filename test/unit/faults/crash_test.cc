// F1 to F3: the process dies or the power goes, at each operation on a file in turn.
#include "test/unit/faults/rig.h"

using namespace vtl::test;

namespace {

struct Story {
  std::uint8_t overwrite_from = 0;  // 0: it goes on at the end
  std::string before, kept, after;  // the tape, what of it stays, and what it becomes
  std::vector<std::uint64_t> blocks;
};

// Lives it until operation n, which is the last that is carried out. False: it has fewer.
template <class End>
bool ends_at(std::uint64_t n, const Story& story, End end) {
  Rig rig(static_cast<std::uint32_t>(n + 1));
  rig.host->load();
  rig.write(0, 5);
  REQUIRE(rig.host->filemarks(1) == "GOOD");
  if (story.overwrite_from != 0) REQUIRE(rig.host->locate(story.overwrite_from) == "GOOD");
  rig.files.fail_at(n, MemoryFiles::Failure::kPowerCut);
  for (const std::uint64_t block : story.blocks) (void)rig.host->write(block);
  const bool acknowledged = rig.host->filemarks(1) == "GOOD";
  const bool ended = !rig.files.has_power();
  INFO("operation " << n << (acknowledged ? ", acknowledged" : ""));
  end(rig);
  rig.host->load();
  Drive& host = *rig.host;
  const std::string found = host.tape();
  INFO(found);
  if (acknowledged)
    CHECK(found == story.after);
  else
    CHECK((found == story.before ||
           (found.starts_with(story.kept) && story.after.starts_with(found))));
  // Nothing to be told, nothing to be mended, and it is a tape to write on.
  CHECK(host.alerts.empty());
  CHECK(host.tape_alerts().empty());
  CHECK_FALSE(host.write_protected());
  CHECK(host.write(70) == "GOOD");
  CHECK(host.filemarks(1) == "GOOD");
  CHECK(host.tape() == found + " b70 |");
  CHECK(host.unload() == "GOOD");
  const auto report = vtl::verify_cartridge(rig.files, kDir);
  REQUIRE(report);
  CHECK(report->damage.empty());
  return ended;
}

template <class End>
void ends_anywhere(const Story& story, End end) {
  std::uint64_t n = 0;
  while (ends_at(n, story, end)) ++n;
  CHECK(n > 10);
}

// Over the end of a segment.
const Story kAppends{0,
                     "b0 b1 b2 b3 b4 |",
                     "b0 b1 b2 b3 b4 |",
                     "b0 b1 b2 b3 b4 | b5 b6 b7 b8 b9 b10 b11 b12 |",
                     {5, 6, 7, 8, 9, 10, 11, 12}};
const Story kOverwrites{2, "b0 b1 b2 b3 b4 |", "b0 b1", "b0 b1 b5 b6 |", {5, 6}};

}  // namespace

TEST_CASE(
    "F1: kill -9 at any moment: all that was synchronised is there, and no more than was sent") {
  const Story& story = GENERATE(kAppends, kOverwrites);
  ends_anywhere(story, [](Rig& rig) { rig.kill(); });
}

TEST_CASE("F2: a power cut at any moment, whatever the disk had kept in memory") {
  const double survival = GENERATE(0.0, 0.5, 1.0);
  ends_anywhere(kAppends, [=](Rig& rig) { rig.cut_power(survival); });
}

TEST_CASE("F3: a power cut while the middle is overwritten: the old tape or the cut one") {
  const double survival = GENERATE(0.0, 0.5, 1.0);
  ends_anywhere(kOverwrites, [=](Rig& rig) { rig.cut_power(survival); });
}
