#include "test/powercut/tape.h"

#include <algorithm>
#include <utility>

void Tape::sent(std::size_t at, const Object& object) {
  if (at < size()) {
    History next = current();
    next.objects.resize(at);
    next.durable = at;  // what stays is made durable before the cut is (FORMAT.md, invariant 3)
    possible_.push_back(std::move(next));
  }
  possible_.back().objects.push_back(object);
}

void Tape::synchronised() {
  possible_.erase(possible_.begin(), possible_.end() - 1);
  possible_.back().durable = size();
}

std::size_t Tape::check(Initiator& drive) {
  const auto lost = [&](std::size_t at, const std::string& why) {
    return Loss(barcode + ", object " + std::to_string(at) + ": " + why);
  };
  const auto describe = [](const CommandResult& result) {
    return result.transport_error.empty() ? "sense " + result.sense_code() : result.transport_error;
  };
  if (const CommandResult result = rewind_tape(drive); !result.good()) {
    throw lost(0, "REWIND: " + describe(result));
  }
  std::vector<History> left = possible_;
  for (std::size_t at = 0;; ++at) {
    const CommandResult read = drive.in({0x08, 2, 0x10, 0, 0, 0}, 1u << 20);  // SILI
    if (read.sense_code() == "8/00/05") {
      const auto found = std::find_if(left.begin(), left.end(),
                                      [at](const History& one) { return one.durable <= at; });
      if (found == left.end()) {
        throw lost(at, "end of data; " + std::to_string(left.back().durable) + " were promised");
      }
      found->objects.resize(at);
      found->durable = at;
      possible_ = {History(std::move(*found))};
      return at;
    }
    if (!read.good() && !read.filemark()) throw lost(at, describe(read));
    // Histories share their beginnings: one comparison of bytes does for all that have it here.
    const auto matches = [&](const Object& object) {
      return object.size == 0 ? read.filemark()
                              : read.good() && read.data == pattern(object.size, object.seed);
    };
    std::vector<History> next;
    for (History& one : left) {
      if (one.objects.size() <= at) continue;
      const bool known = !next.empty() && next.back().objects[at] == one.objects[at];
      if (known || matches(one.objects[at])) next.push_back(std::move(one));
    }
    if (next.empty()) throw lost(at, "not what was written here, or more than was");
    left = std::move(next);
  }
}
