// Text requests and discovery.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

TEST_CASE("SendTargets in discovery", "[iscsi]") {
  World world;
  const std::string changer =
      text_of({{"TargetName", kChanger}, {"TargetAddress", "192.0.2.1:3260,1"}});
  const std::string drive =
      text_of({{"TargetName", kDrive}, {"TargetAddress", "192.0.2.1:3260,1"}});
  auto i = discover(world);
  CHECK(i->text(text_of({{"SendTargets", "All"}})) == changer + drive);
  CHECK(i->text(text_of({{"SendTargets", kDrive}})) == drive);
  CHECK(i->text(text_of({{"SendTargets", "IQN.2026-11.local.vtl:DRIVE"}})) == drive);
  CHECK(i->text(text_of({{"SendTargets", "iqn.2026-11.local.vtl:none"}})).empty());
  CHECK(i->text(text_of({{"SendTargets", ""}})) == text_of({{"SendTargets", "Reject"}}));
  CHECK(i->text("").empty());
  CHECK(i->text(text_of({{"Other", "1"}})) == text_of({{"Other", "NotUnderstood"}}));
  CHECK(i->text(text_of({{"HeaderDigest", "CRC32C"}})) == text_of({{"HeaderDigest", "Reject"}}));
  auto v6 = discover(world, discovery(), "[2001:db8::1]:3260");
  CHECK(v6->text(text_of({{"SendTargets", kDrive}})) ==
        text_of({{"TargetName", kDrive}, {"TargetAddress", "[2001:db8::1]:3260,1"}}));
}

// RFC 7143 appendix C: one TargetAddress after the other, all of one portal group.
TEST_CASE("several addresses: the one that was asked at, then the others", "[iscsi]") {
  World world({}, {}, {256u << 20, 64u << 20}, GENERATE(false, true));
  const std::string drive = text_of({{"TargetName", kDrive},
                                     {"TargetAddress", "192.0.2.1:3260,1"},
                                     {"TargetAddress", "[2001:db8::1]:3261,1"},
                                     {"TargetAddress", "198.51.100.1:3260,1"}});
  for (const bool normal : {false, true}) {
    auto i = world.connect("192.0.2.7:40000", "192.0.2.1:3260",
                           {"[2001:db8::1]:3261", "198.51.100.1:3260"});
    CHECK(status_of(i->login(normal ? LoginOptions() : discovery())) == 0);
    CHECK(i->text(text_of({{"SendTargets", kDrive}})) == drive);
  }
}

TEST_CASE("whom no target is for gets an empty list", "[iscsi]") {
  auth::AccessPolicy policy;
  policy.any_target.initiators = {"iqn.1993-08.org.debian:01:other"};
  World world({}, policy);
  auto i = discover(world);
  CHECK(i->text(text_of({{"SendTargets", "All"}})).empty());
  CHECK(i->text(text_of({{"SendTargets", kDrive}})).empty());
}

TEST_CASE("SendTargets in a normal session tells of its own target only", "[iscsi]") {
  World world;
  auto i = world.session();
  const std::string drive =
      text_of({{"TargetName", kDrive}, {"TargetAddress", "192.0.2.1:3260,1"}});
  CHECK(i->text(text_of({{"SendTargets", ""}})) == drive);
  CHECK(i->text(text_of({{"SendTargets", kDrive}})) == drive);
  CHECK(i->text(text_of({{"SendTargets", "All"}})) == text_of({{"SendTargets", "Reject"}}));
  CHECK(i->text(text_of({{"SendTargets", kChanger}})) == text_of({{"SendTargets", "Reject"}}));
}

TEST_CASE("a long list comes in pieces of what the initiator takes", "[iscsi]") {
  World world;
  scsi::Target more;
  for (int n = 0; n < 40; ++n)
    world.portal->add_target("iqn.2026-11.local.vtl:more-" + std::to_string(n), "", more);
  LoginOptions options = discovery();
  options.keys = {{"MaxRecvDataSegmentLength", "512"}};
  auto i = discover(world, options);
  const std::string list = i->text(text_of({{"SendTargets", "All"}}));
  const auto pairs = parse_text(list);
  REQUIRE(pairs);
  CHECK(pairs->size() == 84);
  CHECK(i->cmd_sn > 6);  // it took that many requests
  // Given up half-way for another question.
  TextRequest pdu;
  pdu.final = true;
  pdu.task_tag = i->next_task_tag++;
  pdu.cmd_sn = i->cmd_sn++;
  i->send(pdu.encode(), scsi::as_bytes(text_of({{"SendTargets", "All"}})));
  CHECK(i->expect(Opcode::kTextResponse).as<TextResponse>().more);
  CHECK(i->text(text_of({{"SendTargets", kDrive}})).find("more-1") == std::string::npos);
}

TEST_CASE("a text request in pieces", "[iscsi]") {
  World world;
  auto i = discover(world);
  TextRequest pdu;
  pdu.more = true;
  pdu.task_tag = i->next_task_tag++;
  pdu.cmd_sn = i->cmd_sn++;
  i->send(pdu.encode(), scsi::as_bytes(std::string("SendTar")));
  const Received first = i->expect(Opcode::kTextResponse);
  CHECK(first.data.empty());
  CHECK(!first.as<TextResponse>().final);
  CHECK(first.as<TextResponse>().transfer_tag != kReservedTag);
  pdu.transfer_tag = first.as<TextResponse>().transfer_tag;
  pdu.more = false;
  pdu.final = true;
  pdu.cmd_sn = i->cmd_sn++;
  i->send(pdu.encode(), scsi::as_bytes(std::string("gets=All\0", 9)));
  const Received second = i->expect(Opcode::kTextResponse);
  CHECK(second.text().find(kDrive) != std::string::npos);
  CHECK(second.as<TextResponse>().final);
}

TEST_CASE("text that is wrong", "[iscsi]") {
  World world;
  auto i = discover(world);
  const auto request = [&](std::uint32_t transfer_tag, bool final, bool more) {
    TextRequest pdu;
    pdu.final = final;
    pdu.more = more;
    pdu.task_tag = 0x55;
    pdu.transfer_tag = transfer_tag;
    pdu.cmd_sn = i->cmd_sn++;
    return pdu.encode();
  };
  CHECK(rejected(*i, request(0x1234, true, false)) == RejectReason::kInvalidField);
  CHECK(rejected(*i, request(kReservedTag, true, true)) == RejectReason::kInvalidField);
  for (const std::string& bad :
       {std::string("no equals\0", 10), std::string("A=b"), std::string(8192, '='),
        std::string(64, 'k') + std::string("=1\0", 3),
        text_of({{"MaxRecvDataSegmentLength", "511"}}), text_of({{"X", std::string(256, 'v')}})}) {
    const auto bytes = scsi::as_bytes(bad);
    CHECK(rejected(*i, request(kReservedTag, true, false), Data(bytes.begin(), bytes.end())) ==
          RejectReason::kProtocolError);
  }
  // C=1 and F=0 for ever.
  bool ended = false;
  std::uint32_t tag = kReservedTag;
  for (int n = 0; n < 200 && !ended; ++n) {
    i->send(request(tag, false, n % 2 == 0));
    const auto answer = i->receive();
    REQUIRE(answer);
    ended = answer->opcode() == Opcode::kReject;
    if (!ended) tag = answer->as<TextResponse>().transfer_tag;
  }
  CHECK(ended);
  CHECK(i->text(text_of({{"SendTargets", kDrive}})).find(kDrive) != std::string::npos);
}

TEST_CASE("a text exchange that was rejected does not go on", "[iscsi]") {
  World world;
  auto i = discover(world);
  TextRequest pdu;
  pdu.more = true;
  pdu.task_tag = i->next_task_tag++;
  pdu.cmd_sn = i->cmd_sn++;
  i->send(pdu.encode(), scsi::as_bytes(std::string("SendTar")));
  pdu.transfer_tag = i->expect(Opcode::kTextResponse).as<TextResponse>().transfer_tag;
  pdu.more = false;
  pdu.final = true;
  pdu.cmd_sn = i->cmd_sn++;
  const auto bad = scsi::as_bytes(std::string_view("gets"));  // no '=', no NUL
  CHECK(rejected(*i, pdu.encode(), Data(bad.begin(), bad.end())) == RejectReason::kProtocolError);
  pdu.cmd_sn = i->cmd_sn++;
  CHECK(rejected(*i, pdu.encode()) == RejectReason::kInvalidField);
}

TEST_CASE("text that asks for much is answered within bounds", "[iscsi]") {
  World world;
  LoginOptions options = discovery();
  options.keys = {{"MaxRecvDataSegmentLength", "16777215"}};
  auto i = discover(world, options);
  const auto request = [&] {
    TextRequest pdu;
    pdu.immediate = true;
    pdu.final = true;
    pdu.task_tag = i->next_task_tag++;
    pdu.cmd_sn = i->cmd_sn;
    return pdu.encode();
  };
  SECTION("the same list again and again in one request") {
    std::string text;
    while (text.size() < 8000) append_text(text, "SendTargets", "All");
    const auto bytes = scsi::as_bytes(text);
    CHECK(rejected(*i, request(), Data(bytes.begin(), bytes.end())) ==
          RejectReason::kProtocolError);
  }
  SECTION("by one who does not read") {
    std::string text;
    while (text.size() < 3000) append_text(text, "SendTargets", "All");
    i->reading = false;
    std::size_t most = 0;
    for (int n = 0; n < 2000 && !i->closed(); ++n) {
      i->send(request(), scsi::as_bytes(text));
      std::size_t queued = 0;
      for (const iovec& span : i->connection().send_spans()) queued += span.iov_len;
      most = std::max(most, queued);
    }
    CHECK(most < 256u << 10);
    CHECK(i->closed());
  }
}

TEST_CASE("MaxRecvDataSegmentLength may be declared anew", "[iscsi]") {
  World world;
  auto i = world.session();
  CHECK(i->text(text_of({{"MaxRecvDataSegmentLength", "512"}})).empty());
  i->send(nop(*i).encode(), pattern(2000));
  CHECK(i->expect(Opcode::kNopIn).data.size() == 512);
}

TEST_CASE("a discovery session takes no SCSI", "[iscsi]") {
  World world;
  auto i = discover(world);
  CHECK(rejected(*i, i->command({0x00}).encode()) == RejectReason::kProtocolError);
  CHECK(rejected(*i, manage(*i, 5).encode()) == RejectReason::kProtocolError);
  DataOut out;
  out.task_tag = 1;
  CHECK(rejected(*i, out.encode(), pattern(10)) == RejectReason::kProtocolError);
  i->send(nop(*i).encode());
  i->expect(Opcode::kNopIn);
  LogoutRequest logout;
  logout.cmd_sn = i->cmd_sn++;
  i->send(logout.encode());
  CHECK(i->expect(Opcode::kLogoutResponse).as<LogoutResponse>().response == 0);
  auto idle = discover(world);
  idle->pass(31s);
  idle->expect_silence();
  CHECK(idle->closed());
}
