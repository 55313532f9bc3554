// The robot that all drives share, and the book of which cartridge is in which slot.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "test/integration/library.h"
#include "test/soak/tape.h"

namespace soak {

class Robot {
 public:
  // Cartridge n, from 0, is in slot n at the start.
  Robot(Library& library, int cartridges);

  enum class Wanted {
    kAny,
    kUnchecked,  // not asked for in this way before
  };
  // Puts `old`, if there is one, from the drive into a free slot, and another into the drive; null:
  // there is none of that kind any more, and the drive stays empty. Any thread.
  Tape* change(int drive, Tape* old, Wanted wanted, std::uint64_t choice);
  std::uint64_t moves() const { return moves_; }
  const std::vector<std::unique_ptr<Tape>>& tapes() const { return tapes_; }

 private:
  void move(int source, int destination);

  std::mutex mutex_;
  Initiator changer_;
  std::vector<std::unique_ptr<Tape>> tapes_;
  std::vector<Tape*> slots_;  // by address less kFirstSlot
  std::vector<const Tape*> checked_;
  std::uint64_t moves_ = 0;
};

}  // namespace soak
