// A portal with two targets, each with a small logical unit that does what the tests of the
// transport need.
#pragma once

#include <catch2/catch.hpp>
#include <deque>

#include "scripted_initiator.h"
#include "transport/iscsi/portal.h"

namespace iscsi::test {

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
  bool fast_data = true;  // keep the records
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
      if (fast_data) records.emplace_back(buffer.view().begin(), buffer.view().end());
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

inline constexpr const char* kDrive = "iqn.2026-11.local.vtl:drive";
inline constexpr const char* kChanger = "iqn.2026-11.local.vtl:changer";

struct World {
  explicit World(PortalOptions portal_options = {}, auth::AccessPolicy policy = {},
                 scsi::BufferPool::Budget budget = {256u << 20, 64u << 20})
      : options(portal_options), access(std::move(policy)), pool(budget) {
    changer.add(0, changer_unit);
    drive.add(0, unit);
    portal = std::make_unique<Portal>(
        options, access, pool,
        [this](scsi::MutableBytes out) {
          for (std::byte& b : out) b = static_cast<std::byte>(random = random * 5 + 3);
        },
        [this](LogLevel level, std::string_view line) {
          log += line;
          log += '\n';
          if (level == LogLevel::kWarning) ++warnings;
        });
    portal->add_target(kChanger, "the changer", changer);
    portal->add_target(kDrive, "", drive);
  }
  ~World() { portal.reset(); }

  std::unique_ptr<ScriptedInitiator> connect(const std::string& peer = "192.0.2.7:40000",
                                             const std::string& local = "192.0.2.1:3260") {
    auto connection = portal->accept(local, peer);
    REQUIRE(connection);
    return std::make_unique<ScriptedInitiator>(std::move(connection));
  }
  // Connected, logged in, and past the first unit attention.
  std::unique_ptr<ScriptedInitiator> session(LoginOptions login = {}) {
    auto initiator = connect();
    const Received response = initiator->login(login);
    REQUIRE(response.as<LoginResponse>().status == 0);
    REQUIRE(response.as<LoginResponse>().tsih != 0);
    initiator->run(initiator->command({0x00}));
    return initiator;
  }

  PortalOptions options;
  auth::AccessPolicy access;
  scsi::BufferPool pool;
  TestUnit changer_unit, unit;
  scsi::Target changer, drive;
  std::string log;
  std::size_t warnings = 0;
  std::uint32_t random = 1;
  std::unique_ptr<Portal> portal;
};

inline std::uint16_t status_of(const Received& response) {
  return response.as<LoginResponse>().status;
}

// Sense key, ASC and ASCQ in one number: 0xKKAAQQ.
inline unsigned sense_of(const Data& sense) {
  REQUIRE(sense.size() == 18);
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(sense[i]); };
  return (at(2) & 0x0F) << 16 | at(12) << 8 | at(13);
}

inline std::array<unsigned, 6> write6(std::size_t length) {
  return {0x0A,
          0,
          static_cast<unsigned>(length >> 16) & 0xFF,
          static_cast<unsigned>(length >> 8) & 0xFF,
          static_cast<unsigned>(length) & 0xFF,
          0};
}

}  // namespace iscsi::test
