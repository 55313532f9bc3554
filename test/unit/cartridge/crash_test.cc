// Crashes: whatever of the unsynced sectors and names survives, the tape is a state it has been in,
// and nothing that was acknowledged as durable is missing. And every single operation of a scenario
// failing in turn.
#include <cstdio>
#include <cstdlib>

#include "test/unit/cartridge/player.h"
#include "vtl/cartridge/scrub.h"

using namespace vtl;
using namespace vtl::test;
using Failure = MemoryFiles::Failure;

namespace {

void random_operation(Player& p, std::mt19937& random) {
  const auto below = [&](std::uint64_t n) { return static_cast<std::size_t>(random() % n); };
  switch (below(20)) {
    case 0:
      return p.filemarks(1 + static_cast<std::uint32_t>(below(3)), WriteMode::kBuffered);
    case 1:
    case 2:
      return p.filemarks(static_cast<std::uint32_t>(below(3)), WriteMode::kDurable);
    case 3:
      return p.flush(WriteMode::kBuffered);
    case 4:
      return p.locate(below(p.now.size() + 1));
    case 5:
      return p.locate(p.now.size());
    case 6:
      if (below(4) == 0) return p.erase();
      return p.write(1 + below(500));
    case 7:
      if (below(2) == 0) return p.locate(p.now.size());
      p.unload();
      if (!p.stopped) p.load();
      return;
    case 8:
      return p.write(1 + below(300'000), WriteMode::kDurable);
    case 9:
    case 10:
      return p.write(1 + below(300'000));
    default:
      return p.write(1 + below(20'000));
  }
}

// A scrub reads beside everything else: what a crash or an orderly unload leaves is no damage to
// it.
void scrub_finds_nothing(TapeFixture& f) {
  CartridgeScrub scrub(f.files, kDir, FileSystem::Io::kDirect);
  const std::atomic<bool> stop{false};
  REQUIRE_FALSE(scrub.step(UINT64_MAX, stop));
  for (const Damage& one : scrub.state().report.damage) FAIL_CHECK(one.what);
}

// One life after another on one tape, each ended by a power cut at some operation.
void random_world(std::uint32_t seed) {
  INFO("seed " << seed);
  std::mt19937 random(seed);
  MediumOptions options;
  options.compression = static_cast<Compression>(seed % 3);
  if (seed / 3 % 2 == 1) options.io_mode = IoMode::kBuffered;
  TapeFixture f(seed, test_spec(), options);
  Player p(f.tape);
  for (int life = 0; life < 4; ++life) {
    p.load();
    REQUIRE_FALSE(p.stopped);
    const bool killed = random() % 3 == 0;
    // Killed between two operations, or amid one: then the last one's sync is missing.
    const bool amid = !killed || random() % 2 == 0;
    if (amid) f.files.fail_at(random() % 400, Failure::kPowerCut);
    const int most = amid ? 60 : static_cast<int>(random() % 60);
    for (int i = 0; i < most && !p.stopped; ++i) random_operation(p, random);
    f.tape.vanish();
    static constexpr double kSurvival[] = {0.0, 0.1, 0.5, 0.9, 1.0};
    if (killed)
      f.files.kill();
    else
      f.files.crash(kSurvival[random() % 5]);
    if (killed && random() % 2 == 0) {
      // The next process builds on what this one has left, and the power goes while it does.
      f.files.fail_at(random() % 20, Failure::kPowerCut);
      (void)f.tape.load();
      f.tape.vanish();
      f.files.crash(kSurvival[random() % 5]);
    }
    scrub_finds_nothing(f);
    REQUIRE_FALSE(f.tape.load());
    p.check_recovered();
    if (random() % 2 == 0) {
      // Recovered, and crashed again before anything was written.
      f.tape.vanish();
      f.files.crash(0.5);
      REQUIRE_FALSE(f.tape.load());
      p.check_recovered();
    }
    REQUIRE_FALSE(f.tape.unload().fault);
    scrub_finds_nothing(f);
  }
}

void scenario(Player& p) {
  const auto step = [&](auto&& action) {
    if (!p.stopped) action();
  };
  step([&] { p.load(); });
  for (std::size_t i = 0; i < 6; ++i) step([&] { p.write(1000 + i * 50'000); });
  step([&] { p.filemarks(1, WriteMode::kDurable); });
  for (std::size_t i = 0; i < 4; ++i) step([&] { p.write(300'000); });
  step([&] { p.filemarks(2, WriteMode::kBuffered); });
  step([&] { p.flush(WriteMode::kDurable); });
  step([&] { p.locate(9); });
  step([&] { p.write(7000); });
  step([&] { p.filemarks(1, WriteMode::kDurable); });
  step([&] { p.unload(); });
  step([&] { p.load(); });
  step([&] { p.locate(3); });
  step([&] { p.write(70'000, WriteMode::kDurable); });
  step([&] { p.locate(0); });
  step([&] { p.write(5000); });
  step([&] { p.filemarks(1, WriteMode::kDurable); });
  step([&] { p.write(600'000); });
  step([&] { p.filemarks(2, WriteMode::kBuffered); });
  step([&] { p.locate(4); });
  step([&] { p.write(8000); });
  step([&] { p.write(9000); });
  step([&] { p.locate(1); });
  step([&] { p.erase(); });
  step([&] { p.unload(); });
}

}  // namespace

TEST_CASE("Random lives and crashes") {
  // VTL_CRASH_SEED replays one world, VTL_CRASH_ROUNDS sets how many there are.
  const char* seed = std::getenv("VTL_CRASH_SEED");
  if (seed != nullptr) return random_world(static_cast<std::uint32_t>(std::atol(seed)));
  const char* rounds = std::getenv("VTL_CRASH_ROUNDS");
  const std::uint32_t count =
      rounds != nullptr ? static_cast<std::uint32_t>(std::atol(rounds)) : 100;
  for (std::uint32_t s = 1; s <= count; ++s) random_world(s);
  std::printf("random lives: %u worlds\n", count);
}

TEST_CASE("Every operation of a scenario fails in turn") {
  std::uint64_t operations = 0;
  {
    TapeFixture f;
    Player p(f.tape);
    const std::uint64_t before = f.files.operations();
    scenario(p);
    REQUIRE_FALSE(p.stopped);
    operations = f.files.operations() - before;
  }
  REQUIRE(operations > 100);
  const Failure failure =
      GENERATE(Failure::kEio, Failure::kNoSpace, Failure::kShortWrite, Failure::kPowerCut);
  // Every third operation in a push's run, another third for each kind of failure; all of them with
  // VTL_SWEEP=full.
  const char* sweep = std::getenv("VTL_SWEEP");
  const bool full = sweep != nullptr && std::string_view(sweep) == "full";
  const std::uint64_t stride = full ? 1 : 3;
  std::uint64_t swept = 0;
  for (std::uint64_t n = full ? 0 : static_cast<std::uint64_t>(failure) % stride; n < operations;
       n += stride) {
    ++swept;
    INFO("operation " << n << " failure " << static_cast<int>(failure));
    TapeFixture f(static_cast<std::uint32_t>(n + 1));
    Player p(f.tape);
    f.files.fail_at(n, failure);
    scenario(p);
    if (f.tape.medium != nullptr && f.tape.medium->partition_count() != 0 && p.stopped &&
        f.tape.medium->append_failed()) {
      if (const auto late = f.tape.medium->take_deferred_fault()) ++p.told;
      CHECK(p.told == 1);
      CHECK_FALSE(f.tape.medium->take_deferred_fault());
    }
    f.tape.vanish();
    f.files.crash(failure == Failure::kPowerCut ? 0.5 : 1.0);
    REQUIRE_FALSE(f.tape.load());
    p.check_recovered();
    // And it is a tape again.
    p.write(1234);
    p.filemarks(1, WriteMode::kDurable);
    REQUIRE_FALSE(p.stopped);
    REQUIRE(p.contents() == p.now);
    REQUIRE_FALSE(f.tape.unload().fault);
  }
  std::printf("swept failure %d: %lu of %lu operations\n", static_cast<int>(failure),
              static_cast<unsigned long>(swept), static_cast<unsigned long>(operations));
}
