#include <fmt/format.h>

#include "test/sim/hosts.h"
#include "test/sim/world.h"

namespace sim {

using Kind = ClaimOperation::Kind;

namespace {

Cdb cdb_of(const ClaimOperation& op, std::uint32_t limit) {
  Cdb cdb{};
  const auto set = [&](std::size_t at, unsigned value) { cdb[at] = static_cast<std::byte>(value); };
  switch (op.kind) {
    case Kind::kRewind:
      set(0, 0x01);
      break;
    case Kind::kReadPosition:
      set(0, 0x34), set(1, 6);
      break;
    case Kind::kTestUnitReady:
      break;
    default:
      constexpr unsigned kActions[] = {0, 6, 1, 2, 3, 4, 5, 0, 1, 3};
      set(0, op.is_out() ? 0x5F : 0x5E);
      set(1, kActions[static_cast<int>(op.kind)]);
      set(2, op.is_out() ? op.type : 0);
      if (op.is_in()) set(7, limit >> 8);
      set(8, op.is_out() ? 24 : limit & 0xFF);
  }
  return cdb;
}

}  // namespace

Claimant::Claimant(World& world, unsigned index)
    : Host(world, kClaimedTarget, static_cast<std::uint8_t>(60 + index)), index_(index) {}

void Claimant::login_ended(std::uint16_t status) {
  Host::login_ended(status);
  world_.books().claims.logged_in(index_);
}

void Claimant::forget_session() {
  Claims& claims = world_.books().claims;
  claims.cut_off(index_);
  if (sent_) claims.unanswered(*std::exchange(sent_, std::nullopt));
}

bool Claimant::may_be_ended_unheard() const { return world_.books().claims.may_abort; }

ClaimOperation Claimant::choose() {
  Random& random = world_.random();
  const Claim& claim = world_.books().claims.guess();
  ClaimOperation op;
  op.host = index_;
  op.kind = static_cast<Kind>(random.below(13));
  // Or they would mostly be refused, and seldom hold anything.
  if (claim.key_of(index_) == 0 && random.chance(600)) op.kind = Kind::kRegister;
  if (op.kind == Kind::kClear && random.chance(800)) op.kind = Kind::kReserve;
  constexpr unsigned kTypes[] = {1, 3, 5, 6, 7, 8};
  op.type = random.chance(500) && claim.type != 0 ? claim.type : kTypes[random.below(6)];
  op.persist = random.chance(700);
  // Keys of its own, and one that others may have too.
  const auto some_key = [&] {
    return random.chance(300) ? 7 : 0x100 * (index_ + 1) + random.below(2);
  };
  op.key = random.chance(50) ? some_key() : claim.key_of(index_);
  if (op.kind == Kind::kRegister || op.kind == Kind::kRegisterAndIgnore) {
    op.other_key = random.chance(200) ? 0 : some_key();
  } else if (op.kind == Kind::kPreempt || op.kind == Kind::kPreemptAndAbort) {
    if (!claim.registered.empty())
      op.other_key = claim.registered[random.below(claim.registered.size())].key;
    if (random.chance(150)) op.other_key = random.chance(500) ? 0 : some_key();
  }
  return op;
}

bool Claimant::act_online() {
  Claims& claims = world_.books().claims;
  if (sent_ || claims.turn != Claims::kNobody || world_.calm() || !world_.random().chance(100) ||
      !initiator_->may_send())
    return false;
  const ClaimOperation op = choose();
  const std::uint32_t limit = op.is_in() ? 4096 : op.kind == Kind::kReadPosition ? 32 : 0;
  Data list;
  if (op.is_out()) {
    list.resize(24);
    for (std::size_t i = 0; i < 8; ++i) {
      list[i] = static_cast<std::byte>(op.key >> (56 - 8 * i));
      list[8 + i] = static_cast<std::byte>(op.other_key >> (56 - 8 * i));
    }
    list[20] = static_cast<std::byte>(op.persist ? 1 : 0);
  }
  claims.turn = index_;
  sent_ = op;
  ++world_.count().commands;
  if (op.is_out()) ++world_.count().claims;
  world_.trace(op.text());
  initiator_->command(cdb_of(op, limit), limit, std::move(list), [this, op](const Answer& answer) {
    sent_.reset();
    world_.trace(fmt::format("claimant {}: {}", index_, answer.text()));
    world_.books().claims.answered(op, answer);
  });
  return true;
}

}  // namespace sim
