// The check values of logical block protection: published vectors, and any split of the same bytes.
#include <catch2/catch.hpp>

#include "scsi/protection.h"
#include "test/unit/support/golden.h"

using namespace test;
using scsi::Protection;

namespace {

std::vector<std::byte> bytes_of(const std::string& hex) {
  std::vector<std::byte> out;
  for (const std::uint8_t byte : golden_bytes(hex)) out.push_back(std::byte{byte});
  return out;
}

}  // namespace

TEST_CASE("Logical block protection: published vectors, as they are sent") {
  const auto cases = read_golden("protection.txt");
  CHECK(cases.size() == 12);
  for (const GoldenCase& each : cases) {
    INFO(each.at("name") << ", method " << each.at("method"));
    const auto method = static_cast<Protection>(std::stoi(each.at("method")));
    const std::vector<std::byte> block = bytes_of(each.at("block"));
    const std::uint32_t value = scsi::protection_value(method, block);
    const auto sent = scsi::encode_protection(method, value);
    CHECK(golden_hex(sent) == each.at("sent"));
    CHECK(scsi::decode_protection(method, sent) == value);
  }
}

TEST_CASE("Logical block protection: the value does not depend on how the bytes were cut") {
  std::vector<std::byte> block(1000);
  for (std::size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i * i + 7);
  for (const Protection method : {Protection::kReedSolomon, Protection::kCrc32c}) {
    const std::uint32_t whole = scsi::protection_value(method, block);
    for (std::size_t cut = 0; cut <= 40; ++cut) {
      const scsi::Bytes all(block);
      const std::uint32_t first = scsi::protection_value(method, all.first(cut));
      CHECK(scsi::protection_value(method, all.subspan(cut), first) == whole);
    }
    std::vector<std::byte> other = block;
    other[500] ^= std::byte{1};
    CHECK(scsi::protection_value(method, other) != whole);
  }
}
