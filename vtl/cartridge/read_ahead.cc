#include "vtl/cartridge/read_ahead.h"

#include <algorithm>
#include <utility>

namespace vtl {

namespace {
// After a LOCATE little is read at first: it may have been for one block.
constexpr std::size_t kFirstBytes = 512u << 10;
// Where the loop reads by itself and does not know yet how large blocks are: a common one and its
// header. Small ones are read together.
constexpr std::size_t kCommonBytes = (256u << 10) + 4096;
constexpr std::size_t kTogetherBytes = 64u << 10;
}  // namespace

ReadAhead::ReadAhead(CartridgeStrand& strand, std::size_t bytes)
    : strand_(strand),
      depth_(std::max<std::size_t>(1, (bytes + Stage::kBytes - 1) / Stage::kBytes)),
      job_(std::make_shared<Job>()) {}

void ReadAhead::aim(std::uint32_t partition, std::uint64_t lba, std::uint64_t end) {
  if (aimed_ && partition_ == partition && lba_ == lba && end_ == end) return;
  drop();
  aimed_ = true;
  partition_ = partition;
  lba_ = lba;
  end_ = end;
  cursor_ = {};
  cursor_.lba = lba;
  bytes_ = kFirstBytes;
}

void ReadAhead::drop() {
  ++life_;
  aimed_ = false;
  ready_.clear();
  next_ = 0;
  cursor_ = {};
}

void ReadAhead::decrypt(std::shared_ptr<const scsi::ssc::Encryption> encryption) {
  drop();
  encryption_ = std::move(encryption);
}

const ReadObject* ReadAhead::peek() {
  fetch();
  return ready_.empty() ? nullptr : &ready_.front().objects[next_];
}

// A chunk goes with its last object: its memory is wanted for the next one.
void ReadAhead::pass() {
  ++lba_;
  if (++next_ < ready_.front().objects.size()) return;
  ready_.pop_front();
  next_ = 0;
}

void ReadAhead::wait(std::uint32_t wanted, scsi::Callback callback) {
  wanted_ = wanted;
  waiter_ = std::move(callback);
  fetch();
}

void ReadAhead::fetch() {
  // To decrypt and to unpack takes longer than to read.
  const bool here = strand_.does_brief_jobs() && !coded_;
  const bool due = here ? waiter_ && ready_.empty() : ready_.size() < depth_;
  if (fetching_ || !aimed_ || !due || cursor_.lba >= end_) return;
  const std::size_t asked = here ? asked_bytes() : 0;
  fetching_ = true;
  Job& job = *job_;
  job.cursor = std::exchange(cursor_, {});
  cursor_.lba = end_;  // until the job brings it back
  job.stage = strand_.stages().take();
  job.partition = partition_;
  job.end = end_;
  job.bytes = here ? asked : std::exchange(bytes_, std::min(bytes_ * 2, Stage::kBytes));
  job.life = life_;
  job.encryption = encryption_;
  const auto read = [](std::unique_ptr<OpenCartridge>& cartridge, Job& j) {
    read_chunk(cartridge->log(j.partition), j.cursor, j.end, j.stage, j.bytes, j.chunk,
               j.encryption.get());
  };
  const auto done = [this](Job& j) { fetched(j); };
  // And to search.
  if (here && job.cursor.placed)
    strand_.run_brief(job_, read, done);
  else
    strand_.run(job_, read, done);
}

std::size_t ReadAhead::asked_bytes() const {
  const std::uint64_t record = cursor_.record_bytes;
  if (record == 0) return kCommonBytes;
  const std::uint64_t records = std::max<std::uint64_t>(wanted_, kTogetherBytes / record);
  return static_cast<std::size_t>(std::min<std::uint64_t>(record * records, Stage::kBytes));
}

void ReadAhead::fetched(Job& job) {
  fetching_ = false;
  job.stage.reset();
  job.encryption.reset();
  ReadCursor cursor = std::exchange(job.cursor, {});
  ReadChunk chunk = std::exchange(job.chunk, {});
  coded_ = chunk.coded;
  if (job.life == life_) {
    cursor_ = std::move(cursor);
    if (!chunk.objects.empty()) ready_.push_back(std::move(chunk));
  }
  fetch();
  if (waiter_ && !ready_.empty()) {
    auto waiter = std::move(waiter_);
    waiter();
  }
}

}  // namespace vtl
