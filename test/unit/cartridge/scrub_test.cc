// Reading a cartridge against its checksums, a little at a time, while nobody has it.
#include "vtl/cartridge/scrub.h"

#include <catch2/catch.hpp>

#include "test/unit/cartridge/tape_fixture.h"

using namespace vtl;
using namespace vtl::test;

namespace {

const std::atomic<bool> kGoOn{false};
constexpr std::uint64_t kAll = UINT64_MAX;

// 30 blocks of 100,000 bytes and 3 filemarks in 3 segments of 11 objects; unloaded in order.
struct Scrubbed : TapeFixture {
  Scrubbed() {
    REQUIRE_FALSE(tape.load());
    for (int i = 0; i < 30; ++i) {
      REQUIRE_FALSE(tape.write(block_text(i, 100'000)).fault);
      if (i % 10 == 9) REQUIRE_FALSE(tape.filemarks(1).fault);
    }
    REQUIRE_FALSE(tape.unload().fault);
    segments = files.find(".seg");
    REQUIRE(segments.size() == 3);
  }
  ScrubReport scrub() {
    CartridgeScrub scrub(files, kDir, FileSystem::Io::kDirect);
    CHECK_FALSE(scrub.step(kAll, kGoOn));
    return scrub.state().report;
  }
  void flip(const std::string& path, std::size_t at) {
    files.edit(path, [at](auto& bytes) { bytes.at(at) ^= std::byte{1}; });
  }
  std::size_t size_of(const std::string& path) {
    std::size_t size = 0;
    files.edit(path, [&](auto& bytes) { size = bytes.size(); });
    return size;
  }
  std::vector<std::string> segments;
};

}  // namespace

TEST_CASE("A whole cartridge: everything is read, nothing is changed, no lock is held") {
  Scrubbed f;
  const auto lock = f.files.lock(kDir + "/LOCK");
  REQUIRE(lock);
  f.files.inject = [](const std::string& what, const std::string&) {
    return what == "open" || what == "pread" || what == "fstat" || what == "list" ? 0 : EROFS;
  };
  const ScrubReport report = f.scrub();
  CHECK(report.damage.empty());
  CHECK(report.error.empty());
  CHECK(report.segments == 3);
  CHECK(report.bytes > 3'000'000);
  CHECK(report.bytes < 3'100'000);
}

TEST_CASE("A flipped bit anywhere in a segment is found, and where") {
  Scrubbed f;
  const std::string& second = f.segments[1];
  const auto found = [&](std::size_t at) {
    f.flip(second, at);
    const ScrubReport report = f.scrub();
    f.flip(second, at);
    REQUIRE(report.damage.size() == 1);
    CHECK(report.segments >= 2);
    CHECK(report.damage[0].what.find(second) == 0);
    return report.damage[0];
  };
  for (const std::size_t at : {0u, 100u, 4096u, 5000u, 500'000u}) {
    const Damage damage = found(at);
    CHECK(damage.first_object == 11);
    CHECK(damage.objects == (at < 4096 ? 0 : 11));
    CHECK(damage.what.ends_with(at < 4096 ? "its header is damaged" : "its data are damaged"));
  }
  const std::size_t size = f.size_of(second);
  CHECK(found(size - 4096 - 4096).what.ends_with("its index is damaged"));
  CHECK(found(size - 4096).what.find("its trailer is damaged") != std::string::npos);
  CHECK(f.scrub().damage.empty());
}

TEST_CASE("Missing segments, a damaged label and lost attributes are found") {
  Scrubbed f;
  SECTION("in the middle") {
    f.files.unlink(f.segments[1]);
    const ScrubReport report = f.scrub();
    REQUIRE(report.damage.size() == 1);
    CHECK(report.damage[0].first_object == 11);
    CHECK(report.damage[0].objects == 11);
  }
  SECTION("the last") {
    f.files.unlink(f.segments[2]);
    const ScrubReport report = f.scrub();
    REQUIRE(report.damage.size() == 1);
    CHECK(report.damage[0].first_object + report.damage[0].objects == 33);
  }
  SECTION("the label") {
    f.flip(kDir + "/CART", 100);
    f.flip(kDir + "/CART", 4196);
    const ScrubReport report = f.scrub();
    REQUIRE(report.damage.size() == 1);
    CHECK(report.damage[0].what.find("write-protected") != std::string::npos);
  }
  SECTION("everything") {
    for (const std::string& path : f.files.find(kDir + "/")) f.files.unlink(path);
    f.files.unlink(kDir);
    CHECK_FALSE(f.scrub().error.empty());
  }
}

TEST_CASE("A cartridge that is loaded, or was not unloaded in order, is left to recovery") {
  Scrubbed f;
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.write("more").fault);
  CHECK(f.scrub().error.find("not unloaded in order") != std::string::npos);
  f.tape.vanish();
  f.files.kill();
  CHECK(f.scrub().error.find("not unloaded in order") != std::string::npos);
  CHECK(f.scrub().damage.empty());
  REQUIRE_FALSE(f.tape.load());
  REQUIRE_FALSE(f.tape.unload().fault);
  CHECK(f.scrub().error.empty());
}

TEST_CASE("What the disk cannot read is damage of that segment; the others are read") {
  Scrubbed f;
  f.files.inject = [&](const std::string& what, const std::string& path) {
    return what == "pread" && path == f.segments[1] ? EIO : 0;
  };
  const ScrubReport report = f.scrub();
  REQUIRE(report.damage.size() == 1);
  CHECK(report.damage[0].what.find(f.segments[1]) != std::string::npos);
  CHECK(report.segments == 2);
}

TEST_CASE("A scrub goes on with the segment that it was at, unless the tape was written to") {
  Scrubbed f;
  f.flip(f.segments[0], 5000);
  CartridgeScrub first(f.files, kDir, FileSystem::Io::kDirect);
  REQUIRE(first.step(1'500'000, kGoOn));
  const ScrubState left = first.state();
  CHECK(left.report.segments == 1);
  CHECK(left.report.damage.size() == 1);
  std::uint64_t of_first = 0;
  f.files.inject = [&](const std::string& what, const std::string& path) {
    if (what == "pread" && path == f.segments[0]) ++of_first;
    return 0;
  };
  SECTION("it goes on") {
    CartridgeScrub second(f.files, kDir, FileSystem::Io::kDirect, left);
    REQUIRE_FALSE(second.step(kAll, kGoOn));
    CHECK(second.state().report.segments == 3);
    CHECK(second.state().report.damage.size() == 1);
    CHECK(of_first == 0);
  }
  SECTION("it begins anew") {
    REQUIRE_FALSE(f.tape.load());
    REQUIRE_FALSE(f.tape.write("all new").fault);
    REQUIRE_FALSE(f.tape.unload().fault);
    CartridgeScrub second(f.files, kDir, FileSystem::Io::kDirect, left);
    REQUIRE_FALSE(second.step(kAll, kGoOn));
    CHECK(second.state().report.segments == 1);
    CHECK(second.state().report.damage.empty());
  }
}

TEST_CASE("A scrub is gentle, and stops when it is told to") {
  Scrubbed f;
  CartridgeScrub scrub(f.files, kDir, FileSystem::Io::kDirect);
  int steps = 1;
  std::uint64_t before = 0;
  while (scrub.step(100'000, kGoOn)) {
    CHECK(scrub.state().report.bytes - before <= (1u << 20) + 100'000);
    before = scrub.state().report.bytes;
    ++steps;
  }
  CHECK(steps >= 3);
  CartridgeScrub stopped(f.files, kDir, FileSystem::Io::kDirect);
  const std::atomic<bool> stop{true};
  CHECK(stopped.step(kAll, stop));
  CHECK(stopped.state().report.bytes == 0);
}
