// What the server takes of the machine, sampled twice a second, and whether it stays so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace soak {

struct Sample {
  std::uint64_t memory_bytes = 0;  // resident
  std::uint64_t descriptors = 0;
  std::uint64_t disk_bytes = 0;  // allocated below the data directory
};
Sample sample(pid_t server, const std::string& data_directory);

class Watch {
 public:
  void add(const Sample& sample) { samples_.push_back(sample); }
  // After the first fifth the server is warm: from then on the median of the second half is not
  // above that of the first by more than a margin; of two minutes and more only, before that it
  // fills its buffers. Nor is any sample above the limits. Throws std::runtime_error otherwise.
  void check_flat() const;
  std::string text() const;

 private:
  std::uint64_t median(double from, double to, std::uint64_t Sample::*what) const;
  std::vector<Sample> samples_;
};

}  // namespace soak
