#include "raw_session.h"

#include <algorithm>
#include <stdexcept>

std::uint32_t number_at(const ByteString& bytes, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | bytes.at(at + i);
  return value;
}

namespace {

ByteString with_length(std::uint8_t opcode, std::size_t length) {
  return {opcode,
          0,
          static_cast<std::uint8_t>(length >> 16),
          static_cast<std::uint8_t>(length >> 8),
          static_cast<std::uint8_t>(length),
          0};
}

bool same_key(const std::string& a, const std::string& b) {
  return a.substr(0, a.find('=')) == b.substr(0, b.find('='));
}

}  // namespace

ByteString read6(std::size_t length) { return with_length(0x08, length); }
ByteString write6(std::size_t length) { return with_length(0x0a, length); }

ByteString text_of(const std::vector<std::string>& pairs) {
  ByteString out;
  for (const std::string& pair : pairs) {
    out.insert(out.end(), pair.begin(), pair.end());
    out.push_back(0);
  }
  return out;
}

RawSession::RawSession(std::uint16_t port, const std::string& target, const RawLogin& login)
    : RawConnection(port, login.from) {
  cmd_sn = login.cmd_sn;
  std::vector<std::string> keys = {"InitiatorName=" + login.initiator};
  if (target.empty()) {
    keys.push_back("SessionType=Discovery");
  } else {
    keys.push_back("SessionType=Normal");
    keys.push_back("TargetName=" + target);
  }
  for (const char* usual :
       {"HeaderDigest=None", "DataDigest=None", "InitialR2T=No", "ImmediateData=Yes",
        "MaxRecvDataSegmentLength=262144", "MaxBurstLength=1048576", "FirstBurstLength=262144",
        "ErrorRecoveryLevel=0"})
    if (std::none_of(login.keys.begin(), login.keys.end(),
                     [&](const std::string& key) { return same_key(key, usual); }))
      keys.push_back(usual);
  keys.insert(keys.end(), login.keys.begin(), login.keys.end());
  Header request(0x43, 0x87);  // T, from operational negotiation to full feature phase
  request.set8(8, 0x80).set16(12, login.isid).set32(16, 1).set32(24, cmd_sn);
  send(request, text_of(keys));
  const auto response = receive(kPatience);
  if (!response || response->opcode() != kLoginResponse || response->header[36] != 0 ||
      (response->header[1] & 0x83) != 0x83) {
    throw std::runtime_error("raw login to " + target + " was refused");
  }
  login_answer_ = response->data;
  tsih_ = static_cast<std::uint16_t>(number_at(response->header, 14, 2));
  const std::string answer(login_answer_.begin(), login_answer_.end());
  header_digest = answer.find("HeaderDigest=CRC32C") != std::string::npos;
  data_digest = answer.find("DataDigest=CRC32C") != std::string::npos;
}

void RawSession::clear_unit_attentions() {
  for (int i = 0; i < 10; ++i) {
    const CommandResult sense = run(command({0x03, 0, 0, 0, 18, 0}, Way::kIn, 18));
    if (sense.data.size() < 3 || (sense.data[2] & 0x0f) != 6) return;
  }
}

Header RawSession::command(const ByteString& cdb, Way way, std::uint32_t expected) {
  Header header(0x01, static_cast<std::uint8_t>(0x81 | (way == Way::kIn ? 0x40 : 0) |
                                                (way == Way::kOut ? 0x20 : 0)));
  header.set32(16, next_tag_++).set32(20, expected).set32(24, cmd_sn++);
  for (std::size_t i = 0; i < cdb.size(); ++i) header.set8(32 + i, cdb[i]);
  return header;
}

Header RawSession::ping() {
  Header header(0x00, 0x80);
  return header.set32(16, next_tag_++).set32(20, 0xffffffff).set32(24, cmd_sn++);
}

Header RawSession::text() {
  Header header(0x04, 0x80);
  return header.set32(16, next_tag_++).set32(20, 0xffffffff).set32(24, cmd_sn++);
}

Header RawSession::management(int function, std::uint32_t referenced_tag) {
  Header header(0x42, static_cast<std::uint8_t>(0x80 | function));
  return header.set32(16, next_tag_++).set32(20, referenced_tag).set32(24, cmd_sn);
}

Header RawSession::logout(int reason) {
  Header header(0x46, static_cast<std::uint8_t>(0x80 | reason));
  return header.set32(16, next_tag_++).set32(24, cmd_sn);
}

Header RawSession::data_out(const RawPdu& r2t, std::uint32_t data_sn, std::uint32_t offset,
                            bool final) {
  Header header(0x05, final ? 0x80 : 0);
  std::copy_n(r2t.header.begin() + 8, 8, header.bytes.begin() + 8);
  header.set32(16, number_at(r2t.header, 16)).set32(20, number_at(r2t.header, 20));
  return header.set32(36, data_sn).set32(40, offset);
}

Header RawSession::immediate(Header header) {
  header.bytes[0] |= 0x40;
  return header;
}

std::optional<RawPdu> RawSession::next(int timeout_ms) {
  for (;;) {
    auto pdu = receive(timeout_ms);
    if (!pdu || pdu->opcode() != kNopIn || number_at(pdu->header, 16) != 0xffffffff) return pdu;
    if (number_at(pdu->header, 20) == 0xffffffff) continue;  // only tells of the window
    Header pong(0x40, 0x80);
    std::copy_n(pdu->header.begin() + 8, 8, pong.bytes.begin() + 8);
    pong.set32(16, 0xffffffff).set32(20, number_at(pdu->header, 20)).set32(24, cmd_sn);
    send(pong);
  }
}

RawPdu RawSession::expect(int opcode) {
  auto pdu = next();
  if (!pdu) throw std::runtime_error("no answer, opcode " + std::to_string(opcode) + " was due");
  if (pdu->opcode() != opcode)
    throw std::runtime_error("opcode " + std::to_string(pdu->opcode()) + " instead of " +
                             std::to_string(opcode));
  return *pdu;
}

void RawSession::answer(const RawPdu& r2t, const ByteString& data) {
  const std::uint32_t offset = number_at(r2t.header, 40), length = number_at(r2t.header, 44);
  ++r2ts;
  largest_r2t = std::max(largest_r2t, length);
  std::uint32_t done = 0;
  for (std::uint32_t sn = 0; done < length; ++sn) {
    const std::uint32_t n = std::min<std::uint32_t>(length - done, 262144);
    const auto from = data.begin() + static_cast<std::ptrdiff_t>(offset + done);
    const ByteString part(from, from + static_cast<std::ptrdiff_t>(n));
    send(data_out(r2t, sn, offset + done, done + n == length), part);
    done += n;
  }
}

CommandResult RawSession::run(const Header& command, const ByteString& data, std::size_t unasked,
                              const ByteString& ahs) {
  const auto first = static_cast<std::ptrdiff_t>(std::min(unasked, data.size()));
  send(command, ByteString(data.begin(), data.begin() + first), ahs);
  return finish(number_at(command.bytes, 16), data);
}

CommandResult RawSession::finish(std::uint32_t tag, const ByteString& data) {
  CommandResult result;
  for (;;) {
    const auto pdu = next();
    if (!pdu) throw std::runtime_error("the command did not end");
    if (number_at(pdu->header, 16) != tag)
      throw std::runtime_error("opcode " + std::to_string(pdu->opcode()) + " of another task");
    const std::uint8_t flags = pdu->header[1];
    if (pdu->opcode() == kR2t) {
      answer(*pdu, data);
      continue;
    }
    const bool in = pdu->opcode() == kDataIn;
    if (!in && pdu->opcode() != kScsiResponse)
      throw std::runtime_error("opcode " + std::to_string(pdu->opcode()) + " for a command");
    if (in) {
      if (number_at(pdu->header, 40) != result.data.size())
        throw std::runtime_error("Data-In with a gap");
      largest_in = std::max(largest_in, static_cast<std::uint32_t>(pdu->data.size()));
      result.data.insert(result.data.end(), pdu->data.begin(), pdu->data.end());
      if ((flags & 0x01) == 0) continue;  // no status yet
    } else if (pdu->data.size() > 2) {
      result.sense.assign(pdu->data.begin() + 2, pdu->data.end());
    }
    result.status = pdu->header[3];
    const std::int64_t residual = number_at(pdu->header, 44);
    if ((flags & 0x06) != 0) result.residual = (flags & 0x04) != 0 ? -residual : residual;
    // RFC 7143 11.4.5: one flag exactly when there is something to count.
    if ((flags & 0x06) == 0x06 || ((flags & 0x06) != 0) != (residual != 0))
      throw std::runtime_error("residual flags do not fit the count");
    return result;
  }
}

int RawSession::rejected(const Header& header, const ByteString& data, const ByteString& ahs) {
  send(header, data, ahs);
  const RawPdu reject = expect(kReject);
  // RFC 7143 11.17: the complete header comes back.
  if (number_at(reject.header, 16) != 0xffffffff || reject.data.size() != 48 + ahs.size() ||
      !std::equal(header.bytes.begin() + 8, header.bytes.end(), reject.data.begin() + 8))
    throw std::runtime_error("a Reject without the header that it is about");
  return reject.header[2];
}

int RawSession::manage(const Header& request) {
  send(request);
  const RawPdu response = expect(kManagementResponse);
  if (number_at(response.header, 16) != number_at(request.bytes, 16))
    throw std::runtime_error("the response of another function");
  return response.header[2];
}

bool RawSession::silent() {
  const Header asked = immediate(ping());
  --cmd_sn;
  send(asked);
  const RawPdu answer = expect(kNopIn);
  return number_at(answer.header, 16) == number_at(asked.bytes, 16);
}

bool RawSession::alive() {
  return run(command({0x12, 0, 0, 0, 36, 0}, Way::kIn, 36)).data.size() == 36;
}
