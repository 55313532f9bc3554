// What a host does to the library until the power goes.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <random>

#include "test/integration/library.h"
#include "test/powercut/tape.h"

using Random = std::mt19937_64;

// A drive, and the two cartridges that take turns in it.
class Station {
 public:
  Station(Daemon& daemon, int number, std::array<Tape, 2> tapes)
      : daemon_(daemon), number_(number), tapes_(std::move(tapes)) {}

  std::array<Tape, 2>& tapes() { return tapes_; }

  // After a start: the tape in the drive is what it may be; the number of objects on it.
  std::size_t check();
  // Writes and moves until a command fails, which it may from the moment that `cut` is set.
  void work(const std::atomic<bool>& cut, std::uint64_t seed);
  // Puts the other tape in, and reads it.
  void exchange();
  // The server is gone.
  void detach();

 private:
  int home(const Tape& tape) const;
  void attach();
  void move(Tape& tape, int element);
  void step(Random& random, std::uint64_t objects_a_filemark);
  void send(const Object& object) { loaded_->sent(at_++, object); }
  void locate(std::uint64_t object);

  Daemon& daemon_;
  const int number_;
  std::array<Tape, 2> tapes_;
  Tape* loaded_ = nullptr;
  std::size_t at_ = 0;  // the position
  std::optional<Initiator> drive_, changer_;
};
