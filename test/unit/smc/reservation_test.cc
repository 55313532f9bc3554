// Reservations (SPC-2 5.5, SPC-4 5.12) as a state machine: who is refused, told, aborted.
#include "scsi/reservation.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

using namespace scsi;  // NOLINT: a test of this namespace

namespace {

constexpr std::uint8_t kRegister = 0, kReserve = 1, kRelease = 2, kClear = 3, kPreempt = 4,
                       kPreemptAndAbort = 5, kRegisterAndIgnore = 6;
constexpr std::uint8_t kReadKeys = 0, kReadReservation = 1, kCapabilities = 2, kFullStatus = 3;
const std::vector<std::uint8_t> kTypes = {1, 3, 5, 6, 7, 8};

// An iSCSI TransportID (SPC-4 7.6.4.6) of 44 bytes.
std::vector<std::byte> transport_id(char host) {
  ByteBuilder out;
  const std::string name = std::string("iqn.2026-11.test:host-") + host + ",i,0x00023d000001";
  out.u8(0x45).u8(0).u16((name.size() + 4) / 4 * 4).bytes(as_bytes(name));
  while (out.size() % 4 != 0 || out.size() < 4 + name.size() + 1) out.u8(0);
  return out.take();
}

struct World {
  Reservations r;
  NexusId a{1, 1}, b{2, 1}, c{3, 1};
  World() {
    log_in(a, 'a');
    log_in(b, 'b');
    log_in(c, 'c');
  }
  void log_in(NexusId id, char host) {
    NexusInfo info;
    info.id = id;
    info.transport_id = transport_id(host);
    r.nexus_established(info);
  }
  static std::vector<std::byte> list(std::uint64_t key, std::uint64_t sa_key, std::uint8_t flags) {
    ByteBuilder out;
    out.u64(key).u64(sa_key).u32(0).u8(flags).u8(0).u16(0);
    return out.take();
  }
  ReservationResult out(NexusId n, std::uint8_t action, std::uint8_t type, std::uint64_t key,
                        std::uint64_t sa_key = 0, std::uint8_t flags = 0) {
    return r.persistent_reserve_out(n, action, type, list(key, sa_key, flags));
  }
  void enrol(NexusId n, std::uint64_t key) {
    REQUIRE(out(n, kRegister, 0, 0, key).status == SamStatus::kGood);
  }
  std::vector<std::uint64_t> keys() {
    const auto data = r.persistent_reserve_in(a, kReadKeys).data;
    ByteReader reader(data);
    reader.skip(4);
    std::vector<std::uint64_t> keys(reader.u32() / 8);
    for (auto& key : keys) key = reader.u64();
    REQUIRE(reader.ok());
    REQUIRE(reader.remaining() == 0);
    return keys;
  }
  std::uint32_t generation() {
    return ByteReader(r.persistent_reserve_in(a, kReadKeys).data).u32();
  }
  bool conflict(NexusId n, ReservationRule rule = ReservationRule::kConflict) {
    return r.conflict(rule, n);
  }
};

bool good(const ReservationResult& result) {
  return result.status == SamStatus::kGood && !result.sense;
}
bool conflicts(const ReservationResult& result) {
  return result.status == SamStatus::kReservationConflict && !result.sense &&
         result.attentions.empty() && result.aborted.empty();
}
bool refused(const ReservationResult& result, Asc asc) {
  return result.status == SamStatus::kCheckCondition && result.sense &&
         result.sense->key == SenseKey::kIllegalRequest && result.sense->asc == asc;
}
bool told(const ReservationResult& result, NexusId nexus, Asc asc) {
  return std::count_if(result.attentions.begin(), result.attentions.end(),
                       [&](const auto& at) { return at.nexus == nexus && at.asc == asc; }) == 1;
}
std::vector<std::byte> hex(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

}  // namespace

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

TEST_CASE("REGISTER") {
  World w;
  SECTION("first time: the reservation key must be 0") {
    CHECK(conflicts(w.out(w.a, kRegister, 0, 1, 7)));
    CHECK(w.generation() == 0);
    CHECK(good(w.out(w.a, kRegister, 0, 0, 7)));
    CHECK(w.keys() == std::vector<std::uint64_t>{7});
    CHECK(w.generation() == 1);
    CHECK(w.r.registered(w.a));
  }
  SECTION("unregistering what is not registered changes nothing") {
    CHECK(good(w.out(w.a, kRegister, 0, 0, 0)));
    CHECK(good(w.out(w.a, kRegisterAndIgnore, 0, 99, 0)));
    CHECK(w.generation() == 0);
    CHECK(w.keys().empty());
  }
  SECTION("again: with the right key it changes or goes") {
    w.enrol(w.a, 7);
    CHECK(conflicts(w.out(w.a, kRegister, 0, 0, 9)));
    CHECK(conflicts(w.out(w.a, kRegister, 0, 8, 9)));
    CHECK(good(w.out(w.a, kRegister, 0, 7, 9)));
    CHECK(w.keys() == std::vector<std::uint64_t>{9});
    CHECK(good(w.out(w.a, kRegister, 0, 9, 0)));
    CHECK(w.keys().empty());
    CHECK(w.generation() == 3);
  }
  SECTION("and ignore existing key") {
    CHECK(good(w.out(w.a, kRegisterAndIgnore, 0, 1234, 7)));
    CHECK(good(w.out(w.a, kRegisterAndIgnore, 0, 4321, 8)));
    CHECK(w.keys() == std::vector<std::uint64_t>{8});
    CHECK(good(w.out(w.a, kRegisterAndIgnore, 0, 0, 0)));
    CHECK(w.keys().empty());
  }
  SECTION("two nexuses may use one key") {
    w.enrol(w.a, 7);
    w.enrol(w.b, 7);
    CHECK(w.keys() == std::vector<std::uint64_t>{7, 7});
  }
  SECTION("persistence through power loss is refused, before anything changes") {
    const auto result = w.out(w.a, kRegister, 0, 0, 7, 0x01);
    CHECK(refused(result, Asc::kInvalidFieldInParameterList));
    REQUIRE(result.sense->field);
    CHECK(result.sense->field->byte == 20);
    CHECK(result.sense->field->bit == 0);
    CHECK_FALSE(result.sense->field->in_cdb);
    CHECK(w.keys().empty());
    CHECK(
        refused(w.out(w.a, kRegisterAndIgnore, 0, 0, 7, 0x01), Asc::kInvalidFieldInParameterList));
  }
  SECTION("APTPL means nothing elsewhere") {
    w.enrol(w.a, 7);
    CHECK(good(w.out(w.a, kReserve, 1, 7, 0, 0x01)));
  }
}

TEST_CASE("A registration outlives its nexus and is that of the initiator port") {
  World w;
  w.enrol(w.a, 7);
  REQUIRE(good(w.out(w.a, kReserve, 3, 7)));
  w.r.nexus_lost(w.a);
  w.r.reset();
  CHECK(w.keys() == std::vector<std::uint64_t>{7});
  CHECK(w.conflict(w.b));
  w.log_in({1, 2}, 'a');
  CHECK_FALSE(w.conflict({1, 2}));
  CHECK(w.r.holds_persistent_reservation({1, 2}));
  CHECK(good(w.out({1, 2}, kRelease, 3, 7)));
  // Another target port, or another initiator in the same slot, is another I_T nexus.
  NexusInfo other;
  other.id = {9, 1};
  other.transport_id = transport_id('a');
  other.relative_target_port = 2;
  w.r.nexus_established(other);
  CHECK_FALSE(w.r.registered({9, 1}));
  w.log_in({1, 3}, 'x');
  CHECK_FALSE(w.r.registered({1, 3}));
  CHECK(conflicts(w.out({1, 3}, kRelease, 3, 7)));
  // A nexus that nobody announced registers nothing.
  CHECK(conflicts(w.out({77, 7}, kRegister, 0, 0, 7)));
}

TEST_CASE("Registrations are bounded") {
  World w;
  for (std::size_t i = 0; i < Reservations::kMaxRegistrations; ++i) {
    NexusInfo info;
    info.id = {static_cast<std::uint32_t>(100 + i), 1};
    info.transport_id = transport_id('-');
    info.transport_id.push_back(static_cast<std::byte>(i));
    w.r.nexus_established(info);
    w.enrol(info.id, i + 1);
  }
  CHECK(refused(w.out(w.a, kRegister, 0, 0, 7), Asc::kInsufficientRegistrationResources));
  CHECK(w.keys().size() == Reservations::kMaxRegistrations);
  CHECK(good(w.out({100, 1}, kRegister, 0, 1, 50)));  // a change of key needs no room
  CHECK(good(w.out({100, 1}, kRegister, 0, 50, 0)));
  CHECK(good(w.out(w.a, kRegister, 0, 0, 7)));
}

TEST_CASE("REGISTER with SPEC_I_PT registers the named ports too") {
  World w;
  const auto with_ids = [](std::initializer_list<std::vector<std::byte>> ids, int lie = 0) {
    ByteBuilder body;
    for (const auto& id : ids) body.bytes(id);
    ByteBuilder out;
    out.bytes(World::list(0, 7, 0x08)).u32(body.size() + static_cast<std::size_t>(lie));
    out.bytes(body.view());
    return out.take();
  };
  SECTION("all of them, once") {
    CHECK(good(w.r.persistent_reserve_out(
        w.a, kRegister, 0, with_ids({transport_id('b'), transport_id('z'), transport_id('a')}))));
    CHECK(w.keys() == std::vector<std::uint64_t>{7, 7, 7});
    CHECK(w.r.registered(w.b));
    CHECK_FALSE(w.r.registered(w.c));
    w.log_in({5, 1}, 'z');
    CHECK(w.r.registered({5, 1}));
    // Only the first registration of a nexus may do so.
    auto again = with_ids({transport_id('c')});
    again[7] = std::byte{7};
    const auto result = w.r.persistent_reserve_out(w.a, kRegister, 0, again);
    CHECK(refused(result, Asc::kInvalidFieldInParameterList));
    CHECK(result.sense->field->byte == 20);
    CHECK(result.sense->field->bit == 3);
  }
  SECTION("a length that lies") {
    for (const int lie : {-4, 4, 0x7FFFFFFF})
      CHECK(
          refused(w.r.persistent_reserve_out(w.a, kRegister, 0, with_ids({transport_id('b')}, lie)),
                  Asc::kParameterListLengthError));
    CHECK(refused(w.out(w.a, kRegister, 0, 0, 7, 0x08), Asc::kParameterListLengthError));
    CHECK(w.keys().empty());
  }
  SECTION("a TransportID that lies, or names no port") {
    for (const unsigned length : {0u, 4u, 16u, 41u, 200u, 0xFFFFu}) {
      auto id = transport_id('b');
      id[2] = static_cast<std::byte>(length >> 8);
      id[3] = static_cast<std::byte>(length & 0xFF);
      CHECK(refused(w.r.persistent_reserve_out(w.a, kRegister, 0, with_ids({id})),
                    Asc::kInvalidFieldInParameterList));
    }
    auto odd = transport_id('b');
    odd.push_back(std::byte{0});  // whole, but not a multiple of four
    odd[3] = static_cast<std::byte>(odd.size() - 4);
    CHECK(refused(w.r.persistent_reserve_out(w.a, kRegister, 0, with_ids({odd})),
                  Asc::kInvalidFieldInParameterList));
    auto whole_host = transport_id('b');
    whole_host[0] = std::byte{0x05};
    CHECK(refused(w.r.persistent_reserve_out(w.a, kRegister, 0, with_ids({whole_host})),
                  Asc::kInvalidFieldInParameterList));
    CHECK(refused(w.r.persistent_reserve_out(w.a, kRegister, 0, with_ids({hex({0x45})})),
                  Asc::kInvalidFieldInParameterList));
    CHECK(w.keys().empty());
  }
  SECTION("without SPEC_I_PT nothing may follow") {
    auto list = with_ids({transport_id('b')});
    list[20] = std::byte{0};
    CHECK(refused(w.r.persistent_reserve_out(w.a, kRegister, 0, list),
                  Asc::kParameterListLengthError));
  }
}

TEST_CASE("PERSISTENT RESERVE OUT is checked before its list is fetched") {
  World w;
  for (const std::uint32_t length : {0u, 1u, 23u, 16385u, 0xFFFFFFFFu}) {
    const auto result = w.r.check_persistent_reserve_out(kRegister, 0, length);
    REQUIRE(result);
    CHECK(refused(*result, Asc::kParameterListLengthError));
  }
  CHECK_FALSE(w.r.check_persistent_reserve_out(kRegister, 0, 24));
  CHECK_FALSE(w.r.check_persistent_reserve_out(kRegister, 0, 25));  // SPEC_I_PT tells
  CHECK(
      refused(*w.r.check_persistent_reserve_out(kReserve, 1, 25), Asc::kParameterListLengthError));
  CHECK(refused(*w.r.check_persistent_reserve_out(kRegisterAndIgnore, 0, 25),
                Asc::kParameterListLengthError));
  for (int action = 7; action < 32; ++action) {
    const auto result = w.r.check_persistent_reserve_out(static_cast<std::uint8_t>(action), 0, 24);
    REQUIRE(result);
    CHECK(refused(*result, Asc::kInvalidFieldInCdb));
    CHECK(result->sense->field->byte == 1);
  }
  for (const std::uint8_t action : {kReserve, kPreempt, kPreemptAndAbort}) {
    const auto scope = w.r.check_persistent_reserve_out(action, 0x11, 24);
    REQUIRE(scope);
    CHECK(scope->sense->field->byte == 2);
    CHECK(scope->sense->field->bit == 7);
    for (const std::uint8_t type : std::vector<std::uint8_t>{0, 2, 4, 9, 15}) {
      const auto result = w.r.check_persistent_reserve_out(action, type, 24);
      REQUIRE(result);
      CHECK(refused(*result, Asc::kInvalidFieldInCdb));
      CHECK(result->sense->field->bit == 3);
    }
    for (const std::uint8_t type : kTypes)
      CHECK_FALSE(w.r.check_persistent_reserve_out(action, type, 24));
  }
}

TEST_CASE("Every service action but REGISTER needs the registered key") {
  World w;
  const auto action = GENERATE(kReserve, kRelease, kClear, kPreempt, kPreemptAndAbort);
  CAPTURE(static_cast<int>(action));
  w.enrol(w.b, 8);
  CHECK(conflicts(w.out(w.a, action, 1, 0, 8)));
  CHECK(conflicts(w.out(w.a, action, 1, 8, 8)));
  CHECK(conflicts(w.out(w.b, action, 1, 7, 8)));
  CHECK(w.keys() == std::vector<std::uint64_t>{8});
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
