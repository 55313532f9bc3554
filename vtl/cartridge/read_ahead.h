// ReadAhead: the loop side of reading. Keeps a few chunks ready in front of where the drive reads,
// fetched by one job at a time; the blocks in them are handed out without being copied. Where the
// executor reads on the loop itself, nothing is gained by being ahead: what is asked for is read
// then, and sent while it is in this core's cache.
//
// Loop thread. Everything it holds is given up by drop(), and must be before anything is written.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "scsi/done.h"
#include "vtl/cartridge/log_reader.h"
#include "vtl/cartridge/stage.h"
#include "vtl/cartridge/strand_job.h"

namespace vtl {

class ReadAhead {
 public:
  ReadAhead(CartridgeStrand& strand, std::size_t bytes);

  // The next object is `lba`; `end` is end of data. Keeps what it has when it stands there already.
  void aim(std::uint32_t partition, std::uint64_t lba, std::uint64_t end);
  void drop();
  // By what is read from now on; null: nothing.
  void decrypt(std::shared_ptr<const scsi::ssc::Encryption> encryption);
  const std::shared_ptr<const scsi::ssc::Encryption>& encryption() const { return encryption_; }

  // The next object, once it is here; nullptr: wait(). Not at end of data.
  const ReadObject* peek();
  const ReadChunk& chunk() const { return ready_.front(); }
  bool at_chunk_start() const { return next_ == 0; }
  void pass();
  bool at_end() const { return lba_ >= end_; }
  // For the next object, or a few, of `wanted` that will be asked for at once. One at a time.
  void wait(std::uint32_t wanted, scsi::Callback callback);

 private:
  struct Job {
    ReadCursor cursor;
    ReadChunk chunk;
    StagePtr stage;
    std::uint32_t partition = 0;
    std::uint64_t end = 0;
    std::size_t bytes = 0;
    std::uint64_t life = 0;
    std::shared_ptr<const scsi::ssc::Encryption> encryption;
  };
  void fetch();
  std::size_t asked_bytes() const;
  void fetched(Job& job);

  CartridgeStrand& strand_;
  const std::size_t depth_;
  std::shared_ptr<Job> job_;  // kept for reuse
  std::shared_ptr<const scsi::ssc::Encryption> encryption_;
  bool aimed_ = false;
  std::uint32_t partition_ = 0;
  std::uint64_t lba_ = 0, end_ = 0;
  ReadCursor cursor_;
  std::deque<ReadChunk> ready_;
  std::size_t next_ = 0;  // in the first of them
  std::size_t bytes_ = 0;
  bool fetching_ = false;
  bool coded_ = false;      // the last chunk was
  std::uint64_t life_ = 0;  // counts drops: a job of an earlier life is nobody's
  scsi::Callback waiter_;
  std::uint32_t wanted_ = 0;  // by it
};

}  // namespace vtl
