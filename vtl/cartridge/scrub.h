// CartridgeScrub: reads the files of a cartridge that nobody works on and checks them against their
// checksums, a little at a time: the label, the host attributes, and of every sealed segment
// header, data, index and trailer, and that none is missing.
//
// Only a cartridge that was unloaded in order can be read so. It takes no lock, changes nothing,
// and recovers nothing: whoever wants the cartridge just takes it, stops the scrub, and what was
// read in between counts for nothing. It finds which segment is damaged; verify_cartridge() finds
// which blocks.
//
// Blocks; one strand.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/file.h"
#include "vtl/cartridge/format.h"

namespace vtl {

class AlignedReader;

struct ScrubReport {
  std::uint64_t segments = 0;
  std::uint64_t bytes = 0;
  std::vector<Damage> damage;
  std::string error;  // it could not be scrubbed: gone, not unloaded in order, of a newer format
};

// How far a scrub has come, so that another may go on from there.
struct ScrubState {
  std::string uuid;
  std::uint32_t change = 0;     // the label's volume change reference: what was written when
  std::uint32_t partition = 0;  // segments from here on are still to be read
  std::uint32_t seq = 0;
  ScrubReport report;
};

class CartridgeScrub {
 public:
  // Goes on from `from`, unless the cartridge has been written to since then. Io::kDirect where the
  // file system can; otherwise pages that were read are given back.
  CartridgeScrub(FileSystem& files, std::string dir, FileSystem::Io io, ScrubState from = {});
  ~CartridgeScrub();
  CartridgeScrub(const CartridgeScrub&) = delete;
  CartridgeScrub& operator=(const CartridgeScrub&) = delete;

  // Reads `bytes` more, or a little beyond; returns when `stop` is set, too. False: it is at the
  // end.
  bool step(std::uint64_t bytes, const std::atomic<bool>& stop);
  const ScrubState& state() const { return state_; }

 private:
  // A stretch of a segment with a checksum of its own.
  struct Region {
    std::uint64_t end = 0;
    std::uint32_t crc = 0;
    std::uint64_t objects = 0;  // that are in it
    const char* what = "";
  };
  bool begin();
  void begin_partition();
  bool open_next();
  void open_segment(const std::string& name, const format::SegmentName& parsed);
  void expect(std::uint64_t first_lba);
  void read_some();
  void end_segment();
  void end_partition();
  std::string path(const std::string& name) const;
  void damaged(std::uint64_t first, std::uint64_t objects, std::string what);

  FileSystem& files_;
  const std::string dir_;
  FileSystem::Io io_;
  ScrubState state_;
  format::Cart cart_;
  bool begun_ = false;
  bool at_end_ = false;

  std::optional<std::vector<std::string>> names_;  // of this partition's segments, still to come
  std::optional<std::uint64_t> next_lba_;          // the next segment's first object, where known

  std::string name_;  // of the segment that is being read
  std::unique_ptr<File> file_;
  std::unique_ptr<AlignedReader> reader_;
  format::Trailer trailer_;
  std::vector<Region> regions_;
  std::size_t region_ = 0;
  std::uint64_t offset_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace vtl
