#include "vtl/daemon/system.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

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

std::optional<std::uint32_t> processors_of(std::string_view cpu_max) {
  std::uint64_t quota = 0;
  std::uint64_t period = 0;
  const char* const end = cpu_max.data() + cpu_max.size();
  const auto [after, error] = std::from_chars(cpu_max.data(), end, quota);
  if (error != std::errc() || after == end || *after != ' ') return {};
  if (std::from_chars(after + 1, end, period).ec != std::errc() || period == 0) return {};
  return static_cast<std::uint32_t>(std::max<std::uint64_t>((quota + period - 1) / period, 1));
}

std::uint32_t usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::uint32_t processors = 1;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    processors = static_cast<std::uint32_t>(std::max(CPU_COUNT(&set), 1));
  }
  // "0::/system.slice/vtl.service" (cgroups(7), version 2): the limits above it hold as well.
  std::ifstream groups("/proc/self/cgroup");
  std::string group;
  while (std::getline(groups, group) && !group.starts_with("0::/")) group.clear();
  if (group.empty()) return processors;
  for (std::string path = group.substr(3);; path.erase(path.rfind('/'))) {
    std::ifstream file("/sys/fs/cgroup" + path + "/cpu.max");
    std::string line;
    if (std::getline(file, line)) {
      processors = std::min(processors, processors_of(line).value_or(processors));
    }
    if (path.find('/') == std::string::npos) return processors;
  }
}

std::string notify_ready() {
  const char* const given = std::getenv("NOTIFY_SOCKET");
  if (given == nullptr) return {};
  const std::string_view name(given);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() >= sizeof address.sun_path)
    return fmt::format("$NOTIFY_SOCKET is no address: \"{}\"", name);
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';  // a name that is no file
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  constexpr std::string_view kReady = "READY=1";
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string problem;
  if (fd < 0 || ::sendto(fd, kReady.data(), kReady.size(), MSG_NOSIGNAL,
                         reinterpret_cast<const sockaddr*>(&address), length) < 0)
    problem =
        fmt::format("cannot tell {} that the server is ready: {}", name, std::strerror(errno));
  if (fd >= 0) ::close(fd);
  return problem;
}

}  // namespace vtl::daemon
