// What a tape may be, as far as its host can know: every state that fits all the answers so far.
//
// Usually that is one. A command that was never answered, or a crash, makes it several; the answers
// that follow narrow them down again, and an answer that fits none of them is a broken promise.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "test/sim/initiator.h"

namespace sim {

struct Entry {
  std::uint32_t length = 0;  // 0: a filemark
  std::uint32_t crc = 0;
  auto operator<=>(const Entry&) const = default;
};
using Contents = std::vector<Entry>;

struct Tape {
  Contents contents;
  std::uint64_t position = 0;
  auto operator<=>(const Tape&) const = default;
};

inline constexpr std::uint32_t kFixedBlock = 256;

struct Operation {
  enum class Kind {
    kTestUnitReady,
    kWrite,
    kFilemarks,
    kRead,
    kSpaceBlocks,
    kSpaceFilemarks,
    kSpaceEndOfData,
    kLocate,
    kRewind,
    kReadPosition,
    kErase,
    kUnload,
    // These leave the tape alone.
    kModeSelect,
    kReserve,
    kPrevent,
  };
  Kind kind = Kind::kTestUnitReady;
  Contents blocks;         // kWrite
  std::int64_t count = 0;  // filemarks, blocks, or the object to locate; kPrevent: 1, 0 to allow
  bool immediate = false;  // kFilemarks
  bool fixed = false;      // kWrite, kRead: of `count` blocks of kFixedBlock bytes
  std::string text() const;
  bool aside() const { return kind == Kind::kReserve || kind == Kind::kPrevent; }  // of any state
  bool searches() const {
    return kind == Kind::kRead || kind == Kind::kSpaceBlocks || kind == Kind::kSpaceFilemarks ||
           kind == Kind::kLocate;
  }
  bool writes() const {
    return kind == Kind::kWrite || kind == Kind::kErase || (kind == Kind::kFilemarks && count != 0);
  }
};

class TapeModel {
 public:
  explicit TapeModel(std::string barcode) : barcode_(std::move(barcode)) {}
  const std::string& barcode() const { return barcode_; }

  // Faults of the disk have been injected: errors that they explain are in order.
  bool disk_faults = false;
  bool disk_may_fail = false;  // they may be, at any time
  bool no_space = false;

  void loaded();
  void unloaded(bool all_written);
  bool is_loaded() const { return loaded_; }
  // In this load the disk did not show all of it, so that the drive protects it: nothing changes,
  // and what it answers says little.
  void protect() { protected_ = true; }

  // The answer to `operation`; some state has to fit it. False: it was not carried out, for a
  // unit attention or a deferred error.
  bool answered(const Operation& operation, const Answer& answer);
  // These were sent, in this order, and will never be answered: any number of the first of them
  // may have been carried out.
  void unanswered(const std::vector<Operation>& operations);

  // For choosing what to do: one of the states.
  const Tape& guess() const { return may_be_.front(); }
  bool is_certain() const { return may_be_.size() == 1; }
  std::size_t possibilities() const { return may_be_.size(); }
  std::size_t possibilities_after_crash() const { return after_crash_.size(); }
  // As many objects are the same on every tape that it may be.
  std::uint64_t known_until() const;
  // So many that they cannot be followed any more: the world is given up, and says so.
  bool is_lost() const { return lost_; }
  // Of this load: its host has heard of a write error, or had written nothing; by a deferred one.
  bool told() const { return told_ || !wrote_; }
  bool told_later() const { return told_later_; }
  bool must_refuse_writes() const { return failed_ == Failed::kYes; }
  std::string text() const;

 private:
  enum class Failed { kNo, kUnknown, kYes };
  struct Expected;
  static Tape carried_out(const Tape& before, const Operation& operation, Expected& expected);
  void remember(const Tape& before, const Operation& operation);
  void write_fault(const Operation& operation, const Answer& answer);
  void read_fault(const Operation& operation);
  void volume_overflow(const Operation& operation, const Answer& answer);
  void only_crash_states(const std::vector<std::uint64_t>& positions);
  void durable();
  [[noreturn]] void broken(const std::string& why, const Operation& operation,
                           const Answer& answer) const;

  const std::string barcode_;
  bool loaded_ = false, protected_ = false;
  std::vector<Tape> may_be_ = {Tape{}};
  std::vector<Contents> after_crash_ = {Contents{}};  // one of these is found then
  Failed failed_ = Failed::kNo;
  bool lost_ = false;
  bool maybe_unloaded_ = false;  // by a command that was not answered
  // In this load:
  bool wrote_ = false;       // something was accepted
  bool told_ = false;        // of its write fault
  bool told_later_ = false;  // as a deferred error
};

}  // namespace sim
