#include "transport/iscsi/params.h"

#include <algorithm>
#include <array>

#include "scsi/check.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/portal.h"

namespace iscsi {
namespace {

using P = Parameters;
constexpr std::uint32_t kMinSegment = 512;

constexpr auto kRows = std::to_array<KeyRow>({
    {"AuthMethod", KeyRule::kSecurity, KeyPhase::kLogin},
    {"CHAP_A", KeyRule::kSecurity, KeyPhase::kLogin},
    {"CHAP_C", KeyRule::kSecurity, KeyPhase::kLogin},
    {"CHAP_I", KeyRule::kSecurity, KeyPhase::kLogin},
    {"CHAP_N", KeyRule::kSecurity, KeyPhase::kLogin},
    {"CHAP_R", KeyRule::kSecurity, KeyPhase::kLogin},
    {"DataDigest", KeyRule::kDigest, KeyPhase::kLogin, 0, 0, nullptr, &P::data_digest},
    {"DataPDUInOrder", KeyRule::kOr, KeyPhase::kLogin, 0, 0, nullptr, &P::data_pdu_in_order},
    {"DataSequenceInOrder", KeyRule::kOr, KeyPhase::kLogin, 0, 0, nullptr,
     &P::data_sequence_in_order},
    {"DefaultTime2Retain", KeyRule::kMinimum, KeyPhase::kLogin, 0, 3600, &P::time_to_retain_s},
    {"DefaultTime2Wait", KeyRule::kMaximum, KeyPhase::kLogin, 0, 3600, &P::time_to_wait_s},
    {"ErrorRecoveryLevel", KeyRule::kMinimum, KeyPhase::kLogin, 0, 2, &P::error_recovery_level},
    {"FirstBurstLength", KeyRule::kMinimum, KeyPhase::kLogin, kMinSegment, kMaxDataSegment,
     &P::first_burst},
    {"HeaderDigest", KeyRule::kDigest, KeyPhase::kLogin, 0, 0, nullptr, &P::header_digest},
    {"IFMarkInt", KeyRule::kObsoleteReject, KeyPhase::kLogin},
    {"IFMarker", KeyRule::kObsoleteNo, KeyPhase::kLogin},
    {"ImmediateData", KeyRule::kAnd, KeyPhase::kLogin, 0, 0, nullptr, &P::immediate_data},
    {"InitialR2T", KeyRule::kOr, KeyPhase::kLogin, 0, 0, nullptr, &P::initial_r2t},
    {"InitiatorAlias", KeyRule::kByInitiator, KeyPhase::kLoginAndText},
    {"InitiatorName", KeyRule::kByInitiator, KeyPhase::kLogin},
    {"MaxBurstLength", KeyRule::kMinimum, KeyPhase::kLogin, kMinSegment, kMaxDataSegment,
     &P::max_burst},
    {"MaxConnections", KeyRule::kMinimum, KeyPhase::kLogin, 1, 65535, &P::max_connections},
    {"MaxOutstandingR2T", KeyRule::kMinimum, KeyPhase::kLogin, 1, 65535, &P::max_outstanding_r2t},
    {"MaxRecvDataSegmentLength", KeyRule::kMaxRecv, KeyPhase::kLoginAndText, kMinSegment,
     kMaxDataSegment, &P::initiator_max_recv},
    {"OFMarkInt", KeyRule::kObsoleteReject, KeyPhase::kLogin},
    {"OFMarker", KeyRule::kObsoleteNo, KeyPhase::kLogin},
    {"SendTargets", KeyRule::kDiscovery, KeyPhase::kText},
    {"SessionType", KeyRule::kByInitiator, KeyPhase::kLogin},
    {"TargetAddress", KeyRule::kByTarget, KeyPhase::kLoginAndText},
    {"TargetAlias", KeyRule::kByTarget, KeyPhase::kLoginAndText},
    {"TargetName", KeyRule::kByInitiator, KeyPhase::kLogin},
    {"TargetPortalGroupTag", KeyRule::kByTarget, KeyPhase::kLoginAndText},
    {"TaskReporting", KeyRule::kTaskReporting, KeyPhase::kLogin},
    {"iSCSIProtocolLevel", KeyRule::kMinimum, KeyPhase::kLogin, 0, 31, &P::protocol_level},
});
static_assert(std::is_sorted(kRows.begin(), kRows.end(),
                             [](const KeyRow& a, const KeyRow& b) { return a.key < b.key; }));

std::string_view take_item(std::string_view& list) {
  const std::size_t comma = std::min(list.find(','), list.size());
  const std::string_view item = list.substr(0, comma);
  list.remove_prefix(std::min(comma + 1, list.size()));
  return item;
}

}  // namespace

std::span<const KeyRow> key_rows() { return kRows; }

const KeyRow* find_key(std::string_view key) {
  const auto row = std::lower_bound(kRows.begin(), kRows.end(), key,
                                    [](const KeyRow& r, std::string_view k) { return r.key < k; });
  return row != kRows.end() && row->key == key ? &*row : nullptr;
}

Negotiation::Negotiation(const PortalOptions& options) {
  ours_.header_digest = options.header_digest;
  ours_.data_digest = options.data_digest;
  ours_.initial_r2t = false;
  ours_.target_max_recv = options.max_recv_data_segment_length;
  ours_.max_burst = options.max_burst_length;
  ours_.first_burst = options.first_burst_length;
  ours_.time_to_wait_s = 0;
  ours_.time_to_retain_s = 0;  // level 0 keeps nothing of a lost connection
  ours_.max_outstanding_r2t = options.max_outstanding_r2t;
}

Negotiation::Verdict Negotiation::receive(const KeyValue& pair, bool in_login,
                                          std::vector<KeyValue>& answers) {
  const std::string& key = pair.first;
  const std::string& value = pair.second;
  const auto answer = [&](std::string_view text) {
    answers.emplace_back(key, text);
    return Verdict::kAnswered;
  };
  if (value.size() > kMaxValueLength) return Verdict::kProtocolError;
  // RFC 7143 6.3: a key that was negotiated may not be negotiated again in the same login.
  if (in_login && !seen_.insert(key).second) return Verdict::kProtocolError;
  const KeyRow* row = find_key(key);
  if (row == nullptr) return answer("NotUnderstood");
  if (row->phase == (in_login ? KeyPhase::kText : KeyPhase::kLogin)) return answer("Reject");
  switch (row->rule) {
    case KeyRule::kMinimum:
    case KeyRule::kMaximum:
    case KeyRule::kMaxRecv:
      return number(*row, value, answers);
    case KeyRule::kOr:
    case KeyRule::kAnd:
      return boolean(*row, value, answers);
    case KeyRule::kDigest:
      return digest(*row, value, answers);
    case KeyRule::kTaskReporting: {
      std::string_view list = value;
      while (!list.empty())
        if (take_item(list) == "RFC3720") return answer("RFC3720");
      return answer("Reject");
    }
    case KeyRule::kObsoleteNo:
      return answer("No");
    case KeyRule::kObsoleteReject:
    case KeyRule::kByTarget:
      return answer("Reject");
    case KeyRule::kByInitiator:
      return Verdict::kSilent;
    case KeyRule::kSecurity:
    case KeyRule::kDiscovery:
      return answer("Reject");
  }
  return Verdict::kProtocolError;
}

Negotiation::Verdict Negotiation::number(const KeyRow& row, const std::string& value,
                                         std::vector<KeyValue>& answers) {
  const auto theirs = parse_number(value);
  const bool valid = theirs && *theirs >= row.minimum && *theirs <= row.maximum;
  if (row.rule == KeyRule::kMaxRecv) {
    // A declaration has no answer to say Reject with: our own value goes out under the same key.
    if (!valid) return Verdict::kProtocolError;
    parameters_.*row.number = *theirs;
    return Verdict::kSilent;
  }
  if (!valid) {
    answers.emplace_back(row.key, "Reject");
    return Verdict::kAnswered;
  }
  const std::uint32_t mine = ours_.*row.number;
  const std::uint32_t result =
      row.rule == KeyRule::kMinimum ? std::min(*theirs, mine) : std::max(*theirs, mine);
  parameters_.*row.number = result;
  answers.emplace_back(row.key, std::to_string(result));
  return Verdict::kAnswered;
}

Negotiation::Verdict Negotiation::boolean(const KeyRow& row, const std::string& value,
                                          std::vector<KeyValue>& answers) {
  if (value != "Yes" && value != "No") {
    answers.emplace_back(row.key, "Reject");
    return Verdict::kAnswered;
  }
  const bool theirs = value == "Yes";
  const bool mine = ours_.*row.flag;
  const bool result = row.rule == KeyRule::kOr ? theirs || mine : theirs && mine;
  parameters_.*row.flag = result;
  answers.emplace_back(row.key, result ? "Yes" : "No");
  return Verdict::kAnswered;
}

Negotiation::Verdict Negotiation::digest(const KeyRow& row, const std::string& value,
                                         std::vector<KeyValue>& answers) {
  std::string_view list = value;
  while (!list.empty()) {
    const std::string_view item = take_item(list);
    const bool crc = item == "CRC32C";
    if (item != "None" && !(crc && ours_.*row.flag)) continue;
    parameters_.*row.flag = crc;
    answers.emplace_back(row.key, item);
    return Verdict::kAnswered;
  }
  answers.emplace_back(row.key, "Reject");
  return Verdict::kAnswered;
}

void Negotiation::end_request(std::vector<KeyValue>& answers) {
  if (parameters_.first_burst <= parameters_.max_burst) return;
  // RFC 7143 13.14, in whatever order the two came and even if only one of them did.
  parameters_.first_burst = parameters_.max_burst;
  for (auto& [key, value] : answers)
    if (key == "FirstBurstLength") value = std::to_string(parameters_.first_burst);
}

void Negotiation::declare(std::vector<KeyValue>& answers) {
  if (std::exchange(declared_, true)) return;
  parameters_.target_max_recv = ours_.target_max_recv;
  answers.emplace_back("MaxRecvDataSegmentLength", std::to_string(ours_.target_max_recv));
}

}  // namespace iscsi
