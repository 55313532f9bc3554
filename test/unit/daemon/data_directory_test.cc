// What is wrong with the pool is said with file, line and key, as what the file itself shows.
#include "vtl/daemon/data_directory.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "vtl/cartridge/cartridge.h"
#include "vtl/daemon/init.h"

using namespace vtl;
using namespace vtl::daemon;

namespace {

struct Libraries {
  Libraries() {
    REQUIRE(::mkdtemp(parent.data()) != nullptr);
    one = parent + "/one";
    two = parent + "/two";
    for (const std::string& path : {one, two}) {
      InitOptions options;
      options.data_directory = path;
      options.library.drives = 1;
      options.library.slots = 2;
      options.cartridges = 1;
      options.capacity_bytes = kMinCapacityBytes;
      REQUIRE(init(options).problems.code == kExitDone);
    }
  }
  ~Libraries() { std::filesystem::remove_all(parent); }
  // Its pool becomes this; where in the file that is said.
  std::string set_pool(const std::string& pool) { return set("pool", "pool", pool); }
  std::string set(const std::string& key, const std::string& before, const std::string& value) {
    std::ifstream in(config_path(one));
    std::string text(std::istreambuf_iterator<char>(in), {});
    const std::string old = "#" + key + ": " + before;
    const std::size_t at = text.find(old);
    REQUIRE(at != std::string::npos);
    text.replace(at, old.size(), key + ": " + value);
    std::ofstream(config_path(one)) << text;
    return config_path(one) + ":" +
           std::to_string(1 +
                          std::count(text.begin(), text.begin() + static_cast<long>(at), '\n')) +
           ": storage." + key + ": ";
  }
  std::string parent = "/tmp/vtl-pools-XXXXXX";
  std::string one, two;
};

bool says(const Problems& problems, const std::string& text) {
  return problems.errors.size() == 1 && problems.errors[0].starts_with(text);
}

}  // namespace

TEST_CASE("a pool that is not there, or is none, is an error of its line") {
  Libraries libraries;
  std::string path, why;
  SECTION("not there") {
    path = libraries.parent + "/nowhere";
    why = "cannot open " + path + ": No such file or directory";
  }
  SECTION("a file") {
    path = libraries.parent + "/file";
    std::ofstream(path) << "no pool";
    why = path + " is not a folder";
  }
  SECTION("another folder") {
    path = libraries.parent;
    why = path + " is no pool: ";
  }
  const std::string line = libraries.set_pool(path);
  for (const Problems& problems :
       {check_config(libraries.one).problems, open_data_directory(libraries.one).problems}) {
    CHECK(problems.code == kExitConfig);
    CHECK(says(problems, line + why));
  }
}

TEST_CASE("a pool that another library uses is an error of the line that names it") {
  Libraries libraries;
  const std::string pool = libraries.two + "/pool";
  const std::string line = libraries.set_pool(pool);
  std::optional<OpenedDirectory> other = open_data_directory(libraries.two);
  REQUIRE(other->directory);
  const OpenedDirectory refused = open_data_directory(libraries.one);
  CHECK(refused.pool_in_use);
  CHECK(refused.problems.code == kExitInUse);
  CHECK(says(refused.problems, line + "the pool " + pool + " is in use by another vtl process"));
  other.reset();
  CHECK(open_data_directory(libraries.one).directory);
}

TEST_CASE("io_mode direct is an error of its line where the pool is in memory") {
  Libraries libraries;
  std::string pool = "/dev/shm/vtl-pool-XXXXXX";  // tmpfs on every Linux
  REQUIRE(::mkdtemp(pool.data()) != nullptr);
  std::filesystem::copy(libraries.one + "/pool", pool, std::filesystem::copy_options::recursive);
  libraries.set_pool(pool);
  const Problems by_default = check_config(libraries.one).problems;
  const std::string line = libraries.set("io_mode", "auto", "direct");
  const Problems checked = check_config(libraries.one).problems;
  const Problems opened = open_data_directory(libraries.one).problems;
  std::filesystem::remove_all(pool);
  CHECK(by_default.code == kExitDone);
  for (const Problems& problems : {checked, opened}) {
    CHECK(problems.code == kExitConfig);
    CHECK(says(problems, line + "found direct, but the file system of " + pool +
                             " has no direct I/O, allowed there: auto, paced"));
  }
}

TEST_CASE("io_mode direct is taken where the file system has it") {
  Libraries libraries;
  libraries.set("io_mode", "auto", "direct");
  CHECK(check_config(libraries.one).problems.code == kExitDone);
}
