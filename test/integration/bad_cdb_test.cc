// Bad CDBs and parameter lists, and what is not spoken here at all: rows of the table in README.md.
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "neighbour.h"

namespace {

const ByteString kReady(6), kRewind{0x01, 0, 0, 0, 0, 0};

struct Cdbs : Neighbour {
  RawSession bad = session();

  CommandResult in(ByteString cdb, std::uint32_t expected) {
    return bad.run(bad.command(cdb, Way::kIn, expected));
  }
  std::string out(const ByteString& cdb, const ByteString& list) {
    return bad.run(bad.command(cdb, Way::kOut, static_cast<std::uint32_t>(list.size())), list)
        .sense_code();
  }
  // PERSISTENT RESERVE OUT with `length` in its CDB.
  std::string reserve_out(std::uint8_t action, std::uint32_t length, const ByteString& list) {
    return out({0x5f, action, 0, 0, 0, static_cast<std::uint8_t>(length >> 24),
                static_cast<std::uint8_t>(length >> 16), static_cast<std::uint8_t>(length >> 8),
                static_cast<std::uint8_t>(length), 0},
               list);
  }
};

}  // namespace

TEST_CASE_METHOD(Cdbs, "bad input 26: allocation lengths", "[bad]") {
  struct Form {
    const char* what;
    ByteString cdb;
    std::size_t at, width;  // of the allocation length
  };
  const std::vector<Form> forms = {
      {"INQUIRY", {0x12, 0, 0, 0, 0, 0}, 3, 2},
      {"INQUIRY, 83h", {0x12, 1, 0x83, 0, 0, 0}, 3, 2},
      {"REQUEST SENSE", {0x03, 0, 0, 0, 0, 0}, 4, 1},
      {"MODE SENSE(6)", {0x1a, 0, 0x3f, 0, 0, 0}, 4, 1},
      {"MODE SENSE(10)", {0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"LOG SENSE", {0x4d, 0, 0x40, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"LOG SENSE, TapeAlert", {0x4d, 0, 0x6e, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"REPORT LUNS", {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
      {"REPORT DENSITY SUPPORT", {0x44, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"READ KEYS", {0x5e, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"READ RESERVATION", {0x5e, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"REPORT CAPABILITIES", {0x5e, 2, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"READ FULL STATUS", {0x5e, 3, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"READ POSITION", {0x34, 8, 0, 0, 0, 0, 0, 0, 0, 0}, 7, 2},
      {"READ ATTRIBUTE", {0x8c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 10, 4},
      {"REPORT SUPPORTED OPERATION CODES", {0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
      {"REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
       {0xa3, 0x0d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
       6,
       4},
      {"SECURITY PROTOCOL IN", {0xa2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 6, 4},
  };
  constexpr std::uint32_t kRoom = 65536;
  for (const Form& form : forms) {
    const auto with = [&](std::uint32_t length) {
      ByteString cdb = form.cdb;
      for (std::size_t i = 0; i < form.width; ++i)
        cdb[form.at + i] = static_cast<std::uint8_t>(length >> (8 * (form.width - 1 - i)));
      return in(cdb, kRoom);
    };
    CAPTURE(form.what);
    const std::uint32_t most = form.width == 1 ? 255 : form.width == 2 ? 0xffff : 0xffffffff;
    const ByteString whole = with(most).data;
    REQUIRE(!whole.empty());
    // Some reports have a least length, or say in it how long they are at any time (SPC-4 4.2.5.6).
    for (const std::uint32_t length : {0u, 1u, 3u, 4u, 7u, 8u, 15u, 16u, 17u, 255u}) {
      const CommandResult cut = with(length);
      CAPTURE(length);
      if (!cut.good()) {
        CHECK(cut.sense_code() == "5/24/00");
        CHECK(cut.data.empty());
        CHECK(length < 16);
        continue;
      }
      const std::size_t due = std::min<std::size_t>(length, whole.size());
      CHECK((cut.data ==
             ByteString(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(due))));
      CHECK(cut.residual == static_cast<std::int64_t>(kRoom - due));
    }
  }
}

TEST_CASE_METHOD(Cdbs, "bad input 27: parameter lists whose lengths lie", "[bad]") {
  SECTION("PERSISTENT RESERVE OUT") {
    for (const std::uint32_t length : {0u, 1u, 23u, 25u, 0xffffffffu}) {
      CAPTURE(length);
      CHECK(reserve_out(6, length, ByteString(100)) == "5/1A/00");
    }
    CHECK(reserve_out(6, 24, ByteString(23)) == "5/1A/00");
    // REGISTER with SPEC_I_PT: TransportIDs that are longer than what holds them, or cut.
    const auto register_with = [&](const ByteString& ids) {
      ByteString list(24);
      list[15] = 1;
      list[20] = 0x08;
      list.insert(list.end(), ids.begin(), ids.end());
      return reserve_out(0, static_cast<std::uint32_t>(list.size()), list);
    };
    CHECK(register_with({0, 0, 0, 20}) == "5/1A/00");
    CHECK(register_with({0xff, 0xff, 0xff, 0xff}) == "5/1A/00");
    CHECK(register_with({0, 0, 0, 3, 0, 0, 0}) == "5/26/00");
    ByteString id = {0, 0, 0, 24, 0x45, 0, 0xff, 0xff};
    id.resize(28, 'x');
    CHECK(register_with(id) == "5/26/00");
    CHECK(in({0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 8).data.at(7) == 0);  // nobody is registered
  }
  SECTION("more registrants than there is room for: all of a list, or none") {
    ByteString ids;
    for (int i = 0; i < 150; ++i) {
      ByteString id = {0x45, 0, 0, 44};
      const std::string name = "iqn.2026-11.x:" + std::to_string(1000 + i) + ",i,0x800000000000";
      id.insert(id.end(), name.begin(), name.end());
      id.resize(48);
      ids.insert(ids.end(), id.begin(), id.end());
    }
    ByteString list(24);
    list[15] = 1;
    list[20] = 0x08;
    for (const int shift : {24, 16, 8, 0})
      list.push_back(static_cast<std::uint8_t>(ids.size() >> shift));
    list.insert(list.end(), ids.begin(), ids.end());
    CHECK(reserve_out(0, static_cast<std::uint32_t>(list.size()), list) == "5/55/04");
    CHECK(in({0x5e, 0, 0, 0, 0, 0, 0, 0, 8, 0}, 8).data.at(7) == 0);
  }
  SECTION("MODE SELECT") {
    // A page of 255 bytes in a list of 12; a block descriptor of 255; lists that end in a page.
    CHECK(out({0x15, 0x10, 0, 0, 12, 0}, {0, 0, 0x10, 0, 0x02, 0xff, 0, 0, 0, 0, 0, 0}) ==
          "5/26/00");
    CHECK(out({0x15, 0x10, 0, 0, 12, 0}, {0, 0, 0x10, 0xff, 0, 0, 0, 0, 0, 0, 0, 0}) == "5/26/00");
    CHECK(out({0x15, 0x10, 0, 0, 5, 0}, {0, 0, 0x10, 0, 0x02}) == "5/1A/00");
    CHECK(out({0x15, 0x10, 0, 0, 3, 0}, {0, 0, 0x10}) == "5/1A/00");
    CHECK(out({0x15, 0x10, 0, 0, 200, 0}, ByteString(100)) == "5/1A/00");
    CHECK(out({0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff, 0}, ByteString(64)) == "5/1A/00");
  }
  SECTION("SECURITY PROTOCOL OUT: a key of 65535 bytes") {
    ByteString list(20);
    list[1] = 0x10;  // Set Data Encryption
    list[3] = 16;
    list[4] = 0x20;         // for this nexus
    list[6] = list[7] = 2;  // ENCRYPT, DECRYPT
    list[8] = 1;
    list[18] = 0xff;
    list[19] = 0xff;
    CHECK(out({0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 20, 0, 0}, list) == "5/26/00");
    CHECK(out({0xb5, 0x20, 0, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0}, list) == "5/24/00");
    CHECK(out({0xb5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 3, 0, 0}, ByteString(3)) == "5/1A/00");
  }
  SECTION("WRITE ATTRIBUTE: an attribute longer than the list") {
    const auto write_attribute = [&](ByteString list) {
      ByteString cdb(16);
      cdb[0] = 0x8d;
      cdb[13] = static_cast<std::uint8_t>(list.size());
      return out(cdb, list);
    };
    CHECK(write_attribute({0, 0, 0, 9, 0x08, 0x03, 1, 0xff, 0xff, 'a', 'b', 'c', 'd'}) ==
          "5/1A/00");
    CHECK(write_attribute({0, 0, 0, 0xff, 0x08, 0x03, 1, 0, 4, 'a', 'b', 'c', 'd'}) == "5/1A/00");
    CHECK(write_attribute({0xff, 0xff, 0xff, 0xff}) == "5/1A/00");
    CHECK(write_attribute({0, 0, 0, 5, 0x08, 0x03, 1, 0, 4}) == "5/1A/00");
  }
  SECTION("LOG SELECT, SEND DIAGNOSTIC, WRITE BUFFER") {
    CHECK(out({0x4c, 0x02, 0, 0, 0, 0, 0, 0xff, 0xff, 0}, ByteString(10)) == "5/1A/00");
    CHECK(out({0x1d, 0x10, 0, 0xff, 0xff, 0}, ByteString(10)) != "");
    CHECK(out({0x3b, 0x02, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0}, ByteString(10)) != "");
  }
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Cdbs, "bad input 40: copying for others, and buffers to write", "[bad]") {
  for (const std::uint8_t action : ByteString{0, 1, 0x10, 0x11, 0x1c}) {
    ByteString copy(16);
    copy[0] = 0x83;
    copy[1] = action;
    copy[13] = 64;
    CHECK(out(copy, ByteString(64, 1)) == "5/20/00");
    copy[0] = 0x84;
    CHECK(in(copy, 64).sense_code() == "5/20/00");
  }
  // Microcode is not taken, nor any offset beyond the buffer.
  for (const std::uint8_t mode : ByteString{0x04, 0x05, 0x06, 0x07, 0x0d, 0x0e, 0x0f, 0x1f})
    CHECK(out({0x3b, mode, 0, 0, 0, 0, 0, 0, 64, 0}, ByteString(64, 1)) == "5/24/00");
  CHECK(out({0x3b, 0x02, 0, 0xff, 0xff, 0xff, 0, 0, 64, 0}, ByteString(64, 1)) == "5/24/00");
  CHECK(in({0x3c, 0x02, 0, 0xff, 0xff, 0xff, 0, 0, 64, 0}, 64).sense_code() == "5/24/00");
  CHECK(bad.alive());
}

TEST_CASE_METHOD(Cdbs, "bad input 41: opcodes of vendors, and of nobody", "[bad]") {
  // Of disks, too: READ CAPACITY, UNMAP, SANITIZE, COMPARE AND WRITE, ORWRITE, GET LBA STATUS ...
  std::vector<std::uint8_t> opcodes = {0x02, 0x06, 0x07, 0x09, 0x0c, 0x0e, 0x20, 0x25, 0x28,
                                       0x2a, 0x2e, 0x2f, 0x35, 0x37, 0x41, 0x42, 0x48, 0x7e,
                                       0x7f, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x9c, 0x9e, 0xb0};
  for (unsigned opcode = 0xc0; opcode <= 0xff; ++opcode)
    opcodes.push_back(static_cast<std::uint8_t>(opcode));
  for (const std::uint8_t opcode : opcodes) {
    ByteString cdb(16, 0xff);
    cdb[0] = opcode;
    CAPTURE(static_cast<int>(opcode));
    CHECK(bad.run(bad.command(cdb)).sense_code() == "5/20/00");
    CHECK(in(cdb, 512).sense_code() == "5/20/00");
    CHECK(out(cdb, ByteString(512, 0xff)) == "5/20/00");
  }
}

TEST_CASE_METHOD(Neighbour, "bad input 42: iSNS and SLP are not spoken", "[bad]") {
  // An iSNS device registration and an SLP service request, at the port that there is.
  for (const ByteString& request :
       {ByteString{0, 1, 0, 1, 0, 12, 0x8c, 0, 0, 1, 0, 0, 0, 0, 0, 32, 0, 0, 0, 4, 0, 0, 0, 1},
        ByteString{2, 1, 0, 0, 49, 0, 0, 0, 0, 0, 0, 1, 0, 2, 'e', 'n', 0, 0}}) {
    ByteString padded = request;
    padded.resize(4096);
    RawConnection connection(port());
    connection.send(padded);
    CHECK_FALSE(connection.receive().has_value());
    CHECK(connection.closed_within(RawSession::kPatience));
  }
  // And there is no other: of this process' sockets none is UDP, and one listens.
  std::set<std::string> own;
  const std::string process = "/proc/" + std::to_string(daemon().pid());
  for (const std::string& link : daemon().descriptors())
    if (link.compare(0, 8, "socket:[") == 0) own.insert(link.substr(8, link.size() - 9));
  int listening = 0, udp = 0;
  for (const char* table : {"/net/tcp", "/net/tcp6", "/net/udp", "/net/udp6"}) {
    std::istringstream lines(read_text(process + table));
    std::string line, field;
    for (std::getline(lines, line); std::getline(lines, line);) {
      std::istringstream fields(line);
      std::vector<std::string> all;
      while (fields >> field) all.push_back(field);
      if (all.size() < 10 || own.count(all[9]) == 0) continue;
      udp += std::string(table).find("udp") != std::string::npos;
      listening += std::string(table).find("tcp") != std::string::npos && all[3] == "0A";
    }
  }
  CHECK(listening == 1);
  CHECK(udp == 0);
}

TEST_CASE_METHOD(Neighbour, "bad input 45: reservations belong to a name and its port", "[bad]") {
  RawLogin one, two;
  one.initiator = "iqn.2026-11.local.test:one";
  two.initiator = "iqn.2026-11.local.test:two";
  const ByteString reserve6{0x16, 0, 0, 0, 0, 0}, release6{0x17, 0, 0, 0, 0, 0};
  const ByteString mode_sense{0x1a, 0, 0x3f, 0, 255, 0};
  const auto conflicts = [&](RawSession& session) {
    return session.run(session.command(mode_sense, Way::kIn, 255)).status == 0x18;
  };
  SECTION("RESERVE ends with the nexus, and with no other") {
    auto holder = std::make_unique<RawSession>(session(one));
    CHECK(holder->run(holder->command(reserve6)).good());
    RawSession other(port(), drive(1), two);  // the same ISID, another name
    other.clear_unit_attentions();
    CHECK(other.run(other.command(release6)).good());  // of no effect
    CHECK(conflicts(other));
    one.isid = 1;  // the same name, another port: the third session has to wait for a place
    other.send(other.logout(0));
    other.expect(kLogoutResponse);
    {
      RawSession port_two(port(), drive(1), one);
      port_two.clear_unit_attentions();
      CHECK(port_two.run(port_two.command(release6)).good());
      CHECK(conflicts(port_two));
    }
    one.isid = 0;
    RawSession again = session(one);  // reinstated: the nexus was lost, and its RESERVE is gone
    CHECK(holder->closed_within(RawSession::kPatience));
    CHECK_FALSE(conflicts(again));
    RawSession stranger = session(two);
    CHECK_FALSE(conflicts(stranger));
  }
  SECTION("a registration stays with its port, and is nobody else's") {
    const auto reserve_out = [](RawSession& session, std::uint8_t action, std::uint8_t key,
                                std::uint8_t next) {
      ByteString list(24);
      list[7] = key;
      list[15] = next;
      return session
          .run(session.command({0x5f, action, 3, 0, 0, 0, 0, 0, 24, 0}, Way::kOut, 24), list)
          .status;
    };
    auto holder = std::make_unique<RawSession>(session(one));
    CHECK(reserve_out(*holder, 0, 0, 7) == 0);
    CHECK(reserve_out(*holder, 1, 7, 0) == 0);
    RawSession again = session(one);
    CHECK(holder->closed_within(RawSession::kPatience));
    RawSession other(port(), drive(1), two);
    other.clear_unit_attentions();
    CHECK(conflicts(other));
    CHECK(reserve_out(other, 2, 7, 0) == 0x18);  // with the right key: it is not its own
    CHECK(reserve_out(other, 3, 7, 0) == 0x18);
    CHECK(reserve_out(again, 3, 7, 0) == 0);  // CLEAR
    CHECK_FALSE(conflicts(again));
  }
}
