#include "test/sim/hosts.h"

#include <fmt/format.h>

#include <utility>

#include "test/sim/world.h"

namespace sim {

using namespace std::chrono_literals;

namespace {

constexpr auto kAnswerLimit = 20s;  // without a word the line is given up

}  // namespace

Host::Host(World& world, std::string target, std::uint8_t number)
    : world_(world), target_(std::move(target)), number_(number) {}

void Host::connect() {
  InitiatorOptions options;
  options.name = fmt::format("iqn.1993-08.org.debian:01:host{}", number_);
  options.target = target_;
  options.isid = {std::byte{0x80}, {}, {}, std::byte{number_}, {}, {}};
  options.digests = world_.swarm().digests;
  if (world_.swarm().chap)
    options.chap = Credentials{number_ % 2 == 0 ? "7,5" : "8,6", Process::kUser, Process::kSecret,
                               Process::kTargetUser, Process::kTargetSecret};
  options.initial_r2t = world_.swarm().initial_r2t;
  options.immediate_data = world_.swarm().immediate_data;
  // Over the end of the numbers' circle now and then.
  options.first_cmd_sn =
      world_.random().chance(300) ? 0xFFFFFFFA : static_cast<std::uint32_t>(world_.random().next());
  disguise(options);
  line_ = world_.connect(*this);
  if (line_ == nullptr) return;
  initiator_ = std::make_unique<Initiator>(std::move(options));
  heard_ = world_.now();
  call();
  flush();
}

void Host::call() {
  initiator_->login([this](std::uint16_t status) {
    world_.trace(fmt::format("host {} logged in: {:04x}", number_, status));
    login_ended(status);
  });
}

void Host::login_ended(std::uint16_t status) {
  check(status == 0, fmt::format("a login was refused: {:04x}", status));
  if (world_.swarm().chap) ++world_.count().chap_logins;
}

bool Host::act() {
  if (waits_ && world_.now() < wait_until_) return false;
  waits_ = false;
  if (line_ == nullptr) {
    if (retiring_ || !wants_line()) return false;
    connect();
    return line_ != nullptr;
  }
  const bool waiting = !initiator_->logged_in() || busy() || initiator_->waits_for_ping();
  if (waiting && (line_->swallowed || may_be_ended_unheard()) &&
      world_.now() - heard_ > kAnswerLimit) {
    world_.trace(fmt::format("host {} gives its line up", number_));
    world_.hang_up(*line_);
    return true;
  }
  if (!waiting) heard_ = world_.now();
  if (!initiator_->logged_in()) return false;
  if (retiring_ && !busy()) {
    if (initiator_->may_send()) initiator_->logout();
    flush();
    return true;
  }
  if (line_->swallowed && !waiting) initiator_->ping();
  const bool acted = act_online();
  if (line_ != nullptr) flush();
  return acted;
}

void Host::receive(scsi::Bytes bytes) {
  heard_ = world_.now();
  initiator_->receive(bytes);
  flush();
}

void Host::flush() {
  const Data out = initiator_->take_output();
  line_->to_target.insert(line_->to_target.end(), out.begin(), out.end());
}

void Host::line_lost() {
  forget_session();
  if (!initiator_->logged_in() && !initiator_->logged_out()) gave_a_login_up_ = true;
  line_ = nullptr;
  initiator_.reset();
  waits_ = true;
  wait_until_ = world_.now() + std::chrono::milliseconds(world_.random().below(2000));
}

// --- the robot's host

ChangerHost::ChangerHost(World& world) : Host(world, kChangerTarget, 100) {}

bool ChangerHost::concerns(std::size_t drive) const {
  for (const Job& job : jobs_)
    if (job.drive == drive) return true;
  const Process* process = world_.process();
  return process != nullptr && process->is_open() && process->inventory->under_way != 0;
}

void ChangerHost::load(std::size_t drive, const std::string& barcode) {
  if (!concerns(drive)) jobs_.push_back({drive, true, barcode});
}
void ChangerHost::unload(std::size_t drive) {
  if (!concerns(drive)) jobs_.push_back({drive, false, ""});
}

void ChangerHost::forget_session() {
  // A move that was sent may still be made; nobody will hear of it.
  if (busy_ && !jobs_.empty()) jobs_.pop_front();
  busy_ = false;
}

std::optional<std::uint16_t> ChangerHost::free_slot() const {
  std::vector<std::uint16_t> free;
  for (const auto& element : world_.process()->library->elements())
    if (element.type == scsi::smc::ElementType::kStorage && !element.full)
      free.push_back(element.address);
  if (free.empty()) return {};
  return free[world_.random().below(free.size())];
}

bool ChangerHost::act_online() {
  if (busy_ || world_.process()->inventory->under_way != 0 || !initiator_->may_send()) return false;
  if (!jobs_.empty()) {
    move(jobs_.front());
    return true;
  }
  if (world_.calm() || !world_.random().chance(20)) return false;
  wrong_move();
  return true;
}

// With `second` EXCHANGE MEDIUM: what was in the destination goes there.
void ChangerHost::send(std::uint16_t source, std::uint16_t destination,
                       std::function<void(const Answer&)> done,
                       std::optional<std::uint16_t> second) {
  Cdb cdb{};
  const auto address = [&](std::size_t at, std::uint16_t value) {
    cdb[at] = static_cast<std::byte>(value >> 8);
    cdb[at + 1] = static_cast<std::byte>(value);
  };
  cdb[0] = second ? std::byte{0xA6} : std::byte{0xA5};
  address(4, source);
  address(6, destination);
  if (second) address(8, *second);
  busy_ = true;
  ++world_.count().commands;
  world_.trace(fmt::format("move {} to {}", source, destination) +
               (second ? fmt::format(", and what is there to {}", *second) : ""));
  initiator_->command(cdb, 0, {}, [this, done = std::move(done)](const Answer& answer) {
    world_.trace("  moved: " + answer.text());
    busy_ = false;
    if (answer.good() || answer.key() != 6) done(answer);
  });
}

void ChangerHost::move(const Job& job) {
  Process& process = *world_.process();
  const auto drive = static_cast<std::uint16_t>(kFirstDrive + job.drive);
  std::string barcode = job.barcode;
  std::string in_drive;
  std::vector<std::string> in_slots;
  for (const auto& element : process.library->elements()) {
    if (element.address == drive) in_drive = element.barcode;
    if (element.full && element.type == scsi::smc::ElementType::kStorage)
      in_slots.push_back(element.barcode);
  }
  if (job.to_drive == !in_drive.empty() || (job.to_drive && in_slots.empty())) {
    jobs_.pop_front();  // no longer to be done
    return;
  }
  std::uint16_t source = drive, destination = drive;
  std::optional<std::uint16_t> second;
  const bool exchange = !job.to_drive && !in_slots.empty() && world_.swarm().exchange &&
                        !world_.calm() && world_.random().chance(500);
  if (job.to_drive || exchange) {
    if (barcode.empty()) barcode = in_slots[world_.random().below(in_slots.size())];
    source = process.library->find(barcode)->address;
    if (source >= kFirstDrive && source < kFirstSlot) {
      jobs_.pop_front();
      return;
    }
    if (exchange) second = world_.random().chance(500) ? source : free_slot();
  } else {
    destination = free_slot().value();
  }
  const std::uint64_t moved = process.inventory->moved;
  const auto ended = [this, moved](const Answer& answer) {
    check(answer.good() == (world_.process()->inventory->moved == moved + 1),
          "the answer to a move is not how it ended: " + answer.text());
    check(answer.code() != 0x5302 || world_.swarm().prevent, "nobody prevents the removal");
    if (answer.good()) ++world_.count().moves;
    jobs_.pop_front();
  };
  send(source, destination, ended, second);
}

// Refused with the right words, and nothing is moved.
void ChangerHost::wrong_move() {
  std::optional<std::uint16_t> full;
  for (const auto& element : world_.process()->library->elements())
    if (element.full && element.type == scsi::smc::ElementType::kStorage) full = element.address;
  const auto empty = free_slot();
  if (!full || !empty) return;
  struct Wrong {
    std::uint16_t source, destination;
    unsigned code;
  };
  const Wrong wrongs[] = {{*empty, *full, 0x3B0E}, {7, *empty, 0x2101}, {*full, 9, 0x2101}};
  const Wrong wrong = wrongs[world_.random().below(3)];
  send(wrong.source, wrong.destination, [code = wrong.code](const Answer& answer) {
    check(answer.key() == 5 && answer.code() == code,
          fmt::format("a move that cannot be made: {} instead of {:04x}", answer.text(), code));
  });
}

}  // namespace sim
