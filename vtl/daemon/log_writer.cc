#include "vtl/daemon/log_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

namespace vtl::daemon {
namespace {

constexpr std::chrono::milliseconds kPatience{100};
constexpr std::chrono::seconds kImpatience{10};

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {  // another process has made it so
      pollfd room{fd, POLLOUT, 0};
      (void)::poll(&room, 1, -1);
      continue;
    }
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

struct LogWriter::State {
  explicit State(int given) : fd(given) {}
  void run();

  const int fd;
  std::mutex mutex;
  std::condition_variable wake, written;
  std::string waiting;
  std::uint64_t taken = 0, done = 0;  // lines
  std::uint64_t dropped = 0;
  std::chrono::steady_clock::time_point wait_from;  // somebody has waited in vain
  bool ending = false;
};

void LogWriter::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    wake.wait(lock, [this] { return ending || taken != done; });
    if (taken == done) return;
    std::string text = std::exchange(waiting, {});
    const std::uint64_t lines = taken;
    if (dropped != 0)
      text += fmt::format("{} lines of the log are missing here: nobody took them\n", dropped);
    dropped = 0;
    lock.unlock();
    write_all(fd, text);
    lock.lock();
    done = lines;
    written.notify_all();
  }
}

LogWriter::LogWriter(int fd) : state_(std::make_shared<State>(fd)) {
  std::thread([state = state_] {
    ::pthread_setname_np(::pthread_self(), "log");
    state->run();
  }).detach();
}

LogWriter::~LogWriter() {
  const std::lock_guard lock(state_->mutex);
  state_->ending = true;
  state_->wake.notify_one();
}

void LogWriter::write(std::string line) {
  std::unique_lock lock(state_->mutex);
  if (state_->waiting.size() + line.size() > kMostBytes) {
    ++state_->dropped;
    return;
  }
  state_->waiting += line;
  const std::uint64_t mine = ++state_->taken;
  state_->wake.notify_one();
  const auto now = std::chrono::steady_clock::now();
  if (now < state_->wait_from) return;
  if (!state_->written.wait_for(lock, kPatience, [&] { return state_->done >= mine; }))
    state_->wait_from = now + kImpatience;
}

bool LogWriter::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(state_->mutex);
  return state_->written.wait_for(lock, limit, [&] { return state_->done == state_->taken; });
}

}  // namespace vtl::daemon
