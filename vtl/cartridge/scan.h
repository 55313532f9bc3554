// Reading a segment without its index: record by record from the front, as recovery and repair do
// (FORMAT.md, "Scan"). Strand side.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "scsi/bytes.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

// A window that slides over a file; every read is aligned, so it works with and without O_DIRECT.
class AlignedReader {
 public:
  AlignedReader(File& file, std::uint64_t size) : file_(file), size_(size) {}
  // Blocks that cannot be read are zeros from now on, up to kMostPatched of them.
  void patch() { patches_ = true; }
  std::uint64_t patched_until() const { return patched_until_; }  // behind the last; 0: none
  // Bytes at `offset`: `want` of them, or as many as there are before the end; never more than
  // kMost. The view holds until the next call. Fewer than asked for with ok() false: the file could
  // not be read.
  static constexpr std::size_t kMost = 1u << 20;
  scsi::Bytes view(std::uint64_t offset, std::size_t want);
  bool ok() const { return ok_; }
  const IoError& error() const { return error_; }  // also of the last block that was patched
  std::uint64_t size() const { return size_; }

 private:
  static constexpr std::size_t kMostPatched = 64;
  bool fill(std::size_t length);
  File& file_;
  std::uint64_t size_;
  Stage stage_;
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
  bool patches_ = false;
  std::uint64_t patched_until_ = 0;
  std::size_t patched_ = 0;
  bool ok_ = true;
  IoError error_;
};

struct ScanRules {
  std::uint32_t salt = 0;
  std::uint64_t first_lba = 0;
  std::uint64_t first_filemark = 0;
  std::uint32_t min_epoch = 0;
  // Records from cut_lba on with a smaller epoch do not exist.
  std::uint32_t cut_epoch = 0;
  std::uint64_t cut_lba = 0;
  // How many objects there must be, where that is known: then damage never ends the scan early.
  std::uint64_t expected_count = 0;
  // CART says that all objects below were durable once: such a one is damaged, never torn.
  std::uint64_t durable_lba = 0;
};

struct ScanResult {
  SegmentIndex index;
  std::uint64_t data_end = format::kBlock;  // behind the last record
  std::uint32_t last_epoch = 0;
  std::uint64_t payload = 0;
  std::uint64_t lost = 0;         // objects inside that cannot be read
  std::uint64_t durable_lba = 0;  // objects below were durable when the last one was written
  // The disk did not show all of it, and what it did not show might be, or hold, an object.
  std::optional<IoError> unreadable;
  bool end_unreadable = false;  // there may be more objects behind the last
};

// The first record of the segment with that salt, wherever it is; nothing: there is none.
struct FoundRecord {
  format::RecordHeader header;
  std::uint64_t offset = 0;
};
Result<std::optional<FoundRecord>> find_record(File& file, std::uint64_t size, std::uint32_t salt);

Result<ScanResult> scan_segment(File& file, std::uint64_t size, const ScanRules& rules);

}  // namespace vtl
