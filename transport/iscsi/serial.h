// Serial number arithmetic on 32 bits (RFC 1982), and the command window made of it (RFC
// 7143 4.2.2).
#pragma once

#include <cstdint>

namespace iscsi {

// a < b, where both are less than 2^31 apart. Signed subtraction is the whole trick.
constexpr bool serial_less(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b) < 0;
}

// ExpCmdSN and MaxCmdSN of one session. MaxCmdSN never goes back.
class CommandWindow {
 public:
  explicit CommandWindow(std::uint32_t first_cmd_sn)
      : expected_(first_cmd_sn), max_(first_cmd_sn - 1) {}

  std::uint32_t expected() const { return expected_; }
  std::uint32_t max() const { return max_; }
  bool closed() const { return max_ + 1 == expected_; }

  // Whether a non-immediate command with this number may be taken at all.
  bool contains(std::uint32_t cmd_sn) const {
    return !serial_less(cmd_sn, expected_) && !serial_less(max_, cmd_sn);
  }
  // The command with the number expected() is taken.
  void advance() {
    ++expected_;
    if (serial_less(max_, expected_ - 1)) max_ = expected_ - 1;
  }
  // There is room for `commands` more; a promise made before is kept all the same.
  void open(std::uint32_t commands) {
    const std::uint32_t max = expected_ - 1 + commands;
    if (serial_less(max_, max)) max_ = max;
  }

 private:
  std::uint32_t expected_;
  std::uint32_t max_;
};

}  // namespace iscsi
