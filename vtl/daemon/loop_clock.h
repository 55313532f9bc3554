// The clock of drives that take their time (vtl/timing), on the loop.
#pragma once

#include <memory>
#include <set>

#include "transport/net/loop.h"
#include "vtl/timing/timed_medium.h"

namespace vtl::daemon {

// Outlives its alarms. Loop thread.
class LoopClock {
 public:
  explicit LoopClock(net::Loop& loop) : loop_(loop) {}
  std::unique_ptr<Alarm> make_alarm();
  // Everything is due at once from now on: a server that stops does not wait for a tape to rewind.
  void hurry();

 private:
  class LoopAlarm;
  net::Loop& loop_;
  std::set<LoopAlarm*> alarms_;
  bool hurried_ = false;
};

}  // namespace vtl::daemon
