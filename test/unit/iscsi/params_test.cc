#include "transport/iscsi/params.h"

#include <catch2/catch.hpp>
#include <set>

#include "transport/iscsi/portal.h"
#include "transport/iscsi/text.h"

using namespace iscsi;
using Verdict = Negotiation::Verdict;

namespace {

// The answer to one pair in a login of its own: a value, "(silent)" or "(error)".
std::string answer(const std::string& key, const std::string& value, bool in_login = true,
                   const PortalOptions& options = {}, Parameters* result = nullptr) {
  Negotiation negotiation(options);
  std::vector<KeyValue> answers;
  const Verdict verdict = negotiation.receive({key, value}, in_login, answers);
  negotiation.end_request(answers);
  if (result != nullptr) *result = negotiation.parameters();
  if (verdict == Verdict::kProtocolError) return "(error)";
  if (verdict == Verdict::kSilent) {
    CHECK(answers.empty());
    return "(silent)";
  }
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].first == key);
  return answers[0].second;
}

}  // namespace

TEST_CASE("text is cut into pairs", "[iscsi]") {
  using namespace std::string_literals;
  CHECK(parse_text("")->empty());
  const auto pairs = parse_text("A=1\0B=\0C=x=y\0"s);
  REQUIRE(pairs);
  CHECK(*pairs == std::vector<KeyValue>{{"A", "1"}, {"B", ""}, {"C", "x=y"}});
  CHECK(parse_text("A=1\0\0\0B=2\0\0"s)->size() == 2);  // padding
  CHECK(parse_text(std::string(63, 'k') + "=1\0"s));
  CHECK(parse_text("X-com.example.key=1\0"s));
  for (const std::string& bad :
       {"A=1"s, "A=1\0B"s, "A\0"s, "=1\0"s, "A =1\0"s, "A\n=1\0"s, std::string(64, 'k') + "=1\0"s,
        std::string(8192, '='), "A=1\0B\0=2\0"s, "%s%n=1\0"s, "\xC3\xA4=1\0"s}) {
    INFO(printable(bad));
    CHECK(!parse_text(bad));
  }
}

TEST_CASE("numbers are decimal or hex, and nothing else", "[iscsi]") {
  CHECK(parse_number("0") == 0u);
  CHECK(parse_number("262144") == 262144u);
  CHECK(parse_number("0x40000") == 262144u);
  CHECK(parse_number("0XfF") == 255u);
  CHECK(parse_number("4294967295") == 4294967295u);
  CHECK(parse_number("0x0") == 0u);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x", "4294967296", "0xFFFFFFFFF", "010",
                          "00", "1e3", "0b11", "1~2", "x", "99999999999999999999999"}) {
    INFO(bad);
    CHECK(!parse_number(bad));
  }
}

TEST_CASE("iSCSI names", "[iscsi]") {
  CHECK(valid_iscsi_name("iqn.1993-08.org.debian:01:abc"));
  CHECK(valid_iscsi_name("eui.02004567a425678d"));
  CHECK(valid_iscsi_name("naa.52004567ba64678d"));
  CHECK(valid_iscsi_name("iqn." + std::string(219, 'a')));
  for (const std::string& bad :
       {std::string(), std::string("iqn."), std::string("abc.def"), "iqn." + std::string(220, 'a'),
        std::string("iqn.a b"), std::string("iqn.a/../b"), std::string("iqn.%n"),
        std::string("iqn.a\nb")}) {
    INFO(bad);
    CHECK(!valid_iscsi_name(bad));
  }
}

TEST_CASE("what goes to a log line is printable and bounded", "[iscsi]") {
  CHECK(printable("plain text") == "plain text");
  CHECK(printable("a\nb\x1b[2J\x7F\xFF\\") == "a\\x0ab\\x1b[2J\\x7f\\xff\\x5c");
  CHECK(printable(std::string(5000, 'x')).size() < 300);
}

// RFC 7143 13, key by key; ours are the defaults of PortalOptions.
TEST_CASE("each key is answered by its result function", "[iscsi]") {
  const struct {
    const char *key, *value, *expected;
  } rows[] = {
      {"HeaderDigest", "None", "None"},
      {"HeaderDigest", "CRC32C", "CRC32C"},
      {"HeaderDigest", "CRC32C,None", "CRC32C"},
      {"HeaderDigest", "None,CRC32C", "None"},
      {"HeaderDigest", "MD5,CRC32C", "CRC32C"},
      {"HeaderDigest", "MD5", "Reject"},
      {"HeaderDigest", "", "Reject"},
      {"HeaderDigest", "crc32c", "Reject"},
      {"DataDigest", "CRC32C,None", "CRC32C"},
      {"DataDigest", "None", "None"},
      {"MaxConnections", "1", "1"},
      {"MaxConnections", "65535", "1"},
      {"MaxConnections", "0", "Reject"},
      {"MaxConnections", "65536", "Reject"},
      {"InitialR2T", "Yes", "Yes"},
      {"InitialR2T", "No", "No"},
      {"InitialR2T", "no", "Reject"},
      {"InitialR2T", "Maybe", "Reject"},
      {"ImmediateData", "Yes", "Yes"},
      {"ImmediateData", "No", "No"},
      {"ImmediateData", "", "Reject"},
      {"MaxRecvDataSegmentLength", "512", "(silent)"},
      {"MaxRecvDataSegmentLength", "16777215", "(silent)"},
      {"MaxRecvDataSegmentLength", "0", "(error)"},
      {"MaxRecvDataSegmentLength", "511", "(error)"},
      {"MaxRecvDataSegmentLength", "16777216", "(error)"},
      {"MaxRecvDataSegmentLength", "-1", "(error)"},
      {"MaxBurstLength", "512", "512"},
      {"MaxBurstLength", "262144", "262144"},
      {"MaxBurstLength", "16776192", "1048576"},
      {"MaxBurstLength", "511", "Reject"},
      {"MaxBurstLength", "16777216", "Reject"},
      {"FirstBurstLength", "65536", "65536"},
      {"FirstBurstLength", "262144", "262144"},
      {"FirstBurstLength", "16777215", "262144"},
      {"FirstBurstLength", "0x10000", "65536"},
      {"FirstBurstLength", "0xFFFFFFFFF", "Reject"},
      {"FirstBurstLength", "0777", "Reject"},
      {"FirstBurstLength", "", "Reject"},
      {"DefaultTime2Wait", "0", "0"},
      {"DefaultTime2Wait", "2", "2"},
      {"DefaultTime2Wait", "3600", "3600"},
      {"DefaultTime2Wait", "3601", "Reject"},
      {"DefaultTime2Retain", "60", "0"},
      {"DefaultTime2Retain", "0", "0"},
      {"DefaultTime2Retain", "3601", "Reject"},
      {"MaxOutstandingR2T", "16", "1"},
      {"MaxOutstandingR2T", "1", "1"},
      {"MaxOutstandingR2T", "0", "Reject"},
      {"DataPDUInOrder", "No", "Yes"},
      {"DataPDUInOrder", "Yes", "Yes"},
      {"DataSequenceInOrder", "No", "Yes"},
      {"ErrorRecoveryLevel", "0", "0"},
      {"ErrorRecoveryLevel", "2", "0"},
      {"ErrorRecoveryLevel", "3", "Reject"},
      {"InitiatorName", "iqn.a", "(silent)"},
      {"InitiatorAlias", "x", "(silent)"},
      {"TargetName", "iqn.a", "(silent)"},
      {"SessionType", "Normal", "(silent)"},
      {"TargetAlias", "x", "Reject"},
      {"TargetAddress", "1.2.3.4:3260,1", "Reject"},
      {"TargetPortalGroupTag", "1", "Reject"},
      {"SendTargets", "All", "Reject"},  // in a login
      {"IFMarker", "No", "No"},
      {"OFMarker", "Yes", "No"},
      {"IFMarkInt", "2048~8192", "Reject"},
      {"OFMarkInt", "1", "Reject"},
      {"TaskReporting", "RFC3720", "RFC3720"},
      {"TaskReporting", "FastAbort,ResponseFence,RFC3720", "RFC3720"},
      {"TaskReporting", "FastAbort", "Reject"},
      {"iSCSIProtocolLevel", "2", "1"},
      {"iSCSIProtocolLevel", "1", "1"},
      {"iSCSIProtocolLevel", "0", "0"},
      {"iSCSIProtocolLevel", "32", "Reject"},
      {"X-com.example.thing", "1", "NotUnderstood"},
      {"Unheard", "", "NotUnderstood"},
      {"initialR2T", "No", "NotUnderstood"},  // keys are case-sensitive
  };
  std::set<std::string> tried;
  for (const auto& row : rows) {
    INFO(row.key << "=" << row.value);
    CHECK(answer(row.key, row.value) == row.expected);
    tried.insert(row.key);
  }
  for (const KeyRow& row : key_rows()) {
    INFO(row.key);
    CHECK((row.rule == KeyRule::kSecurity || tried.contains(std::string(row.key))));
  }
}

TEST_CASE("our side of the negotiation is the portal's options", "[iscsi]") {
  PortalOptions options;
  options.header_digest = false;
  options.max_burst_length = 65536;
  options.first_burst_length = 8192;
  options.max_outstanding_r2t = 4;
  CHECK(answer("HeaderDigest", "CRC32C,None", true, options) == "None");
  CHECK(answer("HeaderDigest", "CRC32C", true, options) == "Reject");
  CHECK(answer("DataDigest", "CRC32C", true, options) == "CRC32C");
  CHECK(answer("MaxBurstLength", "262144", true, options) == "65536");
  CHECK(answer("FirstBurstLength", "65536", true, options) == "8192");
  CHECK(answer("MaxOutstandingR2T", "16", true, options) == "4");
}

TEST_CASE("what was negotiated holds, what was rejected leaves the default", "[iscsi]") {
  Parameters p;
  answer("MaxBurstLength", "131072", true, {}, &p);
  CHECK(p.max_burst == 131072);
  CHECK(p.first_burst == 65536);
  answer("MaxBurstLength", "511", true, {}, &p);
  CHECK(p.max_burst == 262144);
  answer("MaxRecvDataSegmentLength", "65536", true, {}, &p);
  CHECK(p.initiator_max_recv == 65536);
  CHECK(p.target_max_recv == 8192);  // not declared yet
  answer("InitialR2T", "No", true, {}, &p);
  CHECK(!p.initial_r2t);
  CHECK(p.immediate_data);
  answer("DataDigest", "CRC32C", true, {}, &p);
  CHECK(p.data_digest);
  CHECK(!p.header_digest);
}

TEST_CASE("no first burst is longer than a burst, in either order", "[iscsi]") {
  for (const bool burst_first : {false, true}) {
    Negotiation negotiation{PortalOptions()};
    std::vector<KeyValue> answers;
    std::vector<KeyValue> pairs = {{"FirstBurstLength", "16777215"}, {"MaxBurstLength", "512"}};
    if (burst_first) std::swap(pairs[0], pairs[1]);
    for (const KeyValue& pair : pairs) negotiation.receive(pair, true, answers);
    negotiation.end_request(answers);
    for (const auto& [key, value] : answers) CHECK(value == "512");
    CHECK(negotiation.parameters().first_burst == 512);
    CHECK(negotiation.parameters().max_burst == 512);
  }
}

TEST_CASE("a key comes once in a login", "[iscsi]") {
  Negotiation negotiation{PortalOptions()};
  std::vector<KeyValue> answers;
  CHECK(negotiation.receive({"InitialR2T", "No"}, true, answers) == Verdict::kAnswered);
  CHECK(negotiation.receive({"InitialR2T", "No"}, true, answers) == Verdict::kProtocolError);
  CHECK(negotiation.receive({"X-a", "1"}, true, answers) == Verdict::kAnswered);
  CHECK(negotiation.receive({"X-a", "2"}, true, answers) == Verdict::kProtocolError);
}

TEST_CASE("values of more than 255 bytes are malformed", "[iscsi]") {
  CHECK(answer("X-long", std::string(255, 'v')) == "NotUnderstood");
  CHECK(answer("X-long", std::string(256, 'v')) == "(error)");
}

TEST_CASE("in full feature phase only MaxRecvDataSegmentLength is negotiable", "[iscsi]") {
  Parameters p;
  CHECK(answer("MaxRecvDataSegmentLength", "4096", false, {}, &p) == "(silent)");
  CHECK(p.initiator_max_recv == 4096);
  for (const KeyRow& row : key_rows()) {
    if (row.phase != KeyPhase::kLogin) continue;
    INFO(row.key);
    CHECK(answer(std::string(row.key), "1", false) == "Reject");
  }
  CHECK(answer("X-other", "1", false) == "NotUnderstood");
}

TEST_CASE("our own MaxRecvDataSegmentLength is declared once", "[iscsi]") {
  Negotiation negotiation{PortalOptions()};
  std::vector<KeyValue> answers;
  negotiation.declare(answers);
  negotiation.declare(answers);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0] == KeyValue{"MaxRecvDataSegmentLength", "262144"});
  CHECK(negotiation.parameters().target_max_recv == 262144);
}
