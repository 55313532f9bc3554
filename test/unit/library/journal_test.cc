#include "vtl/library/journal.h"

#include <catch2/catch.hpp>

#include "memory_files.h"
#include "vtl/library/barcode.h"

using namespace vtl;

namespace {

constexpr const char* kPath = "/d/journal";

JournalEntry entry(const std::string& barcode, std::optional<std::uint16_t> address,
                   std::optional<std::uint16_t> source = {}, bool by_operator = false) {
  return {label_of_barcode(barcode, 8).label, address, source, by_operator};
}

struct World {
  MemoryFiles files;
  World() {
    (void)files.make_directory("/d");
    Journal::State state;
    state["AAA001L8"] = entry("AAA001L8", 1000);
    state["AAA002LY"] = entry("AAA002LY", 10, 1001, true);
    REQUIRE(Journal::create(files, kPath, state));
  }
  std::unique_ptr<Journal> open() {
    auto journal = Journal::open(files, kPath);
    if (!journal) FAIL(journal.error().what);
    return std::move(*journal);
  }
  std::string open_error() {
    auto journal = Journal::open(files, kPath);
    REQUIRE_FALSE(journal);
    return journal.error().what;
  }
};

}  // namespace

TEST_CASE("a journal gives back what was put in") {
  World world;
  auto journal = world.open();
  CHECK(journal->state().at("AAA001L8") == entry("AAA001L8", 1000));
  CHECK(journal->state().at("AAA002LY") == entry("AAA002LY", 10, 1001, true));
  CHECK(journal->state().at("AAA002LY").label.worm);
  CHECK(journal->intent("move AAA001L8 1000 500"));
  CHECK(journal->open_intent() == "move AAA001L8 1000 500");
  CHECK(journal->commit({entry("AAA001L8", 500, 1000)}));
  CHECK(journal->open_intent().empty());
  CHECK(journal->commit({entry("AAA002LY", {})}));
  CHECK(journal->commit({entry("CLN001CU", 1003)}));
  CHECK(journal->intent("delete CLN001CU"));
  const Journal::State state = journal->state();
  CHECK(state.size() == 2);

  journal = world.open();
  CHECK(journal->state() == state);
  CHECK(journal->state().at("CLN001CU").label.cleaning);
  CHECK(journal->open_intent() == "delete CLN001CU");
  CHECK_FALSE(journal->had_torn_tail());
}

TEST_CASE("any torn tail is the end of the journal") {
  World world;
  CHECK(world.open()->commit({entry("AAA001L8", 1005)}));
  const std::size_t whole = world.files.content(kPath).size();
  CHECK(world.open()->commit({entry("AAA001L8", 1006, 1005)}));
  const MemoryFiles::Bytes full = world.files.content(kPath);
  for (std::size_t size = whole; size < full.size(); ++size) {
    world.files.content(kPath) = full;
    world.files.content(kPath).resize(size);
    // Half of the time the file had grown already, and holds zeros.
    if (size % 2 != 0) world.files.content(kPath).resize(full.size() + 10);
    auto journal = world.open();
    CHECK(journal->state().at("AAA001L8").address == 1005);
    CHECK(journal->had_torn_tail() == (size != whole || size % 2 != 0));
    REQUIRE(journal->commit({entry("AAA001L8", 1007)}));
    CHECK(world.open()->state().at("AAA001L8").address == 1007);
    CHECK_FALSE(world.open()->had_torn_tail());
  }
}

TEST_CASE("a damaged middle is an error that says where") {
  World world;
  CHECK(world.open()->commit({entry("AAA001L8", 1005)}));
  CHECK(world.open()->commit({entry("AAA001L8", 1006)}));
  const MemoryFiles::Bytes full = world.files.content(kPath);
  const std::string text = world.files.text(kPath);
  const std::size_t second = text.find('\n') + 1, third = text.find('\n', second) + 1;
  const std::size_t last = text.rfind('\n', text.size() - 2) + 1;
  for (std::size_t at = 0; at < last; ++at) {
    if (text[at] == '\n') continue;  // joins two lines: the damage is then told of the first
    world.files.content(kPath) = full;
    world.files.content(kPath)[at] ^= std::byte{0x01};
    const std::string line = at < second ? "1" : at < third ? "2" : "3";
    CHECK(world.open_error().find("/d/journal is damaged at line " + line) == 0);
  }
}

TEST_CASE("records that fit in themselves but not together are damage") {
  World world;
  std::string text = world.files.text(kPath);
  const std::size_t second = text.find('\n') + 1;
  SECTION("no head") { world.files.put(kPath, text.substr(second)); }
  SECTION("nothing") { world.files.put(kPath, ""); }
  SECTION("only a head") { world.files.put(kPath, text.substr(0, second)); }
  SECTION("a record twice") { world.files.put(kPath, text + text.substr(second)); }
  SECTION("not a journal") { world.files.put(kPath, std::string(5000, 'x')); }
  CHECK(world.open_error().find("/d/journal is damaged") == 0);
}

TEST_CASE("a journal that is not there") {
  MemoryFiles files;
  auto journal = Journal::open(files, kPath);
  REQUIRE_FALSE(journal);
  CHECK(journal.error().code == ENOENT);
}

TEST_CASE("a long journal is replaced by a short one") {
  World world;
  auto journal = world.open();
  std::size_t largest = 0;
  for (std::uint16_t i = 0; i < 4000; ++i) {
    REQUIRE(journal->intent("move AAA001L8"));
    REQUIRE(journal->commit({entry("AAA001L8", static_cast<std::uint16_t>(1000 + i % 10))}));
    largest = std::max(largest, world.files.content(kPath).size());
  }
  CHECK(largest < 70000);
  CHECK(world.open()->state() == journal->state());
  CHECK(world.files.paths() == std::vector<std::string>{"/d", kPath});
}

TEST_CASE("an intent outlives the replacement of the file") {
  World world;
  auto journal = world.open();
  REQUIRE(journal->intent("delete AAA001L8"));
  world.files.fail_at(1);
  CHECK_FALSE(journal->commit({entry("AAA001L8", {})}));
  world.files.fail_at(0);
  // The next append replaces the file first; fail behind the replacement.
  world.files.fail_at(6);
  CHECK_FALSE(journal->commit({entry("AAA001L8", {})}));
  world.files.crash(MemoryFiles::Survives::kNothing);
  CHECK(world.open()->open_intent() == "delete AAA001L8");
  CHECK(world.open()->state().contains("AAA001L8"));
}

TEST_CASE("what is read after a kill is still there when the power goes then") {
  World world;
  // Each operation of a move and of a replacement may be the killed process's last.
  for (std::uint64_t n = 1; n <= 12; ++n) {
    auto journal = world.open();
    world.files.fail_at(n);
    (void)journal->intent(std::string(70000, 'x'));
    (void)journal->commit({entry("AAA001L8", static_cast<std::uint16_t>(1000 + n))});
    world.files.fail_at(0);

    journal = world.open();
    const Journal::State state = journal->state();
    const std::string intent = journal->open_intent();
    journal.reset();
    world.files.crash(MemoryFiles::Survives::kNothing);
    CHECK((world.open()->state() == state));
    CHECK((world.open()->open_intent() == intent));  // without printing it
  }
}

TEST_CASE("each file operation fails or is the last one before power goes") {
  const bool crash = GENERATE(false, true);
  const auto survives = GENERATE(MemoryFiles::Survives::kNothing, MemoryFiles::Survives::kHalf,
                                 MemoryFiles::Survives::kEverything);
  for (std::uint64_t n = 1;; ++n) {
    World world;
    // Long enough for a replacement in between.
    auto journal = world.open();
    std::uint16_t told = 1000, tried = 1000;
    world.files.fail_at(n, !crash);
    bool failed = false;
    for (std::uint16_t i = 1; i <= 2 && !(crash && failed); ++i) {
      tried = static_cast<std::uint16_t>(1000 + i);
      if (!journal->intent("move " + std::string(i == 2 ? 70000 : 10, 'x'))) {
        failed = true;
        tried = told;
        continue;
      }
      if (journal->commit({entry("AAA001L8", tried)})) {
        told = tried;
      } else {
        failed = true;
        CHECK(journal->state().at("AAA001L8").address == told);
      }
      if (i == 2 && !journal->abort("x")) failed = true;
    }
    world.files.crash(survives);
    const auto address = world.open()->state().at("AAA001L8").address;
    // What was told is there, and what failed is not, unless power went in the middle of telling.
    if (crash && failed)
      CHECK((address == told || address == tried));
    else
      CHECK(address == told);
    CHECK(world.open()->state().size() == 2);
    if (!failed) break;
    REQUIRE(n < 100);
  }
}
