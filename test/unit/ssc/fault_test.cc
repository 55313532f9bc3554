// Write faults: told exactly once, to the nexus that wrote; then nobody appends.
#include "scsi/ssc/fault_sense.h"
#include "test/unit/ssc/rig.h"

using namespace test;
using Kind = MediumFault::Kind;

namespace {
struct Loaded : Rig {
  Loaded() { load(); }
};
}  // namespace

TEST_CASE("Each fault has its sense") {
  const auto text = [](Kind kind) {
    Ended end;
    end.reply.sense = scsi::ssc::sense_of({kind, 0, ""});
    return sense_of(end);
  };
  CHECK(text(Kind::kWriteError) == "3/0C/00");
  CHECK(text(Kind::kReadError) == "3/11/00");
  CHECK(text(Kind::kObjectMissing) == "3/14/00");
  CHECK(text(Kind::kNoSpace) == "D/00/02");
  CHECK(text(Kind::kIncompatibleFormat) == "3/30/02");
  CHECK(text(Kind::kFormatCorrupt) == "3/31/00");
  CHECK(text(Kind::kInUse) == "2/04/03");
  CHECK(text(Kind::kAttributeStore) == "3/0C/0B");
  const scsi::Sense deferred = scsi::ssc::deferred_sense_of({Kind::kWriteError, 7, ""});
  CHECK(deferred.encode_fixed()[0] == std::byte{0xF1});
  CHECK(deferred.information == 7);
}

TEST_CASE("A fault of acknowledged writes is deferred sense of the writer's next command, once") {
  Loaded rig;
  rig.write(10);
  rig.filemarks(0);
  rig.write(10);
  rig.write(10);
  rig.medium->lose_buffered();
  CHECK(good(rig.run({0x00}, rig.b)));  // not the one that wrote
  CHECK(good(rig.run({0x12, 0, 0, 0, 96})));
  CHECK(be(rig.run({0x03, 0, 0, 0, 252}).data(), 2, 1) == 0);
  CHECK(sense_of(rig.write(10)) == "3/0C/00");  // not executed
  CHECK(flags_of(rig.last) == "info=2 deferred");
  CHECK(rig.medium->at(0).objects.size() == 1);

  CHECK(good(rig.run({0x00})));
  CHECK(sense_of(rig.write(10)) == "3/0C/00");  // from now on a current error
  CHECK(flags_of(rig.last).empty());
  CHECK(sense_of(rig.filemarks(0)) == "3/0C/00");
  CHECK(sense_of(rig.filemarks(1)) == "3/0C/00");
  CHECK(sense_of(rig.run({0x10, 0, 0, 0, 1}, rig.b, 0)) == "3/0C/00");
  CHECK(rig.drive.state().append_failed);
  rig.rewind();
  CHECK(good(rig.read(10)));  // what is on the tape can be read

  CHECK(good(rig.run({0x1B, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(good(rig.run({0x1B, 0, 0, 0, 1}, rig.a, 0)));
  CHECK(good(rig.write(10)));
}

TEST_CASE("A synchronising command that finds the fault itself reports it as its own") {
  Loaded rig;
  rig.write(10);
  rig.medium->fail_next(Kind::kWriteError);
  CHECK(sense_of(rig.filemarks(1)) == "3/0C/00");
  CHECK_FALSE(rig.last.reply.sense->deferred);
  CHECK(good(rig.run({0x00})));
}

TEST_CASE("REWIND, LOCATE and SPACE tell of writes that did not arrive") {
  for (const Cdb& cdb : {Cdb{0x01}, Cdb{0x2B}, Cdb{0x11, 0x03}, Cdb{0x11, 0, 0, 0, 7}}) {
    Loaded rig;
    rig.write(10);
    rig.medium->fail_next(Kind::kWriteError);
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "3/0C/00");
    CHECK(flags_of(rig.last) == "info=1");
  }
}

TEST_CASE("A write fault while writing says what was not written") {
  Loaded rig;
  rig.medium->fail_next(Kind::kWriteError);
  CHECK(sense_of(rig.write(300)) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=300");
  rig.run({0x1B}, rig.a, 0);
  rig.run({0x1B, 0, 0, 0, 1}, rig.a, 0);
  rig.medium->fail_next(Kind::kNoSpace);
  CHECK(sense_of(rig.write(300)) == "D/00/02");
  CHECK(flags_of(rig.last) == "EOM info=300");
}

TEST_CASE("The writer's session was replaced: its successor is told") {
  Loaded rig;
  rig.write(10);
  rig.medium->lose_buffered();
  rig.drive.nexus_lost(rig.a);
  scsi::NexusInfo again;
  again.id = {1, 2};
  again.transport_id = bytes({0x45, 1});
  rig.drive.nexus_established(again);
  CHECK(sense_of(rig.run({0x00}, again.id)) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=1 deferred");
  CHECK(good(rig.run({0x00}, again.id)));
}

TEST_CASE(
    "A fault that an aborted command met is deferred to the writer: the data is gone all the "
    "same") {
  for (const Cdb& cdb : {Cdb{0x10, 0, 0, 0, 1}, Cdb{0x01}, Cdb{0x1B}}) {
    for (const scsi::TaskFunction function :
         {scsi::TaskFunction::kAbortTaskSet, scsi::TaskFunction::kLogicalUnitReset}) {
      Loaded rig;
      rig.write(10);
      rig.medium->defer_completions(true);
      rig.medium->fail_next(Kind::kWriteError);
      rig.sink.submit(rig.a, cdb, 0);
      rig.drive.manage(function, rig.a, {}, [](scsi::TaskFunctionResult) {});
      rig.medium->complete_all();
      rig.medium->defer_completions(false);
      if (function == scsi::TaskFunction::kLogicalUnitReset)
        CHECK(sense_of(rig.run({0x00})) == "6/29/03");
      CHECK(sense_of(rig.run({0x00})) == "3/0C/00");
      CHECK(rig.last.reply.sense->deferred);
      CHECK(sense_of(rig.run({0x00})) == (cdb[0] == 0x1B ? "2/3A/00" : "0/00/00"));
    }
  }
}

TEST_CASE("What an aborted WRITE met is told in objects, not in that WRITE's bytes") {
  Loaded rig;
  rig.medium->defer_completions(true);
  rig.medium->fail_next(Kind::kWriteError);
  rig.sink.submit(rig.a, {0x0A, 0, 0, 0, 10, 0}, 0, pattern(10, 1));
  rig.drive.manage(scsi::TaskFunction::kAbortTaskSet, rig.a, {}, [](scsi::TaskFunctionResult) {});
  rig.medium->complete_all();
  rig.medium->defer_completions(false);
  CHECK(sense_of(rig.run({0x00})) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=0 deferred");
}

TEST_CASE("A fault that became known while the writer was away waits for its next session") {
  const scsi::NexusId again{1, 2};
  const auto come_back = [&](Rig& rig) {
    scsi::NexusInfo info;
    info.id = again;
    info.transport_id = bytes({0x45, 1});
    rig.drive.nexus_established(info);
  };
  const auto told_once = [&](Rig& rig) {
    CHECK(sense_of(rig.run({0x00}, again)) == "3/0C/00");
    CHECK(flags_of(rig.last) == "info=1 deferred");
    CHECK(sense_of(rig.run({0x00}, again)) != "3/0C/00");
  };
  SECTION("of the command that its loss aborted") {
    Loaded rig;
    rig.write(10);
    rig.medium->defer_completions(true);
    rig.medium->fail_next(Kind::kWriteError);
    rig.sink.submit(rig.a, {0x01}, 0);
    rig.drive.nexus_lost(rig.a);
    rig.medium->complete_all();
    rig.medium->defer_completions(false);
    come_back(rig);
    told_once(rig);
  }
  SECTION("of an immediate command") {
    for (const Cdb& cdb : {Cdb{0x01, 1}, Cdb{0x1B, 1}}) {
      Loaded rig;
      rig.write(10);
      rig.medium->defer_completions(true);
      rig.medium->fail_next(Kind::kWriteError);
      CHECK(good(rig.run(cdb, rig.a, 0)));
      rig.drive.nexus_lost(rig.a);
      rig.medium->complete_all();
      rig.medium->defer_completions(false);
      come_back(rig);
      told_once(rig);
    }
  }
  SECTION("of the robot's unload, before and after the session went") {
    for (const bool before : {false, true}) {
      Loaded rig;
      rig.write(10);
      rig.medium->lose_buffered();
      if (before) rig.remove();
      rig.drive.nexus_lost(rig.a);
      if (!before) rig.remove();
      come_back(rig);
      told_once(rig);
    }
  }
  SECTION("but not once another cartridge has been loaded") {
    Loaded rig;
    rig.write(10);
    rig.medium->lose_buffered();
    rig.drive.nexus_lost(rig.a);
    rig.remove();
    rig.insert(std::make_unique<MemoryMedium>());
    come_back(rig);
    CHECK(sense_of(rig.run({0x00}, again)) == "6/28/00");
    CHECK(good(rig.run({0x00}, again)));
  }
}

TEST_CASE("The cartridge leaves with an untold fault: the robot and the writer are told") {
  Loaded rig;
  rig.write(10);
  rig.medium->lose_buffered();
  const auto out = rig.remove();
  CHECK(out->fault.has_value());
  CHECK(sense_of(rig.run({0x00}, rig.b)) == "2/3A/00");
  CHECK(sense_of(rig.run({0x00})) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=1 deferred");
  CHECK(sense_of(rig.run({0x00})) == "2/3A/00");
}

TEST_CASE("What a cartridge has lost is not blamed on the one that the robot brings next") {
  const auto abort_a_write = [](Loaded& rig) {  // so that nobody has heard of its fault
    rig.medium->defer_completions(true);
    rig.medium->fail_next(Kind::kWriteError);
    rig.sink.submit(rig.a, {0x10, 0, 0, 0, 1}, 0);
    rig.drive.manage(scsi::TaskFunction::kAbortTaskSet, rig.a, {}, [](scsi::TaskFunctionResult) {});
    rig.medium->complete_all();
    rig.medium->defer_completions(false);
  };
  const auto lose_what_is_buffered = [](Loaded& rig) { rig.medium->lose_buffered(); };
  const auto check = [](const auto& lose) {
    Loaded rig;
    rig.write(10);
    lose(rig);
    rig.remove();
    rig.insert(std::make_unique<MemoryMedium>());
    CHECK(sense_of(rig.run({0x00})) == "6/28/00");
    CHECK(good(rig.run({0x00})));
    CHECK(good(rig.write(10)));
  };
  check(abort_a_write);
  check(lose_what_is_buffered);
}

TEST_CASE("A LOAD of the same cartridge does not do away with what its writer has to be told") {
  Loaded rig;
  rig.write(10);
  rig.medium->fail_next(Kind::kWriteError);
  CHECK(good(rig.run({0x1B, 1}, rig.a, 0)));
  CHECK(good(rig.run({0x1B, 0, 0, 0, 1}, rig.b, 0)));
  CHECK(sense_of(rig.run({0x00})) == "6/28/00");
  CHECK(sense_of(rig.run({0x00})) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=1 deferred");
  CHECK(good(rig.run({0x00})));
}

TEST_CASE("UNLOAD reports what its flush could not write, and unloads") {
  Loaded rig;
  rig.write(10);
  rig.medium->fail_next(Kind::kWriteError);
  CHECK(sense_of(rig.run({0x1B}, rig.a, 0)) == "3/0C/00");
  CHECK(flags_of(rig.last) == "info=1");
  CHECK(sense_of(rig.run({0x00})) == "2/3A/00");
}

namespace {

// The raised flags of page 2Eh, which is 324 bytes: code, C0h, 1, the flag.
std::string tape_alerts(Loaded& rig, scsi::NexusId nexus = {1, 1}) {
  const Data page = rig.run({0x4D, 0, 0x6E, 0, 0, 0, 0, 0x02, 0}, nexus).data();
  REQUIRE(page.size() == 324);
  CHECK(be(page, 0, 4) == 0x2E000140);
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (std::size_t i = 0; i < 64; ++i) {
    CHECK(be(page, 4 + 5 * i, 4) == ((i + 1) << 16 | 0xC001));
    if (be(page, 4 + 5 * i + 4, 1) != 0) out.append({kHex[(i + 1) / 16], kHex[(i + 1) % 16], ' '});
  }
  return out;
}

}  // namespace

TEST_CASE("TapeAlert 0Fh: the label or the attributes of a cartridge are damaged, until it goes") {
  Loaded rig;
  CHECK(tape_alerts(rig).empty());
  REQUIRE(rig.remove()->result == scsi::ssc::RemoveOutcome::Result::kRemoved);
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->label().memory_damaged = true;
  rig.load(std::move(cartridge));
  CHECK(tape_alerts(rig) == "0F ");
  CHECK(tape_alerts(rig).empty());
  CHECK(tape_alerts(rig, rig.b) == "0F ");
  // Page 12h and the cartridge's memory say what holds, read or not.
  CHECK(rig.run({0x4D, 0, 0x52, 0, 0, 0, 0, 0, 16, 0}).data() ==
        bytes({0x12, 0, 0, 0x0C, 0, 0, 3, 8, 0, 0x02, 0, 0, 0, 0, 0, 0}));
  REQUIRE(rig.remove());
  CHECK(rig.run({0x4D, 0, 0x52, 0, 0, 0, 0, 0, 16, 0}).data() ==
        bytes({0x12, 0, 0, 0x0C, 0, 0, 3, 8, 0, 0, 0, 0, 0, 0, 0, 0}));
  rig.load();
  CHECK(tape_alerts(rig, rig.b).empty());
  SECTION("or they cannot be written") {
    rig.medium->fail_next(Kind::kAttributeStore);
    Data list = bytes({0, 0, 0, 13, 0x08, 0x02, 1, 0, 8});
    list.resize(17, std::byte{'1'});
    CHECK(sense_of(rig.send({0x8D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0}, list)) ==
          "3/0C/0B");
    CHECK(tape_alerts(rig) == "0F ");
  }
}

TEST_CASE("TapeAlert 12h: the load had to do without the cartridge's directory") {
  Loaded rig;
  REQUIRE(rig.remove());
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->label().directory_damaged = true;
  rig.load(std::move(cartridge));
  CHECK(tape_alerts(rig) == "12 ");
  CHECK(rig.run({0x4D, 0, 0x52, 0, 0, 0, 0, 0, 16, 0}).data() ==
        bytes({0x12, 0, 0, 0x0C, 0, 0, 3, 8, 0, 0, 0x40, 0, 0, 0, 0, 0}));
}

TEST_CASE("TapeAlert 0Bh: a cleaning cartridge cleans, until it is done") {
  Loaded rig;
  REQUIRE(rig.remove());
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->label().cleaning = true;
  cartridge->defer_completions(true);
  rig.insert(std::move(cartridge));
  CHECK(tape_alerts(rig) == "0B ");
  rig.medium->complete_all();
  CHECK(tape_alerts(rig, rig.b).empty());
}

TEST_CASE("TapeAlert 37h and 04h: a load that failed, until one succeeds") {
  Loaded rig;
  REQUIRE(rig.run({0x1B, 0, 0, 0, 0, 0}, rig.a, 0).reply.status == scsi::SamStatus::kGood);
  rig.medium->fail_next(Kind::kFormatCorrupt);
  CHECK(rig.run({0x1B, 0, 0, 0, 1, 0}, rig.a, 0).reply.status != scsi::SamStatus::kGood);
  CHECK(tape_alerts(rig) == "04 37 ");
  REQUIRE(rig.run({0x1B, 0, 0, 0, 1, 0}, rig.a, 0).reply.status == scsi::SamStatus::kGood);
  rig.drain(rig.b);
  CHECK(tape_alerts(rig, rig.b).empty());
}

TEST_CASE("TapeAlert: what hosts ask for and cannot have") {
  Loaded rig;
  CHECK(good(rig.run({0x1E, 0, 0, 0, 1}, rig.b)));
  CHECK(sense_of(rig.run({0x1B}, rig.a, 0)) == "5/53/02");
  CHECK(good(rig.run({0x1E}, rig.b)));
  rig.medium->label().write_protected = true;
  CHECK(sense_of(rig.write(10)) == "7/27/00");
  CHECK(good(rig.filemarks(0)));
  rig.medium->label().write_protected = false;
  rig.medium->label().worm = true;
  rig.write(10);
  rig.rewind();
  CHECK(sense_of(rig.write(10)) == "7/30/0C");
  rig.medium->damage(0, 0, Kind::kReadError);
  CHECK(sense_of(rig.read(10)) == "3/11/00");
  // 03h hard error, 05h read failure, 09h write protect, 0Ah no removal, 3Ch WORM.
  CHECK(be(rig.run({0x8C, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 17}).data(), 9, 8) ==
        0x28C0'0000'0000'0010);
  CHECK(be(rig.run({0x12, 1, 0xB2, 0, 12}).data(), 4, 8) % 0x20 == 0x10);
  CHECK(tape_alerts(rig) == "03 05 09 0A 3C ");
  // A reset is no repair; LOG SELECT forgets them, for everybody.
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.a, {}, [](auto) {});
  rig.drain(rig.a);
  rig.drain(rig.b);
  CHECK(tape_alerts(rig, rig.b) == "03 05 09 0A 3C ");
  rig.rewind();
  CHECK(sense_of(rig.write(10)) == "7/30/0C");  // and again
  CHECK(tape_alerts(rig, rig.b) == "3C ");
  CHECK(good(rig.run({0x4C, 0x02, 0x6E}, rig.a, 0)));
  CHECK(be(rig.run({0x4D, 0, 0x52, 0, 0, 0, 0, 0, 16, 0}).data(), 8, 8) == 0);
  REQUIRE(rig.remove());
  rig.insert(std::make_unique<MemoryMedium>(5));  // of no use to an LTO-8 drive
  CHECK(tape_alerts(rig) == "0C ");
  REQUIRE(rig.remove());
  CHECK(tape_alerts(rig).empty());

  Rig reader(7);
  reader.load(std::make_unique<MemoryMedium>(5));
  CHECK(sense_of(reader.write(10)) == "7/27/00");
  CHECK(be(reader.run({0x4D, 0, 0x52, 0, 0, 0, 0, 0, 16, 0}).data(), 8, 8) == std::uint64_t{1}
                                                                                  << (64 - 0x11));
}

TEST_CASE("TapeAlert: a full pool is nobody's defect") {
  Loaded rig;
  rig.medium->fail_next(Kind::kNoSpace);
  rig.write(10);
  CHECK(tape_alerts(rig).empty());
}

TEST_CASE(
    "TapeAlert: healthy is all zero; a write failure raises 03h and 06h, reading clears for the "
    "reader") {
  Loaded rig;
  const Cdb kAlerts{0x4D, 0, 0x6E, 0, 0, 0, 0, 0x02, 0};
  const auto raised = [&](scsi::NexusId nexus) {
    std::string out;
    const Data page = rig.run(kAlerts, nexus).data();
    CHECK(page.size() == 324);
    CHECK(be(page, 0, 1) == 0x2E);
    for (std::size_t i = 0; i < 64; ++i)
      if (be(page, 4 + 5 * i + 4, 1) != 0) out += std::to_string(i + 1) + " ";
    return out;
  };
  CHECK(raised(rig.a).empty());
  rig.medium->fail_next(Kind::kWriteError);
  rig.write(10);
  // Only the header, as sg_logs asks first; then the first four flags.
  CHECK(rig.run({0x4D, 0, 0x6E, 0, 0, 0, 0, 0, 4, 0}).data().size() == 4);
  CHECK(raised(rig.b) == "3 6 ");
  CHECK(be(rig.run({0x4D, 0, 0x6E, 0, 0, 0, 3, 0, 14, 0}).data(), 8, 1) == 1);
  CHECK(raised(rig.a) == "6 ");
  CHECK(raised(rig.a).empty());
  CHECK(raised(rig.b).empty());
}
