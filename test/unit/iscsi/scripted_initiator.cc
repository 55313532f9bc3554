#include "scripted_initiator.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "scsi/crc32c.h"

namespace iscsi::test {

Data bytes_of(std::string_view text) {
  const auto bytes = scsi::as_bytes(text);
  return Data(bytes.begin(), bytes.end());
}

LoginOptions& LoginOptions::set(const std::string& key, const std::string& value) {
  for (auto& pair : keys)
    if (pair.first == key) {
      pair.second = value;
      return *this;
    }
  keys.emplace_back(key, value);
  return *this;
}

std::map<std::string, std::string> pairs_of(const Received& pdu) {
  std::map<std::string, std::string> map;
  const auto pairs = parse_text(pdu.text());
  REQUIRE(pairs);
  for (const auto& [key, value] : *pairs) map[key] = value;
  return map;
}

ScriptedInitiator::ScriptedInitiator(std::unique_ptr<Connection> connection, TimePoint now)
    : connection_(std::move(connection)), now_(now) {
  REQUIRE(connection_);
}

void ScriptedInitiator::write(scsi::Bytes bytes) {
  while (!bytes.empty()) {
    const scsi::MutableBytes span = connection_->recv_span();
    if (span.empty()) return;  // it takes nothing more
    largest_span = std::max(largest_span, span.size());
    const std::size_t limit = next_chunk ? next_chunk() : chunk;
    const std::size_t n = std::min({bytes.size(), span.size(), limit});
    std::copy_n(bytes.begin(), n, span.begin());
    connection_->received(n, now_);
    bytes = bytes.subspan(n);
    if (reading) pump();
  }
}

void ScriptedInitiator::pump() {
  for (;;) {
    const auto spans = connection_->send_spans();
    if (spans.empty()) {
      auto handover = carry ? connection_->take_handover() : nullptr;
      if (!handover) return;
      connection_.reset();
      connection_ = carry(std::move(handover));
      continue;
    }
    std::size_t n = 0;
    for (const iovec& span : spans) {
      const auto* bytes = static_cast<const std::byte*>(span.iov_base);
      inbox_.insert(inbox_.end(), bytes, bytes + span.iov_len);
      all_output.insert(all_output.end(), bytes, bytes + span.iov_len);
      n += span.iov_len;
    }
    connection_->sent(n, now_);
  }
}

void ScriptedInitiator::pass(std::chrono::milliseconds time) {
  const TimePoint end = now_ + time;
  for (int i = 0; i < 1000; ++i) {
    const auto deadline = connection_->deadline();
    if (!deadline || *deadline > end) break;
    now_ = std::max(now_, *deadline);
    connection_->expire(now_);
    if (reading) pump();
  }
  now_ = end;
}

Data ScriptedInitiator::encode(Header header, scsi::Bytes data, scsi::Bytes ahs) const {
  if (!ahs.empty()) header[4] = static_cast<std::byte>(ahs.size() / 4);
  if (!data.empty()) set_data_length(header, static_cast<std::uint32_t>(data.size()));
  Data out(header.begin(), header.end());
  out.insert(out.end(), ahs.begin(), ahs.end());
  const auto digest = [&](std::uint32_t crc, bool broken) {
    if (broken) crc ^= 0x100;
    for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(crc >> (8 * i)));
  };
  if (header_digest) digest(scsi::crc32c(out), break_header_digest);
  const std::size_t start = out.size();
  out.insert(out.end(), data.begin(), data.end());
  out.resize(out.size() + padding_of(static_cast<std::uint32_t>(data.size())));
  if (data_digest && !data.empty())
    digest(scsi::crc32c(scsi::Bytes(out).subspan(start)), break_data_digest);
  return out;
}

void ScriptedInitiator::send(Header header, scsi::Bytes data, scsi::Bytes ahs) {
  write(encode(header, data, ahs));
}

void ScriptedInitiator::heard(const Received& pdu) {
  scsi::ByteReader in(scsi::Bytes(pdu.header).subspan(24));
  const std::uint32_t stat_sn = in.u32();
  exp_cmd_sn = in.u32();
  const std::uint32_t max = in.u32();
  // RFC 7143 4.2.2.1: the window never shrinks.
  if (max_cmd_sn != 0) CHECK(static_cast<std::int32_t>(max - max_cmd_sn) >= 0);
  max_cmd_sn = max;
  const Opcode opcode = pdu.opcode();
  const bool status = opcode == Opcode::kDataIn  ? pdu.as<DataIn>().has_status
                      : opcode == Opcode::kNopIn ? pdu.as<NopIn>().task_tag != kReservedTag
                                                 : opcode != Opcode::kR2t;
  if (opcode == Opcode::kDataIn && !status) {
    CHECK(stat_sn == 0);
    return;
  }
  if (exp_stat_sn != 0) CHECK(stat_sn == exp_stat_sn);
  exp_stat_sn = status ? stat_sn + 1 : stat_sn;
}

std::optional<Received> ScriptedInitiator::receive() {
  pump();
  const scsi::Bytes in = scsi::Bytes(inbox_).subspan(parsed_);
  if (in.empty()) return {};
  REQUIRE(in.size() >= kHeaderSize);
  Received pdu;
  std::copy_n(in.begin(), kHeaderSize, pdu.header.begin());
  CHECK(ahs_length_of(pdu.header) == 0);
  std::size_t at = kHeaderSize;
  const auto check_digest = [&](scsi::Bytes covered) {
    REQUIRE(in.size() >= at + 4);
    const std::uint32_t crc = scsi::crc32c(covered);
    for (unsigned i = 0; i < 4; ++i) CHECK(in[at + i] == static_cast<std::byte>(crc >> (8 * i)));
    at += 4;
  };
  if (header_digest) check_digest(in.first(kHeaderSize));
  const std::uint32_t length = data_length_of(pdu.header);
  CHECK(length <= max_recv);
  const std::size_t padded = length + padding_of(length);
  REQUIRE(in.size() >= at + padded);
  const scsi::Bytes data = in.subspan(at, padded);
  pdu.data.assign(data.begin(), data.begin() + length);
  for (const std::byte b : data.subspan(length)) CHECK(b == std::byte{0});
  at += padded;
  if (data_digest && length != 0) check_digest(data);
  parsed_ += at;
  heard(pdu);
  return pdu;
}

Received ScriptedInitiator::expect(Opcode opcode) {
  auto pdu = receive();
  REQUIRE(pdu);
  INFO("opcode " << static_cast<int>(pdu->opcode()));
  REQUIRE(static_cast<int>(pdu->opcode()) == static_cast<int>(opcode));
  return *pdu;
}

void ScriptedInitiator::expect_silence() {
  const auto pdu = receive();
  if (pdu) INFO("opcode " << static_cast<int>(pdu->opcode()));
  CHECK(!pdu);
}

Received ScriptedInitiator::login_request(Stage current, std::optional<Stage> next,
                                          const std::vector<KeyValue>& keys,
                                          const LoginOptions& options, bool more) {
  LoginRequest request;
  request.current = current;
  request.transit = next.has_value();
  request.next = next.value_or(Stage::kSecurity);
  request.more = more;
  request.isid = options.isid;
  request.tsih = options.tsih;
  request.task_tag = 0x77;
  request.connection_id = options.connection_id;
  request.cmd_sn = options.cmd_sn;
  request.exp_stat_sn = exp_stat_sn;
  std::string text;
  for (const auto& [key, value] : keys) append_text(text, key, value);
  send(request.encode(), scsi::as_bytes(text));
  const Received response = expect(Opcode::kLoginResponse);
  const LoginResponse header = response.as<LoginResponse>();
  CHECK(header.task_tag == request.task_tag);
  CHECK(header.isid == request.isid);
  CHECK(header.version_max == 0);
  CHECK(header.version_active == 0);
  if (!response.data.empty())
    for (const auto& [key, value] : pairs_of(response)) login_keys[key] = value;
  return response;
}

Received ScriptedInitiator::login(LoginOptions options) {
  cmd_sn = options.cmd_sn;
  std::vector<KeyValue> names = {{"InitiatorName", options.initiator}};
  if (options.discovery)
    names.emplace_back("SessionType", "Discovery");
  else
    names.insert(names.end(), {{"SessionType", "Normal"}, {"TargetName", options.target}});
  Received response;
  const auto ok = [&] { return response.as<LoginResponse>().status == 0; };
  if (options.security_stage || !options.user.empty()) {
    auto keys = names;
    names.clear();
    if (options.user.empty()) {
      keys.emplace_back("AuthMethod", "None");
      response = login_request(Stage::kSecurity, Stage::kOperational, keys, options);
    } else {
      keys.emplace_back("AuthMethod", "CHAP,None");
      response = login_request(Stage::kSecurity, {}, keys, options);
      if (!ok()) return response;
      response =
          login_request(Stage::kSecurity, {}, {{"CHAP_A", options.chap_algorithms}}, options);
      if (!ok()) return response;
      const auto algorithm =
          auth::chap_algorithm(std::uint32_t(std::stoul(login_keys["CHAP_A"]))).value();
      const auto answer = auth::chap_response(
          algorithm, std::uint8_t(std::stoul(login_keys["CHAP_I"])), auth::Secret(options.secret),
          *auth::decode_binary(login_keys["CHAP_C"], 1024));
      std::vector<KeyValue> proof = {{"CHAP_N", options.user},
                                     {"CHAP_R", auth::encode_hex(answer)}};
      const Data ours = pattern(16, 99);
      if (!options.mutual_user.empty()) {
        proof.emplace_back("CHAP_I", "17");
        proof.emplace_back("CHAP_C", auth::encode_hex(ours));
      }
      login_keys.erase("CHAP_N");
      login_keys.erase("CHAP_R");
      response = login_request(Stage::kSecurity, Stage::kOperational, proof, options);
      if (ok() && !options.mutual_user.empty()) {
        CHECK(login_keys["CHAP_N"] == options.mutual_user);
        CHECK(login_keys["CHAP_R"] ==
              auth::encode_hex(
                  auth::chap_response(algorithm, 17, auth::Secret(options.mutual_secret), ours)));
      }
    }
    if (!ok()) return response;
    REQUIRE(response.as<LoginResponse>().transit);
  }
  auto keys = names;
  keys.insert(keys.end(), options.keys.begin(), options.keys.end());
  response = login_request(Stage::kOperational, Stage::kFullFeature, keys, options);
  if (ok()) {
    header_digest = login_keys["HeaderDigest"] == "CRC32C";
    data_digest = login_keys["DataDigest"] == "CRC32C";
    for (const auto& [key, value] : options.keys)
      if (key == "MaxRecvDataSegmentLength")
        max_recv = static_cast<std::uint32_t>(std::stoul(value));
  }
  return response;
}

ScsiCommand ScriptedInitiator::command(std::initializer_list<unsigned> cdb,
                                       std::uint32_t expected_length) {
  ScsiCommand pdu;
  pdu.final = true;
  pdu.attribute = 1;
  pdu.task_tag = next_task_tag++;
  pdu.expected_length = expected_length;
  pdu.cmd_sn = cmd_sn++;
  pdu.exp_stat_sn = exp_stat_sn;
  std::size_t i = 0;
  for (const unsigned byte : cdb) pdu.cdb[i++] = static_cast<std::byte>(byte);
  return pdu;
}

unsigned ScriptedInitiator::run(ScsiCommand pdu, scsi::Bytes immediate) {
  send(pdu.encode(), immediate);
  return finish(pdu.task_tag);
}

unsigned ScriptedInitiator::finish(std::uint32_t task_tag) {
  last_data.clear();
  last_sense.clear();
  std::uint32_t data_sn = 0;
  for (;;) {
    const auto pdu = receive();
    REQUIRE(pdu);
    REQUIRE(task_tag_of(pdu->header) == task_tag);
    if (pdu->opcode() == Opcode::kDataIn) {
      const DataIn in = pdu->as<DataIn>();
      CHECK(!pdu->data.empty());
      CHECK(in.data_sn == data_sn++);
      CHECK(in.offset == last_data.size());
      CHECK(in.transfer_tag == kReservedTag);
      last_data.insert(last_data.end(), pdu->data.begin(), pdu->data.end());
      if (!in.has_status) continue;
      CHECK(in.final);
      CHECK(in.status == 0);
      last_residual = in.residual;
      last_overflow = in.overflow;
      last_underflow = in.underflow;
      return in.status;
    }
    REQUIRE(static_cast<int>(pdu->opcode()) == static_cast<int>(Opcode::kScsiResponse));
    const ScsiResponse response = pdu->as<ScsiResponse>();
    CHECK(response.response == 0);
    last_residual = response.residual;
    last_overflow = response.overflow;
    last_underflow = response.underflow;
    if (!pdu->data.empty()) {
      REQUIRE(pdu->data.size() >= 2);
      last_sense.assign(pdu->data.begin() + 2, pdu->data.end());
      CHECK(last_sense.size() == scsi::ByteReader(pdu->data).u16());
    }
    return response.status;
  }
}

unsigned ScriptedInitiator::write_record(std::initializer_list<unsigned> cdb, scsi::Bytes record,
                                         std::size_t immediate, std::size_t unsolicited,
                                         std::size_t segment) {
  ScsiCommand pdu = command(cdb, static_cast<std::uint32_t>(record.size()));
  pdu.write = true;
  pdu.final = unsolicited == 0;
  send(pdu.encode(), record.first(immediate));
  const auto sequence = [&](std::uint32_t tag, std::size_t from, std::size_t to) {
    DataOut out;
    out.task_tag = pdu.task_tag;
    out.transfer_tag = tag;
    for (std::size_t at = from; at < to;) {
      const std::size_t n = std::min(segment, to - at);
      out.offset = static_cast<std::uint32_t>(at);
      out.final = at + n == to;
      send(out.encode(), record.subspan(at, n));
      ++out.data_sn;
      at += n;
    }
  };
  if (unsolicited != 0) sequence(kReservedTag, immediate, immediate + unsolicited);
  r2t_count = 0;
  std::size_t expected = immediate + unsolicited;
  for (;;) {
    const auto answer = receive();
    REQUIRE(answer);
    if (answer->opcode() == Opcode::kScsiResponse) {
      const ScsiResponse response = answer->as<ScsiResponse>();
      CHECK(response.exp_data_sn == r2t_count);
      last_residual = response.residual;
      last_sense.clear();
      if (!answer->data.empty()) last_sense.assign(answer->data.begin() + 2, answer->data.end());
      return response.status;
    }
    REQUIRE(static_cast<int>(answer->opcode()) == static_cast<int>(Opcode::kR2t));
    const R2t r2t = answer->as<R2t>();
    CHECK(r2t.task_tag == pdu.task_tag);
    CHECK(r2t.transfer_tag != kReservedTag);
    CHECK(answer->data.empty());
    CHECK(r2t.r2t_sn == r2t_count++);
    CHECK(r2t.offset == expected);
    CHECK(r2t.length != 0);
    REQUIRE(std::size_t{r2t.offset} + r2t.length <= record.size());
    expected += r2t.length;
    sequence(r2t.transfer_tag, r2t.offset, r2t.offset + r2t.length);
  }
}

std::string ScriptedInitiator::text(const std::string& request) {
  TextRequest pdu;
  pdu.final = true;
  pdu.task_tag = next_task_tag++;
  std::string answer;
  std::string body = request;
  for (;;) {
    pdu.cmd_sn = cmd_sn++;
    pdu.exp_stat_sn = exp_stat_sn;
    send(pdu.encode(), scsi::as_bytes(body));
    const Received response = expect(Opcode::kTextResponse);
    const TextResponse header = response.as<TextResponse>();
    CHECK(header.task_tag == pdu.task_tag);
    CHECK(header.final != header.more);
    CHECK((header.transfer_tag == kReservedTag) == header.final);
    answer += response.text();
    if (header.final) return answer;
    pdu.transfer_tag = header.transfer_tag;
    body.clear();
  }
}

}  // namespace iscsi::test
