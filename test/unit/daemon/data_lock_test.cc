#include "vtl/daemon/data_lock.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>

using vtl::daemon::DataLock;

namespace {

struct Directory {
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() { std::filesystem::remove_all(path); }
  std::string path = "/tmp/vtl-lock-XXXXXX";
};

}  // namespace

TEST_CASE("one holder at a time, and the error names it") {
  Directory directory;
  CHECK(DataLock::holder(directory.path) == 0);
  DataLock first;
  REQUIRE(first.acquire(directory.path) == "");
  CHECK(first.held());
  CHECK(DataLock::holder(directory.path) == ::getpid());
  DataLock second;
  const std::string error = second.acquire(directory.path);
  CHECK(error.find("pid " + std::to_string(::getpid())) != std::string::npos);
  CHECK(!second.held());

  DataLock moved = std::move(first);
  CHECK(moved.held());
  CHECK(second.acquire(directory.path) != "");
  { const DataLock gone = std::move(moved); }
  CHECK(DataLock::holder(directory.path) == 0);
  CHECK(second.acquire(directory.path) == "");
}

TEST_CASE("a process that dies leaves no lock") {
  Directory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    DataLock lock;
    const bool held = lock.acquire(directory.path).empty();
    ::_exit(held ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(status == 0);
  DataLock lock;
  CHECK(lock.acquire(directory.path) == "");
  CHECK(DataLock::holder(directory.path) == ::getpid());
}

TEST_CASE("a disk that takes no pid is no reason not to work") {
  Directory directory;
  { CHECK(DataLock().acquire(directory.path) == ""); }
  // Writing fails, as on a full disk.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit nothing{0, before.rlim_max};
  void (*const handler)(int) = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &nothing) == 0);
  DataLock lock;
  const std::string error = lock.acquire(directory.path);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(error == "");
  CHECK(lock.held());
  CHECK(DataLock::holder(directory.path) == -1);  // rather than a pid of before
  DataLock second;
  CHECK(second.acquire(directory.path).find("pid") == std::string::npos);
  CHECK(second.in_use());
}

TEST_CASE("a directory that is not there") {
  DataLock lock;
  CHECK(lock.acquire("/nonexistent/vtl").find("/nonexistent/vtl") != std::string::npos);
}

TEST_CASE("a command that has the directory for a moment keeps nobody out") {
  Directory directory;
  std::optional<DataLock> command(std::in_place);
  REQUIRE(command->acquire(directory.path) == "");
  std::thread ends([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    command.reset();
  });
  CHECK(DataLock().acquire(directory.path) == "");
  ends.join();
}

TEST_CASE("a pool has one library, and the error names pool, process, library and what to do") {
  Directory directory;
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  DataLock first;
  REQUIRE(first.acquire_pool(directory.path, "/one") == "");
  CHECK(first.held());
  DataLock second;
  const std::string error = second.acquire_pool(directory.path, "/two");
  CHECK(second.in_use());
  CHECK(has(error, directory.path + " is in use"));
  CHECK(has(error, "pid " + std::to_string(::getpid())));
  CHECK(has(error, "works on /one:"));
  CHECK(has(error, "Stop that process, or name another folder"));
  { const DataLock gone = std::move(first); }
  CHECK(second.acquire_pool(directory.path, "/two") == "");
  CHECK_FALSE(second.in_use());
  // By another name it is the same.
  std::filesystem::create_symlink(directory.path, directory.path + "/itself");
  CHECK(has(first.acquire_pool(directory.path + "/itself", "/one"), "works on /two:"));
  DataLock nowhere;
  CHECK(nowhere.acquire_pool("/nonexistent/pool", "/one") != "");
  CHECK_FALSE(nowhere.in_use());
}
