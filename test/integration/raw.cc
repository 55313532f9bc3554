#include "raw.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <stdexcept>

#include "scsi/crc32c.h"

Header& Header::set8(std::size_t at, std::uint8_t value) {
  bytes.at(at) = value;
  return *this;
}

Header& Header::set16(std::size_t at, std::uint16_t value) {
  return set8(at, static_cast<std::uint8_t>(value >> 8))
      .set8(at + 1, static_cast<std::uint8_t>(value));
}

Header& Header::set24(std::size_t at, std::uint32_t value) {
  return set8(at, static_cast<std::uint8_t>(value >> 16))
      .set16(at + 1, static_cast<std::uint16_t>(value));
}

Header& Header::set32(std::size_t at, std::uint32_t value) {
  return set16(at, static_cast<std::uint16_t>(value >> 16))
      .set16(at + 2, static_cast<std::uint16_t>(value));
}

RawConnection::RawConnection(std::uint16_t port, const std::string& from)
    : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A peer that takes no more must not hold up the test.
  const timeval patience{5, 0};
  (void)::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  const int on = 1;  // the port is chosen when the peer is known: there are more than enough then
  (void)::setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  if (::inet_pton(AF_INET, from.c_str(), &source.sin_addr) != 1 ||
      ::bind(fd_, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0 ||
      ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    throw std::runtime_error("connection from " + from + " refused");
  }
}

RawConnection::~RawConnection() {
  if (fd_ >= 0) ::close(fd_);
}

bool RawConnection::send(const ByteString& bytes) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t n = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

ByteString RawConnection::encode(Header header, const ByteString& data,
                                 const ByteString& ahs) const {
  if (!data.empty()) header.set24(5, static_cast<std::uint32_t>(data.size()));
  if (!ahs.empty()) header.set8(4, static_cast<std::uint8_t>(ahs.size() / 4));
  ByteString all = std::move(header.bytes);
  all.insert(all.end(), ahs.begin(), ahs.end());
  const auto digest = [&](std::size_t from) {
    const std::uint32_t crc =
        scsi::crc32c({reinterpret_cast<const std::byte*>(all.data() + from), all.size() - from});
    for (unsigned i = 0; i < 4; ++i) all.push_back(static_cast<std::uint8_t>(crc >> (8 * i)));
  };
  if (header_digest) digest(0);
  const std::size_t start = all.size();
  all.insert(all.end(), data.begin(), data.end());
  all.resize((all.size() + 3) / 4 * 4);
  if (data_digest && !data.empty()) digest(start);
  return all;
}

bool RawConnection::send(Header header, const ByteString& data, const ByteString& ahs) {
  return send(encode(std::move(header), data, ahs));
}

bool RawConnection::send_urgent(std::uint8_t byte) {
  return ::send(fd_, &byte, 1, MSG_OOB | MSG_NOSIGNAL) == 1;
}

void RawConnection::end_sending() { (void)::shutdown(fd_, SHUT_WR); }

void RawConnection::reset_at_end() {
  const linger at_once{1, 0};
  (void)::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

bool RawConnection::read_exactly(std::uint8_t* into, std::size_t size, int timeout_ms) {
  while (size > 0) {
    pollfd fd{fd_, POLLIN, 0};
    if (::poll(&fd, 1, timeout_ms) <= 0) return false;
    const ssize_t n = ::recv(fd_, into, size, 0);
    if (n <= 0) return false;
    into += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

std::optional<RawPdu> RawConnection::receive(int timeout_ms) {
  RawPdu pdu;
  pdu.header.resize(48);
  if (!read_exactly(pdu.header.data(), 48, timeout_ms)) return std::nullopt;
  std::array<std::uint8_t, 4> digest;  // of what is sound: not checked here
  if (header_digest && !read_exactly(digest.data(), 4, timeout_ms)) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(pdu.header[5]) << 16 |
                             static_cast<std::size_t>(pdu.header[6]) << 8 | pdu.header[7];
  pdu.data.resize((length + 3) / 4 * 4);
  if (!read_exactly(pdu.data.data(), pdu.data.size(), timeout_ms)) return std::nullopt;
  if (data_digest && length != 0 && !read_exactly(digest.data(), 4, timeout_ms))
    return std::nullopt;
  pdu.data.resize(length);
  return pdu;
}

bool RawConnection::closed_within(int timeout_ms) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::array<std::uint8_t, 4096> scrap;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd fd{fd_, POLLIN, 0};
    if (::poll(&fd, 1, static_cast<int>(left.count())) <= 0) return false;
    if (::recv(fd_, scrap.data(), scrap.size(), 0) <= 0) return true;
  }
}

bool RawConnection::silent_for(int timeout_ms) {
  pollfd fd{fd_, POLLIN, 0};
  return ::poll(&fd, 1, timeout_ms) == 0;
}

ByteString RawConnection::keys(std::initializer_list<std::string> pairs) {
  ByteString out;
  for (const std::string& pair : pairs) {
    out.insert(out.end(), pair.begin(), pair.end());
    out.push_back(0);
  }
  return out;
}

void RawConnection::login(const std::string& target, const std::string& initiator) {
  Header request(0x43, 0x87);  // immediate; T, from operational negotiation to full feature phase
  request.set8(8, 0x80).set32(16, 1).set32(24, cmd_sn);
  send(request, keys({"InitiatorName=" + initiator, "TargetName=" + target, "SessionType=Normal",
                      "HeaderDigest=None", "DataDigest=None", "InitialR2T=No", "ImmediateData=Yes",
                      "MaxRecvDataSegmentLength=262144", "ErrorRecoveryLevel=0"}));
  const auto response = receive();
  if (!response || response->opcode() != 0x23 || response->header[36] != 0 ||
      (response->header[1] & 0x83) != 0x83) {
    throw std::runtime_error("raw login to " + target + " was refused");
  }
}
