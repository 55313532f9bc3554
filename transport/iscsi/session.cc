// Life, numbering and dispatch; the PDUs' own work is in session_commands.cc and
// session_requests.cc.
#include "transport/iscsi/session.h"

#include <algorithm>

#include "scsi/check.h"

namespace iscsi {

std::vector<std::byte> transport_id(std::string_view initiator, const Isid& isid) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name = std::string(initiator) + ",i,0x";
  for (const std::byte b : isid) {
    name += kDigits[std::to_integer<unsigned>(b >> 4)];
    name += kDigits[std::to_integer<unsigned>(b & std::byte{0x0F})];
  }
  // SPC-4 7.6.4.6: NUL-terminated, a multiple of four, and at least 20 bytes.
  std::size_t size = (name.size() + 1 + 3) / 4 * 4;
  size = std::max<std::size_t>(size, 20);
  scsi::ByteBuilder out;
  out.u8(0x45).u8(0).u16(size).bytes(scsi::as_bytes(name)).zeros(size - name.size());
  return out.take();
}

std::string initiator_name(scsi::Bytes transport_id) {
  constexpr std::size_t kHeader = 4;
  std::string name;
  for (const std::byte b : transport_id.subspan(std::min(kHeader, transport_id.size())))
    name += static_cast<char>(b);
  return name.substr(0, name.find(",i,0x"));
}

Session::Session(Connection::Impl& connection, const LoginIdentity& identity, std::uint16_t tsih,
                 const Parameters& parameters)
    : connection_(connection),
      portal_(connection.portal),
      identity_(identity),
      tsih_(tsih),
      parameters_(parameters),
      window_(identity.first_cmd_sn),
      announced_max_(window_.max()) {}

void Session::establish(bool replaces) {
  if (!discovery()) {
    portal_.sessions.insert(this);
    nexus_ = portal_.allocate_nexus();
    established_ = true;
    if (parameters_.immediate_data || !parameters_.initial_r2t) {
      const std::size_t share = identity_.target->reserve_bytes /
                                portal_.options.max_sessions_per_target / parameters_.first_burst;
      const std::size_t most = std::clamp<std::size_t>(share, 1, portal_.options.command_window);
      while (credits_.size() < most) {
        auto buffer = portal_.buffers.try_take(identity_.target->owner, parameters_.first_burst);
        if (!buffer) break;
        credits_.push_back(std::move(*buffer));
      }
      credit_goal_ = std::max<std::size_t>(credits_.size(), 1);
    }
    scsi::NexusInfo info;
    info.id = nexus_;
    info.transport_id = transport_id(identity_.initiator, identity_.isid);
    info.replaces_lost_nexus = replaces;
    identity_.target->target->nexus_established(info);
  }
  open_window();
  announced_max_ = window_.max();
}

void Session::end() {
  if (std::exchange(ended_, true)) return;
  portal_.sessions.erase(this);
  connection_.framer.stop();
  if (established_) {
    identity_.target->target->nexus_lost(nexus_);
    portal_.release_nexus(nexus_);
  }
  if (credit_pending_) portal_.buffers.cancel(credit_ticket_);
  while (!tasks_.empty()) erase(*tasks_.back());
  held_.clear();
  credits_.clear();
}

void Session::send(const Header& header, StatSn stat_sn, scsi::SliceList data) {
  open_window();
  announced_max_ = window_.max();
  connection_.send(header, stat_sn, std::move(data));
}

// MaxCmdSN: as many commands as there are task slots, and as there are buffers for what may come
// with them.
void Session::open_window() {
  const std::size_t slots = portal_.options.command_window;
  std::size_t room = slots - std::min(slots, tasks_.size());
  if (credit_goal_ != 0) room = std::min(room, credits_.size());
  window_.open(static_cast<std::uint32_t>(room));
}

void Session::settle() {
  if (ended_) return;
  run_held();
  if (ended_) return;
  refill_credits();
  open_window();
  // The initiator was told that the window is closed and waits: say that it isn't any more.
  if (announced_max_ + 1 == window_.expected() && !window_.closed())
    send(NopIn().encode(), StatSn::kNext);
}

// --- what comes in ---

// RFC 7143 4.2.2.1: a number outside of the window, or one that is here already, is passed over in
// silence.
bool Session::acceptable_number(const Header& header) const {
  if (is_immediate(header)) return true;
  const std::uint32_t cmd_sn = command_number_of(header);
  return window_.contains(cmd_sn) && !held_.contains(cmd_sn);
}

void Session::header_arrived() {
  const Header& header = connection_.framer.header();
  plan_ = Plan::kReject;
  reject_reason_ = RejectReason::kNotSupported;
  switch (opcode_of(header)) {
    case Opcode::kScsiCommand:
      return plan_command();
    case Opcode::kDataOut:
      return plan_data_out();
    case Opcode::kNopOut:
    case Opcode::kTextRequest:
      plan_ = acceptable_number(header) ? Plan::kRequest : Plan::kIgnore;
      if (plan_ == Plan::kRequest) return connection_.framer.collect();
      break;
    case Opcode::kTaskManagementRequest:
    case Opcode::kLogoutRequest:
      plan_ = acceptable_number(header) ? Plan::kRequest : Plan::kIgnore;
      break;
    case Opcode::kLoginRequest:
      connection_.framer.discard();
      return connection_.close("a Login Request in full feature phase");
    case Opcode::kSnackRequest:
      reject_reason_ = RejectReason::kSnackReject;
      break;
    default:
      break;
  }
  connection_.framer.discard();
}

void Session::pdu_arrived() {
  const Header& header = connection_.framer.header();
  switch (plan_) {
    case Plan::kIgnore:
      return;
    case Plan::kReject: {
      reject(reject_reason_, header, connection_.framer.ahs());
      // The number of a rejected command is used up: otherwise all that follow would wait for it.
      if (opcode_of(header) == Opcode::kScsiCommand && !is_immediate(header)) {
        Numbered item;
        item.header = header;
        item.spent = true;
        take(std::move(item));
      }
      return;
    }
    case Plan::kDataOut: {
      const std::uint64_t id = std::exchange(arriving_, 0);
      if (Task* task = find_id(id)) {
        task->transfer.arrived();
        progress(*task);
      }
      return;
    }
    case Plan::kCommand: {
      Numbered item;
      item.header = header;
      item.task = std::exchange(arriving_, 0);
      item.spent = item.task == 0;  // aborted while its data came
      return take(std::move(item));
    }
    case Plan::kRequest: {
      Numbered item;
      item.header = header;
      const Opcode opcode = opcode_of(header);
      if (opcode == Opcode::kNopOut || opcode == Opcode::kTextRequest)
        item.data = connection_.framer.take_data();
      return take(std::move(item));
    }
  }
}

void Session::take(Numbered item) {
  if (is_immediate(item.header)) return execute(item);
  const std::uint32_t cmd_sn = command_number_of(item.header);
  if (cmd_sn == window_.expected() && !connection_.congested()) {
    window_.advance();
    execute(item);
  } else {
    held_.emplace(cmd_sn, std::move(item));
  }
  run_held();
}

void Session::run_held() {
  while (!ended_ && !held_.empty() && !connection_.congested()) {
    const auto due = held_.find(window_.expected());
    if (due == held_.end()) return;
    Numbered item = std::move(due->second);
    held_.erase(due);
    window_.advance();
    execute(item);
  }
}

void Session::execute(Numbered& item) {
  if (item.spent) return;
  switch (opcode_of(item.header)) {
    case Opcode::kScsiCommand: {
      Task* const task = find_id(item.task);
      if (task == nullptr) return;
      task->submitted = true;
      if (task->extended_cdb) {
        // No command here has a CDB of more than 16 bytes.
        scsi::Reply reply;
        reply.status = scsi::SamStatus::kCheckCondition;
        reply.sense = scsi::Sense::illegal_request(scsi::Asc::kInvalidOperationCode);
        scsi::Residual residual;
        residual.underflow = task->command.expected_length;
        return complete(task->task_tag, std::move(reply), residual);
      }
      return identity_.target->target->submit(task->lun, task->command, *connection_.self);
    }
    case Opcode::kNopOut:
      return nop_out(item);
    case Opcode::kTaskManagementRequest:
      return manage(item);
    case Opcode::kLogoutRequest:
      return logout(item);
    case Opcode::kTextRequest:
      return text(item);
    default:
      return;
  }
}

void Session::reject(RejectReason reason, const Header& header, scsi::Bytes ahs) {
  Reject pdu;
  pdu.reason = reason;
  std::vector<std::byte> data(header.begin(), header.end());
  data.insert(data.end(), ahs.begin(), ahs.end());
  portal_.debug("Reject to " + connection_.who() + ": opcode " +
                std::to_string(static_cast<unsigned>(opcode_of(header))) + ", reason " +
                std::to_string(static_cast<unsigned>(reason)));
  send(pdu.encode(), StatSn::kConsumed, scsi::slices_of(std::move(data)));
}

}  // namespace iscsi
