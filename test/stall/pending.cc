#include "test/stall/pending.h"

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

scsi_xfer_dir direction_of(Pending::Data data) {
  switch (data) {
    case Pending::Data::kOut:
      return SCSI_XFER_WRITE;
    case Pending::Data::kIn:
      return SCSI_XFER_READ;
    case Pending::Data::kNone:
      break;
  }
  return SCSI_XFER_NONE;
}

}  // namespace

Pending::Pending(Initiator& session, std::string name, std::initializer_list<int> cdb,
                 Data direction, ByteString data)
    : session_(session), name_(std::move(name)) {
  std::array<unsigned char, 16> bytes{};
  std::transform(cdb.begin(), cdb.end(), bytes.begin(),
                 [](int value) { return static_cast<unsigned char>(value); });
  state_->data = std::move(data);
  task_ = scsi_create_task(static_cast<int>(cdb.size()), bytes.data(), direction_of(direction),
                           static_cast<int>(state_->data.size()));
  const auto ended = [](iscsi_context*, int status, void* command_data, void* private_data) {
    auto& state = *static_cast<State*>(private_data);
    state.ended = true;
    state.result.status = status;
    const auto* task = static_cast<const scsi_task*>(command_data);
    if (task == nullptr) return;  // cancelled
    const ByteString in(task->datain.data, task->datain.data + std::max(task->datain.size, 0));
    if (status == SCSI_STATUS_CHECK_CONDITION && in.size() > 2)
      state.result.sense.assign(in.begin() + 2, in.end());
    else
      state.result.data = in;
  };
  iscsi_data out{state_->data.size(), state_->data.data()};
  if (iscsi_scsi_command_async(session.context(), 0, task_, ended,
                               direction == Data::kOut ? &out : nullptr, state_.get()) != 0) {
    throw std::runtime_error(name_ + ": " + iscsi_get_error(session.context()));
  }
  do {
    answered(milliseconds(0));
  } while ((iscsi_which_events(session.context()) & POLLOUT) != 0);  // it is on its way
}

Pending::~Pending() {
  if (!state_->ended) iscsi_scsi_cancel_task(session_.context(), task_);
  scsi_free_scsi_task(task_);
}

bool Pending::answered(milliseconds limit) {
  iscsi_context* const iscsi = session_.context();
  const auto until = Clock::now() + limit;
  do {
    pollfd fd{iscsi_get_fd(iscsi), static_cast<short>(iscsi_which_events(iscsi)), 0};
    ::poll(&fd, 1, 20);
    if (iscsi_service(iscsi, fd.revents) != 0)
      throw std::runtime_error(name_ + ": the connection broke");
  } while (!state_->ended && Clock::now() < until);
  return state_->ended;
}

const CommandResult& Pending::wait() {
  if (!answered(std::chrono::minutes(1))) throw std::runtime_error(name_ + " was never answered");
  return state_->result;
}

int Pending::abort() { return iscsi_task_mgmt_abort_task_sync(session_.context(), task_); }
