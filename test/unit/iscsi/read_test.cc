// Data-in, responses, residuals.
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

ScsiCommand read_of(ScriptedInitiator& i, std::uint32_t length, std::uint32_t expected,
                    unsigned opcode = 0x08) {
  ScsiCommand pdu =
      i.command({opcode, 0, length >> 16, length >> 8 & 0xFF, length & 0xFF}, expected);
  pdu.read = true;
  return pdu;
}

}  // namespace

TEST_CASE("data-in is cut to the initiator's segments and to bursts", "[iscsi]") {
  for (const std::uint32_t segment : {512u, 8192u, 16777215u}) {
    for (const std::uint32_t burst : {512u, 20000u, 1048576u}) {
      World world;
      LoginOptions options;
      options.set("MaxRecvDataSegmentLength", std::to_string(segment));
      options.set("MaxBurstLength", std::to_string(burst));
      auto i = world.session(options);
      const std::uint32_t length = 50001;
      const ScsiCommand command = read_of(*i, length, length);
      i->send(command.encode());
      Data all;
      std::uint32_t data_sn = 0;
      for (;;) {
        const Received pdu = i->expect(Opcode::kDataIn);
        const DataIn in = pdu.as<DataIn>();
        CHECK(in.data_sn == data_sn++);
        CHECK(in.offset == all.size());
        CHECK(pdu.data.size() <= segment);
        CHECK(in.offset / burst == (in.offset + pdu.data.size() - 1) / burst);
        all.insert(all.end(), pdu.data.begin(), pdu.data.end());
        CHECK(in.final == (all.size() % burst == 0 || all.size() == length));
        CHECK(in.has_status == (all.size() == length));
        CHECK(!in.acknowledge);
        if (in.has_status) break;
      }
      CHECK(all == pattern(length));
      i->expect_silence();
    }
  }
}

TEST_CASE("residuals have a flag exactly when they are not zero", "[iscsi]") {
  World world;
  auto i = world.session();
  CHECK(i->run(read_of(*i, 100, 100)) == 0);
  CHECK((!i->last_overflow && !i->last_underflow && i->last_residual == 0));
  CHECK(i->run(read_of(*i, 100, 300)) == 0);
  CHECK((!i->last_overflow && i->last_underflow && i->last_residual == 200));
  CHECK(i->last_data.size() == 100);
  CHECK(i->run(read_of(*i, 300, 100)) == 0);
  CHECK((i->last_overflow && !i->last_underflow && i->last_residual == 200));
  CHECK(i->last_data.size() == 100);
  // Nothing to send: no Data-In at all.
  CHECK(i->run(read_of(*i, 0, 100)) == 0);
  CHECK((i->last_underflow && i->last_residual == 100 && i->last_data.empty()));
  CHECK(i->run(read_of(*i, 100, 0)) == 0);
  CHECK((i->last_overflow && i->last_residual == 100 && i->last_data.empty()));
  // Data that the initiator did not say it would take.
  ScsiCommand none = read_of(*i, 100, 0);
  none.read = false;
  CHECK(i->run(none) == 0);
  CHECK((i->last_overflow && i->last_residual == 100 && i->last_data.empty()));
  // The command wants to write and the initiator offers to read.
  CHECK(i->run(read_of(*i, 100, 100, 0x0A)) == 2);
}

TEST_CASE("with sense, data-in and status are apart", "[iscsi]") {
  World world;
  LoginOptions options;
  options.set("MaxRecvDataSegmentLength", "512");
  auto i = world.session(options);
  const ScsiCommand command = read_of(*i, 1000, 1500, 0x0F);
  i->send(command.encode());
  CHECK(!i->expect(Opcode::kDataIn).as<DataIn>().has_status);
  const DataIn last = i->expect(Opcode::kDataIn).as<DataIn>();
  CHECK(!last.has_status);
  CHECK(last.final);
  const Received received = i->expect(Opcode::kScsiResponse);
  const ScsiResponse response = received.as<ScsiResponse>();
  CHECK(response.status == 2);
  CHECK(response.exp_data_sn == 2);
  CHECK(response.underflow);
  CHECK(response.residual == 500);
  CHECK(received.data.size() == 20);
}

TEST_CASE("absent LUNs answer as SPC wants", "[iscsi]") {
  World world;
  auto i = world.session();
  // LUN 1, 65535, well-known, two levels
  for (const std::uint64_t lun : {0x0001000000000000u, 0xFFFF000000000000u, 0xC101000000000000u,
                                  0x0000000100000000u, 0x40FF000000000000u}) {
    ScsiCommand command = i->command({0x00});
    command.lun = lun;
    CHECK(i->run(command) == 2);
    CHECK(sense_of(i->last_sense) == 0x052500);
    ScsiCommand inquiry = i->command({0x12, 0, 0, 0, 36, 0}, 36);
    inquiry.read = true;
    inquiry.lun = lun;
    CHECK(i->run(inquiry) == 0);
    CHECK(i->last_data.at(0) == std::byte{0x7F});
    ScsiCommand write = i->command({0x0A, 0, 0, 1, 0, 0}, 256);
    write.write = true;
    write.lun = lun;
    CHECK(i->run(write, pattern(256)) == 2);
  }
  // Flat addressing of the one that there is.
  ScsiCommand flat = i->command({0x00});
  flat.lun = 0x4000000000000000;
  CHECK(i->run(flat) == 0);
}

TEST_CASE("a client that does not read holds up its own commands only", "[iscsi]") {
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
  i->reading = false;
  std::vector<std::uint32_t> tags;
  for (int n = 0; n < 20; ++n) {
    const ScsiCommand command = read_of(*i, 1000000, 1000000);
    tags.push_back(command.task_tag);
    i->send(command.encode());
  }
  std::size_t queued = 0;
  for (const iovec& span : i->connection().send_spans()) queued += span.iov_len;
  CHECK(queued <= 6u << 20);  // not twenty records
  CHECK(j->run(j->command({0x00})) == 0);
  i->reading = true;
  for (const std::uint32_t tag : tags) CHECK(i->finish(tag) == 0);
  i->expect_silence();
  // And one that never reads again is dropped.
  i->reading = false;
  i->send(read_of(*i, 1000, 1000).encode());
  i->pass(59s);
  CHECK(!i->closed());
  i->pass(2s);
  CHECK(i->closed());
  CHECK(world.portal->sessions().size() == 1);
}
