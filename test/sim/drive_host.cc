// A host that writes and reads tapes.
#include <fmt/format.h>

#include "scsi/crc32c.h"
#include "test/sim/hosts.h"
#include "test/sim/world.h"

namespace sim {

using namespace std::chrono_literals;
using Kind = Operation::Kind;

namespace {

constexpr std::uint32_t kReadLimit = 1u << 20;  // above every record
constexpr std::size_t kLongestTape = 150;       // objects
constexpr std::size_t kManyTapes = 100;         // that it may be
constexpr std::uint8_t kModeSelectBytes = 12;   // header and block descriptor
constexpr unsigned kMostFixed = 8;              // blocks a command

Data record_of(std::uint64_t x, std::size_t length) {
  Data data(length);
  x = x * 0x9E3779B97F4A7C15ull + 1;
  for (std::byte& b : data) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    // Compressible, somewhat.
    b = static_cast<std::byte>(x & ((x & 0x300) != 0 ? 0x0F : 0xFF));
  }
  return data;
}

Cdb cdb_of(const Operation& op) {
  Cdb cdb{};
  const auto put = [&](std::size_t at, std::size_t width, std::int64_t value) {
    for (std::size_t i = 0; i < width; ++i)
      cdb[at + i] = static_cast<std::byte>(value >> (8 * (width - 1 - i)));
  };
  switch (op.kind) {
    case Kind::kTestUnitReady:
      break;
    case Kind::kWrite:
      put(0, 1, 0x0A);
      put(1, 1, op.fixed ? 1 : 0);
      put(2, 3, op.fixed ? op.count : op.blocks[0].length);
      break;
    case Kind::kFilemarks:
      put(0, 1, 0x10);
      put(1, 1, op.immediate ? 1 : 0);
      put(2, 3, op.count);
      break;
    case Kind::kRead:
      put(0, 1, 0x08);
      put(1, 1, op.fixed ? 1 : 2);  // FIXED, SILI
      put(2, 3, op.fixed ? op.count : kReadLimit);
      break;
    case Kind::kSpaceBlocks:
    case Kind::kSpaceFilemarks:
    case Kind::kSpaceEndOfData:
      put(0, 1, 0x11);
      put(1, 1, op.kind == Kind::kSpaceBlocks ? 0 : op.kind == Kind::kSpaceFilemarks ? 1 : 3);
      put(2, 3, op.count);
      break;
    case Kind::kLocate:
      put(0, 1, 0x92);
      put(4, 8, op.count);
      break;
    case Kind::kRewind:
      put(0, 1, 0x01);
      break;
    case Kind::kReadPosition:
      put(0, 1, 0x34);
      put(1, 1, 6);
      break;
    case Kind::kErase:
      put(0, 1, 0x19);
      break;
    case Kind::kUnload:
      put(0, 1, 0x1B);
      break;
    case Kind::kModeSelect:
      put(0, 1, 0x15);
      put(1, 1, 0x10);
      put(4, 1, kModeSelectBytes);
      break;
    case Kind::kReserve:
      put(0, 1, 0x16);
      break;
    case Kind::kPrevent:
      put(0, 1, 0x1E);
      put(4, 1, op.count);
      break;
  }
  return cdb;
}

}  // namespace

DriveHost::DriveHost(World& world, std::size_t drive)
    : Host(world, drive_target(drive), static_cast<std::uint8_t>(drive + 1)), drive_(drive) {}

TapeModel* DriveHost::tape() const {
  const Bay& bay = *world_.process()->bays[drive_];
  return bay.inside == nullptr ? nullptr : &bay.inside->tape;
}

void DriveHost::verify_tape(const std::string& barcode) {
  verifying_ = barcode;
  verify_ = Verify::kRewind;
}

bool DriveHost::act_online() {
  // While the robot is at this drive nobody knows what a command would meet.
  if (managing_ || world_.changer().concerns(drive_)) return false;
  if (tape() != nullptr && tape()->barcode() != works_on_) {
    works_on_ = tape()->barcode();
    give_back_ = was_unloaded_ = false;
    ready_ = Ready::kNo;
    // Where power goes again and again, tapes are opened and closed often.
    left_ = 5 + static_cast<unsigned>(world_.random().below(world_.swarm().cutting ? 25 : 100));
  }
  if (world_.calm() && verifying_.empty()) give_back_ = true;
  if (tape() == nullptr || give_back_) return change_tapes();
  if (!verifying_.empty() && tape()->barcode() != verifying_) {
    give_back_ = true;
    return true;
  }
  if (ready_ != Ready::kYes) return prepare();
  if (!verifying_.empty()) {
    if (!sent_.empty()) return false;
    read_on();
    return true;
  }
  if (world_.swarm().task_management && !sent_.empty() && world_.random().chance(30)) {
    manage();
    return true;
  }
  if (sent_.size() >= world_.swarm().depth || !initiator_->may_send()) return false;
  if (left_ == 0) {
    give_back_ = true;
    return true;
  }
  --left_;
  choose();
  return true;
}

bool DriveHost::change_tapes() {
  if (!sent_.empty()) return false;
  ready_ = Ready::kNo;
  reading_ = false;
  if (!world_.process()->drive_full(drive_)) {
    works_on_.clear();
    if (world_.calm() && verifying_.empty()) return false;
    world_.changer().load(drive_, verifying_);
    return true;
  }
  // Some hosts unload first.
  if (!was_unloaded_ && tape() != nullptr && tape()->is_loaded() && world_.random().chance(500)) {
    was_unloaded_ = true;
    if (!initiator_->may_send()) return false;
    send({Kind::kUnload, {}, 0, false});
    return true;
  }
  if (world_.swarm().prevent && !asked_to_prevent_) {
    if (!initiator_->may_send()) return false;
    asked_to_prevent_ = true;
    send({Kind::kPrevent, {}, !world_.calm() && world_.random().chance(200) ? 1 : 0});
    return true;
  }
  asked_to_prevent_ = false;
  world_.changer().unload(drive_);
  return true;
}

// Until TEST UNIT READY has told all it had to tell; then what is to hold, and where the tape is.
bool DriveHost::prepare() {
  if (!sent_.empty() || !initiator_->may_send()) return false;
  if (ready_ == Ready::kNo) {
    ready_ = Ready::kAsked;
    send({Kind::kTestUnitReady, {}, 0, false});
  } else if (ready_ == Ready::kMode) {
    Data list(kModeSelectBytes);
    list[2] = std::byte{0x10};  // buffered
    list[3] = std::byte{8};
    list[10] = static_cast<std::byte>(kFixedBlock >> 8);
    list[11] = static_cast<std::byte>(kFixedBlock & 0xFF);
    send({Kind::kModeSelect, {}, kFixedBlock}, std::move(list));
  } else if (ready_ == Ready::kReserve) {
    send({Kind::kReserve, {}, 0});
  } else if (ready_ == Ready::kPosition) {
    send({Kind::kReadPosition, {}, 0, false});
  } else {
    return false;
  }
  return true;
}

auto DriveHost::next_to_prepare(Ready done) const -> Ready {
  if (done == Ready::kAsked && world_.swarm().fixed_blocks) return Ready::kMode;
  if (done != Ready::kReserve && world_.swarm().reserve && !reserves_) return Ready::kReserve;
  return Ready::kPosition;
}

void DriveHost::choose() {
  Random& random = world_.random();
  const Tape& now = tape()->guess();
  const auto size = static_cast<std::int64_t>(now.contents.size());
  const auto at_end = now.position == now.contents.size();
  const auto signed_below = [&](std::int64_t n) {
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
  };
  // Seldom in the middle, or no tape would ever become long. But one cut soon after another, and
  // near it, is where the order of things counts.
  const bool cutting = world_.swarm().cutting;
  const bool may_write =
      (at_end || (world_.swarm().overwrite && random.chance(cutting ? 500 : 150))) &&
      now.contents.size() < kLongestTape;
  if (reading_) return read_on();
  // Before there are too many to be followed, it looks what is there, or has it made durable.
  if (tape()->possibilities() > kManyTapes && random.chance(500)) {
    reading_ = true;
    return send({Kind::kLocate, {}, static_cast<std::int64_t>(tape()->known_until()), false});
  }
  if (tape()->possibilities_after_crash() > kManyTapes && random.chance(200))
    return send({Kind::kFilemarks, {}, 0, false});
  switch (random.below(20)) {
    case 0:
      if (cutting && size > 8) return send({Kind::kLocate, {}, size - signed_below(8), false});
      return send({Kind::kLocate, {}, signed_below(size + 2), false});
    case 1:
      return send({Kind::kRewind, {}, 0, false});
    case 2:
      return send({Kind::kSpaceBlocks, {}, signed_below(12) - 6, false});
    case 3:
      return send({Kind::kSpaceFilemarks, {}, signed_below(6) - 3, false});
    case 4:
      return send({Kind::kReadPosition, {}, 0, false});
    case 5:
      reading_ = random.chance(300);
      return send({Kind::kRead, {}, 0, false});
    case 6:
      if (world_.swarm().fixed_blocks)
        return send({Kind::kRead, {}, 1 + signed_below(kMostFixed), false, true});
      return send({Kind::kRead, {}, 0, false});
    case 7:
      if (world_.swarm().erase && random.chance(200)) return send({Kind::kErase, {}, 0, false});
      [[fallthrough]];
    case 8:
      return send({Kind::kSpaceEndOfData, {}, 0, false});
    case 9:
    case 10:
      return send({Kind::kFilemarks, {}, may_write ? signed_below(3) : 0, false});
    case 11:
      if (may_write) return send({Kind::kFilemarks, {}, signed_below(3), true});
      return send({Kind::kRead, {}, 0, false});
    default:
      break;
  }
  if (!may_write) return send({Kind::kSpaceEndOfData, {}, 0, false});
  const bool fixed = world_.swarm().fixed_blocks && random.chance(500);
  write(fixed ? 1 + static_cast<std::uint32_t>(random.below(kMostFixed)) : 0);
}

void DriveHost::write(std::uint32_t blocks) {
  Operation write{Kind::kWrite, {}, blocks, false, blocks != 0};
  const std::uint32_t length =
      blocks != 0
          ? blocks * kFixedBlock
          : 1 + static_cast<std::uint32_t>(world_.random().below(world_.swarm().largest_record));
  Data record =
      record_of(drive_ << 56 | world_.now().time_since_epoch().count() << 16 | ++records_, length);
  const std::uint32_t each = blocks != 0 ? kFixedBlock : length;
  for (std::size_t at = 0; at < record.size(); at += each)
    write.blocks.push_back({each, scsi::crc32c(scsi::Bytes(record).subspan(at, each))});
  send(write, std::move(record));
}

void DriveHost::read_on() {
  if (!verifying_.empty() && verify_ == Verify::kRewind) return send({Kind::kRewind, {}, 0, false});
  send({Kind::kRead, {}, 0, false});
}

void DriveHost::send(const Operation& op, Data record) {
  ++world_.count().commands;
  const std::uint32_t limit = op.kind == Kind::kRead && op.fixed
                                  ? static_cast<std::uint32_t>(op.count) * kFixedBlock
                              : op.kind == Kind::kRead         ? kReadLimit
                              : op.kind == Kind::kReadPosition ? 32
                                                               : 0;
  // The tag is known before an answer can come.
  const auto tag = std::make_shared<std::uint32_t>(0);
  *tag = initiator_->command(cdb_of(op), limit, std::move(record),
                             [this, tag](const Answer& answer) { answered(*tag, answer); });
  sent_.push_back({*tag, op});
  world_.trace(fmt::format("drive {}: {}", drive_, op.text()));
}

void DriveHost::answered(std::uint32_t tag, const Answer& answer) {
  check(!sent_.empty() && sent_.front().tag == tag, "answered out of order");
  const Operation op = sent_.front().operation;
  sent_.pop_front();
  world_.trace(fmt::format("drive {}: {}: {} {:08x}", drive_, op.text(), answer.text(),
                           scsi::crc32c(answer.data)));
  const bool not_ready = !answer.good() && !answer.deferred() && answer.key() == 2;
  if (answer.code() == 0x0C00)
    ++(answer.deferred() ? world_.count().write_faults_told : world_.count().write_faults);
  Bay& bay = *world_.process()->bays[drive_];
  if (answer.deferred() && bay.owed) {
    check(!bay.owed->told_later, "a write error was told twice");
    bay.owed.reset();
    ready_ = Ready::kNo;
    return;
  }
  if (op.aside() && !answer.deferred()) {
    check(answer.good() || answer.key() == 6, "refused: " + answer.text());
    if (op.kind == Kind::kReserve) {
      reserves_ = answer.good();
      ready_ = answer.good() ? next_to_prepare(Ready::kReserve) : Ready::kNo;
    }
    return;
  }
  TapeModel* model = tape();
  if (op.kind == Kind::kUnload && answer.code() == 0x5302) {
    check(world_.swarm().prevent, "nobody prevents the removal");
    return;
  }
  // UNLOAD succeeds of an empty drive: a move that nobody remembers may have come before it.
  check(model != nullptr || not_ready || answer.key() == 6 || answer.deferred() ||
            op.kind == Kind::kUnload,
        "a tape that is not there answers");
  if (model == nullptr || not_ready) {
    ready_ = Ready::kNo;
    waits_ = true;
    wait_until_ = world_.now() + 10ms;
    // A cartridge that the drive cannot load stays so.
    if (model != nullptr && answer.code() != 0x0401 && answer.code() != 0x0407) give_back_ = true;
    return;
  }
  if (!model->is_loaded() && op.kind != Kind::kUnload) {
    check(answer.key() == 6 || answer.deferred() || model->disk_faults,
          "a cartridge that is not loaded answers: " + answer.text());
    ready_ = Ready::kNo;
    if (answer.key() != 6 && !answer.deferred()) give_back_ = true;
    return;
  }
  const bool done = model->answered(op, answer);
  if (model->is_lost()) return;
  outcome(op, answer, done);
}

void DriveHost::outcome(const Operation& op, const Answer& answer, bool done) {
  TapeModel& model = *tape();
  const Bay& bay = *world_.process()->bays[drive_];
  if (!done) {
    ready_ = Ready::kNo;
    return;
  }
  if (op.kind == Kind::kUnload) {
    model.unloaded(answer.good());
    return;
  }
  if (model.must_refuse_writes() && (op.writes() || verifying_.empty())) {
    // It has to be seen once that nothing more is taken.
    if (op.writes() || left_ > 4) left_ = std::min(left_, op.writes() ? 0u : 4u);
  }
  const bool fault = !answer.good() && (answer.key() == 3 || answer.key() == 4);
  if (op.kind == Kind::kTestUnitReady) {
    // Its session may have changed, or a reset have made it forget; else it has to have been told.
    const bool remembers = !world_.swarm().lines_fail() && !world_.swarm().task_management;
    check(!bay.owed || !remembers || bay.owed->told || !answer.good(),
          "nobody was told of a write error");
    ready_ = answer.good() ? next_to_prepare(Ready::kAsked) : Ready::kNo;
  } else if (op.kind == Kind::kModeSelect) {
    ready_ = answer.good() ? next_to_prepare(Ready::kMode) : Ready::kNo;
  } else if (op.kind == Kind::kReadPosition) {
    ready_ = Ready::kYes;
  } else if (fault) {
    ready_ = Ready::kNo;
  }
  if (op.kind == Kind::kFilemarks && !op.immediate && answer.good()) ++world_.count().barriers;
  if (op.kind == Kind::kRead && answer.good()) ++world_.count().records_verified;
  const bool end = op.kind == Kind::kRead && !answer.good() && answer.key() == 8;
  if (end || fault) reading_ = false;
  if (verifying_.empty()) return;
  if (op.kind == Kind::kRewind && answer.good()) verify_ = Verify::kRead;
  if (fault) verify_ = Verify::kRewind;
  if (!end || verify_ != Verify::kRead) return;
  check(model.is_certain(), "a tape that was read to its end: " + model.text());
  verifying_.clear();
  give_back_ = true;
}

void DriveHost::manage() {
  using Function = iscsi::TaskManagementFunction;
  constexpr Function kFunctions[] = {Function::kAbortTask, Function::kAbortTaskSet,
                                     Function::kLogicalUnitReset, Function::kTargetWarmReset};
  const Function function = sent_.size() == 1 ? kFunctions[world_.random().below(4)]
                                              : kFunctions[1 + world_.random().below(3)];
  managing_ = true;
  reserves_ = false;  // a reset ends it
  ++world_.count().managements;
  world_.trace(fmt::format("drive {}: task management {}", drive_, static_cast<int>(function)));
  initiator_->manage(function, sent_.front().tag, [this](iscsi::TaskManagementCode code) {
    managing_ = false;
    ready_ = Ready::kNo;
    if (code != iscsi::TaskManagementCode::kComplete) {
      check(code == iscsi::TaskManagementCode::kNoSuchTask, "task management was refused");
      check(sent_.empty(), "a task that does not exist was not answered");
      return;
    }
    std::vector<Operation> operations;
    for (const Sent& sent : sent_) operations.push_back(sent.operation);
    sent_.clear();
    if (tape() != nullptr) tape()->unanswered(operations);
  });
}

void DriveHost::forget_session() {
  std::vector<Operation> operations;
  for (const Sent& sent : sent_) operations.push_back(sent.operation);
  sent_.clear();
  managing_ = reserves_ = asked_to_prevent_ = false;
  ready_ = Ready::kNo;
  reading_ = false;
  if (tape() != nullptr) tape()->unanswered(operations);
  verify_ = Verify::kRewind;
}

}  // namespace sim
