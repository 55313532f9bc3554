// An honest iSCSI initiator that does no I/O: commands go in, bytes come out; bytes go in, replies
// come out. It checks what every target must hold on the way: numbers, tags, offsets, digests.
//
// One session of one connection. It belongs to one line and ends with it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "auth/access.h"
#include "scsi/bytes.h"
#include "transport/iscsi/pdu.h"

namespace sim {

using Data = std::vector<std::byte>;
using Cdb = std::array<std::byte, 16>;

struct Answer {
  std::uint8_t status = 0;
  Data data, sense;

  bool good() const { return status == 0; }
  unsigned key() const { return sense.size() < 14 ? 0u : at(2) & 0x0Fu; }
  unsigned code() const { return sense.size() < 14 ? 0u : at(12) << 8 | at(13); }  // ASC, ASCQ
  bool deferred() const { return !sense.empty() && (at(0) & 0x7Fu) == 0x71; }
  bool filemark() const { return !sense.empty() && (at(2) & 0x80u) != 0; }
  bool end_of_medium() const { return !sense.empty() && (at(2) & 0x40u) != 0; }
  bool incorrect_length() const { return !sense.empty() && (at(2) & 0x20u) != 0; }
  bool has_information() const { return !sense.empty() && (at(0) & 0x80u) != 0; }
  std::uint32_t information() const { return at(3) << 24 | at(4) << 16 | at(5) << 8 | at(6); }
  std::string text() const;

 private:
  unsigned at(std::size_t i) const { return std::to_integer<unsigned>(sense[i]); }
};

// What both sides prove themselves with.
struct Credentials {
  std::string algorithms = "7,5";  // CHAP_A
  std::string user, secret, target_user, target_secret;
};

struct InitiatorOptions {
  std::string name, target;
  bool discovery = false;  // then of no target
  std::optional<Credentials> chap;
  iscsi::Isid isid{};
  bool digests = false;
  bool initial_r2t = false;
  bool immediate_data = true;
  std::uint32_t first_burst = 65536, max_burst = 262144, max_recv = 65536;
  std::uint32_t first_cmd_sn = 1;
};

class Initiator {
 public:
  explicit Initiator(InitiatorOptions options);

  // --- bytes
  void receive(scsi::Bytes bytes);
  Data take_output() { return std::exchange(output_, {}); }

  // --- a session's life
  void login(std::function<void(std::uint16_t status)> done);
  bool logged_in() const { return logged_in_; }
  void logout();
  bool logged_out() const { return logged_out_; }

  // --- commands
  using Done = std::function<void(const Answer&)>;
  // MaxCmdSN allows one more.
  bool may_send() const;
  std::uint32_t command(const Cdb& cdb, std::uint32_t data_in_limit, Data data_out, Done done);
  // Immediate. What it aborts is forgotten when it has been answered, and never answered.
  void manage(iscsi::TaskManagementFunction function, std::uint32_t tag,
              std::function<void(iscsi::TaskManagementCode)> done);
  void ping();
  void send_targets(std::function<void(const std::string& text)> done);
  std::size_t outstanding() const { return tasks_.size(); }
  bool waits_for_ping() const { return ping_tag_ != 0; }
  bool waits_for_management() const { return !managements_.empty(); }

 private:
  struct Pending {
    Data data_out;
    std::uint32_t sent = 0, r2t_sn = 0;
    std::uint32_t data_in_limit = 0, data_sn = 0;
    Data data_in;
    Done done;
  };
  struct Management {
    std::uint32_t tag = 0;
    iscsi::TaskManagementFunction function{};
    std::function<void(iscsi::TaskManagementCode)> done;
  };
  void send(iscsi::Header header, scsi::Bytes data = {});
  void send_data(std::uint32_t tag, std::uint32_t transfer_tag, Pending& task, std::uint32_t end);
  bool parse();
  void heard(const iscsi::Header& header);
  void handle(const iscsi::Header& header, Data data);
  using Keys = std::vector<std::pair<std::string, std::string>>;
  void send_login(iscsi::Stage current, bool transit, const Keys& keys);
  Keys who() const;
  Keys parameters() const;
  void authenticate(const iscsi::LoginResponse& response, const Data& data);
  void login_response(const iscsi::Header& header, const Data& data);
  void data_in(const iscsi::Header& header, const Data& data);
  void scsi_response(const iscsi::Header& header, const Data& data);
  void management_response(const iscsi::Header& header);
  void finish(std::uint32_t tag, Answer answer);
  Pending& task(std::uint32_t tag, const char* what);

  InitiatorOptions options_;
  Data output_, input_;
  bool digests_ = false;
  bool logged_in_ = false, logging_out_ = false, logged_out_ = false;
  std::function<void(std::uint16_t)> login_done_;
  enum class Step { kMethod, kAlgorithm, kProof, kOperational } step_ = Step::kOperational;
  Data challenge_;  // to the target
  auth::ChapAlgorithm algorithm_{};
  std::function<void(const std::string&)> text_done_;
  std::uint32_t target_max_recv_ = 8192;
  std::uint32_t cmd_sn_, exp_stat_sn_ = 0, next_tag_ = 0x100;
  bool heard_any_ = false;
  std::uint32_t exp_cmd_sn_ = 0, max_cmd_sn_ = 0;
  std::map<std::uint32_t, Pending> tasks_;
  std::map<std::uint32_t, Management> managements_;
  std::uint32_t ping_tag_ = 0;
};

}  // namespace sim
