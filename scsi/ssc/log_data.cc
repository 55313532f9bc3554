// Log pages, with live values; which of them a drive has is its family's. Volume statistics are in
// volume_log.cc.
#include <algorithm>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

using Parameters = std::vector<LogParameter>;
constexpr std::uint8_t kCounter = LogParameter::kCounter;
constexpr std::uint8_t kList = LogParameter::kBinaryList;

LogParameter counter(std::uint16_t code, std::uint64_t value, std::size_t width) {
  return LogParameter::number(code, kCounter, value, width);
}
LogParameter list(std::uint16_t code, std::uint64_t value, std::size_t width) {
  return LogParameter::number(code, kList, value, width);
}

// Pages 02h and 03h: errors that ECC or a retry hid do not exist here.
Parameters error_counters(std::uint64_t bytes, std::uint64_t unrecovered) {
  return {counter(0x0000, 0, 4),          counter(0x0001, 0, 4), counter(0x0002, 0, 4),
          counter(0x0003, 0, 4),          counter(0x0004, 0, 4), counter(0x0005, bytes, 8),
          counter(0x0006, unrecovered, 4)};
}

}  // namespace

TapeDrive::Impl::Capacity TapeDrive::Impl::capacity(std::uint32_t partition) const {
  const PartitionInfo info = medium->partition(partition);
  const std::uint64_t used = std::min(info.used_bytes, info.early_warning_bytes);
  return {info.early_warning_bytes, used, info.early_warning_bytes - used};
}

TapeDrive::Impl::Moved TapeDrive::Impl::moved() const {
  Moved out = moved_before;
  if (load == Load::kReady || load == Load::kUnloading) {
    out.written += medium->info().bytes_written_load;
    out.read += medium->info().bytes_read_load;
  }
  return {out.written - moved_at_reset.written, out.read - moved_at_reset.read};
}

void TapeDrive::Impl::reset_counters() {
  counters = {};
  const Moved since = moved();
  moved_at_reset.written += since.written;
  moved_at_reset.read += since.read;
}

// Page 11h, parameter 0000h (ADC-3 6.1.2).
std::uint32_t TapeDrive::Impl::very_high_frequency_data() const {
  constexpr std::uint32_t kPamr = 0x80, kMacc = 0x20, kCmpr = 0x10, kWrtp = 0x08, kDinit = 0x01;
  constexpr std::uint32_t kInxtn = 0x80, kRaa = 0x20, kMprsnt = 0x10, kMstd = 0x04, kMthrd = 0x02,
                          kMounted = 0x01;
  std::uint32_t state = kDinit, place = 0, activity = 0;
  if (unit->prevented()) state |= kPamr;
  if ((modes().value_byte(0x0F, 0, 2) & 0x80) != 0) state |= kCmpr;
  if (write_protected()) state |= kWrtp;
  if (load == Load::kReady) state |= kMacc;
  if (!unit->prevented()) place |= kRaa;
  switch (load) {
    case Load::kEmpty:
      break;
    case Load::kEjected:
      place |= kMprsnt;
      break;
    case Load::kSeated:
    case Load::kRefused:
      place |= kMprsnt | kMstd;
      break;
    case Load::kLoading:
    case Load::kUnloading:
      place |= kInxtn | kMprsnt | kMstd;
      break;
    case Load::kReady:
      place |= kMprsnt | kMstd | kMthrd | kMounted;
      break;
  }
  switch (background) {
    case Background::kNone:
      break;
    case Background::kLoad:
      activity = medium->info().cleaning ? 0x01 : 0x02;
      break;
    case Background::kUnload:
      activity = 0x03;
      break;
    case Background::kLocate:
      activity = 0x07;
      break;
    case Background::kRewind:
      activity = 0x08;
      break;
    case Background::kErase:
      activity = 0x09;
      break;
    case Background::kFormat:
      activity = 0x0A;
      break;
    case Background::kVerify:
      activity = 0x05;
      break;
  }
  const std::uint32_t encryption_parameters = encryption.any() ? 0x10 : 0;  // EPP
  return state << 24 | place << 16 | activity << 8 | encryption_parameters;
}

// Page 0Ch (SSC-4 8.2.4). Megabytes are 10^6.
Parameters TapeDrive::Impl::sequential_access() const {
  Parameters out = {counter(0x0000, counters.host_bytes_written, 8),
                    counter(0x0001, moved().written, 8), counter(0x0002, moved().read, 8),
                    counter(0x0003, counters.host_bytes_read, 8)};
  if (load == Load::kReady) {
    const PartitionInfo here = medium->partition(medium->position().partition);
    const std::uint64_t behind_early_warning = here.capacity_bytes - here.early_warning_bytes;
    out.push_back(list(0x0004, here.used_bytes / kDecimalMb, 4));
    out.push_back(list(0x0005, here.early_warning_bytes / kDecimalMb, 4));
    out.push_back(list(0x0006, behind_early_warning / kDecimalMb, 4));
    out.push_back(list(0x0007, medium->position_bytes() / kDecimalMb, 4));
  }
  out.push_back(list(0x0100, 0, 8));  // cleaning is never required
  return out;
}

// Page 0Dh, degrees Celsius: what a healthy drive shows, warmer while its motors hold a tape. FFh:
// there is no reference temperature, as HP's drives say it.
Parameters TapeDrive::Impl::temperature() const {
  constexpr std::uint8_t kIdle = 31, kLoaded = 36, kNone = 0xFF;
  return {list(0x0000, load == Load::kReady ? kLoaded : kIdle, 2), list(0x0001, kNone, 2)};
}

// Page 14h: what a drive without mechanics and without a memory of its own can say, since it was
// started.
Parameters TapeDrive::Impl::device_statistics() const {
  const std::uint64_t hours = (std::max(now_ms(), started_ms) - started_ms) / 3'600'000;
  return {list(0x0000, loads, 4),
          list(0x0001, cleanings, 4),
          list(0x0002, hours, 4),  // power on
          list(0x000D, loads, 4),
          list(0x000E, counters.write_errors, 4),
          list(0x000F, counters.read_errors, 4),
          LogParameter::text(0x0040, options.identity.serial, 32),
          LogParameter::text(0x0041, options.identity.serial, 32),
          list(0x0080, unit->prevented() ? 1 : 0, 1)};
}

// Pages 1Bh and 32h: the same values, under two numbers. Megabytes are 10^6, followed by the rest
// in bytes.
Parameters TapeDrive::Impl::compression_statistics(bool with_enabled) const {
  const std::uint64_t host_read = counters.host_bytes_read,
                      host_written = counters.host_bytes_written;
  const Moved on_medium = moved();
  Parameters out = {list(0x0000, ratio_percent(host_read, on_medium.read), 2),
                    list(0x0001, ratio_percent(host_written, on_medium.written), 2)};
  std::uint16_t code = 0x0002;
  for (const std::uint64_t bytes : {host_read, on_medium.read, host_written, on_medium.written}) {
    out.push_back(list(code++, bytes / kDecimalMb, 4));
    out.push_back(list(code++, bytes % kDecimalMb, 4));
  }
  if (with_enabled)
    out.push_back(list(0x0100, (modes().value_byte(0x0F, 0, 2) & 0x80) != 0 ? 1 : 0, 1));
  return out;
}

// Page 30h, tape usage: the life of the cartridge that is in; errors since it was loaded.
Parameters TapeDrive::Impl::tape_usage() const {
  const bool loaded = load == Load::kReady;
  return {counter(0x0001, loaded ? medium->info().load_count : 0, 4),
          counter(0x0002, loaded ? data_sets(medium->info().bytes_written_life) : 0, 8),
          counter(0x0003, 0, 4),
          counter(0x0004, loaded ? mount.write_errors : 0, 2),
          counter(0x0005, 0, 2),
          counter(0x0006, 0, 2),
          counter(0x0007, loaded ? data_sets(medium->info().bytes_read_life) : 0, 8),
          counter(0x0008, 0, 4),
          counter(0x0009, loaded ? mount.read_errors : 0, 2),
          counter(0x000A, 0, 2),
          counter(0x000B, 0, 2)};
}

// Page 31h, tape capacity, in units of 2^20 bytes as LTFS and the Windows drivers take it.
Parameters TapeDrive::Impl::tape_capacity() const {
  std::array<Capacity, 2> of{};
  if (load == Load::kReady)
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(2, medium->partition_count()); ++i)
      of[i] = capacity(i);
  return {list(0x0001, of[0].remaining / kBinaryMb, 4),
          list(0x0002, of[1].remaining / kBinaryMb, 4), list(0x0003, of[0].maximum / kBinaryMb, 4),
          list(0x0004, of[1].maximum / kBinaryMb, 4)};
}

// Page 37h, performance characteristics: the efficiency of the medium, which LTFS shows as
// ltfs.mediaEfficiency. From 01h, the best, to FFh; 00h is unknown, as without a cartridge. A
// medium of files has no wear.
Parameters TapeDrive::Impl::performance_characteristics() const {
  return {list(0x0001, load == Load::kReady ? 0x01 : 0x00, 1)};
}

std::vector<LogPage> TapeDrive::Impl::log_pages() {
  const auto reset = [this] { reset_counters(); };
  const auto page = [](std::uint8_t code, std::function<Parameters()> parameters,
                       std::function<void()> on_reset = {}) {
    return LogPage{code, 0, [parameters = std::move(parameters)](NexusId) { return parameters(); },
                   std::move(on_reset)};
  };
  std::vector<LogPage> pages = {
      page(
          0x02,
          [this] { return error_counters(counters.host_bytes_written, counters.write_errors); },
          reset),
      page(
          0x03, [this] { return error_counters(counters.host_bytes_read, counters.read_errors); },
          reset),
      page(
          0x0C, [this] { return sequential_access(); }, reset),
      page(0x0D, [this] { return temperature(); }),
      page(0x11,
           [this] {
             return Parameters{list(0x0000, very_high_frequency_data(), 4),
                               list(0x0001, 1000, 2)};  // polling delay, ms
           }),
      page(0x10, [this] { return unit->self_test_results(); }),
      alerts.page_12(),
      page(0x14, [this] { return device_statistics(); }),
      page(0x17, [this] { return volume_statistics(); }),
      page(
          0x1B, [this] { return compression_statistics(true); }, reset),
      alerts.page_2e(),
      page(0x30, [this] { return tape_usage(); }),
      page(0x31, [this] { return tape_capacity(); }),
      page(
          0x32, [this] { return compression_statistics(false); }, reset),
      page(0x37, [this] { return performance_characteristics(); }),
  };
  std::erase_if(pages, [this](const LogPage& each) {
    return !family.has_log_page(each.page, generation.number);
  });
  return pages;
}

}  // namespace scsi::ssc
