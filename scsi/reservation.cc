#include "scsi/reservation.h"

#include <algorithm>

namespace scsi {
namespace {

// PERSISTENT RESERVE OUT parameter list (SPC-4 6.16.3).
constexpr std::size_t kParameterListLength = 24;
constexpr std::uint16_t kFlagsByte = 20;
constexpr std::uint8_t kSpecIPt = 0x08;
constexpr std::uint8_t kAllTgPt = 0x04;
constexpr std::uint8_t kAptpl = 0x01;

ReservationResult refused(Sense sense) {
  ReservationResult result;
  result.status = SamStatus::kCheckCondition;
  result.sense = std::move(sense);
  return result;
}

ReservationResult conflicting() {
  ReservationResult result;
  result.status = SamStatus::kReservationConflict;
  return result;
}

std::optional<ReservationType> type_of(std::uint8_t scope_and_type) {
  return reservation_type(scope_and_type & 0x0F);
}

bool all_registrants(ReservationType type) {
  return type == ReservationType::kWriteExclusiveAllRegistrants ||
         type == ReservationType::kExclusiveAccessAllRegistrants;
}

// Registrants only and all registrants: every registered nexus has access.
bool admits_registrants(ReservationType type) {
  return type != ReservationType::kWriteExclusive && type != ReservationType::kExclusiveAccess;
}

bool write_exclusive(ReservationType type) {
  return type == ReservationType::kWriteExclusive ||
         type == ReservationType::kWriteExclusiveRegistrantsOnly ||
         type == ReservationType::kWriteExclusiveAllRegistrants;
}

// The TransportIDs of a REGISTER with SPEC_I_PT (SPC-4 6.16.3, 7.6.4). Nothing if the list is
// malformed, or names an initiator without its port: whom that would register cannot be said.
std::optional<std::vector<std::vector<std::byte>>> parse_transport_ids(Bytes list) {
  std::vector<std::vector<std::byte>> ids;
  ByteReader reader(list);
  while (reader.remaining() > 0) {
    ByteReader header(list.subspan(reader.position()));
    const std::uint8_t format_and_protocol = header.u8();
    header.skip(1);
    const std::size_t length = header.u16() + std::size_t{4};
    if (!header.ok() || format_and_protocol != 0x45 || length < 24 || length % 4 != 0)
      return std::nullopt;
    const Bytes id = reader.bytes(length);
    if (!reader.ok()) return std::nullopt;
    ids.emplace_back(id.begin(), id.end());
  }
  return ids;
}

}  // namespace

std::optional<ReservationType> reservation_type(std::uint8_t code) {
  if (code != 1 && code != 3 && (code < 5 || code > 8)) return std::nullopt;
  return static_cast<ReservationType>(code);
}

// --- nexuses ---

void Reservations::nexus_established(const NexusInfo& nexus) {
  nexuses_[nexus.id] = Port{nexus.transport_id, nexus.relative_target_port};
}

void Reservations::nexus_lost(NexusId nexus) {
  nexuses_.erase(nexus);
  if (reserve_holder_ == nexus) reserve_holder_.reset();
}

void Reservations::reset() { reserve_holder_.reset(); }

std::optional<ReservationPort> Reservations::port_of(NexusId nexus) const {
  const auto it = nexuses_.find(nexus);
  if (it == nexuses_.end()) return std::nullopt;
  return it->second;
}

std::optional<NexusId> Reservations::nexus_of(const Port& port) const {
  for (const auto& [id, candidate] : nexuses_)
    if (candidate == port) return id;
  return std::nullopt;
}

const Registration* Reservations::find(const Port& port) const {
  const auto it = std::find_if(registrations_.begin(), registrations_.end(),
                               [&](const Registration& r) { return r.port == port; });
  return it == registrations_.end() ? nullptr : &*it;
}

Registration* Reservations::find(const Port& port) {
  return const_cast<Registration*>(std::as_const(*this).find(port));
}

bool Reservations::is_holder(const Port& port) const {
  if (!reservation_) return false;
  return all_registrants(reservation_->type) ? find(port) != nullptr : reservation_->holder == port;
}

bool Reservations::registered(NexusId nexus) const {
  const auto port = port_of(nexus);
  return port && find(*port) != nullptr;
}

bool Reservations::holds_persistent_reservation(NexusId nexus) const {
  const auto port = port_of(nexus);
  return port && is_holder(*port);
}

// A port without a session now has nobody to tell; it finds out by RESERVATION CONFLICT.
void Reservations::attend(ReservationResult& result, const Port& port, Asc asc) const {
  if (const auto nexus = nexus_of(port)) result.attentions.push_back({*nexus, asc});
}

void Reservations::attend_registrants(ReservationResult& result, const Port& but, Asc asc) const {
  for (const Registration& r : registrations_)
    if (!(r.port == but)) attend(result, r.port, asc);
}

// --- persistence through power loss (SPC-4 5.12.5) ---

// The generation is not kept: it begins at 0 with every start, whatever APTPL says (SPC-4 6.15.2).
KeptReservations Reservations::kept() const {
  if (!active_ || registrations_.empty()) return {};
  return {registrations_, reservation_};
}

void Reservations::restore(KeptReservations kept) {
  active_ = !kept.registrations.empty();
  registrations_ = std::move(kept.registrations);
  reservation_ = std::move(kept.reservation);
}

void Reservations::take_over(Reservations&& other) {
  registrations_ = std::move(other.registrations_);
  reservation_ = std::move(other.reservation_);
  active_ = other.active_;
  generation_ = other.generation_;
}

// --- the gate ---

bool Reservations::conflict(ReservationRule rule, NexusId nexus) const {
  if (rule == ReservationRule::kAllowed || rule == ReservationRule::kHandled) return false;
  if (reserve_holder_) return reserve_holder_ != nexus;
  if (!reservation_ || rule == ReservationRule::kReserveOnly) return false;
  const auto port = port_of(nexus);
  if (port && is_holder(*port)) return false;
  if (port && admits_registrants(reservation_->type) && find(*port) != nullptr) return false;
  return rule == ReservationRule::kConflict || !write_exclusive(reservation_->type);
}

// --- RESERVE and RELEASE ---

ReservationResult Reservations::reserve(NexusId nexus) {
  // SPC-4 5.12.3 (CRH = 1): whoever has access by a persistent reservation is told GOOD and nothing
  // changes; otherwise the two methods exclude each other (SPC-2 5.5.1).
  if (!registrations_.empty()) {
    const auto port = port_of(nexus);
    const bool has_access =
        reservation_ && port &&
        (is_holder(*port) || (admits_registrants(reservation_->type) && find(*port) != nullptr));
    return has_access ? ReservationResult{} : conflicting();
  }
  if (reserve_holder_ && reserve_holder_ != nexus) return conflicting();
  reserve_holder_ = nexus;
  return {};
}

ReservationResult Reservations::release(NexusId nexus) {
  if (reserve_holder_ == nexus) reserve_holder_.reset();
  return {};
}

// --- PERSISTENT RESERVE IN (SPC-4 6.15) ---

ReservationResult Reservations::persistent_reserve_in(NexusId, std::uint8_t service_action) const {
  if (service_action > 3) return refused(Sense::invalid_field_in_cdb(1, 4));
  if (reserve_holder_) return conflicting();
  ByteBuilder out;
  if (service_action == static_cast<std::uint8_t>(PersistentReserveIn::kReportCapabilities)) {
    // CRH, SIP_C, ATP_C, PTPL_C; TMV, PTPL_A; all six types.
    out.u16(8).u8(0x1Cu | (persists_ ? 0x01u : 0u)).u8(0x80u | (active_ ? 0x01u : 0u));
    out.u8(0xEA).u8(0x01).u16(0);
    ReservationResult result;
    result.data = out.take();
    return result;
  }
  out.u32(generation_).u32(0);
  switch (static_cast<PersistentReserveIn>(service_action)) {
    case PersistentReserveIn::kReadKeys:
      for (const Registration& r : registrations_) out.u64(r.key);
      break;
    case PersistentReserveIn::kReadReservation:
      if (reservation_) {
        // The all registrants types have many holders: the key is 0 (SPC-4 6.15.3).
        const Registration* holder =
            all_registrants(reservation_->type) ? nullptr : find(reservation_->holder);
        out.u64(holder != nullptr ? holder->key : 0).u32(0).u8(0);
        out.u8(static_cast<std::uint8_t>(reservation_->type)).u16(0);
      }
      break;
    case PersistentReserveIn::kReadFullStatus:
      for (const Registration& r : registrations_) {
        const bool holder = is_holder(r.port);
        out.u64(r.key).u32(0);
        out.u8((r.all_target_ports ? 0x02u : 0u) | (holder ? 0x01u : 0u));
        out.u8(holder ? static_cast<std::uint8_t>(reservation_->type) : 0u);
        out.u32(0).u16(r.port.relative_target_port).u32(r.port.transport_id.size());
        out.bytes(r.port.transport_id);
      }
      break;
    case PersistentReserveIn::kReportCapabilities:
      break;
  }
  out.patch(4, out.size() - 8, 4);
  ReservationResult result;
  result.data = out.take();
  return result;
}

// --- PERSISTENT RESERVE OUT (SPC-4 6.16) ---

std::optional<ReservationResult> Reservations::check_persistent_reserve_out(
    std::uint8_t service_action, std::uint8_t scope_and_type,
    std::uint32_t parameter_list_length) const {
  if (service_action > 6) return refused(Sense::invalid_field_in_cdb(1, 4));
  if (reserve_holder_) return conflicting();
  const auto action = static_cast<PersistentReserveOut>(service_action);
  if (action == PersistentReserveOut::kReserve || action == PersistentReserveOut::kPreempt ||
      action == PersistentReserveOut::kPreemptAndAbort) {
    if ((scope_and_type & 0xF0) != 0) return refused(Sense::invalid_field_in_cdb(2, 7));
    if (!type_of(scope_and_type)) return refused(Sense::invalid_field_in_cdb(2, 3));
  }
  // Only REGISTER may carry more: the TransportIDs that SPEC_I_PT announces.
  const bool may_be_longer = action == PersistentReserveOut::kRegister;
  if (parameter_list_length < kParameterListLength ||
      parameter_list_length > kMaxParameterListLength ||
      (parameter_list_length > kParameterListLength && !may_be_longer))
    return refused(Sense::parameter_list_length_error());
  return std::nullopt;
}

ReservationResult Reservations::persistent_reserve_out(NexusId nexus, std::uint8_t service_action,
                                                       std::uint8_t scope_and_type,
                                                       Bytes parameters) {
  if (auto answer = check_persistent_reserve_out(service_action, scope_and_type,
                                                 static_cast<std::uint32_t>(parameters.size())))
    return std::move(*answer);
  const auto port = port_of(nexus);
  if (!port) return conflicting();
  const auto action = static_cast<PersistentReserveOut>(service_action);
  if (action == PersistentReserveOut::kRegister ||
      action == PersistentReserveOut::kRegisterAndIgnoreExistingKey)
    return register_key(*port, action == PersistentReserveOut::kRegisterAndIgnoreExistingKey,
                        parameters);

  ByteReader reader(parameters);
  const std::uint64_t reservation_key = reader.u64();
  const std::uint64_t service_action_key = reader.u64();
  const Registration* own = find(*port);
  if (own == nullptr || own->key != reservation_key) return conflicting();
  switch (action) {
    case PersistentReserveOut::kReserve:
      return reserve_persistently(*port, *type_of(scope_and_type));
    case PersistentReserveOut::kRelease:
      return release_persistently(*port, scope_and_type);
    case PersistentReserveOut::kClear:
      return clear(*port);
    default:
      return preempt(*port, service_action_key, *type_of(scope_and_type),
                     action == PersistentReserveOut::kPreemptAndAbort);
  }
}

// SPC-4 5.12.7, tables 54 and 55.
ReservationResult Reservations::register_key(const Port& port, bool ignore_existing,
                                             Bytes parameters) {
  ByteReader reader(parameters);
  const std::uint64_t reservation_key = reader.u64();
  const std::uint64_t key = reader.u64();
  reader.skip(4);
  const std::uint8_t flags = reader.u8();
  reader.skip(3);
  Registration* own = find(port);

  const bool key_matches = reservation_key == (own != nullptr ? own->key : 0);
  if (!ignore_existing && !key_matches) return conflicting();
  const bool persist = (flags & kAptpl) != 0;
  if (persist && !persists_) return refused(Sense::invalid_field_in_parameter_list(kFlagsByte, 0));
  const bool names_ports = (flags & kSpecIPt) != 0;
  // SPEC_I_PT is for the first REGISTER of a nexus (SPC-4 6.16.3).
  if (names_ports && (ignore_existing || own != nullptr))
    return refused(Sense::invalid_field_in_parameter_list(kFlagsByte, 3));
  std::vector<std::vector<std::byte>> named;
  if (names_ports) {
    const std::uint32_t length = reader.u32();
    if (!reader.ok() || length != reader.remaining())
      return refused(Sense::parameter_list_length_error());
    auto ids = parse_transport_ids(reader.bytes(length));
    if (!ids) return refused(Sense::invalid_field_in_parameter_list(kParameterListLength + 4));
    named = std::move(*ids);
  } else if (reader.remaining() > 0) {
    return refused(Sense::parameter_list_length_error());
  }

  ReservationResult result;
  if (key == 0) {
    if (own == nullptr) return result;
    unregister(port, result);
    ++generation_;
    active_ = persist;
    return result;
  }
  if (own != nullptr) {
    own->key = key;
    ++generation_;
    active_ = persist;
    return result;
  }
  std::vector<Port> added{port};
  for (auto& id : named) {
    Port other{std::move(id), port.relative_target_port};
    if (find(other) == nullptr && std::find(added.begin(), added.end(), other) == added.end())
      added.push_back(std::move(other));
  }
  if (registrations_.size() + added.size() > kMaxRegistrations)  // all or none
    return refused(Sense::illegal_request(Asc::kInsufficientRegistrationResources));
  for (Port& p : added) registrations_.push_back({std::move(p), key, (flags & kAllTgPt) != 0});
  ++generation_;
  active_ = persist;
  return result;
}

// SPC-4 5.12.11.3
void Reservations::unregister(const Port& port, ReservationResult& result) {
  const bool was_holder = is_holder(port);
  std::erase_if(registrations_, [&](const Registration& r) { return r.port == port; });
  if (!was_holder) return;
  // With all registrants the others hold it still, until the last one goes.
  if (all_registrants(reservation_->type) && !registrations_.empty()) return;
  if (admits_registrants(reservation_->type))
    attend_registrants(result, port, Asc::kReservationsReleased);
  reservation_.reset();
}

// SPC-4 5.12.9
ReservationResult Reservations::reserve_persistently(const Port& port, ReservationType type) {
  if (reservation_)
    return is_holder(port) && reservation_->type == type ? ReservationResult{} : conflicting();
  reservation_ = PersistentReservation{type, port};
  return {};
}

// SPC-4 5.12.11.2
ReservationResult Reservations::release_persistently(const Port& port,
                                                     std::uint8_t scope_and_type) {
  if (!is_holder(port)) return {};
  if (scope_and_type != static_cast<std::uint8_t>(reservation_->type))
    return refused(Sense::illegal_request(Asc::kInvalidReleaseOfPersistentReservation));
  ReservationResult result;
  if (admits_registrants(reservation_->type))
    attend_registrants(result, port, Asc::kReservationsReleased);
  reservation_.reset();
  return result;
}

// SPC-4 5.12.11.6
ReservationResult Reservations::clear(const Port& port) {
  ReservationResult result;
  attend_registrants(result, port, Asc::kReservationsPreempted);
  registrations_.clear();
  reservation_.reset();
  ++generation_;
  return result;
}

// SPC-4 5.12.11.4 and 5.12.11.5
ReservationResult Reservations::preempt(const Port& port, std::uint64_t key, ReservationType type,
                                        bool abort) {
  const bool held_by_all = reservation_ && all_registrants(reservation_->type);
  const Registration* holder = reservation_ && !held_by_all ? find(reservation_->holder) : nullptr;
  const bool takes_reservation =
      (held_by_all && key == 0) || (holder != nullptr && holder->key == key);
  if (key == 0 && !takes_reservation) return refused(Sense::invalid_field_in_parameter_list(8));

  // The preempting nexus keeps its registration when it takes the reservation; when it only removes
  // registrations it may remove its own too.
  const auto is_victim = [&](const Registration& r) {
    if (takes_reservation && r.port == port) return false;
    return held_by_all && key == 0 ? true : r.key == key;
  };
  std::vector<Port> victims;
  for (const Registration& r : registrations_)
    if (is_victim(r)) victims.push_back(r.port);
  if (victims.empty() && !takes_reservation) return conflicting();
  std::erase_if(registrations_, is_victim);

  ReservationResult result;
  for (const Port& victim : victims) {
    if (victim == port) continue;
    attend(result, victim, Asc::kRegistrationsPreempted);
    const auto nexus = nexus_of(victim);
    if (abort && nexus) result.aborted.push_back(*nexus);
  }
  if (takes_reservation) {
    if (reservation_->type != type) attend_registrants(result, port, Asc::kReservationsReleased);
    reservation_ = PersistentReservation{type, port};
  } else if (registrations_.empty()) {
    reservation_.reset();
  }
  ++generation_;
  return result;
}

}  // namespace scsi
