// Task management and logout.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

int managed(ScriptedInitiator& i, const TaskManagementRequest& pdu) {
  i.send(pdu.encode());
  const Received response = i.expect(Opcode::kTaskManagementResponse);
  CHECK(response.data.empty());
  CHECK(response.as<TaskManagementResponse>().task_tag == pdu.task_tag);
  return static_cast<int>(response.as<TaskManagementResponse>().response);
}

}  // namespace

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
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
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

// RFC 7143 11.6.1: only what could still come counts as come.
TEST_CASE("ABORT TASK of an unknown tag goes by RefCmdSN", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand missing = i->command({0x00});
  const ScsiCommand held = i->command({0x00});
  i->send(held.encode());
  const auto aborted = [&](std::uint32_t ref_cmd_sn) {
    TaskManagementRequest pdu = manage(*i, 1, 0xABCD);
    pdu.ref_cmd_sn = ref_cmd_sn;
    return managed(*i, pdu);
  };
  CHECK(aborted(missing.cmd_sn - 1) == 1);  // was taken before
  CHECK(aborted(held.cmd_sn) == 1);         // another command has this number
  CHECK(aborted(i->cmd_sn) == 1);           // not before the request itself
  CHECK(aborted(i->max_cmd_sn + 1) == 1);   // out of the window
  CHECK(aborted(missing.cmd_sn - 1000) == 1);
  i->send(missing.encode());
  CHECK(i->finish(missing.task_tag) == 0);
  CHECK(i->finish(held.task_tag) == 0);
}

TEST_CASE("task sets and resets reach commands that wait for their number", "[iscsi]") {
  for (const int function : {2, 4, 5, 6}) {
    INFO(function);
    World world;
    auto i = world.session();
    const ScsiCommand missing = i->command({0x00});
    ScsiCommand before = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
    before.write = true;
    before.final = false;
    const ScsiCommand after = i->command({0x00});
    i->send(before.encode(), pattern(100));
    i->send(after.encode());
    TaskManagementRequest pdu = manage(*i, static_cast<std::uint8_t>(function));
    pdu.cmd_sn = after.cmd_sn;  // what has this number, or a later one, is not meant
    CHECK(managed(*i, pdu) == 0);
    DataOut out;
    out.task_tag = before.task_tag;
    out.offset = 100;
    out.final = true;
    i->send(out.encode(), pattern(156));  // of the one that has gone
    i->expect_silence();
    i->send(missing.encode());
    CHECK(i->finish(missing.task_tag) == (function >= 5 ? 2u : 0u));  // a unit attention
    CHECK(i->finish(after.task_tag) == 0);
    i->expect_silence();
    CHECK(world.unit.records.empty());
    CHECK(i->run(i->command({0x00})) == 0);
    CHECK(i->exp_cmd_sn == i->cmd_sn);
  }
}

TEST_CASE("task sets and resets", "[iscsi]") {
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
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
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
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
    CHECK(response.as<LogoutResponse>().time_to_wait == 2);  // as was negotiated
    CHECK(response.as<LogoutResponse>().time_to_retain == 0);
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

TEST_CASE("a logout that closes the session does not say of which connection", "[iscsi]") {
  World world;
  auto i = world.session();
  LogoutRequest pdu;
  pdu.reason = 0;
  pdu.connection_id = 9;  // RFC 7143 11.14.3: not valid with this reason
  pdu.cmd_sn = i->cmd_sn++;
  i->send(pdu.encode());
  CHECK(i->expect(Opcode::kLogoutResponse).as<LogoutResponse>().response == 0);
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
