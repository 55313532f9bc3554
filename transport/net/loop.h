// The event loop: the one thread that owns its devices and their sessions. libuv stays behind this
// header.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>

#include "scsi/done.h"

namespace net {

using scsi::Callback;
using TimePoint = std::chrono::steady_clock::time_point;

// Something that wants to be run once, at the end of the current event - of a socket, a timer, or
// all that was posted: what is asked for many times meanwhile is done once.
class Deferred {
 public:
  virtual void run_deferred() = 0;

 protected:
  ~Deferred() = default;

 private:
  friend class Loop;
  bool queued_ = false;
};

// One thread at a time constructs, runs and destroys it; post() from any. Timers, signals, sockets
// and listeners must be gone before the loop is.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Serves events until stop(). May be called again.
  void run();
  void stop();

  // Runs `callback` on the loop, in the order of the calls. Thread-safe; what is posted after the
  // last run() ended is destroyed uncalled with the loop.
  void post(Callback callback);

  // Once, at the end of this event, unless cancelled before. No allocation in the steady state.
  void defer(Deferred& what);
  void cancel(Deferred& what);

  // Polls for events for at most so long before it sleeps: a sleeping core takes 30-60 microseconds
  // to wake, longer than a command takes. Only while that pays: where events come later than this
  // time after one another, and when none come, it sleeps at once. 0 always does.
  void set_busy_poll(std::chrono::microseconds most);

  struct Impl;  // holds the uv_loop_t; for this folder's files
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// One shot. Starting again replaces; destroying stops.
class Timer {
 public:
  explicit Timer(Loop& loop);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void start(std::chrono::milliseconds delay, std::function<void()> fired);
  void stop();
  bool active() const;

  struct Impl;

 private:
  Impl* impl_;  // lives until libuv has let go of it
};

// Calls `received` on the loop each time the process gets the signal.
class Signal {
 public:
  Signal(Loop& loop, int number, std::function<void()> received);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  struct Impl;

 private:
  Impl* impl_;
};

}  // namespace net
