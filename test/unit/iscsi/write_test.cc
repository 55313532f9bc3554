// Data-out: immediate, unsolicited, solicited; what is wrong with it; and where its memory comes
// from.
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

ScsiCommand write_of(ScriptedInitiator& i, std::uint32_t length) {
  ScsiCommand pdu = i.command({0x0A, 0, length >> 16, length >> 8 & 0xFF, length & 0xFF}, length);
  pdu.write = true;
  return pdu;
}

DataOut data_out(const ScsiCommand& command, std::uint32_t data_sn, std::uint32_t offset,
                 bool final, std::uint32_t tag = kReservedTag) {
  DataOut pdu;
  pdu.task_tag = command.task_tag;
  pdu.transfer_tag = tag;
  pdu.data_sn = data_sn;
  pdu.offset = offset;
  pdu.final = final;
  return pdu;
}

LoginOptions bursts(const char* initial_r2t, const char* immediate, const char* first = "8192",
                    const char* max = "16384") {
  LoginOptions options;
  options.set("InitialR2T", initial_r2t).set("ImmediateData", immediate);
  options.set("FirstBurstLength", first).set("MaxBurstLength", max);
  return options;
}

}  // namespace

TEST_CASE("all four combinations of InitialR2T and ImmediateData, with small bursts", "[iscsi]") {
  for (const bool initial_r2t : {true, false}) {
    for (const bool immediate_data : {true, false}) {
      for (const std::uint32_t length :
           {1u, 511u, 8191u, 8192u, 8193u, 24575u, 24576u, 24577u, 100003u}) {
        INFO(initial_r2t << immediate_data << " " << length);
        World world;
        auto i = world.session(bursts(initial_r2t ? "Yes" : "No", immediate_data ? "Yes" : "No"));
        const Data record = pattern(length, length);
        const std::uint32_t first = std::min(length, 8192u);
        const std::uint32_t immediate = immediate_data ? std::min(first, 4096u) : 0;
        const std::uint32_t unsolicited = initial_r2t ? 0 : first - immediate;
        const std::uint32_t before = immediate + unsolicited;
        CHECK(i->write_record({0x0A, 0, length >> 16, length >> 8 & 0xFF, length & 0xFF}, record,
                              immediate, unsolicited, 3000) == 0);
        CHECK(i->r2t_count == (length - before + 16383) / 16384);
        REQUIRE(world.unit.records.size() == 1);
        CHECK(world.unit.records[0] == record);
        CHECK(i->last_residual == 0);
        i->expect_silence();
      }
    }
  }
}

TEST_CASE("a record larger than the first burst is one buffer, and R2T begins where the data end",
          "[iscsi]") {
  World world;
  auto i = world.session();
  const Data record = pattern(3 * 1048576 + 5);
  CHECK(i->write_record({0x0A, 0, 0x30, 0, 5, 0}, record, 262144, 0, 262144) == 0);
  CHECK(i->r2t_count == 3);
  REQUIRE(world.unit.records.size() == 1);
  CHECK(world.unit.records[0] == record);
}

TEST_CASE("several R2Ts at a time, where negotiated", "[iscsi]") {
  PortalOptions options;
  options.max_outstanding_r2t = 3;
  World world(options);
  LoginOptions login = bursts("Yes", "No", "512", "512");
  login.set("MaxOutstandingR2T", "2");
  auto i = world.session(login);
  const Data record = pattern(2000);
  const ScsiCommand command = write_of(*i, 2000);
  i->send(command.encode());
  const R2t a = i->expect(Opcode::kR2t).as<R2t>();
  const R2t b = i->expect(Opcode::kR2t).as<R2t>();
  i->expect_silence();
  CHECK(a.offset == 0);
  CHECK(b.offset == 512);
  CHECK(a.r2t_sn == 0);
  CHECK(b.r2t_sn == 1);
  CHECK(a.transfer_tag != b.transfer_tag);
  CHECK(a.numbers.stat_sn == i->exp_stat_sn);  // the next one, not used up
  i->send(data_out(command, 0, 0, true, a.transfer_tag).encode(),
          scsi::Bytes(record).subspan(0, 512));
  const R2t c = i->expect(Opcode::kR2t).as<R2t>();
  CHECK(c.offset == 1024);
  i->send(data_out(command, 0, 512, true, b.transfer_tag).encode(),
          scsi::Bytes(record).subspan(512, 512));
  const R2t d = i->expect(Opcode::kR2t).as<R2t>();
  CHECK(d.offset == 1536);
  CHECK(d.length == 2000 - 1536);
  i->send(data_out(command, 0, 1024, true, c.transfer_tag).encode(),
          scsi::Bytes(record).subspan(1024, 512));
  i->expect_silence();
  i->send(data_out(command, 0, 1536, true, d.transfer_tag).encode(),
          scsi::Bytes(record).subspan(1536));
  CHECK(i->finish(command.task_tag) == 0);
  CHECK(world.unit.records.at(0) == record);
}

TEST_CASE("nothing is solicited while unsolicited data is under way", "[iscsi]") {
  World world;
  auto i = world.session(bursts("No", "Yes"));
  const Data record = pattern(10000);
  ScsiCommand command = write_of(*i, 10000);
  command.final = false;
  i->send(command.encode(), scsi::Bytes(record).first(1000));
  i->expect_silence();
  i->send(data_out(command, 0, 1000, false).encode(), scsi::Bytes(record).subspan(1000, 1000));
  i->expect_silence();
  // Less than FirstBurstLength is legal; the rest is asked for.
  i->send(data_out(command, 1, 2000, true).encode(), scsi::Bytes(record).subspan(2000, 1000));
  const R2t r2t = i->expect(Opcode::kR2t).as<R2t>();
  CHECK(r2t.offset == 3000);
  CHECK(r2t.length == 7000);
  i->send(data_out(command, 0, 3000, true, r2t.transfer_tag).encode(),
          scsi::Bytes(record).subspan(3000));
  CHECK(i->finish(command.task_tag) == 0);
  CHECK(world.unit.records.at(0) == record);
}

TEST_CASE("an unsolicited run may end with an empty PDU", "[iscsi]") {
  World world;
  auto i = world.session(bursts("No", "Yes"));
  const Data record = pattern(1000);
  ScsiCommand command = write_of(*i, 1000);
  command.final = false;
  i->send(command.encode(), record);
  i->send(data_out(command, 0, 1000, true).encode());
  CHECK(i->finish(command.task_tag) == 0);
  CHECK(world.unit.records.at(0) == record);
}

TEST_CASE("more is offered than the command takes: the rest is not asked for", "[iscsi]") {
  World world;
  auto i = world.session(bursts("No", "Yes"));
  ScsiCommand command = i->command({0x0A, 0, 0, 0x10, 0, 0}, 20000);  // 4096 of 20000
  command.write = true;
  const Data record = pattern(6000);
  CHECK(i->run(command, record) == 0);
  CHECK(world.unit.records.at(0) == Data(record.begin(), record.begin() + 4096));
  CHECK(i->last_underflow);
  CHECK(i->last_residual == 20000 - 4096);
}

TEST_CASE("a refused command gets its answer without R2T, and its data is swallowed", "[iscsi]") {
  World world;
  auto i = world.session(bursts("No", "Yes"));
  ScsiCommand command = i->command({0x07, 0, 0, 0x40, 0, 0}, 16384);
  command.write = true;
  command.final = false;
  i->send(command.encode(), pattern(1000));
  CHECK(i->finish(command.task_tag) == 2);
  CHECK(sense_of(i->last_sense) == 0x072700);
  i->send(data_out(command, 0, 1000, false).encode(), pattern(1000));
  i->send(data_out(command, 1, 2000, true).encode(), pattern(1000));
  i->expect_silence();
  i->run(i->command({0x00}));
  // The tag is free again.
  ScsiCommand next = write_of(*i, 100);
  next.task_tag = command.task_tag;
  CHECK(i->run(next, pattern(100)) == 0);
}

TEST_CASE("a reset of as many writes as the window lets in swallows the data of them all",
          "[iscsi]") {
  PortalOptions options;
  options.command_window = 200;
  World world(options);
  auto i = world.session(bursts("No", "Yes"));
  std::vector<ScsiCommand> writes;
  while (writes.size() < 200) {
    ScsiCommand command = write_of(*i, 1000);
    command.final = false;
    i->send(command.encode(), pattern(500));
    writes.push_back(command);
  }
  i->send(manage(*i, 5).encode());
  i->expect(Opcode::kTaskManagementResponse);
  for (const ScsiCommand& command : writes)
    i->send(data_out(command, 0, 500, true).encode(), pattern(500));
  i->expect_silence();
  CHECK(i->run(i->command({0x00})) == 2);  // the reset
  CHECK(i->run(i->command({0x00})) == 0);
  CHECK(world.unit.records.empty());
}

// RFC 7143 11.7: the task fails, whatever the fault; the session goes on.
TEST_CASE("violations of the data-out rules fail the task", "[iscsi]") {
  const struct {
    const char* what;
    DataOut pdu;
    std::uint32_t length;
    unsigned sense;
  } rows[] = {
      {"DataSN 27", {.final = true, .data_sn = 27, .offset = 0}, 4096, 0x0B4B05},
      {"DataSN -1", {.final = true, .data_sn = 0xFFFFFFFF, .offset = 0}, 4096, 0x0B4B05},
      {"offset ahead", {.final = true, .data_sn = 0, .offset = 512}, 3584, 0x0B4B05},
      {"offset beyond the end",
       {.final = true, .data_sn = 0, .offset = 0xFFFFFFFF},
       4096,
       0x0B4B05},
      {"offset that wraps", {.final = true, .data_sn = 0, .offset = 0xFFFFF000}, 4096, 0x0B4B05},
      {"more than asked for", {.final = true, .data_sn = 0, .offset = 0}, 4097, 0x0B4B00},
      {"much more", {.final = true, .data_sn = 0, .offset = 0}, 262144, 0x0B4B00},
      {"less than asked for", {.final = true, .data_sn = 0, .offset = 0}, 4095, 0x0B4B00},
      {"no F", {.final = false, .data_sn = 0, .offset = 0}, 4096, 0x0B4B00},
      {"empty", {.final = false, .data_sn = 0, .offset = 0}, 0, 0x0B4B00},
      {"empty with F", {.final = true, .data_sn = 0, .offset = 0}, 0, 0x0B4B00},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    World world;
    auto i = world.session(bursts("Yes", "No", "512", "4096"));
    const ScsiCommand command = write_of(*i, 10000);
    i->send(command.encode());
    DataOut pdu = row.pdu;
    pdu.task_tag = command.task_tag;
    pdu.transfer_tag = i->expect(Opcode::kR2t).as<R2t>().transfer_tag;
    i->send(pdu.encode(), pattern(row.length));
    CHECK(i->finish(command.task_tag) == 2);
    CHECK(sense_of(i->last_sense) == row.sense);
    // What may still be under way is nobody's business any more.
    i->send(pdu.encode(), pattern(100));
    i->expect_silence();
    CHECK(world.unit.records.empty());
    CHECK(i->run(write_of(*i, 0)) == 0);
  }
}

TEST_CASE("repeated and swapped data-out is never GOOD", "[iscsi]") {
  for (const bool swapped : {false, true}) {
    World world;
    auto i = world.session(bursts("Yes", "No", "512", "4096"));
    const ScsiCommand command = write_of(*i, 4096);
    i->send(command.encode());
    const std::uint32_t tag = i->expect(Opcode::kR2t).as<R2t>().transfer_tag;
    const Data record = pattern(4096);
    if (swapped) {
      i->send(data_out(command, 1, 2048, true, tag).encode(), scsi::Bytes(record).subspan(2048));
      i->send(data_out(command, 0, 0, false, tag).encode(), scsi::Bytes(record).first(2048));
    } else {
      i->send(data_out(command, 0, 0, false, tag).encode(), scsi::Bytes(record).first(2048));
      i->send(data_out(command, 0, 2048, true, tag).encode(), scsi::Bytes(record).subspan(2048));
    }
    CHECK(i->finish(command.task_tag) == 2);
    i->expect_silence();
  }
}

TEST_CASE("data-out under a wrong tag or LUN", "[iscsi]") {
  for (int what = 0; what < 4; ++what) {
    INFO(what);
    World world;
    auto i = world.session(bursts("Yes", "No", "512", "4096"));
    const ScsiCommand command = write_of(*i, 4096);
    i->send(command.encode());
    const std::uint32_t tag = i->expect(Opcode::kR2t).as<R2t>().transfer_tag;
    DataOut pdu = data_out(command, 0, 0, true, tag);
    if (what == 0) pdu.transfer_tag = tag + 1;
    if (what == 1) pdu.lun = 0x0001000000000000;
    if (what == 2) pdu.transfer_tag = kReservedTag;  // unsolicited where none may be
    if (what == 3) {
      pdu.task_tag = 0xDEAD;  // no such task ever
      i->send(pdu.encode(), pattern(4096));
      CHECK(i->expect(Opcode::kReject).as<Reject>().reason == RejectReason::kInvalidField);
      pdu.task_tag = command.task_tag;
      i->send(pdu.encode(), pattern(4096));
      CHECK(i->finish(command.task_tag) == 0);
      continue;
    }
    i->send(pdu.encode(), pattern(4096));
    CHECK(i->finish(command.task_tag) == 2);
    CHECK(world.unit.records.empty());
  }
}

TEST_CASE("data that was not to come unasked fails the task with 0C/0C", "[iscsi]") {
  const auto expect_0c0c = [](World& world, ScriptedInitiator& i, const ScsiCommand& command) {
    CHECK(i.finish(command.task_tag) == 2);
    CHECK(sense_of(i.last_sense) == 0x0B0C0C);
    CHECK(world.unit.records.empty());
    CHECK(i.run(write_of(i, 0)) == 0);
  };
  SECTION("immediate data with ImmediateData=No") {
    World world;
    auto i = world.session(bursts("Yes", "No"));
    const ScsiCommand command = write_of(*i, 100);
    i->send(command.encode(), pattern(100));
    expect_0c0c(world, *i, command);
  }
  SECTION("more immediate data than FirstBurstLength") {
    World world;
    auto i = world.session(bursts("No", "Yes"));
    const ScsiCommand command = write_of(*i, 10000);
    i->send(command.encode(), pattern(8193));
    expect_0c0c(world, *i, command);
  }
  SECTION("more immediate data than expected length") {
    World world;
    auto i = world.session(bursts("No", "Yes"));
    const ScsiCommand command = write_of(*i, 100);
    i->send(command.encode(), pattern(101));
    expect_0c0c(world, *i, command);
  }
  SECTION("F=0 with InitialR2T=Yes") {
    World world;
    auto i = world.session(bursts("Yes", "Yes"));
    ScsiCommand command = write_of(*i, 5000);
    command.final = false;
    i->send(command.encode(), pattern(1000));
    expect_0c0c(world, *i, command);
    i->send(data_out(command, 0, 1000, true).encode(), pattern(4000));
    i->expect_silence();
  }
  SECTION("unsolicited data beyond FirstBurstLength") {
    World world;
    auto i = world.session(bursts("No", "Yes"));
    ScsiCommand command = write_of(*i, 20000);
    command.final = false;
    i->send(command.encode(), pattern(8000));
    i->send(data_out(command, 0, 8000, true).encode(), pattern(193));
    expect_0c0c(world, *i, command);
  }
  SECTION("unsolicited data after the end of the run") {
    World world;
    auto i = world.session(bursts("No", "Yes"));
    const ScsiCommand command = write_of(*i, 20000);
    i->send(command.encode(), pattern(1000));
    i->expect(Opcode::kR2t);
    i->send(data_out(command, 0, 1000, true).encode(), pattern(100));
    expect_0c0c(world, *i, command);
  }
}

TEST_CASE("data with a command that does not write is rejected, its number used up", "[iscsi]") {
  World world;
  auto i = world.session();
  const ScsiCommand command = i->command({0x00});
  i->send(command.encode(), pattern(10));
  const Received reject = i->expect(Opcode::kReject);
  CHECK(reject.as<Reject>().reason == RejectReason::kProtocolError);
  CHECK(reject.data.size() == 48);
  CHECK(task_tag_of(*reinterpret_cast<const Header*>(reject.data.data())) == command.task_tag);
  CHECK(i->run(i->command({0x00})) == 0);
}

// --- where memory comes from ---

TEST_CASE("with the pool dry, reserved buffers carry what was promised, and then the window closes",
          "[iscsi]") {
  PortalOptions options;
  options.command_window = 4;
  options.buffer_bytes_per_target = 4u << 20;
  World world(options, {}, {64u << 20, 4u << 20});  // of the target: 16 buffers
  auto i = world.session();
  CHECK(world.pool.lent_bytes() == 4u * 262144);
  CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 4);
  world.unit.keep_buffers = true;  // the writer holds them
  const Data record = pattern(262144);
  std::size_t written = 0;
  while (i->max_cmd_sn + 1 != i->exp_cmd_sn) {
    CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, 262144, 0) == 0);
    ++written;
    REQUIRE(written <= 16);
  }
  CHECK(written == 16);
  i->expect_silence();
  CHECK(world.pool.lent_bytes() == 16u * 262144);
  // A command beyond the window is not there at all.
  i->send(write_of(*i, 10).encode(), pattern(10));
  i->expect_silence();
  --i->cmd_sn;
  // A buffer comes back: the initiator is told that it may go on.
  world.unit.kept.pop_back();
  const NopIn notice = i->expect(Opcode::kNopIn).as<NopIn>();
  CHECK(notice.task_tag == kReservedTag);
  CHECK(notice.transfer_tag == kReservedTag);
  CHECK(i->max_cmd_sn == i->exp_cmd_sn);
  CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, 262144, 0) == 0);
  world.unit.kept.clear();
  while (i->receive()) continue;
  for (int n = 0; n < 20; ++n) {
    CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, 262144, 0) == 0);
    world.unit.kept.clear();
    while (i->receive()) continue;
  }
  CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 4);
  i->connection().lost(i->now());
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("a target that is added while sessions run keeps no more in reserve than it was given",
          "[iscsi]") {
  PortalOptions options;
  options.command_window = 8;
  options.buffer_bytes_per_target = 16u << 20;
  World world(options, {}, {64u << 20, 16u << 20});
  auto before = world.session();
  CHECK(world.pool.lent_bytes() == 8u * 262144);
  TestUnit unit;
  scsi::Target added;
  added.add(0, unit);
  world.portal->add_target("iqn.2026-11.local.vtl:added", "", added, 3u * 262144 + 1);
  {
    LoginOptions login;
    login.target = "iqn.2026-11.local.vtl:added";
    auto i = world.session(login);
    CHECK(world.pool.lent_bytes() == 11u * 262144);
    CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 3);
    const Data record = pattern(262144);
    for (int n = 0; n < 10; ++n)
      CHECK(i->write_record({0x0A, 0, 4, 0, 0, 0}, record, 262144, 0) == 0);
    CHECK(before->run(before->command({0x00})) == 0);
    i->connection().lost(i->now());
  }
  before->connection().lost(before->now());
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("R2T waits until the pool has the whole record", "[iscsi]") {
  PortalOptions options;
  options.command_window = 2;
  options.buffer_bytes_per_target = 8u << 20;
  World world(options, {}, {64u << 20, 8u << 20});
  auto i = world.session();
  std::vector<scsi::Buffer> hogs;
  while (auto hog = world.pool.try_take(1, 262144)) hogs.push_back(std::move(*hog));
  const Data record = pattern(1000000);
  ScsiCommand command = write_of(*i, 1000000);
  i->send(command.encode(), scsi::Bytes(record).first(262144));  // lands in a reserved buffer
  i->expect_silence();
  hogs.resize(hogs.size() - 2);
  i->expect_silence();  // not the whole record yet
  hogs.resize(hogs.size() - 2);
  const R2t r2t = i->expect(Opcode::kR2t).as<R2t>();
  CHECK(r2t.offset == 262144);
  CHECK(r2t.length == 1000000 - 262144);
  CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 1);  // one task; the reserved buffer is back
  for (std::uint32_t at = r2t.offset, n = 0; at < record.size(); at += 262144, ++n) {
    const auto size = static_cast<std::uint32_t>(std::min<std::size_t>(262144, record.size() - at));
    i->send(data_out(command, n, at, at + size == record.size(), r2t.transfer_tag).encode(),
            scsi::Bytes(record).subspan(at, size));
  }
  CHECK(i->finish(command.task_tag) == 0);
  CHECK(world.unit.records.at(0) == record);
  CHECK(i->max_cmd_sn - i->exp_cmd_sn + 1 == 2);
}

TEST_CASE("a session that ends while it waits for memory is forgotten by the pool", "[iscsi]") {
  World world({}, {}, {64u << 20, 16u << 20});
  auto i = world.session();
  std::vector<scsi::Buffer> hogs;
  while (auto hog = world.pool.try_take(1, 65536)) hogs.push_back(std::move(*hog));
  ScsiCommand command = write_of(*i, 1000000);
  i->send(command.encode());
  i->expect_silence();
  SECTION("by losing its connection") { i->connection().lost(i->now()); }
  SECTION("by an abort") {
    TaskManagementRequest abort;
    abort.immediate = true;
    abort.function = 1;
    abort.task_tag = 5;
    abort.referenced_tag = command.task_tag;
    abort.cmd_sn = i->cmd_sn;
    i->send(abort.encode());
    i->expect(Opcode::kTaskManagementResponse);
  }
  hogs.clear();
  i->expect_silence();
  i.reset();
  CHECK(world.pool.lent_bytes() == 0);
}

TEST_CASE("an expected length of 4 GiB reserves nothing", "[iscsi]") {
  World world;
  auto i = world.session();
  ScsiCommand command = i->command({0x0A, 0, 0, 1, 0, 0}, 0xFFFFFFFF);
  command.write = true;
  CHECK(i->run(command, pattern(1000)) == 0);
  CHECK(world.unit.records.at(0).size() == 256);
  CHECK(i->last_underflow);
  CHECK(i->last_residual == 0xFFFFFFFF - 256);
  // A CDB that asks for more than any buffer holds is refused, not waited for.
  ScsiCommand huge = i->command({0x2A, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}, 0xFFFFFFFF);
  huge.write = true;
  CHECK(i->run(huge) == 2);
  CHECK(sense_of(i->last_sense) == 0x052400);
}

TEST_CASE("small writes do not use up large buffers", "[iscsi]") {
  World world;
  auto i = world.session();
  world.unit.keep_buffers = true;
  const std::size_t before = world.pool.lent_bytes();
  ScsiCommand command = i->command({0x15, 0x10, 0, 0, 12, 0}, 12);
  command.write = true;
  CHECK(i->run(command, pattern(12)) == 0);
  CHECK(world.pool.lent_bytes() - before == 65536);
}
