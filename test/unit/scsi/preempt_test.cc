// What ends registrations and reservations of others (SPC-4 5.12.11): who is told, whose tasks go.
#include "test/unit/scsi/reservations.h"

using namespace test;  // NOLINT

TEST_CASE("Unregistering the holder releases its reservation") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  const auto type = GENERATE(from_range(kTypes));
  CAPTURE(static_cast<int>(type));
  REQUIRE(good(w.out(w.a, kReserve, type, 7)));
  const auto result = w.out(w.a, kRegister, 0, 7, 0);
  CHECK(good(result));
  if (type >= 7) {  // all registrants: b holds it still
    CHECK(w.conflict(w.c));
    CHECK(w.conflict(w.a));
    CHECK(result.attentions.empty());
    CHECK(good(w.out(w.b, kRegister, 0, 8, 0)));
    CHECK_FALSE(w.conflict(w.c));
  } else {
    CHECK_FALSE(w.conflict(w.c));
    CHECK(result.attentions.size() == (type >= 5 ? 1 : 0));
    if (type >= 5) CHECK(told(result, w.b, Asc::kReservationsReleased));
  }
}

TEST_CASE("CLEAR ends every registration and tells the others") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  w.enrol(w.c, 9);
  REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  w.r.nexus_lost(w.c);
  const auto result = w.out(w.b, kClear, 0, 8);  // any registrant may
  CHECK(good(result));
  CHECK(w.keys().empty());
  CHECK_FALSE(w.conflict(w.b));
  CHECK(result.attentions.size() == 1);  // c has gone
  CHECK(told(result, w.a, Asc::kReservationsPreempted));
  CHECK(result.aborted.empty());
  CHECK(w.generation() == 4);
}

TEST_CASE("PREEMPT without a reservation, or of a key that holds none, ends registrations") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  w.enrol(w.c, 8);
  const bool reserved = GENERATE(false, true);
  if (reserved) REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  const auto zero = w.out(w.a, kPreempt, 1, 7, 0);
  CHECK(refused(zero, Asc::kInvalidFieldInParameterList));
  CHECK(zero.sense->field->byte == 8);
  CHECK(conflicts(w.out(w.a, kPreempt, 1, 7, 99)));
  const auto before = w.generation();
  const auto result = w.out(w.a, kPreempt, 1, 7, 8);
  CHECK(good(result));
  CHECK(w.keys() == std::vector<std::uint64_t>{7});
  CHECK(result.attentions.size() == 2);
  CHECK(told(result, w.b, Asc::kRegistrationsPreempted));
  CHECK(told(result, w.c, Asc::kRegistrationsPreempted));
  CHECK(result.aborted.empty());
  CHECK(w.generation() == before + 1);
  CHECK(w.conflict(w.b) == reserved);
  // type 1 was not taken: the reservation is what it was
  CHECK(w.conflict(w.b, ReservationRule::kAllowedForRead) == reserved);
}

TEST_CASE("PREEMPT of the holder takes the reservation") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  w.enrol(w.c, 9);
  REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  SECTION("by another, of another type") {
    const auto result = w.out(w.b, kPreempt, 5, 8, 7);
    CHECK(good(result));
    CHECK(w.keys() == std::vector<std::uint64_t>{8, 9});
    CHECK(told(result, w.a, Asc::kRegistrationsPreempted));
    CHECK(told(result, w.c, Asc::kReservationsReleased));
    CHECK(result.attentions.size() == 2);
    CHECK(w.r.holds_persistent_reservation(w.b));
    CHECK(w.conflict(w.a));
    CHECK_FALSE(w.conflict(w.c));
  }
  SECTION("by another, of the same type") {
    const auto result = w.out(w.b, kPreempt, 3, 8, 7);
    CHECK(result.attentions.size() == 1);
    CHECK(told(result, w.a, Asc::kRegistrationsPreempted));
  }
  SECTION("by the holder itself: only the type changes") {
    const auto result = w.out(w.a, kPreempt, 1, 7, 7);
    CHECK(good(result));
    CHECK(w.keys() == std::vector<std::uint64_t>{7, 8, 9});
    CHECK(told(result, w.b, Asc::kReservationsReleased));
    CHECK(told(result, w.c, Asc::kReservationsReleased));
    CHECK_FALSE(w.conflict(w.b, ReservationRule::kAllowedForRead));
  }
  SECTION("of a dead host: nobody to tell, and it can be taken") {
    w.r.nexus_lost(w.a);
    const auto result = w.out(w.b, kPreemptAndAbort, 3, 8, 7);
    CHECK(good(result));
    CHECK(result.attentions.empty());
    CHECK(result.aborted.empty());
    CHECK_FALSE(w.conflict(w.b));
  }
}

TEST_CASE("PREEMPT under all registrants") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 8);
  w.enrol(w.c, 9);
  REQUIRE(good(w.out(w.a, kReserve, 8, 7)));
  SECTION("key 0: everyone else goes, the reservation is taken") {
    const auto result = w.out(w.b, kPreempt, 3, 8, 0);
    CHECK(good(result));
    CHECK(w.keys() == std::vector<std::uint64_t>{8});
    CHECK(told(result, w.a, Asc::kRegistrationsPreempted));
    CHECK(told(result, w.c, Asc::kRegistrationsPreempted));
    CHECK(w.conflict(w.a, ReservationRule::kAllowedForRead));
    CHECK_FALSE(w.conflict(w.b));
  }
  SECTION("a key: those go, the reservation stays") {
    const auto result = w.out(w.b, kPreempt, 3, 8, 7);
    CHECK(good(result));
    CHECK(w.keys() == std::vector<std::uint64_t>{8, 9});
    CHECK(told(result, w.a, Asc::kRegistrationsPreempted));
    CHECK(result.attentions.size() == 1);
    CHECK_FALSE(w.conflict(w.c));
    CHECK(w.conflict(w.a));
  }
  SECTION("its own key, until nobody is left") {
    CHECK(good(w.out(w.a, kRegister, 0, 7, 0)));
    CHECK(good(w.out(w.b, kRegister, 0, 8, 0)));
    const auto result = w.out(w.c, kPreempt, 3, 9, 9);
    CHECK(good(result));
    CHECK(result.attentions.empty());
    CHECK(w.keys().empty());
    CHECK_FALSE(w.conflict(w.a));
  }
}

TEST_CASE("PREEMPT AND ABORT names whose tasks go, never the sender") {
  World w;
  w.enrol(w.a, 7);
  w.enrol(w.b, 7);
  w.enrol(w.c, 9);
  SECTION("registrations alone") {
    const auto result = w.out(w.a, kPreemptAndAbort, 3, 7, 7);  // its own key as well
    CHECK(result.aborted == std::vector<NexusId>{w.b});
    CHECK(told(result, w.b, Asc::kRegistrationsPreempted));
    CHECK(w.keys() == std::vector<std::uint64_t>{9});
  }
  SECTION("with the reservation") {
    REQUIRE(good(w.out(w.c, kReserve, 1, 9)));
    const auto result = w.out(w.a, kPreemptAndAbort, 3, 7, 9);
    CHECK(result.aborted == std::vector<NexusId>{w.c});
    CHECK(w.r.holds_persistent_reservation(w.a));
  }
  SECTION("PREEMPT aborts nobody") { CHECK(w.out(w.c, kPreempt, 3, 9, 7).aborted.empty()); }
}
