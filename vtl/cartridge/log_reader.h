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
#include "scsi/ssc/medium.h"
#include "vtl/cartridge/index.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

struct ReadObject {
  enum class Kind : std::uint8_t {
    kBlock,
    kFilemark,
    kDamaged,
    kMissing,
    kRefused,  // a sound block that the parameters of encryption keep from being read
  } kind = Kind::kBlock;
  scsi::ssc::CipherRefusal refusal = scsi::ssc::CipherRefusal::kNone;
  bool counts_as_filemark = false;
  std::uint32_t length = 0;
  std::uint32_t stored = 0;  // bytes of it on the medium
  // Where a block's bytes begin; they go on at the start of the next buffer where this one ends.
  std::uint32_t buffer = 0;
  std::uint32_t offset = 0;
  std::uint32_t crc = 0;                      // CRC32C of the block
  std::optional<std::uint32_t> reed_solomon;  // likewise, where the host has written it
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
  bool coded = false;  // there are blocks in it that had to be decrypted or unpacked

  void clear() {
    first_filemark.reset();
    objects.clear();
    buffers.clear();
    detail.clear();
    coded = false;
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
  // What is missing of the record in `carry`; where none has begun there, the last one's size: so
  // much is likely to be the next one, and no more. 0: not known.
  std::uint64_t record_bytes = 0;
  bool whole = false;  // `carry` may have whole records: nothing need be read for the next one
  std::uint32_t one_by_one = 0;  // after a failed read: so many objects are read on their own
};

// Reads on from `cursor`, at most `bytes` (at most a stage; with O_DIRECT rounded up to pages)
// and from the page cache at most 1 MiB and a page, into `stage`; never past object `end_lba`.
// Chunks may be empty while a large block is being put together; the cursor advances all the same.
// `encryption` decrypts, or gives blocks as they are; nullptr: what is encrypted is refused.
void read_chunk(PartitionLog& log, ReadCursor& cursor, std::uint64_t end_lba, StagePtr stage,
                std::size_t bytes, ReadChunk& chunk,
                const scsi::ssc::Encryption* encryption = nullptr);

// What is at `lba`, which is below end of data, as its record's header tells it.
scsi::ssc::NextBlock look_at(PartitionLog& log, std::uint64_t lba,
                             const scsi::ssc::Encryption* encryption);

}  // namespace vtl
