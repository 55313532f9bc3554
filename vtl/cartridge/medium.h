// CartridgeMedium: a cartridge in a drive. The loop side of the store: it queues, hands blocking
// work to one strand per loaded cartridge, and tells the drive facts.
//
// Lives on the drive's loop. Writes go through WriteBehind; reads are slices of read-ahead buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "scsi/ssc/medium.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/dirty.h"
#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"
#include "vtl/cartridge/io_mode.h"

namespace vtl {

// What deserves a person's attention, or does not any longer.
struct MediumAlert {
  enum class Kind {
    kLoaded,      // it could be: what an earlier load failed at is over. No text
    kLoadFailed,  // it stays unloaded
    kNote,  // found on the way: damage that was repaired or set aside, a label that is damaged
    kReadFailed,
    kWriteFailed,  // what was accepted last is lost; nothing more is written until the next load
    kPoolLow,      // of free space
    kPoolFull,     // nothing more is accepted
  } kind = Kind::kNote;
  std::string barcode;
  std::string text;  // for people; names the cartridge
};

struct MediumOptions {
  std::size_t queue_bytes = 32u << 20;  // accepted and not yet written; GOOD is withheld above it
  std::size_t read_ahead_bytes = 8u << 20;  // rounded up to 4 MiB
  IoMode io_mode = IoMode::kAuto;
  Compression compression = Compression::kNone;
  std::uint32_t max_segment_objects = format::kMaxSegmentObjects;  // fewer: shorter segments
  // Free space of the pool below which every write reports early warning. 0: min(max(5 %, 20 GiB),
  // 10 %).
  std::uint64_t low_water_bytes = 0;
  // Free space below which nothing more is accepted: footers, filemarks and labels need it.
  std::uint64_t hard_water_bytes = 64u << 20;
  std::function<std::uint64_t()> now_ns;  // unix time; called on strands, so from any thread
  std::function<void(const MediumAlert&)> alert;  // on the loop
  // Something was overwritten and lies in the trash. On the loop.
  std::function<void()> discarded;
};

class CartridgeMedium : public scsi::ssc::TapeMedium {
 public:
  // Writes out what is waiting for a full batch. For a timer, a few times a second; costs nothing
  // when idle.
  virtual void settle() = 0;
  // Accepted and not durable: what a power failure would take. Nothing while it is not loaded.
  virtual Dirty dirty() const = 0;
};

// Does no I/O: what is on the label comes in with the summary. `files` and `executor` must outlive
// it.
std::unique_ptr<CartridgeMedium> make_medium(FileSystem& files, Executor& executor,
                                             const CartridgeSummary& summary,
                                             MediumOptions options);

}  // namespace vtl
