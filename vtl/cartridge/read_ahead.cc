#include "vtl/cartridge/read_ahead.h"

#include <algorithm>
#include <utility>

namespace vtl {

namespace {
// After a LOCATE little is read at first: it may have been for one block.
constexpr std::size_t kFirstBytes = 512u << 10;
// Where the loop reads by itself: a common block and its header, one ahead. So little is still in
// this core's cache when it is sent.
constexpr std::size_t kBriefBytes = (256u << 10) + 4096;
}  // namespace

ReadAhead::ReadAhead(CartridgeStrand& strand, std::size_t bytes)
    : strand_(strand),
      depth_(std::max<std::size_t>(1, (bytes + Stage::kBytes - 1) / Stage::kBytes)),
      stages_(depth_ + 2),
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
  while (!ready_.empty() && next_ == ready_.front().objects.size()) {
    ready_.pop_front();
    next_ = 0;
  }
  fetch();
  return ready_.empty() ? nullptr : &ready_.front().objects[next_];
}

void ReadAhead::pass() {
  ++next_;
  ++lba_;
}

void ReadAhead::wait(scsi::Callback callback) {
  waiter_ = std::move(callback);
  fetch();
}

void ReadAhead::fetch() {
  const bool brief = strand_.does_brief_jobs();
  if (fetching_ || !aimed_ || ready_.size() >= (brief ? 1 : depth_) || cursor_.lba >= end_) return;
  fetching_ = true;
  Job& job = *job_;
  job.cursor = std::exchange(cursor_, {});
  cursor_.lba = end_;  // until the job brings it back
  job.stage = stages_.take();
  job.partition = partition_;
  job.end = end_;
  job.bytes = brief ? kBriefBytes : std::exchange(bytes_, std::min(bytes_ * 2, Stage::kBytes));
  job.life = life_;
  job.encryption = encryption_;
  const auto read = [](std::unique_ptr<OpenCartridge>& cartridge, Job& j) {
    read_chunk(cartridge->log(j.partition), j.cursor, j.end, j.stage, j.bytes, j.chunk,
               j.encryption.get());
  };
  const auto done = [this](Job& j) { fetched(j); };
  // To search, to decrypt and to unpack takes longer than to read.
  if (coded_ || !job_->cursor.placed)
    strand_.run(job_, read, done);
  else
    strand_.run_brief(job_, read, done);
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
