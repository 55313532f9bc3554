// RESERVE and RELEASE (SPC-2), persistent reservations (SPC-4 5.12).
#include <algorithm>

#include "test/oracle/oracle.h"

namespace oracle {

std::optional<std::uint64_t> Oracle::key_of(unsigned port) const {
  const auto at = keys_.find(port);
  if (at == keys_.end()) return {};
  return at->second;
}

bool Oracle::has_access(unsigned port) const {
  if (!reservation_) return true;
  return reservation_->type <= 3 ? reservation_->holder == port : keys_.contains(port);
}

bool Oracle::conflicts(const Step& step) const {
  Who who = Who::kHolder;
  switch (step.cdb[0]) {
    case 0x03:
    case 0x05:
    case 0x12:
    case 0x16:  // decided with the reservation at hand
    case 0x17:
    case 0x44:
    case 0x4D:
    case 0x5E:
    case 0x5F:
    case 0xA0:
      who = Who::kAnyone;
      break;
    case 0x1E:
      who = step.cdb[4] == 0 ? Who::kAnyone : Who::kHolder;
      break;
    case 0x00:
      who = Who::kNotReserve;
      break;
    case 0x1A:
    case 0x5A:
    case 0x34:  // left open for write exclusive
    case 0x8C:
      who = Who::kReaders;
      break;
    default:
      break;
  }
  if (who == Who::kAnyone) return false;
  if (reserved_by_ && reserved_by_ != step.port) return true;
  if (who == Who::kNotReserve || has_access(step.port)) return false;
  const bool write_exclusive =
      reservation_->type == 1 || reservation_->type == 5 || reservation_->type == 7;
  return who != Who::kReaders || !write_exclusive;
}

// CRH = 1: who has access by a persistent reservation is told GOOD, and nothing changes.
Expect Oracle::reserve(unsigned port) {
  if (reserved_by_ && reserved_by_ != port) return Expect::conflict();
  if (reservation_ && has_access(port)) return Expect::good();
  if (!keys_.empty()) return Expect::conflict();
  reserved_by_ = port;
  return Expect::good();
}
Expect Oracle::release(unsigned port) {
  if (reserved_by_ == port) reserved_by_.reset();
  return Expect::good();
}

Expect Oracle::persistent_in(const Step& step) const {
  if (reserved_by_) return Expect::conflict();
  Data data;
  put(data, generation_, 4);
  const std::uint64_t allocation = step.field(7, 2);
  switch (step.cdb[1] & 0x1F) {
    case 0: {
      std::vector<std::uint64_t> keys;
      for (const auto& [port, key] : keys_) keys.push_back(key);
      std::sort(keys.begin(), keys.end());
      put(data, 8 * keys.size(), 4);
      Expect out = allocated(allocation, [=](const Data& got) -> std::string {
        if (got.size() != std::min<std::size_t>(allocation, data.size() + 8 * keys.size()))
          return "length";
        if (!std::equal(got.begin(), got.begin() + std::min<std::ptrdiff_t>(8, std::ssize(got)),
                        data.begin()))
          return "header";
        std::vector<std::uint64_t> found;
        for (std::size_t at = 8; at + 8 <= got.size(); at += 8)
          found.push_back(number_in(got, at, 8));
        std::sort(found.begin(), found.end());
        return found.size() < keys.size() || found == keys ? "" : "keys";
      });
      out.asks = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(allocation, data.size() + 8 * keys.size()));
      return out;
    }
    case 1:
      put(data, reservation_ ? 16 : 0, 4);
      if (reservation_) {
        put(data, reservation_->type >= 7 ? 0 : keys_.at(reservation_->holder), 8);
        put(data, 0, 5);
        put(data, reservation_->type, 1);
        put(data, 0, 2);
      }
      return allocated(std::move(data), allocation);
    default:
      return Expect::sense(5, kInvalidField);
  }
}

void Oracle::raise_registrants(std::uint16_t attention, unsigned but) {
  for (const auto& [port, key] : keys_)
    if (port != but && ports_[port].here) raise(port, attention);
}

void Oracle::unregister(unsigned port) {
  const bool holds = reservation_ && reservation_->type < 7 && reservation_->holder == port;
  keys_.erase(port);
  if (holds) {
    if (reservation_->type >= 5) raise_registrants(0x2A04, port);
    reservation_.reset();
  } else if (reservation_ && keys_.empty()) {
    reservation_.reset();
  }
}

Expect Oracle::persistent_out(const Step& step) {
  const int action = step.cdb[1] & 0x1F;
  const unsigned port = step.port;
  if (reserved_by_) return Expect::conflict().or_also(5, kInvalidField);
  if (step.field(5, 4) != 24) return Expect::sense(5, kListLength).or_also(5, kInvalidField);
  const int scope = step.cdb[2] >> 4;
  const auto type = static_cast<std::uint8_t>(step.cdb[2] & 0x0F);
  const bool typed = action == 1 || action == 4 || action == 5;
  const bool known = type == 1 || type == 3 || (type >= 5 && type <= 8);
  if (typed && (scope != 0 || !known)) return Expect::sense(5, kInvalidField);
  const std::uint64_t key = number_in(step.list, 0, 8), new_key = number_in(step.list, 8, 8);
  Expect good = Expect::good();
  good.asks = good.takes = 24;
  Expect conflict = Expect::conflict();
  conflict.asks = conflict.takes = 24;
  const auto sense = [](std::uint16_t asc) {
    Expect out = Expect::sense(5, asc);
    out.asks = out.takes = 24;
    return out;
  };
  const std::optional<std::uint64_t> mine = key_of(port);
  if (action == 0 || action == 6) {
    if (action == 0 && key != mine.value_or(0)) return conflict;
    if (!mine && new_key == 0) return good;
    ++generation_;
    if (new_key == 0)
      unregister(port);
    else
      keys_[port] = new_key;
    return good;
  }
  if (!mine || *mine != key) return conflict;
  switch (action) {
    case 1: {
      if (reservation_) {
        const bool holds = reservation_->type >= 7 || reservation_->holder == port;
        return holds && reservation_->type == type ? good : conflict;
      }
      reservation_ = Reservation{type, port};
      return good;
    }
    case 2: {
      if (!reservation_ || (reservation_->type < 7 && reservation_->holder != port)) return good;
      if (reservation_->type != type || scope != 0) return sense(0x2604);
      if (type >= 5) raise_registrants(0x2A04, port);
      reservation_.reset();
      return good;
    }
    case 3:
      ++generation_;
      raise_registrants(0x2A03, port);
      keys_.clear();
      reservation_.reset();
      return good;
    default: {
      Expect out = preempt(port, new_key, type, action == 5);
      out.asks = out.takes = 24;
      return out;
    }
  }
}

// SPC-4 5.12.11.
Expect Oracle::preempt(unsigned port, std::uint64_t victim, std::uint8_t type, bool abort) {
  const bool all = reservation_ && reservation_->type >= 7;
  const bool takes_over =
      reservation_ && (all ? victim == 0 : keys_.at(reservation_->holder) == victim);
  if (victim == 0 && !all) return Expect::sense(5, kInvalidList).or_also(5, 0x2602);
  std::vector<unsigned> lost;
  for (const auto& [other, key] : keys_)
    if (key == victim || (takes_over && all)) lost.push_back(other);
  if (lost.empty() && !takes_over) return Expect::conflict();
  ++generation_;
  const std::uint8_t before = reservation_ ? reservation_->type : type;
  for (const unsigned other : lost) {
    // Who takes the reservation over stays registered, though the key be his own.
    if (other == port && takes_over) continue;
    keys_.erase(other);
    if (other == port) continue;
    if (ports_[other].here) raise(other, 0x2A05);
    if (abort) ports_[other].prevents = false;
  }
  if (reservation_ && keys_.empty()) reservation_.reset();
  if (takes_over) {
    if (before != type) raise_registrants(0x2A04, port);
    reservation_ = Reservation{type, port};
  }
  return Expect::good();
}

}  // namespace oracle
