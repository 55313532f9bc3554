// READ, VERIFY, WRITE, WRITE FILEMARKS, ERASE (SSC-4).
#include <algorithm>

#include "test/oracle/oracle.h"

namespace oracle {

std::uint64_t Partition::bytes(std::size_t count) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += objects[i].block.size;
  return sum;
}
std::uint64_t Partition::filemarks(std::size_t count) const {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += objects[i].filemark ? 1 : 0;
  return sum;
}

Expect Oracle::read(const Step& step) {
  const bool fixed = (step.cdb[1] & 1) != 0, sili = (step.cdb[1] & 2) != 0;
  const auto asked = static_cast<std::uint32_t>(step.field(2, 3));
  if (asked == 0) return Expect::good();
  const std::uint32_t length = fixed ? block_length_ : asked;
  Expect out = read_rules(fixed ? asked : 1, length, fixed, sili, nullptr);
  out.asks = fixed ? asked * length : asked;
  out.data = Expect::DataIn::kPieces;
  for (const Piece& piece : out.pieces) sent_to_hosts_ += piece.size;
  return out;
}

// `count` blocks of `length` bytes. INFORMATION of a fixed READ counts blocks, else bytes.
Expect Oracle::read_rules(std::uint32_t count, std::uint32_t length, bool fixed, bool sili,
                          const Step* compare) {
  const std::vector<Object>& objects = here().objects;
  moved();
  buffered_objects_ = 0;
  std::vector<Piece> sent;
  Expect out;
  std::uint32_t done = 0;

  for (; done < count; ++done) {
    const std::int64_t left = fixed ? count - done : length;
    if (position_ == objects.size()) {
      out = Expect::sense(8, 0x0005).info(left);
      break;
    }
    const Object& object = objects[position_++];
    if (object.filemark) {
      out = Expect::sense(0, 0x0001).info(left);
      out.filemark = true;
      break;
    }
    const std::uint32_t actual = object.block.size;
    Piece piece = object.block;
    piece.size = std::min(actual, length);
    const bool wrong = actual != length;
    if (compare != nullptr && !wrong) {
      Data bytes(piece.size);
      fill(bytes.data(), piece.number, piece.offset, piece.size);
      const bool equal = std::equal(bytes.begin(), bytes.end(),
                                    compare->list.begin() + std::ptrdiff_t{done} * length);
      if (!equal) {  // the tape stands behind the block that differs
        out = Expect::sense(0xE, 0x1D00).info(left);
        break;
      }
    }
    if (!(wrong && fixed)) sent.push_back(piece);
    const bool suppressed = sili && (actual < length || block_length_ == 0);
    if (wrong && !suppressed) {
      out =
          Expect::sense(0, 0x0000).info(fixed ? left : static_cast<std::int64_t>(length) - actual);
      out.incorrect_length = true;
      break;
    }
  }
  out.pieces = std::move(sent);
  return out;
}

Expect Oracle::verify(const Step& step) {
  const int flags = step.cdb[1];
  const bool fixed = (flags & 1) != 0, compares = (flags & 2) != 0;
  if ((flags & 0x10) != 0) return Expect::sense(5, kInvalidField);  // VLBPM
  if ((flags & 0x28) != 0) return verify_marks(step);
  const auto asked = static_cast<std::uint32_t>(step.field(2, 3));
  if (asked == 0) return Expect::good();
  const std::uint32_t length = fixed ? block_length_ : asked;
  Expect out = read_rules(fixed ? asked : 1, length, fixed, false, compares ? &step : nullptr);
  out.pieces.clear();
  if (compares) out.asks = out.takes = fixed ? asked * length : asked;
  return out;
}

// VBF: up to so many filemarks; VTE: to end of data.
Expect Oracle::verify_marks(const Step& step) {
  const int flags = step.cdb[1];
  const bool by_marks = (flags & 8) != 0, to_end = (flags & 0x20) != 0;
  const auto asked = static_cast<std::uint32_t>(step.field(2, 3));
  if ((by_marks && to_end) || (flags & 3) != 0 || (to_end && asked != 0))
    return Expect::sense(5, kInvalidField);
  if (by_marks && asked == 0) return Expect::good();
  moved();
  buffered_objects_ = 0;
  const std::vector<Object>& objects = here().objects;
  if (to_end) {
    position_ = objects.size();
    return Expect::good();
  }
  std::uint32_t left = asked;
  while (left != 0 && position_ < objects.size())
    if (objects[position_++].filemark) --left;
  if (left != 0) return Expect::sense(8, 0x0005).info(left);
  return Expect::good();
}

// --- writing ---

std::optional<Expect> Oracle::write_protected() const {
  const Cartridge& c = cartridge();
  if (c.write_protected) return Expect::sense(7, 0x2700).or_also(7, 0x2701);
  if (device_swp_ || control_swp_) return Expect::sense(7, 0x2702).or_also(7, 0x2700);
  return {};
}

std::optional<Expect> Oracle::not_appendable() {
  const std::vector<Object>& objects = here().objects;
  if (position_ == objects.size()) return {};
  if (tape().worm) {
    // What filemarks stand immediately before end of data may be overwritten, all but the first.
    std::size_t first = objects.size();
    while (first > 0 && objects[first - 1].filemark) --first;
    if (position_ <= first) {
      Expect out = Expect::sense(7, 0x300C);
      return append_only_ && !overwrite_allowed_ ? out.or_also(7, 0x5001) : out;
    }
  }
  if (append_only_ && !overwrite_allowed_) return Expect::sense(7, 0x5001);
  return {};
}

void Oracle::cut() {
  here().objects.resize(position_);
  durable_ = std::min(durable_, position_);
}

void Oracle::changed() {
  if (!tape().changed) ++tape().change_reference;
  tape().changed = true;
}

// How a write ends of which all was taken, by where the tape stands.
Expect Oracle::ended_write() const {
  const std::uint64_t bytes = partition().bytes(position_);
  if (past_early_warning(bytes)) return Expect::sense(0, 0x0002).eom().info(0);
  if (past_programmable(bytes)) return Expect::sense(0, 0x0007).eom().any_info();
  return Expect::good();
}

Expect Oracle::write(const Step& step) {
  const bool fixed = (step.cdb[1] & 1) != 0;
  const auto asked = static_cast<std::uint32_t>(step.field(2, 3));
  if (asked == 0) return Expect::good();
  if (const auto refused = write_protected()) return *refused;
  if (const auto refused = not_appendable()) return *refused;
  const std::uint32_t length = fixed ? block_length_ : asked, count = fixed ? asked : 1;
  moved();
  if (position_ != here().objects.size()) buffered_objects_ = 0;
  cut();
  std::uint32_t done = 0;
  std::uint64_t used = here().bytes(position_);
  for (; done < count && used + length <= here().capacity; ++done, used += length) {
    here().objects.push_back({false, {step.value, done * length, length}});
    ++position_;
  }
  if (done != 0) changed();
  buffered_objects_ = buffered_ == 0 ? 0 : buffered_objects_ + done;
  if (buffered_ == 0) durable_ = position_;
  written_by_hosts_ += std::uint64_t{done} * length;
  Expect out = done < count ? Expect::sense(0xD, 0x0002).eom().info(fixed ? count - done : length)
                            : ended_write();
  out.asks = out.takes = count * length;
  return out;
}

Expect Oracle::write_filemarks(const Step& step) {
  const bool immediate = (step.cdb[1] & 1) != 0;
  const auto count = static_cast<std::uint32_t>(step.field(2, 3));
  std::uint32_t done = 0;
  if (count != 0) {
    if (const auto refused = write_protected()) return *refused;
    if (const auto refused = not_appendable()) return *refused;
    moved();
    if (position_ != here().objects.size()) buffered_objects_ = 0;
    cut();
    const std::uint64_t limit = tape().filemark_limit;
    std::uint64_t marks = here().filemarks(position_);
    for (; done < count && (limit == 0 || marks < limit); ++done, ++marks) {
      here().objects.push_back({true, {}});
      ++position_;
    }
    if (done != 0) changed();
    buffered_objects_ += done;
  }
  if (!immediate) {
    buffered_objects_ = 0;
    durable_ = here().objects.size();
  }
  if (done < count) return Expect::sense(0xD, 0x0002).eom().info(count - done);
  if (count != 0) return ended_write();
  Expect out = ended_write();  // whether a mere flush tells of early warning is left open
  if (out.status != 0) {
    out = Expect::good();
    out.or_also(0, 0x0002).or_also(0, 0x0007);
  }
  return out;
}

Expect Oracle::erase(const Step&) {
  if (const auto refused = write_protected()) return *refused;
  if (tape().worm) return Expect::sense(7, 0x300C).or_also(7, 0x5001);
  if (const auto refused = not_appendable()) return *refused;
  moved();
  cut();
  changed();
  buffered_objects_ = 0;
  durable_ = position_;
  return Expect::good();
}

// One write at one place of a cartridge that otherwise takes data at its end only.
Expect Oracle::allow_overwrite(const Step& step) {
  if (!append_only_) return Expect::sense(5, 0x200C).or_also(5, kInvalidField);
  const int what = step.cdb[2] & 0x0F;
  if (what > 2) return Expect::sense(5, kInvalidField);
  const bool at_position = step.cdb[3] == partition_ && step.field(4, 8) == position_;
  if (what == 1 && !at_position) return Expect::sense(5, 0x3B00);
  overwrite_allowed_ = what == 1;
  format_allowed_ = what == 2;
  return Expect::good();
}

}  // namespace oracle
