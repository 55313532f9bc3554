#include "transport/net/loop.h"

#include <utility>

#include "transport/net/uv.h"

namespace net {

void Loop::Impl::run_posted() {
  {
    const std::lock_guard lock(mutex);
    running.swap(posted);
  }
  for (Callback& callback : running) callback();
  running.clear();
}

void Loop::Impl::run_deferred() {
  // What is deferred by those that run comes in the next round; what will not end must not starve
  // the sockets.
  for (int round = 0; round < 8 && !deferred.empty(); ++round) {
    running_deferred.swap(deferred);
    for (std::size_t i = 0; i < running_deferred.size(); ++i) {
      Deferred* what = running_deferred[i];
      if (what == nullptr) continue;  // cancelled meanwhile
      what->queued_ = false;
      what->run_deferred();
    }
    running_deferred.clear();
  }
  if (!deferred.empty()) uv_async_send(&wake);
}

Loop::Loop() : impl_(std::make_unique<Impl>()) {
  VTL_CHECK(uv_loop_init(&impl_->uv) == 0);
  impl_->uv.data = impl_.get();
  VTL_CHECK(uv_async_init(&impl_->uv, &impl_->wake, [](uv_async_t* handle) {
              auto* impl = static_cast<Impl*>(handle->loop->data);
              impl->note_event();
              impl->run_posted();
            }) == 0);
  uv_prepare_init(&impl_->uv, &impl_->before_poll);
  uv_prepare_start(&impl_->before_poll, [](uv_prepare_t* handle) {
    static_cast<Impl*>(handle->loop->data)->run_deferred();
  });
  uv_check_init(&impl_->uv, &impl_->after_poll);
  uv_check_start(&impl_->after_poll, [](uv_check_t* handle) {
    static_cast<Impl*>(handle->loop->data)->run_deferred();
  });
}

Loop::~Loop() {
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->wake), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->before_poll), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->after_poll), nullptr);
  uv_run(&impl_->uv, UV_RUN_DEFAULT);  // until the last handle is closed
  VTL_CHECK(uv_loop_close(&impl_->uv) == 0);
}

void Loop::run() {
  using Clock = std::chrono::steady_clock;
  constexpr int kMostPaid = 16;
  Impl& impl = *impl_;
  impl.stopping = false;
  TimePoint waiting_since = Clock::now();
  while (!impl.stopping) {
    const bool poll = impl.busy_poll_paid > 0 && Clock::now() - waiting_since < impl.busy_poll;
    impl.first_event = {};
    uv_run(&impl.uv, poll ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    if (impl.first_event == TimePoint{} || impl.busy_poll.count() == 0) continue;
    // What came too late for polling counts more than what came in time: being wrong costs more.
    const bool paid = impl.first_event - waiting_since < impl.busy_poll;
    impl.busy_poll_paid =
        paid ? std::min(impl.busy_poll_paid + 1, kMostPaid) : std::max(impl.busy_poll_paid - 2, 0);
    waiting_since = Clock::now();
  }
}

void Loop::stop() {
  impl_->stopping = true;
  uv_stop(&impl_->uv);  // what is deferred runs just before the loop sleeps: it must not
}

void Loop::post(Callback callback) {
  bool wake = false;
  {
    const std::lock_guard lock(impl_->mutex);
    wake = impl_->posted.empty();
    impl_->posted.push_back(std::move(callback));
  }
  if (wake) uv_async_send(&impl_->wake);
}

void Loop::defer(Deferred& what) {
  if (std::exchange(what.queued_, true)) return;
  impl_->deferred.push_back(&what);
}

void Loop::cancel(Deferred& what) {
  what.queued_ = false;
  std::erase(impl_->deferred, &what);
  std::replace(impl_->running_deferred.begin(), impl_->running_deferred.end(), &what,
               static_cast<Deferred*>(nullptr));
}

void Loop::set_busy_poll(std::chrono::microseconds most) { impl_->busy_poll = most; }

struct Timer::Impl {
  uv_timer_t uv{};
  std::function<void()> fired;
};

Timer::Timer(Loop& loop) : impl_(new Impl) {
  impl_->uv.data = impl_;
  VTL_CHECK(uv_timer_init(&loop.impl().uv, &impl_->uv) == 0);
}

Timer::~Timer() {
  impl_->fired = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->uv),
           [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

void Timer::start(std::chrono::milliseconds delay, std::function<void()> fired) {
  impl_->fired = std::move(fired);
  // libuv counts from the time it last looked at the clock.
  uv_update_time(impl_->uv.loop);
  const auto ms = static_cast<std::uint64_t>(std::max<std::int64_t>(delay.count(), 0));
  uv_timer_start(
      &impl_->uv,
      [](uv_timer_t* handle) {
        // The function may restart or destroy the timer, and with it itself.
        auto function = std::exchange(static_cast<Impl*>(handle->data)->fired, nullptr);
        if (function) function();
      },
      ms, 0);
}

void Timer::stop() {
  uv_timer_stop(&impl_->uv);
  impl_->fired = nullptr;
}

bool Timer::active() const {
  return uv_is_active(reinterpret_cast<const uv_handle_t*>(&impl_->uv)) != 0;
}

struct Signal::Impl {
  uv_signal_t uv{};
  std::function<void()> received;
};

Signal::Signal(Loop& loop, int number, std::function<void()> received) : impl_(new Impl) {
  impl_->uv.data = impl_;
  impl_->received = std::move(received);
  VTL_CHECK(uv_signal_init(&loop.impl().uv, &impl_->uv) == 0);
  VTL_CHECK(uv_signal_start(
                &impl_->uv,
                [](uv_signal_t* handle, int) {
                  const auto function = static_cast<Impl*>(handle->data)->received;
                  if (function) function();
                },
                number) == 0);
}

Signal::~Signal() {
  impl_->received = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&impl_->uv),
           [](uv_handle_t* handle) { delete static_cast<Impl*>(handle->data); });
}

Poll::Poll(Loop& loop, int fd, std::function<void(bool, bool)> ready) : handle_(new Handle) {
  handle_->uv.data = handle_;
  handle_->ready = std::move(ready);
  handle_->loop = &loop.impl();
  VTL_CHECK(uv_poll_init(&loop.impl().uv, &handle_->uv, fd) == 0);
}

Poll::~Poll() {
  // Once uv_close() has returned the descriptor may be closed; the handle itself lives on. If this
  // runs inside `ready`, the function must not be destroyed under its own feet: the close callback
  // does it.
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->uv),
           [](uv_handle_t* handle) { delete static_cast<Handle*>(handle->data); });
}

void Poll::want(bool read, bool write) {
  const int events = (read ? UV_READABLE : 0) | (write ? UV_WRITABLE : 0);
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(&handle_->uv);
    return;
  }
  uv_poll_start(&handle_->uv, events, [](uv_poll_t* poll, int status, int ready) {
    auto* handle = static_cast<Handle*>(poll->data);
    Loop::Impl* const loop = handle->loop;  // the handle may go
    loop->note_event();
    // After an error, a read or write tells what it is.
    handle->ready(status < 0 || (ready & UV_READABLE) != 0,
                  status < 0 || (ready & UV_WRITABLE) != 0);
    loop->run_deferred();
  });
}

}  // namespace net
