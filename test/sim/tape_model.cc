#include "test/sim/tape_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "scsi/crc32c.h"
#include "test/sim/random.h"

namespace sim {

namespace {

constexpr unsigned kFilemarkDetected = 0x0001, kEndOfPartition = 0x0002, kBeginning = 0x0004,
                   kEndOfData = 0x0005, kWriteError = 0x0C00;
constexpr unsigned kNoSense = 0, kMediumError = 3, kUnitAttention = 6, kBlankCheck = 8,
                   kVolumeOverflow = 0xD;

template <class T>
void make_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

std::uint64_t filemarks_before(const Tape& tape) {
  return static_cast<std::uint64_t>(std::count_if(
      tape.contents.begin(), tape.contents.begin() + static_cast<std::ptrdiff_t>(tape.position),
      [](const Entry& e) { return e.length == 0; }));
}

}  // namespace

std::string Operation::text() const {
  static constexpr const char* kNames[] = {"test unit ready",
                                           "write",
                                           "filemarks",
                                           "read",
                                           "space blocks",
                                           "space filemarks",
                                           "space to the end",
                                           "locate",
                                           "rewind",
                                           "read position",
                                           "erase",
                                           "unload",
                                           "mode select",
                                           "reserve",
                                           "prevent"};
  return fmt::format("{} {}{}{}", kNames[static_cast<int>(kind)],
                     kind == Kind::kWrite && !fixed ? std::int64_t{blocks[0].length} : count,
                     immediate ? " immediate" : "", fixed ? " fixed" : "");
}

// What a drive would say. `sense` false: GOOD.
struct TapeModel::Expected {
  bool sense = false;
  unsigned key = 0, code = 0;
  bool filemark = false, end_of_medium = false, incorrect_length = false;
  std::optional<std::int64_t> information;
  std::optional<Contents> data;
  std::optional<std::pair<std::uint64_t, std::uint64_t>> position;  // object, filemarks
  bool count_may_fail = false;                                      // of the filemarks

  void stop(unsigned k, unsigned c, std::int64_t left) {
    sense = true;
    key = k;
    code = c;
    filemark = c == kFilemarkDetected;
    end_of_medium = c == kBeginning;
    if (left >= 0) information = left;
  }
  bool fits(const Answer& a) const {
    if (sense != !a.good()) return false;
    if (sense && (a.deferred() || a.key() != key || a.code() != code || a.filemark() != filemark ||
                  a.end_of_medium() != end_of_medium || a.incorrect_length() != incorrect_length))
      return false;
    if (sense && information &&
        (!a.has_information() || a.information() != static_cast<std::uint32_t>(*information)))
      return false;
    if (data) return is(*data, a.data);
    if (!position) return a.data.empty();
    if (a.data.size() != 32) return false;
    scsi::ByteReader in(a.data);
    const bool unknown = (in.u32() >> 24 & 0x08) != 0;  // MPU
    const std::uint32_t partition = in.u32();
    const std::uint64_t object = in.u64(), filemarks = in.u64();
    if (partition != 0 || object != position->first) return false;
    return unknown ? count_may_fail && filemarks == 0 : filemarks == position->second;
  }
  static bool is(const Contents& blocks, scsi::Bytes bytes) {
    for (const Entry& block : blocks) {
      if (bytes.size() < block.length) return false;
      if (scsi::crc32c(bytes.first(block.length)) != block.crc) return false;
      bytes = bytes.subspan(block.length);
    }
    return bytes.empty();
  }
};

Tape TapeModel::carried_out(const Tape& before, const Operation& op, Expected& expected) {
  Tape tape = before;
  const auto size = static_cast<std::int64_t>(tape.contents.size());
  auto at = static_cast<std::int64_t>(tape.position);
  const auto mark_at = [&](std::int64_t i) {
    return tape.contents[static_cast<std::size_t>(i)].length == 0;
  };
  using Kind = Operation::Kind;
  switch (op.kind) {
    case Kind::kTestUnitReady:
    case Kind::kUnload:
    case Kind::kModeSelect:
    case Kind::kReserve:
    case Kind::kPrevent:
      break;
    case Kind::kWrite:
      tape.contents.resize(tape.position);
      tape.contents.insert(tape.contents.end(), op.blocks.begin(), op.blocks.end());
      at += static_cast<std::int64_t>(op.blocks.size());
      break;
    case Kind::kFilemarks:
      if (op.count == 0) break;
      tape.contents.resize(tape.position);
      tape.contents.resize(tape.position + static_cast<std::size_t>(op.count));
      at += op.count;
      break;
    case Kind::kErase:
      tape.contents.resize(tape.position);
      break;
    case Kind::kRead:
      if (op.fixed) {
        expected.data.emplace();
        for (std::int64_t left = op.count; left != 0 && !expected.sense;) {
          if (at == size) {
            expected.stop(kBlankCheck, kEndOfData, left);
          } else if (mark_at(at++)) {
            expected.stop(kNoSense, kFilemarkDetected, left);
          } else if (const Entry& block = tape.contents[static_cast<std::size_t>(at - 1)];
                     block.length != kFixedBlock) {
            expected.stop(kNoSense, 0, left);
            expected.incorrect_length = true;
          } else {
            expected.data->push_back(block);
            --left;
          }
        }
      } else if (at == size) {
        expected.stop(kBlankCheck, kEndOfData, -1);
      } else if (mark_at(at++)) {
        expected.stop(kNoSense, kFilemarkDetected, -1);
      } else {
        expected.data = {tape.contents[static_cast<std::size_t>(at - 1)]};
      }
      break;
    case Kind::kSpaceBlocks:
    case Kind::kSpaceFilemarks: {
      const bool blocks = op.kind == Kind::kSpaceBlocks;
      const bool back = op.count < 0;
      std::int64_t left = back ? -op.count : op.count;
      while (left != 0) {
        if (back ? at == 0 : at == size) {
          expected.stop(back ? kNoSense : kBlankCheck, back ? kBeginning : kEndOfData, left);
          break;
        }
        const bool mark = mark_at(back ? at - 1 : at);
        at += back ? -1 : 1;
        if (blocks && mark) {
          expected.stop(kNoSense, kFilemarkDetected, left);
          break;
        }
        if (blocks || mark) --left;
      }
      break;
    }
    case Kind::kSpaceEndOfData:
      at = size;
      break;
    case Kind::kLocate:
      at = std::min(op.count, size);
      if (op.count > size) expected.stop(kBlankCheck, kEndOfData, -1);
      break;
    case Kind::kRewind:
      at = 0;
      break;
    case Kind::kReadPosition:
      expected.position = {tape.position, filemarks_before(tape)};
      break;
  }
  tape.position = static_cast<std::uint64_t>(at);
  return tape;
}

// Everything that a crash may find on its way to the state after `operation`.
void TapeModel::remember(const Tape& before, const Operation& op) {
  if (!op.writes()) return;
  Contents contents = before.contents;
  if (before.position < contents.size()) {
    contents.resize(before.position);
    after_crash_.push_back(contents);
  }
  const auto marks = op.kind == Operation::Kind::kFilemarks ? op.count : 0;
  for (std::int64_t i = 0; i < marks; ++i) {
    contents.emplace_back();
    after_crash_.push_back(contents);
  }
  for (const Entry& block : op.blocks) {
    contents.push_back(block);
    after_crash_.push_back(contents);
  }
}

void TapeModel::durable() {
  after_crash_.clear();
  for (const Tape& tape : may_be_) after_crash_.push_back(tape.contents);
  make_unique(after_crash_);
}

void TapeModel::only_crash_states(const std::vector<std::uint64_t>& positions) {
  constexpr std::size_t kMost = 60'000;
  make_unique(after_crash_);
  if (after_crash_.size() * positions.size() > kMost) {
    lost_ = true;
    return;
  }
  may_be_.clear();
  for (const Contents& contents : after_crash_)
    for (const std::uint64_t position : positions)
      may_be_.push_back({contents, std::min<std::uint64_t>(position, contents.size())});
  make_unique(may_be_);
}

void TapeModel::loaded() {
  check(!loaded_, barcode_ + " was loaded twice");
  loaded_ = true;
  failed_ = Failed::kNo;
  protected_ = wrote_ = told_ = told_later_ = maybe_unloaded_ = false;
  only_crash_states({0});
}

void TapeModel::unloaded(bool all_written) {
  if (!loaded_) return;
  loaded_ = false;
  if (all_written && failed_ == Failed::kNo && !maybe_unloaded_) durable();
}

void TapeModel::broken(const std::string& why, const Operation& op, const Answer& answer) const {
  sim::broken(fmt::format("{}: {}: {} was answered {} ({} bytes); {}", barcode_, why, op.text(),
                          answer.text(), answer.data.size(), text()));
}

std::uint64_t TapeModel::known_until() const {
  const Contents& one = may_be_.front().contents;
  auto end = one.end();
  for (const Tape& tape : may_be_)
    end = std::mismatch(one.begin(), end, tape.contents.begin(), tape.contents.end()).first;
  return static_cast<std::uint64_t>(end - one.begin());
}

std::string TapeModel::text() const {
  std::string out = fmt::format("may be {} tapes:", may_be_.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(may_be_.size(), 3); ++i)
    out += fmt::format(" {} objects at {} after {} filemarks;", may_be_[i].contents.size(),
                       may_be_[i].position, filemarks_before(may_be_[i]));
  out += fmt::format(" after a crash {}", after_crash_.size());
  return out;
}

bool TapeModel::answered(const Operation& op, const Answer& answer) {
  if (lost_) return true;
  const bool sense = !answer.good();
  check(answer.status == 0 || answer.status == 2,
        fmt::format("{}: status {:02x}", barcode_, answer.status));
  if (sense && !answer.deferred() && answer.key() == kUnitAttention) {
    const unsigned code = answer.code();
    if (code != 0x2800 && code != 0x2900 && code != 0x2903 && code != 0x2907 && code != 0x2F00)
      broken("an unknown unit attention", op, answer);
    return false;
  }
  if (protected_) {
    if (op.writes() && answer.good()) broken("written, though it is protected", op, answer);
    return !answer.deferred();
  }
  if (sense && answer.code() == kWriteError) {
    write_fault(op, answer);
    return !answer.deferred();
  }
  if (sense && answer.deferred()) broken("a deferred error of nothing", op, answer);
  if (sense && answer.key() == kMediumError && disk_faults) {
    read_fault(op);
    return true;
  }
  // Its label could not be written; it is recovered the next time.
  if (sense && answer.key() == kVolumeOverflow && no_space && op.kind == Operation::Kind::kUnload)
    return true;
  // Room that the disk fails to prepare is told like room that there is not.
  if (sense && answer.key() == kVolumeOverflow && (no_space || disk_faults) && op.writes()) {
    volume_overflow(op, answer);
    return true;
  }
  if (op.writes() && failed_ == Failed::kYes)
    broken("written after a write error, without a load", op, answer);
  // Early warning: it was written all the same.
  const bool warned = sense && op.writes() && no_space && answer.key() == kNoSense &&
                      answer.code() == kEndOfPartition && answer.end_of_medium();
  const std::vector<Tape> before = std::move(may_be_);
  may_be_.clear();
  for (const Tape& tape : before) {
    Expected expected;
    Tape after = carried_out(tape, op, expected);
    expected.count_may_fail = disk_faults;
    if (!warned && !expected.fits(answer)) continue;
    remember(tape, op);
    may_be_.push_back(std::move(after));
  }
  if (may_be_.empty()) {
    may_be_ = before;
    broken("no such tape", op, answer);
  }
  make_unique(may_be_);
  wrote_ = wrote_ || op.writes();
  const bool synchronises = (op.kind == Operation::Kind::kFilemarks && !op.immediate) ||
                            op.kind == Operation::Kind::kErase;
  if (synchronises) {
    if (failed_ != Failed::kYes) durable();
  }
  if (op.writes() || synchronises) failed_ = Failed::kNo;
  if (after_crash_.size() > 256) make_unique(after_crash_);
  return true;
}

// 3/0C/00: what was accepted since the last barrier is on the tape up to some object. INFORMATION
// says to which, where it counts objects.
void TapeModel::write_fault(const Operation& op, const Answer& answer) {
  if (!disk_faults) broken("a write error out of nowhere", op, answer);
  using Kind = Operation::Kind;
  told_ = true;
  if (answer.deferred()) {
    if (told_later_) broken("told twice", op, answer);
    told_later_ = true;
  } else if (failed_ != Failed::kNo && op.writes() && !answer.has_information()) {
    // A refusal. An ERASE never counts what is lost: where nobody knows of an earlier error it may
    // as well have met the first.
    if (failed_ == Failed::kYes || op.kind != Kind::kErase) {
      failed_ = Failed::kYes;
      return;
    }
  }
  const bool marks = op.kind == Kind::kFilemarks && !answer.deferred();
  const bool counts =
      answer.has_information() &&
      (answer.deferred() || marks || op.kind == Kind::kLocate || op.kind == Kind::kRewind);
  std::vector<std::uint64_t> positions;
  std::vector<std::uint64_t> sizes;
  for (const Tape& tape : may_be_) {
    positions.push_back(tape.position);
    std::uint64_t size = tape.contents.size();
    if (!answer.deferred()) {
      Expected expected;
      const Tape after = carried_out(tape, op, expected);
      remember(tape, op);
      for (std::uint64_t p = tape.position; p < after.position; ++p) positions.push_back(p + 1);
      positions.push_back(after.position);
      if (marks) size = op.count == 0 ? size : after.contents.size();
    }
    // The cut itself may have failed: then what was to go is there still, or a part of it.
    if (marks && tape.position < tape.contents.size())
      for (std::uint64_t kept = tape.position; kept <= tape.contents.size(); ++kept)
        sizes.push_back(kept);
    if (counts) sizes.push_back(size - std::min<std::uint64_t>(size, answer.information()));
  }
  make_unique(positions);
  const bool known = failed_ != Failed::kNo;
  // Where a write could not begin nothing is lost, and it may be tried again.
  failed_ = answer.deferred() || failed_ == Failed::kYes ? Failed::kYes : Failed::kUnknown;
  const std::vector<Tape> before = may_be_;
  only_crash_states(positions);
  if (!counts || known || lost_) return;
  std::erase_if(may_be_, [&](const Tape& tape) {
    return std::find(sizes.begin(), sizes.end(), tape.contents.size()) == sizes.end();
  });
  if (!may_be_.empty()) return;
  may_be_ = before;
  broken("no tape has lost that many", op, answer);
}

// It could not be read, or the place not be found: where the tape is now, READ POSITION will say.
void TapeModel::read_fault(const Operation& op) {
  std::vector<Tape> after = may_be_;
  for (const Tape& tape : may_be_) {
    if (op.writes()) remember(tape, op);
    const std::uint64_t size = tape.contents.size();
    if (op.kind == Operation::Kind::kRead)
      for (std::int64_t n = 0; n < std::max<std::int64_t>(op.count, 1); ++n)
        after.push_back(
            {tape.contents, std::min(tape.position + 1 + static_cast<std::uint64_t>(n), size)});
    else
      for (std::uint64_t at = 0; at <= size; ++at) after.push_back({tape.contents, at});
  }
  may_be_ = std::move(after);
  make_unique(may_be_);
}

// INFORMATION is what was not taken: bytes of the one record, or blocks, or filemarks.
void TapeModel::volume_overflow(const Operation& op, const Answer& answer) {
  std::vector<Tape> after;
  for (const Tape& tape : may_be_) {
    Operation done = op;
    if (op.kind == Operation::Kind::kFilemarks) done.count -= answer.information();
    if (op.fixed) {
      check(answer.information() <= op.blocks.size(), "more blocks were refused than were sent");
      done.blocks.resize(op.blocks.size() - answer.information());
    }
    // Nothing was taken; what follows the position may be cut off already.
    const bool some =
        op.fixed ? !done.blocks.empty() : op.kind == Operation::Kind::kFilemarks && done.count != 0;
    if (!some) {
      // Where it was the label that found no room, that shows at the next load only.
      if (failed_ == Failed::kNo) failed_ = Failed::kUnknown;
      // What an ERASE meets may be what was accepted before it: then a part of what was to go is
      // there still. Anything else has cut all of it or nothing.
      const std::uint64_t step =
          op.kind == Operation::Kind::kErase || tape.contents.size() <= tape.position
              ? 1
              : tape.contents.size() - tape.position;
      for (std::uint64_t kept = tape.position; kept <= tape.contents.size(); kept += step) {
        after.push_back({Contents(tape.contents.begin(),
                                  tape.contents.begin() + static_cast<std::ptrdiff_t>(kept)),
                         tape.position});
        after_crash_.push_back(after.back().contents);
      }
      continue;
    }
    Expected expected;
    after.push_back(carried_out(tape, done, expected));
    remember(tape, done);
  }
  may_be_ = std::move(after);
  make_unique(may_be_);
}

// A fault may meet them after their host has given up, and nobody hears of it.
void TapeModel::unanswered(const std::vector<Operation>& operations) {
  if (!loaded_ || operations.empty()) return;
  if (protected_) {
    for (const Operation& op : operations)
      maybe_unloaded_ = maybe_unloaded_ || op.kind == Operation::Kind::kUnload;
    return;
  }
  std::vector<Tape> now = may_be_;
  std::vector<Tape> all = may_be_;
  for (const Operation& op : operations) {
    if (op.kind == Operation::Kind::kUnload) maybe_unloaded_ = true;
    std::vector<Tape> next;
    for (const Tape& tape : now) {
      Expected expected;
      next.push_back(carried_out(tape, op, expected));
      remember(tape, op);
      if (op.writes())  // cut, and then nothing was accepted
        all.push_back({Contents(tape.contents.begin(),
                                tape.contents.begin() + static_cast<std::ptrdiff_t>(tape.position)),
                       tape.position});
    }
    // Of several blocks or marks it may have been the first that fitted.
    if (op.writes() && (no_space || disk_may_fail)) {
      Operation part = op;
      const bool marks = op.kind == Operation::Kind::kFilemarks;
      for (std::size_t n = marks ? static_cast<std::size_t>(op.count) : op.blocks.size(); n > 1;) {
        --n;
        marks ? void(part.count = static_cast<std::int64_t>(n)) : part.blocks.resize(n);
        for (const Tape& tape : now) {
          Expected expected;
          next.push_back(carried_out(tape, part, expected));
        }
      }
    }
    // Refused for want of space; the next one may fit again.
    if (op.writes() && (no_space || disk_may_fail)) next.insert(next.end(), now.begin(), now.end());
    // Not found, or not read: anywhere.
    if (op.searches() && disk_may_fail)
      for (std::size_t i = 0; i < now.size(); ++i)
        if (i == 0 || now[i].contents != now[i - 1].contents)
          for (std::uint64_t at = 0; at <= now[i].contents.size(); ++at)
            next.push_back({now[i].contents, at});
    make_unique(next);
    all.insert(all.end(), next.begin(), next.end());
    now = std::move(next);
  }
  if (disk_may_fail) {
    // One of the answers that are lost may have told of a write error.
    std::vector<std::uint64_t> positions;
    for (const Tape& tape : all) positions.push_back(tape.position);
    make_unique(positions);
    only_crash_states(positions);
    all.insert(all.end(), may_be_.begin(), may_be_.end());
    if (failed_ == Failed::kNo) failed_ = Failed::kUnknown;
  }
  may_be_ = std::move(all);
  make_unique(may_be_);
}

}  // namespace sim
