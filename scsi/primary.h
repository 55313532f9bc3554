// A logical unit with the commands of SPC-4 that a drive and a changer share. A device derives from
// PrimaryUnit, hands over its data (identity, mode pages, log pages) and its table of rows: those
// of scsi/primary_rows.h, with what is its own in between, ascending by opcode and service action.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "scsi/inquiry.h"
#include "scsi/log_pages.h"
#include "scsi/logical_unit.h"
#include "scsi/mode_pages.h"
#include "scsi/reservation.h"

namespace scsi {

// Persistent reservations beyond a loss of power.
struct PersistenceOptions {
  ReservationStore* store = nullptr;  // outlives the unit; none: APTPL = 1 is refused
  KeptReservations kept;              // what it had kept when this unit was made
};

struct PrimaryOptions {
  Identity identity;
  InquiryOptions inquiry;
  ModeOptions mode;
  std::vector<LogPage> log;
  std::function<std::uint64_t()> now_ms;  // wall clock, milliseconds since 1970
  PersistenceOptions persistence;
};

class PrimaryUnit : public LogicalUnit {
 public:
  // --- handlers, for command rows ---
  void test_unit_ready(Task& task);
  void request_sense(Task& task);
  void inquiry(Task& task);
  void report_luns(Task& task);
  void mode_sense(Task& task);
  void mode_select(Task& task);
  void log_sense(Task& task);
  void log_select(Task& task);
  void reserve(Task& task);
  void release(Task& task);
  void persistent_reserve_in(Task& task);
  void persistent_reserve_out(Task& task);
  void prevent_allow(Task& task);
  void send_diagnostic(Task& task);
  void receive_diagnostic(Task& task);
  void read_buffer(Task& task);
  void write_buffer(Task& task);
  void report_supported_operation_codes(Task& task);
  void report_supported_task_management_functions(Task& task);
  void report_timestamp(Task& task);
  void set_timestamp(Task& task);

  // Some nexus prevents medium removal.
  bool prevented() const { return !prevented_by_.empty(); }

 protected:
  PrimaryUnit(std::span<const CommandRow> rows, PrimaryOptions options);

  ModePages& mode_pages() { return mode_; }
  const ModePages& mode_pages() const { return mode_; }
  const Inquiry& inquiry_data() const { return inquiry_; }
  const Reservations& reservations() const { return reservations_; }
  bool reservation_conflict(NexusId nexus, ReservationRule rule) const {
    return reservations_.conflict(rule, nexus);
  }

  // Parameters of log page 10h: the twenty last self-tests, the newest first.
  std::vector<LogParameter> self_test_results() const;

  // Ends a MODE SELECT that was carried out: a device that it made change how it writes does so
  // when what it has accepted is on its medium.
  virtual void end_mode_select(Task& task);
  // What REQUEST SENSE gives when no unit attention is pending: by default why the unit is not
  // ready, or NO SENSE. A device with an immediate operation running gives 0/00/16 and the like.
  virtual Sense pollable_sense();
  virtual void on_prevent_changed() {}                  // prevented() may have changed
  virtual void on_reservations_changed(const Task&) {}  // by this task they may have
  // What SEND DIAGNOSTIC page 80h asks for and READ BUFFER gives as buffer 1, at the moment of
  // asking; its size is always the same. Empty: there is no such thing.
  virtual std::vector<std::byte> diagnostic_dump() const { return {}; }

  // A device that overrides one of these calls this one too.
  bool reservation_conflict(const Task& task) const override;
  void on_nexus_established(const NexusInfo& nexus) override;
  void on_nexus_lost(const NexusInfo& nexus) override;
  void on_reset() override;  // mode pages to default, RESERVE and PREVENT ended

 private:
  void finish(Task& task, ReservationResult result);
  void persistently(Task& task, Bytes parameters);
  void set_prevented(NexusId nexus, bool prevented);
  void note_self_test(std::uint8_t code);

  struct SelfTest {
    std::uint8_t code;    // SELF-TEST CODE
    std::uint16_t hours;  // since power on
  };
  static constexpr std::size_t kSelfTestResults = 20;

  Inquiry inquiry_;
  ModePages mode_;
  LogPages log_;
  Reservations reservations_;
  ReservationStore* reservation_store_;
  std::function<std::uint64_t()> now_ms_;
  std::set<NexusId> prevented_by_;
  std::map<NexusId, std::vector<std::byte>> echo_buffers_;
  std::deque<SelfTest> self_tests_;
  std::uint64_t started_ms_ = 0;
  std::int64_t clock_offset_ms_ = 0;  // REPORT TIMESTAMP = now_ms + this
  bool clock_set_by_host_ = false;
};

}  // namespace scsi
