// The task set under random commands, data, aborts, resets, logins and holds, against a model that
// knows what is owed: every command has exactly one end, in the order of submission, one at a time;
// nothing is said of a nexus that is gone.
#include <algorithm>
#include <list>
#include <random>

#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {

class World : public ReplySink {
 public:
  explicit World(unsigned seed) : random_(seed) {
    for (NexusId& nexus : nexuses_) unit_.log_in(nexus);
  }

  void want(NexusId nexus, TaskTag tag, std::uint32_t length) override {
    expect_first(nexus, tag);
    CHECK((idle() && !held_));
    CHECK(length == kLength);
    owed_.front().wants = true;
  }
  void complete(NexusId nexus, TaskTag tag, Reply, Residual) override {
    // A refusal at the door (overlapped tags) has no place in the queue.
    if (entering_ == std::pair(nexus, tag) && refused_at_the_door(nexus, tag)) {
      entering_.reset();
      return;
    }
    expect_first(nexus, tag);
    CHECK(!held_);
    owed_.pop_front();
    if (owed_.size() < 8 && pick(3) == 0) submit(nexus, tag);  // the tag is free again
  }
  void aborted(NexusId nexus, TaskTag tag) override {
    const auto found = find(nexus, tag);
    REQUIRE(found != owed_.end());
    owed_.erase(found);
  }

  void step() {
    switch (pick(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return submit(any_nexus(), pick(6));
      case 4:
        return bring_data();
      case 5:
      case 6:
        return finish_running();
      case 7:
        return manage();
      case 8:
        return log_in_again();
      case 9:
        return hold();
      default:
        return resume();
    }
  }
  // Everything that is at work ends; then nothing may be owed.
  void drain() {
    for (int i = 0; i < 1000 && (unit_.task_count() != 0 || held_); ++i) {
      resume();
      finish_running();
      bring_data();
    }
    CHECK(unit_.task_count() == 0);
    CHECK(owed_.empty());
    CHECK(holds_begun_ == holds_asked_);
  }

 private:
  static constexpr std::uint32_t kLength = 4;
  struct Owed {
    NexusId nexus;
    TaskTag tag;
    bool wants = false;
  };

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_()) % below; }
  NexusId any_nexus() { return nexuses_[pick(3)]; }
  std::list<Owed>::iterator find(NexusId nexus, TaskTag tag) {
    return std::find_if(owed_.begin(), owed_.end(),
                        [&](const Owed& owed) { return owed.nexus == nexus && owed.tag == tag; });
  }
  void expect_first(NexusId nexus, TaskTag tag) {
    REQUIRE(!owed_.empty());
    CHECK(owed_.front().nexus == nexus);
    CHECK(owed_.front().tag == tag);
  }
  // No handler is at work: neither one that is heard nor one whose task was aborted.
  bool idle() const { return unit_.running.empty(); }
  bool refused_at_the_door(NexusId nexus, TaskTag tag) { return find(nexus, tag) == owed_.end(); }

  void submit(NexusId nexus, TaskTag tag) {
    Command command;
    command.nexus = nexus;
    command.tag = tag;
    command.attribute = static_cast<TaskAttribute>(pick(4));
    constexpr std::array<std::uint8_t, 3> kOpcodes{0x00, 0x01, 0x0A};  // TUR, REWIND, WRITE
    command.cdb[0] = std::byte{kOpcodes[pick(3)]};
    if (command.cdb[0] == std::byte{0x0A}) {
      command.cdb[4] = std::byte{kLength};
      command.writes = true;
      command.expected_length = kLength;
    }
    // A tag that is in use ends all commands of its nexus, and the new one is not executed.
    const bool overlaps = find(nexus, tag) != owed_.end();
    if (overlaps)
      entering_ = std::pair(nexus, tag);
    else
      owed_.push_back({nexus, tag});
    unit_.submit(command, *this);
    if (!overlaps) return;
    CHECK(!entering_.has_value());  // it was told
  }
  void bring_data() {
    const auto waiting =
        std::find_if(owed_.begin(), owed_.end(), [](const Owed& owed) { return owed.wants; });
    if (waiting == owed_.end()) return;
    const Owed task = *waiting;
    if (pick(4) == 0)
      unit_.data_out_failed(task.nexus, task.tag,
                            Sense::make(SenseKey::kAbortedCommand, Asc::kDataPhaseError));
    else
      unit_.data_out(task.nexus, task.tag, Buffer::copy_of(bytes({1, 2, 3, 4})));
  }
  void finish_running() {
    CHECK(unit_.running.size() <= 1);
    if (!unit_.running.empty()) unit_.finish_first();
  }
  void manage() {
    constexpr std::array kFunctions{TaskFunction::kAbortTask, TaskFunction::kAbortTaskSet,
                                    TaskFunction::kClearTaskSet, TaskFunction::kLogicalUnitReset};
    const TaskFunction function = kFunctions[pick(4)];
    const NexusId nexus = any_nexus();
    const TaskTag tag = pick(6);
    bool told = false;
    unit_.manage(function, nexus, tag, [&](TaskFunctionResult) {
      told = true;
      // Whom it names is gone by now.
      for (const Owed& owed : owed_) {
        const bool own = owed.nexus == nexus;
        CHECK_FALSE((function == TaskFunction::kAbortTask && own && owed.tag == tag));
        CHECK_FALSE((function == TaskFunction::kAbortTaskSet && own));
        CHECK_FALSE((function == TaskFunction::kClearTaskSet ||
                     function == TaskFunction::kLogicalUnitReset));
      }
    });
    CHECK(told);
  }
  void log_in_again() {
    NexusId& nexus = nexuses_[pick(3)];
    owed_.remove_if([&](const Owed& owed) { return owed.nexus == nexus; });  // silence
    unit_.nexus_lost(nexus);
    ++nexus.generation;
    unit_.nexus_established(nexus_info(nexus, pick(2) == 0));
  }
  void hold() {
    ++holds_asked_;
    unit_.hold([this] {
      ++holds_begun_;
      CHECK((idle() && !held_));
      for (const Owed& owed : owed_) CHECK_FALSE(owed.wants);
      held_ = true;
    });
  }
  void resume() {
    if (!held_) return;
    held_ = false;
    unit_.resume();
  }

  FakeUnit unit_;
  std::mt19937 random_;
  std::array<NexusId, 3> nexuses_{kA, kB, kC};
  std::list<Owed> owed_;  // what must end yet and was not silenced, in the order of submission
  std::optional<std::pair<NexusId, TaskTag>> entering_;
  bool held_ = false;
  int holds_asked_ = 0, holds_begun_ = 0;
};

}  // namespace

TEST_CASE("random queues: each command ends once and in order, whatever happens around it") {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    World world(seed);
    for (int i = 0; i < 80; ++i) world.step();
    world.drain();
  }
}
