#include "initiator.h"

#include <poll.h>
#include <chrono>
#include <thread>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>

std::string CommandResult::sense_code() const {
  if (sense.size() < 8) return {};
  const int response = sense[0] & 0x7f;
  const bool fixed = response == 0x70 || response == 0x71;
  const bool deferred = response == 0x71 || response == 0x73;
  if (fixed && sense.size() < 14) return {};
  const int key = (fixed ? sense[2] : sense[1]) & 0x0f;
  const int asc = fixed ? sense[12] : sense[2];
  const int ascq = fixed ? sense[13] : sense[3];
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), "%s%X/%02X/%02X", deferred ? "D" : "", key, asc, ascq);
  return text.data();
}

bool CommandResult::filemark() const { return sense.size() > 2 && (sense[2] & 0x80) != 0; }
bool CommandResult::end_of_medium() const { return sense.size() > 2 && (sense[2] & 0x40) != 0; }
bool CommandResult::incorrect_length() const { return sense.size() > 2 && (sense[2] & 0x20) != 0; }

std::optional<std::int32_t> CommandResult::information() const {
  if (sense.size() < 7 || (sense[0] & 0x80) == 0) return std::nullopt;
  const std::uint32_t value = static_cast<std::uint32_t>(sense[3]) << 24 |
                              static_cast<std::uint32_t>(sense[4]) << 16 |
                              static_cast<std::uint32_t>(sense[5]) << 8 | sense[6];
  return static_cast<std::int32_t>(value);
}

Initiator::Initiator(LoginOptions options)
    : iscsi_(iscsi_create_context(options.initiator.c_str())) {
  if (options.isid != 0) iscsi_set_isid_random(iscsi_, options.isid, 0);
  iscsi_set_noautoreconnect(iscsi_, 1);
  iscsi_set_timeout(iscsi_, options.timeout_seconds);
  iscsi_set_header_digest(
      iscsi_, options.header_digest ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE);
  iscsi_set_immediate_data(
      iscsi_, options.immediate_data ? ISCSI_IMMEDIATE_DATA_YES : ISCSI_IMMEDIATE_DATA_NO);
  iscsi_set_initial_r2t(iscsi_, options.initial_r2t ? ISCSI_INITIAL_R2T_YES : ISCSI_INITIAL_R2T_NO);
  if (!options.user.empty()) {
    iscsi_set_initiator_username_pwd(iscsi_, options.user.c_str(), options.password.c_str());
  }
  if (!options.target_user.empty()) {
    iscsi_set_target_username_pwd(iscsi_, options.target_user.c_str(),
                                  options.target_password.c_str());
  }
}

Initiator::~Initiator() {
  if (iscsi_ != nullptr) iscsi_destroy_context(iscsi_);
}

std::string Initiator::login(const std::string& portal, const std::string& target) {
  iscsi_set_session_type(iscsi_, ISCSI_SESSION_NORMAL);
  iscsi_set_targetname(iscsi_, target.c_str());
  if (iscsi_connect_sync(iscsi_, portal.c_str()) != 0 || iscsi_login_sync(iscsi_) != 0) {
    const char* text = iscsi_get_error(iscsi_);
    return text != nullptr && *text != 0 ? text : "failed";
  }
  return {};
}

Initiator Initiator::attach(const std::string& portal, const std::string& target,
                            LoginOptions options) {
  Initiator out(std::move(options));
  if (const std::string error = out.login(portal, target); !error.empty()) {
    throw std::runtime_error("login to " + target + ": " + error);
  }
  out.clear_unit_attentions();
  return out;
}

std::vector<std::pair<std::string, std::string>> Initiator::discover(const std::string& portal,
                                                                     LoginOptions options) {
  Initiator session(std::move(options));
  iscsi_context* iscsi = session.iscsi_;
  iscsi_set_session_type(iscsi, ISCSI_SESSION_DISCOVERY);
  if (iscsi_connect_sync(iscsi, portal.c_str()) != 0 || iscsi_login_sync(iscsi) != 0) {
    throw std::runtime_error(std::string("discovery: ") + iscsi_get_error(iscsi));
  }
  iscsi_discovery_address* found = iscsi_discovery_sync(iscsi);
  if (found == nullptr)
    throw std::runtime_error(std::string("SendTargets: ") + iscsi_get_error(iscsi));
  std::vector<std::pair<std::string, std::string>> out;
  for (const iscsi_discovery_address* one = found; one != nullptr; one = one->next) {
    out.emplace_back(one->target_name, one->portals != nullptr ? one->portals->portal : "");
  }
  iscsi_free_discovery_data(iscsi, found);
  session.logout();
  return out;
}

bool Initiator::logout() { return iscsi_logout_sync(iscsi_) == 0; }

CommandResult Initiator::command(std::initializer_list<int> cdb, int direction, const void* data,
                                 std::size_t size) {
  std::array<unsigned char, 16> bytes{};
  std::transform(cdb.begin(), cdb.end(), bytes.begin(),
                 [](int value) { return static_cast<unsigned char>(value); });
  scsi_task* task = scsi_create_task(static_cast<int>(cdb.size()), bytes.data(), direction,
                                     static_cast<int>(size));
  iscsi_data out{size, const_cast<unsigned char*>(static_cast<const unsigned char*>(data))};
  CommandResult result;
  if (iscsi_scsi_command_sync(iscsi_, 0, task, data != nullptr ? &out : nullptr) == nullptr) {
    result.transport_error = iscsi_get_error(iscsi_);
    if (result.transport_error.empty()) result.transport_error = "failed";
    scsi_free_scsi_task(task);
    return result;
  }
  result.status = task->status;
  const ByteString in(task->datain.data, task->datain.data + std::max(task->datain.size, 0));
  if (result.status == SCSI_STATUS_CHECK_CONDITION && in.size() > 2) {
    result.sense.assign(in.begin() + 2, in.end());  // after the length (RFC 7143 11.4.7.2)
  } else {
    result.data = in;
  }
  if (result.status > 0xff) result.transport_error = iscsi_get_error(iscsi_);
  if (task->residual_status == SCSI_RESIDUAL_UNDERFLOW) {
    result.residual = static_cast<std::int64_t>(task->residual);
  } else if (task->residual_status == SCSI_RESIDUAL_OVERFLOW) {
    result.residual = -static_cast<std::int64_t>(task->residual);
  }
  scsi_free_scsi_task(task);
  return result;
}

CommandResult Initiator::none(std::initializer_list<int> cdb) {
  return command(cdb, SCSI_XFER_NONE, nullptr, 0);
}

CommandResult Initiator::in(std::initializer_list<int> cdb, std::size_t expected) {
  return command(cdb, SCSI_XFER_READ, nullptr, expected);
}

CommandResult Initiator::out(std::initializer_list<int> cdb, const ByteString& data) {
  return command(cdb, SCSI_XFER_WRITE, data.data(), data.size());
}

CommandResult Initiator::out(std::initializer_list<int> cdb, const void* data, std::size_t size) {
  return command(cdb, SCSI_XFER_WRITE, data, size);
}

CommandResult Initiator::clear_unit_attentions() {
  CommandResult result;
  for (int i = 0; i < 10; ++i) {
    result = none({0, 0, 0, 0, 0, 0});
    if (result.sense_code().substr(0, 2) != "6/") break;
  }
  return result;
}

CommandResult Initiator::wait_until_ready() {
  CommandResult result = clear_unit_attentions();
  for (int i = 0; i < 200 && result.sense_code() == "2/04/01"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    result = clear_unit_attentions();
  }
  return result;
}

CommandResult Initiator::wait_ready() {
  CommandResult result = clear_unit_attentions();
  for (int i = 0; i < 600 && result.sense_code() == "2/04/01"; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    result = clear_unit_attentions();
  }
  return result;
}

int Initiator::lun_reset() { return iscsi_task_mgmt_lun_reset_sync(iscsi_, 0); }
int Initiator::abort_task_set() { return iscsi_task_mgmt_abort_task_set_sync(iscsi_, 0); }
int Initiator::target_warm_reset() { return iscsi_task_mgmt_target_warm_reset_sync(iscsi_); }

bool Initiator::nop_out(const std::string& payload) {
  struct Answer {
    bool came = false;
    bool same = false;
    const std::string& sent;
  } answer{false, false, payload};
  std::string data = payload;
  const auto answered = [](iscsi_context*, int status, void* command_data, void* private_data) {
    auto* out = static_cast<Answer*>(private_data);
    const auto* echo = static_cast<const iscsi_data*>(command_data);
    out->came = true;
    out->same = status == 0 && echo != nullptr && echo->size == out->sent.size() &&
                std::memcmp(echo->data, out->sent.data(), echo->size) == 0;
  };
  if (iscsi_nop_out_async(iscsi_, answered, reinterpret_cast<unsigned char*>(data.data()),
                          static_cast<int>(data.size()), &answer) != 0) {
    return false;
  }
  while (!answer.came) {
    pollfd fd{iscsi_get_fd(iscsi_), static_cast<short>(iscsi_which_events(iscsi_)), 0};
    if (::poll(&fd, 1, 60000) <= 0 || iscsi_service(iscsi_, fd.revents) != 0) return false;
  }
  return answer.same;
}

namespace {
int byte_of(std::uint64_t value, int index) {
  return static_cast<int>(value >> (8 * index) & 0xff);
}
}  // namespace

CommandResult write_block(Initiator& drive, const ByteString& data) {
  const std::uint64_t n = data.size();
  return drive.out({0x0a, 0, byte_of(n, 2), byte_of(n, 1), byte_of(n, 0), 0}, data);
}

CommandResult write_filemarks(Initiator& drive, int count, bool immediate) {
  const auto n = static_cast<std::uint64_t>(count);
  return drive.none({0x10, immediate ? 1 : 0, byte_of(n, 2), byte_of(n, 1), byte_of(n, 0), 0});
}

CommandResult read_block(Initiator& drive, std::size_t length) {
  const std::uint64_t n = length;
  return drive.in({0x08, 0, byte_of(n, 2), byte_of(n, 1), byte_of(n, 0), 0}, length);
}

CommandResult rewind_tape(Initiator& drive) { return drive.none({0x01, 0, 0, 0, 0, 0}); }

CommandResult space(Initiator& drive, int code, std::int32_t count) {
  const auto n = static_cast<std::uint32_t>(count);
  return drive.none({0x11, code, byte_of(n, 2), byte_of(n, 1), byte_of(n, 0), 0});
}

std::uint64_t position(Initiator& drive) {
  const CommandResult result = drive.in({0x34, 0x06, 0, 0, 0, 0, 0, 0, 0, 0}, 32);
  if (!result.good() || result.data.size() < 16) {
    throw std::runtime_error("READ POSITION: " + result.sense_code() + result.transport_error);
  }
  std::uint64_t value = 0;
  for (std::size_t i = 8; i < 16; ++i) value = value << 8 | result.data[i];
  return value;
}

CommandResult move_medium(Initiator& changer, int source, int destination) {
  const auto from = static_cast<std::uint64_t>(source);
  const auto to = static_cast<std::uint64_t>(destination);
  return changer.none({0xa5, 0, 0, 0, byte_of(from, 1), byte_of(from, 0), byte_of(to, 1),
                       byte_of(to, 0), 0, 0, 0, 0});
}

ByteString pattern(std::size_t size, std::uint64_t seed) {
  ByteString out(size);
  std::uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i < size; i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(out.data() + i, &state, std::min<std::size_t>(8, size - i));
  }
  return out;
}
