#include "vtl/library/setup.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <random>

#include "memory_files.h"
#include "vtl/library/journal.h"

using namespace vtl;

namespace {

NewLibrary small(const std::string& directory) {
  NewLibrary library;
  library.directory = directory;
  library.config_text = "library: {}\n";
  library.pool_dir = directory + "/pool";
  library.geometry = {{1, 1}, {1000, 10}, {10, 3}, {500, 3}};
  library.cartridges = 3;
  library.capacity_bytes = 1u << 30;
  library.random = [engine = std::make_shared<std::mt19937>(1)](scsi::MutableBytes out) {
    for (std::byte& byte : out) byte = static_cast<std::byte>((*engine)());
  };
  library.now_ns = [] { return std::uint64_t{1'700'000'000'000'000'000}; };
  return library;
}

std::string with_prefix(const std::string& prefix, std::uint32_t cartridges) {
  NewLibrary library = small("/d/lib");
  library.geometry.storage.count = 20000;
  library.barcode_prefix = prefix;
  library.cartridges = cartridges;
  return check_new_library(library);
}

}  // namespace

TEST_CASE("a new library: pool, cartridges in the first slots, journal, configuration") {
  MemoryFiles files;
  (void)files.make_directory("/d");
  std::vector<std::uint32_t> told;
  const Outcome outcome =
      create_library(files, small("/d/lib"), [&](std::uint32_t done, std::uint32_t total) {
        CHECK(total == 3);
        told.push_back(done);
      });
  INFO(outcome.error);
  REQUIRE(outcome.ok());
  CHECK(told == std::vector<std::uint32_t>{1, 2, 3});
  CHECK(files.text("/d/lib/vtl.yaml") == "library: {}\n");
  const auto cartridges = list_cartridges(files, "/d/lib/pool");
  REQUIRE(cartridges);
  CHECK(*cartridges == std::vector<std::string>{"VTL001L8", "VTL002L8", "VTL003L8"});
  auto journal = Journal::open(files, "/d/lib/journal");
  REQUIRE(journal);
  CHECK((*journal)->state().size() == 3);
  CHECK((*journal)->state().at("VTL003L8").address == 1002);
  CHECK_FALSE(*files.exists("/d/lib/vtl.init"));
  // Durable: what a power cut leaves is the same.
  const auto paths = files.paths();
  files.crash(MemoryFiles::Survives::kNothing);
  CHECK(*files.exists("/d/lib/vtl.yaml"));
  CHECK(*list_cartridges(files, "/d/lib/pool") == *cartridges);
}

TEST_CASE("cartridges of several generations: an equal share of each, numbered on") {
  MemoryFiles files;
  (void)files.make_directory("/d");
  NewLibrary library = small("/d/lib");
  library.generations = {9, 8};
  library.cartridges = 5;
  REQUIRE(create_library(files, library).ok());
  CHECK(*list_cartridges(files, "/d/lib/pool") ==
        std::vector<std::string>{"VTL001L9", "VTL002L9", "VTL003L9", "VTL004L8", "VTL005L8"});
}

TEST_CASE("a second time refuses and changes nothing") {
  MemoryFiles files;
  (void)files.make_directory("/d");
  REQUIRE(create_library(files, small("/d/lib")).ok());
  const auto paths = files.paths();
  const std::uint64_t operations = files.operations();
  CHECK(create_library(files, small("/d/lib")).error ==
        "/d/lib holds a library already: nothing was changed");
  CHECK(files.operations() == operations);
  CHECK(files.paths() == paths);
}

TEST_CASE("a directory with something else in it is refused, an empty one is taken") {
  MemoryFiles files;
  (void)files.make_directory("/d");
  (void)files.make_directory("/d/lib");
  files.put("/d/lib/vtl.lock", "");
  (void)files.make_directory("/d/lib/lost+found");
  files.put("/d/lib/diary", "dear");
  const std::uint64_t operations = files.operations();
  CHECK(create_library(files, small("/d/lib")).error ==
        "/d/lib is not empty (diary is in it) and holds no library: choose another directory; "
        "nothing was changed");
  CHECK(files.operations() == operations);
  (void)files.remove("/d/lib/diary");
  CHECK(create_library(files, small("/d/lib")).ok());
}

TEST_CASE("an init that fails at any operation leaves nothing behind") {
  for (std::uint64_t n = 1;; ++n) {
    MemoryFiles files;
    (void)files.make_directory("/d");
    files.fail_at(n, true, ENOSPC);
    const std::uint64_t before = files.operations();
    const Outcome outcome = create_library(files, small("/d/lib"));
    const bool swept = files.operations() - before < n;
    INFO("operation " << n << ": " << outcome.error);
    if (!outcome.ok()) CHECK(files.paths() == std::vector<std::string>{"/d"});
    files.fail_at(0);
    if (swept) break;
    // Once it has failed, it can be done.
    if (!outcome.ok()) CHECK(create_library(files, small("/d/lib")).ok());
    REQUIRE(n < 400);
  }
}

TEST_CASE("an init that was interrupted at any operation can be repeated") {
  const auto survives =
      GENERATE(MemoryFiles::Survives::kNothing, MemoryFiles::Survives::kEverything);
  for (std::uint64_t n = 1; n < 120; n += 3) {
    MemoryFiles files;
    (void)files.make_directory("/d");
    files.fail_at(n);
    const Outcome outcome = create_library(files, small("/d/lib"));
    files.crash(survives);
    INFO("operation " << n << ": " << outcome.error);
    if (outcome.ok()) {
      CHECK(*files.exists("/d/lib/vtl.yaml"));
      continue;
    }
    if (*files.exists("/d/lib/vtl.yaml")) continue;  // the last sync failed: it is whole
    const Outcome again = create_library(files, small("/d/lib"));
    INFO(again.error);
    CHECK(again.ok());
  }
}

TEST_CASE("options that cannot be met") {
  NewLibrary library = small("/d/lib");
  library.cartridges = 11;
  CHECK(check_new_library(library) == "--cartridges: found 11, allowed: 0 to 10, one a slot");
  library.cartridges = 10;
  CHECK(check_new_library(library).empty());
  library.capacity_bytes = kMinCapacityBytes - 1;
  CHECK(check_new_library(library).find("--capacity: found 134217727 bytes") == 0);
  library.capacity_bytes = kMinCapacityBytes;
  CHECK(check_new_library(library).empty());

  CHECK(with_prefix("VTL", 3599).empty());
  CHECK(with_prefix("VTL", 3600)
            .find("--cartridges: found 3600, allowed with the prefix VTL: 0 to 3599") == 0);
  CHECK(with_prefix("VT", 9999).empty());
  CHECK(with_prefix("V", 9999).empty());
  CHECK(
      with_prefix("V", 10001).find("--cartridges: found 10001, allowed with the prefix V: 0 to ") ==
      0);
  CHECK(with_prefix("VTLVTL", 1) ==
        "--barcode-prefix: found \"VTLVTL\", allowed: up to 5 of A-Z and 0-9");
  CHECK(with_prefix("vtl", 1) ==
        "--barcode-prefix: found \"vtl\", allowed: up to 5 of A-Z and 0-9");
  CHECK(with_prefix("V-L", 0).find("--barcode-prefix") == 0);
}

TEST_CASE("on a real disk") {
  std::string name = (std::filesystem::temp_directory_path() / "vtl-setup-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  auto files = make_posix_file_system();
  const Outcome outcome = create_library(*files, small(name + "/lib"));
  INFO(outcome.error);
  CHECK(outcome.ok());
  CHECK(list_cartridges(*files, name + "/lib/pool")->size() == 3);
  CHECK_FALSE(create_library(*files, small(name + "/lib")).ok());
  NewLibrary nowhere = small(name + "/no/lib");
  CHECK_FALSE(create_library(*files, nowhere).ok());
  std::filesystem::remove_all(name);
}
