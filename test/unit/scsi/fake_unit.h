// A small device for the engine's tests: the shared commands, and four of its own that a test
// steers.
#pragma once

#include <catch2/catch.hpp>

#include "scsi/primary_rows.h"
#include "scsi/tape_alert.h"
#include "test/unit/support/recorder.h"

namespace test {

using namespace scsi;  // NOLINT: tests of this namespace

inline constexpr NexusId kA{0, 1}, kB{1, 1}, kC{2, 1};

inline NexusInfo nexus_info(NexusId id, bool replaces = false) {
  return {id, {std::byte{0x45}, static_cast<std::byte>(id.slot)}, 1, replaces};
}

class FakeUnit : public PrimaryUnit {
 public:
  explicit FakeUnit(PersistenceOptions persistence = {})
      : PrimaryUnit(kRows, options(*this, std::move(persistence))) {}

  // REWIND: finishes when the test says so.
  void rewind(Task& task) { running.push_back(&task); }
  // READ(6): gives `available` bytes of the CDB's length, an overlong one cut.
  void read(Task& task) {
    Reply reply;
    reply.required_length = task.cdb_field(2, 3);
    const std::uint32_t size = std::min(available, reply.required_length);
    reply.data_in = slices_of(std::vector<std::byte>(size, std::byte{0x5A}));
    task.finish(std::move(reply));
  }
  // WRITE(6): keeps what came.
  void write(Task& task) {
    const std::uint32_t length = task.cdb_field(2, 3);
    if (length == 0) return task.good();
    task.want(length, Task::Shorter::kRefuse, [this, &task](Buffer data) {
      written.push_back(gather(slices_of(std::move(data))));
      task.good();
    });
  }
  void finish_first() {
    Task* task = running.front();
    running.erase(running.begin());
    task->good();
  }
  void log_in(NexusId id) {
    nexus_established(nexus_info(id));
    unit_attentions().take(id);
  }
  UnitAttentions& attentions() { return unit_attentions(); }
  ModePages& modes() { return mode_pages(); }
  using LogicalUnit::hold;
  using LogicalUnit::resume;
  using PrimaryUnit::on_reset;

  std::vector<Task*> running;
  std::vector<std::vector<std::byte>> written;
  std::uint32_t available = 1u << 24;
  std::optional<Sense> unready;
  std::optional<Sense> deferred;
  NexusId deferred_to = kA;
  std::uint64_t now_ms = 1'700'000'000'000;
  int counters_reset = 0;
  int resets = 0;
  int prevent_changes = 0;
  int compression_changes = 0;
  TapeAlert alerts;

  static const std::span<const CommandRow> kRows;

 protected:
  std::optional<Sense> not_ready() const override { return unready; }
  std::optional<Sense> take_deferred(const Task& task) override {
    if (task.nexus() != deferred_to) return {};
    return std::exchange(deferred, std::nullopt);
  }
  void on_reset() override {
    ++resets;
    PrimaryUnit::on_reset();
  }
  void on_prevent_changed() override { ++prevent_changes; }

 private:
  static PrimaryOptions options(FakeUnit& self, PersistenceOptions persistence) {
    PrimaryOptions out;
    out.persistence = std::move(persistence);
    out.identity.vendor = "VENDOR";
    out.identity.product = "PRODUCT";
    out.identity.revision = "R123";
    out.identity.serial = "0123456789";
    out.identity.naa = {0x50, 1, 2, 3, 4, 5, 6, 7};
    out.identity.target_device_name = "iqn.2001-04.com.example:t";
    out.identity.target_port_name = "iqn.2001-04.com.example:t,t,0x0001";
    out.identity.relative_target_port = 1;
    out.identity.target_port_group = 2;
    out.inquiry.protect = true;
    out.inquiry.version_descriptors = {0x00A0, 0x0460, 0x0520, 0x0960};
    out.inquiry.pages.push_back({0xB1, [] { return bytes({'S', 'N'}); }});

    ModePage control{0x0A, 0, 0x0A, {{10, 0x12}}, {{4, 0x08}}};
    ModePage protection{0x0A, 0xF0, 0x1C, {{5, 0x04}}, {{4, 0xFF}, {6, 0xE0}}};
    protection.scope = ModePage::Scope::kNexus;
    ModePage compression{0x0F, 0, 0x0E, {{2, 0xC0}, {3, 0x80}, {7, 1}, {11, 1}}, {{2, 0x80}}};
    compression.changed = [&self](NexusId, Bytes) { ++self.compression_changes; };
    ModePage partition{0x11, 0, 0x0E, {{2, 3}}, {{3, 0xFF}, {8, 0xFF}, {9, 0xFF}}};
    partition.shortest_select = 0x0A;
    partition.current = [](NexusId, MutableBytes page) { page[5] = std::byte{0x03}; };
    ModePage exceptions{0x1C, 0, 0x0A, {{2, 0x08}, {3, 0x03}}, {{2, 0xFF}, {3, 0x0F}}};
    exceptions.validate = [](NexusId, Bytes page) -> std::optional<Sense> {
      if ((page[2] & std::byte{0x04}) != std::byte{0})
        return Sense::invalid_field_in_parameter_list(2, 2);
      return {};
    };
    ModePage tolerant{0x10, 0, 0x0E, {{8, 0x40}}, {{14, 0xFF}}};
    tolerant.ignore_unchangeable = true;
    ModePage extension{0x10, 0x01, 0x1C, {{5, 0x02}}, {{7, 0xFF}}};
    out.mode.pages = {extension, exceptions, partition, compression, protection, control, tolerant};
    out.mode.max_block_length = 8u << 20;
    out.mode.medium = [] { return ModeMedium{0x88, 0x5E, true}; };

    LogPage counters;
    counters.page = 0x0C;
    counters.parameters = [](NexusId) {
      return std::vector{LogParameter::number(0, LogParameter::kCounter, 7, 8),
                         LogParameter::number(4, LogParameter::kCounter, 0x1'0000'0000, 4),
                         LogParameter::text(0x100, "AB", 4)};
    };
    counters.reset = [&self] { ++self.counters_reset; };
    LogPage sub;
    sub.page = 0x0D;
    sub.subpage = 0x01;
    sub.parameters = [](NexusId) { return std::vector<LogParameter>{}; };
    out.log = {self.alerts.page_2e(), sub, counters, self.alerts.page_12()};
    out.now_ms = [&self] { return self.now_ms; };
    return out;
  }
};

// Here it is the command that stands in the queue like any other.
constexpr CommandRow in_order(CommandRow row) {
  row.gates &= static_cast<std::uint8_t>(~gate::kBeside);
  return row;
}

inline constexpr CommandRow kFakeRows[] = {
    in_order(primary::kTestUnitReady),
    {"REWIND",
     0x01,
     kNoServiceAction,
     6,
     {0x01, 0x01},
     gate::kAll,
     ReservationRule::kConflict,
     600,
     &handle<FakeUnit, &FakeUnit::rewind>},
    primary::kRequestSense,
    {"READ(6)",
     0x08,
     kNoServiceAction,
     6,
     {0x08, 0x03, 0xFF, 0xFF, 0xFF},
     gate::kAll,
     ReservationRule::kConflict,
     1200,
     &handle<FakeUnit, &FakeUnit::read>},
    {"WRITE(6)",
     0x0A,
     kNoServiceAction,
     6,
     {0x0A, 0x01, 0xFF, 0xFF, 0xFF},
     gate::kAll,
     ReservationRule::kConflict,
     1500,
     &handle<FakeUnit, &FakeUnit::write>},
    primary::kInquiry,
    primary::kModeSelect6,
    primary::kReserve6,
    primary::kRelease6,
    primary::kModeSense6,
    primary::kReceiveDiagnostic,
    primary::kSendDiagnostic,
    primary::kPreventAllow,
    primary::kWriteBuffer,
    with_timeout(primary::kReadBuffer, 480),
    primary::kLogSelect,
    primary::kLogSense,
    primary::kModeSelect10,
    primary::kReserve10,
    primary::kRelease10,
    primary::kModeSense10,
    primary::kPersistentReserveInReadKeys,
    primary::kPersistentReserveInReadReservation,
    primary::kPersistentReserveInReportCapabilities,
    primary::kPersistentReserveInReadFullStatus,
    primary::kPersistentReserveOutRegister,
    primary::kPersistentReserveOutReserve,
    primary::kPersistentReserveOutRelease,
    primary::kPersistentReserveOutClear,
    primary::kPersistentReserveOutPreempt,
    primary::kPersistentReserveOutPreemptAndAbort,
    primary::kPersistentReserveOutRegisterAndIgnoreExistingKey,
    primary::kReportLuns,
    primary::kReportSupportedOperationCodes,
    primary::kReportSupportedTaskManagementFunctions,
    primary::kReportTimestamp,
    primary::kSetTimestamp,
};
inline const std::span<const CommandRow> FakeUnit::kRows = kFakeRows;

// A unit with three initiators logged in and their first unit attention told.
struct Fixture {
  FakeUnit unit;
  Recorder recorder{unit};
  Fixture() {
    unit.log_in(kA);
    unit.log_in(kB);
    unit.log_in(kC);
  }
  Ended run(NexusId nexus, const std::vector<std::uint8_t>& cdb, std::uint32_t expected = 65536) {
    return recorder.run(nexus, cdb, expected);
  }
  Ended send(NexusId nexus, const std::vector<std::uint8_t>& cdb,
             const std::vector<std::byte>& out) {
    return recorder.run(nexus, cdb, 0, out);
  }
  TaskFunctionResult manage(TaskFunction function, NexusId nexus, std::optional<TaskTag> tag = {}) {
    std::optional<TaskFunctionResult> result;
    unit.manage(function, nexus, tag, [&](TaskFunctionResult r) { result = r; });
    REQUIRE(result);
    return *result;
  }
};

inline const std::vector<std::uint8_t> kTur = {0, 0, 0, 0, 0, 0};
inline const std::vector<std::uint8_t> kRewind = {1, 0, 0, 0, 0, 0};

inline std::vector<std::uint8_t> cdb_with_length(std::uint8_t opcode, std::uint32_t length) {
  return {opcode,
          0,
          static_cast<std::uint8_t>(length >> 16),
          static_cast<std::uint8_t>(length >> 8),
          static_cast<std::uint8_t>(length),
          0};
}

}  // namespace test
