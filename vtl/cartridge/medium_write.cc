// Writing: from the drive's call to the writer's queue, and back-pressure.
#include <fmt/format.h>

#include <algorithm>

#include "vtl/cartridge/cipher.h"
#include "vtl/cartridge/medium_impl.h"

namespace vtl {

using scsi::Buffer;
using scsi::Done;
using namespace scsi::ssc;  // NOLINT: this file is about nothing else

namespace {

// WRITE FILEMARKS may ask for millions; the queue takes them in runs.
constexpr std::uint64_t kFilemarkRun = 4096;

Fault refusal() {
  return make_fault(Fault::Kind::kWriteError,
                    "an earlier write failed; the cartridge has to be loaded again");
}

}  // namespace

void Medium::write(Buffer data, std::uint32_t block_length, WriteMode mode,
                   Done<WriteOutcome> done) {
  write_ = {};
  write_.form.protection = handling_.written;
  if (handling_.encryption && handling_.encryption->write != Encryption::Write::kDisable)
    write_.form.encryption = handling_.encryption;
  const std::size_t stride = write_.form.stride(block_length);
  VTL_CHECK(block_length != 0 && data.size() % stride == 0 && data.size() != 0);
  write_.count = data.size() / stride;
  write_.data = std::move(data);
  write_.block_length = block_length;
  write_.mode = mode;
  write_.done = std::move(done);
  if (write_.form.external() && !all_ciphertext()) {
    write_.outcome.refusal = CipherRefusal::kNotCiphertext;
    return end_write();
  }
  start_write();
}

// In external mode: each block is one that was sealed elsewhere.
bool Medium::all_ciphertext() const {
  const std::size_t stride = write_.form.stride(write_.block_length);
  for (std::size_t at = 0; at < write_.data.size(); at += stride)
    if (!parse_raw_block(write_.data.view().subspan(at, write_.block_length))) return false;
  return true;
}

void Medium::write_filemarks(std::uint32_t count, WriteMode mode, Done<WriteOutcome> done) {
  write_ = {};
  write_.count = count;
  write_.mode = mode;
  write_.done = std::move(done);
  if (count == 0 && !append_failed()) return finish_write();
  start_write();
}

void Medium::flush(WriteMode mode, Done<WriteOutcome> done) {
  auto finished = [this, done = std::move(done)](MaybeFault fault) mutable {
    WriteOutcome outcome;
    outcome.zone = zone();
    outcome.fault = std::move(fault);
    done(std::move(outcome));
  };
  if (mode == WriteMode::kDurable) return writer_->barrier(std::move(finished));
  writer_->flush(std::move(finished));
}

void Medium::erase(Done<WriteOutcome> done) {
  settled([this, done = std::move(done)](MaybeFault fault) mutable {
    if (!fault && append_failed()) fault = refusal();
    if (fault) return done(outcome_of(std::move(fault)));
    const std::uint64_t at_object = position_.object;
    writer_->end();
    strand_->run(
        std::make_shared<Facts>(),
        [at = position_](std::unique_ptr<OpenCartridge>& cartridge, Facts& facts) {
          facts.fault = cartridge->erase(at.partition, at.object);
          facts.failed = cartridge->append_failed();
          facts.take_from(*cartridge);
        },
        [this, at_object, done = std::move(done)](Facts& facts) mutable {
          learn(facts);
          writer_->changed(facts.dirty);
          stay_inside(position_.partition);
          if (options_.discarded) options_.discarded();
          if (facts.failed) {
            writer_->refuse();
            if (facts.fault) count_lost(*facts.fault, at_object);
          }
          done(outcome_of(std::move(facts.fault)));
        });
  });
}

void Medium::format(std::vector<std::uint64_t> capacities, Done<WriteOutcome> done) {
  settled(
      [this, capacities = std::move(capacities), done = std::move(done)](MaybeFault fault) mutable {
        if (!fault && append_failed()) fault = refusal();
        if (fault) return done(outcome_of(std::move(fault)));
        writer_->end();
        strand_->run(
            std::make_shared<Facts>(),
            [capacities = std::move(capacities)](std::unique_ptr<OpenCartridge>& cartridge,
                                                 Facts& facts) {
              facts.fault = cartridge->format(capacities);
              facts.failed = cartridge->append_failed();
              facts.take_from(*cartridge);
            },
            [this, done = std::move(done)](Facts& facts) mutable {
              if (!facts.fault) position_ = {};
              attributes_ = std::move(facts.attributes);
              learn(facts);
              writer_->changed(facts.dirty);
              if (facts.failed) writer_->refuse();
              if (options_.discarded) options_.discarded();
              done(outcome_of(std::move(facts.fault)));
            });
      });
}

void Medium::start_write() {
  reader_->drop();
  if (append_failed()) {
    write_.outcome.fault = refusal();
    return end_write();
  }
  stay_inside(position_.partition);
  if (writer_->is_at(position_.partition, position_.object)) return continue_write();
  const bool cuts = position_.object < partitions_[position_.partition].end_of_data;
  if (writer_->unwritten() == 0) return begin_write(cuts);
  writer_->flush([this, cuts](MaybeFault fault) {
    if (!fault) return begin_write(cuts);
    write_.outcome.fault = std::move(fault);
    end_write();
  });
}

void Medium::begin_write(bool cuts) {
  const std::uint64_t at = position_.object;
  writer_->begin(position_.partition, at, [this, cuts, at](MaybeFault fault) {
    if (fault) {
      if (append_failed()) count_lost(*fault, at);
      if (fault->kind == Fault::Kind::kNoSpace && !append_failed()) {
        alert(MediumAlert::Kind::kPoolFull,
              fmt::format("{}: the pool has no space left: {}", info_.barcode, fault->detail));
        write_.outcome.full = true;
      } else {
        write_.outcome.fault = std::move(fault);
      }
      return end_write();
    }
    if (cuts && options_.discarded) options_.discarded();
    continue_write();
  });
}

// What was accepted in front of `object` and is not on the medium. What followed was to go anyway:
// if nothing is lost, no space stays no space, also for ERASE - a host takes another tape and
// freezes none.
void Medium::count_lost(MediumFault& fault, std::uint64_t object) const {
  const std::uint64_t end = partitions_[position_.partition].end_of_data;
  fault.objects_lost = object - std::min(object, end);
  if (fault.objects_lost != 0) fault.kind = Fault::Kind::kWriteError;
}

// Blocks that still fit into the partition. Filemarks always do.
std::uint64_t Medium::fitting() const {
  const PartitionInfo& p = partitions_[position_.partition];
  const std::uint64_t left = p.capacity_bytes - std::min(p.capacity_bytes, p.used_bytes);
  return std::min(write_.count, left / (write_.block_length + write_.form.overhead()));
}

void Medium::continue_write() {
  while (write_.outcome.accepted < write_.count) {
    Run run;
    if (write_.block_length == 0) {
      run.count = static_cast<std::uint32_t>(
          std::min(write_.count - write_.outcome.accepted, kFilemarkRun));
    } else {
      const std::uint64_t fit = fitting();
      write_.outcome.full = fit < write_.count;
      if (fit == 0) break;
      run.count = static_cast<std::uint32_t>(fit);
      run.block_length = write_.block_length;
      run.form = write_.form;
      run.data = std::move(write_.data);
    }
    const std::uint32_t asked = run.count;
    const WriteBehind::Admission admission = writer_->append(run);
    using Admit = WriteBehind::Admit;
    if (admission.admit == Admit::kFaulted) break;
    if (admission.admit == Admit::kFull) {
      write_.data = std::move(run.data);
      return writer_->when_room([this] { continue_write(); });
    }
    accept(admission.accepted);
    if (admission.admit == Admit::kNoSpace) {
      alert(MediumAlert::Kind::kPoolFull,
            fmt::format("{}: the pool has no space left", info_.barcode));
      write_.outcome.full = true;
      break;
    }
    if (write_.block_length != 0) break;  // one run holds them all
    if (write_.outcome.accepted < write_.count && writer_->above_high_water())
      return writer_->when_room([this] { continue_write(); });
    VTL_CHECK(asked == admission.accepted);
  }
  finish_write();
}

void Medium::accept(std::uint32_t count) {
  PartitionInfo& p = partitions_[position_.partition];
  write_.outcome.accepted += count;
  position_.object += count;
  p.end_of_data = position_.object;
  if (write_.block_length == 0) {
    position_.filemarks += count;
    p.filemarks = position_.filemarks;
    return;
  }
  const std::uint64_t bytes = std::uint64_t{count} * write_.block_length;
  p.used_bytes = writer_->used_bytes();
  traffic_.bytes_written += bytes;
  info_.bytes_written_load += bytes;
  info_.bytes_written_life += bytes;
}

void Medium::finish_write() {
  if (append_failed()) {
    write_.outcome.fault = writer_->take_fault();
    if (!write_.outcome.fault) write_.outcome.fault = refusal();
    return end_write();
  }
  if (write_.mode == WriteMode::kDurable)
    return writer_->barrier([this](MaybeFault fault) {
      write_.outcome.fault = std::move(fault);
      end_write();
    });
  // A real drive with a full buffer makes the host wait; so does this one.
  if (writer_->above_high_water())
    return writer_->when_room([this] {
      if (append_failed()) write_.outcome.fault = writer_->take_fault();
      end_write();
    });
  end_write();
}

void Medium::end_write() {
  write_.outcome.zone = zone();
  write_.data = {};
  write_.form = {};
  auto done = std::move(write_.done);
  done(std::move(write_.outcome));
}

}  // namespace vtl
