#include "scsi/logical_unit.h"

#include <algorithm>

namespace scsi {
namespace {

constexpr std::uint16_t kNoRow = 0xFFFF;

Reply check_condition(Sense sense) {
  Reply reply;
  reply.status = SamStatus::kCheckCondition;
  reply.sense = std::move(sense);
  return reply;
}

// The first bit that is set outside the row's usage mask. Bits 7-5 of byte 1 held a LUN in SCSI-2,
// whose CDBs had up to 12 bytes; clients still put it there. NACA, FLAG and LINK are bits of the
// control byte like any other: no row uses them.
std::optional<Sense> refuse_reserved_bits(const CommandRow& row, const Command& command) {
  for (std::uint8_t byte = 1; byte < row.cdb_length; ++byte) {
    unsigned used = row.usage[byte];
    if (byte == 1 && row.cdb_length < 16) used |= 0xE0u;
    if (byte == 1 && row.service_action != kNoServiceAction) used |= 0x1Fu;
    const unsigned extra = std::to_integer<unsigned>(command.cdb[byte]) & ~used;
    if (extra == 0) continue;
    std::uint8_t bit = 7;
    while ((extra >> bit & 1u) == 0) --bit;
    return Sense::invalid_field_in_cdb(byte, bit);
  }
  return {};
}

}  // namespace

// --- life of nexuses ---

LogicalUnit::LogicalUnit(std::span<const CommandRow> rows) : rows_(rows) {
  first_row_.fill(kNoRow);
  for (std::size_t i = rows.size(); i-- > 0;) {
    VTL_CHECK(i == 0 || rows[i - 1].opcode < rows[i].opcode ||
              (rows[i - 1].opcode == rows[i].opcode &&
               rows[i - 1].service_action < rows[i].service_action));
    first_row_[rows[i].opcode] = static_cast<std::uint16_t>(i);
  }
}

LogicalUnit::~LogicalUnit() = default;

void LogicalUnit::nexus_established(NexusInfo nexus) {
  unit_attentions_.nexus_established(nexus);
  const auto [place, added] = nexuses_.emplace(nexus.id, std::move(nexus));
  VTL_CHECK(added);
  on_nexus_established(place->second);
}

void LogicalUnit::nexus_lost(NexusId nexus) {
  const auto found = nexuses_.find(nexus);
  if (found == nexuses_.end()) return;
  const NexusInfo info = std::move(found->second);
  nexuses_.erase(found);  // from here on nothing is said to it
  abort_if([&](const Task& task) { return task.nexus() == nexus; });
  unit_attentions_.nexus_lost(nexus);
  on_nexus_lost(info);
  run();
}

const NexusInfo* LogicalUnit::find_nexus(NexusId id) const {
  const auto found = nexuses_.find(id);
  return found == nexuses_.end() ? nullptr : &found->second;
}

void LogicalUnit::set_target_luns(std::vector<std::uint16_t> luns) {
  if (luns == target_luns_) return;
  target_luns_ = std::move(luns);
  unit_attentions_.raise_all(Asc::kReportedLunsDataHasChanged);
}

// --- the queue ---

Task* LogicalUnit::find(NexusId nexus, TaskTag tag) {
  for (Task& task : tasks_)
    if (task.command_.tag == tag && task.nexus() == nexus && !task.aborted_) return &task;
  return nullptr;
}

void LogicalUnit::submit(Command command, ReplySink& sink) {
  VTL_CHECK(nexuses_.contains(command.nexus));
  const auto refuse = [&](Reply reply) {
    const Residual residual = settle(command, reply, {}, {});
    sink.complete(command.nexus, command.tag, std::move(reply), residual);
  };
  if (find(command.nexus, command.tag) != nullptr) {
    // SAM-5 5.9.3 overlapped commands: all of this nexus' commands end, and the new one is not
    // executed.
    tell_aborted(abort_if([&](const Task& task) { return task.nexus() == command.nexus; }));
    if (nexuses_.contains(command.nexus))
      refuse(check_condition(Sense::make(SenseKey::kAbortedCommand, Asc::kOverlappedCommands)));
    run();
    return;
  }
  if (tasks_.size() >= kMaxTasks) {
    Reply full;
    full.status = SamStatus::kTaskSetFull;
    refuse(std::move(full));
    return;
  }
  if (spare_.empty()) spare_.emplace_back();
  tasks_.splice(tasks_.end(), spare_, spare_.begin());
  Task& task = tasks_.back();
  task.unit_ = this;
  task.sink_ = &sink;
  task.command_ = command;
  goes_beside(task) ? start(task, Turn::kBeside) : run();
}

// What its nexus has waiting comes first: of that nexus' unit attentions, too. Nothing overtakes
// what is ORDERED or was put at the head of the queue (SAM-5 8.6), until it is aborted.
bool LogicalUnit::goes_beside(const Task& task) const {
  if (!held_ && !tasks_.front().started_) return false;
  bool known = false;
  const CommandRow* const row = find_row(task, known);
  if (row == nullptr || (row->gates & gate::kBeside) == 0) return false;
  if (task.command_.attribute == TaskAttribute::kOrdered) return false;
  return std::none_of(tasks_.begin(), tasks_.end(), [&](const Task& other) {
    const TaskAttribute attribute = other.command_.attribute;
    if (&other == &task || other.aborted_) return false;
    return attribute == TaskAttribute::kOrdered || attribute == TaskAttribute::kHeadOfQueue ||
           (!other.started_ && other.nexus() == task.nexus());
  });
}

// Only one call of run() is at work at a time; what nested calls would do, its loop does. So a long
// queue of commands that end at once does not grow the stack.
void LogicalUnit::run() {
  if (running_) return;
  running_ = true;
  while (!held_ && (tasks_.empty() || !tasks_.front().started_)) {
    if (!holds_.empty()) {
      held_ = true;
      Callback begin = std::move(holds_.front());
      holds_.pop_front();
      begin();
    } else if (!tasks_.empty()) {
      start(tasks_.front(), Turn::kInOrder);
    } else {
      break;
    }
  }
  running_ = false;
}

void LogicalUnit::hold(Callback begin) {
  holds_.push_back(std::move(begin));
  run();
}

void LogicalUnit::resume() {
  VTL_CHECK(held_);
  held_ = false;
  run();
}

void LogicalUnit::start(Task& task, Turn turn) {
  task.started_ = true;
  if (pass_gates(task, turn)) task.row_->handler(*this, task);
}

const CommandRow* LogicalUnit::find_row(const Task& task, bool& opcode_known) const {
  const std::uint8_t opcode = task.cdb(0);
  opcode_known = first_row_[opcode] != kNoRow;
  if (!opcode_known) return nullptr;
  for (std::size_t i = first_row_[opcode]; i < rows_.size() && rows_[i].opcode == opcode; ++i)
    if (rows_[i].service_action == kNoServiceAction ||
        rows_[i].service_action == (task.cdb(1) & 0x1F))
      return &rows_[i];
  return nullptr;
}

// Unit attention, reservation, validity of the CDB, deferred error, readiness: in this order
// (SPC-4 5.3.3, SAM-5 5.3.2). A deferred error comes before readiness: an empty drive must still
// tell how the last cartridge's writes went.
bool LogicalUnit::pass_gates(Task& task, Turn turn) {
  bool opcode_known = false;
  task.row_ = find_row(task, opcode_known);
  const std::uint8_t gates = task.row_ != nullptr ? task.row_->gates : gate::kUnitAttention;

  if ((gates & gate::kUnitAttention) != 0) {
    if (const auto asc = unit_attentions_.take(task.nexus())) {
      task.fail(Sense::unit_attention(*asc));
      return false;
    }
  }
  if (!opcode_known) {
    task.fail(Sense::illegal_request(Asc::kInvalidOperationCode));
    return false;
  }
  if (task.row_ == nullptr) {
    task.fail(Sense::invalid_field_in_cdb(1, 4));  // the service action
    return false;
  }
  if (reservation_conflict(task)) {
    Reply conflict;
    conflict.status = SamStatus::kReservationConflict;
    task.finish(std::move(conflict));
    return false;
  }
  std::optional<Sense> refused = refuse_reserved_bits(*task.row_, task.command_);
  if (!refused && turn == Turn::kInOrder && (gates & gate::kDeferred) != 0)
    refused = take_deferred(task);
  if (!refused && (gates & gate::kReady) != 0) refused = not_ready();
  if (refused) {
    task.fail(*std::move(refused));
    return false;
  }
  return true;
}

// --- data-out ---

void LogicalUnit::want(Task& task, std::uint32_t length, Task::Shorter shorter,
                       Done<Buffer> received) {
  VTL_CHECK(length != 0 && !task.wanting_);
  if (task.aborted_) {
    erase(task);
    run();
    return;
  }
  const std::uint32_t offered = task.command_.writes ? task.command_.expected_length : 0;
  if (offered < length && shorter == Task::Shorter::kRefuse) {
    task.data_out_.needed = length;
    task.fail(Sense::illegal_request(Asc::kInvalidFieldInCdb));
    return;
  }
  task.data_out_ = {length, 0};
  if (offered == 0) {
    received(Buffer());
    return;
  }
  task.wanting_ = true;
  task.received_ = std::move(received);
  task.wanted_ = std::min(length, offered);
  task.sink_->want(task.nexus(), task.command_.tag, task.wanted_);
}

void LogicalUnit::data_out(NexusId nexus, TaskTag tag, Buffer data) {
  Task* task = find(nexus, tag);
  if (task == nullptr || !task->wanting_) return;
  VTL_CHECK(data.size() == task->wanted_);
  task->wanting_ = false;
  task->data_out_.taken = task->wanted_;
  task->received_(std::move(data));
}

void LogicalUnit::data_out_failed(NexusId nexus, TaskTag tag, Sense sense) {
  Task* task = find(nexus, tag);
  if (task == nullptr || !task->wanting_) return;
  task->wanting_ = false;
  task->received_ = {};
  task->fail(std::move(sense));
}

// --- the end of a task ---

void LogicalUnit::end(Task& task, Reply reply) {
  if (task.aborted_) {
    on_unheard(reply);
    erase(task);
    run();
    return;
  }
  VTL_CHECK(!task.wanting_);
  const Residual residual = settle(task.command_, reply, task.allocation_length_, task.data_out_);
  ReplySink& sink = *task.sink_;
  const NexusId nexus = task.nexus();
  const TaskTag tag = task.command_.tag;
  erase(task);  // first: the sink may submit a command with the same tag
  sink.complete(nexus, tag, std::move(reply), residual);
  run();
}

void LogicalUnit::erase(Task& task) {
  const auto place = std::find_if(tasks_.begin(), tasks_.end(),
                                  [&](const Task& other) { return &other == &task; });
  VTL_CHECK(place != tasks_.end());
  spare_.splice(spare_.begin(), tasks_, place);
  spare_.front() = Task();
}

// Ends the tasks that `condition` names. One whose handler is at work stays at the head, without a
// voice, until the handler calls finish(). Nobody is told yet: sinks may call back, so that is done
// when the list is at rest.
template <class Condition>
std::vector<LogicalUnit::Forgotten> LogicalUnit::abort_if(Condition condition) {
  std::vector<Forgotten> forgotten;
  for (auto next = tasks_.begin(); next != tasks_.end();) {
    Task& task = *next++;
    if (task.aborted_ || !condition(task)) continue;
    forgotten.push_back({task.sink_, task.nexus(), task.command_.tag});
    if (task.started_ && !task.wanting_)
      task.aborted_ = true;
    else
      erase(task);
  }
  return forgotten;
}

void LogicalUnit::tell_aborted(const std::vector<Forgotten>& forgotten) {
  for (const Forgotten& task : forgotten)
    if (nexuses_.contains(task.nexus)) task.sink->aborted(task.nexus, task.tag);
}

void LogicalUnit::abort_tasks_of(NexusId nexus) {
  tell_aborted(abort_if([&](const Task& task) { return task.nexus() == nexus; }));
  run();
}

// SAM-5 7. The running operation is never waited for: its task is aborted and its end goes unheard.
void LogicalUnit::manage(TaskFunction function, NexusId nexus, std::optional<TaskTag> tag,
                         Done<TaskFunctionResult> done) {
  TaskFunctionResult result = TaskFunctionResult::kComplete;
  std::vector<Forgotten> forgotten;
  switch (function) {
    case TaskFunction::kAbortTask:
      if (tag)
        forgotten = abort_if(
            [&](const Task& task) { return task.nexus() == nexus && task.command_.tag == *tag; });
      if (forgotten.empty()) result = TaskFunctionResult::kNoSuchTask;
      break;
    case TaskFunction::kAbortTaskSet:
      forgotten = abort_if([&](const Task& task) { return task.nexus() == nexus; });
      break;
    case TaskFunction::kClearTaskSet:
      forgotten = abort_if([](const Task&) { return true; });
      for (const Forgotten& task : forgotten)
        if (task.nexus != nexus)
          unit_attentions_.raise(task.nexus, Asc::kCommandsClearedByAnotherInitiator);
      break;
    case TaskFunction::kLogicalUnitReset:
    case TaskFunction::kTargetReset:
      forgotten = abort_if([](const Task&) { return true; });
      unit_attentions_.raise_all(Asc::kBusDeviceReset);
      on_reset();
      break;
    case TaskFunction::kClearAca:      // NORMACA = 0
    case TaskFunction::kQueryTask:     // REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS says
    case TaskFunction::kQueryTaskSet:  // the same of these three
    case TaskFunction::kNexusReset:
      result = TaskFunctionResult::kNotSupported;
      break;
  }
  tell_aborted(forgotten);
  done(result);
  run();
}

}  // namespace scsi
