// What is on a cartridge: every byte is a function of cartridge, object number and generation, so
// that nothing has to be kept but sizes, and what is old, misplaced or of another tape is told
// apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "test/integration/initiator.h"

namespace soak {

struct Object {
  std::uint32_t size = 0;        // bytes; 0: a filemark
  std::uint32_t generation = 0;  // counts the records of this cartridge
  bool read = false;             // since it was written
};

class Tape {
 public:
  Tape(std::string barcode, std::uint64_t number) : barcode_(std::move(barcode)), number_(number) {}

  const std::string& barcode() const { return barcode_; }
  std::uint64_t size() const { return objects_.size(); }
  std::uint64_t bytes() const { return bytes_; }
  Object& at(std::uint64_t object) { return objects_.at(object); }
  ByteString content(std::uint64_t object) const;

  // At the end; the new object's number.
  std::uint64_t append(std::uint32_t size);
  // What follows is gone.
  void cut(std::uint64_t object);
  // The first object from here on that nobody has read since it was written; size() if there is
  // none.
  std::uint64_t unread_from(std::uint64_t object) const;

 private:
  const std::string barcode_;
  const std::uint64_t number_;
  std::vector<Object> objects_;
  std::uint64_t bytes_ = 0;
  std::uint32_t generation_ = 0;
};

}  // namespace soak
