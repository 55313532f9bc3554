// Random damage to every kind of file: nothing worse than an error comes of it, what can be read is
// what was written, and what was not touched can be read.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "test/unit/cartridge/player.h"
#include "vtl/cartridge/log_reader.h"
#include "vtl/cartridge/open_cartridge.h"

using namespace vtl;
using namespace vtl::test;
using Stop = ReadOutcome::Stop;

namespace {

class World {
 public:
  explicit World(std::uint32_t seed) : f(seed), random_(seed) {}

  void run() {
    write();
    const bool clean = random_() % 2 == 0;
    if (clean) {
      REQUIRE_FALSE(f.tape.unload().fault);
      if (random_() % 3 == 0)
        for (const std::string& table : f.files.find("SEGTAB")) f.files.unlink(table);
    } else {
      f.tape.vanish();
      f.files.kill();
    }
    f.tape.medium.reset();
    // One flipped bit of a tape that was closed in order costs at most one object.
    const bool gentle = clean && random_() % 2 == 0;
    for (std::size_t n = gentle ? 1 : 1 + random_() % 4; n != 0; --n) damage(gentle);
    INFO(trace_);
    (void)read_pool(f.files, kPool);
    (void)read_summary(f.files, kDir);
    if (f.tape.load()) return;  // refused; that is an answer
    check(gentle);
    if (gentle) append();
    (void)f.tape.unload();
    (void)verify_cartridge(f.files, kDir);
    f.tape.medium.reset();
    if (!f.tape.load()) check(gentle);
  }

 private:
  TapeFixture f;

  void write() {
    REQUIRE_FALSE(f.tape.load());
    const std::size_t objects = 10 + random_() % 30;
    while (tape_.size() < objects) {
      if (random_() % 6 == 0) {
        tape_.emplace_back();
        REQUIRE_FALSE(f.tape.filemarks(1).fault);
        continue;
      }
      tape_.push_back(
          block_text(tape_.size(), 1 + random_() % (random_() % 2 == 0 ? 500 : 200000)));
      REQUIRE_FALSE(f.tape.write(tape_.back()).fault);
      if (random_() % 20 == 0) {
        REQUIRE_FALSE(f.tape.unload().fault);
        REQUIRE_FALSE(f.tape.load());
        f.tape.locate_end();
      }
    }
    REQUIRE_FALSE(f.tape.flush(WriteMode::kDurable).fault);
  }

  void damage(bool gentle) {
    std::vector<std::string> files;
    for (const std::string& path : f.files.find("/pool/"))
      if (f.files.is_file(path)) files.push_back(path);
    const std::string path = files[random_() % files.size()];
    const std::size_t how = gentle ? 0 : below(6);
    trace_ += path + " " + std::to_string(how) + "; ";
    if (how == 5) return f.files.unlink(path);
    f.files.edit(path, [&](std::vector<std::byte>& bytes) {
      if (bytes.empty()) return;
      const std::size_t at = random_() % bytes.size();
      switch (how) {
        case 0:
          bytes[at] ^= std::byte{1} << (random_() % 8);
          break;
        case 1:  // a sector of zeros
          std::fill_n(bytes.begin() + static_cast<long>(at / 512 * 512),
                      std::min<std::size_t>(512, bytes.size() - at / 512 * 512), std::byte{});
          break;
        case 2:
          bytes.resize(at);
          break;
        case 3:  // something behind the end
          bytes.resize(bytes.size() + random_() % 20'000, std::byte{0x56});
          break;
        case 4:  // one part of the file in place of another
          for (std::size_t i = 0, from = random_() % bytes.size();
               i < 9000 && at + i < bytes.size() && from + i < bytes.size(); ++i)
            bytes[at + i] = bytes[from + i];
          break;
      }
    });
  }

  void check(bool gentle) {
    REQUIRE_FALSE(f.tape.locate(0).fault);
    std::size_t bad = 0;
    const std::uint64_t end = f.tape.medium->partition(0).end_of_data;
    REQUIRE(end <= tape_.size());
    for (std::uint64_t object = 0; object < end; ++object) {
      INFO("object " << object);
      REQUIRE(f.tape.position().object == object);
      const ReadOutcome out = f.tape.read();
      if (out.fault) {
        ++bad;
      } else if (out.stop == Stop::kFilemark) {
        CHECK(tape_[object].empty());
      } else {
        REQUIRE(text_of(out.data) == tape_[object]);
      }
    }
    CHECK(f.tape.read().stop == Stop::kEndOfData);
    if (gentle) {
      CHECK(bad <= 1);
      CHECK(end == tape_.size());
    }
    for (int i = 0; i < 10; ++i) {
      (void)f.tape.locate(random_() % (end + 1));
      (void)f.tape.space(SpaceUnit::kFilemarks, static_cast<std::int64_t>(random_() % 9) - 4);
      (void)f.tape.space(SpaceUnit::kBlocks, static_cast<std::int64_t>(random_() % 9) - 4);
      (void)f.tape.locate_file(random_() % 9);
      CHECK(f.tape.position().object <= end);
    }
  }

  void append() {
    if (f.tape.medium->info().write_protected) return;
    REQUIRE_FALSE(f.tape.locate_end().fault);
    tape_.push_back(block_text(99, 30'000));
    REQUIRE_FALSE(f.tape.write(tape_.back(), WriteMode::kDurable).fault);
  }

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  std::mt19937 random_;
  std::vector<std::string> tape_;  // empty: a filemark
  std::string trace_;
};

}  // namespace

TEST_CASE("Random damage") {
  // VTL_DAMAGE_SEED replays one world, VTL_DAMAGE_ROUNDS sets how many there are.
  if (const char* seed = std::getenv("VTL_DAMAGE_SEED"))
    return World(static_cast<std::uint32_t>(std::atol(seed))).run();
  const char* rounds = std::getenv("VTL_DAMAGE_ROUNDS");
  const auto count = static_cast<std::uint32_t>(rounds != nullptr ? std::atol(rounds) : 200);
  for (std::uint32_t seed = 1; seed <= count; ++seed) {
    INFO("VTL_DAMAGE_SEED=" << seed);
    World(seed).run();
  }
  std::printf("random damage: %u worlds\n", count);
}

TEST_CASE("Stages go back to their pool where they came from, also when reading fails") {
  TapeFixture f;
  REQUIRE_FALSE(f.tape.load());
  for (std::size_t i = 0; i < 5; ++i) REQUIRE_FALSE(f.tape.write(block_text(i, 100'000)).fault);
  REQUIRE_FALSE(f.tape.unload().fault);
  auto opened = OpenCartridge::open(f.files, kDir, {}, nullptr);
  REQUIRE(opened.cartridge);
  PartitionLog& log = opened.cartridge->log(0);
  StagePool pool(4);
  ReadCursor cursor;
  {
    ReadChunk chunk;
    read_chunk(log, cursor, log.end_of_data, pool.take(), 1u << 16, chunk);
  }
  REQUIRE_FALSE(cursor.carry.empty());  // half a block, and the last to hold its stage
  f.files.broken = "pread";
  f.files.broken_path = ".seg";
  const StagePtr stage = pool.take();
  const std::size_t lent = pool.lent();
  ReadChunk chunk;
  read_chunk(log, cursor, log.end_of_data, stage, 1u << 16, chunk);
  CHECK(cursor.carry.empty());
  CHECK(pool.lent() == lent);
}
