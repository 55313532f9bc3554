// The ordinary course of a session.
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

TEST_CASE("a Linux initiator logs in, and out again", "[iscsi]") {
  World world;
  auto i = world.connect();
  const Received response = i->login();
  const LoginResponse login = response.as<LoginResponse>();
  REQUIRE(login.status == 0);
  CHECK(login.transit);
  CHECK(login.current == Stage::kOperational);
  CHECK(login.next == Stage::kFullFeature);
  CHECK(login.tsih != 0);
  CHECK(login.isid == LoginOptions{}.isid);
  CHECK(i->exp_cmd_sn == 1);
  CHECK(i->max_cmd_sn == 32);
  CHECK(world.portal->sessions().size() == 1);
  CHECK(world.portal->sessions()[0].initiator == kInitiatorName);
  CHECK(world.portal->sessions()[0].target == kDrive);
  REQUIRE(world.unit.established.size() == 1);
  CHECK(!world.unit.established[0].replaces_lost_nexus);

  LogoutRequest logout;
  logout.task_tag = 9;
  logout.cmd_sn = i->cmd_sn++;
  i->send(logout.encode());
  CHECK(i->expect(Opcode::kLogoutResponse).as<LogoutResponse>().response == 0);
  CHECK(world.unit.lost == 1);
  CHECK(world.portal->sessions().empty());
  CHECK(!i->closed());  // the initiator closes first
  i->pass(5s);
  CHECK(i->closed());
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("a 256 KiB write in one PDU goes straight into the record's buffer", "[iscsi]") {
  World world;
  auto i = world.session();
  const Data record = pattern(262144);
  i->largest_span = 0;
  CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, record.size(), 0) == 0);
  CHECK(i->r2t_count == 0);
  REQUIRE(world.unit.records.size() == 1);
  CHECK(world.unit.records[0] == record);
  CHECK(i->largest_span >= 262144 - 8192);  // the kernel would have filled the record itself
}

TEST_CASE("reads come back with status in the last Data-In", "[iscsi]") {
  World world;
  auto i = world.session();
  for (const std::uint32_t length : {1u, 2u, 3u, 512u, 65537u, 262144u, 262145u, 1000000u}) {
    ScsiCommand read =
        i->command({0x08, 0, length >> 16, length >> 8 & 0xFF, length & 0xFF}, length);
    read.read = true;
    CHECK(i->run(read) == 0);
    CHECK(i->last_data == pattern(length));
    CHECK(i->last_residual == 0);
    i->expect_silence();
  }
}
