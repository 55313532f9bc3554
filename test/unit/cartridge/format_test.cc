// The on-disk structures against golden bytes that a second implementation made from FORMAT.md.
#include <catch2/catch.hpp>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>

#include "scsi/crc32c.h"
#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/format.h"

using namespace vtl;
using namespace vtl::format;
using vtl::test::test_uuid;

namespace {

using ByteVector = std::vector<std::byte>;

unsigned number(const std::string& text, int base) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

const std::map<std::string, ByteVector>& golden() {
  static const std::map<std::string, ByteVector> all = [] {
    std::map<std::string, ByteVector> out;
    std::ifstream in(VTL_SOURCE_DIR "/test/golden/cartridge.txt");
    std::string line, name;
    while (std::getline(in, line)) {
      if (line.empty() || line[0] == '#') continue;
      if (line[0] != ' ') {
        name = line;
        continue;
      }
      line.erase(0, 2);
      if (const auto star = line.find('*'); star != std::string::npos) {
        out[name].insert(out[name].end(), number(line.substr(star + 1), 10),
                         std::byte(number(line.substr(0, 2), 16)));
        continue;
      }
      for (std::size_t i = 0; i < line.size(); i += 2)
        out[name].push_back(std::byte(number(line.substr(i, 2), 16)));
    }
    return out;
  }();
  return all;
}

Uuid library_uuid() {
  Uuid uuid{};
  uuid[0] = std::byte{0xB7};
  uuid[15] = std::byte{2};
  return uuid;
}

Cart golden_cart() {
  Cart c;
  c.gen = 7;
  c.feat_compat = 1;
  c.feat_ro_compat = 2;
  c.uuid = test_uuid(1);
  c.barcode = "VTL001L8";
  c.created_ns = 1'700'000'000'000'000'000;
  c.generation = 8;
  c.density = 0x5E;
  c.worm = true;
  c.partition_count = 2;
  c.default_compression = 1;
  c.flags = kClean | kWriteProtect;
  c.owner_epoch = 5;
  c.owner_library = library_uuid();
  c.next_epoch = 9;
  c.load_count = 3;
  c.worm_floor = 12;
  c.partitions[0] = {1, 4, 10, 12'000'000'000, 120'000'000, 20, 3, 5'000'000, 0x11223344, 2};
  c.partitions[1] = {6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  c.keys[3] = std::byte{1};
  c.keys[5] = std::byte{1};
  c.keys[7] = std::byte{1};
  c.element_hint = 1001;
  c.library_name = "lib";
  c.shelf_generation = 2;
  for (std::size_t i = 0; i < 32; ++i) c.shelf_manifest_sha256[i] = std::byte(i);
  c.cleaning = true;
  c.initialization_count = 4;
  c.volume_change_reference = 17;
  c.last_loads[0] = {"IBM", "1234567890"};
  c.last_loads[1] = {"HP", "ABC"};
  c.bytes_written_life = 100;
  c.bytes_read_life = 200;
  c.bytes_written_load = 30;
  c.bytes_read_load = 40;
  c.clean_gen = 6;
  return c;
}

template <class Encode>
ByteVector block(Encode encode, std::size_t size = kBlock) {
  ByteVector out(size);
  encode(scsi::MutableBytes(out));
  return out;
}

}  // namespace

TEST_CASE("Golden: CART") {
  const ByteVector& bytes = golden().at("CART");
  CHECK(block([](auto out) { encode_cart(golden_cart(), out); }) == bytes);
  const auto cart = decode_cart(bytes);
  REQUIRE(cart);
  CHECK(block([&](auto out) { encode_cart(*cart, out); }) == bytes);
  CHECK(cart->partitions[1].segtab_entries == 15);
  CHECK(cart->last_loads[1].serial == "ABC");
  CHECK(is_compatible(*cart));
}

TEST_CASE("Golden: segment header, trailer") {
  SegmentHeader h;
  h.partition = 1;
  h.seq = 3;
  h.epoch = 9;
  h.uuid = test_uuid(1);
  h.barcode = "VTL001L8";
  h.first_lba = 1000;
  h.first_filemark = 7;
  h.base_used = 123456789;
  h.created_ns = 1'700'000'000'000'000'001;
  h.generation = 8;
  h.density = 0x5E;
  h.partition_count = 2;
  h.segment_mib = 256;
  h.dirgen = 1;
  h.capacity_bytes = 12'000'000'000;
  CHECK(block([&](auto out) { encode_segment_header(h, out); }) == golden().at("SEGMENT"));
  CHECK(decode_segment_header(golden().at("SEGMENT")) == h);

  Trailer t;
  t.uuid = test_uuid(1);
  t.partition = 1;
  t.seq = 3;
  t.epoch = 9;
  t.last_epoch = 10;
  t.first_lba = 1000;
  t.count = 50;
  t.first_filemark = 7;
  t.filemarks = 2;
  t.base_used = 123456789;
  t.data_end = t.index_offset = 262144;
  t.index_crc = 1;
  t.filemark_crc = 2;
  t.data_crc = 3;
  t.sealed_ns = 1'700'000'000'000'000'002;
  t.payload_bytes = 200000;
  CHECK(block([&](auto out) { encode_trailer(t, out); }) == golden().at("TRAILER"));
  CHECK(decode_trailer(golden().at("TRAILER")) == t);
}

TEST_CASE("Golden: record headers") {
  const std::uint32_t salt = record_salt(test_uuid(1), 1, 3, 9);
  RecordHeader d;
  d.flags = kCompressed;
  d.stored_length = 100;
  d.lba = 1001;
  d.logical_length = 262144;
  d.logical_crc = 0x01020304;
  d.payload_crc = 0x05060708;
  d.epoch = 10;
  d.filemarks_before = 7;
  d.durable_delta = 1;
  d.compression = 1;
  CHECK(block([&](auto out) { encode_record_header(d, salt, out); }, 64) ==
        golden().at("RECORD-DATA"));
  CHECK(decode_record_header(golden().at("RECORD-DATA"), salt) == d);
  CHECK_FALSE(decode_record_header(golden().at("RECORD-DATA"), record_salt(test_uuid(1), 1, 3, 8)));
  RecordHeader m;
  m.type = RecordType::kFilemark;
  m.lba = 1002;
  m.epoch = 10;
  m.filemarks_before = 7;
  m.durable_delta = 0xFFFFFFFF;
  CHECK(block([&](auto out) { encode_record_header(m, salt, out); }, 64) ==
        golden().at("RECORD-FILEMARK"));
  CHECK(decode_record_header(golden().at("RECORD-FILEMARK"), salt) == m);
  CHECK(index_entry(4096, 262144, RecordType::kData) == 0x0000010000400001);
}

TEST_CASE("Golden: SEGTAB, DURABLE, POOL, MAM") {
  Segtab table;
  table.cart_gen = 6;
  table.entries.push_back({0, 1, 0, 50, 0, 2, 0, 262144, 262144, 1});
  table.entries.push_back({1, 2, 50, 60, 2, 3, 200000, 524288, 524288, 1});
  CHECK(encode_segtab(table) == golden().at("SEGTAB"));
  const auto decoded = decode_segtab(golden().at("SEGTAB"));
  REQUIRE(decoded);
  CHECK(decoded->entries == table.entries);
  CHECK(decoded->cart_gen == 6);

  Durable durable;
  durable.uuid = test_uuid(1);
  durable.partition = 1;
  durable.cut_epoch = 9;
  durable.end_of_data = 1002;
  durable.filemarks = 7;
  durable.used_bytes = 300000;
  CHECK(block([&](auto out) { encode_durable(durable, out); }, kDurableBytes) ==
        golden().at("DURABLE"));
  CHECK(decode_durable(golden().at("DURABLE")) == durable);

  Pool pool;
  pool.uuid = test_uuid(1);
  pool.created_ns = 1'700'000'000'000'000'003;
  CHECK(block([&](auto out) { encode_pool(pool, out); }) == golden().at("POOL"));
  CHECK(decode_pool(golden().at("POOL")) == pool);

  Mam mam;
  mam.gen = 5;
  mam.attributes.push_back({0, {0x0801, 1, {std::byte('a'), std::byte('p'), std::byte('p')}}});
  mam.attributes.push_back({1, {0x080C, 0, {std::byte{1}, std::byte{2}}}});
  CHECK(encode_mam(mam) == golden().at("MAM"));
  const auto again = decode_mam(golden().at("MAM"));
  REQUIRE(again);
  CHECK(again->gen == 5);
  CHECK(encode_mam(*again) == golden().at("MAM"));
}

TEST_CASE("Fields that were reserved once: 0 means what it always meant") {
  Cart cart = golden_cart();
  CHECK(decode_cart(golden().at("CART"))->full_capacity_bytes == 0);
  cart.full_capacity_bytes = 0x0102030405060708;
  const ByteVector with_capacity = block([&](auto out) { encode_cart(cart, out); });
  for (std::size_t i = 0; i < 8; ++i) CHECK(with_capacity[152 + i] == std::byte(i + 1));
  CHECK(decode_cart(with_capacity)->full_capacity_bytes == cart.full_capacity_bytes);
  CHECK(decode_mam(golden().at("MAM"))->formats == 0);
  Mam mam;
  mam.formats = 0x01020304;
  const auto bytes = encode_mam(mam);
  for (std::size_t i = 0; i < 4; ++i) CHECK((*bytes)[28 + i] == std::byte(i + 1));
  CHECK(decode_mam(*bytes)->formats == mam.formats);
}

TEST_CASE("No structure survives a flipped bit") {
  const std::uint32_t salt = record_salt(test_uuid(1), 1, 3, 9);
  std::mt19937 random(7);
  for (const auto& [name, bytes] : golden()) {
    for (int i = 0; i < 300; ++i) {
      ByteVector bad = bytes;
      // MAM is padded behind what its checksum covers.
      const std::size_t covered = name == "MAM" ? 49 : bad.size();
      const std::size_t at = i < 64 ? static_cast<std::size_t>(i) % covered : random() % covered;
      bad[at] ^= std::byte(1u << (random() % 8));
      INFO(name << " byte " << at);
      CHECK_FALSE((decode_cart(bad) || decode_segment_header(bad) || decode_trailer(bad) ||
                   decode_pool(bad) || decode_durable(bad) || decode_mam(bad) ||
                   decode_segtab(bad) || decode_record_header(bad, salt)));
    }
    CHECK_FALSE(decode_cart(scsi::Bytes(bytes).first(63)));
    CHECK_FALSE(decode_segtab(scsi::Bytes(bytes).first(31)));
    CHECK_FALSE(decode_mam(scsi::Bytes(bytes).first(31)));
  }
}

TEST_CASE("Names of files and directories") {
  CHECK(segment_name(7, 10) == "0000000007-0000000a.seg");
  const auto parsed = parse_segment_name("0000000007-0000000a.seg");
  REQUIRE(parsed);
  CHECK(parsed->seq == 7);
  CHECK(parsed->epoch == 10);
  for (const char* bad :
       {"", "0000000007.spare", "000000007-0000000a.seg", "0000000007-0000000g.seg",
        "0000000007-0000000a.sea", "99999999999-000000a.seg"})
    CHECK_FALSE(parse_segment_name(bad));
  CHECK(partition_directory(0, 1) == "p0.1");
  REQUIRE(parse_partition_directory("p3.12"));
  CHECK(parse_partition_directory("p3.12")->dirgen == 12);
  for (const char* bad : {"", "p", "p.1", "p1.", "q1.1", "p1.x", "p1"})
    CHECK_FALSE(parse_partition_directory(bad));
}

TEST_CASE("A table of segments whose numbers cannot be is none") {
  const auto accepted = [](auto&& change) {
    format::Segtab table;
    table.entries.resize(2);
    for (std::size_t i = 0; i < 2; ++i) {
      table.entries[i].first_lba = i * 10;
      table.entries[i].count = 10;
      table.entries[i].data_end = table.entries[i].index_offset = 8192;
    }
    change(table);
    return format::decode_segtab(format::encode_segtab(table)).has_value();
  };
  CHECK(accepted([](auto&) {}));
  CHECK(accepted([](auto& t) { t.entries[1].first_lba = 50; }));  // a lost extent
  CHECK_FALSE(accepted([](auto& t) { t.entries[1].first_lba = 9; }));
  CHECK_FALSE(accepted([](auto& t) { t.entries[1].count = 1ull << 40; }));
  CHECK_FALSE(accepted([](auto& t) { t.entries[1].filemarks = 11; }));
  CHECK_FALSE(accepted([](auto& t) { t.entries[1].data_end = 0; }));
}
