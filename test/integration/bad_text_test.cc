// Bad text and discovery in full feature phase: rows of the table in README.md.
#include <catch2/catch.hpp>

#include "neighbour.h"

namespace {

constexpr int kProtocolError = 0x04, kInvalidField = 0x09;

std::string text(const RawPdu& pdu) { return std::string(pdu.data.begin(), pdu.data.end()); }

}  // namespace

TEST_CASE_METHOD(Neighbour, "bad input 6: keys of a text request that are malformed", "[bad]") {
  RawLogin login;
  login.keys = {"MaxRecvDataSegmentLength=512"};
  RawSession bad = session(login);
  for (const ByteString& keys : {ByteString(100, 'A'), ByteString(8192, '='), text_of({"NoValue"}),
                                 text_of({std::string(64, 'K') + "=1"}),
                                 text_of({"InitiatorAlias=" + std::string(256, 'v')})})
    CHECK(bad.rejected(bad.text(), keys) == kProtocolError);
  // What nobody knows comes back by its name, and in pieces that the initiator takes.
  std::vector<std::string> many;
  std::string due;
  for (int i = 10; i < 99; ++i) {
    const std::string key = std::string(61, 'k') + std::to_string(i);
    many.push_back(key + "=" + std::string(200, 'v'));
    due += key + "=NotUnderstood" + '\0';
  }
  bad.send(bad.text(), text_of(many));
  const std::uint32_t tag = bad.last_tag();
  std::string all;
  for (;;) {
    const RawPdu piece = bad.expect(kTextResponse);
    CHECK(piece.data.size() <= 512);
    all += text(piece);
    if (piece.header[1] == 0x80) break;
    bad.send(bad.text().set32(16, tag).set32(20, number_at(piece.header, 20)));
  }
  CHECK(all == due);
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Neighbour, "bad input 17: SCSI in a discovery session", "[bad]") {
  RawSession bad(port(), "");
  CHECK(bad.rejected(bad.command({0x12, 0, 0, 0, 36, 0}, Way::kIn, 36)) == kProtocolError);
  CHECK(bad.rejected(bad.management(5)) == kProtocolError);
  CHECK(bad.rejected(Header(0x05, 0x80).set32(16, 5).set32(20, 0xffffffff), ByteString(16)) ==
        kProtocolError);
  bad.send(bad.text(), text_of({"SendTargets=All"}));
  CHECK(bad.expect(kTextResponse).data.size() > 500);
}

TEST_CASE_METHOD(Neighbour, "bad input 18: SendTargets for what there is not", "[bad]") {
  RawSession discovery(port(), "");
  const auto targets = [](RawSession& bad, const std::string& value) {
    bad.send(bad.text(), text_of({"SendTargets=" + value}));
    return text(bad.expect(kTextResponse));
  };
  const std::string none("SendTargets=Reject\0", 19);
  CHECK(targets(discovery, "iqn.2026-11.local.vtl:nothing").empty());
  CHECK(targets(discovery, "all").empty());
  CHECK(targets(discovery, "%s%n").empty());
  CHECK(targets(discovery, "") == none);
  RawSession normal(port(), drive(1));
  CHECK(targets(normal, "All") == none);
  CHECK(targets(normal, drive(2)) == none);
  CHECK(targets(normal, "").find("TargetName=" + drive(1)) == 0);
}

TEST_CASE_METHOD(Neighbour, "bad input 19: text that continues nothing, or for ever", "[bad]") {
  RawSession bad(port(), "");
  CHECK(bad.rejected(bad.text().set32(20, 0x4242)) == kInvalidField);
  CHECK(bad.rejected(bad.text().set8(1, 0xc0)) == kInvalidField);  // F and C
  const auto for_ever = [&](std::uint8_t flags, const ByteString& piece) {
    std::uint32_t transfer_tag = 0xffffffff;
    const std::uint32_t tag = number_at(bad.text().bytes, 16);
    --bad.cmd_sn;
    for (int rounds = 0;; ++rounds) {
      bad.send(bad.text().set8(1, flags).set32(16, tag).set32(20, transfer_tag), piece);
      const auto answer = bad.next();
      if (!answer) return -1;
      if (answer->opcode() == kReject) return answer->header[2] == kProtocolError ? rounds : -2;
      transfer_tag = number_at(answer->header, 20);
    }
  };
  CHECK(for_ever(0x40, ByteString(8000, 'x')) == 4);  // C: 32 KiB
  CHECK(for_ever(0x40, {}) == 64);
  CHECK(for_ever(0x00, {}) == 64);  // neither F nor C
  CHECK(bad.rejected(bad.text().set32(20, 1)) == kInvalidField);
  bad.send(bad.text(), text_of({"SendTargets=All"}));
  CHECK(bad.expect(kTextResponse).data.size() > 500);
}
