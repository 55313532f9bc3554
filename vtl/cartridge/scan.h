// Reading a segment without its index: record by record from the front, as recovery and repair do
// (FORMAT.md, "Scan"). Strand side.
#pragma once

#include <cstdint>
#include <memory>

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
  // Bytes at `offset`: `want` of them, or as many as there are before the end; never more than
  // kMost. The view holds until the next call. Fewer than asked for with ok() false: the file could
  // not be read.
  static constexpr std::size_t kMost = 1u << 20;
  scsi::Bytes view(std::uint64_t offset, std::size_t want);
  bool ok() const { return ok_; }
  const IoError& error() const { return error_; }
  std::uint64_t size() const { return size_; }

 private:
  File& file_;
  std::uint64_t size_;
  Stage stage_;
  std::uint64_t start_ = 0;
  std::size_t filled_ = 0;
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
  std::uint64_t lost = 0;  // objects inside that cannot be read
};

Result<ScanResult> scan_segment(File& file, std::uint64_t size, const ScanRules& rules);

}  // namespace vtl
