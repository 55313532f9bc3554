// RESERVE and RELEASE of either method (SPC-2 5.5, SPC-4 5.12): who is refused.
#include "test/unit/scsi/reservations.h"

using namespace test;  // NOLINT

TEST_CASE("RESERVE keeps everyone else out, but for what is always allowed") {
  World w;
  CHECK(good(w.r.reserve(w.a)));
  CHECK(good(w.r.reserve(w.a)));
  CHECK(conflicts(w.r.reserve(w.b)));
  CHECK(w.r.reserved_by(w.a));
  CHECK_FALSE(w.r.reserved_by(w.b));
  for (const auto rule : {ReservationRule::kConflict, ReservationRule::kAllowedForRead,
                          ReservationRule::kReserveOnly}) {
    CHECK(w.conflict(w.b, rule));
    CHECK_FALSE(w.conflict(w.a, rule));
  }
  CHECK_FALSE(w.conflict(w.b, ReservationRule::kAllowed));
  CHECK_FALSE(w.conflict(w.b, ReservationRule::kHandled));

  CHECK(good(w.r.release(w.b)));  // of a non-holder: no effect
  CHECK(w.conflict(w.b));
  CHECK(good(w.r.release(w.a)));
  CHECK_FALSE(w.conflict(w.b));
  CHECK(good(w.r.reserve(w.b)));
}

TEST_CASE("RESERVE ends with its nexus and with a reset") {
  World w;
  w.r.reserve(w.a);
  w.r.nexus_lost(w.b);
  CHECK(w.conflict(w.c));
  SECTION("nexus loss") { w.r.nexus_lost(w.a); }
  SECTION("reset") { w.r.reset(); }
  CHECK_FALSE(w.conflict(w.c));
  // The same slot under a new generation is another nexus.
  w.log_in({1, 2}, 'a');
  w.r.reserve(w.c);
  CHECK(w.conflict({1, 2}));
}

TEST_CASE("The two methods of reserving exclude each other") {
  World w;
  SECTION("RESERVE first: persistent reservations conflict for everyone") {
    w.r.reserve(w.a);
    CHECK(conflicts(w.r.persistent_reserve_in(w.b, kReadKeys)));
    CHECK(conflicts(w.out(w.b, kRegister, 0, 0, 7)));
    CHECK(conflicts(w.out(w.a, kRegister, 0, 0, 7)));
    const auto early = w.r.check_persistent_reserve_out(kRegister, 0, 24);
    REQUIRE(early);
    CHECK(conflicts(*early));
    w.r.release(w.a);
    CHECK(good(w.out(w.b, kRegister, 0, 0, 7)));
  }
  SECTION("a registration first: RESERVE conflicts") {
    w.enrol(w.a, 7);
    CHECK(conflicts(w.r.reserve(w.a)));
    CHECK(conflicts(w.r.reserve(w.b)));
    CHECK_FALSE(w.conflict(w.b));
  }
  SECTION("CRH: who has access by a persistent reservation is told GOOD and nothing changes") {
    w.enrol(w.a, 7);
    w.enrol(w.b, 8);
    REQUIRE(good(w.out(w.a, kReserve, 1, 7)));
    CHECK(good(w.r.reserve(w.a)));
    CHECK_FALSE(w.r.reserved_by(w.a));
    CHECK(good(w.r.release(w.a)));
    CHECK(w.conflict(w.c));
    CHECK(conflicts(w.r.reserve(w.b)));  // registered, but write exclusive gives it no access
    REQUIRE(good(w.out(w.a, kRelease, 1, 7)));
    REQUIRE(good(w.out(w.a, kReserve, 5, 7)));
    CHECK(good(w.r.reserve(w.b)));
    CHECK(conflicts(w.r.reserve(w.c)));
  }
}

TEST_CASE("Who may do what under each type") {
  World w;
  const auto type = GENERATE(from_range(kTypes));
  CAPTURE(static_cast<int>(type));
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  REQUIRE(good(w.out(w.a, kReserve, type, 7)));
  const bool write_exclusive = type == 1 || type == 5 || type == 7;
  const bool registrants_too = type >= 5;
  const auto reads = ReservationRule::kAllowedForRead;
  const auto ready = ReservationRule::kReserveOnly;
  // the holder
  CHECK_FALSE(w.conflict(w.a));
  CHECK_FALSE(w.conflict(w.a, reads));
  // registered
  CHECK(w.conflict(w.b) == !registrants_too);
  CHECK(w.conflict(w.b, reads) == (!registrants_too && !write_exclusive));
  CHECK_FALSE(w.conflict(w.b, ready));
  // not registered
  CHECK(w.conflict(w.c));
  CHECK(w.conflict(w.c, reads) == !write_exclusive);
  CHECK_FALSE(w.conflict(w.c, ready));
  CHECK_FALSE(w.conflict(w.c, ReservationRule::kAllowed));
  CHECK_FALSE(w.conflict(w.c, ReservationRule::kHandled));
}

TEST_CASE("RESERVE: one reservation at a time") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  CHECK(w.generation() == 2);  // RESERVE and RELEASE don't count
  CHECK(good(w.out(w.a, kReserve, 3, 7)));
  CHECK(conflicts(w.out(w.a, kReserve, 1, 7)));
  CHECK(conflicts(w.out(w.b, kReserve, 3, 8)));
  CHECK(w.r.holds_persistent_reservation(w.a));
  CHECK_FALSE(w.r.holds_persistent_reservation(w.b));

  REQUIRE(good(w.out(w.a, kRelease, 3, 7)));
  REQUIRE(good(w.out(w.a, kReserve, 7, 7)));
  CHECK(good(w.out(w.b, kReserve, 7, 8)));  // all registrants: a holder too
  CHECK(w.r.holds_persistent_reservation(w.b));
}

TEST_CASE("RELEASE") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  CHECK(good(w.out(w.a, kRelease, 3, 7)));  // nothing is reserved
  const auto type = GENERATE(from_range(kTypes));
  CAPTURE(static_cast<int>(type));
  REQUIRE(good(w.out(w.a, kReserve, type, 7)));
  const std::uint8_t other_type = type == 1 ? 3 : 1;
  CHECK(refused(w.out(w.a, kRelease, other_type, 7), Asc::kInvalidReleaseOfPersistentReservation));
  CHECK(refused(w.out(w.a, kRelease, static_cast<std::uint8_t>(type | 0x10), 7),
                Asc::kInvalidReleaseOfPersistentReservation));
  if (type < 7) {
    CHECK(good(w.out(w.b, kRelease, type, 8)));  // not the holder: no effect
    CHECK(w.conflict(w.c));
  }
  const auto result = w.out(w.a, kRelease, type, 7);
  CHECK(good(result));
  CHECK_FALSE(w.conflict(w.c));
  if (type >= 5) {
    CHECK(result.attentions.size() == 1);
    CHECK(told(result, w.b, Asc::kReservationsReleased));
  } else {
    CHECK(result.attentions.empty());
  }
  CHECK(w.generation() == 2);
}

TEST_CASE("PERSISTENT RESERVE IN, byte for byte") {
  World w;
  CHECK(w.r.persistent_reserve_in(w.a, kReadKeys).data == hex({0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(w.r.persistent_reserve_in(w.a, kReadReservation).data == hex({0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(w.r.persistent_reserve_in(w.a, kFullStatus).data == hex({0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(w.r.persistent_reserve_in(w.a, kCapabilities).data ==
        hex({0, 8, 0x1C, 0x80, 0xEA, 0x01, 0, 0}));
  for (int action = 4; action < 32; ++action) {
    const auto result = w.r.persistent_reserve_in(w.a, static_cast<std::uint8_t>(action));
    CHECK(refused(result, Asc::kInvalidFieldInCdb));
    CHECK(result.sense->field->byte == 1);
  }

  REQUIRE(good(w.out(w.a, kRegister, 0, 0, 0x1122334455667788, 0x04)));  // ALL_TG_PT
  w.enrol(w.b, 0x99);
  REQUIRE(good(w.out(w.a, kReserve, 6, 0x1122334455667788)));
  CHECK(w.r.persistent_reserve_in(w.c, kReadKeys).data ==
        hex({0, 0, 0, 2, 0, 0, 0, 16,  0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,  //
             0, 0, 0, 0, 0, 0, 0, 0x99}));
  CHECK(w.r.persistent_reserve_in(w.c, kReadReservation).data ==
        hex({0, 0, 0, 2, 0, 0, 0, 16, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,  //
             0, 0, 0, 0, 0, 6, 0, 0}));

  ByteBuilder full;
  const auto id_a = transport_id('a'), id_b = transport_id('b');
  full.u32(2).u32(48 + id_a.size() + id_b.size());
  full.u64(0x1122334455667788).u32(0).u8(0x03).u8(6).u32(0).u16(1).u32(id_a.size()).bytes(id_a);
  full.u64(0x99).u32(0).u8(0).u8(0).u32(0).u16(1).u32(id_b.size()).bytes(id_b);
  CHECK(w.r.persistent_reserve_in(w.c, kFullStatus).data == full.take());

  // All registrants: many holders, so no key.
  REQUIRE(good(w.out(w.a, kRelease, 6, 0x1122334455667788)));
  REQUIRE(good(w.out(w.b, kReserve, 7, 0x99)));
  CHECK(w.r.persistent_reserve_in(w.c, kReadReservation).data ==
        hex({0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0}));
  const auto status = w.r.persistent_reserve_in(w.c, kFullStatus).data;
  CHECK(status[8 + 12] == std::byte{0x03});
  CHECK(status[8 + 24 + id_a.size() + 12] == std::byte{0x01});
}
