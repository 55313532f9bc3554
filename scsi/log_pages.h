// LOG SENSE and LOG SELECT: the engine (SPC-4 6.7, 6.8, 7.3). A page is a function that gives its
// parameters at the moment of asking. Pages 00h/00h and 00h/FFh (supported pages) are made here.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "scsi/command.h"
#include "scsi/sense.h"

namespace scsi {

struct LogParameter {
  // Control bytes that real drives send (SPC-4 7.3.2.2).
  static constexpr std::uint8_t kBinaryList = 0x03;
  static constexpr std::uint8_t kAsciiList = 0x01;
  static constexpr std::uint8_t kCounter = 0x60;

  std::uint16_t code = 0;
  std::uint8_t control = kBinaryList;
  std::vector<std::byte> value;

  // A big-endian number of `width` bytes (1 to 8), at its maximum if it does not fit.
  static LogParameter number(std::uint16_t code, std::uint8_t control, std::uint64_t value,
                             std::size_t width);
  // ASCII, padded with spaces to `width`.
  static LogParameter text(std::uint16_t code, std::string_view value, std::size_t width);
};

struct LogPage {
  std::uint8_t page = 0;
  std::uint8_t subpage = 0;
  // Ascending by code. Called for each LOG SENSE of this page, whatever PC says.
  std::function<std::vector<LogParameter>(NexusId)> parameters;
  // LOG SELECT with PCR = 1: cumulative values back to zero. None: the page has nothing to reset.
  std::function<void()> reset{};
  // Told which parameters an answer holds whole, after it was cut to the allocation length.
  std::function<void(NexusId, std::uint16_t first, std::uint16_t last)> told{};
};

class LogPages {
 public:
  explicit LogPages(std::vector<LogPage> pages);  // any order

  std::variant<std::vector<std::byte>, Sense> sense(NexusId nexus, Bytes cdb) const;
  static std::uint32_t select_length(Bytes cdb);
  struct Selected {
    std::optional<Sense> refused;
    bool changed = false;  // 2A/02 is due to the other nexuses
  };
  Selected select(Bytes cdb, Bytes list);

 private:
  std::vector<std::byte> supported(bool with_subpages) const;
  std::vector<LogPage> pages_;  // ascending
};

}  // namespace scsi
