// Negotiation of session and connection parameters as data: one row per key (RFC 7143 13).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "transport/iscsi/text.h"

namespace iscsi {

struct PortalOptions;

// What holds once the login has ended; until a key is negotiated, the RFC's default. Lengths in
// bytes.
struct Parameters {
  bool header_digest = false;
  bool data_digest = false;
  bool initial_r2t = true;
  bool immediate_data = true;
  bool data_pdu_in_order = true;
  bool data_sequence_in_order = true;
  std::uint32_t max_connections = 1;
  std::uint32_t initiator_max_recv = 8192;  // what the initiator takes in one PDU
  std::uint32_t target_max_recv = 8192;  // what we take: the default unless we have declared more
  std::uint32_t max_burst = 262144;
  std::uint32_t first_burst = 65536;
  std::uint32_t time_to_wait_s = 2;
  std::uint32_t time_to_retain_s = 20;
  std::uint32_t max_outstanding_r2t = 1;
  std::uint32_t error_recovery_level = 0;
  std::uint32_t protocol_level = 1;
};

enum class KeyRule : std::uint8_t {
  kMinimum,        // number: the lower of both
  kMaximum,        // number: the higher of both
  kOr,             // boolean
  kAnd,            // boolean
  kDigest,         // list: the first of the initiator's that we support
  kTaskReporting,  // list: RFC3720 or nothing
  kMaxRecv,        // number, declared by each side for itself
  kByInitiator,    // declared by the initiator; the login reads it, nothing is answered
  kByTarget,       // declared by the target; an initiator that sends it is told Reject
  kSecurity,       // belongs to authentication; the login handles it
  kDiscovery,      // SendTargets
  kObsoleteNo,     // markers: "No"
  kObsoleteReject,
};

// When a key may come.
enum class KeyPhase : std::uint8_t {
  kLogin,  // login only (of the leading connection: there is no other here)
  kLoginAndText,
  kText,  // full feature phase only
};

struct KeyRow {
  std::string_view key;
  KeyRule rule;
  KeyPhase phase;
  std::uint32_t minimum = 0, maximum = 0;  // of numbers
  std::uint32_t Parameters::*number = nullptr;
  bool Parameters::*flag = nullptr;
};

std::span<const KeyRow> key_rows();
const KeyRow* find_key(std::string_view key);  // exact spelling: keys are case-sensitive

// The parameters of one session while they are negotiated. Keys that belong to the login itself
// (kByInitiator, kSecurity) and to discovery are not given to it.
class Negotiation {
 public:
  // `options` are our side of every key.
  explicit Negotiation(const PortalOptions& options);
  // Nothing that comes in discovery is long: no more is taken at once than without a word of ours.
  void for_discovery() { ours_.target_max_recv = Parameters().target_max_recv; }

  enum class Verdict { kAnswered, kSilent, kProtocolError };
  // One pair of a request; appends the answer, if there is one, to `answers`.
  Verdict receive(const KeyValue& pair, bool in_login, std::vector<KeyValue>& answers);
  // Call after the last pair of a request and before its answers are sent: no first burst is longer
  // than a burst.
  void end_request(std::vector<KeyValue>& answers);
  // Our own MaxRecvDataSegmentLength, to be appended to the first answer of the operational stage.
  void declare(std::vector<KeyValue>& answers);

  const Parameters& parameters() const { return parameters_; }

 private:
  Verdict number(const KeyRow& row, const std::string& value, std::vector<KeyValue>& answers);
  Verdict boolean(const KeyRow& row, const std::string& value, std::vector<KeyValue>& answers);
  Verdict digest(const KeyRow& row, const std::string& value, std::vector<KeyValue>& answers);

  Parameters ours_;  // what we would like, in the same shape
  Parameters parameters_;
  std::set<std::string, std::less<>> seen_;  // keys of this login: none is negotiated twice
  bool declared_ = false;
};

}  // namespace iscsi
