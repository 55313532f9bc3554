// What one nexus does, as the others see it: unit attentions, and what a reservation leaves them.
#include <set>

#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::SamStatus;

namespace {

// A third initiator, who only looks.
struct Three : Rig {
  Three() {
    scsi::NexusInfo info;
    info.id = c;
    info.transport_id = bytes({0x45, 3});
    drive.nexus_established(info);
    load(std::make_unique<MemoryMedium>(8, 2));
    for (const scsi::NexusId nexus : {a, b, c}) drain(nexus);
  }
  // All that a nexus is told now, in order.
  std::string told(scsi::NexusId nexus) {
    std::string out;
    while (!good(run({0x00}, nexus))) {
      REQUIRE(last.reply.sense);
      REQUIRE(last.reply.sense->key == scsi::SenseKey::kUnitAttention);
      out += (out.empty() ? "" : " ") + sense_of(last);
    }
    return out;
  }
  std::string told_all() { return told(a) + "|" + told(b) + "|" + told(c); }
  const Ended& reserve_out(int action, scsi::NexusId nexus, int key, int service_key,
                           int type = 1) {
    Data list(24);
    list[7] = static_cast<std::byte>(key);
    list[15] = static_cast<std::byte>(service_key);
    return send({0x5F, u8(static_cast<unsigned>(action)), u8(static_cast<unsigned>(type)), 0, 0, 0,
                 0, 0, 24, 0},
                list, nexus);
  }
  const Ended& set_key(int scope, int control, int modes, scsi::NexusId nexus) {
    Data list = bytes({0, 0x10, 0, 48, scope, control, modes, modes, 1});
    list.resize(19);
    list.push_back(std::byte{32});
    list.resize(52, std::byte{9});
    return send({0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 52, 0, 0}, list, nexus);
  }
  scsi::NexusId c{3, 1};
};

Data extension(int write_mode, int pews) {
  Data list = bytes({0, 0, 0, 0x10, 0, 0, 0, 0, 0x50, 1, 0, 0x1C, 0, write_mode << 4 | 2, 0, pews});
  list.resize(40);
  return list;
}

}  // namespace

TEST_CASE("Others: who is told what, and that nobody is told anything else") {
  Three rig;
  const auto select = [&](Data list) {
    return good(rig.send({0x55, 0x10, 0, 0, 0, 0, 0, 0, Rig::u8(list.size()), 0}, list));
  };
  // What changes nothing for anybody else.
  for (const Cdb& cdb : {Cdb{0x01}, Cdb{0x04}, Cdb{0x10, 0, 0, 0, 1}, Cdb{0x19},
                         Cdb{0x1E, 0, 0, 0, 1}, Cdb{0x1E}, Cdb{0x16}, Cdb{0x17}, Cdb{0x1D, 4}}) {
    INFO(int(cdb[0]));
    CHECK(good(rig.run(cdb, rig.a, 0)));
  }
  CHECK(good(rig.write(100)));
  CHECK(good(rig.send({0x8D, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10},
                      bytes({0, 0, 0, 6, 8, 5, 0, 0, 1, 0x81}))));
  CHECK(select(extension(0, 0)));  // as it was
  CHECK(rig.told_all() == "||");

  CHECK(select(extension(0, 9)));
  CHECK(rig.told_all() == "|6/2A/01|6/2A/01");
  CHECK(select(extension(0, 9)));
  CHECK(good(rig.run({0x4C, 0x02, 0x40}, rig.b, 0)));
  CHECK(rig.told_all() == "6/2A/02||6/2A/02");
  CHECK(good(rig.send({0xA4, 0x0F, 0, 0, 0, 0, 0, 0, 0, 12}, Data(12))));
  CHECK(rig.told_all() == "|6/2A/10|6/2A/10");

  // Encryption: of one nexus, of all, back to nothing, and again nothing.
  CHECK(good(rig.set_key(0x20, 0, 2, rig.a)));
  CHECK(rig.told_all() == "||");
  CHECK(good(rig.set_key(0x40, 0, 2, rig.b)));
  CHECK(rig.told_all() == "||6/2A/11");  // a has its own
  CHECK(good(rig.set_key(0x40, 0, 0, rig.b)));
  CHECK(rig.told_all() == "||6/2A/11");
  CHECK(good(rig.set_key(0x40, 0, 0, rig.b)));
  CHECK(rig.told_all() == "||");
  CHECK(good(rig.set_key(0x40, 0x04, 2, rig.a)));  // CKOD
  CHECK(rig.told_all() == "|6/2A/11|6/2A/11");
  CHECK(good(rig.run({0x1B}, rig.b, 0)));
  CHECK(sense_of(rig.run({0x1B, 0, 0, 0, 1}, rig.b, 0)) == "6/2A/12");
  CHECK(good(rig.run({0x1B, 0, 0, 0, 1}, rig.b, 0)));
  CHECK(rig.told_all() == "6/2A/12 6/28/00||6/2A/12 6/28/00");

  // Persistent reservations: write exclusive, registrants only.
  for (const auto& [nexus, key] : {std::pair(rig.a, 1), std::pair(rig.b, 2), std::pair(rig.c, 3)})
    CHECK(good(rig.reserve_out(0, nexus, 0, key)));
  CHECK(good(rig.reserve_out(1, rig.a, 1, 0, 5)));
  CHECK(rig.told_all() == "||");
  CHECK(good(rig.reserve_out(2, rig.a, 1, 0, 5)));
  CHECK(rig.told_all() == "|6/2A/04|6/2A/04");
  CHECK(good(rig.reserve_out(4, rig.a, 1, 2, 5)));
  CHECK(rig.told_all() == "|6/2A/05|");
  CHECK(good(rig.reserve_out(3, rig.a, 1, 0)));
  CHECK(rig.told_all() == "||6/2A/03");

  rig.drive.manage(scsi::TaskFunction::kClearTaskSet, rig.a, {}, [](auto) {});
  CHECK(rig.told_all() == "||");  // nobody had a task
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.a, {}, [](auto) {});
  CHECK(rig.told_all() == "6/29/03|6/29/03|6/29/03");
  rig.remove();
  CHECK(good(rig.run({0x12}, rig.a)));
  rig.insert(std::make_unique<MemoryMedium>());
  CHECK(rig.told_all() == "6/28/00|6/28/00|6/28/00");
}

TEST_CASE("Others: what each command may do under each reservation of another") {
  // RESERVE(6); write exclusive; exclusive access; and the last two for a registered nexus.
  constexpr unsigned kReserve = 1, kWrite = 2, kExclusive = 4;
  constexpr unsigned kNever = 0, kOfReserve = kReserve, kOfThose = kReserve | kExclusive,
                     kAlways = kReserve | kWrite | kExclusive;
  const std::map<std::string, unsigned> conflicts = {
      {"TEST UNIT READY", kOfReserve},
      {"REWIND", kAlways},
      {"REQUEST SENSE", kNever},
      {"FORMAT MEDIUM", kAlways},
      {"READ BLOCK LIMITS", kNever},
      {"READ(6)", kAlways},
      {"WRITE(6)", kAlways},
      {"SET CAPACITY", kAlways},
      {"WRITE FILEMARKS(6)", kAlways},
      {"SPACE(6)", kAlways},
      {"INQUIRY", kNever},
      {"VERIFY(6)", kAlways},
      {"MODE SELECT(6)", kAlways},
      {"ERASE(6)", kAlways},
      {"MODE SENSE(6)", kOfThose},
      {"LOAD UNLOAD", kAlways},
      {"RECEIVE DIAGNOSTIC RESULTS", kOfThose},
      {"SEND DIAGNOSTIC", kAlways},
      {"LOCATE(10)", kAlways},
      {"READ POSITION, SHORT FORM", kOfThose},
      {"READ POSITION, VENDOR-SPECIFIC SHORT FORM", kOfThose},
      {"READ POSITION, LONG FORM", kOfThose},
      {"READ POSITION, EXTENDED FORM", kOfThose},
      {"WRITE BUFFER", kAlways},
      {"READ BUFFER", kOfThose},
      {"REPORT DENSITY SUPPORT", kNever},
      {"LOG SELECT", kAlways},
      {"LOG SENSE", kNever},
      {"MODE SELECT(10)", kAlways},
      {"MODE SENSE(10)", kOfThose},
      {"ALLOW OVERWRITE", kAlways},
      {"READ ATTRIBUTE, VALUES", kOfThose},
      {"READ ATTRIBUTE, LIST", kOfThose},
      {"READ ATTRIBUTE, LOGICAL VOLUME LIST", kOfThose},
      {"READ ATTRIBUTE, PARTITION LIST", kOfThose},
      {"READ ATTRIBUTE, SUPPORTED ATTRIBUTES", kOfThose},
      {"WRITE ATTRIBUTE", kAlways},
      {"SPACE(16)", kAlways},
      {"LOCATE(16)", kAlways},
      {"REPORT LUNS", kNever},
      {"SECURITY PROTOCOL IN", kOfThose},
      {"REPORT IDENTIFYING INFORMATION", kOfThose},
      {"REPORT SUPPORTED OPERATION CODES", kOfThose},
      {"REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", kOfThose},
      {"REPORT TIMESTAMP", kOfReserve},
      {"SET TIMESTAMP", kAlways},
      {"READ MEDIA SERIAL NUMBER", kOfThose},
      {"SECURITY PROTOCOL OUT", kAlways},
  };
  std::set<std::string> seen;
  for (const auto& [bit, type] : {std::pair(kReserve, 0), std::pair(kWrite, 1),
                                  std::pair(kExclusive, 3), std::pair(0u, 5), std::pair(0u, 8)}) {
    Three rig;
    if (type == 0) {
      CHECK(good(rig.run({0x16}, rig.a, 0)));
    } else {
      CHECK(good(rig.reserve_out(0, rig.a, 0, 1)));
      CHECK(good(rig.reserve_out(0, rig.b, 0, 2)));
      CHECK(good(rig.reserve_out(1, rig.a, 1, 0, type)));
    }
    for (const scsi::CommandRow& row : rig.drive.rows()) {
      const auto found = conflicts.find(row.name);
      if (found == conflicts.end()) continue;
      seen.insert(row.name);
      INFO(row.name << ", type " << type);
      Cdb cdb(16);
      cdb[0] = row.opcode;
      if (row.service_action > 0) cdb[1] = Rig::u8(static_cast<unsigned>(row.service_action));
      rig.run(cdb, rig.b, 0);
      CHECK((rig.last.reply.status == SamStatus::kReservationConflict) ==
            ((found->second & bit) != 0));
      CHECK_FALSE(rig.run(cdb, rig.a, 0).reply.status == SamStatus::kReservationConflict);
    }
    // PREVENT = 1 conflicts, ALLOW does not.
    CHECK((rig.run({0x1E, 0, 0, 0, 1}, rig.b, 0).reply.status == SamStatus::kReservationConflict) ==
          (bit != 0));
    CHECK(good(rig.run({0x1E}, rig.b, 0)));
    CHECK(good(rig.run({0x17}, rig.b, 0)));
  }
  CHECK(seen.size() == conflicts.size());
}
