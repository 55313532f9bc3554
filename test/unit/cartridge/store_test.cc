// Pools and cartridges from outside a drive; capacity; the queue in front of the disk.
#include <catch2/catch.hpp>

#include "scsi/ssc/profile.h"
#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/io_mode.h"
#include "vtl/cartridge/open_cartridge.h"

using namespace vtl;
using namespace vtl::test;
using Stop = ReadOutcome::Stop;

TEST_CASE("A pool is made once and says what it is") {
  MemoryFiles files;
  REQUIRE(create_pool(files, kPool, {test_uuid(9), 77}));
  CHECK(create_pool(files, kPool, {test_uuid(8), 1}).error().code == EEXIST);
  const auto pool = read_pool(files, kPool);
  REQUIRE(pool);
  CHECK(pool->uuid == test_uuid(9));
  CHECK(pool->created_ns == 77);
  CHECK(read_pool(files, "/nowhere").error().code == ENOENT);
  CHECK(list_cartridges(files, kPool)->empty());
}

TEST_CASE("Creating a cartridge: what is refused, and why") {
  MemoryFiles files;
  REQUIRE(create_pool(files, kPool, {}));
  const auto refused = [&](auto&& change) {
    CartridgeSpec spec = test_spec();
    change(spec);
    const Status status = create_cartridge(files, kPool, spec);
    REQUIRE_FALSE(status);
    CHECK(status.error().code == EINVAL);
    return status.error().what;
  };
  for (const char* barcode : {"", "A/B", "..", "a b", "123456789012345678901234567890123"})
    refused([&](auto& s) { s.barcode = barcode; });
  refused([](auto& s) { s.generation = 0; });
  refused([](auto& s) { s.generation = 11; });
  refused([](auto& s) { s.segment_mib = 0; });
  refused([](auto& s) { s.segment_mib = 1025; });
  refused([](auto& s) { s.uuid = {}; });
  const std::string why = refused([](auto& s) { s.capacity_bytes = kMinCapacityBytes - 1; });
  CHECK(why.find("the smallest is 134217728") != std::string::npos);
  CHECK(list_cartridges(files, kPool)->empty());

  CartridgeSpec spec = test_spec();
  spec.capacity_bytes = 0;
  REQUIRE(create_cartridge(files, kPool, spec));
  CHECK(create_cartridge(files, kPool, spec).error().code == EEXIST);
  const auto summary = read_summary(files, kDir);
  REQUIRE(summary);
  REQUIRE(summary->partitions.size() == 1);
  CHECK(summary->partitions[0].capacity_bytes ==
        std::uint64_t{scsi::ssc::find_generation(8)->capacity_mb} * 1'000'000);
  CHECK(summary->clean);
  CHECK_FALSE(summary->label_damaged);
  CHECK(summary->info.serial == "A500000000000000");
}

TEST_CASE("Early warning: 1 %, at least 16 of the largest blocks, at most an eighth") {
  CHECK(early_warning_bytes(12'000'000'000'000) == 120'000'000'000);
  CHECK(early_warning_bytes(10'000'000'000) == 16ull * kMaxBlockBytes);
  CHECK(early_warning_bytes(1'000'000'000) == 125'000'000);
}

TEST_CASE("A crash while a cartridge is made leaves it whole or not at all") {
  for (std::uint64_t n = 0; n < 40; ++n) {
    MemoryFiles files(static_cast<std::uint32_t>(n + 1));
    REQUIRE(create_pool(files, kPool, {}));
    REQUIRE(files.sync_directory(""));
    files.fail_at(n, MemoryFiles::Failure::kPowerCut);
    const bool made = create_cartridge(files, kPool, test_spec()).ok();
    files.crash(0.3);
    INFO("operation " << n);
    const auto there = files.exists(kDir);
    if (made) REQUIRE(*there);
    if (*there) {
      CHECK(read_summary(files, kDir));
    } else {
      CHECK(create_cartridge(files, kPool, test_spec()));
    }
  }
}

TEST_CASE("Deleting puts a cartridge aside; emptying the trash gives the space back") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("x", WriteMode::kDurable).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(delete_cartridge(f.files, kPool, "VTL009L8").error().code == ENOENT);
  REQUIRE(delete_cartridge(f.files, kPool, "VTL001L8"));
  CHECK(list_cartridges(f.files, kPool)->empty());
  CHECK(read_summary(f.files, kDir).error().code == ENOENT);
  CHECK_FALSE(f.files.find("/trash/").empty());
  REQUIRE(create_cartridge(f.files, kPool, test_spec()));
  REQUIRE(delete_cartridge(f.files, kPool, "VTL001L8"));
  REQUIRE(empty_trash(f.files, kPool));
  CHECK(f.files.find("/trash/").empty());
  CHECK(f.files.has(kPool + "/trash"));
}

TEST_CASE("Overwritten tapes give their space back by themselves") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 20; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 300'000)).fault);
  f.tape.locate(0);
  REQUIRE_FALSE(f.tape.write("new", WriteMode::kDurable).fault);
  f.executor.run();
  CHECK(f.files.find("/trash/").empty());
  CHECK(f.files.find(".seg").size() == 1);
  for (int i = 0; i < 20; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 300'000)).fault);
  f.tape.locate(0);
  REQUIRE_FALSE(f.tape.erase().fault);
  f.executor.run();
  CHECK(f.files.find("/trash/").empty());
  REQUIRE_FALSE(f.tape.unload().fault);
  f.executor.run();
  CHECK(f.files.find(".spare").empty());
}

TEST_CASE("The write-protect switch") {
  TapeFixture f;
  REQUIRE(set_write_protect(f.files, kDir, true));
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->info().write_protected);
  CHECK(f.tape.write("x").fault);
  CHECK(f.tape.medium->position().object == 0);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(CartridgeWriter::open(f.files, kDir, CartridgeWriter::At::kBeginning).error().code ==
        EROFS);
  REQUIRE(set_write_protect(f.files, kDir, false));
  f.tape.medium.reset();
  REQUIRE_FALSE(f.tape.load());
  CHECK_FALSE(f.tape.write("x").fault);
}

TEST_CASE("Reader and writer: end to end, appending, verifying") {
  TapeFixture f;
  {
    auto writer = CartridgeWriter::open(f.files, kDir, CartridgeWriter::At::kBeginning);
    REQUIRE(writer);
    CHECK((*writer)->write_block({}).error().code == EINVAL);
    for (int i = 0; i < 50; ++i)
      REQUIRE((*writer)->write_block(scsi::as_bytes(block_text(i, 90'000))));
    REQUIRE((*writer)->write_filemark());
    REQUIRE((*writer)->finish());
  }
  {
    auto writer = CartridgeWriter::open(f.files, kDir, CartridgeWriter::At::kEndOfData);
    REQUIRE(writer);
    REQUIRE((*writer)->write_block(scsi::as_bytes("appended")));
    REQUIRE((*writer)->finish());
  }
  {
    auto reader = CartridgeReader::open(f.files, kDir);
    REQUIRE(reader);
    CHECK((*reader)->end_of_data() == 52);
    for (int i = 0; i < 50; ++i) {
      CHECK((*reader)->position() == static_cast<std::uint64_t>(i));
      const TapeObject object = (*reader)->next();
      REQUIRE(object.kind == TapeObject::Kind::kBlock);
      CHECK(scsi::as_text(object.data) == block_text(i, 90'000));
    }
    CHECK((*reader)->next().kind == TapeObject::Kind::kFilemark);
    CHECK(scsi::as_text((*reader)->next().data) == "appended");
    CHECK((*reader)->next().kind == TapeObject::Kind::kEndOfData);
    CHECK(CartridgeReader::open(f.files, kDir).error().code == EAGAIN);
  }
  CHECK(CartridgeReader::open(f.files, kDir, 1).error().code == EINVAL);
  std::uint64_t heard = 0;
  const auto report = verify_cartridge(f.files, kDir, [&](std::uint64_t done, std::uint64_t total) {
    CHECK(total == 52);
    heard = done;
    return true;
  });
  REQUIRE(report);
  CHECK(report->blocks == 51);
  CHECK(report->filemarks == 1);
  CHECK(report->bytes == 50u * 90'000u + 8u);
  CHECK(report->damage.empty());
  CHECK(report->notes.empty());
  CHECK(heard == 52);

  // Damage is named.
  const std::string segment = f.files.find(".seg").at(1);
  f.files.edit(segment, [](auto& bytes) {
    for (std::size_t at = 300'000; at < 500'000; ++at) bytes[at] ^= std::byte{1};
  });
  const auto damaged = verify_cartridge(f.files, kDir);
  REQUIRE(damaged);
  REQUIRE(damaged->damage.size() == 1);
  CHECK(damaged->damage[0].objects >= 2);
  CHECK(damaged->damage[0].objects <= 4);
  CHECK(damaged->blocks + damaged->damage[0].objects == 51);

  auto writer = CartridgeWriter::open(f.files, kDir, CartridgeWriter::At::kBeginning);
  REQUIRE(writer);
  REQUIRE((*writer)->write_filemark());
  REQUIRE((*writer)->finish());
  CHECK(read_summary(f.files, kDir)->partitions[0].end_of_data == 1);
}

TEST_CASE("Capacity: early warning, the end, and a thousand filemarks behind it") {
  CartridgeSpec spec = test_spec();
  spec.capacity_bytes = kMinCapacityBytes;
  spec.segment_mib = 64;
  TapeFixture f(1, spec);
  REQUIRE_FALSE(f.tape.load());
  const std::string block = block_text(1, 1u << 20);
  const std::uint64_t blocks = kMinCapacityBytes >> 20;
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const WriteOutcome out = f.tape.write(block);
    REQUIRE_FALSE(out.fault);
    REQUIRE_FALSE(out.full);
    CHECK((out.zone == Zone::kEarlyWarning) == (i + 1 >= blocks * 7 / 8));
  }
  CHECK(f.tape.medium->partition(0).used_bytes == kMinCapacityBytes);
  CHECK(f.tape.write("one more").full);
  CHECK(f.tape.write("one more").accepted == 0);
  for (int i = 0; i < 1000; ++i) REQUIRE_FALSE(f.tape.filemarks(1).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  REQUIRE_FALSE(f.tape.load());
  CHECK(f.tape.medium->partition(0).end_of_data == blocks + 1000);
  CHECK(f.tape.medium->partition(0).used_bytes == kMinCapacityBytes);

  // A run of blocks is taken as far as it fits.
  f.tape.locate(blocks - 1);
  const WriteOutcome out = f.tape.write_run(block_text(2, 3u << 19), 1u << 19);
  CHECK(out.accepted == 2);
  CHECK(out.full);
  CHECK(f.tape.position().object == blocks + 1);
}

TEST_CASE("GOOD is withheld above high water, and given at low water") {
  MediumOptions options;
  options.queue_bytes = 1u << 20;
  CartridgeSpec spec = test_spec();
  spec.segment_mib = 64;
  TapeFixture f(1, spec, options);
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("first").fault);
  f.executor.run();
  const std::string block = block_text(3, 300'000);
  int good = 0;
  int sent = 0;
  for (; sent < 10 && good == sent; ++sent)
    f.tape.medium->write(buffer_of(block), 300'000, WriteMode::kBuffered, [&](WriteOutcome out) {
      CHECK_FALSE(out.fault);
      CHECK(out.accepted == 1);
      ++good;
    });
  CHECK(sent == 4);  // 3 x 300,000 fit; the fourth waits
  CHECK(good == 3);
  CHECK(f.tape.medium->buffered_bytes() > options.queue_bytes);
  CHECK(f.tape.position().object == 5);  // it is accepted all the same
  f.executor.run();
  CHECK(good == 4);
  CHECK(f.tape.medium->buffered_bytes() <= options.queue_bytes / 2);
}

TEST_CASE("Dirty is what a power failure would take: all that was accepted since the last sync") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  const auto dirty = [&] {
    const Dirty now = f.tape.medium->dirty();
    return std::pair(now.objects, now.bytes);
  };
  using Pair = std::pair<std::uint64_t, std::uint64_t>;
  CHECK(dirty() == Pair{0, 0});
  REQUIRE_FALSE(f.tape.write(block_text(1, 1000)).fault);
  CHECK(dirty() == Pair{1, 1000});
  REQUIRE_FALSE(f.tape.filemarks(2, WriteMode::kBuffered).fault);
  CHECK(dirty() == Pair{3, 1000});
  // In the file is not on the disk.
  REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);
  CHECK(f.tape.medium->buffered_objects() == 0);
  CHECK(dirty() == Pair{3, 1000});
  // The next segment's beginning makes the one before durable: what is left is in the new one, or
  // waits.
  for (int i = 0; i < 12; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 100'000)).fault);
  REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);
  CHECK(dirty().first > 0);
  CHECK(dirty().first < 12);
  CHECK(dirty().second == dirty().first * 100'000);
  REQUIRE_FALSE(f.tape.flush(WriteMode::kDurable).fault);
  CHECK(dirty() == Pair{0, 0});
  // Writing elsewhere discards what is behind, durably.
  REQUIRE_FALSE(f.tape.write("x").fault);
  REQUIRE(f.tape.locate(5).stop == SpaceOutcome::Stop::kNone);
  CHECK(dirty() == Pair{1, 1});
  REQUIRE_FALSE(f.tape.write("yy").fault);
  CHECK(dirty() == Pair{1, 2});
  REQUIRE(f.tape.locate(2).stop == SpaceOutcome::Stop::kNone);
  REQUIRE_FALSE(f.tape.erase().fault);
  CHECK(dirty() == Pair{0, 0});
  REQUIRE_FALSE(f.tape.write("zzz").fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(dirty() == Pair{0, 0});
}

TEST_CASE("After a failed write what is in the file and was never synced stays dirty") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write(block_text(1, 1000)).fault);
  REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);
  REQUIRE_FALSE(f.tape.write(block_text(2, 2000)).fault);
  f.files.inject = [](const std::string& what, const std::string&) {
    return what == "pwrite" ? EIO : 0;
  };
  REQUIRE(f.tape.flush(WriteMode::kDurable).fault);
  CHECK(f.tape.medium->dirty().objects == 1);
  CHECK(f.tape.medium->dirty().bytes == 1000);
}

TEST_CASE("settle() writes out what waits for a batch") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("small").fault);
  f.executor.run();
  CHECK(f.tape.medium->buffered_bytes() == 5);
  f.tape.medium->settle();
  f.executor.run();
  CHECK(f.tape.medium->buffered_bytes() == 0);
  CHECK(f.tape.medium->buffered_objects() == 1);  // in the stage, not in the file yet
  REQUIRE_FALSE(f.tape.flush(WriteMode::kBuffered).fault);
  CHECK(f.tape.medium->buffered_objects() == 0);
}

TEST_CASE("Codecs: blocks come back, and what does not shrink is stored as it is") {
  const std::string text(100'000, 'a');
  const std::string noise = block_text(1, 100'000);
  std::vector<std::byte> out(100'000), back(100'000);
  for (const Compression c : {Compression::kLz4, Compression::kZstd}) {
    const std::size_t n = compress(c, scsi::as_bytes(text), out);
    REQUIRE(n > 0);
    CHECK(n < 2000);
    REQUIRE(decompress(static_cast<std::uint8_t>(c), scsi::Bytes(out).first(n), back));
    CHECK(scsi::as_text(back) == text);
    CHECK_FALSE(decompress(static_cast<std::uint8_t>(c), scsi::Bytes(out).first(n - 1), back));
    CHECK_FALSE(decompress(static_cast<std::uint8_t>(c), scsi::Bytes(out).first(n),
                           scsi::MutableBytes(back).first(99'999)));
    CHECK(compress(c, scsi::as_bytes(noise), out) == 0);
    CHECK(compress(c, scsi::as_bytes("x"), out) == 0);
  }
  CHECK_FALSE(decompress(7, scsi::as_bytes(text), back));
}

TEST_CASE("Compressed tapes read like others and hold more") {
  MediumOptions options;
  options.compression = GENERATE(Compression::kLz4, Compression::kZstd);
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 40; ++i) {
    REQUIRE_FALSE(f.tape.write(std::string(200'000, static_cast<char>('a' + i))).fault);
    REQUIRE_FALSE(f.tape.write(block_text(i, 5000)).fault);
  }
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  CHECK(f.tape.medium->partition(0).used_bytes < 400'000);
  f.tape.vanish();
  f.files.kill();
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 40; ++i) {
    CHECK(text_of(f.tape.read().data) == std::string(200'000, static_cast<char>('a' + i)));
    CHECK(text_of(f.tape.read().data) == block_text(i, 5000));
  }
  CHECK(f.tape.read().stop == Stop::kFilemark);
  CHECK(f.tape.medium->partition(0).used_bytes < 400'000);
}

TEST_CASE("What does not shrink is soon only sampled; what does is compressed again at once") {
  MediumOptions options;
  options.compression = Compression::kLz4;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  const auto used = [&] { return f.tape.medium->partition(0).used_bytes; };
  std::uint64_t tag = 0;
  const auto noise = [&](int blocks) {
    for (int i = 0; i < blocks; ++i) REQUIRE_FALSE(f.tape.write(block_text(++tag, 10'000)).fault);
    REQUIRE_FALSE(f.tape.filemarks(0).fault);
  };
  const std::string text(10'000, 'z');
  // How many of so many blocks of text were stored as they are.
  const auto raw = [&](int blocks) {
    const std::uint64_t before = used();
    for (int i = 0; i < blocks; ++i) {
      REQUIRE_FALSE(f.tape.write(text).fault);
      REQUIRE_FALSE(f.tape.filemarks(0).fault);
    }
    return (used() - before) / 10'000;
  };
  noise(15);
  CHECK(raw(1) == 0);
  noise(15);  // a block that has shrunk lets the count begin anew
  CHECK(raw(1) == 0);
  noise(40);
  const std::uint64_t tried_late = raw(40);
  CHECK(tried_late > 0);
  CHECK(tried_late < 16);
  CHECK(raw(40) == 0);
  REQUIRE_FALSE(f.tape.locate(0).fault);
  tag = 0;
  for (const int n : {15, -1, 15, -1, 40, -80})
    for (int i = 0; i < std::abs(n); ++i)
      CHECK(text_of(f.tape.read().data) == (n < 0 ? text : block_text(++tag, 10'000)));
}

TEST_CASE("A file system without O_DIRECT serves as well") {
  MediumOptions options;
  options.io_mode = IoMode::kBuffered;
  TapeFixture f(1, test_spec(), options);
  REQUIRE_FALSE(f.tape.load());
  for (int i = 0; i < 20; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 70'000)).fault);
  REQUIRE_FALSE(f.tape.filemarks(1).fault);
  f.tape.locate(0);
  for (int i = 0; i < 20; ++i) CHECK(text_of(f.tape.read().data) == block_text(i, 70'000));
}

TEST_CASE("Only EINVAL says that a file system refuses O_DIRECT") {
  for (const int code : {EINVAL, ENOSPC, EIO}) {
    TapeFixture f;
    CHECK(direct_io_works(f.files, kDir + "/CART"));
    const std::uint64_t used = f.files.used_bytes();
    for (const char* call : {"open", "pread"}) {
      f.files.inject = [&](const std::string& what, const std::string&) {
        return what == call ? code : 0;
      };
      CHECK(direct_io_works(f.files, kDir + "/CART") == (code != EINVAL));
    }
    CHECK(f.files.used_bytes() == used);  // a full pool has no room for a file to try it with
  }
}

TEST_CASE("A thousand labels are read in well under a second") {
  MemoryFiles files;
  REQUIRE(create_pool(files, kPool, {}));
  CartridgeSpec spec = test_spec();
  const std::uint64_t before = files.operations();
  for (int i = 0; i < 10; ++i) {
    spec.barcode = "VTL" + std::to_string(100 + i) + "L8";
    REQUIRE(create_cartridge(files, kPool, spec));
  }
  const std::uint64_t made = files.operations();
  CHECK(made > before);
  const auto barcodes = list_cartridges(files, kPool);
  REQUIRE(barcodes);
  for (const std::string& barcode : *barcodes)
    CHECK(read_summary(files, cartridge_directory(kPool, barcode))->info.barcode == barcode);
  CHECK(files.operations() - made == 1 + 2 * 10);  // an open and a read each
}
