// PDUs that are rejected, or end the connection.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

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
  command = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  command.read = command.write = true;  // both directions, with or without their second length
  CHECK(rejected(*i, command.encode()) == RejectReason::kInvalidField);
  command = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
  command.read = command.write = true;
  CHECK(rejected(*i, command.encode(), pattern(256), ahs({0, 5, 2, 0, 0, 0, 0, 8})) ==
        RejectReason::kInvalidField);
  CHECK(world.unit.records.empty());
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
