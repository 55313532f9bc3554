// Text and negotiation: whatever is proposed, the result is within what RFC 7143 13 allows and what
// we offered, and every answer can be sent.
//
// Input: text in which '\n' stands for NUL; FFh begins another request, of the full feature phase
// from the third on.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "transport/iscsi/params.h"
#include "transport/iscsi/portal.h"

namespace {

void check(const iscsi::Parameters& p, const iscsi::PortalOptions& ours) {
  const auto within = [](std::uint32_t value, std::uint32_t low, std::uint32_t high) {
    if (value < low || value > high) std::abort();
  };
  within(p.initiator_max_recv, 512, 0xFFFFFF);
  within(p.target_max_recv, 512, 0xFFFFFF);
  within(p.max_burst, 512, 0xFFFFFF);
  within(p.first_burst, 512, 0xFFFFFF);
  within(p.max_outstanding_r2t, 1, 65535);
  within(p.time_to_wait_s, 0, 3600);
  within(p.time_to_retain_s, 0, 3600);
  if (p.max_connections != 1 || p.error_recovery_level != 0) std::abort();
  if (!p.data_pdu_in_order || !p.data_sequence_in_order) std::abort();
  if (p.max_burst > std::max(ours.max_burst_length, 262144u)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const iscsi::PortalOptions options;
  iscsi::Negotiation negotiation(options);
  const std::uint8_t* const end = data + size;
  for (unsigned request = 0; data < end; ++request) {
    const std::uint8_t* const stop = std::find(data, end, std::uint8_t{0xFF});
    std::string text;
    for (; data < stop; ++data) text.push_back(*data == '\n' ? '\0' : static_cast<char>(*data));
    if (data < end) ++data;
    const auto pairs = iscsi::parse_text(text);
    if (!pairs) return 0;
    const bool in_login = request < 2;
    std::vector<iscsi::KeyValue> answers;
    bool over = false;
    for (const iscsi::KeyValue& pair : *pairs) {
      const std::size_t before = answers.size();
      const auto verdict = negotiation.receive(pair, in_login, answers);
      if (verdict == iscsi::Negotiation::Verdict::kProtocolError) over = true;
      if (over) break;
      if (answers.size() > before + 1) std::abort();  // one answer at most to each key
    }
    if (over) return 0;
    if (in_login) {
      negotiation.declare(answers);
      negotiation.end_request(answers);
      const iscsi::Parameters& p = negotiation.parameters();
      if (p.first_burst > p.max_burst) std::abort();
    }
    check(negotiation.parameters(), options);
    std::string out;
    for (const auto& [key, value] : answers) {
      if (key.size() > iscsi::kMaxKeyLength || value.size() > iscsi::kMaxValueLength) std::abort();
      iscsi::append_text(out, key, value);
    }
    if (!out.empty() && !iscsi::parse_text(out)) std::abort();
  }
  return 0;
}
