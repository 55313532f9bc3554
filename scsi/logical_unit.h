// A logical unit's task set: order, gates, residuals, truncation, task management, nexus loss
// (SAM-5).
//
// Commands of one unit run one at a time in the order in which they were submitted, whatever their
// attribute: a tape has one head. But those that only ask (gate::kBeside) are answered at once
// beside one that runs (SAM-5 8.6: unless ORDERED, tasks may be reordered), if no other of their
// nexus waits. At the head
// of the queue the gates run first - unit attention, reservation, CDB validity, readiness - all
// from the command's row in the table; then either the command completes at once, or its handler
// asks for data-out through Task::want(), or it works and calls Task::finish() later.
//
// One thread: the loop that owns the unit. Handlers and sinks may call back into the unit from any
// call.
#pragma once

#include <deque>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "scsi/command.h"
#include "scsi/command_table.h"
#include "scsi/residual.h"
#include "scsi/unit_attention.h"

namespace scsi {

class LogicalUnit;

// One command while it is in the task set; lives until its handler has called finish(), even when
// it was aborted before. A handler may keep a reference to it until then.
class Task {
 public:
  const Command& command() const { return command_; }
  std::uint8_t cdb(std::size_t byte) const {
    return std::to_integer<std::uint8_t>(command_.cdb[byte]);
  }
  // The big-endian number in `width` bytes of the CDB from `byte` on.
  std::uint32_t cdb_field(std::size_t byte, std::size_t width) const;
  Bytes cdb_bytes() const { return std::span(command_.cdb).first(command_.cdb_length); }
  NexusId nexus() const { return command_.nexus; }
  const CommandRow& row() const { return *row_; }
  bool aborted() const { return aborted_; }

  // Asks for the first `length` bytes of data-out, at least 1; `received` gets them in one buffer,
  // unless the task is aborted first: then it is never called and the unit ends the task itself. If
  // the initiator offers less than `length` the engine has the task fail with 5/24/00, or takes
  // what is offered - an empty buffer, if that is nothing - as `shorter` says. `received` may be
  // called, and the task be gone, before this returns.
  enum class Shorter { kRefuse, kTake };
  void want(std::uint32_t length, Shorter shorter, Done<Buffer> received);

  // A parameter list of exactly `length` bytes: 0 gives an empty buffer at once, and an initiator
  // that offers less is told 5/1A/00.
  void parameter_list(std::uint32_t length, Done<Buffer> received);

  // Ends the command; exactly once. The task is gone afterwards.
  void finish(Reply reply);
  void good();
  void good(std::vector<std::byte> data);  // cut to `allocation_length` if one was set below
  void fail(Sense sense);
  // For commands with an ALLOCATION LENGTH field: the engine cuts data-in to it (SPC-4 4.3.5.6).
  // The count of bytes before that cut is what length fields inside the data describe.
  void set_allocation_length(std::uint32_t length) { allocation_length_ = length; }

 private:
  friend class LogicalUnit;
  LogicalUnit* unit_ = nullptr;
  ReplySink* sink_ = nullptr;
  Command command_;
  const CommandRow* row_ = nullptr;
  std::optional<std::uint32_t> allocation_length_;
  DataOut data_out_;
  std::uint32_t wanted_ = 0;
  Done<Buffer> received_;
  bool started_ = false;
  bool wanting_ = false;
  bool aborted_ = false;
};

class LogicalUnit {
 public:
  LogicalUnit(const LogicalUnit&) = delete;
  LogicalUnit& operator=(const LogicalUnit&) = delete;
  virtual ~LogicalUnit();

  // --- The transport's side ---
  void nexus_established(NexusInfo nexus);
  // Aborts the nexus' tasks and clears what belongs to it; after it returns no call about it is
  // made.
  void nexus_lost(NexusId nexus);
  // Exactly one complete(), or aborted(), or silence after nexus_lost().
  void submit(Command command, ReplySink& sink);
  // The whole data-out that want() asked for. Unknown (nexus, tag) pairs are ignored: the task was
  // aborted.
  void data_out(NexusId nexus, TaskTag tag, Buffer data);
  // The LUNs of the target that this unit is part of, for REPORT LUNS; {0} until a Target says
  // otherwise.
  void set_target_luns(std::vector<std::uint16_t> luns);

  // The transport could not bring the wanted data (digest error, protocol error): the task fails
  // with `sense`.
  void data_out_failed(NexusId nexus, TaskTag tag, Sense sense);
  void manage(TaskFunction function, NexusId nexus, std::optional<TaskTag> tag,
              Done<TaskFunctionResult> done);

  std::size_t task_count() const { return tasks_.size(); }
  static constexpr std::size_t kMaxTasks = 512;  // over all nexuses; past it TASK SET FULL

 protected:
  // `rows` has static life, ascending by opcode and service action.
  explicit LogicalUnit(std::span<const CommandRow> rows);

  // --- what a device tells the engine ---

  // Why commands with Gate::kReady cannot run now, or nothing.
  virtual std::optional<Sense> not_ready() const = 0;
  // A deferred error to report on `task` instead of running it, taken out of the device; see
  // SPC-4 4.5.5.
  virtual std::optional<Sense> take_deferred(const Task& task) = 0;
  // True when a reservation of another nexus forbids this command (SPC-4 5.9, SPC-2 5.5).
  virtual bool reservation_conflict(const Task& task) const = 0;
  virtual void on_nexus_established(const NexusInfo&) {}
  virtual void on_nexus_lost(const NexusInfo&) {}
  // LOGICAL UNIT RESET and target reset: the device puts its state back. Tasks are gone, but one
  // that was running may still be at work, aborted, until it calls finish().
  virtual void on_reset() {}
  // How an aborted command ended, which nobody is told.
  virtual void on_unheard(const Reply&) {}

  UnitAttentions& unit_attentions() { return unit_attentions_; }
  const std::map<NexusId, NexusInfo>& nexuses() const { return nexuses_; }
  const NexusInfo* find_nexus(NexusId id) const;
  std::span<const CommandRow> rows() const { return rows_; }
  // Aborts every task of a nexus (PREEMPT AND ABORT).
  void abort_tasks_of(NexusId nexus);
  // For work of the device's own that must not overlap with a command (the robot loads, unloads):
  // calls `begin` once no command runs - at once, if so - and starts no command from then until
  // resume(). Holds queue up in order, ahead of commands that have not started. A task that only
  // waits for its data-out has not touched the medium but has started: it is waited for.
  void hold(Callback begin);
  void resume();
  const std::vector<std::uint16_t>& target_luns() const { return target_luns_; }

 private:
  friend class Task;
  struct Forgotten {  // whom to tell that a task was aborted
    ReplySink* sink;
    NexusId nexus;
    TaskTag tag;
  };
  Task* find(NexusId nexus, TaskTag tag);
  const CommandRow* find_row(const Task& task, bool& opcode_known) const;
  void run();
  enum class Turn { kInOrder, kBeside };
  void start(Task& task, Turn turn);
  bool goes_beside(const Task& task) const;
  bool pass_gates(Task& task, Turn turn);
  void want(Task& task, std::uint32_t length, Task::Shorter shorter, Done<Buffer> received);
  void end(Task& task, Reply reply);
  void erase(Task& task);
  template <class Condition>
  std::vector<Forgotten> abort_if(Condition condition);
  void tell_aborted(const std::vector<Forgotten>& forgotten);

  std::span<const CommandRow> rows_;
  std::array<std::uint16_t, 256> first_row_;  // of an opcode; kNoRow
  std::list<Task> tasks_;                     // the first is the one that runs
  std::list<Task> spare_;                     // list nodes to use again: no allocation per command
  std::map<NexusId, NexusInfo> nexuses_;
  UnitAttentions unit_attentions_;
  std::vector<std::uint16_t> target_luns_ = {0};
  std::deque<Callback> holds_;
  bool held_ = false;
  bool running_ = false;
};

}  // namespace scsi
