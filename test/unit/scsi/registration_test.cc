// Registering for persistent reservations (SPC-4 5.12.7): keys, ports, nexuses.
#include "test/unit/scsi/reservations.h"

using namespace test;  // NOLINT

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
  SECTION("where nothing is kept, APTPL = 1 is refused before anything changes") {
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
