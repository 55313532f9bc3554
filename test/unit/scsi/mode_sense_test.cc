#include "test/unit/scsi/fake_unit.h"

using namespace test;

namespace {

Ended sense6(Fixture& f, std::uint8_t byte1, std::uint8_t page, std::uint8_t subpage = 0,
             std::uint8_t allocation = 255) {
  return f.run(kA, {0x1A, byte1, page, subpage, allocation, 0});
}
Ended sense10(Fixture& f, std::uint8_t byte1, std::uint8_t page, std::uint8_t subpage = 0,
              std::uint16_t allocation = 4096) {
  return f.run(kA, {0x5A, byte1, page, subpage, 0, 0, 0, static_cast<std::uint8_t>(allocation >> 8),
                    static_cast<std::uint8_t>(allocation), 0});
}
constexpr std::uint8_t kDbd = 0x08;

// Page and subpage codes, in the order in which they come.
std::vector<std::pair<int, int>> pages_in(const std::vector<std::byte>& data, std::size_t at) {
  std::vector<std::pair<int, int>> out;
  while (at + 1 < data.size()) {
    const int first = std::to_integer<int>(data[at]);
    const bool sub = (first & 0x40) != 0;
    CHECK((first & 0x80) == 0);  // PS: nothing can be saved
    out.emplace_back(first & 0x3F, sub ? std::to_integer<int>(data[at + 1]) : 0);
    at += sub ? 4u + std::to_integer<std::size_t>(data[at + 2]) * 256 +
                    std::to_integer<std::size_t>(data[at + 3])
              : 2u + std::to_integer<std::size_t>(data[at + 1]);
  }
  CHECK(at == data.size());
  return out;
}

}  // namespace

TEST_CASE("page 00h gives header and block descriptor: st's way to ask for both") {
  Fixture f;
  CHECK(sense6(f, 0, 0, 0, 12).data() == bytes({11, 0x88, 0x90, 8, 0x5E, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(sense6(f, kDbd, 0).data() == bytes({3, 0x88, 0x90, 0}));
  CHECK(sense10(f, 0, 0).data() ==
        bytes({0, 14, 0x88, 0x90, 0, 0, 0, 8, 0x5E, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(sense10(f, kDbd, 0).data() == bytes({0, 6, 0x88, 0x90, 0, 0, 0, 0}));
  CHECK(sense_of(sense6(f, 0, 0, 1)) == "5/24/00 cdb byte 3");
}

TEST_CASE("one page: current, changeable, default, saved") {
  Fixture f;
  f.unit.modes().set_byte(0x0F, 0, 2, 0x40);
  const auto page = [&](std::uint8_t control) {
    auto data = sense6(f, kDbd, static_cast<std::uint8_t>(control << 6 | 0x0F)).data();
    return std::vector<std::byte>(data.begin() + 4, data.end());
  };
  CHECK(page(0) == bytes({0x0F, 14, 0x40, 0x80, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}));
  CHECK(page(1) == bytes({0x0F, 14, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(page(2) == bytes({0x0F, 14, 0xC0, 0x80, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0}));
  CHECK(sense_of(sense6(f, 0, 0xC0 | 0x0F)) == "5/39/00");
  CHECK(sense_of(sense10(f, 0, 0xC0 | 0x3F, 0xFF)) == "5/39/00");
}

TEST_CASE("subpages have a header of four bytes; the hook fills in what is no setting") {
  Fixture f;
  auto data = sense10(f, 0, 0x0A, 0xF0).data();
  REQUIRE(data.size() == 48);  // LTFS reads exactly 8 + 8 + 32 bytes
  CHECK(std::vector(data.begin() + 16, data.begin() + 22) == bytes({0x4A, 0xF0, 0, 0x1C, 0, 4}));
  data = sense6(f, kDbd, 0x11).data();
  CHECK(data[4 + 5] == std::byte{3});
  CHECK(f.unit.modes().value_byte(0x11, 0, 5) == 0);
}

TEST_CASE("unknown pages and subpages point at the field") {
  Fixture f;
  CHECK(sense_of(sense6(f, 0, 0x12)) == "5/24/00 cdb byte 2 bit 5");
  CHECK(sense_of(sense6(f, 0, 0x12, 0xFF)) == "5/24/00 cdb byte 2 bit 5");
  CHECK(sense_of(sense6(f, 0, 0x0A, 0x01)) == "5/24/00 cdb byte 3");
  CHECK(sense_of(sense6(f, 0, 0x3F, 0x01)) == "5/24/00 cdb byte 3");
}

TEST_CASE("page 3Fh: ascending; subpage FFh adds the subpages") {
  Fixture f;
  using Codes = std::vector<std::pair<int, int>>;
  CHECK(pages_in(sense10(f, 0, 0x3F).data(), 16) ==
        Codes{{0x0A, 0}, {0x0F, 0}, {0x10, 0}, {0x11, 0}, {0x1C, 0}});
  CHECK(pages_in(sense10(f, kDbd, 0x3F, 0xFF).data(), 8) ==
        Codes{{0x0A, 0}, {0x0A, 0xF0}, {0x0F, 0}, {0x10, 0}, {0x10, 1}, {0x11, 0}, {0x1C, 0}});
  CHECK(pages_in(sense10(f, 0, 0x10, 0xFF).data(), 16) == Codes{{0x10, 0}, {0x10, 1}});
}

TEST_CASE("the mode data length is the full one, whatever the allocation length") {
  Fixture f;
  for (const int allocation : {0, 1, 2, 5, 4095}) {
    const auto data = sense10(f, 0, 0x3F, 0xFF, static_cast<std::uint16_t>(allocation)).data();
    const std::size_t full = 16 + 12 + 32 + 16 + 16 + 32 + 16 + 12;
    CHECK(data.size() == std::min(static_cast<std::size_t>(allocation), full));
    if (data.size() >= 2) CHECK(data[1] == static_cast<std::byte>(full - 2));
  }
}

TEST_CASE("what does not fit the one-byte length of (6) goes without subpages, then is cut") {
  ModeOptions options;
  options.pages = {ModePage{0x01, 0, 100, {}, {}}, ModePage{0x01, 1, 100, {}, {}},
                   ModePage{0x02, 0, 100, {}, {}}};
  ModePages small(options);
  const auto ask = [](ModePages& pages) {
    return std::get<std::vector<std::byte>>(pages.sense(kA, bytes({0x1A, 8, 0x3F, 0xFF, 255, 0})));
  };
  CHECK(ask(small).size() == 4 + 102 + 102);
  CHECK(ask(small)[0] == std::byte{3 + 204});
  options.pages.push_back(ModePage{0x03, 0, 100, {}, {}});
  ModePages large(options);
  CHECK(ask(large).size() == 256);
  CHECK(ask(large)[0] == std::byte{255});
}

TEST_CASE("a changer has no descriptor and nothing in its header, DBD or not") {
  ModeOptions options;
  options.block_descriptor = false;
  options.pages = {ModePage{0x1D, 0, 0x12, {{3, 1}}, {}}};
  ModePages pages(options);
  for (const int dbd : {0, 8}) {
    const auto data =
        std::get<std::vector<std::byte>>(pages.sense(kA, bytes({0x1A, dbd, 0x1D, 0, 255, 0})));
    REQUIRE(data.size() == 24);
    CHECK(std::vector(data.begin(), data.begin() + 8) == bytes({0x17, 0, 0, 0, 0x1D, 0x12, 0, 1}));
  }
  const auto refused = pages.select(kA, bytes({0x15, 0x10, 0, 0, 12, 0}),
                                    bytes({0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0}));
  REQUIRE(refused.refused);
  CHECK(refused.refused->field->byte == 3);
}
