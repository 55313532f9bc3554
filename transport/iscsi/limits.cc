#include "transport/iscsi/limits.h"

#include <algorithm>

namespace iscsi {

std::string_view name_of(Limit limit) {
  static constexpr std::array<std::string_view, kLimits> kNames = {
      "connections",    "connections-per-address",
      "logins",         "login-time",
      "login-text",     "bad-login",
      "not-allowed",    "authentication",
      "locked-out",     "in-use",
      "command-window", "immediate-commands",
      "text",           "queued-bytes",
      "unread",         "pdu-time",
      "silent"};
  return kNames[static_cast<std::size_t>(limit)];
}

std::optional<std::uint64_t> LimitCounter::count(Limit limit, TimePoint now) {
  const auto index = static_cast<std::size_t>(limit);
  ++hits_[index];
  Lines& lines = lines_[index];
  if (lines.left < kLinesAtOnce && now > lines.last) {
    const auto more = static_cast<std::uint64_t>((now - lines.last) / kLineEvery);
    lines.left = std::min(kLinesAtOnce, lines.left + more);
    lines.last += kLineEvery * more;
  }
  if (lines.left == 0) {
    ++lines.untold;
    return {};
  }
  if (lines.left-- == kLinesAtOnce) lines.last = now;
  const std::uint64_t untold = lines.untold;
  lines.untold = 0;
  return untold;
}

}  // namespace iscsi
