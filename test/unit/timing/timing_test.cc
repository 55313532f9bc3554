// Virtual time: what a real drive would take it for, and who waits for it.
#include <catch2/catch.hpp>

#include "scsi/ssc/profile.h"
#include "test/unit/ssc/memory_medium.h"
#include "vtl/timing/timed_medium.h"

namespace vtl {
namespace {

using namespace scsi::ssc;  // NOLINT: as in the room
using namespace std::chrono_literals;
using TimePoint = TapeMotion::TimePoint;

constexpr std::uint64_t kGb = 1'000'000'000;
const TimePoint kStart{1h};

double seconds_since(TimePoint then, TimePoint now) {
  return std::chrono::duration<double>(now - then).count();
}

TEST_CASE("Figures for every drive that there is") {
  for (std::uint8_t generation = 5; generation <= 9; ++generation) {
    const LtoTiming* timing = find_timing(generation);
    REQUIRE(timing != nullptr);
    CHECK(timing->generation == generation);
    CHECK(native_rate_bytes_per_s(generation) >= 140'000'000);
    CHECK(wraps(generation) % 2 == 0);  // a full tape ends where it began
  }
  CHECK(find_timing(4) == nullptr);
  CHECK(find_timing(10) == nullptr);
  CHECK(native_rate_bytes_per_s(0) == 0);
  CHECK(native_rate_bytes_per_s(11) == 0);
  CHECK(wraps(8) == 208);
  CHECK(wraps(5) == 80);
}

TEST_CASE("A host that writes is ahead of the heads by the buffer, and no more") {
  TapeMotion tape(*find_timing(8), 8);  // 360 MB/s, 1 GB
  TimePoint now = kStart;
  std::uint64_t at_once = 0;
  for (std::uint64_t written = 0; written < 36 * kGb; written += 1'000'000) {
    const TimePoint due = tape.write(now, 1'000'000);
    if (due == now && now == kStart) at_once += 1'000'000;
    now = due;
  }
  CHECK(at_once == 1 * kGb);
  CHECK(seconds_since(kStart, now) == Approx(35.0 / 0.36).epsilon(0.001));
  // What is still in the buffer takes its time, too.
  CHECK(seconds_since(kStart, tape.drain(now)) == Approx(100).epsilon(0.001));
  CHECK(tape.drain(now + 10s) == now + 10s);
}

TEST_CASE("A host that reads waits for the heads, which read ahead while it does not") {
  TapeMotion tape(*find_timing(8), 8);
  const TimePoint first = tape.read(kStart, 360'000'000);
  CHECK(seconds_since(kStart, first) == Approx(1));
  // 1 GB is there when it comes back after a while, and then the tape's rate again.
  const TimePoint later = first + 1min;
  CHECK(tape.read(later, kGb) == later);
  CHECK(seconds_since(later, tape.read(later, 360'000'000)) == Approx(1));
}

TEST_CASE("An older cartridge streams at its own rate") {
  TapeMotion tape(*find_timing(8), 7);
  CHECK(seconds_since(kStart, tape.read(kStart, 300'000'000)) == Approx(1));
}

TEST_CASE("Far in bytes may be near in metres") {
  TapeMotion tape(*find_timing(8), 8);
  const std::uint64_t wrap = 12'000 * kGb / 208;
  const auto takes = [&](std::uint64_t from, std::uint64_t to) {
    return seconds_since(kStart, TapeMotion(tape).move(kStart, from, to));
  };
  CHECK(takes(0, 0) == 0);
  CHECK(takes(0, wrap / 2) == Approx(59));  // the published average
  CHECK(takes(wrap / 2, 0) == Approx(59));
  CHECK(takes(0, wrap) == Approx(118));  // the other end
  CHECK(takes(0, 2 * wrap) == Approx(0).margin(0.001));
  CHECK(takes(0, 2 * wrap + wrap / 4) == Approx(29.5).epsilon(0.001));
  CHECK(takes(wrap - wrap / 10, wrap + wrap / 10) == Approx(0).margin(0.001));
  TapeMotion lto9(*find_timing(9), 9);
  const std::uint64_t half = 18'000 * kGb / 280 / 2;
  CHECK(seconds_since(kStart, TapeMotion(lto9).move(kStart, 0, half)) == Approx(45));
  CHECK(seconds_since(kStart, TapeMotion(lto9).move(kStart, half, 0)) == Approx(55));
}

TEST_CASE("A tape is wound when what was written is on it") {
  TapeMotion tape(*find_timing(8), 8);
  const std::uint64_t quarter = 12'000 * kGb / 208 / 4;
  CHECK(tape.write(kStart, 720'000'000) == kStart);
  CHECK(seconds_since(kStart, tape.unload(kStart, quarter)) == Approx(2 + 29.5 + 24));
}

// --- the decorator

struct VirtualAlarm final : Alarm {
  struct Time {
    TimePoint now = kStart;
    TimePoint due{};
    scsi::Callback callback;
    void pass(std::chrono::nanoseconds time) {
      now += time;
      if (callback && due <= now) std::exchange(callback, {})();
    }
  };
  explicit VirtualAlarm(Time& t) : time(t) {}
  TimePoint now() const override { return time.now; }
  void at(TimePoint when, scsi::Callback callback) override {
    CHECK_FALSE(time.callback);
    time.due = when;
    time.callback = std::move(callback);
  }
  Time& time;
};

// A small tape that is as long as a real one.
struct LongMedium final : MemoryMedium {
  std::uint64_t position_bytes() const override { return position().object * kGb; }
};

struct Deck {
  VirtualAlarm::Time time;
  LongMedium* inside;
  std::unique_ptr<TimedMedium> tape;
  Deck() {
    auto medium = std::make_unique<LongMedium>();
    inside = medium.get();
    tape = std::make_unique<TimedMedium>(std::move(medium), *find_timing(8),
                                         std::make_unique<VirtualAlarm>(time));
  }
  void load() {
    tape->load({}, [](LoadOutcome) {});
    time.pass(15s);
  }
  void write(std::size_t objects) {
    for (std::size_t i = 0; i < objects; ++i)
      tape->write(scsi::Buffer::copy_of(std::vector<std::byte>(1000)), 1000, WriteMode::kBuffered,
                  [](WriteOutcome) {});
  }
};

TEST_CASE("A load is answered when the tape is ready") {
  Deck deck;
  bool ready = false;
  deck.tape->load({}, [&](LoadOutcome outcome) { ready = !outcome.fault; });
  CHECK(deck.inside->loaded());
  deck.time.pass(14s);
  CHECK_FALSE(ready);
  deck.time.pass(1s);
  CHECK(ready);
}

TEST_CASE("A write is answered at once, a synchronising filemark when the heads are there") {
  Deck deck;
  deck.load();
  unsigned answers = 0;
  deck.tape->write(scsi::Buffer::copy_of(std::vector<std::byte>(36'000'000)), 36'000'000,
                   WriteMode::kBuffered, [&](WriteOutcome outcome) {
                     CHECK(outcome.accepted == 1);
                     ++answers;
                   });
  CHECK(answers == 1);
  deck.tape->write_filemarks(1, WriteMode::kBuffered, [&](WriteOutcome) { ++answers; });
  CHECK(answers == 2);
  deck.tape->write_filemarks(1, WriteMode::kDurable, [&](WriteOutcome) { ++answers; });
  deck.time.pass(99ms);
  CHECK(answers == 2);
  deck.time.pass(1ms);
  CHECK(answers == 3);
}

TEST_CASE("LOCATE, SPACE and UNLOAD take the way; what goes wrong is told at once") {
  Deck deck;
  deck.load();
  deck.write(30);
  std::optional<SpaceOutcome> found;
  const auto keep = [&](SpaceOutcome outcome) { found = std::move(outcome); };
  // 20 GB of a wrap of 57.7 GB.
  deck.tape->locate_object(0, 10, keep);
  CHECK_FALSE(found);
  CHECK(deck.tape->progress() == 0);
  deck.time.pass(10s);
  CHECK(deck.tape->progress() > 0xFFFF / 5);
  CHECK(deck.tape->progress() < 0xFFFF / 3);
  deck.time.pass(32s);
  REQUIRE(found);
  CHECK(deck.tape->progress() == 0);
  CHECK(deck.tape->position().object == 10);
  found.reset();
  deck.tape->space(SpaceUnit::kBlocks, -5, keep);
  deck.time.pass(10s);
  CHECK_FALSE(found);
  deck.time.pass(1s);
  REQUIRE(found);
  CHECK(found->spaced == 5);
  bool out = false;
  deck.tape->unload([&](WriteOutcome) { out = true; });
  CHECK_FALSE(deck.inside->loaded());
  deck.time.pass(34s);  // 10.2 s back, 24 s to unload
  CHECK_FALSE(out);
  deck.time.pass(1s);
  CHECK(out);
  deck.load();
  deck.inside->fail_next(MediumFault::Kind::kReadError);
  found.reset();
  deck.tape->locate_object(0, 20, keep);
  REQUIRE(found);
  CHECK(found->fault);
  TapeMedium* inside = deck.inside;
  CHECK(deck.tape->take().get() == inside);
}

}  // namespace
}  // namespace vtl
