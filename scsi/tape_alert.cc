#include "scsi/tape_alert.h"

#include <algorithm>

#include "scsi/check.h"

namespace scsi {

std::uint64_t TapeAlert::mask(std::uint8_t flag) {
  VTL_CHECK(flag >= 1 && flag <= 64);
  return std::uint64_t{1} << (64 - flag);
}

void TapeAlert::raise(std::uint8_t flag) {
  raised_ |= mask(flag);
  for (auto& entry : already_read_) entry.second &= ~mask(flag);
}

void TapeAlert::clear(std::uint8_t flag) { raised_ &= ~mask(flag); }

void TapeAlert::clear_all() { raised_ = 0; }

bool TapeAlert::is_raised(std::uint8_t flag) const { return (raised_ & mask(flag)) != 0; }

void TapeAlert::nexus_lost(NexusId nexus) { already_read_.erase(nexus); }

LogPage TapeAlert::page_2e() {
  LogPage page;
  page.page = 0x2E;
  page.parameters = [this](NexusId nexus) {
    const auto found = already_read_.find(nexus);
    const std::uint64_t read = found == already_read_.end() ? 0 : found->second;
    std::vector<LogParameter> parameters;
    for (std::uint8_t flag = 1; flag <= 64; ++flag)
      parameters.push_back(
          LogParameter::number(flag, 0xC0, (raised_ & ~read & mask(flag)) != 0 ? 1 : 0, 1));
    return parameters;
  };
  // Clients read the four bytes of the header first: that clears nothing.
  page.told = [this](NexusId nexus, std::uint16_t first, std::uint16_t last) {
    for (std::uint16_t flag = std::max<std::uint16_t>(first, 1); flag <= last; ++flag)
      already_read_[nexus] |= raised_ & mask(static_cast<std::uint8_t>(flag));
  };
  page.reset = [this] { clear_all(); };
  return page;
}

LogPage TapeAlert::page_12() {
  LogPage page;
  page.page = 0x12;
  page.parameters = [this](NexusId) {
    return std::vector{LogParameter::number(0, LogParameter::kBinaryList, raised_, 8)};
  };
  return page;
}

}  // namespace scsi
