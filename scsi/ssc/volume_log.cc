// Log page 17h, volume statistics (SSC-4 8.2.7): what LTFS, Proxmox and backup software
// know of a cartridge.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

constexpr std::uint8_t kList = LogParameter::kBinaryList;

// One record for each partition: length of what follows, a reserved byte, partition number, value.
template <class Value>
LogParameter partition_records(std::uint16_t code, std::uint32_t partitions, std::size_t width,
                               Value value) {
  ByteBuilder out;
  for (std::uint32_t i = 0; i < partitions; ++i) {
    out.u8(3 + width).u8(0).u16(i).zeros(width);
    out.patch(out.size() - width, value(i), width);
  }
  return {code, kList, out.take()};
}

}  // namespace

std::vector<LogParameter> TapeDrive::Impl::volume_statistics() const {
  const auto number = [](std::uint16_t code, std::uint64_t value, std::size_t width) {
    return LogParameter::number(code, kList, value, width);
  };
  // 0000h: page valid. Zero without a cartridge, and then nothing else follows.
  if (load != Load::kReady) return {number(0x0000, 0, 1)};

  const MediumInfo& label = medium->info();
  const std::uint32_t partitions = medium->partition_count();
  std::uint64_t total = 0, used = 0;
  for (std::uint32_t i = 0; i < partitions; ++i) {
    total += capacity(i).maximum;
    used += capacity(i).used;
  }
  const auto text = [](std::uint16_t code, std::string_view value, std::size_t width) {
    return LogParameter::text(code, value, width);
  };
  const std::string personality =  // nine characters
      (label.generation < 10 ? "Ultrium-" : "Ultrium") + std::to_string(label.generation);
  // First encrypted object, and first one behind it that is not: none where nothing is, else
  // unknown.
  const auto encrypted = [this](std::uint32_t i) -> std::uint64_t {
    return medium->partition(i).end_of_data == 0 ? 0xFFFF'FFFF'FFFF : 0xFFFF'FFFF'FFFE;
  };
  return {
      number(0x0000, 1, 1),
      number(0x0001, label.load_count, 4),
      number(0x0002, data_sets(label.bytes_written_life), 8),
      // Recovered write errors; likewise below where a medium of files has none. Of errors before
      // this load nothing is kept.
      number(0x0003, 0, 4),
      number(0x0004, mount.write_errors, 2),
      number(0x0005, 0, 2),
      number(0x0006, 0, 2),
      number(0x0007, data_sets(label.bytes_read_life), 8),
      number(0x0008, 0, 4),
      number(0x0009, mount.read_errors, 2),
      number(0x000A, 0, 2),
      number(0x000B, 0, 2),
      number(0x000C, mount.write_errors, 2),
      number(0x000D, mount.read_errors, 2),
      number(0x000E, label.bytes_written_load / kDecimalMb, 4),
      number(0x000F, label.bytes_read_load / kDecimalMb, 4),
      number(0x0010, label.bytes_written_life / kDecimalMb, 8),
      number(0x0011, label.bytes_read_life / kDecimalMb, 8),
      number(0x0012, ratio_percent(mount.host_bytes_written, label.bytes_written_load), 2),
      number(0x0013, ratio_percent(mount.host_bytes_read, label.bytes_read_load), 2),
      number(0x0014, mount.took_ms, 6),
      number(0x0015, mount.took_ms, 6),
      number(0x0016, total / kDecimalMb, 4),
      number(0x0017, used / kDecimalMb, 4),
      number(0x0018, total / kDecimalMb, 4),
      number(0x0019, 100, 1),  // life remaining, %
      text(0x0040, label.serial, 32),
      text(0x0041, label.manufactured, 8),  // lot: what was made on that day
      text(0x0042, bar_code_of(label.barcode), 32),
      text(0x0043, "VTL", 8),
      text(0x0044, "LTO", 4),
      text(0x0045, personality, 9),
      number(0x0080, write_protected() ? 1 : 0, 1),
      number(0x0081, label.worm ? 1 : 0, 1),
      number(0x0082, 0, 1),  // too hot: never
      // Passes of the beginning of the medium and of its middle: one a load at least.
      number(0x0101, label.load_count, 4),
      number(0x0102, label.load_count, 4),
      partition_records(0x0200, partitions, 6, encrypted),
      partition_records(0x0201, partitions, 6, encrypted),
      partition_records(0x0202, partitions, 4,
                        [this](std::uint32_t i) { return capacity(i).maximum / kDecimalMb; }),
      partition_records(0x0203, partitions, 4,
                        [this](std::uint32_t i) { return capacity(i).used / kDecimalMb; }),
      partition_records(0x0204, partitions, 4,
                        [this](std::uint32_t i) { return capacity(i).remaining / kDecimalMb; }),
  };
}

}  // namespace scsi::ssc
