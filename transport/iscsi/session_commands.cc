// SCSI commands and their data.
#include <algorithm>
#include <cstring>

#include "scsi/check.h"
#include "transport/iscsi/session.h"

namespace iscsi {
namespace {

enum class AhsContent { kNone, kExtendedCdb, kRefused };

// RFC 7143 11.2.2. Of the two kinds one announces a CDB longer than 16 bytes and the other a
// command that both reads and writes.
AhsContent examine(scsi::Bytes ahs) {
  scsi::ByteReader in(ahs);
  AhsContent content = AhsContent::kNone;
  while (in.remaining() != 0) {
    const std::uint32_t length = in.u16();
    const std::uint8_t type = in.u8();
    // `length` counts from the fourth byte on, padding excluded.
    in.skip((3 + length + 3) / 4 * 4 - 3);
    if (!in.ok() || length == 0 || type != 1) return AhsContent::kRefused;
    content = AhsContent::kExtendedCdb;
  }
  return content;
}

}  // namespace

// --- commands ---

void Session::plan_command() {
  Framer& framer = connection_.framer;
  const ScsiCommand pdu = ScsiCommand::decode(framer.header());
  if (!acceptable_number(framer.header())) {
    plan_ = Plan::kIgnore;
    return framer.discard();
  }
  bool extended_cdb = false;
  if (const auto reason = check_command(pdu, extended_cdb)) {
    plan_ = Plan::kReject;
    reject_reason_ = *reason;
    return framer.discard();
  }
  Task& task = new_task();
  task.task_tag = pdu.task_tag;
  task.cmd_sn = pdu.cmd_sn;
  task.immediate = pdu.immediate;
  task.extended_cdb = extended_cdb;
  task.lun = {pdu.lun};
  task.command.nexus = nexus_;
  task.command.tag = pdu.task_tag;
  task.command.attribute = static_cast<scsi::TaskAttribute>(pdu.attribute);
  std::copy(pdu.cdb.begin(), pdu.cdb.end(), task.command.cdb.begin());
  task.command.cdb_length = 16;
  task.command.expected_length = pdu.expected_length;
  task.command.reads = pdu.read;
  task.command.writes = pdu.write;
  std::erase(remembered_, pdu.task_tag);  // a new task under this tag: what came before is over

  const std::uint32_t length = framer.data_length();
  if (pdu.write) task.transfer.begin(parameters_, pdu.expected_length, length, pdu.final);
  if (!task.transfer.fault() && !give_buffer(task, pdu)) {
    erase(task);
    plan_ = Plan::kReject;
    reject_reason_ = RejectReason::kTooManyImmediate;
    return framer.discard();
  }
  plan_ = Plan::kCommand;
  arriving_ = task.id;
  if (length != 0 && task.buffer)
    framer.receive_into({task.buffer.data(), length});
  else
    framer.discard();
}

std::optional<RejectReason> Session::check_command(const ScsiCommand& pdu,
                                                   bool& extended_cdb) const {
  if (discovery()) return RejectReason::kProtocolError;
  if (pdu.task_tag == kReservedTag || pdu.attribute > 4) return RejectReason::kInvalidField;
  // Both: a bidirectional command (RFC 7143 11.3.1), which no tape or changer has.
  if (pdu.read && pdu.write) return RejectReason::kInvalidField;
  const AhsContent ahs = examine(connection_.framer.ahs());
  if (ahs == AhsContent::kRefused) return RejectReason::kInvalidField;
  extended_cdb = ahs == AhsContent::kExtendedCdb;
  for (const auto& task : tasks_)
    if (task->task_tag == pdu.task_tag) return RejectReason::kTaskInProgress;
  if (!pdu.write && connection_.framer.data_length() != 0) return RejectReason::kProtocolError;
  if (pdu.immediate) {
    const auto count = std::count_if(tasks_.begin(), tasks_.end(),
                                     [](const auto& task) { return task->immediate; });
    if (static_cast<std::size_t>(count) >= kMaxImmediateCommands)
      return RejectReason::kTooManyImmediate;
  }
  return {};
}

// Memory for what comes unasked. Ordinarily the pool has room for the whole record, and that is
// where it all goes; if not, one of the buffers set aside takes the first burst. False: neither,
// which only an immediate command can meet, as the window does not count those.
bool Session::give_buffer(Task& task, const ScsiCommand& pdu) {
  const std::uint32_t first_burst = std::min(parameters_.first_burst, pdu.expected_length);
  const std::uint32_t unasked = pdu.final ? connection_.framer.data_length() : first_burst;
  if (!pdu.write || unasked == 0) return true;
  std::size_t early = 0;
  for (const auto& other : tasks_) early += other->buffer.capacity();
  const bool whole = pdu.expected_length <= first_burst ||
                     (pdu.expected_length <= scsi::BufferPool::kLargest &&
                      (early == 0 || early + pdu.expected_length <= kEarlyBytes));
  auto buffer =
      portal_.buffers.try_take(identity_.target->owner, whole ? pdu.expected_length : first_burst);
  if (buffer) {
    task.buffer = std::move(*buffer);
  } else if (!credits_.empty() && !pdu.immediate) {
    task.buffer = std::move(credits_.back());
    credits_.pop_back();
    task.borrowed = true;
  } else {
    VTL_CHECK(pdu.immediate);  // the window promised one
    return false;
  }
  return true;
}

// --- data-out ---

void Session::plan_data_out() {
  Framer& framer = connection_.framer;
  const DataOut pdu = DataOut::decode(framer.header());
  Task* const task = find_task(pdu.task_tag);
  plan_ = Plan::kIgnore;
  if (task == nullptr || !task->command.writes) {
    if (!remembered(pdu.task_tag)) {
      plan_ = Plan::kReject;
      reject_reason_ = discovery() ? RejectReason::kProtocolError : RejectReason::kInvalidField;
    }
    return framer.discard();
  }
  // The unit has it all: what still comes is surplus of a sequence that has broken a rule.
  if (task->delivered) return framer.discard();
  const std::uint32_t length = framer.data_length();
  // The LUN is only meaningful beside a transfer tag of ours (RFC 7143 11.7.4).
  if (pdu.transfer_tag != kReservedTag && pdu.lun != task->lun.raw)
    task->transfer.fail(scsi::Asc::kDataPhaseError);
  const auto offset = task->transfer.accept(pdu, length);
  plan_ = Plan::kDataOut;
  arriving_ = task->id;
  if (!offset) return framer.discard();
  VTL_CHECK(std::size_t{*offset} + length <= task->buffer.capacity());
  framer.receive_into({task->buffer.data() + *offset, length});
}

void Session::want(scsi::TaskTag tag, std::uint32_t length) {
  Task* const task = find_task(tag);
  if (task == nullptr) return;
  VTL_CHECK(length != 0 && length <= task->command.expected_length);
  if (length > scsi::BufferPool::kLargest) {
    // No device takes that much at once; a parameter list length field can still say so.
    task->delivered = true;
    return identity_.target->target->data_out_failed(
        nexus_, task->lun, tag, scsi::Sense::illegal_request(scsi::Asc::kInvalidFieldInCdb));
  }
  task->transfer.want(length);
  progress(*task);
}

// Whatever the task's data allow for now: fail, wait, ask for memory, ask for data, hand it over.
void Session::progress(Task& task) {
  WriteTransfer& transfer = task.transfer;
  if (task.delivered || transfer.wanted() == 0) return;
  scsi::Target& target = *identity_.target->target;
  if (const auto fault = transfer.fault()) {
    task.delivered = true;
    return target.data_out_failed(nexus_, task.lun, task.task_tag,
                                  scsi::Sense::make(scsi::SenseKey::kAbortedCommand, *fault));
  }
  if (transfer.unsolicited_open() || task.waiting) return;
  if (task.buffer.capacity() < transfer.wanted()) return ask_for_buffer(task);
  if (transfer.complete()) {
    task.delivered = true;
    task.borrowed = false;
    task.buffer.resize(transfer.wanted());
    return target.data_out(nexus_, task.lun, task.task_tag, std::move(task.buffer));
  }
  while (auto r2t = transfer.next_request(next_transfer_tag_)) {
    if (++next_transfer_tag_ == kReservedTag) next_transfer_tag_ = 1;
    r2t->lun = task.lun.raw;
    r2t->task_tag = task.task_tag;
    send(r2t->encode(), StatSn::kNext);
  }
}

// No R2T before there is a place for the whole record: a record is never split.
void Session::ask_for_buffer(Task& task) {
  const std::uint64_t id = task.id;
  task.waiting = true;
  const std::uint64_t ticket =
      portal_.buffers.take(identity_.target->owner, task.transfer.wanted(),
                           [weak = weak_from_this(), id](scsi::Buffer buffer) {
                             if (const auto session = weak.lock())
                               session->buffer_granted(id, std::move(buffer));
                           });
  if (task.id == id && task.waiting) task.ticket = ticket;
}

void Session::buffer_granted(std::uint64_t id, scsi::Buffer buffer) {
  Connection::Impl::Scope scope(connection_);
  Task* const task = find_id(id);
  if (task == nullptr) return;
  task->waiting = false;
  const std::size_t here = task->transfer.here();
  VTL_CHECK(here <= task->buffer.capacity());
  if (here != 0) std::memcpy(buffer.data(), task->buffer.data(), here);
  std::swap(task->buffer, buffer);
  task->borrowed = false;
  return_credit(std::move(buffer));
  progress(*task);
}

// --- the answer ---

void Session::complete(scsi::TaskTag tag, scsi::Reply reply, scsi::Residual residual) {
  if (ended_) return;
  Task* const task = find_task(tag);
  if (task == nullptr) return;
  Task done;
  done.task_tag = task->task_tag;
  done.lun = task->lun;
  done.transfer = std::move(task->transfer);
  if (done.transfer.expects_data() || done.transfer.fault()) remember(tag);
  erase(*task);  // first: its slot makes room in the window that the answer announces
  respond(done, std::move(reply), residual);
}

void Session::respond(const Task& task, scsi::Reply reply, scsi::Residual residual) {
  const bool good = reply.status == scsi::SamStatus::kGood && !reply.sense;
  const std::uint32_t count = residual.overflow != 0 ? residual.overflow : residual.underflow;
  std::uint32_t data_pdus = 0;
  ReadTransfer data(parameters_, std::move(reply.data_in));
  while (auto segment = data.next()) {
    ++data_pdus;
    DataIn pdu;
    pdu.final = segment->final;
    pdu.lun = 0;  // reserved, as no acknowledgement is asked for
    pdu.task_tag = task.task_tag;
    pdu.data_sn = segment->data_sn;
    pdu.offset = segment->offset;
    const bool collapsed = segment->last && good;
    if (collapsed) {
      pdu.has_status = true;
      pdu.overflow = residual.overflow != 0;
      pdu.underflow = residual.underflow != 0;
      pdu.residual = count;
    }
    send(pdu.encode(), collapsed ? StatSn::kConsumed : StatSn::kNone, std::move(segment->data));
    if (collapsed) return;
  }
  ScsiResponse pdu;
  pdu.status = static_cast<std::uint8_t>(reply.status);
  pdu.task_tag = task.task_tag;
  pdu.exp_data_sn = data_pdus + task.transfer.requests_sent();
  pdu.overflow = residual.overflow != 0;
  pdu.underflow = residual.underflow != 0;
  pdu.residual = count;
  scsi::SliceList sense_data;
  if (reply.sense) {
    const std::vector<std::byte> sense = reply.sense->encode_fixed();
    scsi::ByteBuilder out;
    out.u16(sense.size()).bytes(sense);
    sense_data = scsi::slices_of(out.take());
  }
  send(pdu.encode(), StatSn::kConsumed, std::move(sense_data));
}

void Session::aborted(scsi::TaskTag tag) {
  if (ended_) return;
  Task* const task = find_task(tag);
  if (task == nullptr || !task->submitted) return;
  if (task->command.writes) remember(tag);
  erase(*task);
}

// --- tasks ---

Session::Task& Session::new_task() {
  if (spare_tasks_.empty()) spare_tasks_.push_back(std::make_unique<Task>());
  tasks_.push_back(std::move(spare_tasks_.back()));
  spare_tasks_.pop_back();
  tasks_.back()->id = next_id_++;
  return *tasks_.back();
}

Session::Task* Session::find_task(std::uint32_t task_tag) {
  for (const auto& task : tasks_)
    if (task->task_tag == task_tag) return task.get();
  return nullptr;
}

Session::Task* Session::find_id(std::uint64_t id) {
  for (const auto& task : tasks_)
    if (task->id == id) return task.get();
  return nullptr;
}

// The object stays, for the next command: who is still in the middle of a call with it finds it not
// in use.
void Session::erase(Task& task) {
  const auto place = std::find_if(tasks_.begin(), tasks_.end(),
                                  [&](const auto& other) { return other.get() == &task; });
  VTL_CHECK(place != tasks_.end());
  if (arriving_ == task.id) {
    arriving_ = 0;
    connection_.framer.discard();
  }
  spare_tasks_.push_back(std::move(*place));
  tasks_.erase(place);
  if (task.waiting) portal_.buffers.cancel(task.ticket);
  scsi::Buffer buffer = std::move(task.buffer);
  task = Task();
  if (buffer) return_credit(std::move(buffer));
}

void Session::remember(std::uint32_t task_tag) {
  if (remembered(task_tag)) return;
  // A reset may end all that the window let in, each with data under way.
  if (remembered_.size() >= portal_.options.command_window + kMaxRemembered)
    remembered_.pop_front();
  remembered_.push_back(task_tag);
}

bool Session::remembered(std::uint32_t task_tag) const {
  return std::find(remembered_.begin(), remembered_.end(), task_tag) != remembered_.end();
}

// --- credits ---

// A buffer that is not needed any more stands in for one that is missing, or goes back to the pool.
void Session::return_credit(scsi::Buffer buffer) {
  if (!ended_ && credits_.size() < credit_goal_ && buffer.capacity() >= parameters_.first_burst)
    credits_.push_back(std::move(buffer));
}

// One that a command only borrows is not missing yet: asking for another would get in the way of
// its record.
void Session::refill_credits() {
  const auto borrowed = static_cast<std::size_t>(
      std::count_if(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->borrowed; }));
  while (!ended_ && !credit_pending_ && credits_.size() + borrowed < credit_goal_) {
    credit_pending_ = true;
    credit_ticket_ = portal_.buffers.take(identity_.target->owner, parameters_.first_burst,
                                          [weak = weak_from_this()](scsi::Buffer buffer) {
                                            const auto session = weak.lock();
                                            if (!session) return;
                                            Connection::Impl::Scope scope(session->connection_);
                                            session->credit_pending_ = false;
                                            session->return_credit(std::move(buffer));
                                          });
  }
}

}  // namespace iscsi
