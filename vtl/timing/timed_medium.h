// TimedMedium: a cartridge that takes the time of a real one. What is asked of it is done by the
// cartridge inside, at once; the answer is held back until TapeMotion says so. Faults are not held
// back.
//
// The drive's loop; life and rules are TapeMedium's.
#pragma once

#include <chrono>
#include <memory>

#include "scsi/ssc/medium.h"
#include "vtl/timing/tape_motion.h"

namespace vtl {

// The door to clock and timer.
class Alarm {
 public:
  virtual ~Alarm() = default;  // nothing is called any more
  virtual TapeMotion::TimePoint now() const = 0;
  // Once, never from inside this call; one at a time.
  virtual void at(TapeMotion::TimePoint when, scsi::Callback callback) = 0;
};

class TimedMedium final : public scsi::ssc::TapeMedium {
 public:
  TimedMedium(std::unique_ptr<TapeMedium> inside, const LtoTiming& timing,
              std::unique_ptr<Alarm> alarm);
  // The cartridge itself, when it leaves the drive.
  std::unique_ptr<TapeMedium> take() { return std::move(inside_); }

  const scsi::ssc::MediumInfo& info() const override { return inside_->info(); }
  void load(scsi::ssc::LoadRecord drive, scsi::Done<scsi::ssc::LoadOutcome> done) override;
  void unload(scsi::Done<scsi::ssc::WriteOutcome> done) override;
  // The share of the time that has passed.
  std::uint16_t progress() const override;

  std::uint32_t partition_count() const override { return inside_->partition_count(); }
  scsi::ssc::PartitionInfo partition(std::uint32_t i) const override {
    return inside_->partition(i);
  }
  scsi::ssc::Position position() const override { return inside_->position(); }
  void count_filemarks(scsi::Done<std::optional<scsi::ssc::MediumFault>> done) override {
    inside_->count_filemarks(std::move(done));
  }
  std::uint64_t position_bytes() const override { return inside_->position_bytes(); }
  std::uint64_t buffered_objects() const override { return inside_->buffered_objects(); }
  std::uint64_t buffered_bytes() const override { return inside_->buffered_bytes(); }
  std::optional<scsi::ssc::MediumFault> take_deferred_fault() override {
    return inside_->take_deferred_fault();
  }
  bool append_failed() const override { return inside_->append_failed(); }

  void set_handling(const scsi::ssc::BlockHandling& handling) override {
    inside_->set_handling(handling);
  }
  void next_block(scsi::Done<scsi::ssc::NextBlock> done) override {
    inside_->next_block(std::move(done));
  }
  void write(scsi::Buffer data, std::uint32_t block_length, scsi::ssc::WriteMode mode,
             scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void write_filemarks(std::uint32_t count, scsi::ssc::WriteMode mode,
                       scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void read(std::uint32_t block_length, std::uint32_t count,
            scsi::Done<scsi::ssc::ReadOutcome> done) override;
  void space(scsi::ssc::SpaceUnit unit, std::int64_t count,
             scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_object(std::uint32_t partition, std::uint64_t object,
                     scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_file(std::uint32_t partition, std::uint64_t file,
                   scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void locate_end_of_data(std::uint32_t partition,
                          scsi::Done<scsi::ssc::SpaceOutcome> done) override;
  void erase(scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void format(std::vector<std::uint64_t> capacities,
              scsi::Done<scsi::ssc::WriteOutcome> done) override;
  void set_compression(bool on) override { inside_->set_compression(on); }
  void flush(scsi::ssc::WriteMode mode, scsi::Done<scsi::ssc::WriteOutcome> done) override;

  std::vector<scsi::ssc::Attribute> host_attributes(std::uint32_t partition) const override {
    return inside_->host_attributes(partition);
  }
  void write_host_attributes(std::uint32_t partition, std::vector<scsi::ssc::Attribute> attributes,
                             scsi::Done<scsi::ssc::WriteOutcome> done) override {
    inside_->write_host_attributes(partition, std::move(attributes), std::move(done));
  }

 private:
  template <class Outcome>
  void answer(TapeMotion::TimePoint when, scsi::Done<Outcome> done, Outcome outcome);
  // `done` behind the way from where the tape is now to where it will be then.
  scsi::Done<scsi::ssc::SpaceOutcome> moved(scsi::Done<scsi::ssc::SpaceOutcome> done);
  scsi::Done<scsi::ssc::WriteOutcome> drained(scsi::Done<scsi::ssc::WriteOutcome> done);

  std::unique_ptr<TapeMedium> inside_;
  std::unique_ptr<Alarm> alarm_;
  TapeMotion motion_;
  // The answer that is held back: since when, until when; none: both are the same.
  TapeMotion::TimePoint held_since_{}, held_until_{};
};

}  // namespace vtl
