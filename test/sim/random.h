// The one source of chance in a simulated world, and how a broken promise is told.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t next() { return engine_(); }
  // 0 to n - 1.
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }
  bool chance(unsigned in_1000) { return below(1000) < in_1000; }

 private:
  std::mt19937_64 engine_;
};

// Says what, where and how to see it again, and ends the program: the product's own code is on the
// stack, and what it is in the middle of cannot be taken back.
[[noreturn]] void broken(const std::string& what);

inline void check(bool holds, const char* what) {
  if (!holds) broken(what);
}
inline void check(bool holds, const std::string& what) {
  if (!holds) broken(what);
}

}  // namespace sim
