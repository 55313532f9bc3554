#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

#include "vtl/daemon/log_writer.h"

using std::chrono::milliseconds;
using vtl::daemon::LogWriter;

namespace {

// As small as a pipe can be.
struct Pipe {
  Pipe() {
    REQUIRE(::pipe(ends.data()) == 0);
    size = static_cast<std::size_t>(::fcntl(ends[1], F_SETPIPE_SZ, 4096));
  }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  std::string read(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::size_t done = 0;
    while (done < bytes) {
      const ssize_t n = ::read(ends[0], text.data() + done, bytes - done);
      REQUIRE(n > 0);
      done += static_cast<std::size_t>(n);
    }
    return text;
  }
  std::size_t holds() const {
    int bytes = 0;
    REQUIRE(::ioctl(ends[0], FIONREAD, &bytes) == 0);
    return static_cast<std::size_t>(bytes);
  }
  std::array<int, 2> ends{};
  std::size_t size = 0;
};

std::string line(std::size_t number) {
  std::string text = std::to_string(number);
  return text + std::string(99 - text.size(), '.') + "\n";
}

}  // namespace

TEST_CASE("A line is written when write() returns") {
  Pipe pipe;
  int at_once = 0;
  for (std::size_t i = 0; i < 20; ++i) {
    LogWriter writer(pipe.ends[1]);
    writer.write(line(i));
    if (pipe.holds() == 100) ++at_once;
    CHECK(pipe.read(100) == line(i));
  }
  CHECK(at_once > 0);  // a machine may be slow, but not every time
}

TEST_CASE("Nobody waits for a reader that does not read, and what waits is written when it does") {
  Pipe pipe;
  LogWriter writer(pipe.ends[1]);
  const std::size_t all = pipe.size / 100 + 1000;
  // A tenth of a second once in ten seconds, not for each: that would be minutes.
  const auto begin = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < all; ++i) writer.write(line(i));
  CHECK(std::chrono::steady_clock::now() - begin < milliseconds(30'000));
  CHECK_FALSE(writer.flush(milliseconds(1)));
  for (std::size_t i = 0; i < all; ++i) REQUIRE(pipe.read(100) == line(i));
  CHECK(writer.flush(milliseconds(60'000)));
  writer.write(line(all));
  CHECK(pipe.read(100) == line(all));
}

TEST_CASE("What waits is bounded, and the log says how much of it is missing") {
  Pipe pipe;
  LogWriter writer(pipe.ends[1]);
  writer.write(std::string(pipe.size + 100, '-'));  // the thread is busy with this
  while (pipe.holds() < pipe.size) std::this_thread::yield();
  const std::size_t fit = LogWriter::kMostBytes / 100;
  for (std::size_t i = 0; i < fit + 7; ++i) writer.write(line(i));
  pipe.read(pipe.size + 100);
  for (std::size_t i = 0; i < fit; ++i) REQUIRE(pipe.read(100) == line(i));
  const std::string told = "7 lines of the log are missing here: nobody took them\n";
  CHECK(pipe.read(told.size()) == told);
}
