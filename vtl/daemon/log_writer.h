// LogWriter: lines to a descriptor, written by a thread of its own. Standard error may be a file on
// a disk that does not answer, or a pipe that nobody empties, and loops must not wait for either.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

namespace vtl::daemon {

// Any thread. What cannot be written - a pipe without a reader - is dropped, as is what comes while
// kMostBytes wait; how many lines that were is a line when there is room again.
class LogWriter {
 public:
  static constexpr std::size_t kMostBytes = 1u << 20;

  explicit LogWriter(int fd);
  // What waits is still written, as long as the process lives.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // With its line end. Returns when it is written, so that a process that is killed has told what
  // it did before; but waits no longer than a tenth of a second, and then for ten seconds not at
  // all.
  void write(std::string line);
  // Waits until nothing waits; whether that was within this time.
  bool flush(std::chrono::milliseconds limit);

 private:
  struct State;
  std::shared_ptr<State> state_;  // with the thread, which may outlive this
};

}  // namespace vtl::daemon
