// Records and filemarks, through every way that data can take.
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <thread>

#include "library.h"

namespace {

// Writes one record of each size and a filemark after each, reads all back.
void write_and_read(Initiator& drive, const std::vector<std::size_t>& sizes) {
  REQUIRE(rewind_tape(drive).good());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    CAPTURE(sizes[i]);
    const CommandResult written = write_block(drive, pattern(sizes[i], i));
    INFO(written.sense_code() << written.transport_error);
    REQUIRE(written.good());
    REQUIRE(write_filemarks(drive, 1).good());
  }
  CHECK(position(drive) == 2 * sizes.size());
  REQUIRE(rewind_tape(drive).good());
  CHECK(position(drive) == 0);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    CAPTURE(sizes[i]);
    const CommandResult read = read_block(drive, sizes[i]);
    INFO(read.sense_code() << read.transport_error);
    REQUIRE(read.good());
    REQUIRE(read.residual == 0);
    REQUIRE(read.data == pattern(sizes[i], i));
    const CommandResult mark = read_block(drive, 1024);
    REQUIRE(mark.filemark());
    REQUIRE(mark.sense_code() == "0/00/01");
    REQUIRE(mark.residual == 1024);
  }
  CHECK(read_block(drive, 1024).sense_code() == "8/00/05");
}

const std::vector<std::size_t> kSizes = {1,      3,      512,     4095,    65536,   262143,
                                         262144, 262145, 1048576, 1048577, 4194304, 8388608};

}  // namespace

TEST_CASE("records of all sizes, by every way that data can come", "[bulk]") {
  Library library;
  const bool immediate = GENERATE(true, false);
  const bool initial_r2t = GENERATE(true, false);
  const bool digest = GENERATE(true, false);
  CAPTURE(immediate, initial_r2t, digest);
  LoginOptions options;
  options.immediate_data = immediate;
  options.initial_r2t = initial_r2t;
  options.header_digest = digest;
  Initiator drive = library.load(1, options);
  write_and_read(drive, kSizes);
}

TEST_CASE("records shorter and longer than asked for") {
  Library library;
  Initiator drive = library.load(1);
  REQUIRE(write_block(drive, pattern(1000, 1)).good());
  REQUIRE(write_block(drive, pattern(1000, 2)).good());
  REQUIRE(write_block(drive, pattern(1000, 3)).good());
  REQUIRE(rewind_tape(drive).good());

  const CommandResult shorter = read_block(drive, 4096);  // SILI 0: ILI, INFORMATION 3096
  CHECK(shorter.status == 2);
  CHECK(shorter.sense_code() == "0/00/00");
  CHECK(shorter.incorrect_length());
  CHECK(shorter.information() == 3096);
  const CommandResult longer = read_block(drive, 400);
  CHECK(longer.incorrect_length());
  CHECK(longer.information() == -600);
  const CommandResult suppressed = drive.in({0x08, 2, 0, 16, 0, 0}, 4096);
  CHECK(suppressed.good());
  CHECK(suppressed.residual == 3096);
  CHECK(suppressed.data == pattern(1000, 3));
}

TEST_CASE("spacing and overwriting") {
  Library library;
  Initiator drive = library.load(1);
  for (int file = 0; file < 3; ++file) {
    for (int record = 0; record < 4; ++record) {
      REQUIRE(
          write_block(drive, pattern(100, static_cast<std::uint64_t>(file * 4 + record))).good());
    }
    REQUIRE(write_filemarks(drive, 1).good());
  }
  REQUIRE(rewind_tape(drive).good());
  CHECK(space(drive, 1, 2).good());
  CHECK(position(drive) == 10);
  CHECK(read_block(drive, 100).data == pattern(100, 8));
  CHECK(space(drive, 1, -1).good());
  CHECK(position(drive) == 9);
  CHECK(space(drive, 3, 0).good());
  CHECK(position(drive) == 15);
  // LOCATE(10) to object 7, and write: what was behind is gone.
  CHECK(drive.none({0x2b, 0, 0, 0, 0, 0, 7, 0, 0, 0}).good());
  REQUIRE(write_block(drive, pattern(50, 99)).good());
  CHECK(read_block(drive, 100).sense_code() == "8/00/05");
  REQUIRE(space(drive, 0, -1).good());
  CHECK(drive.in({0x08, 2, 0, 0, 100, 0}, 100).data == pattern(50, 99));
}

TEST_CASE("overwriting again and again does not fill the disk") {
  namespace fs = std::filesystem;
  Library library;
  Initiator drive = library.load(1);
  for (int round = 0; round < 30; ++round) {
    REQUIRE(rewind_tape(drive).good());
    const CommandResult written = write_block(drive, pattern(100000, 1));
    INFO(round << ": " << written.sense_code());
    REQUIRE(written.good());
    REQUIRE(write_filemarks(drive, 1).good());
  }
  const std::string trash = library.daemon.data() + "/pool/trash";
  for (int i = 0; i < 500 && !fs::is_empty(trash); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  CHECK(fs::is_empty(trash));  // while the cartridge is in the drive
  CHECK(drive.none({0, 0, 0, 0, 0, 0}).good());
}

TEST_CASE("what was written is there after a restart, and after a kill up to the last filemark") {
  Library library;
  const int signal = GENERATE(15, 9);
  CAPTURE(signal);
  {
    Initiator drive = library.load(1);
    for (std::uint64_t i = 0; i < 50; ++i) {
      REQUIRE(write_block(drive, pattern(65536, i)).good());
    }
    REQUIRE(write_filemarks(drive, 1).good());
    if (signal == 15) {
      // Not synchronised; an orderly stop writes it all the same.
      for (std::uint64_t i = 50; i < 60; ++i) {
        REQUIRE(write_block(drive, pattern(65536, i)).good());
      }
    }
  }
  REQUIRE(library.daemon.stop(signal) == (signal == 15 ? 0 : 128 + 9));
  library.daemon.start();
  // The cartridge is in its drive again.
  Initiator drive = library.attach_drive(1);
  REQUIRE(drive.wait_until_ready().good());
  for (std::uint64_t i = 0; i < 50; ++i) {
    REQUIRE(read_block(drive, 65536).data == pattern(65536, i));
  }
  CHECK(read_block(drive, 65536).filemark());
  if (signal == 15) {
    for (std::uint64_t i = 50; i < 60; ++i) {
      REQUIRE(read_block(drive, 65536).data == pattern(65536, i));
    }
  }
  CHECK(read_block(drive, 65536).sense_code() == "8/00/05");
}

TEST_CASE("library show tells what a power failure would take") {
  Library library;
  Initiator drive = library.load(1);
  const auto drive_1 = [&] {
    const auto shown = vtl_json({"library", "show", "--data", library.daemon.data()});
    for (const auto& element : shown["elements"])
      if (element["name"] == "drive-1") return element["drive"];
    return nlohmann::json();
  };
  CHECK(drive_1()["dirty_bytes"] == 0);
  for (int i = 0; i < 3; ++i) REQUIRE(write_block(drive, pattern(65536, i)).good());
  REQUIRE(write_filemarks(drive, 1, true).good());
  // Longer than it takes until nothing waits in the buffer any more: written is not durable.
  std::this_thread::sleep_for(std::chrono::seconds(1));
  CHECK(drive_1()["dirty_bytes"] == 3 * 65536);
  CHECK(drive_1()["dirty_objects"] == 4);
  CHECK(run_vtl({"library", "show", "--data", library.daemon.data()}).out.find("197 kB") !=
        std::string::npos);
  REQUIRE(write_filemarks(drive, 1).good());
  CHECK(drive_1()["dirty_bytes"] == 0);
  CHECK(drive_1()["dirty_objects"] == 0);
}

TEST_CASE("early warning and the end of the tape", "[bulk]") {
  Library library({"--capacity", "160MiB"});
  Initiator drive = library.load(1);
  const ByteString block = pattern(1u << 20, 7);
  int early = -1;
  int blocks = 0;
  CommandResult result;
  for (; blocks < 400; ++blocks) {
    result = write_block(drive, block);
    if (result.good()) continue;
    if (result.sense_code() != "0/00/02") break;
    REQUIRE(result.end_of_medium());
    if (early < 0) early = blocks;
  }
  CHECK(early > 50);
  CHECK(blocks > early + 1);
  CHECK(blocks <= 170);
  CHECK(result.sense_code() == "D/00/02");
  // The last block that was taken is there.
  REQUIRE(space(drive, 0, -1).good());
  CHECK(read_block(drive, block.size()).data == block);
}

TEST_CASE("what LTFS keeps on a tape is found in another drive: partitions, blocks, coherency",
          "[misread]") {
  Library library;
  ByteString made, changed;                   // the partition page, the volume change reference
  const auto coherency = [](int partition) {  // attribute 080Ch, 70 bytes, one a partition
    ByteString list(79, static_cast<std::uint8_t>(0x50 + partition));
    const std::uint8_t head[] = {0, 0, 0, 79, 0x08, 0x0C, 0, 0, 70};
    std::copy(std::begin(head), std::end(head), list.begin());
    return list;
  };
  const auto go_to = [](Initiator& drive, int partition) {
    return drive.none({0x92, 0x02, 0, partition, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}).good();
  };
  const auto partition_page = [](Initiator& drive) {
    return drive.in({0x5A, 0, 0x11, 0, 0, 0, 0, 0, 28, 0}, 28).data;
  };
  const auto change_reference = [](Initiator& drive) {
    return drive.in({0x8C, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x09, 0, 0, 0, 13, 0, 0}, 13).data;
  };
  {
    Initiator drive = library.load(1);
    ByteString page = partition_page(drive);
    REQUIRE(page.size() == 28);
    page[0] = page[1] = 0;
    page[17] = 0x0A;                // two sizes
    page[19] = 1;                   // one more partition, of one unit; the other takes the rest
    page[20] = 0x3C, page[22] = 9;  // units of 10^9 bytes
    page[24] = 0, page[25] = 1, page[26] = page[27] = 0xFF;
    REQUIRE(drive.out({0x55, 0x10, 0, 0, 0, 0, 0, 0, 28, 0}, page).good());
    REQUIRE(drive.none({0x04, 0, 0x01, 0, 0, 0}).good());
    for (const int partition : {0, 1}) {
      REQUIRE(go_to(drive, partition));
      REQUIRE(write_block(drive, pattern(5000, static_cast<std::size_t>(partition))).good());
      REQUIRE(write_filemarks(drive, 1).good());
      REQUIRE(drive
                  .out({0x8D, 0, 0, 0, 0, 0, 0, partition, 0, 0, 0, 0, 0, 79, 0, 0},
                       coherency(partition))
                  .good());
    }
    made = partition_page(drive);
    changed = change_reference(drive);
    CHECK(made.at(19) == 1);
    CHECK(drive.logout());
  }
  {
    Initiator changer = library.attach_changer();
    REQUIRE(move_medium(changer, kFirstDrive, kFirstDrive + 1).good());
    CHECK(changer.logout());
  }
  Initiator other = library.attach_drive(2);
  REQUIRE(other.wait_ready().good());
  CHECK(partition_page(other) == made);
  CHECK(change_reference(other) == changed);
  for (const int partition : {1, 0}) {
    CAPTURE(partition);
    REQUIRE(go_to(other, partition));
    CHECK(read_block(other, 5000).data == pattern(5000, static_cast<std::size_t>(partition)));
    CHECK(read_block(other, 5000).filemark());
    CHECK(read_block(other, 5000).sense_code() == "8/00/05");
    const CommandResult found =
        other.in({0x8C, 0, 0, 0, 0, 0, 0, partition, 0x08, 0x0C, 0, 0, 0, 79, 0, 0}, 79);
    REQUIRE(found.data.size() == 79);
    const ByteString wanted = coherency(partition);
    CHECK(std::equal(found.data.begin() + 9, found.data.end(), wanted.begin() + 9));
  }
}

TEST_CASE("task management answers, and the cartridge stays") {
  Library library;
  Initiator drive = library.load(1);
  REQUIRE(write_block(drive, pattern(1000, 1)).good());
  CHECK(drive.abort_task_set() == 0);
  CHECK(drive.none({0, 0, 0, 0, 0, 0}).good());
  CHECK(drive.lun_reset() == 0);
  CHECK(drive.none({0, 0, 0, 0, 0, 0}).sense_code().substr(0, 4) == "6/29");
  CHECK(drive.none({0, 0, 0, 0, 0, 0}).good());
  CHECK(drive.target_warm_reset() == 0);
  CHECK(drive.wait_ready().good());
  REQUIRE(rewind_tape(drive).good());
  CHECK(read_block(drive, 1000).data == pattern(1000, 1));
}

TEST_CASE("write protection") {
  Library library;
  CHECK(run_vtl({"cartridge", "protect", "VTL001L8", "--data", library.daemon.data()}).code == 0);
  Initiator drive = library.load(1);
  const CommandResult refused = write_block(drive, pattern(10, 1));
  CHECK(refused.sense_code().substr(0, 4) == "7/27");
  // Not while it is in a drive.
  const Ended late =
      run_vtl({"cartridge", "unprotect", "VTL001L8", "--data", library.daemon.data()});
  CHECK(late.code == 1);
  CHECK(late.err.find("VTL001L8") != std::string::npos);
}
