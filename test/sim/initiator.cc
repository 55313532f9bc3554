#include "test/sim/initiator.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/chap.h"
#include "auth/digest.h"
#include "scsi/crc32c.h"
#include "test/sim/random.h"
#include "transport/iscsi/serial.h"
#include "transport/iscsi/text.h"

namespace sim {

using iscsi::Opcode;

std::string Answer::text() const {
  if (sense.empty() && data.size() == 32) {  // READ POSITION, long form, or so
    scsi::ByteReader in(scsi::Bytes(data).subspan(8));
    const std::uint64_t object = in.u64(), filemarks = in.u64();
    return fmt::format("status {:02x}, at {} after {} filemarks", status, object, filemarks);
  }
  if (sense.empty()) return fmt::format("status {:02x}, {} bytes", status, data.size());
  std::string out = fmt::format("status {:02x}, {}{:x}/{:04x}", status,
                                deferred() ? "deferred " : "", key(), code());
  if (has_information()) out += fmt::format(" information {}", information());
  return out;
}

Initiator::Initiator(InitiatorOptions options)
    : options_(std::move(options)), cmd_sn_(options_.first_cmd_sn) {}

// --- sending

void Initiator::send(iscsi::Header header, scsi::Bytes data) {
  if (!data.empty()) iscsi::set_data_length(header, static_cast<std::uint32_t>(data.size()));
  const auto digest = [this](scsi::Bytes covered) {
    if (!digests_) return;
    const std::uint32_t crc = scsi::crc32c(covered);  // before it grows
    for (unsigned i = 0; i < 4; ++i) output_.push_back(static_cast<std::byte>(crc >> (8 * i)));
  };
  output_.insert(output_.end(), header.begin(), header.end());
  digest(header);
  if (data.empty()) return;
  const std::size_t start = output_.size();
  output_.insert(output_.end(), data.begin(), data.end());
  for (std::uint32_t i = iscsi::padding_of(static_cast<std::uint32_t>(data.size())); i != 0; --i)
    output_.push_back({});
  digest(scsi::Bytes(output_).subspan(start));
}

void Initiator::send_login(iscsi::Stage current, bool transit, const Keys& keys) {
  iscsi::LoginRequest request;
  request.transit = transit;
  request.current = current;
  if (transit)
    request.next = current == iscsi::Stage::kSecurity ? iscsi::Stage::kOperational
                                                      : iscsi::Stage::kFullFeature;
  request.isid = options_.isid;
  request.task_tag = 1;
  request.cmd_sn = cmd_sn_;
  request.exp_stat_sn = exp_stat_sn_;
  std::string text;
  for (const auto& [name, value] : keys) iscsi::append_text(text, name, value);
  send(request.encode(), scsi::as_bytes(text));
}

Initiator::Keys Initiator::who() const {
  Keys keys = {{"InitiatorName", options_.name},
               {"SessionType", options_.discovery ? "Discovery" : "Normal"}};
  if (!options_.discovery) keys.emplace_back("TargetName", options_.target);
  return keys;
}

Initiator::Keys Initiator::parameters() const {
  const char* const digest = options_.digests ? "CRC32C" : "None";
  Keys keys = {{"HeaderDigest", digest}, {"DataDigest", digest}};
  keys.emplace_back("MaxRecvDataSegmentLength", std::to_string(options_.max_recv));
  keys.emplace_back("ErrorRecoveryLevel", "0");
  if (options_.discovery) return keys;
  keys.emplace_back("InitialR2T", options_.initial_r2t ? "Yes" : "No");
  keys.emplace_back("ImmediateData", options_.immediate_data ? "Yes" : "No");
  keys.emplace_back("FirstBurstLength", std::to_string(options_.first_burst));
  keys.emplace_back("MaxBurstLength", std::to_string(options_.max_burst));
  return keys;
}

void Initiator::login(std::function<void(std::uint16_t)> done) {
  login_done_ = std::move(done);
  Keys keys = who();
  if (options_.chap) {
    step_ = Step::kMethod;
    keys.emplace_back("AuthMethod", "CHAP");
    return send_login(iscsi::Stage::kSecurity, false, keys);
  }
  for (auto& key : parameters()) keys.push_back(std::move(key));
  send_login(iscsi::Stage::kOperational, true, keys);
}

// The security stage, from one answer to the next request (RFC 7143 12.1.3).
void Initiator::authenticate(const iscsi::LoginResponse& response, const Data& data) {
  constexpr std::uint8_t kIdentifier = 17;
  const Credentials& own = *options_.chap;
  const auto pairs = iscsi::parse_text(scsi::as_text(data));
  check(pairs.has_value(), "login keys that cannot be read");
  std::map<std::string, std::string> keys(pairs->begin(), pairs->end());
  check(response.transit == (step_ == Step::kProof), "a login that skips its authentication");
  if (step_ == Step::kMethod) {
    check(keys["AuthMethod"] == "CHAP", "a login that goes on without CHAP");
    step_ = Step::kAlgorithm;
    return send_login(iscsi::Stage::kSecurity, false, {{"CHAP_A", own.algorithms}});
  }
  if (step_ == Step::kAlgorithm) {
    algorithm_ = auth::chap_algorithm(std::uint32_t(std::stoul(keys["CHAP_A"]))).value();
    const auto challenge = auth::decode_binary(keys["CHAP_C"], 1024);
    check(challenge && challenge->size() >= 16, "a challenge that is too short");
    const auto proof =
        auth::chap_response(algorithm_, static_cast<std::uint8_t>(std::stoul(keys["CHAP_I"])),
                            auth::Secret(own.secret), *challenge);
    challenge_.assign(proof.rbegin(), proof.rend());
    step_ = Step::kProof;
    return send_login(iscsi::Stage::kSecurity, true,
                      {{"CHAP_N", own.user},
                       {"CHAP_R", auth::encode_hex(proof)},
                       {"CHAP_I", std::to_string(kIdentifier)},
                       {"CHAP_C", auth::encode_hex(challenge_)}});
  }
  const auto proof =
      auth::chap_response(algorithm_, kIdentifier, auth::Secret(own.target_secret), challenge_);
  check(keys["CHAP_N"] == own.target_user && keys["CHAP_R"] == auth::encode_hex(proof),
        "the target does not prove itself");
  step_ = Step::kOperational;
  send_login(iscsi::Stage::kOperational, true, parameters());
}

void Initiator::send_targets(std::function<void(const std::string&)> done) {
  text_done_ = std::move(done);
  iscsi::TextRequest request;
  request.final = true;
  request.task_tag = next_tag_++;
  request.cmd_sn = cmd_sn_++;
  request.exp_stat_sn = exp_stat_sn_;
  std::string text;
  iscsi::append_text(text, "SendTargets", "All");
  send(request.encode(), scsi::as_bytes(text));
}

void Initiator::logout() {
  logging_out_ = true;
  iscsi::LogoutRequest request;
  request.task_tag = next_tag_++;
  request.cmd_sn = cmd_sn_++;
  request.exp_stat_sn = exp_stat_sn_;
  send(request.encode());
}

bool Initiator::may_send() const {
  return logged_in_ && !logging_out_ && !iscsi::serial_less(max_cmd_sn_, cmd_sn_);
}

void Initiator::send_data(std::uint32_t tag, std::uint32_t transfer_tag, Pending& task,
                          std::uint32_t end) {
  iscsi::DataOut out;
  out.task_tag = tag;
  out.transfer_tag = transfer_tag;
  out.exp_stat_sn = exp_stat_sn_;
  while (task.sent < end) {
    const std::uint32_t n = std::min(target_max_recv_, end - task.sent);
    out.offset = task.sent;
    out.final = task.sent + n == end;
    send(out.encode(), scsi::Bytes(task.data_out).subspan(task.sent, n));
    task.sent += n;
    ++out.data_sn;
  }
}

std::uint32_t Initiator::command(const Cdb& cdb, std::uint32_t data_in_limit, Data data_out,
                                 Done done) {
  const std::uint32_t tag = next_tag_++;
  Pending& task = tasks_[tag];
  task.data_in_limit = data_in_limit;
  task.data_out = std::move(data_out);
  task.done = std::move(done);
  const auto length = static_cast<std::uint32_t>(task.data_out.size());
  const std::uint32_t first = std::min(length, options_.first_burst);
  iscsi::ScsiCommand pdu;
  pdu.read = data_in_limit != 0;
  pdu.write = length != 0;
  pdu.attribute = 1;
  pdu.task_tag = tag;
  pdu.expected_length = length != 0 ? length : data_in_limit;
  pdu.cmd_sn = cmd_sn_++;
  pdu.exp_stat_sn = exp_stat_sn_;
  pdu.cdb = cdb;
  if (options_.immediate_data) task.sent = std::min(first, target_max_recv_);
  const std::uint32_t unsolicited = options_.initial_r2t ? task.sent : first;
  pdu.final = unsolicited == task.sent;
  send(pdu.encode(), scsi::Bytes(task.data_out).first(task.sent));
  send_data(tag, iscsi::kReservedTag, task, unsolicited);
  return tag;
}

void Initiator::manage(iscsi::TaskManagementFunction function, std::uint32_t tag,
                       std::function<void(iscsi::TaskManagementCode)> done) {
  iscsi::TaskManagementRequest request;
  request.immediate = true;
  request.function = static_cast<std::uint8_t>(function);
  request.task_tag = next_tag_++;
  if (function == iscsi::TaskManagementFunction::kAbortTask) {
    request.referenced_tag = tag;
    request.ref_cmd_sn = cmd_sn_ - 1;
  }
  request.cmd_sn = cmd_sn_;
  request.exp_stat_sn = exp_stat_sn_;
  managements_[request.task_tag] = {tag, function, std::move(done)};
  send(request.encode());
}

void Initiator::ping() {
  iscsi::NopOut ping;
  ping.immediate = true;
  ping.task_tag = ping_tag_ = next_tag_++;
  ping.cmd_sn = cmd_sn_;
  ping.exp_stat_sn = exp_stat_sn_;
  send(ping.encode());
}

// --- receiving

void Initiator::receive(scsi::Bytes bytes) {
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  while (parse()) {
  }
}

bool Initiator::parse() {
  if (input_.size() < iscsi::kHeaderSize) return false;
  iscsi::Header header;
  std::copy_n(input_.begin(), header.size(), header.begin());
  const std::uint32_t length = iscsi::data_length_of(header);
  const std::size_t padded = length + iscsi::padding_of(length);
  const std::size_t digest = digests_ ? 4 : 0;
  const std::size_t at = header.size() + digest;
  const std::size_t whole = at + padded + (length != 0 ? digest : 0);
  check(iscsi::ahs_length_of(header) == 0 && length <= options_.max_recv, "a PDU that is too long");
  if (input_.size() < whole) return false;
  const auto check_digest = [&](std::size_t from, std::size_t n) {
    const std::uint32_t crc = scsi::crc32c(scsi::Bytes(input_).subspan(from, n));
    for (unsigned i = 0; i < 4; ++i)
      check(input_[from + n + i] == static_cast<std::byte>(crc >> (8 * i)), "a wrong digest");
  };
  if (digest != 0) check_digest(0, header.size());
  if (digest != 0 && length != 0) check_digest(at, padded);
  const auto start = input_.begin() + static_cast<std::ptrdiff_t>(at);
  Data data(start, start + length);
  input_.erase(input_.begin(), input_.begin() + static_cast<std::ptrdiff_t>(whole));
  heard(header);
  handle(header, std::move(data));
  return true;
}

// RFC 7143 4.2.2: StatSN counts, ExpCmdSN and MaxCmdSN never go back.
void Initiator::heard(const iscsi::Header& header) {
  const Opcode opcode = iscsi::opcode_of(header);
  scsi::ByteReader in(scsi::Bytes(header).subspan(24));
  const std::uint32_t stat_sn = in.u32(), expected = in.u32(), max = in.u32();
  if (heard_any_) {
    check(!iscsi::serial_less(expected, exp_cmd_sn_), "ExpCmdSN went back");
    check(!iscsi::serial_less(max, max_cmd_sn_), "the command window shrank");
  }
  check(!iscsi::serial_less(cmd_sn_, expected) || !logged_in_, "ExpCmdSN is ahead of CmdSN");
  exp_cmd_sn_ = expected;
  max_cmd_sn_ = max;
  const bool counts = opcode == Opcode::kDataIn ? iscsi::DataIn::decode(header).has_status
                      : opcode == Opcode::kNopIn
                          ? iscsi::NopIn::decode(header).task_tag != iscsi::kReservedTag
                          : opcode != Opcode::kR2t;
  if (opcode == Opcode::kDataIn && !counts) return;
  check(!heard_any_ || stat_sn == exp_stat_sn_, "StatSN does not follow");
  exp_stat_sn_ = counts ? stat_sn + 1 : stat_sn;
  heard_any_ = true;
}

void Initiator::handle(const iscsi::Header& header, Data data) {
  switch (iscsi::opcode_of(header)) {
    case Opcode::kLoginResponse:
      return login_response(header, data);
    case Opcode::kDataIn:
      return data_in(header, data);
    case Opcode::kScsiResponse:
      return scsi_response(header, data);
    case Opcode::kTaskManagementResponse:
      return management_response(header);
    case Opcode::kR2t: {
      const iscsi::R2t r2t = iscsi::R2t::decode(header);
      Pending& t = task(r2t.task_tag, "an R2T");
      check(r2t.r2t_sn == t.r2t_sn++, "R2TSN does not follow");
      check(r2t.offset == t.sent && r2t.length != 0 && r2t.length <= options_.max_burst &&
                r2t.length <= t.data_out.size() - t.sent,
            "an R2T for what was not offered");
      return send_data(r2t.task_tag, r2t.transfer_tag, t, r2t.offset + r2t.length);
    }
    case Opcode::kNopIn: {
      const iscsi::NopIn in = iscsi::NopIn::decode(header);
      if (in.task_tag != iscsi::kReservedTag) {
        check(in.task_tag == ping_tag_, "an answer to a ping that was not sent");
        ping_tag_ = 0;
        return;
      }
      if (in.transfer_tag == iscsi::kReservedTag) return;  // says its numbers only
      iscsi::NopOut out;
      out.immediate = true;
      out.transfer_tag = in.transfer_tag;
      out.cmd_sn = cmd_sn_;
      out.exp_stat_sn = exp_stat_sn_;
      return send(out.encode());
    }
    case Opcode::kLogoutResponse:
      check(logging_out_, "a logout that was not asked for");
      check(tasks_.empty(), "logged out with commands that were not answered");
      logged_in_ = false;
      logged_out_ = true;
      return;
    case Opcode::kTextResponse: {
      check(text_done_ != nullptr, "text that was not asked for");
      check(iscsi::TextResponse::decode(header).final, "a list of targets in pieces");
      return std::exchange(text_done_, {})(std::string(scsi::as_text(data)));
    }
    case Opcode::kAsyncMessage:
      return;
    default:
      broken(fmt::format("opcode {:02x} from the target",
                         static_cast<unsigned>(iscsi::opcode_of(header))));
  }
}

void Initiator::login_response(const iscsi::Header& header, const Data& data) {
  const iscsi::LoginResponse response = iscsi::LoginResponse::decode(header);
  check(!logged_in_ && login_done_, "a login response out of place");
  check(response.status == 0 || scsi::as_text(data).find("CHAP_R") == std::string_view::npos,
        "the target proves itself to somebody that it refuses");
  if (response.status == 0 && step_ != Step::kOperational) return authenticate(response, data);
  if (response.status == 0) {
    check(response.transit && response.next == iscsi::Stage::kFullFeature, "a login without end");
    const auto pairs = iscsi::parse_text(scsi::as_text(data));
    check(pairs.has_value(), "login keys that cannot be read");
    const auto number = [](const std::string& text) {
      return static_cast<std::uint32_t>(std::stoul(text));
    };
    for (const auto& [key, value] : *pairs) {
      if (key == "HeaderDigest") digests_ = value == "CRC32C";
      if (key == "InitialR2T") options_.initial_r2t = value == "Yes";
      if (key == "ImmediateData") options_.immediate_data = value == "Yes";
      if (key == "FirstBurstLength") options_.first_burst = number(value);
      if (key == "MaxBurstLength") options_.max_burst = number(value);
      if (key == "MaxRecvDataSegmentLength") target_max_recv_ = number(value);
    }
    check(digests_ == options_.digests, "digests were not agreed upon");
    logged_in_ = true;
  }
  const auto done = std::exchange(login_done_, {});
  done(response.status);
}

Initiator::Pending& Initiator::task(std::uint32_t tag, const char* what) {
  const auto found = tasks_.find(tag);
  check(found != tasks_.end(), std::string(what) + " for no command, or for an answered one");
  return found->second;
}

void Initiator::data_in(const iscsi::Header& header, const Data& data) {
  const iscsi::DataIn in = iscsi::DataIn::decode(header);
  Pending& t = task(in.task_tag, "Data-In");
  check(in.data_sn == t.data_sn++, "DataSN does not follow");
  check(in.offset == t.data_in.size(), "Data-In with a gap");
  check(t.data_in.size() + data.size() <= t.data_in_limit, "more Data-In than was asked for");
  t.data_in.insert(t.data_in.end(), data.begin(), data.end());
  if (!in.has_status) return;
  check(in.status == 0, "status in Data-In that is not GOOD");
  check(in.residual == t.data_in_limit - t.data_in.size(), "a wrong residual");
  Answer answer;
  answer.data = std::move(t.data_in);
  finish(in.task_tag, std::move(answer));
}

void Initiator::scsi_response(const iscsi::Header& header, const Data& data) {
  const iscsi::ScsiResponse response = iscsi::ScsiResponse::decode(header);
  Pending& t = task(response.task_tag, "a response");
  check(response.response == 0, "a target failure");
  check(response.exp_data_sn == (t.data_out.empty() ? t.data_sn : t.r2t_sn), "a wrong ExpDataSN");
  Answer answer;
  answer.status = response.status;
  answer.data = std::move(t.data_in);
  if (data.size() > 2) answer.sense.assign(data.begin() + 2, data.end());
  check((answer.status == 2) == !answer.sense.empty(), "CHECK CONDITION without sense");
  finish(response.task_tag, std::move(answer));
}

void Initiator::finish(std::uint32_t tag, Answer answer) {
  const Done done = std::move(tasks_.at(tag).done);
  tasks_.erase(tag);
  done(answer);
}

void Initiator::management_response(const iscsi::Header& header) {
  const auto response = iscsi::TaskManagementResponse::decode(header);
  const auto found = managements_.find(response.task_tag);
  check(found != managements_.end(), "an answer to no task management");
  const Management management = std::move(found->second);
  managements_.erase(found);
  if (response.response == iscsi::TaskManagementCode::kComplete) {
    if (management.function == iscsi::TaskManagementFunction::kAbortTask)
      tasks_.erase(management.tag);
    else
      tasks_.clear();
  }
  management.done(response.response);
}

}  // namespace sim
