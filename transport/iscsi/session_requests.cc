// NOP, task management, logout, text.
#include <algorithm>

#include "transport/iscsi/session.h"

namespace iscsi {

void Session::too_many(const Header& header, scsi::Bytes ahs) {
  portal_.reached(Limit::kImmediate, LogLevel::kInfo,
                  connection_.who() + " has too many requests open that do not wait their turn");
  reject(RejectReason::kTooManyImmediate, header, ahs);
}

// --- NOP ---

void Session::nop_out(Numbered& item) {
  const NopOut pdu = NopOut::decode(item.header);
  if (pdu.task_tag == kReservedTag) {
    // The answer to a ping of ours, or to none: either way it shows that the initiator is alive.
    if (!pdu.immediate) reject(RejectReason::kInvalidField, item.header);
    return;
  }
  if (connection_.congested()) return too_many(item.header);
  NopIn answer;
  answer.lun = pdu.lun;
  answer.task_tag = pdu.task_tag;
  if (item.data.size() > parameters_.initiator_max_recv)
    item.data.resize(parameters_.initiator_max_recv);
  send(answer.encode(), StatSn::kConsumed, scsi::slices_of(std::move(item.data)));
}

void Session::ping() {
  if (ended_ || connection_.ping_sent) return;
  connection_.ping_sent = true;
  connection_.ping_timer.arm(Milliseconds(portal_.options.ping_after_ms), connection_.exact_now());
  NopIn pdu;
  pdu.transfer_tag = next_transfer_tag_;
  if (++next_transfer_tag_ == kReservedTag) next_transfer_tag_ = 1;
  send(pdu.encode(), StatSn::kNext);  // no data: Linux drops the connection otherwise
}

// --- task management ---

void Session::manage(const Numbered& item) {
  const TaskManagementRequest pdu = TaskManagementRequest::decode(item.header);
  if (discovery()) return reject(RejectReason::kProtocolError, item.header);
  if (connection_.congested()) return too_many(item.header);
  const auto answer = [&](TaskManagementCode code) { managed(pdu.task_tag, code, false); };
  std::optional<scsi::TaskTag> tag;
  scsi::TaskFunction function = scsi::TaskFunction::kAbortTaskSet;
  switch (static_cast<TaskManagementFunction>(pdu.function)) {
    case TaskManagementFunction::kAbortTask: {
      // By tag among this session's own: nobody aborts another session's task.
      Task* const task = find_task(pdu.referenced_tag);
      if (task == nullptr || !task->submitted || task->lun.raw != pdu.lun)
        return answer(abort_held_or_unknown(pdu));
      tag = pdu.referenced_tag;
      function = scsi::TaskFunction::kAbortTask;
      break;
    }
    case TaskManagementFunction::kAbortTaskSet:
      abort_held(pdu, false);
      break;
    case TaskManagementFunction::kClearTaskSet:
      abort_held(pdu, false);
      function = scsi::TaskFunction::kClearTaskSet;
      break;
    case TaskManagementFunction::kLogicalUnitReset:
      abort_held(pdu, false);
      function = scsi::TaskFunction::kLogicalUnitReset;
      break;
    case TaskManagementFunction::kTargetWarmReset:
    case TaskManagementFunction::kTargetColdReset:
      abort_held(pdu, true);
      function = scsi::TaskFunction::kTargetReset;
      break;
    case TaskManagementFunction::kTaskReassign:
      return answer(TaskManagementCode::kReassignNotSupported);
    case TaskManagementFunction::kClearAca:  // no command here establishes an ACA condition
    default:                                 // RFC 7144's need protocol level 2
      return answer(TaskManagementCode::kNotSupported);
  }
  const bool cold =
      pdu.function == static_cast<std::uint8_t>(TaskManagementFunction::kTargetColdReset);
  identity_.target->target->manage(
      function, nexus_, {pdu.lun}, tag,
      [weak = weak_from_this(), task_tag = pdu.task_tag, cold](scsi::TaskFunctionResult result) {
        const auto session = weak.lock();
        if (!session || session->ended_) return;
        TaskManagementCode code = TaskManagementCode::kRejected;
        switch (result) {
          case scsi::TaskFunctionResult::kComplete:
            code = TaskManagementCode::kComplete;
            break;
          case scsi::TaskFunctionResult::kNoSuchTask:
            code = TaskManagementCode::kNoSuchTask;
            break;
          case scsi::TaskFunctionResult::kNoSuchLun:
            code = TaskManagementCode::kNoSuchLun;
            break;
          case scsi::TaskFunctionResult::kNotSupported:
            code = TaskManagementCode::kNotSupported;
            break;
          case scsi::TaskFunctionResult::kRejected:
            break;
        }
        session->managed(task_tag, code, cold && code == TaskManagementCode::kComplete);
      });
}

// The task is not with its unit: it waits for its turn here, or has not come yet, or is unknown
// (RFC 7143 11.6.1).
TaskManagementCode Session::abort_held_or_unknown(const TaskManagementRequest& pdu) {
  Task* const task = find_task(pdu.referenced_tag);
  if (task != nullptr) {
    if (task->submitted || task->lun.raw != pdu.lun) return TaskManagementCode::kNoSuchTask;
    for (auto& [cmd_sn, item] : held_)
      if (item.task == task->id) item.spent = true;
    remember(task->task_tag);
    erase(*task);
    return TaskManagementCode::kComplete;
  }
  const std::uint32_t number = pdu.ref_cmd_sn;
  if (pdu.referenced_tag == pdu.task_tag || !window_.contains(number) || held_.contains(number) ||
      !serial_less(number, pdu.cmd_sn))
    return TaskManagementCode::kNoSuchTask;
  Numbered item;
  item.spent = true;
  held_.emplace(number,
                std::move(item));  // counts as received; the command, if it comes, is ignored
  return TaskManagementCode::kComplete;
}

// Commands that the function is to hit and that are not with their unit yet.
void Session::abort_held(const TaskManagementRequest& pdu, bool all_units) {
  for (auto& [cmd_sn, item] : held_) {
    if (!serial_less(cmd_sn, pdu.cmd_sn)) continue;
    Task* const task = item.task == 0 ? nullptr : find_id(item.task);
    if (task == nullptr || (!all_units && task->lun.raw != pdu.lun)) continue;
    item.spent = true;
    remember(task->task_tag);
    erase(*task);
  }
}

void Session::managed(std::uint32_t task_tag, TaskManagementCode code, bool cold_reset) {
  Connection::Impl::Scope scope(connection_);
  TaskManagementResponse response;
  response.task_tag = task_tag;
  response.response = code;
  send(response.encode(), StatSn::kConsumed);
  if (!cold_reset) return;
  for (Session* session : portal_.sessions_of(*identity_.target)) {
    if (!portal_.sessions.contains(session)) continue;  // gone through one before it
    Connection::Impl::Scope other(session->connection_);
    session->connection_.close("target cold reset");
  }
}

// --- logout ---

void Session::logout(const Numbered& item) {
  const LogoutRequest pdu = LogoutRequest::decode(item.header);
  enum : std::uint8_t { kCloseSession = 0, kCloseConnection = 1, kRecovery = 2 };
  LogoutResponse response;
  response.task_tag = pdu.task_tag;
  response.time_to_wait = static_cast<std::uint16_t>(parameters_.time_to_wait_s);
  if (pdu.reason > kRecovery) return reject(RejectReason::kInvalidField, item.header);
  if (pdu.reason != kCloseSession && pdu.connection_id != identity_.connection_id)
    response.response = 1;
  else if (pdu.reason == kRecovery)
    response.response = 2;
  const bool ends = response.response == 0;
  // The tasks end before the answer says so; afterwards the session takes nothing more.
  if (ends) end();
  send(response.encode(), StatSn::kConsumed);
  if (ends) connection_.close_after_logout();
}

void Session::request_logout() {
  if (ended_) return;
  AsyncMessage pdu;
  pdu.event = AsyncEvent::kLogoutRequest;
  pdu.parameter3 = static_cast<std::uint16_t>(Connection::Impl::kLogoutTime.count() / 1000);
  send(pdu.encode(), StatSn::kConsumed);
  connection_.close_timer.arm(Connection::Impl::kLogoutTime, connection_.exact_now());
}

// Whoever had it - a host that knows, or another one with a copy of its name - is told to wait
// before it comes again. Who does not read is not waited for long.
void Session::replace() {
  Connection::Impl::Scope scope(connection_);
  AsyncMessage pdu;
  pdu.event = AsyncEvent::kDropSession;
  pdu.parameter2 = static_cast<std::uint16_t>(parameters_.time_to_wait_s);
  send(pdu.encode(), StatSn::kConsumed);
  connection_.close("its initiator port logged in again");
}

// --- text ---

void Session::forget_text() {
  text_request_.clear();
  text_answer_.clear();
  text_tag_ = kReservedTag;
  text_rounds_ = 0;
}

void Session::text(const Numbered& item) {
  const TextRequest pdu = TextRequest::decode(item.header);
  if (connection_.congested()) return too_many(item.header);
  if (pdu.task_tag == kReservedTag || (pdu.final && pdu.more)) {
    forget_text();
    return reject(RejectReason::kInvalidField, item.header);
  }
  if (pdu.transfer_tag == kReservedTag) {
    forget_text();  // RFC 7143 11.10.4: a new exchange; one under way is given up
    text_task_tag_ = pdu.task_tag;
  } else if (text_tag_ == kReservedTag || pdu.transfer_tag != text_tag_ ||
             pdu.task_tag != text_task_tag_) {
    return reject(RejectReason::kInvalidField, item.header);
  }
  if (++text_rounds_ > kMaxTextRounds ||
      text_request_.size() + item.data.size() > portal_.options.max_text_bytes) {
    portal_.reached(Limit::kText, LogLevel::kWarning,
                    connection_.who() + " sent a text request that is too long: rejected");
    forget_text();
    return reject(RejectReason::kProtocolError, item.header);
  }
  if (!text_answer_.empty()) return send_text_piece(pdu);  // the initiator fetches the rest
  text_request_.append(scsi::as_text(item.data));
  if (pdu.more) {
    TextResponse response;
    response.task_tag = pdu.task_tag;
    text_tag_ = response.transfer_tag = next_transfer_tag_;
    if (++next_transfer_tag_ == kReservedTag) next_transfer_tag_ = 1;
    return send(response.encode(), StatSn::kConsumed);
  }
  const std::string request = std::move(text_request_);
  text_request_.clear();
  answer_text(item, request);
}

void Session::answer_text(const Numbered& item, const std::string& request) {
  const auto refuse = [&] {
    forget_text();
    reject(RejectReason::kProtocolError, item.header);
  };
  const auto pairs = parse_text(request);
  if (!pairs) return refuse();
  Negotiation negotiation(portal_.options);
  bool declared = false;
  for (const KeyValue& pair : *pairs) {
    std::vector<KeyValue> answers;
    if (pair.first == "SendTargets") {
      if (!send_targets(pair.second, text_answer_)) append_text(text_answer_, pair.first, "Reject");
    } else if (negotiation.receive(pair, false, answers) == Negotiation::Verdict::kProtocolError) {
      return refuse();
    }
    if (pair.first == "MaxRecvDataSegmentLength") declared = true;
    for (const auto& [key, value] : answers) append_text(text_answer_, key, value);
    if (text_answer_.size() > portal_.options.max_text_bytes) {
      portal_.reached(Limit::kText, LogLevel::kWarning,
                      connection_.who() + " asked for a text that is too long: rejected");
      return refuse();
    }
  }
  if (declared) parameters_.initiator_max_recv = negotiation.parameters().initiator_max_recv;
  send_text_piece(TextRequest::decode(item.header));
}

// As much of the answer as the initiator takes at once (RFC 7143 6.2). F=1 only after F=1.
void Session::send_text_piece(const TextRequest& pdu) {
  const std::size_t size =
      std::min<std::size_t>(text_answer_.size(), parameters_.initiator_max_recv);
  TextResponse response;
  response.task_tag = pdu.task_tag;
  response.lun = pdu.lun;
  response.more = size < text_answer_.size();
  response.final = !response.more && pdu.final;
  if (!response.final) {
    text_tag_ = response.transfer_tag = next_transfer_tag_;
    if (++next_transfer_tag_ == kReservedTag) next_transfer_tag_ = 1;
  } else {
    text_tag_ = kReservedTag;
  }
  const scsi::Bytes piece = scsi::as_bytes(std::string_view(text_answer_).substr(0, size));
  scsi::SliceList data = scsi::slices_of(std::vector<std::byte>(piece.begin(), piece.end()));
  text_answer_.erase(0, size);
  send(response.encode(), StatSn::kConsumed, std::move(data));
}

// RFC 7143 appendix C. False: Reject.
bool Session::send_targets(const std::string& value, std::string& answer) {
  const std::string name = auth::fold_case(value);
  if (!discovery() && !name.empty() && name != identity_.target->name) return false;
  if (discovery() && name.empty()) return false;
  for (const auto& target : portal_.targets) {
    if (discovery() ? value != "All" && target->name != name : target.get() != identity_.target)
      continue;
    // Targets are hidden from those who may not use them.
    if (!portal_.access->rule_for(target->name).allows(identity_.initiator, connection_.peer_host))
      continue;
    append_text(answer, "TargetName", target->name);
    const std::string tag = "," + std::to_string(portal_.options.target_portal_group_tag);
    append_text(answer, "TargetAddress", connection_.local_address + tag);
    for (const std::string& other : connection_.other_addresses)
      append_text(answer, "TargetAddress", other + tag);
  }
  return true;
}

}  // namespace iscsi
