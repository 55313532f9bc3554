// Proxmox Backup Server's own reading of a library (pbs-tape, as published): what its status page
// insists on. Debian does not have its tools, so their rules stand here.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"

using namespace scsi;  // NOLINT
using test::ChangerWorld;
using test::FakeInventory;
using test::is_good;

namespace {

constexpr std::uint16_t kNumber = 1000;  // of elements, in each call

struct Element {
  std::uint16_t address;
  bool full;
  std::string tag;
  std::optional<std::uint16_t> source;
  std::string vendor, model, serial;
};

std::string text(Bytes bytes) {
  std::string out(as_text(bytes));
  out.erase(out.find_last_not_of(std::string(" \0", 2)) + 1);
  return out;
}

// One answer. It must bring every byte that it counts, in an allocation of 65,535.
std::vector<Element> decode(Bytes data, std::uint8_t wanted, std::uint16_t start) {
  ByteReader r(data);
  const std::uint16_t first = r.u16(), count = r.u16();
  r.skip(1);
  const std::uint32_t byte_count = r.u24();
  REQUIRE(r.ok());
  std::vector<Element> out;
  if (count == 0) return out;
  CHECK(first >= start);
  REQUIRE(byte_count == r.remaining());
  while (r.remaining() > 0) {
    CHECK(r.u8() == wanted);
    const std::uint8_t flags = r.u8();
    CHECK((flags & 0x40) == 0);
    const std::uint16_t length = r.u16();
    r.skip(1);
    ByteReader page(r.bytes(r.u24()));
    REQUIRE(length > 0);
    while (page.remaining() >= length) {
      ByteReader d(page.bytes(length));
      Element e{};
      e.address = d.u16();
      e.full = (d.u8() & 1) != 0;
      d.skip(6);
      const bool source_valid = (d.u8() & 0x80) != 0;
      const std::uint16_t source = d.u16();
      if (source_valid) e.source = source;
      if ((flags & 0x80) != 0) {
        const std::string tag = text(d.bytes(36));
        if (e.full) e.tag = tag;
      }
      if (wanted == 4) {
        // An identifier of type 1 has 34 bytes; without one, code set and type are not 2 and 1.
        const std::uint16_t kind = d.u16();
        d.skip(1);
        const std::uint8_t identifier_length = d.u8();
        if (kind == 0x0201) {
          CHECK(identifier_length == 34);
          e.vendor = text(d.bytes(8));
          e.model = text(d.bytes(16));
          e.serial = text(d.bytes(10));
        } else {
          CHECK(kind == 0);
        }
      }
      REQUIRE(d.ok());
      out.push_back(e);
    }
    CHECK(page.remaining() == 0);
  }
  REQUIRE(r.ok());
  return out;
}

// All elements of a type, a thousand at a time.
std::vector<Element> elements_of(ChangerWorld& w, std::uint8_t type, bool identified = false) {
  std::vector<Element> all;
  std::uint16_t start = 0;
  for (;;) {
    const auto flags = static_cast<std::uint8_t>(identified ? type : 0x10 | type);
    const auto end = w.run(ChangerWorld::status(flags, start, kNumber, 0xFFFF, identified));
    REQUIRE(is_good(end));
    const auto part = decode(end.data(), type, start);
    all.insert(all.end(), part.begin(), part.end());
    if (part.empty() || part.size() < kNumber) return all;
    REQUIRE(part.back().address >= start);
    start = static_cast<std::uint16_t>(part.back().address + 1);
  }
}

}  // namespace

TEST_CASE("Proxmox reads libraries of any size: page 1Dh and the status agree") {
  const auto sizes = GENERATE(FakeInventory::Sizes{6, 2, 2}, FakeInventory::Sizes{1, 0, 1},
                              FakeInventory::Sizes{1000, 3, 10}, FakeInventory::Sizes{999, 1, 10},
                              FakeInventory::Sizes{2001, 490, 250});
  ChangerWorld w(sizes);
  for (std::uint16_t i = 0; i < sizes.storage; i = static_cast<std::uint16_t>(i + 2))
    w.library.put(static_cast<std::uint16_t>(1000 + i), "VTL" + std::to_string(i) + "L8");
  const auto inquiry = w.run({0x12, 0, 0, 0, 36, 0}).data();
  REQUIRE(inquiry.size() == 36);
  CHECK((inquiry[0] & std::byte{0x1F}) == std::byte{8});

  const auto page = w.run({0x1A, 0x08, 0x1D, 0, 0xFF, 0}).data();
  REQUIRE(page.size() == 24);
  CHECK(page[0] == std::byte{23});  // it takes no other mode data length
  ByteReader counts(Bytes(page).subspan(6));
  for (const std::uint8_t type : std::vector<std::uint8_t>{1, 2, 3, 4}) {
    const std::uint16_t first = counts.u16(), count = counts.u16();
    const auto elements = elements_of(w, type);
    CAPTURE(static_cast<int>(type));
    CHECK(elements.size() == count);
    if (count != 0) CHECK(elements.front().address == first);
    for (std::size_t i = 1; i < elements.size(); ++i)
      REQUIRE(elements[i].address > elements[i - 1].address);
  }
  for (const Element& e : elements_of(w, 2)) {
    CHECK(e.full == (e.address % 2 == 0));
    CHECK(e.tag == (e.full ? "VTL" + std::to_string(e.address - 1000) + "L8" : ""));
  }
}

TEST_CASE("Proxmox matches drives by their serial numbers, and sees where a tape came from") {
  ChangerWorld w;
  w.library.put(1002, "VTL001L8");
  w.library.put(11, "VTL002L8");
  REQUIRE(is_good(w.run(ChangerWorld::move(1002, 500))));
  REQUIRE(is_good(w.run(ChangerWorld::move(11, 501))));
  const auto drives = elements_of(w, 4);
  const auto identified = elements_of(w, 4, true);
  REQUIRE(drives.size() == 2);
  REQUIRE(identified.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(identified[i].address == drives[i].address);
    CHECK(identified[i].vendor == "IBM");
    CHECK(identified[i].model == "ULT3580-TD8");
    CHECK(identified[i].serial == "DRV000000" + std::to_string(i));
    CHECK(drives[i].serial.empty());
  }
  // Slots are numbered through: storage, then import/export.
  CHECK(drives[0].source == 1002);
  CHECK(drives[1].source == 11);
  CHECK(drives[0].tag == "VTL001L8");
  REQUIRE(is_good(w.run(ChangerWorld::move(500, 1002))));
  CHECK_FALSE(elements_of(w, 4)[0].source.has_value());
}
