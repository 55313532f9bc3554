#include "test/soak/watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace soak {

namespace {

constexpr std::uint64_t kMi = 1u << 20;
// Buffers are lent and given back as tapes come and go; a leak of a kilobyte a move is more.
constexpr std::uint64_t kMemoryMargin = 24 * kMi;
constexpr std::uint64_t kMemoryLimit = 500 * kMi;
constexpr std::uint64_t kDescriptorMargin = 16;
constexpr std::uint64_t kDiskLimit = 6144 * kMi;
constexpr double kWarm = 0.2;
constexpr double kMiddle = (1 + kWarm) / 2;
constexpr std::size_t kEnoughSamples = 240;

}  // namespace

Sample sample(pid_t server, const std::string& data_directory) {
  namespace fs = std::filesystem;
  Sample out;
  const std::string process = "/proc/" + std::to_string(server);
  std::ifstream status(process + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) out.memory_bytes = std::stoull(line.substr(6)) << 10;
  // Files come and go meanwhile.
  std::error_code gone;
  for (fs::directory_iterator fd(process + "/fd", gone), end; fd != end; fd.increment(gone))
    ++out.descriptors;
  for (fs::recursive_directory_iterator file(data_directory, gone), end; !gone && file != end;
       file.increment(gone)) {
    struct stat info {};
    if (::lstat(file->path().c_str(), &info) == 0)
      out.disk_bytes += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return out;
}

std::uint64_t Watch::median(double from, double to, std::uint64_t Sample::*what) const {
  const auto index = [&](double part) {
    return static_cast<std::size_t>(part * static_cast<double>(samples_.size()));
  };
  std::vector<std::uint64_t> values;
  for (std::size_t i = index(from); i < index(to); ++i) values.push_back(samples_[i].*what);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void Watch::check_flat() const {
  const auto grew = [&](std::uint64_t Sample::*what, std::uint64_t margin, const char* name) {
    const std::uint64_t first = median(kWarm, kMiddle, what), second = median(kMiddle, 1, what);
    if (second > first + margin)
      throw std::runtime_error(std::string(name) + " grew from " + std::to_string(first) + " to " +
                               std::to_string(second));
  };
  if (samples_.size() >= kEnoughSamples) {
    grew(&Sample::memory_bytes, kMemoryMargin, "the server's memory");
    grew(&Sample::descriptors, kDescriptorMargin, "the number of open files");
  }
  for (const Sample& one : samples_) {
    if (one.memory_bytes > kMemoryLimit)
      throw std::runtime_error("the server takes " + std::to_string(one.memory_bytes / kMi) +
                               " MiB of memory");
    if (one.disk_bytes > kDiskLimit)
      throw std::runtime_error("the library takes " + std::to_string(one.disk_bytes / kMi) +
                               " MiB of disk");
  }
}

std::string Watch::text() const {
  const auto part = [&](std::uint64_t Sample::*what, std::uint64_t unit) {
    std::uint64_t most = 0;
    for (const Sample& one : samples_) most = std::max(most, one.*what);
    return std::to_string(median(kWarm, kMiddle, what) / unit) + ", then " +
           std::to_string(median(kMiddle, 1, what) / unit) + ", at most " +
           std::to_string(most / unit);
  };
  return "memory " + part(&Sample::memory_bytes, kMi) + " MiB; open files " +
         part(&Sample::descriptors, 1) + "; disk " + part(&Sample::disk_bytes, kMi) + " MiB";
}

}  // namespace soak
