// What peers run into: each limit has its answer in the protocol, a count, and a line in the log -
// but not one for each of a thousand.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace iscsi {

enum class Limit : std::uint8_t {
  kConnections,            // closed at once
  kConnectionsPerAddress,  // closed at once
  kLogins,                 // the login that has lasted longest is dropped for the new one
  kLoginTime,              // closed
  kLoginText,              // 020B
  kBadLogin,               // 0200 and others: not as RFC 7143 has it
  kNotAllowed,             // 0203; discovery: 0202
  kAuthentication,         // 0201, late
  kLockedOut,              // 0201, late, whatever the answer was
  kInUse,                  // 0301
  kCommandWindow,          // passed over in silence (RFC 7143 4.2.2.1)
  kImmediate,              // Reject 06
  kText,                   // Reject 04
  kQueued,                 // its commands wait
  kUnread,                 // dropped
  kPduTime,                // closed
  kSilent,                 // dropped
};
inline constexpr std::size_t kLimits = 17;

std::string_view name_of(Limit limit);  // "connections-per-address"

using LimitHits = std::array<std::uint64_t, kLimits>;

// One loop thread.
class LimitCounter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Counts one. If it is worth a line: how many there were since the last one that were not.
  std::optional<std::uint64_t> count(Limit limit, TimePoint now);
  const LimitHits& hits() const { return hits_; }

  // Of one limit; then a line in each kLineEvery.
  static constexpr std::uint64_t kLinesAtOnce = 10;
  static constexpr std::chrono::seconds kLineEvery{10};

 private:
  struct Lines {
    std::uint64_t left = kLinesAtOnce;
    std::uint64_t untold = 0;
    TimePoint last{};  // when `left` was made right
  };
  LimitHits hits_{};
  std::array<Lines, kLimits> lines_;
};

}  // namespace iscsi
