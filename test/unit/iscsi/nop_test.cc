// NOP, and a connection that is idle, gone or destroyed.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

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
