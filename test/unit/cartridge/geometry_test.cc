// Several partitions on disk: TapeMedium::format, and what is left of it when power fails.
#include <catch2/catch.hpp>

#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/superblock.h"

using namespace vtl;
using namespace vtl::test;
using Failure = MemoryFiles::Failure;
using Stop = ReadOutcome::Stop;

namespace {

constexpr std::uint64_t kThird = (1ull << 30) / 4;
using Sizes = std::vector<std::uint64_t>;

std::string nth(std::uint32_t partition, std::size_t i) {
  return block_text(1000 * partition + i, 50'000);
}

Sizes capacities(const TapeFixture& f) {
  Sizes out;
  for (std::uint32_t p = 0; p < f.tape.medium->partition_count(); ++p)
    out.push_back(f.tape.medium->partition(p).capacity_bytes);
  return out;
}

// Blocks and a filemark on a partition, from its beginning.
void fill(TapeFixture& f, std::uint32_t partition, std::size_t blocks) {
  REQUIRE_FALSE(f.tape.locate(0, partition).fault);
  for (std::size_t i = 0; i < blocks; ++i) REQUIRE_FALSE(f.tape.write(nth(partition, i)).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
}
void expect(TapeFixture& f, std::uint32_t partition, std::size_t blocks) {
  INFO("partition " << partition);
  REQUIRE(f.tape.medium->partition(partition).end_of_data == blocks + 1);
  REQUIRE_FALSE(f.tape.locate(0, partition).fault);
  for (std::size_t i = 0; i < blocks; ++i) CHECK(text_of(f.tape.read().data) == nth(partition, i));
  CHECK(f.tape.read().stop == Stop::kFilemark);
  CHECK(f.tape.read().stop == Stop::kEndOfData);
}

Attribute attribute(std::uint16_t id) { return {id, 0, {std::byte{1}, std::byte{2}}}; }

// A cartridge of two partitions with data and attributes, unloaded in order.
void two_partitions(TapeFixture& f) {
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.format({kThird, 3 * kThird}).fault);
  fill(f, 0, 3);
  fill(f, 1, 25);  // more than a segment
  for (const std::uint32_t p : {0u, 1u})
    REQUIRE_FALSE(f.tape.attributes({attribute(0x080C)}, p).fault);
  REQUIRE_FALSE(f.tape.attributes({attribute(0x0801)}).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
}

}  // namespace

TEST_CASE("Format: partitions with their sizes, kept over loads, each a tape of its own") {
  TapeFixture f;
  two_partitions(f);
  for (const bool in_order : {true, false}) {
    REQUIRE_FALSE(f.tape.load());
    CHECK(capacities(f) == Sizes{kThird, 3 * kThird});
    CHECK(f.tape.medium->partition(0).early_warning_bytes == kThird - early_warning_bytes(kThird));
    expect(f, 0, 3);
    expect(f, 1, 25);
    // In turn, as LTFS does: its index here, its data there.
    for (std::size_t i = 0; i < 3; ++i) {
      REQUIRE_FALSE(f.tape.locate(25 + 1 + 2 * i, 1).fault);
      REQUIRE_FALSE(f.tape.write("data").fault);
      REQUIRE_FALSE(f.tape.filemarks(1).fault);
      REQUIRE_FALSE(f.tape.locate(2).fault);
      REQUIRE_FALSE(f.tape.write(nth(0, 2), WriteMode::kDurable).fault);
      REQUIRE_FALSE(f.tape.filemarks(1).fault);
    }
    CHECK(f.tape.medium->partition(1).end_of_data == 25 + 1 + 6);
    REQUIRE_FALSE(f.tape.locate(25, 1).fault);
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    if (in_order) {
      REQUIRE_FALSE(f.tape.unload().fault);
    } else {
      f.tape.vanish();
      f.files.crash(0.0);
    }
  }
  REQUIRE_FALSE(f.tape.load());
  expect(f, 0, 3);
  expect(f, 1, 25);
}

TEST_CASE("Format: everything is gone, and what described a partition with it") {
  TapeFixture f;
  two_partitions(f);
  REQUIRE_FALSE(f.tape.load());
  const std::uint32_t reference = f.tape.medium->info().volume_change_reference;
  const std::uint32_t count = f.tape.medium->info().initialization_count;
  const Sizes next = GENERATE(Sizes{4 * kThird}, Sizes{kThird, kThird, 2 * kThird},
                              Sizes{kThird, kThird, kThird, kThird});
  REQUIRE_FALSE(f.tape.format(next).fault);
  for (const bool again : {false, true}) {
    if (again) {
      REQUIRE_FALSE(f.tape.unload().fault);
      REQUIRE_FALSE(f.tape.load());
    }
    CHECK(capacities(f) == next);
    CHECK(f.tape.position() == Position{});
    for (std::uint32_t p = 0; p < next.size(); ++p) {
      CHECK(f.tape.medium->partition(p).end_of_data == 0);
      CHECK(f.tape.medium->host_attributes(p).size() == (p == 0 ? 1u : 0u));
    }
    CHECK(f.tape.medium->host_attributes(0)[0].id == 0x0801);
    CHECK(f.tape.medium->info().volume_change_reference == reference + 1);
    CHECK(f.tape.medium->info().initialization_count == count + 1);
  }
  f.executor.run();
  CHECK(f.files.find("/quarantine").empty());
  CHECK(f.files.find("/p0.2").empty());  // nothing of the old ones is left
  fill(f, static_cast<std::uint32_t>(next.size()) - 1, 4);
  expect(f, static_cast<std::uint32_t>(next.size()) - 1, 4);
}

TEST_CASE("Format: less than there is is remembered until all of it is given away again") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().full_capacity_bytes == 0);
  CHECK(f.tape.medium->info().smallest_partition_bytes == kMinCapacityBytes);
  REQUIRE_FALSE(f.tape.format({kThird}).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().full_capacity_bytes == 4 * kThird);
  REQUIRE_FALSE(f.tape.format({2 * kThird}).fault);
  CHECK(f.tape.medium->info().full_capacity_bytes == 4 * kThird);
  REQUIRE_FALSE(f.tape.format({3 * kThird, kThird}).fault);
  CHECK(f.tape.medium->info().full_capacity_bytes == 0);
}

TEST_CASE("Format: WORM and write-protected cartridges are left as they are") {
  CartridgeSpec spec = test_spec();
  spec.worm = GENERATE(true, false);
  TapeFixture f(1, spec);
  if (!spec.worm) REQUIRE(set_write_protect(f.files, kDir, true).ok());
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.format({kThird, 3 * kThird}).fault);
  CHECK(f.tape.medium->partition_count() == 1);
}

TEST_CASE("Format: each operation fails in turn, and the cartridge is the old or the new one") {
  const Failure failure =
      GENERATE(Failure::kEio, Failure::kNoSpace, Failure::kShortWrite, Failure::kPowerCut);
  const Sizes next = GENERATE(Sizes{4 * kThird}, Sizes{kThird, kThird, 2 * kThird});
  std::size_t old_ones = 0, new_ones = 0;
  for (std::uint64_t at = 0;; ++at) {
    INFO("operation " << at << ", failure " << static_cast<int>(failure));
    TapeFixture f(static_cast<std::uint32_t>(at) + 1);
    two_partitions(f);
    REQUIRE_FALSE(f.tape.load());
    f.files.fail_at(at, failure);
    const bool told = f.tape.format(next).fault.has_value();
    const bool reached = f.files.failed();
    if (failure == Failure::kPowerCut || told) {
      f.tape.vanish();
      f.files.heal();
      f.files.crash(at % 3 == 0 ? 0.0 : at % 3 == 1 ? 1.0 : 0.5);
    } else {
      f.files.heal();
      (void)f.tape.unload();
    }
    REQUIRE_FALSE(f.tape.load());
    if (f.tape.medium->partition_count() == next.size()) {
      ++new_ones;
      CHECK(capacities(f) == next);
      for (std::uint32_t p = 0; p < next.size(); ++p) {
        CHECK(f.tape.medium->partition(p).end_of_data == 0);
        CHECK(f.tape.medium->host_attributes(p).size() == (p == 0 ? 1u : 0u));
      }
    } else {
      ++old_ones;
      CHECK(told);
      CHECK(capacities(f) == Sizes{kThird, 3 * kThird});
      expect(f, 0, 3);
      expect(f, 1, 25);
      for (const std::uint32_t p : {0u, 1u})
        CHECK(f.tape.medium->host_attributes(p).size() == (p == 0 ? 2u : 1u));
    }
    CHECK(f.files.find("/quarantine").empty());
    // Either way it can be formatted, and written.
    REQUIRE_FALSE(f.tape.format({2 * kThird, 2 * kThird}).fault);
    fill(f, 1, 2);
    expect(f, 1, 2);
    REQUIRE_FALSE(f.tape.unload().fault);
    if (!reached) break;
    REQUIRE(at < 200);
  }
  CHECK(new_ones > 1);
  CHECK(old_ones > 1);
}

TEST_CASE("A label that is lost: the segments of one partition tell of the others") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.format({kThird, 3 * kThird}).fault);
  const std::uint32_t written = GENERATE(0u, 1u);
  fill(f, written, 3);
  REQUIRE_FALSE(f.tape.unload().fault);
  f.files.edit(kDir + "/CART", [](std::vector<std::byte>& bytes) {
    std::fill(bytes.begin(), bytes.end(), std::byte{0});
  });
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().write_protected);
  REQUIRE(f.tape.medium->partition_count() == 2);
  expect(f, written, 3);
  CHECK(f.tape.medium->partition(1 - written).end_of_data == 0);
}

TEST_CASE(
    "Compression can be switched off and on between blocks, and the traffic is what is stored") {
  MediumOptions options;
  options.compression = Compression::kLz4;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  const std::string text(100'000, 'z');
  REQUIRE_FALSE(f.tape.write(text).fault);
  f.tape.medium->set_compression(false);
  REQUIRE_FALSE(f.tape.write(text).fault);
  f.tape.medium->set_compression(true);
  REQUIRE_FALSE(f.tape.write(text).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  const std::uint64_t stored = f.tape.medium->partition(0).used_bytes;
  CHECK(stored > 100'000);
  CHECK(stored < 110'000);
  CHECK(f.tape.medium->info().bytes_written_load == stored);
  REQUIRE_FALSE(f.tape.locate(0).fault);
  for (int i = 0; i < 3; ++i) CHECK(text_of(f.tape.read().data) == text);
  CHECK(f.tape.medium->info().bytes_read_load == stored);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(f.tape.medium->info().bytes_written_life == stored);
}
