// Persistent reservations through a loss of power: APTPL (SPC-4 5.12.5).
#include "test/unit/scsi/fake_unit.h"
#include "test/unit/scsi/reservations.h"

using namespace test;  // NOLINT

namespace {

constexpr std::uint8_t kAptpl = 0x01;
constexpr auto kGood = "0/00/00";

// Keeps what it is given when the test says so.
struct Store final : ReservationStore {
  void keep(KeptReservations state, Done<bool> done) override {
    REQUIRE_FALSE(waiting);
    asked = std::move(state);
    waiting = std::move(done);
  }
  void answer(bool kept_it) {
    REQUIRE(waiting);
    if (kept_it) kept = asked;
    std::exchange(waiting, {})(kept_it);
  }
  KeptReservations asked, kept;
  Done<bool> waiting;
};

// A unit over it, with hosts that have been told of the start.
struct Host {
  explicit Host(Store& with) : store(with), unit({&with, with.kept}) {
    for (const NexusId id : {kA, kB, kC}) unit.log_in(id);
  }
  // PERSISTENT RESERVE OUT, as far as it goes without the store.
  void begin(NexusId nexus, std::uint8_t action, std::uint8_t type, std::uint64_t key,
             std::uint64_t sa_key, std::uint8_t flags = 0) {
    recorder.ended.clear();
    recorder.submit(nexus, {0x5F, action, type, 0, 0, 0, 0, 0, 24, 0}, 0,
                    World::list(key, sa_key, flags));
  }
  // Status and sense of what begin() has begun.
  std::string end() const {
    if (recorder.ended.size() != 1) return "not ended";
    const Ended& last = recorder.ended.front();
    if (last.aborted) return "aborted";
    return last.reply.status == SamStatus::kReservationConflict ? "conflict" : sense_of(last);
  }
  std::string out(NexusId nexus, std::uint8_t action, std::uint8_t type, std::uint64_t key,
                  std::uint64_t sa_key, std::uint8_t flags = 0) {
    begin(nexus, action, type, key, sa_key, flags);
    if (store.waiting) store.answer(true);
    return end();
  }
  std::vector<std::byte> in(NexusId nexus, std::uint8_t action) {
    return recorder.run(nexus, {0x5E, action, 0, 0, 0, 0, 0, 0, 255, 0}, 255).data();
  }
  SamStatus write(NexusId nexus) {
    return recorder.run(nexus, cdb_with_length(0x0A, 0), 0).reply.status;
  }
  Store& store;
  FakeUnit unit;
  Recorder recorder{unit};
};

}  // namespace

TEST_CASE("APTPL: what the state machine wants to have kept") {
  World w(true);
  CHECK(w.r.kept() == KeptReservations{});
  w.enrol(w.b, 8);
  CHECK(w.r.kept() == KeptReservations{});  // not asked for
  REQUIRE(good(w.out(w.a, kRegister, 0, 0, 7, kAptpl)));
  REQUIRE(w.r.kept().registrations.size() == 2);  // asked for by one, for the whole unit
  CHECK(w.r.kept().registrations[0].key == 8);
  CHECK(w.r.kept().registrations[1].port.transport_id == transport_id('a'));
  CHECK_FALSE(w.r.kept().reservation);
  REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  REQUIRE(w.r.kept().reservation);
  CHECK(w.r.kept().reservation->type == ReservationType::kExclusiveAccess);

  SECTION("another state machine takes it back, and knows the ports again") {
    Reservations other(true);
    other.restore(w.r.kept());
    w.r = std::move(other);
    CHECK(w.generation() == 0);  // SPC-4 6.15.2: a power on sets it to 0
    CHECK(w.keys() == std::vector<std::uint64_t>{8, 7});
    w.log_in({4, 1}, 'a');
    w.log_in({5, 1}, 'c');
    CHECK(w.r.holds_persistent_reservation({4, 1}));
    CHECK(w.conflict({5, 1}));
    CHECK(w.r.persistent_reserve_in({4, 1}, kCapabilities).data ==
          hex({0, 8, 0x1D, 0x81, 0xEA, 0x01, 0, 0}));
  }
  SECTION("the last valid registration decides") {
    SECTION("a change of key") { REQUIRE(good(w.out(w.b, kRegister, 0, 8, 9))); }
    SECTION("ignoring the key") { REQUIRE(good(w.out(w.b, kRegisterAndIgnore, 0, 0, 9))); }
    SECTION("a first registration") { REQUIRE(good(w.out(w.c, kRegister, 0, 0, 9))); }
    SECTION("an unregistration") { REQUIRE(good(w.out(w.b, kRegister, 0, 8, 0))); }
    CHECK(w.r.kept() == KeptReservations{});
    CHECK(w.r.persistent_reserve_in(w.a, kCapabilities).data ==
          hex({0, 8, 0x1D, 0x80, 0xEA, 0x01, 0, 0}));
    CHECK(w.conflict(w.c));  // only the keeping ended
  }
  SECTION("what is refused decides nothing") {
    CHECK(conflicts(w.out(w.b, kRegister, 0, 1, 9)));
    CHECK(good(w.out(w.c, kRegister, 0, 0, 0)));  // it was not registered
    CHECK(w.r.kept().registrations.size() == 2);
  }
  SECTION("CLEAR leaves nothing to keep") {
    REQUIRE(good(w.out(w.a, kClear, 0, 7)));
    CHECK(w.r.kept() == KeptReservations{});
  }
}

TEST_CASE("APTPL: a command that changes what is kept ends when it is durable") {
  Store store;
  Host host(store);
  host.begin(kA, kRegister, 0, 0, 7, kAptpl);
  REQUIRE(store.waiting);
  CHECK(host.end() == "not ended");
  CHECK(store.asked.registrations.size() == 1);
  SECTION("done") {
    store.answer(true);
    CHECK(host.end() == kGood);
    CHECK(host.in(kA, kReadKeys).size() == 16);
    // What changes nothing of it asks nobody.
    host.begin(kB, kRegister, 0, 1, 8, kAptpl);
    CHECK(host.end() == "conflict");
    REQUIRE(host.out(kA, kReserve, 1, 7, 0) == kGood);
    CHECK(host.write(kB) == SamStatus::kReservationConflict);
    SECTION("a start later the same hosts are known") {
      Host again(store);
      CHECK(again.write(kA) == SamStatus::kGood);
      CHECK(again.write(kB) == SamStatus::kReservationConflict);
      CHECK(again.out(kA, kRelease, 1, 7, 0) == kGood);
      CHECK(store.kept.registrations.size() == 1);
      CHECK_FALSE(store.kept.reservation);
    }
    SECTION("and with APTPL = 0 they are not") {
      REQUIRE(host.out(kA, kRegister, 0, 7, 7) == kGood);
      CHECK(store.kept == KeptReservations{});
      CHECK(host.write(kB) == SamStatus::kReservationConflict);
      Host again(store);
      CHECK(again.write(kB) == SamStatus::kGood);
      CHECK(again.in(kA, kReadKeys).size() == 8);
    }
  }
  SECTION("failed: the registration is refused, and nothing has changed") {
    store.answer(false);
    CHECK(host.end() == "5/55/04");
    CHECK(host.in(kA, kReadKeys) == hex({0, 0, 0, 0, 0, 0, 0, 0}));
    CHECK(host.in(kA, kCapabilities) == hex({0, 8, 0x1D, 0x80, 0xEA, 0x01, 0, 0}));
  }
  SECTION("the nexus is lost meanwhile: what is durable holds") {
    host.unit.nexus_lost(kA);
    store.answer(true);
    CHECK(host.end() == "not ended");  // to nobody
    CHECK(host.in(kB, kReadKeys).size() == 16);
    host.unit.log_in({kA.slot, 2});
    CHECK(host.out({kA.slot, 2}, kReserve, 3, 7, 0) == kGood);
  }
  SECTION("a reset meanwhile ends the task, not what it does") {
    host.unit.manage(TaskFunction::kLogicalUnitReset, kB, {}, [](TaskFunctionResult) {});
    CHECK(host.end() == "aborted");
    store.answer(true);
    CHECK(store.kept.registrations.size() == 1);
    while (host.unit.attentions().take(kB)) {
    }
    CHECK(host.in(kB, kReadKeys).size() == 16);
  }
}

TEST_CASE("APTPL: a RESERVE, RELEASE or PREEMPT that cannot be kept changes nothing") {
  Store store;
  Host host(store);
  REQUIRE(host.out(kA, kRegister, 0, 0, 7, kAptpl) == kGood);
  REQUIRE(host.out(kB, kRegister, 0, 0, 8, kAptpl) == kGood);
  REQUIRE(host.out(kA, kReserve, 3, 7, 0) == kGood);
  struct Row {
    NexusId nexus;
    std::uint8_t action;
    std::uint64_t key, sa_key;
  };
  const auto row = GENERATE(Row{kA, kRelease, 7, 0}, Row{kB, kClear, 8, 0}, Row{kB, kPreempt, 8, 7},
                            Row{kB, kPreemptAndAbort, 8, 7});
  const auto status_before = host.in(kC, kFullStatus);
  host.begin(row.nexus, row.action, 3, row.key, row.sa_key);
  REQUIRE(store.waiting);
  store.answer(false);
  CHECK(host.end() == "4/44/00");
  CHECK(host.in(kC, kFullStatus) == status_before);
  CHECK(host.write(kB) == SamStatus::kReservationConflict);
  CHECK_FALSE(host.unit.attentions().pending(kA));  // nobody was preempted
}
