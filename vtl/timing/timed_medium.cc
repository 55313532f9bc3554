#include "vtl/timing/timed_medium.h"

#include <algorithm>
#include <utility>

namespace vtl {

using scsi::Done;
using namespace scsi::ssc;  // NOLINT: this file is about nothing else

TimedMedium::TimedMedium(std::unique_ptr<TapeMedium> inside, const LtoTiming& timing,
                         std::unique_ptr<Alarm> alarm)
    : inside_(std::move(inside)),
      alarm_(std::move(alarm)),
      motion_(timing, inside_->info().generation) {}

template <class Outcome>
void TimedMedium::answer(TapeMotion::TimePoint when, Done<Outcome> done, Outcome outcome) {
  if (outcome.fault || when <= alarm_->now()) return done(std::move(outcome));
  held_since_ = alarm_->now();
  held_until_ = when;
  alarm_->at(when, [this, done = std::move(done), outcome = std::move(outcome)]() mutable {
    held_until_ = held_since_;
    done(std::move(outcome));
  });
}

std::uint16_t TimedMedium::progress() const {
  if (held_until_ == held_since_) return inside_->progress();
  const std::chrono::duration<double> passed = alarm_->now() - held_since_,
                                      all = held_until_ - held_since_;
  return static_cast<std::uint16_t>(65535 * std::clamp(passed / all, 0.0, 1.0));
}

Done<SpaceOutcome> TimedMedium::moved(Done<SpaceOutcome> done) {
  return [this, from = inside_->position_bytes(),
          done = std::move(done)](SpaceOutcome outcome) mutable {
    answer(motion_.move(alarm_->now(), from, inside_->position_bytes()), std::move(done),
           std::move(outcome));
  };
}

Done<WriteOutcome> TimedMedium::drained(Done<WriteOutcome> done) {
  return [this, done = std::move(done)](WriteOutcome outcome) mutable {
    answer(motion_.drain(alarm_->now()), std::move(done), std::move(outcome));
  };
}

void TimedMedium::load(LoadRecord drive, Done<LoadOutcome> done) {
  inside_->load(std::move(drive), [this, done = std::move(done)](LoadOutcome outcome) mutable {
    answer(motion_.load(alarm_->now()), std::move(done), std::move(outcome));
  });
}

void TimedMedium::unload(Done<WriteOutcome> done) {
  inside_->unload([this, from = inside_->position_bytes(),
                   done = std::move(done)](WriteOutcome outcome) mutable {
    answer(motion_.unload(alarm_->now(), from), std::move(done), std::move(outcome));
  });
}

void TimedMedium::write(scsi::Buffer data, std::uint32_t block_length, WriteMode mode,
                        Done<WriteOutcome> done) {
  inside_->write(std::move(data), block_length, mode,
                 [this, block_length, mode, done = std::move(done)](WriteOutcome outcome) mutable {
                   const auto now = alarm_->now();
                   const auto room = motion_.write(now, outcome.accepted * block_length);
                   answer(mode == WriteMode::kDurable ? motion_.drain(now) : room, std::move(done),
                          std::move(outcome));
                 });
}

void TimedMedium::write_filemarks(std::uint32_t count, WriteMode mode, Done<WriteOutcome> done) {
  inside_->write_filemarks(
      count, mode, mode == WriteMode::kDurable ? drained(std::move(done)) : std::move(done));
}

void TimedMedium::read(std::uint32_t block_length, std::uint32_t count, Done<ReadOutcome> done) {
  inside_->read(block_length, count, [this, done = std::move(done)](ReadOutcome outcome) mutable {
    const auto now = alarm_->now();
    const auto due = motion_.read(motion_.drain(now), scsi::total_size(outcome.data));
    answer(due, std::move(done), std::move(outcome));
  });
}

void TimedMedium::space(SpaceUnit unit, std::int64_t count, Done<SpaceOutcome> done) {
  inside_->space(unit, count, moved(std::move(done)));
}

void TimedMedium::locate_object(std::uint32_t partition, std::uint64_t object,
                                Done<SpaceOutcome> done) {
  inside_->locate_object(partition, object, moved(std::move(done)));
}

void TimedMedium::locate_file(std::uint32_t partition, std::uint64_t file,
                              Done<SpaceOutcome> done) {
  inside_->locate_file(partition, file, moved(std::move(done)));
}

void TimedMedium::locate_end_of_data(std::uint32_t partition, Done<SpaceOutcome> done) {
  inside_->locate_end_of_data(partition, moved(std::move(done)));
}

void TimedMedium::erase(Done<WriteOutcome> done) { inside_->erase(drained(std::move(done))); }

void TimedMedium::format(std::vector<std::uint64_t> capacities, Done<WriteOutcome> done) {
  inside_->format(std::move(capacities), drained(std::move(done)));
}

void TimedMedium::flush(WriteMode mode, Done<WriteOutcome> done) {
  inside_->flush(mode, drained(std::move(done)));
}

}  // namespace vtl
