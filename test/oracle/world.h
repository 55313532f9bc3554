// The drive itself, on cartridges in memory, beside the oracle: each step is done to both.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "scsi/ssc/tape_drive.h"
#include "test/oracle/oracle.h"
#include "test/unit/ssc/memory_medium.h"

namespace oracle {

// How often each command ended in which way.
struct Counts {
  std::map<std::uint64_t, std::uint64_t> ends;
  std::uint64_t commands = 0, events = 0;
  void add(const Counts& other);
  std::string text() const;
};

class World : private scsi::ReplySink {
 public:
  explicit World(std::uint64_t seed);
  const Oracle& oracle() const { return *oracle_; }
  // What is wrong, or nothing.
  std::string step(const Step& step, Counts& counts);

 private:
  struct End {
    std::uint8_t status = 0xFF;
    std::uint8_t key = 0;
    std::uint16_t asc = 0;
    bool filemark = false, end_of_medium = false, incorrect_length = false;
    std::optional<std::int64_t> information;
    scsi::SliceList data;
    scsi::Residual residual;
    std::uint32_t taken = 0;
    bool sensed = false;
    std::string text() const;
  };
  void want(scsi::NexusId nexus, scsi::TaskTag tag, std::uint32_t length) override;
  void complete(scsi::NexusId nexus, scsi::TaskTag tag, scsi::Reply reply,
                scsi::Residual residual) override;
  void aborted(scsi::NexusId nexus, scsi::TaskTag tag) override;

  void make_drive();
  Machine learn();
  void send(const Step& step);
  Data ask(std::initializer_list<std::uint8_t> cdb);
  std::string event(const Step& step);
  std::string differs(const Step& step, const Expect& expect) const;
  std::string wrong_data(const Expect& expect) const;
  std::string wrong_residual(const Step& step, const Expect& expect) const;
  std::string wrong_state();
  scsi::NexusId nexus(unsigned port) const { return {port + 1, sessions_[port]}; }

  std::uint8_t generation_ = 8;
  std::uint32_t max_block_ = 4096;
  Machine machine_;
  std::vector<std::unique_ptr<scsi::ssc::MemoryMedium>> shelf_;
  scsi::ssc::MemoryMedium* inside_ = nullptr;
  std::unique_ptr<scsi::ssc::TapeDrive> drive_;
  std::unique_ptr<Oracle> oracle_;
  std::array<std::uint32_t, kPorts> sessions_{};
  scsi::TaskTag tag_ = 0;
  const Step* running_ = nullptr;
  End end_;
};

}  // namespace oracle
