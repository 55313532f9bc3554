// A disk that does not show something now: whoever reads passes it, and nothing is guessed.
#include "test/unit/faults/rig.h"

using namespace vtl::test;

namespace {

// READ POSITION, long form: first byte and file number.
std::pair<unsigned, std::uint64_t> file_number(Drive& host) {
  const std::vector<std::byte> data = host.run({0x34, 6}, kHost, 32).data();
  return {std::to_integer<unsigned>(data[0]),
          scsi::ByteReader(scsi::Bytes(data).subspan(16)).u64()};
}

}  // namespace

TEST_CASE(
    "F8, F9: a block and the index that the disk does not show now: MPU, and no file number") {
  Rig rig;
  Drive& host = *rig.host;
  host.load();
  for (std::uint64_t i = 0; i < 3; ++i) {
    rig.write(i, i + 1);
    REQUIRE(host.filemarks(1) == "GOOD");
  }
  REQUIRE(host.unload() == "GOOD");
  REQUIRE(host.load_again() == "GOOD");
  rig.files.broken = "pread";
  rig.files.broken_path = ".seg";
  for (int i = 0; i < 2; ++i) CHECK(host.read() == "3/11/00 info=100000");
  CHECK(file_number(host) == std::pair(0x08u, std::uint64_t{0}));
  CHECK(host.position() == "2/0");
  CHECK(host.write(70) == "3/11/00 info=100000");  // what would precede it cannot be said
  CHECK(host.position() == "2/0");
  const bool read_on = GENERATE(false, true);
  if (read_on) {  // a damaged tape is readable to its end
    for (int i = 0; i < 4; ++i) CHECK(host.read() == "3/11/00 info=100000");
    CHECK(host.read() == "8/00/05 info=100000");
    CHECK(host.position() == "6/3");
    return;
  }
  rig.files.broken.clear();
  CHECK(file_number(host) == std::pair(0x00u, std::uint64_t{1}));
  CHECK(host.read() == "b1");
  CHECK(host.command({0x11, 1, 0, 0, 1}) == "GOOD");  // SPACE one filemark
  CHECK(host.position() == "4/2");
  CHECK(host.tape() == "b0 | b1 | b2 |");
}
