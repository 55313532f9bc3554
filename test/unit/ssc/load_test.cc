// Readiness, load and unload, PREVENT, and the robot: states, unit attentions, who waits
// for whom.
#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::ssc::RemoveOutcome;

namespace {
const Cdb kTur{0x00};
const Cdb kLoad{0x1B, 0, 0, 0, 1}, kUnload{0x1B, 0, 0, 0, 0};
const Cdb kPrevent{0x1E, 0, 0, 0, 1}, kAllow{0x1E, 0, 0, 0, 0};

Ended tur(Rig& rig, scsi::NexusId nexus = {1, 1}) { return rig.run(kTur, nexus); }
}  // namespace

TEST_CASE("An empty drive: 2/3A/00 to what needs a cartridge, and to LOAD; UNLOAD is GOOD") {
  Rig rig;
  for (const Cdb& cdb : {kTur, Cdb{0x01}, Cdb{0x04}, Cdb{0x0B}, Cdb{0x82}, Cdb{0x08, 0, 0, 0, 1},
                         Cdb{0x0A, 0, 0, 0, 1}, Cdb{0x10}, Cdb{0x11, 3}, Cdb{0x13}, Cdb{0x19},
                         Cdb{0x2B}, Cdb{0x34, 6}, Cdb{0x44, 1, 0, 0, 0, 0, 0, 1, 0}, Cdb{0x8C},
                         Cdb{0x8D}, Cdb{0x91, 3}, Cdb{0x92}, kLoad}) {
    INFO(static_cast<int>(cdb[0]));
    CHECK(sense_of(rig.run(cdb)) == "2/3A/00");
  }
  CHECK(good(rig.run(kUnload)));
  CHECK_FALSE(rig.drive.state().present);
  CHECK(rig.remove()->result == RemoveOutcome::Result::kEmpty);
}

TEST_CASE("A cartridge that the robot brings: becoming ready, then 28/00 once for every nexus") {
  Rig rig;
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->defer_completions(true);
  rig.insert(std::move(cartridge));
  CHECK(sense_of(tur(rig)) == "2/04/01");
  CHECK(good(rig.run({0x12, 0, 0, 0, 96})));
  CHECK_FALSE(rig.inserted.has_value());
  rig.medium->complete_all();
  CHECK((rig.inserted && !rig.inserted->fault));
  for (const scsi::NexusId nexus : {rig.a, rig.b}) {
    CHECK(sense_of(tur(rig, nexus)) == "6/28/00");
    CHECK(good(tur(rig, nexus)));
  }
  CHECK(rig.medium->info().last_loads[0].serial == "VTL0000001");
  CHECK(rig.drive.state().loaded);
}

TEST_CASE("A host that comes for the first time to a loaded drive is told 29/00, then 28/00") {
  Rig rig;
  rig.load();
  scsi::NexusInfo info;
  info.id = {7, 1};
  info.transport_id = bytes({0x45, 7});
  rig.drive.nexus_established(info);
  // As after a power failure in the middle of writing: the write fails, and so does the filemark
  // that closes the file.
  CHECK(sense_of(rig.send({0x0A, 0, 0, 0, 10}, pattern(10), info.id)) == "6/29/00");
  CHECK(sense_of(rig.run({0x10, 0, 0, 0, 1}, info.id)) == "6/28/00");
  CHECK(rig.medium->at(0).objects.empty());
  CHECK(good(tur(rig, info.id)));
  rig.drive.nexus_lost(info.id);
  info.id = {7, 2};
  rig.drive.nexus_established(info);
  CHECK(good(tur(rig, info.id)));
  info.id = {8, 1};
  info.transport_id = bytes({0x45, 8});
  rig.remove();
  rig.drive.nexus_established(info);
  CHECK(sense_of(tur(rig, info.id)) == "6/29/00");
  CHECK(sense_of(tur(rig, info.id)) == "2/3A/00");
}

TEST_CASE("UNLOAD ejects: 2/3A/00, but the cartridge is in the drive; LOAD brings it back") {
  Rig rig;
  rig.load();
  rig.write(10);
  CHECK(good(rig.run(kUnload)));
  CHECK(rig.medium->at(0).durable == 1);
  CHECK_FALSE(rig.medium->loaded());
  CHECK(sense_of(tur(rig)) == "2/3A/00");
  CHECK(rig.drive.state().present);
  CHECK(good(rig.run(kUnload)));
  CHECK(good(rig.run(kLoad)));
  CHECK(good(tur(rig)));  // not for the nexus whose LOAD it was
  CHECK(sense_of(tur(rig, rig.b)) == "6/28/00");
  CHECK(rig.medium->info().load_count == 2);
}

TEST_CASE("UNLOAD with HOLD: 2/04/02 until LOAD; without it, ejected") {
  Rig rig;
  rig.load();
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0x08})));
  CHECK(sense_of(tur(rig)) == "2/04/02");
  CHECK(good(rig.run(kLoad)));
  CHECK(good(tur(rig)));
  rig.run({0x1B, 0, 0, 0, 0x08});
  CHECK(good(rig.run(kUnload)));
  CHECK(sense_of(tur(rig)) == "2/3A/00");
}

TEST_CASE(
    "LOAD of what is loaded rewinds to the beginning of partition 0, without a unit attention") {
  Rig rig;
  rig.load();
  rig.write(10);
  CHECK(good(rig.run(kLoad)));
  CHECK(rig.position() == 0);
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0x03})));  // RETEN
  CHECK(good(tur(rig, rig.b)));
  CHECK(sense_of(rig.run({0x1B, 0, 0, 0, 0x05})) == "5/24/00 cdb byte 4 bit 2");  // EOT
  CHECK(sense_of(rig.run({0x1B, 0, 0, 0, 0x09})) == "5/24/00 cdb byte 4 bit 3");  // HOLD
}

TEST_CASE("LOAD and UNLOAD with IMMED = 1") {
  Rig rig;
  rig.load();
  rig.medium->defer_completions(true);
  CHECK(good(rig.run({0x1B, 1, 0, 0, 0})));
  CHECK(sense_of(tur(rig)) == "2/04/07");
  CHECK(rig.last.reply.sense->progress == 0);
  CHECK(sense_of(rig.run(kLoad)) == "2/04/07");
  rig.medium->complete_all();
  CHECK(sense_of(tur(rig)) == "2/3A/00");
  CHECK(good(rig.run({0x1B, 1, 0, 0, 1})));
  CHECK(sense_of(tur(rig)) == "2/04/01");
  CHECK(be(rig.run({0x03, 0, 0, 0, 252}).data(), 12, 2) == 0x0401);
  rig.medium->complete_all();
  CHECK(good(tur(rig)));
  CHECK(sense_of(tur(rig, rig.b)) == "6/28/00");
}

TEST_CASE("PREVENT is kept per nexus: UNLOAD and the robot are refused while any prevents") {
  Rig rig;
  rig.load();
  CHECK(good(rig.run(kPrevent, rig.a)));
  CHECK(good(rig.run(kPrevent, rig.b)));
  CHECK(rig.drive.state().prevented);
  CHECK(good(rig.run(kAllow, rig.a)));
  CHECK(sense_of(rig.run(kUnload, rig.a)) == "5/53/02");
  CHECK(rig.remove()->result == RemoveOutcome::Result::kPrevented);
  CHECK(good(tur(rig)));
  rig.drive.nexus_lost(rig.b);
  CHECK_FALSE(rig.drive.state().prevented);
  rig.run(kPrevent, rig.a);
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.a, {},
                   [](scsi::TaskFunctionResult) {});
  CHECK_FALSE(rig.drive.state().prevented);
  rig.drain(rig.a);
  CHECK(good(rig.run(kUnload)));
  CHECK(sense_of(rig.run({0x1E, 0, 0, 0, 2})) == "5/24/00 cdb byte 4 bit 1");
}

TEST_CASE("The robot takes the cartridge: flushed, and no unit attention") {
  Rig rig;
  rig.load();
  rig.write(10);
  auto out = rig.remove();
  REQUIRE(out->result == RemoveOutcome::Result::kRemoved);
  CHECK(out->medium.get() == rig.medium);
  CHECK(rig.medium->at(0).durable == 1);
  CHECK_FALSE(out->fault);
  CHECK_FALSE(rig.drive.state().present);
  CHECK(sense_of(tur(rig)) == "2/3A/00");
  rig.drive.insert(std::move(out->medium), [](scsi::ssc::InsertOutcome) {});
  CHECK(sense_of(tur(rig)) == "6/28/00");
}

TEST_CASE("The robot waits for the command that runs, and commands wait for the robot's turn") {
  Rig rig;
  rig.load();
  // A WRITE that waits for its data has started.
  scsi::Command command;
  command.nexus = rig.a;
  command.tag = 1000;
  command.cdb = {std::byte{0x0A}, {}, {}, {}, std::byte{10}};
  command.writes = true;
  command.expected_length = 10;
  rig.drive.submit(command, rig.sink);
  REQUIRE(rig.sink.wanted.size() == 1);
  std::optional<RemoveOutcome> out;
  rig.drive.remove([&](RemoveOutcome outcome) { out = std::move(outcome); });
  CHECK_FALSE(out.has_value());
  CHECK(good(tur(rig)));                                                // which only asks
  const auto later = rig.sink.submit(rig.a, {0x10, 0, 0, 0, 1, 0}, 0);  // WRITE FILEMARKS
  rig.drive.data_out(rig.a, 1000, scsi::Buffer::copy_of(pattern(10)));
  REQUIRE(out.has_value());
  CHECK(rig.medium->at(0).objects.size() == 1);
  CHECK(rig.medium->at(0).durable == 1);
  REQUIRE(rig.sink.ended.size() == 2);
  CHECK(good(rig.sink.ended[0]));
  CHECK(rig.sink.ended[1].tag == later);
  CHECK(sense_of(rig.sink.ended[1]) == "2/3A/00");
}

TEST_CASE("The robot waits for an operation that goes on after its command") {
  Rig rig;
  rig.load();
  rig.medium->defer_completions(true);
  CHECK(good(rig.run({0x01, 0x01}, rig.a, 0)));
  std::optional<RemoveOutcome> out;
  rig.drive.remove([&](RemoveOutcome outcome) { out = std::move(outcome); });
  CHECK(rig.medium->outstanding() == 1);
  rig.medium->complete_one();  // the rewind
  CHECK_FALSE(out.has_value());
  rig.medium->complete_one();  // the unload
  CHECK(out.has_value());
}

TEST_CASE("Shutting down closes the cartridge whatever PREVENT says, and leaves it in") {
  Rig rig;
  rig.load();
  rig.write(10);
  rig.run(kPrevent);
  bool done = false;
  rig.drive.shut_down([&](const scsi::ssc::WriteOutcome& outcome) { done = !outcome.fault; });
  CHECK(done);
  CHECK(rig.medium->at(0).durable == 1);
  CHECK_FALSE(rig.medium->loaded());
  CHECK(rig.drive.state().present);
  CHECK(sense_of(tur(rig)) == "2/04/12");
  CHECK(sense_of(rig.run(kLoad)) == "2/04/12");
}

TEST_CASE("What the drive cannot use stays in it, refused, and can be taken out") {
  SECTION("an older generation than it reads") {
    Rig rig(8);
    rig.load(std::make_unique<MemoryMedium>(6));
    CHECK((rig.inserted && rig.inserted->fault));
    CHECK(sense_of(tur(rig)) == "3/30/00");
    CHECK(sense_of(rig.run(kLoad)) == "3/30/00");
    CHECK(be(rig.run({0x4D, 0, 0x12, 0, 0, 0, 0, 1, 0}).data(), 8, 8) == 1ull << (64 - 0x0C));
    CHECK(rig.remove()->result == RemoveOutcome::Result::kRemoved);
    CHECK(sense_of(tur(rig)) == "2/3A/00");
  }
  SECTION("a newer one") {
    Rig rig(7);
    rig.load(std::make_unique<MemoryMedium>(8));
    CHECK(sense_of(tur(rig)) == "3/30/00");
  }
  using Kind = MediumFault::Kind;
  for (const auto& [kind, sense] :
       std::initializer_list<std::pair<Kind, const char*>>{{Kind::kIncompatibleFormat, "3/30/02"},
                                                           {Kind::kFormatCorrupt, "3/31/00"},
                                                           {Kind::kInUse, "2/04/03"}}) {
    SECTION(sense) {
      Rig rig;
      auto cartridge = std::make_unique<MemoryMedium>();
      cartridge->fail_next(kind);
      rig.load(std::move(cartridge));
      CHECK(sense_of(tur(rig)) == sense);
      CHECK(good(rig.run(kLoad)));  // another try may go well
      CHECK(good(tur(rig)));
    }
  }
}

TEST_CASE("A cleaning cartridge: it cleans, is counted down, and comes out") {
  Rig rig;
  auto cartridge = std::make_unique<MemoryMedium>();
  cartridge->label().cleaning = true;
  const auto cleanings = [&] {
    return be(rig.run({0x4D, 0, 0x14, 0, 0, 0, 0, 0, 24}).data(), 16, 4);
  };
  SECTION("in its time") {
    cartridge->defer_completions(true);
    rig.insert(std::move(cartridge));
    CHECK(sense_of(tur(rig)) == "2/30/03");
    CHECK(sense_of(rig.run(kLoad)) == "2/30/03");
    CHECK_FALSE(rig.inserted);
    rig.medium->complete_all();
    REQUIRE(rig.inserted);
    CHECK_FALSE(rig.inserted->fault);
    CHECK(sense_of(tur(rig)) == "2/3A/00");  // ejected, and nobody is told 28/00
    CHECK(rig.drive.state().present);
    CHECK(rig.medium->info().load_count == 1);
    CHECK(cleanings() == 1);
    REQUIRE(rig.remove()->result == RemoveOutcome::Result::kRemoved);
  }
  SECTION("again, by a LOAD") {
    rig.insert(std::move(cartridge));
    CHECK(good(rig.run(kLoad)));
    CHECK(sense_of(tur(rig)) == "2/3A/00");
    CHECK(rig.medium->info().load_count == 2);
    CHECK(cleanings() == 2);
  }
  SECTION("worn out: refused, and not used again") {
    cartridge->label().load_count = 49;
    rig.insert(std::move(cartridge));
    CHECK(sense_of(tur(rig)) == "2/3A/00");
    CHECK(sense_of(rig.run(kLoad)) == "2/30/07");
    CHECK(sense_of(tur(rig)) == "2/30/07");
    CHECK(rig.medium->info().load_count == 50);
    CHECK(cleanings() == 1);
    CHECK(be(rig.run({0x4D, 0, 0x12, 0, 0, 0, 0, 1, 0}).data(), 8, 8) == 1ull << (64 - 0x16));
    CHECK(rig.remove()->result == RemoveOutcome::Result::kRemoved);
    CHECK(be(rig.run({0x4D, 0, 0x12, 0, 0, 0, 0, 1, 0}).data(), 8, 8) == 0);
  }
  SECTION("that cannot be read") {
    cartridge->fail_next(MediumFault::Kind::kFormatCorrupt);
    rig.insert(std::move(cartridge));
    CHECK((rig.inserted && rig.inserted->fault));
    CHECK(sense_of(tur(rig)) == "3/31/00");
    CHECK(cleanings() == 0);
  }
}

TEST_CASE("A logical unit reset keeps the cartridge and the position") {
  Rig rig;
  rig.load();
  rig.write(10);
  rig.set_block_length(512);
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.b, {},
                   [](scsi::TaskFunctionResult) {});
  CHECK(sense_of(tur(rig)) == "6/29/03");
  CHECK(good(tur(rig)));
  CHECK(rig.position() == 1);
  CHECK(be(rig.run({0x1A, 0, 0, 0, 12, 0}).data(), 9, 3) == 0);
}

TEST_CASE("A write that is aborted while its data is on the way is not written") {
  Rig rig;
  rig.load();
  scsi::Command command;
  command.nexus = rig.a;
  command.tag = 1000;
  command.cdb = {std::byte{0x0A}, {}, {}, {}, std::byte{10}};
  command.writes = true;
  command.expected_length = 10;
  rig.drive.submit(command, rig.sink);
  rig.drive.manage(scsi::TaskFunction::kAbortTask, rig.a, 1000, [](scsi::TaskFunctionResult) {});
  rig.drive.data_out(rig.a, 1000, scsi::Buffer::copy_of(pattern(10)));
  CHECK(rig.medium->at(0).objects.empty());
  CHECK(good(tur(rig)));
}
