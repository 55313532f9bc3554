#include "test/bench/initiator.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>

#include "scsi/crc32c.h"

namespace bench {
namespace {

constexpr std::size_t kTasks = 64;
constexpr std::uint32_t kNoTag = 0xFFFFFFFF;

std::uint32_t crc(const std::uint8_t* data, std::size_t size) {
  return scsi::crc32c(std::as_bytes(std::span(data, size)));
}
// Digests are sent least significant byte first (RFC 7143 13.1).
void put_digest(std::uint8_t* at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) at[i] = static_cast<std::uint8_t>(value >> 8 * i);
}
void check_digest(const std::uint8_t* at, std::uint32_t value) {
  std::uint8_t expected[4];
  put_digest(expected, value);
  if (std::memcmp(at, expected, 4) != 0) fail("a digest from the target is wrong");
}

}  // namespace

void fail(const std::string& what) {
  std::fprintf(stderr, "vtl_load: %s\n", what.c_str());
  std::exit(1);
}

std::string Answer::text() const {
  char out[64];
  std::snprintf(out, sizeof out, "status %02x, sense %x/%04x", status, key, code);
  return out;
}

Session::Session(int epoll, std::uint16_t port, std::string target, unsigned lun, bool digests)
    : epoll_(epoll),
      target_(std::move(target)),
      lun_(lun),
      fd_(socket(AF_INET, SOCK_STREAM, 0)),
      tasks_(kTasks),
      scrap_(kSegment) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    fail("cannot connect to port " + std::to_string(port));
  const int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  login(digests);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, fd_, &event);
}

Session::~Session() { close(fd_); }

// Straight from the operational stage to the full feature phase.
void Session::login(bool digests) {
  std::string keys;
  const std::string digest = digests ? "CRC32C" : "None";
  for (const std::string& pair :
       {std::string("InitiatorName=iqn.2026-11.local.bench:load-") + std::to_string(fd_),
        "TargetName=" + target_, std::string("SessionType=Normal"), "HeaderDigest=" + digest,
        "DataDigest=" + digest, std::string("InitialR2T=No"), std::string("ImmediateData=Yes"),
        std::string("FirstBurstLength=262144"), std::string("MaxBurstLength=262144"),
        std::string("MaxRecvDataSegmentLength=262144"), std::string("ErrorRecoveryLevel=0")})
    keys.append(pair).push_back('\0');
  std::string text;
  for (int round = 0; round < 4; ++round) {
    Outgoing& request = queue(0x43, 0x87, 0);
    std::memset(request.header.data() + 8, 0, 12);
    request.header[8] = 0x80;  // ISID: random
    put(request.header.data() + 9, 0x1000u + static_cast<unsigned>(fd_), 3);
    put(request.header.data() + 16, 1, 4);
    put(request.header.data() + 20, 0, 4);
    put(request.header.data() + 24, cmd_sn_, 4);
    data_of(request, reinterpret_cast<const std::uint8_t*>(keys.data()),
            static_cast<std::uint32_t>(keys.size()));
    finish(request);
    std::string padded = keys;
    padded.resize((keys.size() + 3) / 4 * 4);
    output_.back().data = reinterpret_cast<const std::uint8_t*>(padded.data());
    output_.back().length = static_cast<std::uint32_t>(padded.size());
    flush();
    if (recv(fd_, header_.data(), kHeader, MSG_WAITALL) != kHeader || (header_[0] & 0x3F) != 0x23)
      fail("no login response from " + target_);
    std::string answer((get(header_.data() + 5, 3) + 3) & ~3ull, '\0');
    if (!answer.empty() &&
        recv(fd_, answer.data(), answer.size(), MSG_WAITALL) != static_cast<ssize_t>(answer.size()))
      fail("a login response was cut off");
    if (header_[36] != 0) fail("login to " + target_ + " was refused");
    exp_stat_sn_ = get32(header_.data() + 24) + 1;
    max_cmd_sn_ = get32(header_.data() + 32);
    text += answer + '\0';
    keys.clear();
    if ((header_[1] & 0x83) == 0x83) break;
    if (round == 3) fail("login to " + target_ + " does not end");
  }
  const auto value = [&text](const std::string& key) {
    const std::size_t at = ('\0' + text).find('\0' + key + "=");
    return at == std::string::npos ? std::string()
                                   : std::string(text.c_str() + at + key.size() + 1);
  };
  digests_ = value("DataDigest") == "CRC32C" && value("HeaderDigest") == "CRC32C";
  if (digests_ != digests) fail(target_ + " does not do digests");
  if (value("ImmediateData") == "No") fail(target_ + " takes no immediate data");
  const auto number = [&](const char* key, std::uint32_t& into) {
    if (const std::string n = value(key); !n.empty())
      into = std::min(static_cast<std::uint32_t>(std::stoul(n)), kSegment);
  };
  number("MaxRecvDataSegmentLength", segment_);
  first_burst_ = kSegment;
  number("FirstBurstLength", first_burst_);
}

// --- sending

Session::Outgoing& Session::queue(std::uint8_t opcode, std::uint8_t flags, std::uint32_t tag) {
  Outgoing& pdu = output_.emplace_back();
  std::uint8_t* h = pdu.header.data();
  h[0] = opcode;
  h[1] = flags;
  put(h + 8, std::uint64_t{lun_} << 48, 8);
  put(h + 16, tag, 4);
  put(h + 28, exp_stat_sn_, 4);
  return pdu;
}

void Session::data_of(Outgoing& pdu, const std::uint8_t* data, std::uint32_t length) {
  put(pdu.header.data() + 5, length, 3);
  pdu.data = data;
  pdu.length = length;
}

void Session::finish(Outgoing& pdu) {
  if (!digests_) return;
  put_digest(pdu.header.data() + kHeader, crc(pdu.header.data(), kHeader));
  if (pdu.length == 0) return;
  if (digest_of_ != pdu.data || digest_length_ != pdu.length) {
    digest_of_ = pdu.data;
    digest_length_ = pdu.length;
    digest_ = crc(pdu.data, pdu.length);
  }
  put_digest(pdu.digest.data(), digest_);
}

void Session::command(Cdb cdb, const std::uint8_t* out, std::uint8_t* in, std::uint32_t length,
                      Done done) {
  if (!may_send()) fail("a command outside the window");
  std::uint32_t tag = 0;
  while (tag < kTasks && tasks_[tag].busy) ++tag;
  if (tag == kTasks) fail("too many commands under way");
  tasks_[tag] = {true, out, in, length, std::move(done)};
  ++under_way_;
  Outgoing& pdu = queue(0x01,
                        static_cast<std::uint8_t>(0x81 | (in != nullptr    ? 0x40
                                                          : out != nullptr ? 0x20
                                                                           : 0)),
                        tag);
  std::uint8_t* h = pdu.header.data();
  put(h + 20, length, 4);
  put(h + 24, cmd_sn_++, 4);
  std::copy(cdb.begin(), cdb.end(), h + 32);
  if (out != nullptr) data_of(pdu, out, std::min({length, segment_, first_burst_}));
  finish(pdu);
  flush();
}

// Answers a Ready To Transfer (RFC 7143 11.8).
void Session::data_out(std::uint32_t tag, Task& task) {
  std::uint32_t offset = get32(header_.data() + 40);
  const std::uint32_t end = offset + get32(header_.data() + 44);
  if (end > task.length) fail("the target asks for more than there is");
  for (std::uint32_t number = 0; offset < end; ++number) {
    const std::uint32_t n = std::min(segment_, end - offset);
    Outgoing& pdu = queue(0x05, offset + n == end ? 0x80 : 0, tag);
    std::memcpy(pdu.header.data() + 20, header_.data() + 20, 4);  // target transfer tag
    put(pdu.header.data() + 36, number, 4);
    put(pdu.header.data() + 40, offset, 4);
    data_of(pdu, task.out + offset, n);
    finish(pdu);
    offset += n;
  }
  flush();
}

void Session::flush() {
  while (!output_.empty()) {
    Outgoing& pdu = output_.front();
    const std::size_t digest = digests_ ? 4 : 0;
    iovec parts[3] = {{pdu.header.data(), kHeader + digest},
                      {const_cast<std::uint8_t*>(pdu.data), pdu.length},
                      {pdu.digest.data(), pdu.length != 0 ? digest : 0}};
    std::size_t skip = pdu.sent, left = 0;
    for (iovec& part : parts) {
      const std::size_t n = std::min(skip, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + n;
      part.iov_len -= n;
      skip -= n;
      left += part.iov_len;
    }
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = 3;
    const ssize_t n = sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN) fail("the connection to " + target_ + " broke");
    if (n > 0) pdu.sent += static_cast<std::size_t>(n);
    if (n != static_cast<ssize_t>(left)) break;
    output_.pop_front();
  }
  if (output_.empty() != blocked_) return;
  blocked_ = !blocked_;
  epoll_event event{};
  event.events = blocked_ ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = this;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, fd_, &event);
}

// --- receiving

void Session::service(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) receive();
}

// True when the part is whole.
bool Session::take(std::uint8_t* into, std::size_t size) {
  const ssize_t n = recv(fd_, into + got_, size - got_, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN)) fail("the connection to " + target_ + " broke");
  if (n > 0) got_ += static_cast<std::size_t>(n);
  if (got_ != size) return false;
  got_ = 0;
  return true;
}

// Until a PDU is whole, or no more has come.
void Session::receive() {
  if (part_ == Part::kHead) {
    if (!take(header_.data(), digests_ ? kHeader + 4 : kHeader)) return;
    header_complete();
  }
  if (part_ == Part::kData) {
    if (!take(data_, data_length_)) return;
    part_ = digests_ ? Part::kDigest : Part::kHead;
  }
  if (part_ == Part::kDigest) {
    if (!take(data_digest_.data(), 4)) return;
    check_digest(data_digest_.data(), crc(data_, data_length_));
    part_ = Part::kHead;
  }
  pdu_complete();
}

void Session::header_complete() {
  const std::uint8_t* h = header_.data();
  if (digests_) check_digest(h + kHeader, crc(h, kHeader));
  data_length_ = (get(h + 5, 3) + 3) & ~std::size_t{3};
  if (data_length_ == 0) return;
  part_ = Part::kData;
  data_ = scrap_.data();
  if (data_length_ > kSegment) fail("a data segment is too long");
  if ((h[0] & 0x3F) != 0x25) return;
  const std::uint32_t tag = get32(h + 16), offset = get32(h + 40);
  if (tag >= kTasks || tasks_[tag].in == nullptr || offset + data_length_ > tasks_[tag].length)
    fail("data that nobody asked for");
  data_ = tasks_[tag].in + offset;
}

void Session::pdu_complete() {
  const std::uint8_t* h = header_.data();
  const std::uint8_t opcode = h[0] & 0x3F;
  max_cmd_sn_ = get32(h + 32);
  const std::uint32_t tag = get32(h + 16);
  if (opcode == 0x20) {  // NOP-In
    if (on_window) on_window();
    if (get32(h + 20) == kNoTag) return;
    Outgoing& pong = queue(0x40, 0x80, kNoTag);
    std::memcpy(pong.header.data() + 8, h + 8, 8);
    std::memcpy(pong.header.data() + 20, h + 20, 4);
    put(pong.header.data() + 24, cmd_sn_, 4);
    finish(pong);
    return flush();
  }
  if (tag >= kTasks || !tasks_[tag].busy) fail("an answer that nobody asked for");
  Task& task = tasks_[tag];
  if (opcode == 0x31) return data_out(tag, task);
  const bool status = opcode == 0x21 || (opcode == 0x25 && (h[1] & 0x01) != 0);
  if (!status) {
    if (opcode != 0x25) fail("a PDU of an unexpected kind");
    return;
  }
  exp_stat_sn_ = get32(h + 24) + 1;
  Answer answer{h[3]};
  if (opcode == 0x21 && data_length_ >= 16) {
    answer.key = scrap_[4] & 0x0F;
    answer.code = static_cast<std::uint16_t>(get(scrap_.data() + 14, 2));
    if ((scrap_[4] & 0xE0) != 0 && answer.key == 0) answer.key = 0x80;  // a filemark, or a length
  }
  task.busy = false;
  --under_way_;
  const Done done = std::move(task.done);
  done(answer);
}

}  // namespace bench
