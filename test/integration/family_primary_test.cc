// libiscsi's families of commands that every device has, told anew on a drive and on the changer:
// INQUIRY, REPORT SUPPORTED OPERATION CODES, REPORT LUNS, TEST UNIT READY, MODE SENSE and SELECT.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "neighbour.h"

namespace {

const ByteString kReady(6);

struct Devices : Neighbour {
  RawSession tape = session();
  RawSession changer{port(), daemon().changer()};
  Devices() { changer.clear_unit_attentions(); }

  static CommandResult in(RawSession& host, const ByteString& cdb, std::uint32_t expected) {
    return host.run(host.command(cdb, Way::kIn, expected));
  }
  static CommandResult inquiry(RawSession& host, int page, std::uint16_t length) {
    return in(host,
              {0x12, static_cast<std::uint8_t>(page < 0 ? 0 : 1),
               static_cast<std::uint8_t>(page < 0 ? 0 : page),
               static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length), 0},
              1024);
  }
  static CommandResult report(RawSession& host, int options, int opcode = 0, int action = 0) {
    return in(host,
              {0xa3, 0x0c, static_cast<std::uint8_t>(options), static_cast<std::uint8_t>(opcode),
               static_cast<std::uint8_t>(action >> 8), static_cast<std::uint8_t>(action), 0, 0,
               0xff, 0xff, 0, 0},
              65535);
  }
};

}  // namespace

TEST_CASE_METHOD(Devices, "INQUIRY: standard data, its versions, allocation lengths",
                 "[family][misread]") {
  for (RawSession* host : {&tape, &changer}) {
    const ByteString whole = inquiry(*host, -1, 0xffff).data;
    REQUIRE(whole.size() >= 74);
    CHECK(whole[0] == (host == &tape ? 0x01 : 0x08));  // connected, and what it is
    CHECK((whole[1] & 0x80) == 0x80);                  // RMB
    CHECK((whole[2] == 5 || whole[2] == 6));           // SPC-3 or SPC-4
    CHECK((whole[3] & 0x0f) == 2);
    CHECK(whole[4] == whole.size() - 5);
    CHECK((whole[7] & 0x02) == 0x02);  // CMDQUE
    for (std::size_t at = 8; at < 36; ++at) CHECK((whole[at] >= 0x20 && whole[at] < 0x7f));
    // What it keeps to, of any revision (SPC-4 table 147): SPC-4, SSC-4 or SMC-3, iSCSI.
    std::set<unsigned> versions;
    for (std::size_t at = 58; at < 74; at += 2) versions.insert(number_at(whole, at, 2) & 0xffe0);
    for (const unsigned one : {0x0460u, host == &tape ? 0x0520u : 0x0480u, 0x0960u}) {
      CAPTURE(one);
      CHECK(versions.count(one) == 1);
    }
    for (std::uint16_t length = 0; length < 256; length = static_cast<std::uint16_t>(length + 5)) {
      const CommandResult cut = inquiry(*host, -1, length);
      CHECK(cut.good());
      CHECK((cut.data ==
             ByteString(whole.begin(),
                        whole.begin() + std::min<std::ptrdiff_t>(length, std::ssize(whole)))));
    }
    // Lengths have two bytes since SPC-3.
    CHECK((inquiry(*host, -1, 511).data == whole));
    CHECK((inquiry(*host, -1, 512).data == whole));
  }
}

TEST_CASE_METHOD(Devices, "INQUIRY: pages that there have to be, sorted, and no others",
                 "[family][misread]") {
  for (RawSession* host : {&tape, &changer}) {
    const ByteString pages = inquiry(*host, 0, 255).data;
    REQUIRE(pages.size() >= 4);
    REQUIRE(pages.size() == 4u + pages[3]);
    const std::set<int> listed(pages.begin() + 4, pages.end());
    CHECK(std::is_sorted(pages.begin() + 4, pages.end()));
    CHECK(listed.size() == pages.size() - 4);
    CHECK(listed.count(0x00) == 1);  // SPC-4 7.8.1: supported pages, and identification
    CHECK(listed.count(0x83) == 1);
    CHECK(listed.count(0x80) == 1);
    CHECK(listed.count(0xb0) == (host == &tape ? 1u : 0u));  // SSC: sequential-access capabilities
    for (int page = 0; page < 256; ++page) {
      const CommandResult result = inquiry(*host, page, 1024);
      CAPTURE(page);
      if (listed.count(page) == 0) {
        CHECK(result.sense_code() == "5/24/00");
        continue;
      }
      REQUIRE(result.data.size() >= 4);
      CHECK(result.data[0] == pages[0]);
      CHECK(result.data[1] == page);
      CHECK(result.data.size() == 4 + number_at(result.data, 2, 2));
    }
    // A page code without EVPD.
    CHECK(in(*host, {0x12, 0, 0x83, 0, 255, 0}, 255).sense_code() == "5/24/00");
    // Identification: a NAA or EUI-64 designator of the unit, and its target port by name.
    const ByteString ids = inquiry(*host, 0x83, 1024).data;
    std::set<int> of_unit, of_port;
    for (std::size_t at = 4; at + 4 <= ids.size(); at += 4u + ids[at + 3])
      (((ids[at + 1] >> 4) & 3) == 0 ? of_unit : of_port).insert(ids[at + 1] & 0x0f);
    CHECK((of_unit.count(2) != 0 || of_unit.count(3) != 0));
    CHECK(of_port.count(8) == 1);
  }
}

TEST_CASE_METHOD(Devices, "REPORT SUPPORTED OPERATION CODES: all, one, with timeouts", "[family]") {
  for (RawSession* host : {&tape, &changer}) {
    const ByteString all = report(*host, 0).data;
    REQUIRE(all.size() > 4);
    REQUIRE(all.size() == 4 + number_at(all, 0));
    const ByteString timed = report(*host, 0x80).data;
    CHECK(timed.size() == 4 + (all.size() - 4) / 8 * 20);
    std::map<int, bool> with_actions;  // by opcode
    for (std::size_t at = 4, with = 4; at < all.size(); at += 8, with += 20) {
      const int opcode = all[at];
      const int action = static_cast<int>(number_at(all, at + 2, 2));
      const bool has_action = (all[at + 5] & 1) != 0;
      const std::size_t length = number_at(all, at + 6, 2);
      CAPTURE(opcode, action);
      CHECK((has_action || action == 0));
      CHECK((length == 6 || length == 10 || length == 12 || length == 16));
      // An opcode has service actions, or has none.
      const auto known = with_actions.emplace(opcode, has_action);
      CHECK(known.first->second == has_action);
      // The same with a command timeouts descriptor.
      CHECK(timed[with] == opcode);
      CHECK((timed[with + 5] & 3) == (2 | (has_action ? 1 : 0)));
      CHECK(number_at(timed, with + 8, 2) == 0x0a);
      CHECK(number_at(timed, with + 16) > 0);
      // One command: by its opcode if that says it, else with its service action; 3 takes both.
      const CommandResult plain = report(*host, 1, opcode),
                          service = report(*host, 2, opcode, action);
      CHECK(plain.sense_code() == (has_action ? "5/24/00" : ""));
      CHECK(service.sense_code() == (has_action ? "" : "5/24/00"));
      for (const ByteString& one :
           {has_action ? service.data : plain.data, report(*host, 3, opcode, action).data,
            report(*host, 0x83, opcode, action).data}) {
        REQUIRE(one.size() >= 4 + length);
        CHECK((one[1] & 7) == 3);  // as the standard has it
        CHECK(number_at(one, 2, 2) == length);
        CHECK(one[4] == opcode);
        if (has_action) CHECK((one[5] & 0x1f) == action);
        CHECK(one.size() == 4 + length + ((one[1] & 0x80) != 0 ? 12 : 0));
      }
    }
    CHECK(with_actions.count(0x12) == 1);
    CHECK(with_actions.count(0xa0) == 1);
    CHECK(with_actions.count(host == &tape ? 0x0a : 0xa5) == 1);
    // What there is not is said so, and not refused.
    for (const int opcode : {0x28, 0x83, 0xff}) {
      const ByteString absent = report(*host, 1, opcode).data;
      REQUIRE(absent.size() == 4);
      CHECK((absent[1] & 7) == 1);
    }
    CHECK((report(*host, 3, 0x5e, 0x1f).data.at(1) & 7) == 1);
    CHECK(report(*host, 4).sense_code() == "5/24/00");
  }
}

TEST_CASE_METHOD(Devices, "REPORT TARGET PORT GROUPS: one port, and no such command", "[family]") {
  for (RawSession* host : {&tape, &changer})
    CHECK(in(*host, {0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 256).sense_code() == "5/24/00");
}

TEST_CASE_METHOD(Devices, "REPORT LUNS", "[family]") {
  const ByteString one = {0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  for (RawSession* host : {&tape, &changer}) {
    for (const int select : {0, 2})
      CHECK(in(*host, {0xa0, 0, static_cast<std::uint8_t>(select), 0, 0, 0, 0, 0, 0, 16, 0, 0}, 16)
                .data == one);
    // Well-known units: there is none.
    CHECK(in(*host, {0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 0, 0}, 16).data == ByteString(8));
    CHECK(in(*host, {0xa0, 0, 0x77, 0, 0, 0, 0, 0, 0, 16, 0, 0}, 16).sense_code() == "5/24/00");
  }
}

TEST_CASE_METHOD(Devices, "TEST UNIT READY: with a tape, and what works without one", "[family]") {
  CHECK(tape.run(tape.command(kReady)).good());
  CHECK(changer.run(changer.command(kReady)).good());
  RawSession empty(port(), drive(3));
  empty.clear_unit_attentions();
  CHECK(empty.run(empty.command(kReady)).sense_code() == "2/3A/00");
  for (const ByteString& cdb : {read6(512), ByteString{0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0}})
    CHECK(in(empty, cdb, 512).sense_code() == "2/3A/00");
  CHECK(empty.run(empty.command(write6(512), Way::kOut, 512), ByteString(512)).sense_code() ==
        "2/3A/00");
  for (const ByteString& cdb : {ByteString{0x01, 0, 0, 0, 0, 0}, ByteString{0x10, 0, 0, 0, 1, 0},
                                ByteString{0x11, 0, 0, 0, 1, 0}, ByteString{0x19, 0, 0, 0, 0, 0}})
    CHECK(empty.run(empty.command(cdb)).sense_code() == "2/3A/00");
  for (const ByteString& cdb :
       {ByteString{0x12, 0, 0, 0, 36, 0}, ByteString{0x1a, 0, 0x3f, 0, 255, 0},
        ByteString{0x4d, 0, 0x40, 0, 0, 0, 0, 1, 0, 0}, ByteString{0x03, 0, 0, 0, 18, 0},
        ByteString{0x05, 0, 0, 0, 0, 0}, ByteString{0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0},
        ByteString{0x44, 0, 0, 0, 0, 0, 0, 1, 0, 0}, ByteString{0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0}})
    CHECK(in(empty, cdb, 512).good());
  CHECK(empty.run(empty.command({0x1e, 0, 0, 0, 0, 0})).good());
}

TEST_CASE_METHOD(Devices, "MODE SENSE: all pages, the control page, no saved values", "[family]") {
  for (RawSession* host : {&tape, &changer}) {
    const ByteString all = in(*host, {0x5a, 0, 0x3f, 0, 0, 0, 0, 4, 0, 0}, 1024).data;
    REQUIRE(all.size() > 8);
    CHECK(all.size() == 2 + number_at(all, 0, 2));
    std::size_t at = 8 + number_at(all, 6, 2);
    std::vector<int> pages;
    while (at + 2 <= all.size()) {
      pages.push_back(all[at] & 0x3f);
      at += (all[at] & 0x40) != 0 ? 4 + number_at(all, at + 2, 2) : 2u + all[at + 1];
    }
    CHECK(at == all.size());  // they fill it, exactly
    CHECK(std::is_sorted(pages.begin(), pages.end()));
    const ByteString control = in(*host, {0x1a, 0x08, 0x0a, 0, 255, 0}, 255).data;
    if (host == &tape) {
      CHECK(std::count(pages.begin(), pages.end(), 0x0a) == 1);
      REQUIRE(control.size() == 4 + 12);
      CHECK((control[4] & 0x3f) == 0x0a);
      CHECK(control[5] == 10);
      CHECK((control[6] & 0x04) == 0);  // D_SENSE: fixed format, and that is what comes
      CHECK((tape.run(tape.command({0xd5})).sense.at(0) & 0x7f) == 0x70);
    }
    CHECK(in(*host, {0x1a, 0, 0xff, 0, 255, 0}, 255).sense_code() == "5/39/00");
    CHECK(in(*host, {0x1a, 0, 0x3e, 0, 255, 0}, 255).sense_code() == "5/24/00");
    // Changeable values have the same pages.
    const ByteString changeable = in(*host, {0x5a, 0, 0x7f, 0, 0, 0, 0, 4, 0, 0}, 1024).data;
    CHECK(changeable.size() == all.size());
  }
}

TEST_CASE_METHOD(Devices, "MODE SELECT: what may be changed is, the rest is refused", "[family]") {
  const auto select = [&](std::uint8_t flags, const ByteString& list) {
    return tape
        .run(tape.command({0x15, flags, 0, 0, static_cast<std::uint8_t>(list.size()), 0}, Way::kOut,
                          static_cast<std::uint32_t>(list.size())),
             list)
        .sense_code();
  };
  const auto page = [&](std::uint8_t control) {
    return in(tape, {0x1a, 0x08, static_cast<std::uint8_t>(control | 0x0a), 0, 255, 0}, 255).data;
  };
  // Each bit of the control page that is not changeable: refused, with nothing changed
  // (SPC-4 6.11).
  const ByteString now = page(0x00), mask = page(0x40);
  REQUIRE(mask.size() == now.size());
  for (std::size_t at = 6; at < now.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      if ((mask[at] >> bit & 1) != 0) continue;
      ByteString list = now;
      list[0] = 0;
      list[4] &= 0x3f;
      list[at] = static_cast<std::uint8_t>(list[at] ^ 1 << bit);
      CAPTURE(at, bit);
      CHECK(select(0x10, list) == "5/26/00");
    }
  }
  CHECK(page(0x00) == now);
  // As it is, it may come; to be saved it may not.
  ByteString list = now;
  list[0] = 0;
  list[4] &= 0x3f;
  CHECK(select(0x10, list) == "");
  CHECK(select(0x11, list) == "5/24/00");
  CHECK(select(0x10, {}) == "");
}
