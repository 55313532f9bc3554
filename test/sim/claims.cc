#include "test/sim/claims.h"

#include <fmt/format.h>

#include <algorithm>

#include "test/sim/random.h"

namespace sim {

namespace {

constexpr unsigned kWriteExclusive = 1, kExclusiveAccess = 3, kWriteExclusiveAllRegistrants = 7,
                   kExclusiveAccessAllRegistrants = 8;
constexpr unsigned kReservationsPreempted = 0x2A03, kReservationsReleased = 0x2A04,
                   kRegistrationsPreempted = 0x2A05;

bool of_all_registrants(unsigned type) {
  return type == kWriteExclusiveAllRegistrants || type == kExclusiveAccessAllRegistrants;
}
bool of_one(unsigned type) { return type == kWriteExclusive || type == kExclusiveAccess; }
bool excludes_writes_only(unsigned type) { return type == 1 || type == 5 || type == 7; }

void put(Data& out, std::size_t width, std::uint64_t value) {
  while (width-- != 0) out.push_back(static_cast<std::byte>(value >> (8 * width)));
}

}  // namespace

const Claim::Registered* Claim::find(unsigned host) const {
  for (const Registered& r : registered)
    if (r.host == host) return &r;
  return nullptr;
}

bool Claim::held_by(unsigned host) const {
  if (type == 0) return false;
  return of_all_registrants(type) ? find(host) != nullptr : holder == host;
}

bool Claim::has_access(unsigned host) const {
  return type == 0 || held_by(host) || (!of_one(type) && find(host) != nullptr);
}

std::string ClaimOperation::text() const {
  static constexpr const char* kNames[] = {"register",
                                           "register and ignore",
                                           "reserve",
                                           "release",
                                           "clear",
                                           "preempt",
                                           "preempt and abort",
                                           "keys",
                                           "reservation",
                                           "full status",
                                           "to rewind",
                                           "position",
                                           "ready"};
  return fmt::format("claimant {}: {} key {:x} other {:x} type {}{}", host,
                     kNames[static_cast<int>(kind)], key, other_key, type,
                     persist ? " persisting" : "");
}

// --- what each does

// What outlives a loss of power (5.12.5): all or, without APTPL, nothing.
Claim Claims::kept(const Claim& claim) {
  if (!claim.persists || claim.registered.empty()) return {};
  Claim kept = claim;
  kept.generation = 0;
  if (kept.type == 0 || of_all_registrants(kept.type)) kept.holder = 0;
  return kept;
}

Claim Claims::carried_out(const Claim& before, const ClaimOperation& op, Expected& expected) {
  using Kind = ClaimOperation::Kind;
  Claim claim = before;
  const auto tell_others = [&](unsigned code) {
    for (const Claim::Registered& r : claim.registered)
      if (r.host != op.host) expected.tells.emplace_back(r.host, code);
  };
  const auto release = [&] {
    if (!of_one(claim.type)) tell_others(kReservationsReleased);
    claim.type = claim.holder = 0;
  };
  const Claim::Registered* own = claim.find(op.host);
  switch (op.kind) {
    case Kind::kRegister:
    case Kind::kRegisterAndIgnore: {
      if (op.kind == Kind::kRegister && op.key != claim.key_of(op.host)) {
        conflict(expected);
        break;
      }
      if (op.other_key == 0 && own == nullptr) break;
      ++claim.generation;
      claim.persists = op.persist;
      if (op.other_key != 0) {
        if (own != nullptr)
          claim.registered[static_cast<std::size_t>(own - claim.registered.data())].key =
              op.other_key;
        else
          claim.registered.push_back({op.host, op.other_key});
        break;
      }
      const bool held = claim.held_by(op.host);
      std::erase_if(claim.registered, [&](const auto& r) { return r.host == op.host; });
      if (held && (!of_all_registrants(claim.type) || claim.registered.empty())) release();
      break;
    }
    case Kind::kReserve:
    case Kind::kRelease:
    case Kind::kClear:
    case Kind::kPreempt:
    case Kind::kPreemptAndAbort:
      if (own == nullptr || own->key != op.key) {
        conflict(expected);
      } else if (op.kind == Kind::kReserve) {
        if (claim.type == 0)
          claim.type = op.type, claim.holder = of_all_registrants(op.type) ? 0 : op.host;
        else if (!claim.held_by(op.host) || claim.type != op.type)
          conflict(expected);
      } else if (op.kind == Kind::kRelease) {
        if (!claim.held_by(op.host)) break;
        if (claim.type == op.type)
          release();
        else
          expected.status = 2, expected.key = 5, expected.code = 0x2604;
      } else if (op.kind == Kind::kClear) {
        tell_others(kReservationsPreempted);
        claim.registered.clear();
        claim.type = claim.holder = 0;
        ++claim.generation;
      } else {
        preempt(claim, op, expected);
      }
      break;
    case Kind::kReadKeys:
    case Kind::kReadReservation:
    case Kind::kReadFullStatus:
      read(claim, op, expected);
      break;
    case Kind::kRewind:
    case Kind::kReadPosition:
    case Kind::kTestUnitReady:
      // The drive is empty: what is let through says so.
      expected.status = 2, expected.key = 2, expected.code = 0x3A00;
      if (op.kind != Kind::kTestUnitReady && !claim.has_access(op.host) &&
          (op.kind == Kind::kRewind || !excludes_writes_only(claim.type)))
        expected = {}, conflict(expected);
      break;
  }
  return claim;
}

// 5.12.11.4, 5.12.11.5
void Claims::preempt(Claim& claim, const ClaimOperation& op, Expected& expected) {
  const bool by_all = of_all_registrants(claim.type);
  const bool takes =
      claim.type != 0 && (by_all ? op.other_key == 0 : claim.key_of(claim.holder) == op.other_key);
  if (op.other_key == 0 && !takes) {
    expected.status = 2, expected.key = 5, expected.code = 0x2600;
    return;
  }
  std::vector<Claim::Registered> left, gone;
  for (const Claim::Registered& r : claim.registered) {
    const bool spared = takes && r.host == op.host;
    const bool hit = by_all && op.other_key == 0 ? true : r.key == op.other_key;
    (hit && !spared ? gone : left).push_back(r);
  }
  if (gone.empty() && !takes) return conflict(expected);
  claim.registered = left;
  ++claim.generation;
  for (const Claim::Registered& r : gone)
    if (r.host != op.host) expected.tells.emplace_back(r.host, kRegistrationsPreempted);
  if (takes) {
    if (claim.type != op.type)
      for (const Claim::Registered& r : left)
        if (r.host != op.host) expected.tells.emplace_back(r.host, kReservationsReleased);
    claim.type = op.type;
    claim.holder = of_all_registrants(op.type) ? 0 : op.host;
  } else if (left.empty()) {
    claim.type = claim.holder = 0;
  }
}

// PERSISTENT RESERVE IN, 6.15
void Claims::read(const Claim& claim, const ClaimOperation& op, Expected& expected) {
  using Kind = ClaimOperation::Kind;
  Data& out = expected.data;
  put(out, 4, claim.generation);
  if (op.kind == Kind::kReadKeys) {
    put(out, 4, 8 * claim.registered.size());
    for (const Claim::Registered& r : claim.registered) put(out, 8, r.key);
  } else if (op.kind == Kind::kReadReservation) {
    put(out, 4, claim.type == 0 ? 0 : 16);
    if (claim.type == 0) return;
    put(out, 8, of_all_registrants(claim.type) ? 0 : claim.key_of(claim.holder));
    put(out, 5, 0);
    put(out, 1, claim.type);
    put(out, 2, 0);
  } else {
    for (const Claim::Registered& r : claim.registered) {
      put(out, 8, r.key);
      put(out, 1, claim.held_by(r.host));
      put(out, 1, claim.held_by(r.host) ? claim.type : 0);
      put(out, 1, r.host);
    }
  }
}

// --- what is known

bool Claims::Expected::fits(const ClaimOperation& op, const Answer& answer) const {
  if (answer.status != status) return false;
  if (status == 2) return !answer.deferred() && answer.key() == key && answer.code() == code;
  if (op.kind != ClaimOperation::Kind::kReadFullStatus) return answer.data == data;
  // The descriptors, shortened to what is compared; whose they are their TransportIDs say.
  if (answer.data.size() < 8) return false;
  scsi::ByteReader in(answer.data);
  Data found;
  put(found, 4, in.u32());
  if (in.u32() != in.remaining()) return false;
  while (in.ok() && in.remaining() != 0) {
    put(found, 8, in.u64());
    in.skip(4);
    put(found, 1, in.u8());
    put(found, 1, in.u8());
    in.skip(6);
    const std::string name(scsi::as_text(in.bytes(in.u32())));
    for (unsigned host = 0; host < kClaimants; ++host)
      if (name.find(fmt::format(":host{},i,0x", 60 + host)) != std::string::npos)
        put(found, 1, host);
  }
  return in.ok() && found == data;
}

void Claims::started(bool unreadable) {
  may_abort = false;
  for (State& state : may_be_) state.now = unreadable ? Claim{} : state.disk;
  std::sort(may_be_.begin(), may_be_.end());
  may_be_.erase(std::unique(may_be_.begin(), may_be_.end()), may_be_.end());
  online_ = must_hear_ = {};
  turn = kNobody;
}

// The target takes it for logged in before it hears so itself: what is told from now on may be
// heard.
void Claims::cut_off(unsigned host) {
  online_[host] = false;
  may_hear_[host].clear();
}

void Claims::logged_in(unsigned host) {
  online_[host] = fresh_[host] = true;
  must_hear_[host] = false;
  if (turn == host) turn = kNobody;
}

void Claims::unit_attention(const ClaimOperation& op, const Answer& answer) {
  const unsigned code = answer.code();
  if (code >> 8 == 0x29 && fresh_[op.host]) return;
  if (may_hear_[op.host].count(code) == 0) broken("a unit attention of nothing", op, answer);
  must_hear_[op.host] = false;
}

void Claims::answered(const ClaimOperation& op, const Answer& answer) {
  turn = kNobody;
  if (op.is_out()) may_abort = false;  // they have their order
  if (answer.status == 2 && !answer.deferred() && answer.key() == 6)
    return unit_attention(op, answer);
  fresh_[op.host] = false;
  if (must_hear_[op.host]) broken("nobody told it what another did", op, answer);
  std::vector<State> after;
  std::array<unsigned, kClaimants> told{};
  // What cannot be kept is refused, and nothing has changed: 5/55/04 to who registers, else
  // 4/44/00.
  const bool refused = disk_faults && op.is_out() && answer.status == 2 &&
                       (answer.code() == 0x5504 || answer.code() == 0x4400);
  for (const State& state : may_be_) {
    Expected expected;
    const Claim now = carried_out(state.now, op, expected);
    const bool writes = kept(now) != kept(state.now);
    if (refused && writes) {
      for (const Claim& disk : {state.disk, kept(state.now), kept(now)})
        after.push_back({state.now, disk});
    } else if (!refused && expected.fits(op, answer)) {
      after.push_back({now, writes ? kept(now) : state.disk});
    } else {
      continue;
    }
    if (refused) continue;
    for (const auto& [host, code] : expected.tells) {
      may_hear_[host].insert(code);
      ++told[host];
    }
  }
  if (after.empty()) broken("nobody can have claimed it so", op, answer);
  for (unsigned host = 0; host < kClaimants; ++host)
    if (told[host] == after.size() && online_[host] && !fresh_[host]) must_hear_[host] = true;
  std::sort(after.begin(), after.end());
  after.erase(std::unique(after.begin(), after.end()), after.end());
  may_be_ = std::move(after);
}

void Claims::unanswered(const ClaimOperation& op) {
  if (!op.is_out()) return;
  may_abort = may_abort || op.kind == ClaimOperation::Kind::kPreemptAndAbort;
  std::vector<State> all = may_be_;
  for (const State& state : may_be_) {
    Expected expected;
    const Claim now = carried_out(state.now, op, expected);
    const bool writes = kept(now) != kept(state.now);
    all.push_back({now, writes ? kept(now) : state.disk});
    // It may have been refused, as it could not be kept.
    if (writes && disk_faults)
      for (const Claim& disk : {kept(state.now), kept(now)}) all.push_back({state.now, disk});
    for (const auto& [host, code] : expected.tells) may_hear_[host].insert(code);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  may_be_ = std::move(all);
}

void Claims::broken(const std::string& why, const ClaimOperation& op, const Answer& answer) const {
  const Claim& claim = guess();
  std::string text;
  for (const Claim::Registered& r : claim.registered)
    text += fmt::format(" {} by {:x};", r.host, r.key);
  sim::broken(
      fmt::format("{}: {} was answered {} ({} bytes); {} states, first: generation {}, type {} of "
                  "{}, registered:{}",
                  why, op.text(), answer.text(), answer.data.size(), may_be_.size(),
                  claim.generation, claim.type, claim.holder, text));
}

}  // namespace sim
