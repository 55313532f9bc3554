// Reading a partition forward, a chunk at a time: bytes from disk into a stage, records found in it
// and their checksums verified. The blocks stay where they were read to; a chunk says where.
//
// What carries over from one chunk to the next travels in the cursor, so that between two calls the
// strand holds no stage. Strand side.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/bytes.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

struct ReadObject {
  enum class Kind : std::uint8_t { kBlock, kFilemark, kDamaged, kMissing } kind = Kind::kBlock;
  bool counts_as_filemark = false;
  std::uint32_t length = 0;
  std::uint32_t stored = 0;  // bytes of it on the medium
  // Where a block's bytes begin; they go on at the start of the next buffer where this one ends.
  std::uint32_t buffer = 0;
  std::uint32_t offset = 0;
};

struct ReadBuffer {
  std::shared_ptr<const void> owner;
  scsi::Bytes bytes;
};

struct ReadChunk {
  std::uint64_t first_lba = 0;
  std::optional<std::uint64_t>
      first_filemark;               // filemarks before first_lba, where a segment's start tells
  std::vector<ReadObject> objects;  // consecutive
  std::vector<ReadBuffer> buffers;
  std::string detail;  // about the damage in it, if there is any

  void clear() {
    first_filemark.reset();
    objects.clear();
    buffers.clear();
    detail.clear();
  }
};

struct ReadCursor {
  std::uint64_t lba = 0;  // the next object
  // Where it is, if that is known:
  bool placed = false;
  std::uint32_t seq = 0, epoch = 0;  // of the segment
  std::uint64_t offset = 0;          // of the object in the file
  std::uint64_t read_until = 0;      // file offset behind what was read; the rest is in `carry`
  std::vector<ReadBuffer> carry;     // begins with the object's first byte
  std::uint32_t one_by_one = 0;      // after a failed read: so many objects are read on their own
};

// Reads on from `cursor`, at most `bytes` (a multiple of 4096, at most a stage) and from the page
// cache at most 1 MiB, into `stage`; never past object `end_lba`. Chunks may be empty while a large
// block is being put together; the cursor advances all the same.
void read_chunk(PartitionLog& log, ReadCursor& cursor, std::uint64_t end_lba, StagePtr stage,
                std::size_t bytes, ReadChunk& chunk);

}  // namespace vtl
