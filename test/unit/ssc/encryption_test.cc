// Tape encryption (SSC-5): SECURITY PROTOCOL IN and OUT, scopes, what clears a key, and
// what a host is told of a block that it cannot have.
#include "test/unit/ssc/rig.h"

using namespace test;
using scsi::ssc::Encryption;

namespace {

constexpr int kOff = 0, kExternal = 1, kEncrypt = 2;                     // ENCRYPTION MODE
constexpr int kRaw = 1, kDecrypt = 2, kMixed = 3;                        // DECRYPTION MODE
constexpr int kPublic = 0x00, kLocal = 0x20, kAll = 0x40, kLock = 0x01;  // byte 4
constexpr int kCkod = 0x04, kCkorp = 0x02, kCkorl = 0x01;                // byte 5

// A Set Data Encryption page: byte 4, byte 5, modes, and a key of 32 such bytes.
struct Page {
  int scope = kAll, control = 0, write = kEncrypt, read = kMixed, key = 1;
  Data descriptors = {};

  Data data() const {
    Data out = bytes({0x00, 0x10, 0, 0, scope, control, write, read, 1, 0, 0});
    out.resize(20);
    if (key >= 0) {
      out[19] = std::byte{32};
      out.resize(52, static_cast<std::byte>(key));
    }
    out.insert(out.end(), descriptors.begin(), descriptors.end());
    out[3] = static_cast<std::byte>(out.size() - 4);
    return out;
  }
};

const Page kOffPage{kAll, 0, kOff, kOff, -1};

Data descriptor(int type, std::string_view text) {
  Data out = bytes({type, 0, 0, static_cast<int>(text.size())});
  const scsi::Bytes value = scsi::as_bytes(text);
  out.insert(out.end(), value.begin(), value.end());
  return out;
}

struct Secure : Rig {
  explicit Secure(bool with_cartridge = true) {
    if (with_cartridge) load();
  }
  Secure(std::uint8_t generation, std::uint8_t cartridge) : Rig(generation) {
    load(std::make_unique<MemoryMedium>(cartridge));
  }
  const Ended& set(const Page& page, scsi::NexusId nexus = {1, 1}) {
    return set(page.data(), nexus);
  }
  const Ended& set(const Data& list, scsi::NexusId nexus = {1, 1}) {
    return send({0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, u8(list.size() >> 8), u8(list.size()), 0, 0},
                list, nexus);
  }
  Data page(int code, scsi::NexusId nexus = {1, 1}) {
    return run({0xA2, 0x20, 0, u8(static_cast<unsigned>(code)), 0, 0, 0, 0, 0x20, 0, 0, 0}, nexus)
        .data();
  }
  std::uint64_t instance(scsi::NexusId nexus = {1, 1}) { return be(page(0x20, nexus), 8, 4); }
  // "encryption mode/decryption mode"
  std::string modes(scsi::NexusId nexus = {1, 1}) {
    const Data status = page(0x20, nexus);
    return std::to_string(be(status, 5, 1)) + "/" + std::to_string(be(status, 6, 1));
  }
  std::uint64_t next_status() { return be(page(0x21), 12, 1) & 0x0F; }
  std::string unit_attention(scsi::NexusId nexus) { return sense_of(run({0x00}, nexus)); }
  std::string read_at_start() {
    rewind();
    return sense_of(read(100));
  }
};

std::string hex(const Data& data) {
  std::string out;
  char two[4];
  for (const std::byte b : data) {
    std::snprintf(two, sizeof two, "%02x", std::to_integer<unsigned>(b));
    out += two;
  }
  return out;
}

}  // namespace

TEST_CASE("SECURITY PROTOCOL IN: what does not exist, and allocation lengths") {
  Secure rig;
  const auto in = [&](int protocol, int page) {
    return sense_of(rig.run({0xA2, Rig::u8(static_cast<unsigned>(protocol)),
                             Rig::u8(static_cast<unsigned>(page) >> 8),
                             Rig::u8(static_cast<unsigned>(page)), 0, 0, 0, 0, 1, 0, 0, 0}));
  };
  CHECK(in(0x00, 2) == "5/24/00 cdb byte 2 bit 7");
  CHECK(in(0x21, 0) == "5/24/00 cdb byte 1 bit 7");
  CHECK(in(0xEF, 0) == "5/24/00 cdb byte 1 bit 7");
  CHECK(in(0x20, 0x0031) == "5/24/00 cdb byte 2 bit 7");
  CHECK(in(0x20, 0x0110) == "5/24/00 cdb byte 2 bit 7");
  CHECK(sense_of(rig.run({0xA2, 0x20, 0, 0, 0x80, 0, 0, 0, 0, 1, 0, 0})) ==
        "5/24/00 cdb byte 4 bit 7");  // INC_512
  CHECK(rig.run({0xA2, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 6, 0, 0}).data().size() == 6);
  CHECK(good(rig.last));
  CHECK(good(rig.run({0xA2, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0}, rig.a, 0)));
}

TEST_CASE("SECURITY PROTOCOL OUT: refusals point at the field, and change nothing") {
  Secure rig;
  const auto changed = [&](std::size_t offset, int value, Page page = {}) {
    Data list = page.data();
    list[offset] = static_cast<std::byte>(value);
    return sense_of(rig.set(list));
  };
  const std::uint64_t before = rig.instance();
  CHECK(sense_of(rig.send({0xB5, 0x20, 0, 0x11, 0, 0, 0, 0, 0, 20, 0, 0}, Data(20))) ==
        "5/24/00 cdb byte 2 bit 7");
  CHECK(sense_of(rig.send({0xB5, 0x00, 0, 0x10, 0, 0, 0, 0, 0, 20, 0, 0}, Data(20))) ==
        "5/24/00 cdb byte 1 bit 7");
  CHECK(sense_of(rig.set(Data(19))) == "5/1A/00");
  CHECK(changed(1, 0x11) == "5/26/00 list byte 0 bit 7");
  CHECK(changed(3, 47) == "5/1A/00");
  CHECK(changed(4, 0x60) == "5/26/00 list byte 4 bit 7");
  CHECK(changed(5, 0x10) == "5/26/00 list byte 5 bit 5");  // RDMC: reserved
  CHECK(changed(5, 0x08) == "5/26/00 list byte 5 bit 3");  // SDK
  CHECK(changed(5, kCkorp) == "5/26/00 list byte 5 bit 1");
  CHECK(changed(5, kCkorl) == "5/26/00 list byte 5 bit 0");
  CHECK(changed(6, 3) == "5/26/00 list byte 6 bit 7");
  CHECK(changed(7, 4) == "5/26/00 list byte 7 bit 7");
  CHECK(changed(8, 0) == "5/26/00 list byte 8 bit 7");
  CHECK(changed(9, 1) == "5/26/00 list byte 9 bit 7");
  CHECK(changed(19, 16) == "5/26/00 list byte 18 bit 7");
  CHECK(sense_of(rig.set(Page{kAll, 0, kEncrypt, kMixed, -1})) == "5/26/00 list byte 18 bit 7");
  Page kad;
  kad.descriptors = descriptor(2, "a nonce is the drive's");
  CHECK(sense_of(rig.set(kad)) == "5/26/00 list byte 52 bit 7");
  kad.descriptors = descriptor(1, "thirteen byte");
  CHECK(sense_of(rig.set(kad)) == "5/26/00 list byte 54 bit 7");
  kad.descriptors = descriptor(1, "B");
  const Data before_it = descriptor(0, "A");
  kad.descriptors.insert(kad.descriptors.end(), before_it.begin(), before_it.end());
  CHECK(sense_of(rig.set(kad)) == "5/26/00 list byte 57 bit 7");  // not ascending
  kad.descriptors = bytes({0, 0, 0, 9, 1});
  CHECK(sense_of(rig.set(kad)) == "5/1A/00");
  CHECK(sense_of(rig.send({0xB5, 0x20, 0, 0x10, 0, 0, 0, 1, 0, 0, 0, 0}, Data(65536))) ==
        "5/24/00 cdb byte 6 bit 7");
  CHECK(good(rig.run({0xB5, 0x20, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(rig.instance() == before);
  CHECK(rig.modes() == "0/0");
}

TEST_CASE("Clearing: without a key, and with one of zeros") {
  Secure rig;
  rig.set(Page{});
  CHECK(rig.modes() == "2/3");
  CHECK(good(rig.set(kOffPage)));
  CHECK(rig.modes() == "0/0");
  rig.set(Page{});
  Page bareos = kOffPage;
  bareos.key = 0;
  CHECK(good(rig.set(bareos)));
  CHECK(rig.modes() == "0/0");
  CHECK(be(rig.page(0x20), 7, 1) == 0);  // no algorithm
}

TEST_CASE("Status: what was set comes back, but never the key") {
  Secure rig;
  Page page;
  page.key = 0x5A;
  page.control = 0x40 | 0x20;  // CEEM 1, RDMC 2: raw reading
  page.descriptors = descriptor(0, "unauthenticated");
  const Data authenticated = descriptor(1, "alias");
  page.descriptors.insert(page.descriptors.end(), authenticated.begin(), authenticated.end());
  rig.set(page);
  const Data status = rig.page(0x20);
  CHECK(hex(status) ==
        "00200030"          // length
        "4202030100000001"  // all I_T nexus; modes; index; instance 1
        "02000000"
        "0000000000000000"                        // CEEMS 1, raw reading not disabled
        "0000000f756e61757468656e74696361746564"  // U-KAD
        "01000005616c696173");                    // A-KAD
  CHECK(hex(status).find("5a5a5a5a") == std::string::npos);
}

TEST_CASE("Scopes: whose parameters hold for whom, and who is told") {
  Secure rig;
  const auto key_scope = [&](scsi::NexusId nexus) { return be(rig.page(0x20, nexus), 4, 1); };
  CHECK(key_scope(rig.a) == 0x00);
  rig.set(Page{});
  CHECK(key_scope(rig.a) == 0x42);
  CHECK(rig.unit_attention(rig.b) == "6/2A/11");
  CHECK(key_scope(rig.b) == 0x02);  // public, and uses what all use
  CHECK(rig.modes(rig.b) == "2/3");
  CHECK(rig.unit_attention(rig.a) == "0/00/00");

  // A nexus with its own is told nothing, and changes nothing for others.
  CHECK(good(rig.set(Page{kLocal, 0, kOff, kOff, -1}, rig.b)));
  CHECK(key_scope(rig.b) == 0x21);
  CHECK(rig.modes(rig.b) == "0/0");
  CHECK(rig.modes(rig.a) == "2/3");
  CHECK(rig.unit_attention(rig.a) == "0/00/00");
  rig.set(Page{});
  CHECK(rig.unit_attention(rig.b) == "0/00/00");

  // Another sets them for all: the first is public again.
  rig.set(Page{kAll, 0, kEncrypt, kDecrypt, 2}, rig.b);
  CHECK(rig.unit_attention(rig.a) == "6/2A/11");
  CHECK(key_scope(rig.a) == 0x02);
  CHECK(rig.modes(rig.a) == "2/2");
  // And takes them back by having none of its own.
  Page give_up;
  give_up.scope = kPublic;
  give_up.write = 7;  // ignored
  CHECK(good(rig.set(give_up, rig.b)));
  CHECK(rig.unit_attention(rig.a) == "6/2A/11");
  CHECK(rig.modes(rig.a) == "0/0");
}

TEST_CASE("Turning off what is off disturbs nobody") {
  Secure rig;
  rig.set(kOffPage);
  CHECK(rig.unit_attention(rig.b) == "0/00/00");
  rig.set(kOffPage, rig.b);
  CHECK(rig.unit_attention(rig.a) == "0/00/00");
}

TEST_CASE("Key instance counter: goes up with every set, and LOCK holds a nexus to its own") {
  Secure rig;
  const std::uint64_t first = rig.instance();
  rig.set(Page{kAll | kLock});
  CHECK(rig.instance() > first);
  CHECK(good(rig.write(100)));
  rig.drain(rig.b);
  rig.set(Page{}, rig.b);
  CHECK(rig.unit_attention(rig.a) == "6/2A/11");
  CHECK(sense_of(rig.write(100)) == "7/2A/13");
  CHECK(rig.read_at_start() == "7/2A/13");
  CHECK(rig.medium->at(0).objects.size() == 1);
  rig.set(Page{});
  CHECK(good(rig.write(100)));
}

TEST_CASE("What is read with which parameters: the exact sense, and the position stays") {
  Secure rig;
  const auto sense_with = [&](const Page& page) {
    rig.set(page);
    const std::string sense = rig.read_at_start();
    CHECK(rig.position() == (sense == "0/00/00" ? 1 : 0));
    return sense;
  };
  rig.set(Page{});
  CHECK(good(rig.write(100)));
  CHECK(sense_with(kOffPage) == "7/74/01");
  CHECK(flags_of(rig.last) == "info=100");
  CHECK(rig.last.residual.underflow == 100);
  CHECK(rig.next_status() == 6);
  CHECK(sense_with(Page{kAll, 0, kEncrypt, kMixed, 2}) == "7/74/03");
  CHECK(rig.next_status() == 6);
  CHECK(sense_with(Page{}) == "0/00/00");
  rig.rewind();
  CHECK(rig.next_status() == 5);
  CHECK(sense_with(Page{kAll, 0, kEncrypt, kRaw, 1}) == "7/74/0A");

  rig.set(kOffPage);
  rig.rewind();
  rig.write(100);
  CHECK(sense_with(Page{kAll, 0, kEncrypt, kDecrypt, 1}) == "7/74/02");
  rig.rewind();
  CHECK(rig.next_status() == 3);
  CHECK(sense_with(Page{kAll, 0, kEncrypt, kMixed, 1}) == "0/00/00");
  CHECK(sense_with(Page{kAll, 0, kEncrypt, kRaw, 1}) == "0/00/00");
}

TEST_CASE("READ in fixed mode: the blocks before the one that is refused, and the position at it") {
  Secure rig;
  rig.set_block_length(100);
  rig.send({0x0A, 1, 0, 0, 2, 0}, pattern(200));
  rig.set(Page{});
  rig.send({0x0A, 1, 0, 0, 2, 0}, pattern(200));
  rig.set(kOffPage);
  rig.rewind();
  CHECK(rig.read_fixed(4, 100).data() == pattern(200));
  CHECK(sense_of(rig.last) == "7/74/01");
  CHECK(flags_of(rig.last) == "info=2");
  CHECK(rig.last.residual.underflow == 200);
  CHECK(rig.position() == 2);
}

TEST_CASE("VERIFY of what is encrypted: without the key it stops at the first such block") {
  Secure rig;
  rig.write(100);
  rig.set(Page{});
  rig.write(100);
  rig.filemarks(1);
  rig.set(kOffPage);
  for (const Cdb& cdb : {Cdb{0x13, 0x20}, Cdb{0x13, 0x08, 0, 0, 1, 0}}) {
    rig.rewind();
    CHECK(sense_of(rig.run(cdb, rig.a, 0)) == "7/74/01");
    CHECK(rig.position() == 1);
  }
  rig.set(Page{});
  rig.rewind();
  CHECK(good(rig.run({0x13, 0x20}, rig.a, 0)));
  CHECK(rig.position() == 3);
}

TEST_CASE("Page 0021h: filemark, end of data, key-associated data; nothing moves") {
  Secure rig;
  Page page;
  page.descriptors = descriptor(0, "label");
  const Data authenticated = descriptor(1, "twelve bytes");
  page.descriptors.insert(page.descriptors.end(), authenticated.begin(), authenticated.end());
  CHECK(rig.next_status() == 2);
  rig.set(page);
  rig.write(100);
  rig.filemarks(1);
  rig.set(kOffPage);
  rig.rewind();
  const Data next = rig.page(0x21);
  CHECK(hex(next) ==
        "00210025"
        "0000000000000000"
        "06010100"
        "000000056c6162656c"
        "0101000c7477656c7665206279746573");
  CHECK(rig.position() == 0);
  rig.run({0x2B, 0, 0, 0, 0, 0, 1}, rig.a, 0);
  CHECK(rig.next_status() == 2);
  CHECK(be(rig.page(0x21), 4, 8) == 1);
  rig.remove();
  rig.drain(rig.a);
  rig.page(0x21);
  CHECK(sense_of(rig.last) == "2/3A/00");
}

TEST_CASE("Without a cartridge a key can be set; but not one that goes with the cartridge") {
  Secure rig(false);
  CHECK(good(rig.set(Page{})));
  CHECK(be(rig.page(0x10), 24, 1) == 0x3A);
  CHECK(sense_of(rig.set(Page{kAll, kCkod})) == "5/26/00 list byte 5 bit 2");
  rig.load();
  CHECK(be(rig.page(0x10), 24, 1) == 0xBA);  // AVFMV
  CHECK(rig.modes() == "2/3");
}

TEST_CASE("CKOD: the key goes when the cartridge is unloaded; without it, it stays") {
  Secure rig;
  rig.set(Page{});
  rig.drain(rig.b);
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(rig.modes() == "2/3");
  rig.run({0x1B, 0, 0, 0, 1, 0}, rig.a, 0);
  rig.drain(rig.b);
  rig.set(Page{kAll, kCkod});
  rig.drain(rig.b);
  CHECK(good(rig.run({0x1B, 0, 0, 0, 0, 0}, rig.a, 0)));
  CHECK(rig.unit_attention(rig.a) == "6/2A/12");
  CHECK(rig.unit_attention(rig.b) == "6/2A/12");
  CHECK(rig.modes() == "0/0");
}

TEST_CASE("CKORL and CKORP: the key goes with the reservation that guards it") {
  Secure rig;
  CHECK(good(rig.run({0x16}, rig.a, 0)));  // RESERVE(6)
  CHECK(good(rig.set(Page{kAll, kCkorl})));
  CHECK(good(rig.run({0x17}, rig.a, 0)));
  CHECK(rig.unit_attention(rig.a) == "6/2A/12");
  CHECK(rig.modes() == "0/0");
  rig.drain(rig.b);

  // Persistent reservations: RELEASE does not clear a key of CKORP, PREEMPT does.
  const auto out = [&](int action, scsi::NexusId nexus, int key, int service_key) {
    Data list(24);
    list[7] = static_cast<std::byte>(key);
    list[15] = static_cast<std::byte>(service_key);
    return sense_of(rig.send(
        {0x5F, Rig::u8(static_cast<unsigned>(action)), 0x03, 0, 0, 0, 0, 0, 24, 0}, list, nexus));
  };
  CHECK(out(0, rig.a, 0, 1) == "0/00/00");
  CHECK(out(0, rig.b, 0, 2) == "0/00/00");
  CHECK(out(1, rig.a, 1, 0) == "0/00/00");
  CHECK(good(rig.set(Page{kAll, kCkorp})));
  CHECK(out(2, rig.a, 1, 0) == "0/00/00");
  CHECK(rig.modes() == "2/3");
  CHECK(out(1, rig.a, 1, 0) == "0/00/00");
  rig.drain(rig.b);
  CHECK(out(4, rig.b, 2, 1) == "0/00/00");
  CHECK(rig.unit_attention(rig.a).starts_with("6/2A/"));
  rig.drain(rig.a);
  CHECK(rig.unit_attention(rig.b) == "6/2A/12");
  CHECK(rig.modes(rig.b) == "0/0");
}

TEST_CASE("Nexus loss takes its own key; that of all stays. A reset takes every key") {
  Secure rig;
  rig.set(Page{});
  rig.drain(rig.b);
  rig.set(Page{kLocal, 0, kEncrypt, kDecrypt, 3}, rig.b);
  const auto lose = [&](scsi::NexusId nexus) {
    const scsi::NexusInfo again = *rig.drive.find_nexus(nexus);
    rig.drive.nexus_lost(nexus);
    rig.drive.nexus_established(again);
    rig.drain(nexus);
  };
  lose(rig.b);
  CHECK(rig.modes(rig.b) == "2/3");
  lose(rig.a);
  CHECK(rig.modes(rig.a) == "2/3");
  CHECK(rig.medium->handling().encryption == nullptr);  // until somebody reads or writes
  rig.drive.manage(scsi::TaskFunction::kLogicalUnitReset, rig.b, {},
                   [](scsi::TaskFunctionResult) {});
  rig.drain(rig.a);
  CHECK(rig.modes(rig.a) == "0/0");
}

TEST_CASE("A WRITE that waits for its data when the nexus goes that has set the key for all") {
  const bool guarded = GENERATE(false, true);
  Secure rig;
  const auto reserve_out = [&](std::uint8_t action, scsi::NexusId nexus, int key, int service_key) {
    Data list(24);
    list[7] = static_cast<std::byte>(key);
    list[15] = static_cast<std::byte>(service_key);
    CHECK(good(rig.send({0x5F, action, 0x05, 0, 0, 0, 0, 0, 24, 0}, list, nexus)));
  };
  reserve_out(0, rig.a, 0, 1);
  reserve_out(0, rig.b, 0, 2);
  reserve_out(1, rig.b, 2, 0);  // write exclusive, registrants only: both write
  rig.set(Page{kAll, guarded ? kCkorl : 0}, rig.b);
  rig.drain(rig.a);

  scsi::Command write;
  write.nexus = rig.a;
  write.tag = 77;
  write.cdb[0] = std::byte{0x0A};
  write.cdb[4] = std::byte{100};
  write.writes = true;
  write.expected_length = 100;
  rig.drive.submit(write, rig.sink);
  REQUIRE(rig.sink.ended.empty());
  rig.drive.nexus_lost(rig.b);
  rig.drive.data_out(rig.a, 77, scsi::Buffer::copy_of(pattern(100)));
  REQUIRE(rig.sink.ended.size() == 1);
  if (guarded) {  // the key has gone: what was to be encrypted is not written in clear
    CHECK(sense_of(rig.sink.ended.back()) == "7/2A/13");
    CHECK(rig.medium->at(0).objects.empty());
  } else {
    CHECK(good(rig.sink.ended.back()));
    CHECK(rig.medium->at(0).objects.at(0).encryption != nullptr);
  }
}

TEST_CASE("A key is nowhere any more once it is replaced") {
  Secure rig;
  rig.set(Page{});
  rig.write(100);
  std::weak_ptr<const Encryption> key = rig.medium->handling().encryption;
  REQUIRE_FALSE(key.expired());
  rig.medium->at(0).objects.clear();  // this medium remembers keys, to tell right from wrong
  rig.set(kOffPage);
  CHECK(key.expired());
}

TEST_CASE("What other pages say: mode page 25h, and EPP in the very high frequency data") {
  Secure rig;
  const auto mode25 = [&] { return rig.run({0x1A, 8, 0x25, 0, 64, 0}).data(); };
  const auto epp = [&] { return be(rig.run({0x4D, 0, 0x51, 0, 0, 0, 0, 1, 0, 0}).data(), 11, 1); };
  CHECK(be(mode25(), 4 + 27, 1) == 0x50);  // application managed
  CHECK(be(mode25(), 4 + 24, 1) == 0x01);
  CHECK(be(mode25(), 4 + 20, 1) == 0x00);
  CHECK((epp() & 0x10) == 0);
  rig.set(Page{});
  CHECK(be(mode25(), 4 + 20, 1) == 0x01);
  CHECK((epp() & 0x10) != 0);
}

TEST_CASE("Reservations: another nexus may look, and set nothing") {
  Secure rig;
  CHECK(good(rig.run({0x16}, rig.a, 0)));
  const auto conflict = [&](const Ended& end) {
    return end.reply.status == scsi::SamStatus::kReservationConflict;
  };
  CHECK(conflict(rig.set(Page{}, rig.b)));
  rig.page(0x20, rig.b);
  CHECK(conflict(rig.last));  // RESERVE(6) leaves little
  CHECK(rig.modes() == "0/0");
  CHECK(good(rig.set(Page{kAll, 0, kExternal, kRaw, -1})));
}

TEST_CASE("An LTO-3 cartridge in an LTO-4 drive: a key can be set, and then nothing is written") {
  Secure rig(4, 3);
  CHECK(be(rig.page(0x10), 24, 1) == 0x3A);  // not AVFMV
  CHECK(good(rig.write(100)));
  CHECK(good(rig.set(Page{})));
  CHECK(sense_of(rig.write(100)) == "7/30/05");
  CHECK(good(rig.set(Page{kAll, 0, kExternal, kOff, -1})));
  CHECK(sense_of(rig.write(100)) == "7/30/05");
  CHECK(rig.position() == 1);
  CHECK(good(rig.filemarks(1)));
  CHECK(good(rig.set(Page{kAll, 0, kOff, kMixed})));  // reads only
  CHECK(good(rig.write(100)));
  CHECK(rig.read_at_start() == "0/00/00");

  Secure own(4, 4);
  CHECK(be(own.page(0x10), 24, 1) == 0xBA);
  CHECK(good(own.set(Page{})));
  CHECK(good(own.write(100)));
}

TEST_CASE("LOCK holds a nexus to its own parameters in VERIFY to a filemark and to the end, too") {
  Secure rig;
  rig.write(100);
  rig.filemarks(1);
  rig.rewind();
  CHECK(good(rig.set(Page{kAll | kLock, 0, kOff, kMixed})));
  CHECK(good(rig.run({0x13, 0x08, 0, 0, 1}, rig.a, 0)));
  rig.rewind();
  rig.drain(rig.b);
  CHECK(good(rig.set(Page{kAll, 0, kOff, kMixed, 3}, rig.b)));
  rig.drain(rig.a);
  for (const unsigned how : {0x00u, 0x08u, 0x20u, 0x24u})
    CHECK(sense_of(rig.run({0x13, Rig::u8(how), 0, 0, 1}, rig.a, 0)) == "7/2A/13");
  CHECK(rig.position() == 0);
}
