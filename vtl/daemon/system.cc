#include "vtl/daemon/system.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <chrono>
#include <ctime>

#include "scsi/check.h"

namespace vtl::daemon {

void random_bytes(scsi::MutableBytes into) {
  while (!into.empty()) {
    const ssize_t n = ::getrandom(into.data(), into.size(), 0);
    VTL_CHECK(n > 0 || errno == EINTR);
    if (n > 0) into = into.subspan(static_cast<std::size_t>(n));
  }
}

std::uint64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

std::string iso_time(std::uint64_t unix_ns) {
  if (unix_ns == 0) return {};
  const auto seconds = static_cast<std::time_t>(unix_ns / 1'000'000'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(seconds));
}

}  // namespace vtl::daemon
