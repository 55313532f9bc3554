#include "scsi/target.h"

#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {

// Records what a target says, whichever unit it is.
class Sink : public ReplySink {
 public:
  void want(NexusId, TaskTag, std::uint32_t) override { ++wants; }
  void complete(NexusId nexus, TaskTag tag, Reply reply, Residual residual) override {
    ended.push_back({nexus, tag, false, std::move(reply), residual});
  }
  void aborted(NexusId nexus, TaskTag tag) override { ended.push_back({nexus, tag, true, {}, {}}); }
  std::vector<Ended> ended;
  int wants = 0;
};

struct TwoUnits {
  FakeUnit zero, five;
  Target target;
  Sink sink;
  TwoUnits() {
    target.add(0, zero);
    target.add(5, five);
    target.nexus_established(nexus_info(kA));
    zero.attentions().take(kA);
    five.attentions().take(kA);
  }
  Ended run(std::uint64_t lun, const std::vector<std::uint8_t>& cdb, std::uint32_t expected = 512) {
    Command command;
    command.nexus = kA;
    command.tag = 1;
    for (std::size_t i = 0; i < cdb.size(); ++i) command.cdb[i] = std::byte{cdb[i]};
    command.reads = true;
    command.expected_length = expected;
    target.submit(Lun{lun}, command, sink);
    REQUIRE(sink.ended.size() == 1);
    Ended end = std::move(sink.ended.back());
    sink.ended.clear();
    return end;
  }
  TaskFunctionResult manage(TaskFunction function, std::uint64_t lun) {
    std::optional<TaskFunctionResult> result;
    target.manage(function, kA, Lun{lun}, 1, [&](TaskFunctionResult r) { result = r; });
    REQUIRE(result);
    return *result;
  }
};

constexpr std::uint64_t kLun5 = 0x0005'0000'0000'0000, kLun7 = 0x0007'0000'0000'0000;
const std::vector<std::uint8_t> kReportLuns = {0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};

}  // namespace

TEST_CASE("LUN formats: peripheral and flat name the same units, the rest none") {
  CHECK(Lun{0}.number() == 0);
  CHECK(Lun{kLun5}.number() == 5);
  CHECK(Lun{0x4005'0000'0000'0000}.number() == 5);
  CHECK(Lun{0x7FFF'0000'0000'0000}.number() == 0x3FFF);
  CHECK_FALSE(Lun{0x0105'0000'0000'0000}.number());  // another bus
  CHECK_FALSE(Lun{0x8005'0000'0000'0000}.number());  // logical unit addressing
  CHECK_FALSE(Lun{0xC101'0000'0000'0000}.number());  // well known
  CHECK_FALSE(Lun{0x0005'0001'0000'0000}.number());  // a second level
  CHECK_FALSE(Lun{~std::uint64_t{0}}.number());
}

TEST_CASE("REPORT LUNS: from any LUN, present or not") {
  TwoUnits t;
  const auto list =
      bytes({0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0});
  for (const std::uint64_t lun : {std::uint64_t{0}, kLun5, kLun7}) {
    CHECK(t.run(lun, kReportLuns).data() == list);
    auto cdb = kReportLuns;
    cdb[2] = 1;  // well known ones
    CHECK(t.run(lun, cdb).data() == bytes({0, 0, 0, 0, 0, 0, 0, 0}));
    cdb[2] = 2;
    CHECK(t.run(lun, cdb).data() == list);
    cdb[2] = 3;
    CHECK(sense_of(t.run(lun, cdb)) == "5/24/00 cdb byte 2");
    CHECK(t.run(lun, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0}).data().size() == 16);
    CHECK(sense_of(t.run(lun, {0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 15, 0, 0})) == "5/24/00 cdb byte 6");
  }
  CHECK(report_luns_data({0x123})[8] == std::byte{0x41});
}

TEST_CASE("an absent LUN: INQUIRY, REQUEST SENSE, and 5/25/00") {
  TwoUnits t;
  Ended end = t.run(kLun7, {0x12, 0, 0, 0, 255, 0});
  CHECK(end.reply.status == SamStatus::kGood);
  CHECK(end.data().size() == 36);
  CHECK(end.data()[0] == std::byte{0x7F});
  CHECK(end.data()[4] == std::byte{31});
  CHECK(end.residual.underflow == 512 - 36);
  CHECK(t.run(kLun7, {0x12, 0, 0, 0, 5, 0}).data().size() == 5);
  CHECK(t.run(kLun7, {0x12, 1, 0x80, 0, 255, 0}).data() == bytes({0x7F, 0x80, 0, 0}));
  end = t.run(kLun7, {0x03, 0, 0, 0, 252, 0});
  CHECK(end.reply.status == SamStatus::kGood);
  CHECK(end.data() == Sense::illegal_request(Asc::kLogicalUnitNotSupported).encode_fixed());
  CHECK(sense_of(t.run(kLun7, kTur)) == "5/25/00");
  CHECK(sense_of(t.run(kLun7, cdb_with_length(0x0A, 512))) == "5/25/00");
  CHECK(t.sink.wants == 0);
}

TEST_CASE("commands reach their unit, and only it") {
  TwoUnits t;
  t.five.unready = Sense::not_ready(Asc::kMediumNotPresent);
  CHECK(t.run(0, kTur).reply.status == SamStatus::kGood);
  CHECK(sense_of(t.run(kLun5, kTur)) == "2/3A/00");
  CHECK(sense_of(t.run(0x4005'0000'0000'0000, kTur)) == "2/3A/00");
}

TEST_CASE("task management: LU reset of one unit, target reset of all, absent LUNs") {
  TwoUnits t;
  CHECK(t.manage(TaskFunction::kLogicalUnitReset, kLun7) == TaskFunctionResult::kNoSuchLun);
  CHECK(t.manage(TaskFunction::kAbortTask, 0) == TaskFunctionResult::kNoSuchTask);
  CHECK(t.manage(TaskFunction::kLogicalUnitReset, kLun5) == TaskFunctionResult::kComplete);
  CHECK(t.zero.resets == 0);
  CHECK(t.five.resets == 1);
  CHECK(t.manage(TaskFunction::kTargetReset, kLun7) == TaskFunctionResult::kComplete);
  CHECK(t.zero.resets == 1);
  CHECK(t.five.resets == 2);
  CHECK(sense_of(t.run(0, kTur)) == "6/29/03");
}

TEST_CASE("data-out and nexus loss reach the unit") {
  TwoUnits t;
  Command command;
  command.nexus = kA;
  command.tag = 1;
  command.cdb[0] = std::byte{0x0A};
  command.cdb[4] = std::byte{4};
  command.writes = true;
  command.expected_length = 4;
  t.target.submit(Lun{kLun5}, command, t.sink);
  CHECK(t.sink.wants == 1);
  t.target.data_out(kA, Lun{kLun7}, 1, Buffer::copy_of(bytes({1, 2, 3, 4})));
  t.target.data_out(kA, Lun{kLun5}, 1, Buffer::copy_of(bytes({1, 2, 3, 4})));
  CHECK(t.five.written.size() == 1);
  command.tag = 2;
  t.target.submit(Lun{kLun5}, command, t.sink);
  t.target.data_out_failed(kA, Lun{kLun5}, 2,
                           Sense::make(SenseKey::kAbortedCommand, Asc::kDataPhaseError));
  CHECK(sense_of(t.sink.ended.back()) == "B/4B/00");
  command.tag = 3;
  t.target.submit(Lun{kLun5}, command, t.sink);
  const std::size_t before = t.sink.ended.size();
  t.target.nexus_lost(kA);
  CHECK(t.sink.ended.size() == before);
  CHECK(t.five.task_count() == 0);
}

TEST_CASE("a unit added later is announced with 3F/0E; REPORT LUNS takes that back") {
  TwoUnits t;
  FakeUnit more;
  t.target.add(6, more);
  CHECK(sense_of(t.run(0, kTur)) == "6/3F/0E");
  CHECK(t.run(kLun5, kReportLuns).data().size() == 8 + 24);
  CHECK(t.run(kLun5, kTur).reply.status == SamStatus::kGood);
}
