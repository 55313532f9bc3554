// A small logical unit that does what tests of the transport need. Knows no test framework: fuzzers
// use it too.
#pragma once

#include <deque>
#include <vector>

#include "scsi/logical_unit.h"

namespace iscsi::test {

using Data = std::vector<std::byte>;

// Bytes that look random and are always the same.
inline Data pattern(std::size_t size, unsigned seed = 1) {
  Data data(size);
  std::uint32_t x = seed * 2654435761u + 1;
  for (std::byte& b : data) {
    x = x * 1664525u + 1013904223u;
    b = static_cast<std::byte>(x >> 24);
  }
  return data;
}

// 00 TEST UNIT READY (reports unit attentions), 01 stays until release(), 07 fails with 7/27/00
// without asking for its data, 08 READ(6) of a pattern, 0A WRITE(6), 0F READ(6) with a sense beside
// its data, 15 MODE SELECT(6), 2A WRITE of the length in bytes 6-9.
class TestUnit : public scsi::LogicalUnit {
 public:
  TestUnit() : LogicalUnit(kRows) {}

  std::vector<Data> records;  // what was written
  std::deque<scsi::Task*> waiting;
  std::size_t resets = 0;
  std::vector<scsi::NexusInfo> established;
  std::size_t lost = 0;
  // Keeps the buffers of what was written, as a drive's writer does, so that the pool runs dry.
  bool keep_buffers = false;
  std::vector<scsi::Buffer> kept;

  void release() {
    scsi::Task* task = waiting.front();
    waiting.pop_front();
    task->good();
  }

 protected:
  std::optional<scsi::Sense> not_ready() const override { return {}; }
  std::optional<scsi::Sense> take_deferred(const scsi::Task&) override { return {}; }
  bool reservation_conflict(const scsi::Task&) const override { return false; }
  void on_nexus_established(const scsi::NexusInfo& info) override { established.push_back(info); }
  void on_nexus_lost(const scsi::NexusInfo&) override { ++lost; }
  void on_reset() override { ++resets; }

 private:
  void test_unit_ready(scsi::Task& task) { task.good(); }
  void wait(scsi::Task& task) { waiting.push_back(&task); }
  void refuse(scsi::Task& task) {
    task.fail(scsi::Sense::make(scsi::SenseKey::kDataProtect, scsi::Asc::kWriteProtected));
  }
  void read(scsi::Task& task) {
    scsi::Reply reply;
    const std::uint32_t length = task.cdb_field(2, 3);
    // Two slices, as of a record that straddles two read-ahead buffers.
    const Data data = pattern(length);
    const auto middle = static_cast<std::ptrdiff_t>(length / 3);
    for (Data part :
         {Data(data.begin(), data.begin() + middle), Data(data.begin() + middle, data.end())})
      for (auto& slice : scsi::slices_of(std::move(part))) reply.data_in.push_back(slice);
    reply.required_length = length;
    if (task.cdb(0) == 0x0F) {
      reply.status = scsi::SamStatus::kCheckCondition;
      reply.sense = scsi::Sense::make(scsi::SenseKey::kNoSense, scsi::Asc::kFilemarkDetected);
    }
    task.finish(std::move(reply));
  }
  void write(scsi::Task& task) {
    const std::uint32_t length = task.cdb(0) == 0x2A   ? task.cdb_field(6, 4)
                                 : task.cdb(0) == 0x15 ? task.cdb_field(4, 1)
                                                       : task.cdb_field(2, 3);
    if (length == 0) return task.good();
    task.want(length, scsi::Task::Shorter::kRefuse, [this, &task](scsi::Buffer buffer) {
      records.emplace_back(buffer.view().begin(), buffer.view().end());
      if (keep_buffers) kept.push_back(std::move(buffer));
      task.good();
    });
  }

  static constexpr scsi::CommandRow row(const char* name, std::uint8_t opcode, std::uint8_t gates,
                                        void (*handler)(scsi::LogicalUnit&, scsi::Task&)) {
    return {name,
            opcode,
            scsi::kNoServiceAction,
            16,
            {opcode, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
             0xFF, 0xFF},
            gates,
            scsi::ReservationRule::kAllowed,
            1,
            handler};
  }
  static const scsi::CommandRow kRows[8];
};

inline const scsi::CommandRow TestUnit::kRows[8] = {
    row("TEST UNIT READY", 0x00, scsi::gate::kAnyState,
        scsi::handle<TestUnit, &TestUnit::test_unit_ready>),
    row("WAIT", 0x01, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::wait>),
    row("REFUSE", 0x07, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::refuse>),
    row("READ(6)", 0x08, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::read>),
    row("WRITE(6)", 0x0A, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::write>),
    row("READ WITH SENSE", 0x0F, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::read>),
    row("MODE SELECT(6)", 0x15, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::write>),
    row("WRITE(10)", 0x2A, scsi::gate::kNone, scsi::handle<TestUnit, &TestUnit::write>),
};

}  // namespace iscsi::test
