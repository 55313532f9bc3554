#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {
std::vector<std::byte> vpd(Fixture& f, std::uint8_t page) {
  const Ended end = f.run(kA, {0x12, 1, page, 4, 0, 0});
  CHECK(end.reply.status == SamStatus::kGood);
  auto data = end.data();
  REQUIRE(data.size() >= 4);
  CHECK(data[0] == std::byte{1});
  CHECK(data[1] == std::byte{page});
  CHECK(std::to_integer<std::size_t>(data[2]) * 256 + std::to_integer<std::size_t>(data[3]) ==
        data.size() - 4);
  data.erase(data.begin(), data.begin() + 4);
  return data;
}
std::string text(const std::vector<std::byte>& data, std::size_t at, std::size_t size) {
  return std::string(as_text(Bytes(data).subspan(at, size)));
}
}  // namespace

TEST_CASE("standard INQUIRY data") {
  Fixture f;
  const auto data = f.run(kA, {0x12, 0, 0, 0, 255, 0}).data();
  REQUIRE(data.size() == 96);
  CHECK(std::vector(data.begin(), data.begin() + 8) ==
        bytes({0x01, 0x80, 0x06, 0x02, 91, 0x01, 0x10, 0x02}));
  CHECK(text(data, 8, 28) == "VENDOR  PRODUCT         R123");
  CHECK(std::vector(data.begin() + 58, data.begin() + 68) ==
        bytes({0, 0xA0, 4, 0x60, 5, 0x20, 9, 0x60, 0, 0}));
}

TEST_CASE("page code without EVPD, CMDDT, an unknown page") {
  Fixture f;
  CHECK(sense_of(f.run(kA, {0x12, 0, 0x80, 0, 96, 0})) == "5/24/00 cdb byte 2 bit 7");
  CHECK(sense_of(f.run(kA, {0x12, 2, 0, 0, 96, 0})) == "5/24/00 cdb byte 1 bit 1");
  CHECK(sense_of(f.run(kA, {0x12, 1, 0xC9, 0, 96, 0})) == "5/24/00 cdb byte 2 bit 7");
}

TEST_CASE("the list of VPD pages is ascending and every page on it exists") {
  Fixture f;
  const auto list = vpd(f, 0x00);
  CHECK(list == bytes({0x00, 0x80, 0x83, 0x86, 0x87, 0x88, 0xB1}));
  for (const std::byte page : list)
    CHECK_FALSE(vpd(f, std::to_integer<std::uint8_t>(page)).empty());
}

TEST_CASE("VPD 80h, and a page of the device's own") {
  Fixture f;
  CHECK(vpd(f, 0x80) == bytes({'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}));
  CHECK(vpd(f, 0xB1) == bytes({'S', 'N'}));
}

TEST_CASE("VPD 83h: the designators in their order") {
  Fixture f;
  const auto data = vpd(f, 0x83);
  std::size_t at = 0;
  const auto header = [&](std::initializer_list<int> expected) {
    CHECK(std::vector(data.begin() + static_cast<long>(at),
                      data.begin() + static_cast<long>(at) + 4) == bytes(expected));
    at += 4;
  };
  header({0x02, 0x01, 0, 0x22});
  CHECK(text(data, at, 34) == "VENDOR  PRODUCT         0123456789");
  at += 34;
  header({0x01, 0x03, 0, 8});
  CHECK(data[at] == std::byte{0x50});
  at += 8;
  header({0x51, 0x94, 0, 4});
  CHECK(data[at + 3] == std::byte{1});
  at += 4;
  header({0x51, 0x95, 0, 4});
  CHECK(data[at + 3] == std::byte{2});
  at += 4;
  header({0x53, 0x98, 0, 36});
  CHECK(text(data, at, 36) == std::string("iqn.2001-04.com.example:t,t,0x0001\0\0", 36));
  at += 36;
  header({0x53, 0xA8, 0, 28});
  CHECK(text(data, at, 28) == std::string("iqn.2001-04.com.example:t\0\0\0", 28));
  at += 28;
  CHECK(at == data.size());
}

TEST_CASE("a name whose length is a multiple of four still ends with a NUL") {
  Identity identity;
  identity.target_device_name = "iqn.abcd";
  const auto data = *Inquiry({}, identity).vpd(0x83);
  CHECK(text(data, data.size() - 12, 12) == std::string("iqn.abcd\0\0\0\0", 12));
  CHECK(data[data.size() - 13] == std::byte{12});
}

TEST_CASE("VPD 86h says SPT when protection is offered; 87h names the pages of each nexus") {
  Fixture f;
  const auto extended = vpd(f, 0x86);
  CHECK(extended.size() == 0x3C);
  CHECK(extended[0] == std::byte{0x08});
  CHECK(extended[1] == std::byte{0x01});
  CHECK(vpd(f, 0x87) == bytes({0x0A, 0xF0, 3, 0, 0x3F, 0xFF, 0, 0}));
}

TEST_CASE("VPD 88h: one port and its name") {
  Fixture f;
  const auto data = vpd(f, 0x88);
  CHECK(std::vector(data.begin(), data.begin() + 16) ==
        bytes({0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 40, 0x53, 0x98, 0, 36}));
  CHECK(data.size() == 12 + 40);
}
