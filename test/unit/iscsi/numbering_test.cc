// CmdSN, the command window, immediate commands.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

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

TEST_CASE("a number is used up when its command is taken, not when it ends", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand at_work = i->command({0x01});
  i->send(at_work.encode());
  i->send(i->command({0x00}).encode());  // behind it
  i->send(nop(*i).encode());
  i->expect(Opcode::kNopIn);
  CHECK(i->exp_cmd_sn == i->cmd_sn);
  world.unit.release();
  CHECK(i->finish(at_work.task_tag) == 0);
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
