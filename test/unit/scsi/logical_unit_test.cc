// The queue: order, asynchronous ends, re-entrancy, nexus loss, holds, limits.
#include "test/unit/scsi/fake_unit.h"

using namespace test;

TEST_CASE("commands run one at a time in the order of submission, whatever their attribute") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  f.recorder.submit(kB, kTur);
  f.recorder.submit(kC, kRewind);
  CHECK(f.recorder.ended.empty());
  CHECK(f.unit.running.size() == 1);
  f.unit.finish_first();
  REQUIRE(f.recorder.ended.size() == 2);
  CHECK(f.recorder.ended[0].nexus == kA);
  CHECK(f.recorder.ended[1].nexus == kB);
  CHECK(f.unit.running.size() == 1);
  f.unit.finish_first();
  CHECK(f.recorder.ended.size() == 3);
  CHECK(f.unit.task_count() == 0);
}

TEST_CASE("a write keeps its place while it waits for its data") {
  Fixture f;
  const std::vector<std::byte> data = bytes({1, 2, 3, 4});
  const TaskTag tag = f.recorder.submit(kA, cdb_with_length(0x0A, 4), 4, data);
  CHECK(f.recorder.ended.size() == 1);  // answered inside want()
  f.recorder.ended.clear();

  Command command;
  command.nexus = kA;
  command.tag = 77;
  command.cdb[0] = std::byte{0x0A};
  command.cdb[4] = std::byte{4};
  command.expected_length = 4;
  command.writes = true;
  f.unit.submit(command, f.recorder);
  CHECK(f.recorder.wanted.back().tag == 77);
  f.recorder.submit(kB, kTur);
  CHECK(f.recorder.ended.empty());
  f.unit.data_out(kA, tag, Buffer::copy_of(data));  // of a task that has ended: ignored
  f.unit.data_out(kB, 77, Buffer::copy_of(data));   // of another nexus: ignored
  CHECK(f.recorder.ended.empty());
  f.unit.data_out(kA, 77, Buffer::copy_of(data));
  REQUIRE(f.recorder.ended.size() == 2);
  CHECK(f.recorder.ended[0].tag == 77);
  CHECK(f.recorder.ended[1].nexus == kB);
}

TEST_CASE("data that could not be brought fails its command with the transport's sense") {
  Fixture f;
  Command command;
  command.nexus = kA;
  command.tag = 5;
  command.cdb[0] = std::byte{0x0A};
  command.cdb[4] = std::byte{4};
  command.expected_length = 4;
  command.writes = true;
  f.unit.submit(command, f.recorder);
  f.unit.data_out_failed(kA, 6, Sense{});
  CHECK(f.recorder.ended.empty());
  f.unit.data_out_failed(kA, 5,
                         Sense::make(SenseKey::kAbortedCommand, Asc::kProtocolServiceCrcError));
  REQUIRE(f.recorder.ended.size() == 1);
  CHECK(sense_of(f.recorder.ended[0]) == "B/47/05");
  CHECK(f.recorder.ended[0].residual.underflow == 4);
  CHECK(f.unit.written.empty());
}

namespace {
// Submits the next command from inside complete().
class Chain : public ReplySink {
 public:
  explicit Chain(FakeUnit& unit) : unit_(unit) {}
  void want(NexusId, TaskTag, std::uint32_t) override {}
  void complete(NexusId, TaskTag, Reply, Residual) override {
    char here = 0;
    deepest = std::max(deepest, std::abs(first - &here));
    if (++completed < 100'000) next();
  }
  void aborted(NexusId, TaskTag) override {}
  void next() {
    Command command;
    command.nexus = kA;
    command.tag = 1;  // the same each time: it is free again when complete() is called
    unit_.submit(command, *this);
  }
  void begin() {
    char here = 0;
    first = &here;
    next();
  }
  FakeUnit& unit_;
  const char* first = nullptr;
  std::ptrdiff_t deepest = 0;
  int completed = 0;
};
}  // namespace

TEST_CASE("a chain of commands submitted from complete() does not grow the stack") {
  Fixture f;
  Chain chain(f.unit);
  chain.begin();
  CHECK(chain.completed == 100'000);
  CHECK(chain.deepest < 100'000);
}

TEST_CASE("a long queue behind a slow command drains without growing the stack") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  for (int i = 0; i < 400; ++i) f.recorder.submit(kB, kTur);
  f.unit.finish_first();
  CHECK(f.recorder.ended.size() == 401);
  CHECK(f.unit.task_count() == 0);
}

TEST_CASE("past the limit a command is told TASK SET FULL, and not queued") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  for (std::size_t i = 1; i < LogicalUnit::kMaxTasks; ++i) f.recorder.submit(kA, kTur);
  CHECK(f.unit.task_count() == LogicalUnit::kMaxTasks);
  const Ended full = f.run(kB, kTur, 512);
  CHECK(full.reply.status == SamStatus::kTaskSetFull);
  CHECK_FALSE(full.reply.sense);
  CHECK(full.residual.underflow == 512);
  f.unit.finish_first();
  CHECK(f.run(kB, kTur).reply.status == SamStatus::kGood);
}

TEST_CASE("overlapped tags: B/4E/00 and an end of everything of that nexus") {
  Fixture f;
  f.recorder.submit(kA, kRewind);  // tag 1
  f.recorder.submit(kA, kTur);
  f.recorder.submit(kB, kTur);
  Command again;
  again.nexus = kA;
  again.tag = 2;
  f.unit.submit(again, f.recorder);
  REQUIRE(f.recorder.ended.size() == 3);
  CHECK(f.recorder.ended[0].aborted);
  CHECK(f.recorder.ended[1].aborted);
  CHECK(sense_of(f.recorder.ended[2]) == "B/4E/00");
  f.unit.finish_first();
  REQUIRE(f.recorder.ended.size() == 4);  // the other nexus' command ran
  CHECK(f.recorder.ended[3].nexus == kB);
}

TEST_CASE("the same tag on two nexuses is two commands") {
  Fixture f;
  Command command;
  command.tag = 9;
  command.cdb[0] = std::byte{0x01};
  command.nexus = kA;
  f.unit.submit(command, f.recorder);
  command.nexus = kB;
  f.unit.submit(command, f.recorder);
  CHECK(f.recorder.ended.empty());
  CHECK(f.unit.task_count() == 2);
  f.unit.finish_first();
  f.unit.finish_first();
}

TEST_CASE("after nexus_lost there is silence; the running handler finishes unheard") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  f.recorder.submit(kA, kTur);
  f.recorder.submit(kB, kTur);
  f.unit.nexus_lost(kA);
  CHECK(f.recorder.ended.empty());
  CHECK(f.unit.running[0]->aborted());
  f.unit.finish_first();
  REQUIRE(f.recorder.ended.size() == 1);
  CHECK(f.recorder.ended[0].nexus == kB);
  f.unit.nexus_lost(kA);  // twice is harmless
}

TEST_CASE("a nexus lost while its write waits for data: the record is dropped, the queue goes on") {
  Fixture f;
  Command command;
  command.nexus = kA;
  command.cdb[0] = std::byte{0x0A};
  command.cdb[4] = std::byte{4};
  command.expected_length = 4;
  command.writes = true;
  f.unit.submit(command, f.recorder);
  f.recorder.submit(kB, kTur);
  f.unit.nexus_lost(kA);
  REQUIRE(f.recorder.ended.size() == 1);
  f.unit.data_out(kA, 0, Buffer::copy_of(bytes({1, 2, 3, 4})));
  CHECK(f.unit.written.empty());
}

namespace {
// Loses the nexus from inside complete() or aborted().
class Leaver : public ReplySink {
 public:
  explicit Leaver(FakeUnit& unit) : unit_(unit) {}
  void want(NexusId, TaskTag, std::uint32_t) override {}
  void complete(NexusId nexus, TaskTag, Reply, Residual) override { leave(nexus); }
  void aborted(NexusId nexus, TaskTag) override { leave(nexus); }
  void leave(NexusId nexus) {
    ++calls;
    unit_.nexus_lost(nexus);
  }
  FakeUnit& unit_;
  int calls = 0;
};
}  // namespace

TEST_CASE("nexus_lost from inside a reply or an abort ends all calls about it") {
  for (const bool abort : {false, true}) {
    Fixture f;
    Leaver leaver(f.unit);
    for (TaskTag tag = 1; tag <= 4; ++tag) {
      Command command;
      command.nexus = kA;
      command.tag = tag;
      command.cdb[0] = std::byte{tag == 1 ? std::uint8_t{0x01} : std::uint8_t{0x00}};
      f.unit.submit(command, leaver);
    }
    if (abort) f.manage(TaskFunction::kAbortTaskSet, kA);
    f.unit.finish_first();
    CHECK(leaver.calls == 1);
    CHECK(f.unit.task_count() == 0);
  }
}

TEST_CASE("a hold waits for the running command and keeps the next from starting") {
  Fixture f;
  int begun = 0;
  f.recorder.submit(kA, kRewind);
  f.recorder.submit(kA, kTur);
  f.unit.hold([&] { ++begun; });
  f.unit.hold([&] { ++begun; });
  CHECK(begun == 0);
  f.unit.finish_first();
  CHECK(begun == 1);
  CHECK(f.recorder.ended.size() == 1);
  f.recorder.submit(kB, kTur);
  CHECK(f.recorder.ended.size() == 1);
  f.unit.resume();
  CHECK(begun == 2);
  CHECK(f.recorder.ended.size() == 1);
  f.unit.resume();
  CHECK(f.recorder.ended.size() == 3);
  f.unit.hold([&] {
    ++begun;
    f.unit.resume();
  });
  CHECK(begun == 3);
  CHECK(f.run(kA, kTur).reply.status == SamStatus::kGood);
}

TEST_CASE("a hold waits for an aborted command's handler too") {
  Fixture f;
  f.recorder.submit(kA, kRewind);
  f.manage(TaskFunction::kLogicalUnitReset, kB);
  bool begun = false;
  f.unit.hold([&] { begun = true; });
  CHECK_FALSE(begun);
  f.unit.finish_first();
  CHECK(begun);
  f.unit.resume();
}
