// A line between a host and the product: bytes arrive in pieces of any size, late, or not at all.
#pragma once

#include <deque>
#include <memory>

#include "test/sim/initiator.h"
#include "transport/iscsi/connection.h"

namespace sim {

using iscsi::TimePoint;

class Host;

struct Line {
  std::unique_ptr<iscsi::Connection> target;
  Host* host = nullptr;  // nullptr: it has given the line up
  Data to_target;
  TimePoint late_until{};    // nothing arrives before
  bool swallowed = false;    // half open: nothing arrives any more, and nobody is told
  bool host_closed = false;  // the target hears of it behind the last byte

  bool idle() const { return to_target.empty() && target->send_spans().empty(); }
};

}  // namespace sim
