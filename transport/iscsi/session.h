// A session in full feature phase with its one connection (RFC 7143 4.2, 7): numbering, commands,
// data, task management, text.
//
// Commands keep their order: PDUs with a CmdSN wait in `held_` until their number is due, and while
// the client does not read its answers. Buffers for data that comes unasked are in hand before
// MaxCmdSN lets it come (credits_). After end() there is silence: no call of a logical unit or of
// the buffer pool reaches anything any more.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "scsi/target.h"
#include "transport/iscsi/connection_impl.h"
#include "transport/iscsi/login.h"
#include "transport/iscsi/serial.h"
#include "transport/iscsi/transfer.h"

namespace iscsi {

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Connection::Impl& connection, const LoginIdentity& identity, std::uint16_t tsih,
          const Parameters& parameters);

  // Takes up its place: credits, nexus. `replaces`: it reinstates one that was just ended.
  void establish(bool replaces);
  // The nexus is lost; idempotent.
  void end();

  // --- what comes in ---
  void header_arrived();  // decides where the data segment goes
  void pdu_arrived();
  void want(scsi::TaskTag tag, std::uint32_t length);
  void complete(scsi::TaskTag tag, scsi::Reply reply, scsi::Residual residual);
  void aborted(scsi::TaskTag tag);

  // --- what its connection and the portal want
  // ------------------------------------------------------------- Runs what can run now and
  // announces a window that has opened again.
  void settle();
  void ping();
  void request_logout();  // Async Message event 1
  void replace();         // Async Message event 3, then the end: its initiator port logs in again
  void reject(RejectReason reason, const Header& header, scsi::Bytes ahs = {});

  bool discovery() const { return identity_.target == nullptr; }
  const LoginIdentity& identity() const { return identity_; }
  std::uint16_t tsih() const { return tsih_; }
  scsi::NexusId nexus() const { return nexus_; }
  Connection::Impl& connection() { return connection_; }
  const Connection::Impl& connection() const { return connection_; }
  std::uint32_t expected_cmd_sn() const { return window_.expected(); }
  std::uint32_t max_cmd_sn() const { return window_.max(); }

 private:
  // One SCSI command from its header to its answer.
  struct Task {
    std::uint64_t id = 0;  // 0: not in use
    std::uint32_t task_tag = 0, cmd_sn = 0;
    scsi::Lun lun;
    scsi::Command command;
    scsi::Buffer buffer;  // the record, as far as it has come
    bool immediate = false;
    bool extended_cdb = false;
    bool submitted = false;
    bool delivered = false;  // the unit has its data, or knows that they won't come
    bool borrowed = false;   // the buffer is one of the credits and may come back
    bool waiting = false;    // for the pool, under `ticket`
    std::uint64_t ticket = 0;
    WriteTransfer transfer;
  };
  // A PDU with a CmdSN, from its end to its turn.
  struct Numbered {
    Header header{};
    std::vector<std::byte> data;
    std::uint64_t task = 0;  // its id, for commands
    bool spent = false;      // only its number counts: rejected or aborted
  };
  // What is to be done with the PDU whose data segment is under way.
  enum class Plan { kIgnore, kReject, kCommand, kDataOut, kRequest };

  // session.cc
  void send(const Header& header, StatSn stat_sn, scsi::SliceList data = {});
  void open_window();
  bool acceptable_number(const Header& header) const;
  void take(Numbered item);
  void run_held();
  void execute(Numbered& item);

  // session_commands.cc
  void plan_command();
  std::optional<RejectReason> check_command(const ScsiCommand& pdu, bool& extended_cdb) const;
  bool give_buffer(Task& task, const ScsiCommand& pdu);
  void plan_data_out();
  void progress(Task& task);
  void ask_for_buffer(Task& task);
  void buffer_granted(std::uint64_t id, scsi::Buffer buffer);
  void respond(const Task& task, scsi::Reply reply, scsi::Residual residual);
  Task& new_task();
  Task* find_task(std::uint32_t task_tag);
  Task* find_id(std::uint64_t id);
  void erase(Task& task);
  void remember(std::uint32_t task_tag);
  bool remembered(std::uint32_t task_tag) const;
  void return_credit(scsi::Buffer buffer);
  void refill_credits();

  // session_requests.cc
  void too_many(const Header& header, scsi::Bytes ahs = {});
  void nop_out(Numbered& item);
  void manage(const Numbered& item);
  TaskManagementCode abort_held_or_unknown(const TaskManagementRequest& pdu);
  void abort_held(const TaskManagementRequest& pdu, bool all_units);
  void managed(std::uint32_t task_tag, TaskManagementCode code, bool cold_reset);
  void logout(const Numbered& item);
  void text(const Numbered& item);
  void forget_text();
  void answer_text(const Numbered& item, const std::string& request);
  bool send_targets(const std::string& value, std::string& answer);
  void send_text_piece(const TextRequest& pdu);

  static constexpr std::size_t kMaxImmediateCommands = 4;
  static constexpr std::size_t kMaxRemembered = 64;  // beside as many as the window has commands
  static constexpr std::size_t kMaxTextRounds = 64;
  // What commands may take from the pool ahead of their turn for records larger than the first
  // burst.
  static constexpr std::size_t kEarlyBytes = 4u << 20;

  Connection::Impl& connection_;
  Portal::State& portal_;
  const LoginIdentity identity_;
  const std::uint16_t tsih_;
  Parameters parameters_;
  scsi::NexusId nexus_;
  bool established_ = false;
  bool ended_ = false;

  CommandWindow window_;
  std::uint32_t announced_max_;  // what the initiator was last told
  std::map<std::uint32_t, Numbered> held_;

  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<std::unique_ptr<Task>> spare_tasks_;
  std::uint64_t next_id_ = 1;
  std::uint32_t next_transfer_tag_ = 1;
  std::deque<std::uint32_t>
      remembered_;  // tags of ended tasks for which data may still be under way

  // Buffers for what may come unasked, each as long as a first burst. With none, MaxCmdSN stays
  // where it is.
  std::vector<scsi::Buffer> credits_;
  std::size_t credit_goal_ = 0;
  std::uint64_t credit_ticket_ = 0;
  bool credit_pending_ = false;

  Plan plan_ = Plan::kIgnore;
  RejectReason reject_reason_ = RejectReason::kProtocolError;
  std::uint64_t arriving_ = 0;  // id of the task whose buffer the framer fills

  std::string text_request_;               // over several PDUs
  std::string text_answer_;                // what is left of it
  std::uint32_t text_tag_ = kReservedTag;  // transfer tag under which it goes on
  std::uint32_t text_task_tag_ = kReservedTag;
  std::size_t text_rounds_ = 0;
};

// The initiator port's TransportID (SPC-4 7.6.4.6, format 01b): "name,i,0x" and the ISID.
std::vector<std::byte> transport_id(std::string_view initiator, const Isid& isid);
// And back: the initiator's name in it, for people.
std::string initiator_name(scsi::Bytes transport_id);

}  // namespace iscsi
