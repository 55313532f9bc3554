// The load's side of one iSCSI session (RFC 7143): non-blocking, with several commands under way
// and as little work per command as can be, so that it does not decide what is measured. It trusts
// its target and ends the program when anything but a command's status is not as expected.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "test/bench/wire.h"

namespace bench {

[[noreturn]] void fail(const std::string& what);

struct Answer {
  std::uint8_t status = 0;
  std::uint8_t key = 0;    // of the sense data
  std::uint16_t code = 0;  // additional sense code and qualifier
  std::string text() const;
};
using Done = std::function<void(const Answer&)>;
using Cdb = std::span<const std::uint8_t>;

class Session {
 public:
  // Connects to 127.0.0.1 and logs in; blocks. Registers with `epoll`, its data being this.
  Session(int epoll, std::uint16_t port, std::string target, unsigned lun, bool digests);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Called when the target has said something that may have opened its window, and no command
  // ended.
  std::function<void()> on_window;
  // Whether the target's window has room for one more command.
  bool may_send() const { return static_cast<std::int32_t>(max_cmd_sn_ - cmd_sn_) >= 0; }
  // `out` and `in` stay where they are until done; what lies at one address does not change, so
  // its digest is computed once. A multiple of 4 bytes.
  void command(Cdb cdb, const std::uint8_t* out, std::uint8_t* in, std::uint32_t length, Done done);
  // The socket is ready for something. Calls `done` of what ended.
  void service(std::uint32_t events);
  std::size_t under_way() const { return under_way_; }
  const std::string& target() const { return target_; }

 private:
  struct Task {
    bool busy = false;
    const std::uint8_t* out = nullptr;
    std::uint8_t* in = nullptr;
    std::uint32_t length = 0;
    Done done;
  };
  struct Outgoing {
    std::array<std::uint8_t, kHeader + 4> header{};  // with its digest
    const std::uint8_t* data = nullptr;
    std::uint32_t length = 0;
    std::array<std::uint8_t, 4> digest{};
    std::size_t sent = 0;
  };

  void login(bool digests);
  Outgoing& queue(std::uint8_t opcode, std::uint8_t flags, std::uint32_t tag);
  void data_of(Outgoing& pdu, const std::uint8_t* data, std::uint32_t length);
  void finish(Outgoing& pdu);
  void flush();
  bool take(std::uint8_t* into, std::size_t size);
  void receive();
  void header_complete();
  void pdu_complete();
  void data_out(std::uint32_t tag, Task& task);

  const int epoll_;
  const std::string target_;
  const unsigned lun_;
  int fd_ = -1;
  bool digests_ = false;
  bool blocked_ = false;  // waits for room in the socket
  std::uint32_t cmd_sn_ = 1, max_cmd_sn_ = 0, exp_stat_sn_ = 0;
  std::uint32_t segment_ = 8192;       // the target's MaxRecvDataSegmentLength
  std::uint32_t first_burst_ = 65536;  // immediate data is min(segment_, first_burst_)
  std::vector<Task> tasks_;            // by initiator task tag
  std::size_t under_way_ = 0;
  std::deque<Outgoing> output_;
  const std::uint8_t* digest_of_ = nullptr;
  std::uint32_t digest_length_ = 0, digest_ = 0;

  enum class Part { kHead, kData, kDigest } part_ = Part::kHead;
  std::array<std::uint8_t, kHeader + 4> header_{};
  std::array<std::uint8_t, 4> data_digest_{};
  std::vector<std::uint8_t> scrap_;  // data segments other than Data-In
  std::uint8_t* data_ = nullptr;     // where this PDU's data go
  std::size_t data_length_ = 0;
  std::size_t got_ = 0;  // of the part
};

}  // namespace bench
