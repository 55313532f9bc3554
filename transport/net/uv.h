// What this folder's files share of libuv. No header that is used outside of it includes this one.
#pragma once

#include <uv.h>

#include <algorithm>
#include <mutex>
#include <vector>

#include "scsi/check.h"
#include "transport/net/loop.h"

namespace net {

struct Loop::Impl {
  uv_loop_t uv{};
  uv_async_t wake{};
  uv_prepare_t before_poll{};  // runs what timers deferred
  uv_check_t after_poll{};     // and what posted callbacks did; a socket's event does it at once
  std::chrono::microseconds busy_poll{0};
  int busy_poll_paid = 0;   // of the last waits, those that polling would have caught
  TimePoint first_event{};  // of this turn; as constructed: none
  bool stopping = false;

  std::vector<Deferred*> deferred;
  std::vector<Deferred*> running_deferred;

  std::mutex mutex;
  std::vector<Callback> posted;
  std::vector<Callback> running;

  void note_event() {
    if (first_event == TimePoint{}) first_event = std::chrono::steady_clock::now();
  }
  void run_posted();
  void run_deferred();
};

// A poll handle for a file descriptor it does not own. The handle outlives its owner until libuv
// has closed it.
class Poll {
 public:
  Poll(Loop& loop, int fd, std::function<void(bool readable, bool writable)> ready);
  ~Poll();
  Poll(const Poll&) = delete;
  Poll& operator=(const Poll&) = delete;

  void want(bool read, bool write);  // neither: no events at all

 private:
  struct Handle {
    uv_poll_t uv{};
    std::function<void(bool, bool)> ready;
    Loop::Impl* loop = nullptr;
  };
  Handle* handle_;
  int events_ = 0;
};

}  // namespace net
