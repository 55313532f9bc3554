#include "test/unit/scsi/fake_unit.h"

using namespace test;

TEST_CASE("ABORT TASK: a queued task goes; a running one is silenced; others stay") {
  Fixture f;
  const TaskTag running = f.recorder.submit(kA, kRewind);
  const TaskTag queued = f.recorder.submit(kA, kTur);
  const TaskTag last = f.recorder.submit(kA, kTur);
  CHECK(f.manage(TaskFunction::kAbortTask, kA, queued) == TaskFunctionResult::kComplete);
  REQUIRE(f.recorder.ended.size() == 1);
  CHECK(f.recorder.ended[0].aborted);
  CHECK(f.recorder.ended[0].tag == queued);
  CHECK(f.manage(TaskFunction::kAbortTask, kA, running) == TaskFunctionResult::kComplete);
  CHECK(f.recorder.ended.size() == 2);  // the answer did not wait for the motion
  CHECK(f.manage(TaskFunction::kAbortTask, kA, running) == TaskFunctionResult::kNoSuchTask);
  f.unit.finish_first();
  REQUIRE(f.recorder.ended.size() == 3);
  CHECK(f.recorder.ended[2].tag == last);
  CHECK_FALSE(f.recorder.ended[2].aborted);
}

TEST_CASE("ABORT TASK never reaches another nexus' task, nor one that is not there") {
  Fixture f;
  const TaskTag tag = f.recorder.submit(kA, kRewind);
  CHECK(f.manage(TaskFunction::kAbortTask, kB, tag) == TaskFunctionResult::kNoSuchTask);
  CHECK(f.manage(TaskFunction::kAbortTask, kA, tag + 1) == TaskFunctionResult::kNoSuchTask);
  CHECK(f.manage(TaskFunction::kAbortTask, kA) == TaskFunctionResult::kNoSuchTask);
  f.unit.finish_first();
  CHECK_FALSE(f.recorder.ended[0].aborted);
}

TEST_CASE("a tag may be used again while its aborted command still runs") {
  Fixture f;
  Command command;
  command.nexus = kA;
  command.tag = 3;
  command.cdb[0] = std::byte{0x01};
  f.unit.submit(command, f.recorder);
  f.manage(TaskFunction::kAbortTask, kA, 3);
  command.cdb[0] = std::byte{0x00};
  f.unit.submit(command, f.recorder);
  CHECK(f.recorder.ended.size() == 1);
  f.unit.finish_first();
  REQUIRE(f.recorder.ended.size() == 2);
  CHECK_FALSE(f.recorder.ended[1].aborted);
}

// SAM-5 8.6: an ORDERED command is passed by nothing; one that is aborted is in no task set any
// more.
TEST_CASE("what only asks passes a command that was ORDERED once that is aborted") {
  const std::vector<std::uint8_t> inquiry = {0x12, 0, 0, 0, 96, 0};
  Fixture f;
  Command command;
  command.nexus = kA;
  command.tag = 1000;
  command.attribute = TaskAttribute::kOrdered;
  command.cdb[0] = std::byte{0x01};
  f.unit.submit(command, f.recorder);
  f.recorder.submit(kB, inquiry);
  CHECK(f.recorder.ended.empty());
  f.manage(TaskFunction::kAbortTask, kA, 1000);
  CHECK(f.recorder.ended.size() == 1);
  f.recorder.submit(kC, inquiry);
  REQUIRE(f.recorder.ended.size() == 2);
  CHECK_FALSE(f.recorder.ended[1].aborted);
  f.unit.finish_first();
  CHECK(f.recorder.ended.size() == 3);
}

TEST_CASE("a write that waits for data is aborted at once, and nothing is written") {
  Fixture f;
  Command command;
  command.nexus = kA;
  command.tag = 3;
  command.cdb[0] = std::byte{0x0A};
  command.cdb[4] = std::byte{4};
  command.expected_length = 4;
  command.writes = true;
  f.unit.submit(command, f.recorder);
  f.recorder.submit(kB, kTur);
  f.manage(TaskFunction::kAbortTask, kA, 3);
  REQUIRE(f.recorder.ended.size() == 2);
  CHECK(f.recorder.ended[0].aborted);
  CHECK(f.recorder.ended[1].nexus == kB);
  f.unit.data_out(kA, 3, Buffer::copy_of(bytes({1, 2, 3, 4})));
  f.unit.data_out_failed(kA, 3, Sense{});
  CHECK(f.unit.written.empty());
  CHECK(f.recorder.ended.size() == 2);
}

TEST_CASE("ABORT TASK SET: this nexus' tasks only, no unit attention") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  f.recorder.submit(kA, kTur);
  f.recorder.submit(kB, kTur);
  CHECK(f.manage(TaskFunction::kAbortTaskSet, kA) == TaskFunctionResult::kComplete);
  CHECK(f.recorder.ended.size() == 2);
  f.unit.finish_first();
  CHECK(f.recorder.ended.back().nexus == kB);
  for (const NexusId id : {kA, kB, kC}) CHECK_FALSE(f.unit.attentions().pending(id));
}

TEST_CASE("CLEAR TASK SET: everyone's tasks; 2F/00 to the others that lost some") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  f.recorder.submit(kB, kTur);
  CHECK(f.manage(TaskFunction::kClearTaskSet, kA) == TaskFunctionResult::kComplete);
  CHECK(f.recorder.ended.size() == 2);
  CHECK_FALSE(f.unit.attentions().pending(kA));
  CHECK_FALSE(f.unit.attentions().pending(kC));
  f.unit.finish_first();
  CHECK(sense_of(f.run(kB, kTur)) == "6/2F/00");
}

TEST_CASE("LOGICAL UNIT RESET: tasks, RESERVE, PREVENT and mode pages go; 29/03 to all") {
  Fixture f;
  REQUIRE(f.run(kB, {0x16}).reply.status == SamStatus::kGood);
  REQUIRE(f.run(kB, {0x1E, 0, 0, 0, 1, 0}).reply.status == SamStatus::kGood);
  f.unit.modes().set_byte(0x0F, 0, 2, 0x40);
  f.recorder.submit(kB, kRewind);
  CHECK(f.manage(TaskFunction::kLogicalUnitReset, kA) == TaskFunctionResult::kComplete);
  CHECK(f.unit.resets == 1);
  CHECK(f.recorder.ended.size() == 1);
  CHECK_FALSE(f.unit.prevented());
  CHECK(f.unit.modes().value_byte(0x0F, 0, 2) == 0xC0);
  f.unit.finish_first();
  CHECK(f.recorder.ended.size() == 1);
  for (const NexusId id : {kA, kB, kC}) {
    CHECK(sense_of(f.run(id, kTur)) == "6/29/03");
    CHECK(f.run(id, kTur).reply.status == SamStatus::kGood);
  }
}

TEST_CASE("functions that are not offered say so, as their report does") {
  Fixture f;
  for (const TaskFunction function : {TaskFunction::kClearAca, TaskFunction::kQueryTask,
                                      TaskFunction::kQueryTaskSet, TaskFunction::kNexusReset})
    CHECK(f.manage(function, kA, 1) == TaskFunctionResult::kNotSupported);
  const Ended end = f.run(kA, {0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0});
  CHECK(end.data() == bytes({0xDA, 0, 0, 0}));
}
