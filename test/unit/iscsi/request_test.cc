// Numbering, NOP, task management, logout, text and discovery, and what is rejected.
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

TaskManagementRequest manage(ScriptedInitiator& i, std::uint8_t function,
                             std::uint32_t referenced = kReservedTag) {
  TaskManagementRequest pdu;
  pdu.immediate = true;
  pdu.function = function;
  pdu.task_tag = i.next_task_tag++;
  pdu.referenced_tag = referenced;
  pdu.cmd_sn = i.cmd_sn;
  pdu.ref_cmd_sn = i.cmd_sn - 1;
  return pdu;
}

int managed(ScriptedInitiator& i, const TaskManagementRequest& pdu) {
  i.send(pdu.encode());
  const Received response = i.expect(Opcode::kTaskManagementResponse);
  CHECK(response.data.empty());
  CHECK(response.as<TaskManagementResponse>().task_tag == pdu.task_tag);
  return static_cast<int>(response.as<TaskManagementResponse>().response);
}

RejectReason rejected(ScriptedInitiator& i, const Header& header, const Data& data = {},
                      const Data& ahs = {}) {
  i.send(header, data, ahs);
  const Received pdu = i.expect(Opcode::kReject);
  CHECK(task_tag_of(pdu.header) == kReservedTag);
  REQUIRE(pdu.data.size() == 48 + ahs.size());
  Header sent = header;
  if (!ahs.empty()) sent[4] = static_cast<std::byte>(ahs.size() / 4);
  if (!data.empty()) set_data_length(sent, static_cast<std::uint32_t>(data.size()));
  CHECK(std::equal(sent.begin(), sent.end(), pdu.data.begin()));
  return pdu.as<Reject>().reason;
}

NopOut nop(ScriptedInitiator& i, bool immediate = true) {
  NopOut pdu;
  pdu.immediate = immediate;
  pdu.task_tag = i.next_task_tag++;
  pdu.cmd_sn = immediate ? i.cmd_sn : i.cmd_sn++;
  return pdu;
}

LoginOptions discovery() {
  LoginOptions options;
  options.discovery = true;
  options.keys = {{"MaxRecvDataSegmentLength", "32768"}};
  return options;
}

std::unique_ptr<ScriptedInitiator> discover(World& world, LoginOptions options = discovery(),
                                            const std::string& local = "192.0.2.1:3260") {
  auto i = world.connect("192.0.2.7:40000", local);
  REQUIRE(status_of(i->login(options)) == 0);
  return i;
}

std::string text_of(const std::vector<KeyValue>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs) append_text(text, key, value);
  return text;
}

}  // namespace

// --- numbers
// --------------------------------------------------------------------------------------------------

TEST_CASE("CmdSN wraps", "[iscsi]") {
  World world;
  LoginOptions options;
  options.cmd_sn = 0xFFFFFFFD;
  auto i = world.session(options);
  for (int n = 0; n < 10; ++n) CHECK(i->run(i->command({0x00})) == 0);
  CHECK(i->exp_cmd_sn == i->cmd_sn);
  CHECK(i->cmd_sn == 8);
}

TEST_CASE("commands outside of the window are passed over in silence", "[iscsi]") {
  World world;
  auto i = world.session();
  const std::uint32_t due = i->cmd_sn;
  for (const std::uint32_t number : {due - 1, due - 2, due + 32, due + 1000, due + 0x80000000u}) {
    ScsiCommand command = i->command({0x00});
    command.cmd_sn = number;
    i->send(command.encode());
    ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
    write.write = true;
    write.cmd_sn = number;
    i->send(write.encode(), pattern(256));
    NopOut ping = nop(*i, false);
    ping.cmd_sn = number;
    i->send(ping.encode(), pattern(5));
    i->expect_silence();
  }
  i->cmd_sn = due;
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("a gap in the numbers is waited for; duplicates are not", "[iscsi]") {
  World world;
  auto i = world.session();
  ScsiCommand first = i->command({0x00});
  ScsiCommand second = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  second.write = true;
  const NopOut third = nop(*i, false);
  i->send(third.encode());
  i->send(second.encode(), pattern(256, 1));
  ScsiCommand again = second;
  again.task_tag = i->next_task_tag++;
  i->send(again.encode(), pattern(256, 2));  // the same number: not taken
  i->expect_silence();
  CHECK(i->exp_cmd_sn == first.cmd_sn);
  i->send(first.encode());
  CHECK(i->finish(first.task_tag) == 0);
  CHECK(i->finish(second.task_tag) == 0);
  CHECK(i->expect(Opcode::kNopIn).as<NopIn>().task_tag == third.task_tag);
  i->expect_silence();
  CHECK(i->exp_cmd_sn == i->cmd_sn);
  REQUIRE(world.unit.records.size() == 1);
  CHECK(world.unit.records[0] == pattern(256, 1));
}

TEST_CASE("unsolicited data of a command that waits for its turn", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand first = i->command({0x00});
  ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  write.write = true;
  write.final = false;
  i->send(write.encode(), pattern(100));
  DataOut out;
  out.task_tag = write.task_tag;
  out.offset = 100;
  out.final = true;
  const Data record = pattern(256);
  i->send(out.encode(), Data(record.begin() + 100, record.end()));
  i->expect_silence();
  i->send(first.encode());
  CHECK(i->finish(first.task_tag) == 0);
  CHECK(i->finish(write.task_tag) == 0);
  CHECK(world.unit.records.at(0).size() == 256);
}

TEST_CASE("an immediate command does not use a number up", "[iscsi]") {
  World world;
  auto i = world.session();
  const std::uint32_t expected = i->exp_cmd_sn;
  ScsiCommand command = i->command({0x00});
  command.immediate = true;
  --i->cmd_sn;
  CHECK(i->run(command) == 0);
  CHECK(i->exp_cmd_sn == expected);
  ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  write.immediate = write.write = true;
  --i->cmd_sn;
  CHECK(i->run(write, pattern(256)) == 0);
}

TEST_CASE("a flood of immediate commands is rejected past a limit", "[iscsi]") {
  World world;
  auto i = world.session();
  std::size_t taken = 0, refused = 0;
  for (int n = 0; n < 100; ++n) {
    ScsiCommand command = i->command({0x01});
    command.immediate = true;
    --i->cmd_sn;
    i->send(command.encode());
    if (const auto answer = i->receive()) {
      CHECK(answer->as<Reject>().reason == RejectReason::kTooManyImmediate);
      ++refused;
    } else {
      ++taken;
    }
  }
  CHECK(taken >= 1);
  CHECK(taken <= 8);
  CHECK(taken + refused == 100);
  for (std::size_t n = 0; n < taken; ++n) world.unit.release();
}

TEST_CASE("the window has a slot for each command", "[iscsi]") {
  PortalOptions options;
  options.command_window = 4;
  World world(options);
  auto i = world.session();
  std::vector<std::uint32_t> tags;
  for (int n = 0; n < 10; ++n) {
    const ScsiCommand command = i->command({0x01});
    tags.push_back(command.task_tag);
    i->send(command.encode());
  }
  i->expect_silence();
  world.unit.release();
  CHECK(i->finish(tags[0]) == 0);
  CHECK(i->exp_cmd_sn == i->cmd_sn - 6);  // six were never there
  CHECK(i->max_cmd_sn == i->exp_cmd_sn);  // one may come
  for (int n = 1; n < 4; ++n) {
    world.unit.release();
    CHECK(i->finish(tags[static_cast<std::size_t>(n)]) == 0);
  }
  CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 4);
}

// --- rejects
// --------------------------------------------------------------------------------------------------

TEST_CASE("what is not understood is rejected, and the session goes on", "[iscsi]") {
  World world;
  auto i = world.session();
  // Opcodes of a target, vendor-specific, unknown, SNACK
  for (const unsigned opcode : {0x07u, 0x0Fu, 0x11u, 0x1Cu, 0x1Eu, 0x20u, 0x25u, 0x31u, 0x3Fu}) {
    Header header{};
    header[0] = static_cast<std::byte>(opcode);
    INFO(opcode);
    CHECK(rejected(*i, header, pattern(10)) == RejectReason::kNotSupported);
  }
  Header snack{};
  snack[0] = std::byte{0x10};
  snack[47] = snack[46] = snack[45] = snack[44] = std::byte{0xFF};
  CHECK(rejected(*i, snack) == RejectReason::kSnackReject);
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("bad commands are rejected and their numbers used up", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand waiting = i->command({0x01});
  i->send(waiting.encode());
  ScsiCommand command = i->command({0x00});
  command.task_tag = waiting.task_tag;
  CHECK(rejected(*i, command.encode()) == RejectReason::kTaskInProgress);
  command = i->command({0x00});
  command.task_tag = kReservedTag;
  CHECK(rejected(*i, command.encode()) == RejectReason::kInvalidField);
  for (std::uint8_t attribute = 5; attribute <= 7; ++attribute) {
    command = i->command({0x00});
    command.attribute = attribute;
    CHECK(rejected(*i, command.encode()) == RejectReason::kInvalidField);
  }
  const auto ahs = [](std::initializer_list<unsigned> bytes) {
    Data data;
    for (const unsigned b : bytes) data.push_back(static_cast<std::byte>(b));
    return data;
  };
  // Bidirectional read length, unknown, running over, empty, 1020 bytes of nothing
  for (const Data& bad :
       {ahs({0, 5, 2, 0, 0, 0, 0, 8}), ahs({0, 5, 9, 0, 0, 0, 0, 8}), ahs({0, 6, 1, 0, 0, 0, 0, 8}),
        ahs({0xFF, 0xFF, 1, 0}), ahs({0, 0, 1, 0}), Data(1020)}) {
    command = i->command({0x00});
    CHECK(rejected(*i, command.encode(), {}, bad) == RejectReason::kInvalidField);
  }
  command = i->command({0x7F}, 100);
  command.read = true;
  i->send(command.encode(), {},
          ahs({0, 17, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}));
  CHECK(i->finish(command.task_tag) == 2);
  CHECK(sense_of(i->last_sense) == 0x052000);
  CHECK(i->last_underflow);
  CHECK(i->last_residual == 100);
  world.unit.release();
  CHECK(i->finish(waiting.task_tag) == 0);
  CHECK(i->run(i->command({0x00})) == 0);
  CHECK(i->exp_cmd_sn == i->cmd_sn);
}

TEST_CASE("a data segment longer than declared ends the connection", "[iscsi]") {
  for (const Opcode opcode : {Opcode::kNopOut, Opcode::kScsiCommand, Opcode::kTextRequest}) {
    World world;
    auto i = world.session();
    Header header{};
    header[0] = static_cast<std::byte>(opcode);
    set_data_length(header, 262145);
    i->send(header);
    i->expect_silence();
    CHECK(i->closed());
    CHECK(world.unit.lost == 1);
  }
  // Without an operational stage nothing was declared: the default holds.
  World world;
  auto i = world.connect();
  i->login_request(Stage::kSecurity, Stage::kFullFeature,
                   {{"InitiatorName", kInitiatorName}, {"TargetName", kDrive}});
  NopOut ping = nop(*i);
  ping.cmd_sn = 1;
  i->send(ping.encode(), pattern(8192));
  CHECK(i->expect(Opcode::kNopIn).data.size() == 8192);
  i->send(ping.encode(), pattern(8193));
  CHECK(i->closed());
}

TEST_CASE("a Login Request in full feature phase ends the connection", "[iscsi]") {
  World world;
  auto i = world.session();
  i->send(LoginRequest().encode());
  i->expect_silence();
  CHECK(i->closed());
}

TEST_CASE("with wrong digests the connection ends", "[iscsi]") {
  for (const bool header : {true, false}) {
    World world;
    LoginOptions options;
    options.set("HeaderDigest", "CRC32C,None").set("DataDigest", "CRC32C");
    auto i = world.session(options);
    CHECK(i->header_digest);
    CHECK(i->data_digest);
    const Data record = pattern(100001);
    CHECK(i->write_record({0x0A, 0, 1, 0x86, 0xA1, 0}, record, 50001, 40000, 7001) == 0);
    CHECK(world.unit.records.at(0) == record);
    ScsiCommand read = i->command({0x08, 0, 1, 0x86, 0xA1}, 100001);
    read.read = true;
    CHECK(i->run(read) == 0);
    CHECK(i->last_data == record);
    (header ? i->break_header_digest : i->break_data_digest) = true;
    ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
    write.write = true;
    i->send(write.encode(), pattern(256));
    if (!header)
      CHECK(i->expect(Opcode::kReject).as<Reject>().reason == RejectReason::kDataDigestError);
    i->expect_silence();
    CHECK(i->closed());
    CHECK(world.unit.records.size() == 1);
    CHECK(world.unit.lost == 1);
  }
}

// --- NOP
// ------------------------------------------------------------------------------------------------------

TEST_CASE("NOP-Out is echoed", "[iscsi]") {
  World world;
  LoginOptions options;
  options.set("MaxRecvDataSegmentLength", "8192");
  auto i = world.session(options);
  for (const std::size_t size : {0u, 1u, 4u, 8192u, 8193u, 262144u}) {
    for (const bool immediate : {true, false}) {
      const NopOut ping = nop(*i, immediate);
      i->send(ping.encode(), pattern(size));
      const Received pong = i->expect(Opcode::kNopIn);
      CHECK(pong.as<NopIn>().task_tag == ping.task_tag);
      CHECK(pong.as<NopIn>().transfer_tag == kReservedTag);
      const Data all = pattern(size);
      CHECK(pong.data ==
            Data(all.begin(),
                 all.begin() + std::min<std::ptrdiff_t>(8192, static_cast<std::ptrdiff_t>(size))));
    }
  }
}

TEST_CASE("answers to pings that were never sent are ignored, malformed ones rejected", "[iscsi]") {
  World world;
  auto i = world.session();
  NopOut pong;
  pong.immediate = true;
  pong.transfer_tag = 0x1234;
  pong.cmd_sn = i->cmd_sn;
  i->send(pong.encode());
  i->expect_silence();
  pong.immediate = false;
  pong.cmd_sn = i->cmd_sn++;
  CHECK(rejected(*i, pong.encode()) == RejectReason::kInvalidField);
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("an idle connection is pinged, and dropped if nothing comes", "[iscsi]") {
  World world;
  auto i = world.session();
  i->pass(29s);
  i->expect_silence();
  i->pass(2s);
  const Received ping = i->expect(Opcode::kNopIn);
  CHECK(ping.data.empty());
  CHECK(ping.as<NopIn>().task_tag == kReservedTag);
  CHECK(ping.as<NopIn>().transfer_tag != kReservedTag);
  NopOut pong;
  pong.immediate = true;
  pong.transfer_tag = ping.as<NopIn>().transfer_tag;
  pong.cmd_sn = i->cmd_sn;
  i->send(pong.encode());
  i->expect_silence();
  i->pass(29s);
  i->expect_silence();
  i->pass(2s);
  i->expect(Opcode::kNopIn);
  CHECK(!i->closed());
  i->pass(31s);
  CHECK(i->closed());
  CHECK(world.unit.lost == 1);
  CHECK(world.portal->sessions().empty());
}

TEST_CASE("a flood of pings by one who does not read is bounded", "[iscsi]") {
  World world;
  auto i = world.session();
  i->reading = false;
  for (int n = 0; n < 200 && !i->closed(); ++n) i->send(nop(*i).encode(), pattern(262144));
  std::size_t queued = 0;
  for (const iovec& span : i->connection().send_spans()) queued += span.iov_len;
  CHECK(queued < 8u << 20);
  for (int n = 0; n < 20000 && !i->closed(); ++n) i->send(nop(*i).encode());
  CHECK(i->closed());
}

// --- task management
// ------------------------------------------------------------------------------------------

TEST_CASE("ABORT TASK: at work, waiting for its turn, never seen, gone", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand at_work = i->command({0x01});
  i->send(at_work.encode());
  const ScsiCommand queued = i->command({0x00});
  i->send(queued.encode());
  ScsiCommand writing = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  writing.write = true;
  i->send(writing.encode());
  CHECK(managed(*i, manage(*i, 1, queued.task_tag)) == 0);
  CHECK(managed(*i, manage(*i, 1, queued.task_tag)) == 1);
  CHECK(managed(*i, manage(*i, 1, at_work.task_tag)) == 0);
  world.unit.release();     // its end goes unheard
  i->expect(Opcode::kR2t);  // and the next one runs
  CHECK(managed(*i, manage(*i, 1, writing.task_tag)) == 0);
  DataOut out;
  out.task_tag = writing.task_tag;
  out.transfer_tag = 1;
  out.final = true;
  i->send(out.encode(), pattern(256));  // was on its way already
  i->expect_silence();
  CHECK(i->run(i->command({0x00})) == 0);
  CHECK(world.unit.records.empty());
}

TEST_CASE("ABORT TASK knows only this session's tasks, by tag and unit", "[iscsi]") {
  PortalOptions options;
  options.max_sessions_per_target = 2;
  World world(options);
  auto i = world.session();
  LoginOptions other;
  other.initiator = "iqn.1991-05.com.microsoft:host";
  auto j = world.session(other);
  const ScsiCommand command = i->command({0x01});
  i->send(command.encode());
  CHECK(managed(*j, manage(*j, 1, command.task_tag)) == 1);
  TaskManagementRequest own = manage(*i, 1);
  own.referenced_tag = own.task_tag;
  CHECK(managed(*i, own) == 1);
  TaskManagementRequest elsewhere = manage(*i, 1, command.task_tag);
  elsewhere.lun = 0x0001000000000000;
  CHECK(managed(*i, elsewhere) == 1);
  world.unit.release();
  CHECK(i->finish(command.task_tag) == 0);
  CHECK(managed(*i, manage(*i, 1, command.task_tag)) == 1);  // answered before
}

TEST_CASE("ABORT TASK of a command that has not come yet counts its number as come", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand lost = i->command({0x00});
  const ScsiCommand next = i->command({0x00});
  i->send(next.encode());
  i->expect_silence();
  TaskManagementRequest abort = manage(*i, 1, lost.task_tag);
  abort.ref_cmd_sn = lost.cmd_sn;
  i->send(abort.encode());
  // The order of these two is free; the aborted one has no answer, ever.
  std::set<int> opcodes;
  for (int n = 0; n < 2; ++n) opcodes.insert(static_cast<int>(i->receive()->opcode()));
  CHECK(opcodes == std::set<int>{0x21, 0x22});
  i->send(lost.encode());
  i->expect_silence();
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("task sets and resets", "[iscsi]") {
  PortalOptions options;
  options.max_sessions_per_target = 2;
  World world(options);
  auto i = world.session();
  LoginOptions other;
  other.initiator = "iqn.1991-05.com.microsoft:host";
  auto j = world.session(other);
  const auto start = [&] {
    i->send(i->command({0x01}).encode());
    j->send(j->command({0x01}).encode());
  };
  const auto let_go = [&] {
    while (!world.unit.waiting.empty()) world.unit.release();
    while (i->receive()) continue;
  };
  SECTION("ABORT TASK SET is this session's only") {
    start();
    CHECK(managed(*i, manage(*i, 2)) == 0);
    let_go();
    CHECK(j->receive());
    CHECK(j->run(j->command({0x00})) == 0);
  }
  SECTION("CLEAR TASK SET is everybody's, and the others are told") {
    start();
    CHECK(managed(*i, manage(*i, 4)) == 0);
    let_go();
    j->expect_silence();
    CHECK(j->run(j->command({0x00})) == 2);
    CHECK(sense_of(j->last_sense) == 0x062F00);
    CHECK(i->run(i->command({0x00})) == 0);
  }
  SECTION("LOGICAL UNIT RESET tells everybody") {
    start();
    CHECK(managed(*i, manage(*i, 5)) == 0);
    let_go();
    j->expect_silence();
    CHECK(world.unit.resets == 1);
    CHECK(i->run(i->command({0x00})) == 2);
    CHECK(sense_of(i->last_sense) == 0x062903);
    CHECK(j->run(j->command({0x00})) == 2);
  }
  SECTION("TARGET WARM RESET leaves sessions alone") {
    start();
    CHECK(managed(*i, manage(*i, 6)) == 0);
    let_go();
    CHECK(world.unit.resets == 1);
    CHECK(!i->closed());
    CHECK(!j->closed());
  }
  SECTION("TARGET COLD RESET ends them, after the answer") {
    start();
    CHECK(managed(*i, manage(*i, 7)) == 0);
    CHECK(i->closed());
    CHECK(j->closed());
    CHECK(world.unit.lost == 2);
    let_go();
  }
  SECTION("what is not supported") {
    CHECK(managed(*i, manage(*i, 3)) == 5);
    CHECK(managed(*i, manage(*i, 8)) == 4);
    for (const int function : {0, 9, 10, 11, 12, 127})
      CHECK(managed(*i, manage(*i, static_cast<std::uint8_t>(function))) == 5);
  }
  SECTION("an absent unit") {
    for (const int function : {2, 4, 5}) {
      TaskManagementRequest pdu = manage(*i, static_cast<std::uint8_t>(function));
      pdu.lun = 0x0005000000000000;
      CHECK(managed(*i, pdu) == 2);
    }
  }
  SECTION("in its place among the commands, when not immediate") {
    const ScsiCommand command = i->command({0x01});
    i->send(command.encode());
    TaskManagementRequest pdu = manage(*i, 1, command.task_tag);
    pdu.immediate = false;
    pdu.cmd_sn = i->cmd_sn++;
    CHECK(managed(*i, pdu) == 0);
    CHECK(i->exp_cmd_sn == i->cmd_sn);
    let_go();
  }
}

TEST_CASE("an abort while the data of its command arrives", "[iscsi]") {
  PortalOptions options;
  options.max_sessions_per_target = 2;
  World world(options);
  auto i = world.session();
  LoginOptions other;
  other.initiator = "iqn.1991-05.com.microsoft:host";
  auto j = world.session(other);
  ScsiCommand command = i->command({0x0A, 0, 4, 0, 0, 0}, 262144);
  command.write = true;
  SECTION("solicited") {
    i->send(command.encode());
    DataOut out;
    out.task_tag = command.task_tag;
    out.transfer_tag = i->expect(Opcode::kR2t).as<R2t>().transfer_tag;
    out.final = true;
    const Data bytes = i->encode(out.encode(), pattern(262144));
    i->write(scsi::Bytes(bytes).first(100000));
    CHECK(managed(*j, manage(*j, 5)) == 0);               // from the side
    CHECK(world.pool.lent_bytes(1) == 2u * 32 * 262144);  // reserves only: the buffer has gone back
    i->write(scsi::Bytes(bytes).subspan(100000));
  }
  SECTION("immediate: the command has not been submitted yet and is not hit") {
    const Data bytes = i->encode(command.encode(), pattern(262144));
    i->write(scsi::Bytes(bytes).first(100000));
    CHECK(managed(*j, manage(*j, 5)) == 0);
    i->write(scsi::Bytes(bytes).subspan(100000));
    CHECK(i->finish(command.task_tag) == 0);
    CHECK(world.unit.records.size() == 1);
  }
  i->expect_silence();
  CHECK(i->run(i->command({0x00})) == 2);
  CHECK(i->run(i->command({0x00})) == 0);
}

// --- logout
// ---------------------------------------------------------------------------------------------------

TEST_CASE("logout: reasons, wrong CID, and tasks that are still there", "[iscsi]") {
  World world;
  auto i = world.session();
  const auto logout = [&](std::uint8_t reason, std::uint16_t cid) {
    LogoutRequest pdu;
    pdu.immediate = true;
    pdu.reason = reason;
    pdu.connection_id = cid;
    pdu.task_tag = i->next_task_tag++;
    pdu.cmd_sn = i->cmd_sn;
    i->send(pdu.encode());
    const Received response = i->expect(Opcode::kLogoutResponse);
    CHECK(response.data.empty());
    return static_cast<int>(response.as<LogoutResponse>().response);
  };
  CHECK(logout(1, 5) == 1);
  CHECK(logout(2, 0) == 2);
  CHECK(logout(2, 5) == 1);
  LogoutRequest bad;
  bad.immediate = true;
  bad.reason = 3;
  bad.cmd_sn = i->cmd_sn;
  CHECK(rejected(*i, bad.encode()) == RejectReason::kInvalidField);
  const ScsiCommand command = i->command({0x01});
  i->send(command.encode());
  CHECK(logout(1, 0) == 0);
  CHECK(world.unit.lost == 1);
  world.unit.release();
  bad.reason = 0;
  i->send(bad.encode());  // twice: the second is ignored
  i->send(i->command({0x00}).encode());
  i->expect_silence();
  i->connection().lost(i->now());  // the initiator closes
  CHECK(world.portal->sessions().empty());
}

TEST_CASE("shutting down asks sessions to log out and gives them a moment", "[iscsi]") {
  World world;
  auto i = world.session();
  auto d = discover(world);
  auto half = world.connect();
  int calls = 0;
  i->connection().set_output_listener([&] { ++calls; });
  world.portal->shut_down();
  CHECK(calls == 1);
  const Received async = i->expect(Opcode::kAsyncMessage);
  CHECK(async.as<AsyncMessage>().event == AsyncEvent::kLogoutRequest);
  CHECK(async.as<AsyncMessage>().parameter3 == 5);
  CHECK(async.data.empty());
  CHECK(d->closed());
  CHECK(half->closed());
  CHECK(world.portal->accept("192.0.2.1:3260", "192.0.2.9:1") == nullptr);
  CHECK(!i->closed());
  CHECK(i->run(i->command({0x00})) == 0);
  i->pass(6s);
  CHECK(i->closed());
  CHECK(world.portal->sessions().empty());
}

// --- discovery and text
// -----------------------------------------------------------------------------------------

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
    while (text.size() < 30000) append_text(text, "SendTargets", "All");
    const auto bytes = scsi::as_bytes(text);
    CHECK(rejected(*i, request(), Data(bytes.begin(), bytes.end())) ==
          RejectReason::kProtocolError);
  }
  SECTION("by one who does not read") {
    std::string text;
    while (text.size() < 3000) append_text(text, "SendTargets", "All");
    i->reading = false;
    for (int n = 0; n < 2000 && !i->closed(); ++n) i->send(request(), scsi::as_bytes(text));
    i->reading = true;
    i->pump();
    CHECK(i->all_output.size() < 8u << 20);
    CHECK(!i->closed());
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

// --- silence
// --------------------------------------------------------------------------------------------------

TEST_CASE("after the connection is lost there is silence", "[iscsi]") {
  World world;
  auto i = world.session();
  int calls = 0;
  i->send(i->command({0x01}).encode());
  ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  write.write = true;
  i->send(write.encode());
  i->connection().set_output_listener([&] { ++calls; });
  i->connection().lost(i->now());
  CHECK(world.unit.lost == 1);
  world.unit.release();
  CHECK(calls == 0);
  CHECK(i->connection().send_spans().empty());
  CHECK(i->connection().recv_span().empty());
  CHECK(!i->connection().deadline());
  CHECK(world.unit.task_count() == 0);
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("the listener hears once of output that was not there before", "[iscsi]") {
  World world;
  auto i = world.session();
  i->reading = false;
  int calls = 0;
  i->connection().set_output_listener([&] { ++calls; });
  for (int n = 0; n < 3; ++n) i->send(i->command({0x01}).encode());
  CHECK(calls == 0);
  world.unit.release();
  world.unit.release();
  CHECK(calls == 1);
  i->pump();
  world.unit.release();
  CHECK(calls == 2);
}

TEST_CASE("a connection may be destroyed by its own listener", "[iscsi]") {
  World world;
  auto i = world.session();
  i->send(i->command({0x01}).encode());
  i->send(i->command({0x01}).encode());
  i->reading = false;
  i->connection().set_output_listener([&] { i.reset(); });
  world.unit.release();  // its answer is output: the listener, in the middle of the unit's call
  CHECK(!i);
  CHECK(world.unit.lost == 1);
  CHECK(world.unit.waiting.empty());  // the second command never began
  CHECK(world.unit.task_count() == 0);
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("a PDU that does not end is not waited for", "[iscsi]") {
  World world;
  auto i = world.session();
  const Data bytes = i->encode(nop(*i).encode(), pattern(100));
  for (std::size_t n = 0; n < 60 && !i->closed(); ++n) {
    i->write(scsi::Bytes(bytes).subspan(n, 1));  // each byte is a sign of life
    i->pass(5s);
    CHECK(i->closed() == (n >= 11));
  }
  CHECK(i->closed());
  CHECK(world.unit.lost == 1);
}
