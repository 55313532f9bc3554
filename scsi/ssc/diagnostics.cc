// What a drive says of itself and its cartridge beyond pages: a dump for READ BUFFER, REPORT
// IDENTIFYING INFORMATION, READ MEDIA SERIAL NUMBER.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {
constexpr std::size_t kDumpBytes = 4096;
}

// LTFS reads a dump after errors, on an IBM drive, and takes a refusal for another error. It is
// text: what state() and the counters say.
std::vector<std::byte> TapeDrive::Impl::dump() const {
  std::string text = options.identity.product + " " + options.identity.revision + " " +
                     options.identity.serial + "\n";
  const auto line = [&text](std::string_view name, std::uint64_t value) {
    text.append(name).append(": ").append(std::to_string(value)).append("\n");
  };
  line("load state", static_cast<std::uint64_t>(load));
  line("loads", loads);
  line("write errors", counters.write_errors);
  line("read errors", counters.read_errors);
  if (load == Load::kReady) {
    const Position at = medium->position();
    text += "cartridge: " + medium->info().barcode + "\n";
    line("partition", at.partition);
    line("object", at.object);
    line("filemarks", at.filemarks);
    line("buffered objects", medium->buffered_objects());
    line("append failed", medium->append_failed() ? 1 : 0);
  }
  return ByteBuilder().ascii(text, kDumpBytes).take();
}

// Nobody can set any, so there is none (SPC-4 6.28).
void TapeDrive::Impl::report_identifying_information(Task& task) {
  if ((task.cdb(10) & 0xFE) != 0) {
    task.fail(Sense::invalid_field_in_cdb(10, 7));
    return;
  }
  task.set_allocation_length(task.cdb_field(6, 4));
  task.good(ByteBuilder().zeros(4).take());
}

// SPC-4 6.15: a multiple of four bytes.
void TapeDrive::Impl::read_media_serial_number(Task& task) {
  const std::string& serial = medium->info().serial;
  ByteBuilder out;
  out.u32((serial.size() + 3) / 4 * 4).bytes(as_bytes(serial));
  out.zeros((4 - serial.size() % 4) % 4);
  task.set_allocation_length(task.cdb_field(6, 4));
  task.good(out.take());
}

}  // namespace scsi::ssc
