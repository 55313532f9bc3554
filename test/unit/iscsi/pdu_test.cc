#include "transport/iscsi/pdu.h"

#include <catch2/catch.hpp>

#include "scripted_initiator.h"
#include "transport/iscsi/serial.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

std::string hex(const Header& header) {
  std::string out;
  for (std::size_t i = 0; i < header.size(); ++i) {
    static constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[std::to_integer<unsigned>(header[i] >> 4)];
    out += kDigits[std::to_integer<unsigned>(header[i] & std::byte{15})];
    if (i % 4 == 3 && i != 47) out += ' ';
  }
  return out;
}

// Encoding what was decoded gives the same bytes: decoder and encoder agree, and nothing defined is
// lost.
template <class P>
void check(const P& pdu, const std::string& expected) {
  INFO(expected);
  const Header header = pdu.encode();
  CHECK(hex(header) == expected);
  CHECK(P::decode(header).encode() == header);
}

constexpr Numbers kNumbers{0xA1A2A3A4, 0xB1B2B3B4, 0xC1C2C3C4};

}  // namespace

// Written out by hand from the figures of RFC 7143 chapter 11.
TEST_CASE("each PDU has its bytes where the RFC has them", "[iscsi]") {
  NopOut nop_out;
  nop_out.immediate = true;
  nop_out.lun = 0x0001000000000000;
  nop_out.task_tag = 0x11121314;
  nop_out.transfer_tag = 0x21222324;
  nop_out.cmd_sn = 0x31323334;
  nop_out.exp_stat_sn = 0x41424344;
  check(nop_out,
        "40800000 00000000 00010000 00000000 11121314 21222324 31323334 41424344 00000000 00000000 "
        "00000000 00000000");

  ScsiCommand command;
  command.final = command.read = command.write = true;
  command.attribute = 4;
  command.lun = 0x4001000000000000;
  command.task_tag = 1;
  command.expected_length = 0x00040000;
  command.cmd_sn = 2;
  command.exp_stat_sn = 3;
  for (unsigned i = 0; i < 16; ++i) command.cdb[i] = std::byte(0xE0 + i);
  check(command,
        "01e40000 00000000 40010000 00000000 00000001 00040000 00000002 00000003 e0e1e2e3 e4e5e6e7 "
        "e8e9eaeb ecedeeef");

  TaskManagementRequest manage;
  manage.immediate = true;
  manage.function = 1;
  manage.lun = 0x0002000000000000;
  manage.task_tag = 1;
  manage.referenced_tag = 2;
  manage.cmd_sn = 3;
  manage.exp_stat_sn = 4;
  manage.ref_cmd_sn = 5;
  manage.exp_data_sn = 6;
  check(manage,
        "42810000 00000000 00020000 00000000 00000001 00000002 00000003 00000004 00000005 00000006 "
        "00000000 00000000");

  LoginRequest login;
  login.transit = true;
  login.current = Stage::kOperational;
  login.next = Stage::kFullFeature;
  login.version_max = 1;
  login.version_min = 2;
  login.isid = {std::byte{0}, std::byte{2}, std::byte{0x3D},
                std::byte{4}, std::byte{5}, std::byte{6}};
  login.tsih = 0x0708;
  login.task_tag = 0x090A0B0C;
  login.connection_id = 0x0D0E;
  login.cmd_sn = 1;
  login.exp_stat_sn = 2;
  check(login,
        "43870102 00000000 00023d04 05060708 090a0b0c 0d0e0000 00000001 00000002 00000000 00000000 "
        "00000000 00000000");

  TextRequest text;
  text.final = true;
  text.task_tag = 1;
  text.transfer_tag = 2;
  text.cmd_sn = 3;
  text.exp_stat_sn = 4;
  check(text,
        "04800000 00000000 00000000 00000000 00000001 00000002 00000003 00000004 00000000 00000000 "
        "00000000 00000000");

  DataOut data_out;
  data_out.final = true;
  data_out.lun = 0x0003000000000000;
  data_out.task_tag = 1;
  data_out.transfer_tag = 2;
  data_out.exp_stat_sn = 3;
  data_out.data_sn = 4;
  data_out.offset = 5;
  check(data_out,
        "05800000 00000000 00030000 00000000 00000001 00000002 00000000 00000003 00000000 00000004 "
        "00000005 00000000");

  LogoutRequest logout;
  logout.reason = 1;
  logout.task_tag = 1;
  logout.connection_id = 0x0203;
  logout.cmd_sn = 4;
  logout.exp_stat_sn = 5;
  check(logout,
        "06810000 00000000 00000000 00000000 00000001 02030000 00000004 00000005 00000000 00000000 "
        "00000000 00000000");

  NopIn nop_in;
  nop_in.lun = 0x0001000000000000;
  nop_in.transfer_tag = 7;
  nop_in.numbers = kNumbers;
  check(nop_in,
        "20800000 00000000 00010000 00000000 ffffffff 00000007 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000000 "
        "00000000 00000000");

  ScsiResponse response;
  response.overflow = true;
  response.response = 1;
  response.status = 2;
  response.task_tag = 3;
  response.numbers = kNumbers;
  response.exp_data_sn = 4;
  response.residual = 5;
  check(response,
        "21840102 00000000 00000000 00000000 00000003 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000004 "
        "00000000 00000005");

  TaskManagementResponse managed;
  managed.response = TaskManagementCode::kNotSupported;
  managed.task_tag = 1;
  managed.numbers = kNumbers;
  check(managed,
        "22800500 00000000 00000000 00000000 00000001 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000000 "
        "00000000 00000000");

  LoginResponse logged_in;
  logged_in.more = true;
  logged_in.current = Stage::kOperational;
  logged_in.isid = login.isid;
  logged_in.tsih = 0x0708;
  logged_in.task_tag = 9;
  logged_in.numbers = kNumbers;
  logged_in.status = 0x0203;
  check(logged_in,
        "23440000 00000000 00023d04 05060708 00000009 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 02030000 "
        "00000000 00000000");

  TextResponse texted;
  texted.more = true;
  texted.task_tag = 1;
  texted.transfer_tag = 2;
  texted.numbers = kNumbers;
  check(texted,
        "24400000 00000000 00000000 00000000 00000001 00000002 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000000 "
        "00000000 00000000");

  DataIn data_in;
  data_in.final = data_in.has_status = data_in.underflow = true;
  data_in.task_tag = 1;
  data_in.numbers = kNumbers;
  data_in.data_sn = 2;
  data_in.offset = 3;
  data_in.residual = 4;
  check(data_in,
        "25830000 00000000 00000000 00000000 00000001 ffffffff a1a2a3a4 b1b2b3b4 c1c2c3c4 00000002 "
        "00000003 00000004");

  LogoutResponse logged_out;
  logged_out.response = 1;
  logged_out.task_tag = 2;
  logged_out.numbers = kNumbers;
  logged_out.time_to_wait = 3;
  logged_out.time_to_retain = 4;
  check(logged_out,
        "26800100 00000000 00000000 00000000 00000002 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000000 "
        "00030004 00000000");

  R2t r2t;
  r2t.lun = 0x0001000000000000;
  r2t.task_tag = 1;
  r2t.transfer_tag = 2;
  r2t.numbers = kNumbers;
  r2t.r2t_sn = 3;
  r2t.offset = 4;
  r2t.length = 5;
  check(r2t,
        "31800000 00000000 00010000 00000000 00000001 00000002 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000003 "
        "00000004 00000005");

  AsyncMessage async;
  async.numbers = kNumbers;
  async.event = AsyncEvent::kLogoutRequest;
  async.parameter3 = 10;
  check(async,
        "32800000 00000000 00000000 00000000 ffffffff 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 01000000 "
        "0000000a 00000000");

  Reject reject;
  reject.reason = RejectReason::kInvalidField;
  reject.numbers = kNumbers;
  check(reject,
        "3f800900 00000000 00000000 00000000 ffffffff 00000000 a1a2a3a4 b1b2b3b4 c1c2c3c4 00000000 "
        "00000000 00000000");
}

TEST_CASE("lengths in the header", "[iscsi]") {
  Header header{};
  header[4] = std::byte{0xFF};
  set_data_length(header, 0x123456);
  CHECK(hex(header).substr(0, 17) == "00000000 ff123456");
  CHECK(ahs_length_of(header) == 1020);
  CHECK(data_length_of(header) == 0x123456);
  CHECK(padding_of(0) == 0);
  CHECK(padding_of(1) == 3);
  CHECK(padding_of(4) == 0);
  CHECK(padding_of(6) == 2);
}

TEST_CASE("serial numbers wrap", "[iscsi]") {
  CHECK(serial_less(0, 1));
  CHECK(!serial_less(1, 0));
  CHECK(!serial_less(5, 5));
  CHECK(serial_less(0xFFFFFFFF, 0));
  CHECK(serial_less(0xFFFFFFF0, 0x10));
  CHECK(!serial_less(0x10, 0xFFFFFFF0));
}

TEST_CASE("the command window wraps, opens and never goes back", "[iscsi]") {
  CommandWindow window(0xFFFFFFFE);
  CHECK(window.closed());
  CHECK(!window.contains(0xFFFFFFFE));
  window.open(4);
  CHECK(window.max() == 1);
  for (const std::uint32_t inside : {0xFFFFFFFEu, 0xFFFFFFFFu, 0u, 1u})
    CHECK(window.contains(inside));
  for (const std::uint32_t outside : {0xFFFFFFFDu, 2u, 0x7FFFFFFFu, 0x80000000u})
    CHECK(!window.contains(outside));
  window.open(1);  // less room than was promised: the promise stands
  CHECK(window.max() == 1);
  window.advance();
  window.advance();
  CHECK(window.expected() == 0);
  window.open(2);
  CHECK(window.max() == 1);
  window.open(3);
  CHECK(window.max() == 2);
}
