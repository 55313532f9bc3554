#include "test/soak/drive.h"

#include <algorithm>
#include <stdexcept>

namespace soak {

namespace {

constexpr std::uint64_t kTapeBytes = 96u << 20;  // then it is overwritten from somewhere
constexpr std::uint64_t kTapeObjects = 20'000;
constexpr std::size_t kLongestRecord = 1u << 20;
// 0: any size.
constexpr std::uint32_t kSizes[] = {1,       512,     4096,    32768,    65536, 65536,
                                    262'144, 262'144, 262'144, 1u << 20, 0};
constexpr const char* kGood = "";
constexpr const char* kFilemark = "0/00/01";
constexpr const char* kBeginning = "0/00/04";
constexpr const char* kEndOfData = "8/00/05";

int byte_of(std::uint64_t value, int index) {
  return static_cast<int>(value >> (8 * index) & 0xff);
}

}  // namespace

Drive::Drive(Library& library, Robot& robot, Totals& totals, int number, std::uint64_t seed)
    : library_(library), robot_(robot), totals_(totals), number_(number), random_(seed) {}

void Drive::expect(const CommandResult& result, const std::string& sense, const std::string& what) {
  if (result.sense_code() == sense && result.good() == sense.empty()) return;
  throw std::runtime_error(
      "drive " + std::to_string(number_) + ", " + tape_->barcode() + ", object " +
      std::to_string(at_) + " of " + std::to_string(tape_->size()) + ": " + what + ": expected " +
      (sense.empty() ? "GOOD" : sense) + ", came status " + std::to_string(result.status) + " " +
      result.sense_code() + " " + result.transport_error);
}

void Drive::work(const std::function<bool()>& over) {
  change(Robot::Wanted::kAny);
  while (!over()) {
    for (std::uint64_t left = 5 + below(20); left > 0 && !over(); --left) {
      switch (below(8)) {
        case 0:
          read_on(1 + below(200));
          break;
        case 1:
          locate(below(tape_->size() + 1));
          read_on(1 + below(20));
          break;
        case 2:
          expect(rewind_tape(*session_), kGood, "REWIND");
          at_ = 0;
          read_on(1 + below(50));
          break;
        case 3:
          for (std::uint64_t i = below(10); i > 0; --i) space_about();
          break;
        case 4:
          if (below(4) == 0) overwrite();
          break;
        default:
          write_on();
      }
      check_position();
    }
    change(Robot::Wanted::kAny);
  }
}

void Drive::check_tapes() {
  for (change(Robot::Wanted::kUnchecked); tape_ != nullptr; change(Robot::Wanted::kUnchecked)) {
    read_on(tape_->size() + 1);
    if (at_ != tape_->size()) throw std::runtime_error(tape_->barcode() + " is too short");
  }
  session_->logout();
}

void Drive::change(Robot::Wanted wanted) {
  // Some hosts unload first; what was not synchronised is synchronised by it, or by the robot.
  if (tape_ != nullptr && below(2) == 0) {
    expect(session_->none({0x1b, 0, 0, 0, 0, 0}), kGood, "UNLOAD");
  }
  if (session_ && below(2) == 0) {
    session_->logout();
    session_.reset();
  }
  tape_ = robot_.change(number_, tape_, wanted, random_());
  if (!session_) {
    session_.emplace(library_.attach_drive(number_));
    ++totals_.logins;
  }
  if (tape_ == nullptr) return;
  at_ = 0;
  expect(session_->wait_ready(), kGood, "TEST UNIT READY after a move");
  check_position();
}

// --- writing

void Drive::write_on() {
  if (tape_->bytes() > kTapeBytes || tape_->size() > kTapeObjects) return overwrite();
  if (at_ != tape_->size()) {
    expect(space(*session_, 3, 0), kGood, "SPACE to end of data");
    ++totals_.positionings;
    at_ = tape_->size();
  }
  // Short runs of one size, as programs write them.
  for (std::uint64_t runs = 1 + below(12); runs > 0; --runs) {
    const std::uint32_t chosen = kSizes[below(std::size(kSizes))];
    for (std::uint64_t n = 1 + below(24); n > 0; --n)
      write(chosen != 0 ? chosen : static_cast<std::uint32_t>(1 + below(kLongestRecord)));
    if (below(3) == 0) write_filemarks_on();
  }
}

void Drive::write(std::uint32_t size) {
  const ByteString data = tape_->content(tape_->append(size));
  expect(write_block(*session_, data), kGood, "WRITE of " + std::to_string(size));
  ++at_;
  ++totals_.objects_written;
  totals_.bytes_written += size;
}

void Drive::write_filemarks_on() {
  const int count = 1 + static_cast<int>(below(3));
  expect(write_filemarks(*session_, count, below(3) == 0), kGood, "WRITE FILEMARKS");
  for (int i = 0; i < count; ++i) tape_->append(0);
  at_ += static_cast<std::uint64_t>(count);
  totals_.objects_written += static_cast<std::uint64_t>(count);
}

// From anywhere; what goes away and was never read is read before.
void Drive::overwrite() {
  const std::uint64_t from = below(3) == 0 ? 0 : below(tape_->size() + 1);
  for (std::uint64_t next = tape_->unread_from(from); next != tape_->size();
       next = tape_->unread_from(next)) {
    locate(next);
    while (at_ < tape_->size() && !tape_->at(at_).read) read_one();
  }
  locate(from);
  tape_->cut(from);
  ++totals_.overwrites;
  if (below(2) == 0) write_filemarks_on();
  write_on();
}

// --- reading

void Drive::read_on(std::uint64_t most) {
  while (most-- > 0 && read_one()) {
  }
}

bool Drive::read_one() {
  const CommandResult read = session_->in({0x08, 2, 0x10, 0, 0, 0}, kLongestRecord);  // SILI
  if (at_ == tape_->size()) {
    expect(read, kEndOfData, "READ at end of data");
    return false;
  }
  Object& object = tape_->at(at_);
  if (object.size == 0) {
    expect(read, kFilemark, "READ of a filemark");
  } else {
    expect(read, kGood, "READ");
    if (read.data != tape_->content(at_))
      throw std::runtime_error(tape_->barcode() + ", object " + std::to_string(at_) +
                               ": not what was written, or not all of it");
  }
  object.read = true;
  ++at_;
  ++totals_.objects_read;
  totals_.bytes_read += object.size;
  return true;
}

// --- moving about

void Drive::locate(std::uint64_t object) {
  expect(session_->none({0x2b, 0, 0, byte_of(object, 3), byte_of(object, 2), byte_of(object, 1),
                         byte_of(object, 0), 0, 0, 0}),
         kGood, "LOCATE " + std::to_string(object));
  ++totals_.positionings;
  at_ = object;
}

void Drive::space_about() {
  const bool blocks = below(2) == 0;
  const std::int32_t count = static_cast<std::int32_t>(below(41)) - 20;
  const char* stopped = kGood;
  for (std::int32_t left = count < 0 ? -count : count; left != 0;) {
    if (count > 0 ? at_ == tape_->size() : at_ == 0) {
      stopped = count > 0 ? kEndOfData : kBeginning;
      break;
    }
    if (count < 0) --at_;
    const bool mark = tape_->at(at_).size == 0;
    if (count > 0) ++at_;
    if (blocks && mark) {
      stopped = kFilemark;
      break;
    }
    if (blocks || mark) --left;
  }
  expect(space(*session_, blocks ? 0 : 1, count), stopped,
         "SPACE over " + std::to_string(count) + (blocks ? " blocks" : " filemarks"));
  ++totals_.positionings;
}

void Drive::check_position() {
  const std::uint64_t there = position(*session_);
  if (there == at_) return;
  throw std::runtime_error("drive " + std::to_string(number_) + ", " + tape_->barcode() +
                           ": at object " + std::to_string(there) + " instead of " +
                           std::to_string(at_) + " of " + std::to_string(tape_->size()));
}

}  // namespace soak
