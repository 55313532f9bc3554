// A TCP connection that sends whatever bytes a test wants, and reads PDUs; a session by hand is in
// raw_session.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "initiator.h"

struct RawPdu {
  ByteString header;  // 48 bytes
  ByteString data;
  std::uint8_t opcode() const { return header.at(0) & 0x3f; }
};

// 48 bytes, all zero but for what a test sets.
struct Header {
  ByteString bytes = ByteString(48);
  explicit Header(std::uint8_t first, std::uint8_t flags = 0) {
    bytes[0] = first;
    bytes[1] = flags;
  }
  Header& set8(std::size_t at, std::uint8_t value);
  Header& set16(std::size_t at, std::uint16_t value);
  Header& set24(std::size_t at, std::uint32_t value);
  Header& set32(std::size_t at, std::uint32_t value);
};

class RawConnection {
 public:
  // To 127.0.0.1, from any address of 127.0.0.0/8; throws if refused.
  explicit RawConnection(std::uint16_t port, const std::string& from = "127.0.0.1");
  ~RawConnection();
  RawConnection(RawConnection&& other) noexcept
      : header_digest(other.header_digest),
        data_digest(other.data_digest),
        cmd_sn(other.cmd_sn),
        fd_(std::exchange(other.fd_, -1)) {}
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  // False if the peer has closed.
  bool send(const ByteString& bytes);
  // Fills in the lengths of the data segment and the AHS, appends, pads, and adds digests.
  bool send(Header header, const ByteString& data = {}, const ByteString& ahs = {});
  // The bytes that send() would send.
  ByteString encode(Header header, const ByteString& data = {}, const ByteString& ahs = {}) const;
  bool header_digest = false, data_digest = false;
  // The next PDU; nothing if the peer closed or was silent for `timeout_ms`.
  std::optional<RawPdu> receive(int timeout_ms = 20000);
  // Whether the peer closes within the time (whatever it still sends is dropped).
  bool closed_within(int timeout_ms);
  // Whether nothing comes and nothing is closed in that time.
  bool silent_for(int timeout_ms);
  // Ends with a reset (RST) instead of a close: whatever is under way is lost.
  void reset_at_end();
  // Says that nothing more is to come; what the peer still sends can be read.
  void end_sending();
  // A byte as urgent data (RFC 9293 3.8.5).
  bool send_urgent(std::uint8_t byte);

  // A plain login, straight to the full feature phase; throws if it is refused.
  void login(const std::string& target,
             const std::string& initiator = "iqn.2026-11.local.test:raw");
  static ByteString keys(std::initializer_list<std::string> pairs);

  std::uint32_t cmd_sn = 1;

 private:
  bool read_exactly(std::uint8_t* into, std::size_t size, int timeout_ms);
  int fd_ = -1;
};
