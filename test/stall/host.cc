#include "test/stall/host.h"

#include <chrono>
#include <stdexcept>

std::string describe(const CommandResult& result) {
  return result.transport_error.empty() ? "sense " + result.sense_code() : result.transport_error;
}

void check(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void expect(const CommandResult& result, const std::string& what) {
  check(result.good(), what + ": " + describe(result));
}

Host::Host(World& world, int number)
    : name("drive " + std::to_string(number)), session(world.load(number)) {
  tape.barcode = World::barcode(number);
}

ByteString Host::next_record() {
  tape.sent(at, {kRecord, at + 1});
  return pattern(kRecord, ++at);
}

void Host::write(int records) {
  while (records-- > 0) expect(write_block(session, next_record()), name + ": WRITE");
}

void Host::write_filemark() {
  tape.sent(at++, {0, 0});
  expect(write_filemarks(session, 1), name + ": WRITE FILEMARKS");
  tape.synchronised();
}

void Host::read_back() {
  check(tape.check(session) == at, name + ": there is less on the tape than was written");
}

void Host::stream() {
  write(40);
  write_filemark();
  read_back();
}

// --- what is answered whatever a disk does

void ask(Initiator& session, const std::string& who) {
  check(session.nop_out("still there?"), who + ": NOP-Out");
  const CommandResult ready = session.none({0x00, 0, 0, 0, 0, 0});
  const std::string sense = ready.sense_code().substr(0, 5);
  check(ready.good() || sense == "2/04/" || sense == "2/3A/",
        who + ": TEST UNIT READY: " + describe(ready));
  expect(session.in({0x12, 0, 0, 0, 96, 0}, 96), who + ": INQUIRY");
  expect(session.in({0x12, 1, 0x83, 0, 252, 0}, 252), who + ": INQUIRY, VPD 83h");
  expect(session.in({0x03, 0, 0, 0, 18, 0}, 18), who + ": REQUEST SENSE");
  expect(session.in({0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 0, 0}, 64), who + ": REPORT LUNS");
}

void ask_changer(Initiator& session, const std::string& who) {
  ask(session, who);
  expect(session.in({0xb8, 0x10, 0, 0, 0xff, 0xff, 0, 0, 0x40, 0, 0, 0}, 16384),
         who + ": READ ELEMENT STATUS");
}

void ask_command_line(World& world) {
  const nlohmann::json shown = vtl_json({"library", "show", "--data", world.daemon.data()});
  check(!shown.at("elements").empty(), "vtl library show shows nothing");
  check(!world.daemon.server().at("sessions").empty(), "GET /v1/server shows no session");
}

// --- commands that wait for the disk

Waiting begin_filemark(Host& host) {
  host.tape.sent(host.at++, {0, 0});
  return std::make_unique<Pending>(host.session, host.name + ": WRITE FILEMARKS",
                                   std::initializer_list<int>{0x10, 0, 0, 0, 1, 0});
}

Waiting fill(Host& host) {
  for (int n = 0; n < 1000; ++n) {
    auto one = std::make_unique<Pending>(host.session, host.name + ": WRITE",
                                         std::initializer_list<int>{0x0a, 0, 4, 0, 0, 0},
                                         Pending::Data::kOut, host.next_record());
    if (!one->answered(std::chrono::milliseconds(2000))) return one;
    expect(one->result(), host.name + ": WRITE");
  }
  throw std::runtime_error(host.name + ": its buffer has no end");
}

Waiting begin_read(Host& host) {
  return std::make_unique<Pending>(host.session, host.name + ": READ",
                                   std::initializer_list<int>{0x08, 0, 4, 0, 0, 0},
                                   Pending::Data::kIn, ByteString(kRecord));
}

Waiting begin_move(Initiator& changer, int source, int destination) {
  return std::make_unique<Pending>(
      changer, "MOVE MEDIUM",
      std::initializer_list<int>{0xa5, 0, 0, 0, source >> 8, source & 0xff, destination >> 8,
                                 destination & 0xff, 0, 0, 0, 0});
}

void check_waits(Pending& pending, const std::string& what) {
  check(!pending.answered(std::chrono::milliseconds(0)),
        what + " was answered, and the disk does nothing");
}
