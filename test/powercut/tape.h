// What a tape may hold after a power cut, kept beside the real one while it is written.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "test/integration/initiator.h"

// Something that was acknowledged is not there, or something is there that must not be.
struct Loss : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Object {
  std::size_t size;  // 0: a filemark
  std::uint64_t seed;
  friend bool operator==(const Object&, const Object&) = default;
};

class Tape {
 public:
  std::string barcode;
  // The element of its last acknowledged move, and where one that was not acknowledged would have
  // put it.
  int element = 0;
  int maybe_in = 0;

  std::size_t size() const { return current().objects.size(); }
  // Before it is sent: an object at position `at`, where what follows ends to exist.
  void sent(std::size_t at, const Object& object);
  // A synchronising command was acknowledged.
  void synchronised();

  // Reads the whole tape; the number of objects on it. What it has read is promised from here on,
  // as the server synchronises what it finds before it builds on it. Throws Loss.
  std::size_t check(Initiator& drive);
  std::size_t promised() const { return current().durable; }

 private:
  // The first `durable` objects, and any number of those that follow.
  struct History {
    std::vector<Object> objects;
    std::size_t durable = 0;
  };
  const History& current() const { return possible_.back(); }

  // An overwrite begins a new history; until it is synchronised a cut may take back to an older
  // one.
  std::vector<History> possible_{1};
};
