// A cartridge in a drive: writing, reading, moving, and what is still there after a load.
#include <catch2/catch.hpp>

#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/log_reader.h"
#include "vtl/cartridge/open_cartridge.h"

using namespace vtl;
using namespace vtl::test;
using Stop = ReadOutcome::Stop;

TEST_CASE(
    "Where the loop reads itself, what is asked for is read, and its memory is free at once") {
  MediumOptions options;
  options.io_mode = IoMode::kBuffered;
  TapeFixture f(1, test_spec(), options);
  f.executor.brief = f.files.in_memory = true;
  REQUIRE_FALSE(f.tape.load());
  constexpr std::size_t kRecord = 100'000 + 64;  // with its header, FORMAT.md
  for (std::size_t i = 0; i < 9; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 100'000)).fault);
  REQUIRE_FALSE(f.tape.locate(0).fault);
  std::vector<std::size_t> reads;
  f.files.bad_block = [&](const std::string& path, std::uint64_t, std::size_t length) {
    if (path.ends_with(".seg")) reads.push_back(length);
    return false;
  };
  // The first three show how large blocks are.
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(text_of(f.tape.read(100'000).data) == block_text(i, 100'000));
  CHECK(reads.size() == 2);
  reads.clear();
  for (std::size_t i = 3; i < 6; ++i) {
    CHECK(text_of(f.tape.read(100'000).data) == block_text(i, 100'000));
    CHECK(f.executor.stages().lent() == 0);
  }
  CHECK(reads == std::vector<std::size_t>{kRecord, kRecord, kRecord});
  reads.clear();
  CHECK(f.tape.read(100'000, 3).blocks == 3);
  CHECK(reads == std::vector<std::size_t>{3 * kRecord});
  CHECK(f.executor.stages().lent() == 0);
}

TEST_CASE("Where the loop reads itself, small blocks are read together, and large ones in parts") {
  MediumOptions options;
  options.io_mode = IoMode::kBuffered;
  CartridgeSpec spec = test_spec();
  spec.segment_mib = 16;
  TapeFixture f(1, spec, options);
  f.executor.brief = f.files.in_memory = true;
  REQUIRE_FALSE(f.tape.load());
  std::vector<std::size_t> sizes(300, 1000);
  sizes.insert(sizes.end(), {3'000'000, 10, 70'000, 1'500'000, 1, 262'144});
  for (std::size_t i = 0; i < sizes.size(); ++i)
    REQUIRE_FALSE(f.tape.write(block_text(i, sizes[i])).fault);
  REQUIRE_FALSE(f.tape.locate(0).fault);
  std::size_t reads = 0;
  f.files.bad_block = [&](const std::string&, std::uint64_t, std::size_t) { return ++reads == 0; };
  for (std::size_t i = 0; i < sizes.size(); ++i)
    CHECK(text_of(f.tape.read().data) == block_text(i, sizes[i]));
  CHECK(f.tape.read().stop == ReadOutcome::Stop::kEndOfData);
  CHECK(reads < 30);
  CHECK(f.executor.stages().lent() == 0);
}

TEST_CASE("The loop does nothing itself for a cartridge that lies elsewhere than in memory") {
  const auto handed_on = [](bool in_memory) {
    TapeFixture f;
    f.executor.brief = true;
    f.files.in_memory = in_memory;
    REQUIRE_FALSE(f.tape.load());
    REQUIRE_FALSE(f.tape.filemarks(1).fault);
    REQUIRE_FALSE(f.tape.locate(0).fault);
    f.executor.brief_jobs = 0;
    CHECK(f.tape.read().stop == Stop::kFilemark);
    REQUIRE_FALSE(f.tape.write(block_text(0, 1000)).fault);
    REQUIRE_FALSE(f.tape.flush(WriteMode::kDurable).fault);
    return f.executor.brief_jobs;
  };
  CHECK(handed_on(true) != 0);
  CHECK(handed_on(false) == 0);
}

TEST_CASE("What blocks unpack to is bounded, not only what they were read from") {
  MediumOptions options;
  options.compression = Compression::kLz4;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  const std::string zeros(262'144, '\0');
  for (int i = 0; i < 60; ++i) REQUIRE_FALSE(f.tape.write(zeros).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  auto opened = OpenCartridge::open(f.files, kDir, {}, nullptr);
  REQUIRE(opened.cartridge);
  PartitionLog& log = opened.cartridge->log(0);
  StagePool pool(4);
  ReadCursor cursor;
  std::size_t blocks = 0;
  for (int reads = 0; cursor.lba < log.end_of_data; ++reads) {
    REQUIRE(reads < 10);
    ReadChunk chunk;
    read_chunk(log, cursor, log.end_of_data, pool.take(), Stage::kBytes, chunk);
    std::size_t unpacked = 0;
    for (const ReadObject& object : chunk.objects) unpacked += object.length;
    CHECK(unpacked <= Stage::kBytes + zeros.size());
    blocks += chunk.objects.size();
  }
  CHECK(blocks == 60);
}

TEST_CASE("What is written is read back, blocks and filemarks in order") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.position() == Position{0, 0, 0});
  CHECK(f.tape.read().stop == Stop::kEndOfData);

  for (int i = 0; i < 10; ++i) CHECK_FALSE(f.tape.write(block_text(i, 1000 + i * 7777)).fault);
  CHECK(f.tape.position() == Position{0, 10, 0});
  CHECK_FALSE(f.tape.filemarks(2).fault);
  CHECK(f.tape.position() == Position{0, 12, 2});
  CHECK_FALSE(f.tape.write("tail").fault);
  CHECK(f.tape.medium->partition(0).end_of_data == 13);
  CHECK(f.tape.medium->partition(0).filemarks == 2);

  const auto check = [&] {
    CHECK(f.tape.locate(0).stop == SpaceOutcome::Stop::kNone);
    for (int i = 0; i < 10; ++i) {
      const ReadOutcome out = f.tape.read();
      CHECK(out.stop == Stop::kLength);
      CHECK(out.actual_length == 1000u + static_cast<unsigned>(i) * 7777u);
      CHECK(text_of(out.data) == block_text(i, 1000 + i * 7777));
    }
    CHECK(f.tape.read().stop == Stop::kFilemark);
    CHECK(f.tape.position() == Position{0, 11, 1});
    CHECK(f.tape.read().stop == Stop::kFilemark);
    CHECK(text_of(f.tape.read().data) == "tail");
    CHECK(f.tape.read().stop == Stop::kEndOfData);
    CHECK(f.tape.position() == Position{0, 13, 2});
  };
  check();
  CHECK_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  check();
  CHECK(f.tape.alerts.empty());
}

TEST_CASE("Fixed-length runs: exact blocks, a shorter one, a longer one") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  const std::string run = block_text(7, 512 * 100);
  CHECK(f.tape.write_run(run, 512).accepted == 100);
  CHECK(f.tape.position().object == 100);
  CHECK_FALSE(f.tape.write("short").fault);
  CHECK_FALSE(f.tape.write(block_text(8, 600)).fault);
  f.tape.locate(0);
  ReadOutcome out = f.tape.read(512, 60);
  CHECK(out.blocks == 60);
  CHECK(out.stop == Stop::kNone);
  CHECK(text_of(out.data) == run.substr(0, 512 * 60));
  out = f.tape.read(512, 60);
  CHECK(out.blocks == 40);
  CHECK(out.stop == Stop::kLength);
  CHECK(out.actual_length == 5);
  CHECK(text_of(out.data) == run.substr(512 * 60) + "short");
  out = f.tape.read(512, 1);
  CHECK(out.blocks == 0);
  CHECK(out.stop == Stop::kLength);
  CHECK(out.actual_length == 600);
  CHECK(text_of(out.data) == block_text(8, 600).substr(0, 512));
  CHECK(f.tape.position().object == 102);
}

TEST_CASE("Blocks larger than a stage, over many segments") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 6; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, (5u << 20) + i)).fault);
  REQUIRE_FALSE(f.tape.write(block_text(99, 1u << 24)).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.locate(0);
  for (int i = 0; i < 6; ++i) CHECK(text_of(f.tape.read().data) == block_text(i, (5u << 20) + i));
  const ReadOutcome out = f.tape.read();
  CHECK(out.stop == Stop::kNone);
  CHECK(text_of(out.data) == block_text(99, 1u << 24));
  CHECK(f.tape.read().stop == Stop::kFilemark);
}

TEST_CASE("Writing in the middle discards what follows") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 40; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 100'000)).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  CHECK(f.files.find(".seg").size() > 3);
  const std::uint64_t cut = GENERATE(0u, 1u, 10u, 25u, 39u, 40u);
  f.tape.locate(cut);
  REQUIRE_FALSE(f.tape.write("new").fault);
  CHECK(f.tape.medium->partition(0).end_of_data == cut + 1);
  CHECK(f.tape.medium->partition(0).filemarks == 0);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  const auto check = [&] {
    f.tape.locate(0);
    for (std::uint64_t i = 0; i < cut; ++i)
      REQUIRE(text_of(f.tape.read().data) == block_text(i, 100'000));
    CHECK(text_of(f.tape.read().data) == "new");
    CHECK(f.tape.read().stop == Stop::kFilemark);
    CHECK(f.tape.read().stop == Stop::kEndOfData);
  };
  check();
  SECTION("after an unload") {
    REQUIRE_FALSE(f.tape.unload().fault);
    REQUIRE_FALSE(f.tape.load());
    check();
    CHECK(f.tape.medium->partition(0).used_bytes == cut * 100'000 + 3);
  }
  SECTION("after a kill") {
    f.tape.vanish();
    f.files.kill();
    REQUIRE_FALSE(f.tape.load());
    check();
    CHECK(f.tape.medium->partition(0).used_bytes == cut * 100'000 + 3);
  }
}

TEST_CASE("Erase makes the position end of data") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 30; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 100'000)).fault);
  const std::uint64_t at = GENERATE(0u, 5u, 30u);
  f.tape.locate(at);
  REQUIRE_FALSE(f.tape.erase().fault);
  CHECK(f.tape.medium->partition(0).end_of_data == at);
  f.tape.vanish();
  f.files.crash(0.5);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == at);
}

TEST_CASE("The label remembers loads, traffic and changes") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().load_count == 1);
  CHECK(f.tape.medium->info().volume_change_reference == 1);
  REQUIRE_FALSE(f.tape.write(block_text(1, 5000)).fault);
  CHECK(f.tape.medium->info().volume_change_reference == 2);
  f.tape.locate(0);
  f.tape.read();
  REQUIRE_FALSE(f.tape.write("x").fault);
  CHECK(f.tape.medium->info().volume_change_reference == 2);
  CHECK(f.tape.medium->info().bytes_written_load == 5001);
  CHECK(f.tape.medium->info().bytes_read_load == 5000);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  const MediumInfo& info = f.tape.medium->info();
  CHECK(info.load_count == 2);
  CHECK(info.volume_change_reference == 2);
  CHECK(info.bytes_written_life == 5001);
  CHECK(info.bytes_read_life == 5000);
  CHECK(info.bytes_written_load == 0);
  CHECK(info.last_loads[0].serial == "1234567890");
  CHECK(info.last_loads[1].vendor == "IBM");
  CHECK(info.barcode == "VTL001L8");
  CHECK(info.manufactured == "20231114");
}

TEST_CASE("Host attributes are durable, and an empty value removes one") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  const auto value = [](std::string_view text) {
    const scsi::Bytes b = scsi::as_bytes(text);
    return std::vector<std::byte>(b.begin(), b.end());
  };
  REQUIRE_FALSE(f.tape.attributes({{0x0801, 1, value("app")}, {0x0800, 1, value("vendor")}}).fault);
  REQUIRE_FALSE(f.tape.attributes({{0x0801, 1, value("")}, {0x080C, 0, value("coherency")}}).fault);
  f.tape.vanish();
  f.files.crash(0.0);
  REQUIRE_FALSE(f.tape.load());
  const auto list = f.tape.medium->host_attributes(0);
  REQUIRE(list.size() == 2);
  CHECK(list[0].id == 0x0800);
  CHECK(list[0].format == 1);
  CHECK(list[0].value == value("vendor"));
  CHECK(list[1].id == 0x080C);
}
