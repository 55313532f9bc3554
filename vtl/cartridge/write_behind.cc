#include "vtl/cartridge/write_behind.h"

#include <algorithm>

namespace vtl {

namespace {

// What a job takes at a time: enough to be worth waking a thread for, little enough that buffers
// come back soon.
constexpr std::uint64_t kBatchBytes = 1u << 20;
constexpr std::uint64_t kLargestBatch = 4u << 20;
// What is kept of codings for reuse.
constexpr std::size_t kIdleCodings = 32;
constexpr std::size_t kIdleScratch = 1u << 20;
// After so many blocks in a row that did not shrink, one run of so many is tried.
constexpr std::uint32_t kGiveUpAfter = 16;
constexpr std::uint32_t kTryEvery = 16;
// In the queue a filemark counts like a small block.
constexpr std::uint64_t kFilemarkBytes = 64;

std::uint64_t cost_of(const Run& run) {
  const std::uint64_t stored = run.is_filemarks() ? 0 : run.stored_length();
  return format::align_up(format::kRecordHeaderBytes + stored, format::kRecordAlign);
}
std::uint64_t queue_bytes_of(const Run& run) {
  return run.is_filemarks() ? run.count * kFilemarkBytes : run.bytes();
}

}  // namespace

WriteBehind::WriteBehind(CartridgeStrand& strand, Executor& executor, Compression compression,
                         RandomBytes random, std::size_t queue_bytes,
                         std::uint32_t max_segment_objects)
    : strand_(strand),
      queue_limit_(queue_bytes),
      max_objects_(max_segment_objects),
      executor_(executor),
      compression_(compression),
      random_(std::move(random)),
      batch_(std::make_shared<Batch>()) {}

// On the strand.
void WriteBehind::capture(OpenCartridge& cartridge, std::uint32_t partition, Progress& progress) {
  const LogWriter* writer = cartridge.writer();
  progress.latched = cartridge.append_failed();
  progress.partition_number = partition;
  progress.volume_change_reference = cartridge.cart().volume_change_reference;
  progress.partition = cartridge.partition_info(partition);
  if (writer != nullptr) {
    progress.written = writer->written();
    progress.durable = writer->durable();
    progress.pool_low = writer->pool_low();
    if (writer->attached()) progress.room = writer->room();
  }
  progress.dirty = cartridge.dirty();
  progress.notes = cartridge.take_notes();
}

// --- begin

void WriteBehind::begin(std::uint32_t partition, std::uint64_t lba, scsi::Done<MaybeFault> done) {
  VTL_CHECK(queue_.empty() && !busy_ && !finished_);
  active_ = false;
  finished_ = std::move(done);
  strand_.run(
      std::make_shared<Progress>(),
      [partition, lba](std::unique_ptr<OpenCartridge>& cartridge, Progress& progress) {
        progress.fault = cartridge->begin_append(partition, lba);
        capture(*cartridge, partition, progress);
      },
      [this, partition, lba](Progress& progress) {
        MaybeFault fault = std::exchange(progress.fault, std::nullopt);
        if (!fault) {
          active_ = true;
          partition_ = partition;
          appended_ = written_ = lba;
          durable_ = 0;
          no_space_ = false;
        }
        failed_ =
            failed_ || progress.latched;  // nothing was accepted: there is nothing to tell later
        strand_dirty_ = progress.dirty;
        if (active_)
          progressed(progress);
        else if (on_progress)
          on_progress(progress);
        auto finished = std::move(finished_);
        finished(std::move(fault));
      });
}

// --- admission

bool WriteBehind::place(Place& at, std::uint64_t cost, bool filemark) const {
  const std::uint64_t reserve = filemark ? kFilemarkReserveBytes : 0;
  const std::size_t here = static_cast<std::size_t>(at.segment - room_.segment);
  if (at.objects < max_objects_ && at.offset + cost <= room_.capacities[here] + reserve) {
    at.offset += cost;
    ++at.objects;
    return true;
  }
  if (here + 1 == room_.capacities.size() || format::kBlock + cost > room_.capacities[here + 1])
    return false;
  at = {at.segment + 1, format::kBlock + cost, 1};
  return true;
}

WriteBehind::Admission WriteBehind::append(Run& run) {
  VTL_CHECK(active_ && !finished_ && run.count != 0);
  if (failed_) return {Admit::kFaulted, 0};
  const std::uint64_t cost = cost_of(run);
  Place at = place_;
  std::uint32_t fitting = 0;
  while (fitting < run.count && place(at, cost, run.is_filemarks())) ++fitting;
  Admit admit = Admit::kAccepted;
  if (fitting < run.count) {
    if (!no_space_) {
      wants_room_ = true;
      const bool full = at.objects >= max_objects_ || at.offset + cost > room_.full_size;
      provision(full && at.segment - room_.segment + 1 == room_.capacities.size(), cost);
      return {Admit::kFull, 0};
    }
    // Asked for again by the next one: space may have come back.
    no_space_ = false;
    admit = Admit::kNoSpace;
    if (fitting == 0) return {admit, 0};
    run.count = fitting;
  }
  place_ = at;
  const std::uint64_t bytes = queue_bytes_of(run);
  queued_bytes_ += bytes;
  waiting_bytes_ += run.bytes();
  waiting_cost_ += cost * fitting;
  waiting_objects_ += fitting;
  used_bytes_ += run.bytes();
  appended_ += fitting;
  dirty_ = true;
  queue_.push_back(enqueue(std::move(run)));
  // The next step is prepared before it is needed.
  const std::size_t here = static_cast<std::size_t>(place_.segment - room_.segment);
  if (here + 1 == room_.capacities.size() &&
      place_.offset + room_.step / 2 > room_.capacities[here] && !pool_low_)
    provision(false, 0);
  pump();
  return {admit, fitting};
}

void WriteBehind::provision(bool next, std::uint64_t need) {
  if (provisioning_) return;
  provisioning_ = true;
  const std::uint32_t partition = partition_;
  strand_.run_brief(
      std::make_shared<Progress>(),
      [next, need, partition](std::unique_ptr<OpenCartridge>& cartridge, Progress& progress) {
        const LogWriter* writer = cartridge->writer();
        if (!cartridge->append_failed() && writer != nullptr && writer->attached())
          progress.fault = cartridge->provision(next, need);
        capture(*cartridge, partition, progress);
      },
      [this](Progress& progress) {
        provisioning_ = false;
        const bool out_of_space = progress.fault && progress.fault->kind == Fault::Kind::kNoSpace;
        no_space_ = wants_room_ && out_of_space;
        // A failed disk is told once: by the batch that is under way behind this, if there is one.
        if (out_of_space || busy_) progress.fault.reset();
        progressed(progress);
        if (std::exchange(wants_room_, false) || failed_) wake();
      });
}

void WriteBehind::when_room(scsi::Callback callback) {
  VTL_CHECK(!room_waiter_);
  room_waiter_ = std::move(callback);
  // A piece of room may be on its way for another reason; then it is asked for again.
  if (!provisioning_) wants_room_ = false;
  if (failed_ || (!wants_room_ && queued_bytes_ <= queue_limit_ / 2)) return wake();
  pump();
}

void WriteBehind::wake() {
  if (!room_waiter_) return;
  auto waiter = std::move(room_waiter_);
  waiter();
}

// --- batches

WriteBehind::CodingPtr WriteBehind::enqueue(Run&& run) {
  CodingPtr coding;
  if (idle_codings_.empty()) {
    coding = std::make_shared<Coding>();
  } else {
    coding = std::move(idle_codings_.back());
    idle_codings_.pop_back();
  }
  coding->run = std::move(run);
  BlockForm& form = coding->run.form;
  if (!form.external() && !coding->run.is_filemarks() && worth_trying())
    form.compression = compression_;
  coding->ready =
      coding->run.is_filemarks() || (form.compression == Compression::kNone && !form.encrypts());
  if (coding->ready)
    ready_bytes_ += coding->run.bytes();
  else
    code(coding);
  return coding;
}

bool WriteBehind::worth_trying() {
  if (unshrunk_ < kGiveUpAfter) return true;
  untried_ = (untried_ + 1) % kTryEvery;
  return untried_ == 0;
}

void WriteBehind::code(CodingPtr coding) {
  if (!codec_) codec_.emplace(executor_, "codec");
  codec_->run(
      std::move(coding),
      [random = random_](Coding& c) {
        const std::size_t length = static_cast<std::size_t>(c.run.stored_length());
        c.scratch.resize(c.run.bytes());
        for (std::uint32_t i = 0; i < c.run.count; ++i)
          c.blocks.push_back(code_block(c.run.form, c.run.block(i),
                                        scsi::MutableBytes(c.scratch).subspan(i * length, length),
                                        random));
      },
      [this](Coding& c) {
        if (failed_) return;  // it is not waited for any more
        c.ready = true;
        if (c.run.form.compression != Compression::kNone)
          for (const CodedBlock& block : c.blocks)
            unshrunk_ = block.compression == Compression::kNone ? unshrunk_ + 1 : 0;
        ready_bytes_ += c.run.bytes();
        pump();
      });
}

// On the cartridge's strand.
MaybeFault WriteBehind::write(OpenCartridge& cartridge, const Coding& coding,
                              std::uint64_t& saved) {
  const Run& run = coding.run;
  MaybeFault fault;
  for (std::uint32_t i = 0; i < run.count && !fault; ++i) {
    if (run.is_filemarks()) {
      fault = cartridge.append_filemark();
    } else if (!coding.blocks.empty()) {
      saved += run.block_length - coding.blocks[i].payload.size();
      fault = cartridge.append_block(coding.blocks[i]);
    } else {
      fault = cartridge.append_block(code_block(run.form, run.block(i), {}, {}));
    }
  }
  return fault;
}

void WriteBehind::pump() {
  if (busy_ || failed_) return;
  if (queue_.empty() ? after_ == After::kNothing : !queue_.front()->ready) return;
  const bool full = ready_bytes_ >= kBatchBytes || queued_bytes_ > queue_limit_;
  const bool waited_for = after_ != After::kNothing || (room_waiter_ && !wants_room_);
  if (full || settle_ || waited_for || strand_.does_brief_jobs()) submit_batch();
}

void WriteBehind::settle() {
  if (!active_ || queue_.empty()) return;
  settle_ = true;
  pump();
}

void WriteBehind::submit_batch() {
  busy_ = true;
  Batch& batch = *batch_;
  std::uint64_t bytes = 0;
  batch_bytes_ = 0;
  while (!queue_.empty() && queue_.front()->ready && bytes < kLargestBatch) {
    const Run& run = queue_.front()->run;
    bytes += queue_bytes_of(run);
    waiting_bytes_ -= run.bytes();
    ready_bytes_ -= run.bytes();
    batch_bytes_ += run.bytes();
    waiting_cost_ -= cost_of(run) * run.count;
    waiting_objects_ -= run.count;
    batch.runs.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  batch.after = queue_.empty() ? after_ : After::kNothing;
  const std::uint32_t partition = partition_;
  strand_.run_brief(
      batch_,
      [partition](std::unique_ptr<OpenCartridge>& cartridge, Batch& b) {
        for (const CodingPtr& coding : b.runs)
          if (!b.progress.fault) b.progress.fault = write(*cartridge, *coding, b.progress.saved);
        if (!b.progress.fault && b.after == After::kFlush) b.progress.fault = cartridge->flush();
        if (!b.progress.fault && b.after == After::kSync) b.progress.fault = cartridge->sync();
        capture(*cartridge, partition, b.progress);
      },
      [this](Batch& b) {
        busy_ = false;
        for (CodingPtr& coding : b.runs) retire(std::move(coding));
        b.runs.clear();
        Progress progress = std::exchange(b.progress, {});
        const bool finished = b.after != After::kNothing && !progress.fault;
        progressed(progress);
        if (finished && b.after == After::kSync) dirty_ = false;
        if (finished && after_ == b.after) {
          after_ = After::kNothing;
          auto done = std::move(finished_);
          if (done) done(std::nullopt);
          return;
        }
        if (queue_.empty()) settle_ = false;
        if (room_waiter_ && !wants_room_ && queued_bytes_ <= queue_limit_ / 2) wake();
        pump();
      });
}

void WriteBehind::retire(CodingPtr coding) {
  queued_bytes_ -= queue_bytes_of(coding->run);
  coding->run = {};
  coding->blocks.clear();
  if (idle_codings_.size() < kIdleCodings && coding->scratch.size() <= kIdleScratch)
    idle_codings_.push_back(std::move(coding));
}

void WriteBehind::finish(After after, scsi::Done<MaybeFault> done) {
  VTL_CHECK(!finished_);
  if (failed_) return done(take_fault());
  if (after == After::kFlush ? !active_ || (appended_ == written_ && !busy_) : !dirty_)
    return done(std::nullopt);
  after_ = after;
  finished_ = std::move(done);
  pump();
}

// --- results

void WriteBehind::progressed(Progress& progress) {
  written_ = std::max(written_, progress.written);
  durable_ = std::max(durable_, progress.durable);
  pool_low_ = progress.pool_low;
  strand_dirty_ = progress.dirty;
  strand_end_ = progress.partition.end_of_data;
  strand_used_ = progress.partition.used_bytes;
  // A batch that is still under way was handed over after what this tells of.
  used_bytes_ = progress.partition.used_bytes + waiting_bytes_ + (busy_ ? batch_bytes_ : 0);
  if (!progress.room.capacities.empty()) {
    room_ = std::move(progress.room);
    resync();
  }
  if (progress.fault) {
    Fault fault = *progress.fault;
    fail(std::move(fault), progress.partition.end_of_data);
    progress.latched = true;
  }
  if (on_progress) on_progress(progress);
  if (progress.fault) {
    // A command that waits for this very write is told now; otherwise the next one is.
    if (finished_) {
      auto done = std::move(finished_);
      done(take_fault());
    } else {
      wake();
    }
  }
}

// The strand is where it is; what waits behind it takes at most its worst case. Only if that might
// not fit into the segment, the older and more cautious estimate stays.
void WriteBehind::resync() {
  const bool fits = room_.offset + waiting_cost_ <= room_.capacities[0] &&
                    room_.objects + waiting_objects_ <= max_objects_;
  if (queue_.empty() && !busy_) {
    place_ = {room_.segment, room_.offset, room_.objects};
  } else if (fits && !busy_) {
    place_ = {room_.segment, room_.offset + waiting_cost_, room_.objects + waiting_objects_};
  }
  VTL_CHECK(place_.segment >= room_.segment);  // what was promised is never less than what was used
}

void WriteBehind::fail(Fault fault, std::uint64_t end_of_data) {
  failed_ = true;
  fault.objects_lost = appended_ - std::min(appended_, end_of_data);
  // What was accepted had its space: whatever it was lost for, the host has to hear of a write
  // error.
  if (fault.objects_lost != 0) fault.kind = Fault::Kind::kWriteError;
  fault_ = std::move(fault);
  queue_.clear();
  queued_bytes_ = waiting_bytes_ = ready_bytes_ = waiting_cost_ = waiting_objects_ = 0;
  after_ = After::kNothing;
  appended_ = written_ = end_of_data;
  durable_ = std::min(durable_, end_of_data);
}

Dirty WriteBehind::dirty() const {
  Dirty dirty = strand_dirty_;
  if (!active_) return dirty;
  dirty.objects += appended_ - std::min(appended_, strand_end_);
  dirty.bytes += used_bytes_ - std::min(used_bytes_, strand_used_);
  return dirty;
}

MaybeFault WriteBehind::take_fault() { return std::exchange(fault_, std::nullopt); }

}  // namespace vtl
