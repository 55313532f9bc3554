// An iSCSI initiator for tests that does no I/O: it builds PDUs, feeds them to a Connection in
// pieces of any size, and takes apart what comes back. It does what it is told, also what no honest
// initiator would do.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/chap.h"
#include "test_unit.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/handover.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/text.h"

namespace iscsi::test {

using namespace std::chrono_literals;
Data bytes_of(std::string_view text);
inline constexpr const char* kInitiatorName = "iqn.1993-08.org.debian:01:abcdef";

// A PDU that came from the target.
struct Received {
  Header header{};
  Data data;
  Opcode opcode() const { return opcode_of(header); }
  template <class P>
  P as() const {
    return P::decode(header);
  }
  std::string text() const { return std::string(scsi::as_text(data)); }
};

struct LoginOptions {
  std::string initiator = kInitiatorName;
  std::string target = "iqn.2026-11.local.vtl:drive";
  bool discovery = false;
  bool security_stage = false;
  std::string user, secret;                // CHAP if `user` is not empty
  std::string mutual_user, mutual_secret;  // what the target has to prove
  std::string chap_algorithms = "5";
  std::uint16_t tsih = 0;
  std::uint16_t connection_id = 0;
  Isid isid = {std::byte{0x00}, std::byte{0x02}, std::byte{0x3D},
               std::byte{0x01}, std::byte{0x00}, std::byte{0x00}};
  std::uint32_t cmd_sn = 1;
  // Of the operational stage; those that Linux sends.
  std::vector<KeyValue> keys = {{"HeaderDigest", "None"},
                                {"DataDigest", "None"},
                                {"DefaultTime2Wait", "2"},
                                {"DefaultTime2Retain", "0"},
                                {"IFMarker", "No"},
                                {"OFMarker", "No"},
                                {"ErrorRecoveryLevel", "0"},
                                {"InitialR2T", "No"},
                                {"ImmediateData", "Yes"},
                                {"MaxBurstLength", "16776192"},
                                {"FirstBurstLength", "262144"},
                                {"MaxOutstandingR2T", "1"},
                                {"MaxConnections", "1"},
                                {"DataPDUInOrder", "Yes"},
                                {"DataSequenceInOrder", "Yes"},
                                {"MaxRecvDataSegmentLength", "262144"}};
  LoginOptions& set(const std::string& key, const std::string& value);
};

class ScriptedInitiator {
 public:
  explicit ScriptedInitiator(std::unique_ptr<Connection> connection, TimePoint now = TimePoint(1h));

  Connection& connection() { return *connection_; }
  TimePoint now() const { return now_; }

  // --- bytes ---
  void write(scsi::Bytes bytes);  // into recv_span(), at most `chunk` at a time
  std::size_t chunk = ~std::size_t{0};
  // How many bytes the next write() gives at most, instead of `chunk`.
  std::function<std::size_t()> next_chunk;
  std::size_t largest_span = 0;  // that recv_span() offered
  bool reading = true;           // false: leaves everything that the target sends where it is
  void pump();                   // takes what there is to be sent
  // Carries the connection to another portal, when it leaves for one.
  std::function<std::unique_ptr<Connection>(std::unique_ptr<Handover>)> carry;
  Data all_output;  // every byte that ever came
  // Lets time pass, calling expire() at each deadline.
  void pass(std::chrono::milliseconds time);
  bool closed() const { return connection_->wants_close(); }

  // --- PDUs ---
  void send(Header header, scsi::Bytes data = {}, scsi::Bytes ahs = {});
  Data encode(Header header, scsi::Bytes data = {}, scsi::Bytes ahs = {}) const;
  std::optional<Received> receive();  // the next one
  Received expect(Opcode opcode);  // fails the test if the next one is something else, or nothing
  void expect_silence();
  bool header_digest = false, data_digest = false;
  bool break_header_digest = false, break_data_digest = false;

  // --- conversations ---
  // Goes through the whole login; gives the last response. Fails nothing: look at its status.
  Received login(LoginOptions options = {});
  // One Login Request with these pairs; gives the response.
  Received login_request(Stage current, std::optional<Stage> next,
                         const std::vector<KeyValue>& keys, const LoginOptions& options = {},
                         bool more = false);
  std::map<std::string, std::string> login_keys;  // all that the target answered

  // The next numbered PDU of each kind; each uses up a CmdSN unless it is immediate.
  ScsiCommand command(std::initializer_list<unsigned> cdb, std::uint32_t expected_length = 0);
  // Sends it and gives the status byte of its end; sense and data are in `last_sense`, `last_data`.
  unsigned run(ScsiCommand command, scsi::Bytes immediate = {});
  unsigned finish(std::uint32_t task_tag);  // reads until the command's end
  Data last_sense, last_data;
  std::uint32_t last_residual = 0;
  bool last_overflow = false, last_underflow = false;
  // Answers R2Ts out of this record until the command ends.
  unsigned write_record(std::initializer_list<unsigned> cdb, scsi::Bytes record,
                        std::size_t immediate, std::size_t unsolicited,
                        std::size_t segment = 65536);
  std::size_t r2t_count = 0;

  std::string text(const std::string& request);  // a whole text exchange, with its continuations

  std::uint32_t cmd_sn = 1;
  std::uint32_t exp_stat_sn = 0;
  std::uint32_t next_task_tag = 0x100;
  std::uint32_t exp_cmd_sn = 0, max_cmd_sn = 0;  // as last heard
  std::uint32_t max_recv = 8192;                 // the longest data segment that it takes

 private:
  void heard(const Received& pdu);

  std::unique_ptr<Connection> connection_;
  TimePoint now_;
  Data inbox_;
  std::size_t parsed_ = 0;
};

// key=value pairs of a response.
std::map<std::string, std::string> pairs_of(const Received& pdu);

}  // namespace iscsi::test
