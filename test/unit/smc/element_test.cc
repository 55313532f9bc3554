// Element status data (SMC-3 6.12): which elements, and their bytes.
#include "scsi/smc/element.h"

#include <catch2/catch.hpp>

#include "scsi/smc/profile.h"
#include "test/unit/smc/fake_inventory.h"

using namespace scsi;       // NOLINT: a test of these namespaces
using namespace scsi::smc;  // NOLINT

namespace {

constexpr std::uint32_t kAll = 0xFFFFFF;

std::vector<std::uint16_t> addresses(const ElementSelection& selection) {
  std::vector<std::uint16_t> out;
  for (const Element* e : selection) out.push_back(e->address);
  return out;
}

struct Header {
  std::uint16_t first, count;
  std::uint32_t byte_count;
};
Header header_of(Bytes data) {
  ByteReader r(data);
  Header h{};
  h.first = r.u16();
  h.count = r.u16();
  CHECK(r.u8() == 0);
  h.byte_count = r.u24();
  REQUIRE(r.ok());
  return h;
}

// A second reader of the format (SMC-3 6.11): what a client would make of it.
struct Descriptor {
  std::uint8_t type, flags, svalid;
  std::uint16_t address, source;
  std::string tag, identifier;
};
std::vector<Descriptor> parse(Bytes data) {
  const Header header = header_of(data);
  REQUIRE(data.size() == 8 + header.byte_count);
  std::vector<Descriptor> out;
  ByteReader r(data.subspan(8));
  while (r.remaining() > 0) {
    const std::uint8_t type = r.u8(), page_flags = r.u8();
    const std::uint16_t length = r.u16();
    CHECK(r.u8() == 0);
    const std::uint32_t bytes = r.u24();
    REQUIRE(r.ok());
    REQUIRE(bytes % length == 0);
    REQUIRE(bytes > 0);
    for (std::uint32_t i = 0; i < bytes / length; ++i) {
      const Bytes d = r.bytes(length);
      REQUIRE(r.ok());
      ByteReader f(d);
      Descriptor e{};
      e.type = type;
      e.address = f.u16();
      e.flags = f.u8();
      f.skip(6);
      e.svalid = f.u8();
      e.source = f.u16();
      if ((page_flags & 0x80) != 0) {
        e.tag = as_text(f.bytes(32));
        CHECK(f.u32() == 0);
      }
      CHECK((page_flags & 0x40) == 0);  // no alternate tags: Proxmox's 65 bytes
      const std::uint8_t code_set = f.u8(), kind = f.u8();
      f.skip(1);
      const std::uint8_t identifier_length = f.u8();
      if (identifier_length != 0) {
        CHECK(code_set == 2);
        CHECK(kind == 1);
      }
      e.identifier = as_text(f.bytes(identifier_length));
      REQUIRE(f.ok());
      CHECK(f.remaining() == 0);
      out.push_back(e);
    }
  }
  CHECK(out.size() == header.count);
  if (!out.empty()) CHECK(out.front().address == header.first);
  return out;
}

}  // namespace

TEST_CASE("Elements of a type at an address and above, at most so many") {
  test::FakeInventory library;
  const auto all = library.elements();
  CHECK(addresses(select_elements(all, 1, 0, 0xFFFF)) == std::vector<std::uint16_t>{1});
  CHECK(addresses(select_elements(all, 3, 0, 0xFFFF)) == std::vector<std::uint16_t>{10, 11});
  CHECK(addresses(select_elements(all, 4, 0, 0xFFFF)) == std::vector<std::uint16_t>{500, 501});
  CHECK(addresses(select_elements(all, 2, 1002, 2)) == std::vector<std::uint16_t>{1002, 1003});
  CHECK(addresses(select_elements(all, 2, 3, 2)) == std::vector<std::uint16_t>{1000, 1001});
  CHECK(addresses(select_elements(all, 2, 1005, 9)) == std::vector<std::uint16_t>{1005});
  CHECK(select_elements(all, 2, 1006, 0xFFFF).empty());
  CHECK(select_elements(all, 2, 0xFFFF, 0xFFFF).empty());
  CHECK(select_elements(all, 2, 0, 0).empty());
  // every type: ascending by address
  CHECK(addresses(select_elements(all, 0, 0, 0xFFFF)) ==
        std::vector<std::uint16_t>{1, 10, 11, 500, 501, 1000, 1001, 1002, 1003, 1004, 1005});
  CHECK(addresses(select_elements(all, 0, 11, 3)) == std::vector<std::uint16_t>{11, 500, 501});
}

TEST_CASE("No elements: eight zeros and no page") {
  const auto data = element_status({}, {.volume_tags = true, .device_identifiers = true}, kAll);
  CHECK(data == std::vector<std::byte>(8));
}

TEST_CASE("Descriptor lengths: 16, 52 with a tag, 50 and 86 with a drive's identifier") {
  test::FakeInventory library;
  const bool tags = GENERATE(false, true), identifiers = GENERATE(false, true);
  const auto selection = select_elements(library.elements(), 0, 0, 0xFFFF);
  const auto data =
      element_status(selection, {.volume_tags = tags, .device_identifiers = identifiers}, kAll);
  const std::size_t other = tags ? 52 : 16;
  const std::size_t drive = other + (identifiers ? 34 : 0);
  CHECK(header_of(data).byte_count == 4 * 8 + 9 * other + 2 * drive);
  const auto elements = parse(data);
  REQUIRE(elements.size() == 11);
  for (const Descriptor& e : elements) {
    CHECK(e.identifier.size() == (identifiers && e.type == 4 ? 34u : 0u));
    CHECK(e.tag == (tags ? std::string(32, ' ') : std::string()));
  }
}

TEST_CASE("Flags, medium type, source") {
  test::FakeInventory library;
  library.put(10, "IE0001L8");
  library.at(10).placed_by_operator = true;
  library.put(11, "IE0002L8");
  library.at(11).source = 1003;
  library.put(500, "VTL001L8");
  library.at(500).source = 1002;
  library.at(500).accessible = false;
  library.put(1000, "CLN001CU");
  library.at(1000).cleaning = true;
  library.put(1001, "VTL002LY");
  library.at(1001).worm = true;
  library.at(1003).source = 1004;  // stale: empty elements have no source
  library.at(1004).accessible = false;
  const auto elements = parse(element_status(select_elements(library.elements(), 0, 0, 0xFFFF),
                                             {.volume_tags = true}, kAll));
  const auto at = [&](std::uint16_t address) {
    return *std::find_if(elements.begin(), elements.end(),
                         [&](const Descriptor& e) { return e.address == address; });
  };
  CHECK(at(1).flags == 0x00);    // transport: empty between moves
  CHECK(at(10).flags == 0x3B);   // in and out enabled, accessible, by the operator, full
  CHECK(at(10).svalid == 0x01);  // data; no source
  CHECK(at(11).flags == 0x39);   // by the robot
  CHECK(at(11).svalid == 0x81);
  CHECK(at(11).source == 1003);
  CHECK(at(500).flags == 0x01);  // full, locked in
  CHECK(at(500).svalid == 0x81);
  CHECK(at(500).source == 1002);
  CHECK(at(500).tag == "VTL001L8" + std::string(24, ' '));
  CHECK(at(501).flags == 0x08);  // empty: accessible
  CHECK(at(501).svalid == 0x00);
  CHECK(at(1000).flags == 0x09);
  CHECK(at(1000).svalid == 0x02);
  CHECK(at(1001).svalid == 0x04);
  CHECK(at(1003).flags == 0x08);
  CHECK(at(1003).svalid == 0x00);
  CHECK(at(1003).source == 0);
  CHECK(at(1004).flags == 0x00);
}

TEST_CASE("A barcode of 32 characters fills its field; a longer one is cut; none is spaces") {
  test::FakeInventory library;
  library.put(1000, std::string(32, 'A'));
  library.put(1001, std::string(40, 'B'));
  library.put(1002, "");
  const auto elements = parse(
      element_status(select_elements(library.elements(), 2, 1000, 3), {.volume_tags = true}, kAll));
  CHECK(elements[0].tag == std::string(32, 'A'));
  CHECK(elements[1].tag == std::string(32, 'B'));
  CHECK(elements[2].tag == std::string(32, ' '));
  CHECK(elements[2].flags == 0x09);
}

TEST_CASE("Cut anywhere, what is there is the front of the whole answer") {
  test::FakeInventory library;
  library.put(1000, "VTL000L8");
  const auto selection = select_elements(library.elements(), 0, 0, 0xFFFF);
  const ElementStatusFormat format{.volume_tags = true, .device_identifiers = true};
  const auto whole = element_status(selection, format, kAll);
  for (std::uint32_t length = 0; length <= whole.size() + 1; ++length) {
    auto data = element_status(selection, format, length);
    REQUIRE(data.size() >= std::min<std::size_t>(length, whole.size()));
    data.resize(std::min<std::size_t>(length, whole.size()));
    REQUIRE(std::equal(data.begin(), data.end(), whole.begin()));
  }
}

TEST_CASE("64,000 elements: sizes without encoding, pages of a thousand, each element once") {
  test::FakeInventory library({.storage = 64000, .import_export = 40, .drives = 10});
  const auto all = library.elements();
  const auto selection = select_elements(all, 2, 0, 0xFFFF);
  const auto head = element_status(selection, {.volume_tags = true}, 8);
  CHECK(header_of(head).count == 64000);
  CHECK(header_of(head).byte_count == 8 + 64000 * 52);
  CHECK(head.size() < 200);

  std::vector<std::uint16_t> seen;
  std::uint16_t next = 0;
  for (;;) {
    const auto part = select_elements(all, 0, next, 1000);
    if (part.empty()) break;
    CHECK(part.size() <= 1000);
    for (const Element* e : part) seen.push_back(e->address);
    next = static_cast<std::uint16_t>(part.back()->address + 1);
  }
  CHECK(seen.size() == 64051);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
}

TEST_CASE("Profiles: sizes and addresses of the real libraries") {
  CHECK(library_profiles().front().name == "stk-l700");
  CHECK(find_library_profile("no-such") == nullptr);
  const LibraryProfile* stk = find_library_profile("stk-l700");
  REQUIRE(stk != nullptr);
  CHECK(stk->vendor == "STK");
  CHECK(stk->product == "L700");
  CHECK(stk->storage.first == 1000);
  CHECK(stk->storage.model_count == 678);
  CHECK(stk->import_export.first == 10);
  CHECK(stk->drives.first == 500);
  CHECK(stk->drives.model_count == 20);
  CHECK(stk->drive_generation == 8);
  const LibraryProfile* aws = find_library_profile("aws");
  REQUIRE(aws != nullptr);
  CHECK(aws->vendor == "AWS");
  CHECK(aws->product == "Gateway-VTL");
  CHECK(aws->transport.first == 0);
  CHECK(aws->drives.first == 10000);
  CHECK(aws->storage.first == 20000);
  CHECK(aws->storage.default_count == 1600);
  CHECK(aws->import_export.first == 30000);
  CHECK(aws->import_export.default_count == 1600);
  CHECK(aws->drive_generation == 5);
  CHECK(aws->default_iqn_prefix == "iqn.1997-05.com.amazon");
  const LibraryProfile* ibm = find_library_profile("ibm-3584");
  REQUIRE(ibm != nullptr);
  CHECK(ibm->product == "03584L32");
  CHECK(ibm->revision == "0402");
  CHECK(ibm->storage.first == 0x401);
  CHECK(ibm->drives.first == 0x101);
  CHECK(ibm->import_export.first == 0x301);
  for (const LibraryProfile& profile : library_profiles()) {
    CAPTURE(std::string(profile.name));
    CHECK(find_library_profile(profile.name) == &profile);
    CHECK(profile.drives.default_count == std::min(profile.drives.model_count, 10u));
    CHECK(profile.transport.default_count == 1);
  }
}
