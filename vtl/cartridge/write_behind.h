// WriteBehind: the loop side of the asynchronous writer.
//
// Three counters say how far an object has come: appended (accepted; its GOOD may be out), written
// (in the file, readable), durable (survives power loss); appended >= written >= durable always.
// They count from the beginning of the partition.
//
// The queue is bounded in bytes. Above `queue_bytes` (high water) a writer is to wait until half of
// it (low water) is left. Nothing is accepted that is not backed by preallocated space, counted at
// the worst case - uncompressed, with headers and padding - so that running out of space is noticed
// at admission and never behind a GOOD.
//
// What is to be compressed or encrypted is so on a strand of its own, while the cartridge's strand
// writes what was before; the order of the objects stays. Data that does not shrink is soon only
// sampled for whether it would again, as real drives change their scheme: a block that was
// compressed, sent by an application that compresses itself, costs next to nothing.
//
// The first failed write or sync is final: what is queued is dropped and counted, the fault is told
// once, and nothing more is accepted until the cartridge is loaded again.
//
// Loop thread. One flush, barrier or begin at a time, and no append while one is outstanding.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "scsi/done.h"
#include "scsi/ssc/medium.h"
#include "vtl/cartridge/codec.h"
#include "vtl/cartridge/fault.h"
#include "vtl/cartridge/log_writer.h"
#include "vtl/cartridge/strand_job.h"

namespace vtl {

// A run of blocks of one length, or of filemarks.
struct Run {
  scsi::Buffer data;               // empty: filemarks
  std::uint32_t block_length = 0;  // 0: filemarks
  std::uint32_t count = 0;
  BlockForm form;  // but for the compression, which is the writer's

  bool is_filemarks() const { return block_length == 0; }
  // What a block, and all of them, may take as stored payload.
  std::uint64_t stored_length() const { return std::uint64_t{block_length} + form.overhead(); }
  std::uint64_t bytes() const { return is_filemarks() ? 0 : stored_length() * count; }
  scsi::Bytes block(std::size_t i) const {  // with its protection
    const std::size_t stride = form.stride(block_length);
    return data.view().subspan(i * stride, stride);
  }
};

class WriteBehind {
 public:
  enum class Admit {
    kAccepted,
    kFull,     // no room is prepared for it yet: when_room(), then again
    kNoSpace,  // the file system is full. As much of the run as fitted was accepted
    kFaulted,
  };
  struct Admission {
    Admit admit;
    std::uint32_t accepted;  // of run.count; the run is left untouched when 0
  };

  // `executor` runs the codec, and is asked for a strand only if there is something to compress or
  // to encrypt.
  WriteBehind(CartridgeStrand& strand, Executor& executor, Compression compression,
              RandomBytes random, std::size_t queue_bytes, std::uint32_t max_segment_objects);

  // Hears, after every job, what changed: used bytes, a fault, notes for the log.
  struct Progress {
    MaybeFault fault;
    bool latched = false;  // nothing more will be written
    std::uint64_t written = 0, durable = 0;
    std::uint64_t saved = 0;  // bytes that its blocks have shrunk by
    std::uint32_t partition_number = 0;
    scsi::ssc::PartitionInfo partition;  // as far as the strand has come
    std::uint32_t volume_change_reference = 0;
    bool pool_low = false;
    Dirty dirty;
    LogWriter::Room room;
    std::vector<std::string> notes;
  };
  std::function<void(const Progress&)> on_progress;

  // Writing starts at object `lba`; what follows it is discarded. A fault that is not latched may
  // be tried again.
  void begin(std::uint32_t partition, std::uint64_t lba, scsi::Done<MaybeFault> done);
  bool is_at(std::uint32_t partition, std::uint64_t lba) const {
    return active_ && partition_ == partition && appended_ == lba;
  }
  bool active() const { return active_; }
  // Before the partition is changed by other means; and what of it the strand has left to sync
  // then.
  void end() { active_ = false; }
  void changed(const Dirty& dirty) { strand_dirty_ = dirty; }
  // Such a change has failed for good, and was told to whoever asked for it.
  void refuse() { failed_ = true; }

  // For what is appended from now on.
  void set_compression(Compression compression) { compression_ = compression; }
  Admission append(Run& run);  // its data are taken when some of it is accepted
  bool above_high_water() const { return queued_bytes_ > queue_limit_; }
  // Once: when below low water and room has been prepared, or with a fault.
  void when_room(scsi::Callback callback);
  // All that was appended is written (flush) or durable (barrier), or why not.
  void flush(scsi::Done<MaybeFault> done) { finish(After::kFlush, std::move(done)); }
  void barrier(scsi::Done<MaybeFault> done) { finish(After::kSync, std::move(done)); }
  // Does not wait for a full batch any longer.
  void settle();

  std::uint64_t appended() const { return appended_; }
  std::uint64_t written() const { return written_; }
  std::uint64_t durable() const { return durable_; }
  std::uint64_t unwritten() const { return appended_ - written_; }
  std::uint64_t queued_bytes() const { return queued_bytes_; }
  // Stored bytes of the partition, counting what is queued at its worst case.
  std::uint64_t used_bytes() const { return used_bytes_; }
  Dirty dirty() const;
  std::uint32_t partition() const { return partition_; }
  bool pool_low() const { return pool_low_; }
  bool failed() const { return failed_; }
  // The latched fault, the first time that somebody asks after it happened.
  MaybeFault take_fault();

 private:
  enum class After { kNothing, kFlush, kSync };
  // A run on its way. With a codec strand, that strand's until `ready`.
  struct Coding {
    Run run;
    std::vector<CodedBlock> blocks;  // where a codec has been at work
    std::vector<std::byte> scratch;
    bool ready = true;
  };
  using CodingPtr = std::shared_ptr<Coding>;
  struct Batch {
    std::vector<CodingPtr> runs;
    After after = After::kNothing;
    Progress progress;
  };
  // Where the next object would go if nothing shrank.
  struct Place {
    std::uint64_t segment = 0, offset = 0, objects = 0;
  };
  bool place(Place& at, std::uint64_t cost, bool filemark) const;
  CodingPtr enqueue(Run&& run);
  bool worth_trying();
  void code(CodingPtr coding);
  static MaybeFault write(OpenCartridge& cartridge, const Coding& coding, std::uint64_t& saved);
  void pump();
  void submit_batch();
  void retire(CodingPtr coding);
  void provision(bool next, std::uint64_t need);
  void finish(After after, scsi::Done<MaybeFault> done);
  void progressed(Progress& progress);
  void resync();
  void fail(Fault fault, std::uint64_t end_of_data);
  void wake();
  static void capture(OpenCartridge& cartridge, std::uint32_t partition, Progress& progress);

  CartridgeStrand& strand_;
  const std::size_t queue_limit_;
  const std::uint32_t max_objects_;
  bool active_ = false;
  std::uint32_t partition_ = 0;
  std::uint64_t appended_ = 0, written_ = 0, durable_ = 0;
  std::uint64_t used_bytes_ = 0;
  bool pool_low_ = false;
  bool dirty_ = false;  // something may not be durable yet
  // As the strand last said; what was appended since is beyond it.
  Dirty strand_dirty_;
  std::uint64_t strand_end_ = 0, strand_used_ = 0;

  Executor& executor_;
  Compression compression_;
  const RandomBytes random_;
  std::optional<JobStrand> codec_;
  std::uint32_t unshrunk_ = 0;           // blocks in a row that were tried, and did not shrink
  std::uint32_t untried_ = 0;            // runs since the last that was tried
  std::vector<CodingPtr> idle_codings_;  // for reuse
  std::deque<CodingPtr> queue_;
  std::uint64_t ready_bytes_ = 0;    // of the runs at its front that are coded; payload
  std::uint64_t queued_bytes_ = 0;   // in the queue and in the batch under way
  std::uint64_t waiting_bytes_ = 0;  // in the queue only; payload
  std::uint64_t batch_bytes_ = 0;    // in the batch; payload
  std::uint64_t waiting_cost_ = 0;   // likewise, with headers and padding
  std::uint64_t waiting_objects_ = 0;
  std::shared_ptr<Batch> batch_;  // kept for reuse
  bool busy_ = false;             // a batch is under way
  bool settle_ = false;

  LogWriter::Room room_;
  Place place_;
  bool provisioning_ = false;
  bool no_space_ = false;    // the last attempt to prepare room failed
  bool wants_room_ = false;  // when_room waits for prepared space, not for the queue

  After after_ = After::kNothing;
  scsi::Done<MaybeFault> finished_;
  scsi::Callback room_waiter_;
  bool failed_ = false;
  MaybeFault fault_;  // not told yet
};

}  // namespace vtl
