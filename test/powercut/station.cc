#include "test/powercut/station.h"

#include <string>

namespace {

std::string describe(const CommandResult& result) {
  return result.transport_error.empty() ? "sense " + result.sense_code() : result.transport_error;
}

void expect(const CommandResult& result, const std::string& what) {
  if (!result.good()) throw Loss(what + ": " + describe(result));
}

}  // namespace

std::size_t Station::check() {
  attach();
  if (!loaded_) exchange();
  expect(drive_->wait_ready(), "the drive is not ready");
  return at_ = loaded_->check(*drive_);
}

void Station::work(const std::atomic<bool>& cut, std::uint64_t seed) {
  try {
    Random random(seed);
    const std::uint64_t objects_a_filemark =
        std::array<std::uint64_t, 3>{8, 40, 300}.at(random() % 3);
    for (;;) step(random, objects_a_filemark);
  } catch (const std::exception&) {
    if (!cut) throw;
  }
}

void Station::exchange() {
  Tape& next = loaded_ == &tapes_[0] ? tapes_[1] : tapes_[0];
  if (loaded_ != nullptr) move(*loaded_, home(*loaded_));
  move(next, kFirstDrive + number_ - 1);
  expect(drive_->wait_ready(), "the drive is not ready");
  at_ = next.check(*drive_);
}

void Station::detach() {
  drive_.reset();
  changer_.reset();
  loaded_ = nullptr;
}

int Station::home(const Tape& tape) const {
  return kFirstSlot + 2 * (number_ - 1) + static_cast<int>(&tape - tapes_.data());
}

void Station::attach() {
  if (drive_) return;
  LoginOptions name;
  name.initiator += std::to_string(number_);
  changer_.emplace(Initiator::attach(daemon_.portal(), daemon_.changer(), name));
  drive_.emplace(Initiator::attach(daemon_.portal(), daemon_.drive(number_), name));
  for (Tape& tape : tapes_) {
    if (tape.element == kFirstDrive + number_ - 1) loaded_ = &tape;
  }
}

void Station::move(Tape& tape, int element) {
  tape.maybe_in = element;
  expect(move_medium(*changer_, tape.element, element), "MOVE MEDIUM");
  if (&tape == loaded_) tape.synchronised();
  loaded_ = &tape == loaded_ ? nullptr : &tape;
  tape.element = element;
  tape.maybe_in = 0;
}

void Station::step(Random& random, std::uint64_t objects_a_filemark) {
  const std::uint64_t choice = random() % 1000;
  if (choice < 4) return exchange();
  if (choice < 25) return locate(random() % 3 == 0 ? 0 : random() % (at_ + 1));
  if (choice < 45) {  // to end of data: what is buffered is written, and not synchronised
    expect(space(*drive_, 3, 0), "SPACE");
    at_ = loaded_->size();
    return;
  }
  if (random() % objects_a_filemark == 0) {
    const bool immediate = random() % 3 == 0;
    send({0, 0});
    expect(write_filemarks(*drive_, 1, immediate), "WRITE FILEMARKS");
    if (!immediate) loaded_->synchronised();
    return;
  }
  static constexpr std::array<std::size_t, 6> kSizes = {1, 512, 4096, 65536, 262144, 262144};
  const Object record{kSizes.at(random() % kSizes.size()), random()};
  send(record);
  expect(write_block(*drive_, pattern(record.size, record.seed)), "WRITE");
}

void Station::locate(std::uint64_t object) {
  const auto byte = [object](int n) { return static_cast<int>(object >> (8 * n) & 0xff); };
  expect(drive_->none({0x2b, 0, 0, byte(3), byte(2), byte(1), byte(0), 0, 0, 0}), "LOCATE");
  at_ = object;
}
