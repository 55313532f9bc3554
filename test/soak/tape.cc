#include "test/soak/tape.h"

namespace soak {

ByteString Tape::content(std::uint64_t object) const {
  const Object& what = objects_.at(object);
  return pattern(what.size, number_ << 56 ^ std::uint64_t{what.generation} << 24 ^ object);
}

std::uint64_t Tape::append(std::uint32_t size) {
  objects_.push_back({size, ++generation_, false});
  bytes_ += size;
  return objects_.size() - 1;
}

void Tape::cut(std::uint64_t object) {
  for (std::uint64_t i = object; i < objects_.size(); ++i) bytes_ -= objects_[i].size;
  objects_.resize(object);
}

std::uint64_t Tape::unread_from(std::uint64_t object) const {
  while (object < objects_.size() && objects_[object].read) ++object;
  return object;
}

}  // namespace soak
