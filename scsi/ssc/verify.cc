// VERIFY(6) (SSC-4 6.x): a READ that sends nothing, a comparison with what the host sends, or a
// check of all blocks up to some filemark or to end of data.
#include <algorithm>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {
constexpr std::uint8_t kFixed = 0x01, kByteCompare = 0x02, kImmediate = 0x04, kByFilemarks = 0x08,
                       kToEnd = 0x20;
}  // namespace

void TapeDrive::Impl::verify(Task& task) {
  const std::uint8_t how = task.cdb(1);
  const bool immediate = (how & kImmediate) != 0;
  const auto refuse = [&task](std::uint8_t bit) { task.fail(Sense::invalid_field_in_cdb(1, bit)); };
  if ((how & kByteCompare) != 0 && immediate) return refuse(2);
  if ((how & (kByFilemarks | kToEnd)) != 0) {
    // Whatever length its blocks have, and nothing is sent along.
    if ((how & kFixed) != 0) return refuse(0);
    if ((how & kByteCompare) != 0) return refuse(1);
    if ((how & kByFilemarks) != 0 && (how & kToEnd) != 0) return refuse(5);
    if (const Outcome refused = locked_out(task.nexus())) return task.fail(*refused);
    verify_on(task, immediate, (how & kToEnd) != 0 ? 0 : task.cdb_field(2, 3), (how & kToEnd) != 0);
    return;
  }
  const std::optional<Transfer> transfer = transfer_of(task, how & kFixed);
  if (!transfer) return;
  if (transfer->count == 0) {
    task.good();
  } else if (const Outcome refused = locked_out(task.nexus())) {
    task.fail(*refused);
  } else if ((how & kByteCompare) != 0) {
    compare(task, *transfer);
  } else {
    leave_position();
    run(task, immediate, Background::kVerify, [this, transfer = *transfer](Done<Outcome> done) {
      medium->read(transfer.data_bytes(), transfer.count,
                   [this, transfer, done = std::move(done)](ReadOutcome outcome) mutable {
                     outcome.data.clear();
                     done(read_reply(transfer, std::move(outcome)).sense);
                   });
    });
  }
}

// --- BYTCMP = 1

void TapeDrive::Impl::compare(Task& task, const Transfer& transfer) {
  task.want(transfer.bytes(), Task::Shorter::kRefuse, [this, &task, transfer](Buffer expected) {
    leave_position();
    const Position start = medium->position();
    medium->set_handling(handling_of(task.nexus()));
    medium->read(
        transfer.data_bytes(), transfer.count,
        [this, &task, transfer, start, expected = std::move(expected)](ReadOutcome outcome) {
          const std::vector<std::byte> found = gather(outcome.data);
          const Bytes sent = expected.view();
          const std::size_t whole = std::size_t{outcome.blocks} * transfer.block_bytes;
          const auto differs =
              std::mismatch(found.begin(), found.begin() + std::ptrdiff_t(whole), sent.begin());
          const auto equal = static_cast<std::size_t>(differs.first - found.begin());
          outcome.data.clear();
          if (equal == whole) {
            Reply reply = read_reply(transfer, std::move(outcome));
            task.finish(std::move(reply));
            return;
          }
          const std::uint32_t verified = static_cast<std::uint32_t>(equal / transfer.block_bytes);
          Sense sense = Sense::make(SenseKey::kMiscompare, Asc::kMiscompareDuringVerify);
          sense.information = std::int64_t{transfer.length} - (transfer.fixed ? verified : 0);
          // The medium stands behind the block that is different.
          medium->locate_object(start.partition, start.object + verified + 1,
                                [this, &task, transfer, sense](const SpaceOutcome& located) {
                                  Reply reply;
                                  reply.status = SamStatus::kCheckCondition;
                                  reply.sense = located.fault ? fault(*located.fault) : sense;
                                  reply.required_length = transfer.bytes();
                                  task.finish(std::move(reply));
                                });
        });
  });
}

// --- VBF = 1, VTE = 1

// Reads may end inside the call that began them: then `step` goes round its loop, not deeper.
struct TapeDrive::Impl::Verification {
  std::uint64_t filemarks = 0;  // that are still to pass
  bool to_end = false;
  const Task* task = nullptr;  // while somebody waits for it
  NexusId nexus;
  Done<Outcome> done;
  bool reads = true;  // another block is to be read
  bool inside = false;
};

void TapeDrive::Impl::verify_on(Task& task, bool immediate, std::uint32_t filemarks, bool to_end) {
  if (filemarks == 0 && !to_end) {
    task.good();
    return;
  }
  leave_position();
  interrupted = false;
  auto verification = std::make_shared<Verification>();
  verification->filemarks = filemarks;
  verification->to_end = to_end;
  verification->nexus = task.nexus();
  if (!immediate) verification->task = &task;
  run(task, immediate, Background::kVerify, [this, verification](Done<Outcome> done) {
    verification->done = std::move(done);
    step(verification);
  });
}

void TapeDrive::Impl::step(const std::shared_ptr<Verification>& verification) {
  Verification& v = *verification;
  if (v.inside) return;
  v.inside = true;
  while (std::exchange(v.reads, false)) {
    medium->set_handling({Protection::kNone, Protection::kNone, encryption.in_use(v.nexus)});
    medium->read(options.max_block_bytes, 1, [this, verification](const ReadOutcome& outcome) {
      verified(verification, outcome);
    });
  }
  v.inside = false;
}

void TapeDrive::Impl::verified(const std::shared_ptr<Verification>& verification,
                               const ReadOutcome& outcome) {
  Verification& v = *verification;
  using Stop = ReadOutcome::Stop;
  std::optional<Sense> sense;
  bool ended = interrupted || (v.task != nullptr && v.task->aborted());
  if (outcome.stop == Stop::kFilemark && !v.to_end) {
    ended = --v.filemarks == 0 || ended;
  } else if (outcome.stop == Stop::kEndOfData) {
    ended = true;
    if (!v.to_end) sense = Sense::make(SenseKey::kBlankCheck, Asc::kEndOfDataDetected);
  } else if (outcome.stop == Stop::kFault) {
    ended = true;
    sense = fault(*outcome.fault);
  } else if (outcome.stop == Stop::kRefused) {
    ended = true;
    sense = sense_of(outcome.refusal);
  }
  if (sense && !v.to_end) sense->information = static_cast<std::int64_t>(v.filemarks);
  if (!ended) {
    v.reads = true;
    step(verification);
    return;
  }
  auto done = std::move(v.done);
  done(std::move(sense));
}

}  // namespace scsi::ssc
