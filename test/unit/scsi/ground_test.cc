#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <tuple>

#include "scsi/bytes.h"
#include "scsi/crc32c.h"
#include "scsi/done.h"
#include "scsi/identity.h"
#include "scsi/secret.h"

using namespace scsi;

TEST_CASE("ByteReader fails once and for ever, and gives zeros from then on") {
  const std::byte raw[] = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}, std::byte{5}};
  ByteReader reader(raw);
  CHECK(reader.u24() == 0x010203);
  CHECK(reader.remaining() == 2);
  CHECK(reader.u24() == 0);
  CHECK_FALSE(reader.ok());
  CHECK(reader.remaining() == 0);
  CHECK(reader.u8() == 0);
  CHECK(reader.bytes(1).empty());
  ByteReader whole(raw);
  CHECK(whole.bytes(5).size() == 5);
  CHECK(whole.bytes(0).empty());
  CHECK(whole.ok());
}

TEST_CASE("ByteWriter stays inside its memory") {
  std::byte raw[5] = {};
  ByteWriter writer(MutableBytes(raw).first(4));
  writer.u16(0x1122).u24(0x334455).u8(0x66);
  CHECK_FALSE(writer.ok());
  CHECK(writer.position() == 2);
  CHECK(raw[2] == std::byte{0});
  CHECK(raw[4] == std::byte{0});
}

TEST_CASE("ByteBuilder pads and cuts ASCII, and patches lengths") {
  ByteBuilder out;
  out.u16(0).ascii("ab", 4).ascii("abcdef", 3);
  out.patch(0, out.size() - 2, 2);
  const Bytes view = out.view();
  CHECK(as_text(view.subspan(2)) == "ab  abc");
  CHECK(view[1] == std::byte{7});
}

TEST_CASE("CRC32C of the vectors in RFC 3720 B.4, whole and in pieces") {
  std::vector<std::byte> up(32), down(32);
  for (std::size_t i = 0; i < 32; ++i) {
    up[i] = static_cast<std::byte>(i);
    down[i] = static_cast<std::byte>(31 - i);
  }
  CHECK(crc32c(std::vector<std::byte>(32)) == 0x8A9136AA);
  CHECK(crc32c(std::vector<std::byte>(32, std::byte{0xFF})) == 0x62A8AB43);
  CHECK(crc32c(up) == 0x46DD794E);
  CHECK(crc32c(down) == 0x113FDB5C);
  CHECK(crc32c(Bytes(up).subspan(5), crc32c(Bytes(up).first(5))) == 0x46DD794E);
  const std::vector<std::byte> long_one(100'003, std::byte{0xA7});
  for (const std::size_t cut : {0u, 1u, 5u, 4096u, 65536u, 100'003u}) {
    const Bytes head = Bytes(long_one).first(cut), tail = Bytes(long_one).subspan(cut);
    CHECK(scsi::crc32c_join(crc32c(head), crc32c(tail), static_cast<std::uint32_t>(tail.size())) ==
          crc32c(long_one));
  }
}

TEST_CASE("Done owns what it captures, small or large, and is empty after the call") {
  const auto alive = std::make_shared<int>(0);
  struct Large {
    std::byte space[200];
  };
  for (const bool large : {false, true}) {
    Done<int> done;
    if (large)
      done = [alive, big = Large{}](int v) {
        *alive += v + static_cast<int>(sizeof big) / 200 - 1;
      };
    else
      done = [alive](int v) { *alive += v; };
    CHECK(alive.use_count() == 2);
    Done<int> moved = std::move(done);
    CHECK_FALSE(done);  // NOLINT
    moved(21);
    CHECK_FALSE(moved);
    CHECK(alive.use_count() == 1);
    {
      Done<int> dropped = [alive](int) {};
      CHECK(alive.use_count() == 2);
    }
    CHECK(alive.use_count() == 1);
  }
  CHECK(*alive == 42);
}

TEST_CASE("the T10 designator pads its three fields; a longer serial is not cut") {
  Identity identity;
  identity.vendor = "IBM";
  identity.product = "ULT3580-TD8";
  identity.serial = "1234567890";
  CHECK(t10_identifier(identity) == "IBM     ULT3580-TD8     1234567890");
  identity.serial = "123456789012";
  CHECK(t10_identifier(identity).size() == 36);
}

TEST_CASE("A key: zero at first, in a page that no core dump has; wiping leaves zeros") {
  const scsi::SecretKey key;
  for (const std::byte byte : key.view()) CHECK(byte == std::byte{});
  std::ifstream maps("/proc/self/smaps");
  bool found = false;
  std::uintptr_t begin = 0, end = 0;
  const auto at = reinterpret_cast<std::uintptr_t>(key.data());
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &from, &to) == 2)
      std::tie(begin, end) = std::pair(from, to);
    if (at < begin || at >= end || !line.starts_with("VmFlags:")) continue;
    found = true;
    CHECK(line.find(" dd") != std::string::npos);
  }
  CHECK(found);

  std::array<std::byte, 40> secret{};
  secret.fill(std::byte{7});
  scsi::wipe(secret);
  CHECK(secret == std::array<std::byte, 40>{});
}
