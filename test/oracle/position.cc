// SPACE, LOCATE, READ POSITION (SSC-4).
#include <algorithm>

#include "test/oracle/oracle.h"

namespace oracle {

Expect Oracle::space(const Step& step) {
  const int code = step.cdb[1] & 0x0F;
  std::int64_t count = 0;
  if (step.cdb[0] == 0x11) {
    count = static_cast<std::int64_t>(step.field(2, 3));
    if (count >= 1 << 23) count -= 1 << 24;
  } else {
    count = static_cast<std::int64_t>(step.field(4, 8));
  }
  if (code == 3 || count != 0) buffered_objects_ = 0;
  const std::vector<Object>& objects = here().objects;
  if (code == 3) {
    position_ = objects.size();
    moved();
    return Expect::good();
  }
  if (count != 0) moved();
  const bool back = count < 0;
  std::uint64_t left =
      back ? ~static_cast<std::uint64_t>(count) + 1 : static_cast<std::uint64_t>(count);
  // The residual is told where it fits 32 bits.
  const auto stopped = [&](std::uint8_t key, std::uint16_t asc) {
    Expect out = Expect::sense(key, asc);
    if (left <= 0xFFFFFFFF) out.info(static_cast<std::int64_t>(left));
    return out;
  };
  for (; left != 0;) {
    if (back ? position_ == 0 : position_ == objects.size())
      return back ? stopped(0, 0x0004).eom() : stopped(8, 0x0005);
    const Object& passed = objects[back ? position_ - 1 : position_];
    position_ = back ? position_ - 1 : position_ + 1;
    if (code == 0 && passed.filemark) {
      Expect out = stopped(0, 0x0001);
      out.filemark = true;
      return out;
    }
    if (code == 0 || passed.filemark) --left;
  }
  return Expect::good();
}

// `kind` is the destination type: 0 object, 1 logical file, 3 end of data.
// With IMMED = 1 it was GOOD before the end was met: the next command is told.
Expect Oracle::locate(std::uint32_t partition, bool change, int kind, std::uint64_t target,
                      std::optional<unsigned> immediate) {
  if (change && partition >= tape().partitions.size()) return Expect::sense(5, kInvalidField);
  if (change) {
    if (partition != partition_) durable_ = 0;
    partition_ = partition;
  }
  moved();
  buffered_objects_ = 0;
  const std::vector<Object>& objects = here().objects;
  std::uint64_t at = objects.size() + 1;  // nowhere
  if (kind == 0) {
    at = std::min<std::uint64_t>(target, at);
  } else if (kind == 3) {
    at = objects.size();
  } else if (target == 0) {
    at = 0;
  } else {
    for (std::size_t i = 0; i < objects.size() && target != 0; ++i)
      if (objects[i].filemark && --target == 0) at = i + 1;
  }
  position_ = std::min<std::uint64_t>(at, objects.size());
  if (at <= objects.size()) return Expect::good();
  Expect past = Expect::sense(8, 0x0005).any_info();
  if (!immediate) return past;
  past.status = kDeferred;
  ports_[*immediate].deferred = past;
  return Expect::good();
}

bool Oracle::past_programmable(std::uint64_t bytes) const {
  const std::uint64_t zone = pews_ * std::uint64_t{1'000'000};
  const std::uint64_t warning = partition().early_warning;
  return zone != 0 && bytes >= (warning > zone ? warning - zone : 0);
}

Expect Oracle::read_position(const Step& step) {
  const Partition& p = here();
  const std::uint64_t bytes = p.bytes(position_);
  const bool early = past_early_warning(bytes), programmable = past_programmable(bytes);
  const int form = step.cdb[1] & 0x1F;
  const std::uint64_t buffered = buffered_objects_;
  const std::uint64_t buffered_bytes =
      p.bytes(p.objects.size()) - p.bytes(p.objects.size() - buffered);
  std::uint8_t flags = static_cast<std::uint8_t>((position_ == 0 ? 0x80 : 0) | (early ? 0x40 : 0) |
                                                 (programmable ? 0x01 : 0));
  Data data{flags};
  if (form <= 1) {
    put(data, partition_, 1);
    put(data, 0, 2);
    put(data, position_, 4);
    put(data, position_ - buffered, 4);
    put(data, buffered, 4);
    put(data, buffered_bytes, 4);
  } else if (form == 6) {
    put(data, 0, 3);
    put(data, partition_, 4);
    put(data, position_, 8);
    put(data, p.filemarks(position_), 8);
    put(data, 0, 8);
  } else {
    put(data, partition_, 1);
    put(data, 0x1C, 2);
    put(data, buffered, 4);
    put(data, position_, 8);
    put(data, position_ - buffered, 8);
    put(data, buffered_bytes, 8);
  }
  if (form != 8 && step.field(7, 2) != 0) return Expect::sense(5, kInvalidField);
  return allocated(std::move(data), form == 8 ? step.field(7, 2) : 32);
}

}  // namespace oracle
