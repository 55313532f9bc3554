#include "vtl/daemon/loop_clock.h"

#include <utility>

namespace vtl::daemon {

using std::chrono::milliseconds;

class LoopClock::LoopAlarm final : public Alarm {
 public:
  explicit LoopAlarm(LoopClock& clock) : clock_(clock), timer_(clock.loop_) {
    clock_.alarms_.insert(this);
  }
  ~LoopAlarm() override { clock_.alarms_.erase(this); }

  TapeMotion::TimePoint now() const override { return std::chrono::steady_clock::now(); }
  void at(TapeMotion::TimePoint when, scsi::Callback callback) override {
    callback_ = std::move(callback);
    const auto left = std::chrono::ceil<milliseconds>(when - now());
    start(clock_.hurried_ ? milliseconds(0) : std::max(left, milliseconds(0)));
  }
  void hurry() {
    if (callback_) start(milliseconds(0));
  }

 private:
  void start(milliseconds delay) {
    timer_.start(delay, [this] { std::exchange(callback_, {})(); });
  }

  LoopClock& clock_;
  net::Timer timer_;
  scsi::Callback callback_;
};

std::unique_ptr<Alarm> LoopClock::make_alarm() { return std::make_unique<LoopAlarm>(*this); }

void LoopClock::hurry() {
  hurried_ = true;
  for (LoopAlarm* alarm : alarms_) alarm->hurry();
}

}  // namespace vtl::daemon
