// What a host may ask for, in every combination: a record goes and comes back whole. And digests,
// on each kind of PDU that a target sends.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

TEST_CASE("every combination of what is negotiated about data", "[iscsi]") {
  constexpr std::uint32_t kLength = 20001;
  const Data record = pattern(kLength);
  PortalOptions options;
  options.max_outstanding_r2t = 8;
  const auto yes = [](bool on) { return on ? "Yes" : "No"; };
  for (unsigned flags = 0; flags < 32; ++flags) {
    const bool initial_r2t = (flags & 1) != 0, immediate_data = (flags & 2) != 0;
    for (const std::uint32_t first : {512u, 8192u, 65536u}) {
      for (const std::uint32_t burst : {512u, 8192u, 65536u}) {
        for (const char* receives : {"512", "8192", "262144"}) {
          INFO(flags << " " << first << " " << burst << " " << receives);
          World world(options);
          LoginOptions login;
          login.set("InitialR2T", yes(initial_r2t)).set("ImmediateData", yes(immediate_data));
          login.set("FirstBurstLength", std::to_string(first));
          login.set("MaxBurstLength", std::to_string(burst));
          login.set("MaxRecvDataSegmentLength", receives);
          login.set("MaxOutstandingR2T", (flags & 4) != 0 ? "3" : "1");
          login.set("DataPDUInOrder", yes((flags & 8) != 0));
          login.set("DataSequenceInOrder", yes((flags & 8) != 0));
          login.set("HeaderDigest", (flags & 16) != 0 ? "CRC32C" : "None");
          login.set("DataDigest", (flags & 16) != 0 ? "CRC32C" : "None");
          auto i = world.session(login);
          const std::uint32_t unasked = std::min({first, burst, kLength});
          const std::uint32_t immediate = immediate_data ? std::min(unasked, 4096u) : 0;
          const std::uint32_t unsolicited = initial_r2t ? 0 : unasked - immediate;
          const std::uint32_t before = immediate + unsolicited;
          CHECK(i->write_record({0x0A, 0, 0, kLength >> 8, kLength & 0xFF}, record, immediate,
                                unsolicited, 3000) == 0);
          CHECK(i->r2t_count == (kLength - before + burst - 1) / burst);
          REQUIRE(world.unit.records.size() == 1);
          CHECK(world.unit.records[0] == record);
          ScsiCommand read = i->command({0x08, 0, 0, kLength >> 8, kLength & 0xFF, 0}, kLength);
          read.read = true;
          CHECK(i->run(read) == 0);
          CHECK(i->last_data == record);
          i->expect_silence();
        }
      }
    }
  }
}

TEST_CASE("levels and connections of which there are none are negotiated down", "[iscsi]") {
  World world;
  LoginOptions windows;  // as Microsoft's initiator asks
  windows.set("ErrorRecoveryLevel", "2").set("MaxConnections", "32");
  windows.set("DefaultTime2Retain", "60").set("MaxOutstandingR2T", "16");
  auto i = world.session(windows);
  CHECK(i->login_keys["ErrorRecoveryLevel"] == "0");
  CHECK(i->login_keys["MaxConnections"] == "1");
  CHECK(i->login_keys["DefaultTime2Retain"] == "0");
  // And whoever goes on as if they had not been is told so each time, and goes on working.
  Header snack{};
  snack[0] = std::byte{0x10};
  CHECK(rejected(*i, snack) == RejectReason::kSnackReject);
  TaskManagementRequest reassign = manage(*i, 8, 1);
  i->send(reassign.encode());
  CHECK(i->expect(Opcode::kTaskManagementResponse).as<TaskManagementResponse>().response ==
        TaskManagementCode::kReassignNotSupported);
  LogoutRequest recovery;
  recovery.reason = 2;
  recovery.cmd_sn = i->cmd_sn++;
  i->send(recovery.encode());
  CHECK(i->expect(Opcode::kLogoutResponse).as<LogoutResponse>().response == 2);
  ScsiCommand read = i->command({0x08, 0, 0, 16, 0, 0}, 4096);
  read.read = true;
  CHECK(i->run(read) == 0);
}

TEST_CASE("each kind of PDU bears the digests that were negotiated", "[iscsi]") {
  for (const bool header : {false, true}) {
    for (const bool data : {false, true}) {
      World world;
      LoginOptions login;
      login.set("HeaderDigest", header ? "CRC32C" : "None");
      login.set("DataDigest", data ? "CRC32C" : "None");
      auto i = world.session(login);  // checks the digests of what it receives
      i->send(nop(*i).encode(), pattern(13));
      CHECK(i->expect(Opcode::kNopIn).data == pattern(13));
      const Data record = pattern(300001);
      CHECK(i->write_record({0x0A, 0, 4, 0x93, 0xE1, 0}, record, 8190, 10002, 3001) == 0);
      CHECK(i->r2t_count == 1);
      CHECK(world.unit.records.at(0) == record);
      ScsiCommand read = i->command({0x0F, 0, 0, 0x10, 1, 0}, 4097);
      read.read = true;
      CHECK(i->run(read) == 2);  // data, then status with sense
      CHECK(i->last_data == pattern(4097));
      CHECK(i->last_sense.size() == 18);
      // A header digest is of the additional header segments, too.
      const ScsiCommand extended = i->command({0x7F});
      Data ahs(20, std::byte{0x5A});
      ahs[0] = std::byte{0};
      ahs[1] = std::byte{17};
      ahs[2] = std::byte{1};
      i->send(extended.encode(), {}, ahs);
      CHECK(i->finish(extended.task_tag) == 2);
      CHECK(sense_of(i->last_sense) == 0x052000);
      i->send(manage(*i, 2).encode());
      i->expect(Opcode::kTaskManagementResponse);
      Header vendor{};
      vendor[0] = std::byte{0x1C};
      CHECK(rejected(*i, vendor, pattern(7)) == RejectReason::kNotSupported);
      CHECK(i->text(std::string("SendTargets=\0", 13)).find(kDrive) != std::string::npos);
      i->pass(31s);
      i->expect(Opcode::kNopIn);
      world.portal->shut_down();
      i->expect(Opcode::kAsyncMessage);
      LogoutRequest logout;
      logout.cmd_sn = i->cmd_sn++;
      i->send(logout.encode());
      CHECK(i->expect(Opcode::kLogoutResponse).as<LogoutResponse>().response == 0);
    }
  }
}
