// RESERVE/RELEASE (SPC-2 5.5) and persistent reservations (SPC-4 5.12) of one logical unit, as a
// pure state machine: it knows nexuses, keys and parameter bytes, and answers with what has to
// happen. The caller - the shared command handlers of scsi - raises the unit attentions, aborts the
// tasks and sends the status.
//
// Registrations belong to initiator ports (TransportID, target port) and outlive their nexus. While
// APTPL is active they outlive the process too: kept() says what has to be kept then, and restore()
// takes it back; whoever keeps it is a ReservationStore. One thread: the unit's loop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/command.h"
#include "scsi/command_table.h"
#include "scsi/done.h"
#include "scsi/sense.h"

namespace scsi {

// SPC-4 table 76; the values are those of the wire.
enum class ReservationType : std::uint8_t {
  kWriteExclusive = 1,
  kExclusiveAccess = 3,
  kWriteExclusiveRegistrantsOnly = 5,
  kExclusiveAccessRegistrantsOnly = 6,
  kWriteExclusiveAllRegistrants = 7,
  kExclusiveAccessAllRegistrants = 8,
};

std::optional<ReservationType> reservation_type(std::uint8_t code);  // nothing if there is none

// The service actions of PERSISTENT RESERVE IN (5Eh) and OUT (5Fh), CDB byte 1 bits 4-0.
enum class PersistentReserveIn : std::uint8_t {
  kReadKeys = 0,
  kReadReservation = 1,
  kReportCapabilities = 2,
  kReadFullStatus = 3,
};
enum class PersistentReserveOut : std::uint8_t {
  kRegister = 0,
  kReserve = 1,
  kRelease = 2,
  kClear = 3,
  kPreempt = 4,
  kPreemptAndAbort = 5,
  kRegisterAndIgnoreExistingKey = 6,  // 07h REGISTER AND MOVE is refused: 5/24/00
};

// How a command ends, and what it does to others. status is GOOD, CHECK CONDITION (then with sense)
// or RESERVATION CONFLICT (without).
struct ReservationResult {
  SamStatus status = SamStatus::kGood;
  std::optional<Sense> sense;
  std::vector<std::byte>
      data;  // PERSISTENT RESERVE IN: the whole answer, not cut to the allocation length

  struct Attention {
    NexusId nexus;
    Asc asc;
  };
  std::vector<Attention> attentions;  // to raise, before the command completes
  // PREEMPT AND ABORT: nexuses whose tasks are to be aborted and whose PREVENT is to be cleared.
  // Never the nexus that sent the command.
  std::vector<NexusId> aborted;
};

// An I_T nexus as persistent reservations see it: it outlives the session. An initiator port is
// recognised by its TransportID, which for iSCSI is the initiator's name and ISID.
struct ReservationPort {
  std::vector<std::byte> transport_id;
  std::uint16_t relative_target_port = 1;
  friend bool operator==(const ReservationPort&, const ReservationPort&) = default;
};
struct Registration {
  ReservationPort port;
  std::uint64_t key = 0;
  bool all_target_ports = false;
  friend bool operator==(const Registration&, const Registration&) = default;
};
struct PersistentReservation {
  ReservationType type = ReservationType::kWriteExclusive;
  ReservationPort holder;  // of no meaning for the all registrants types
  friend bool operator==(const PersistentReservation&, const PersistentReservation&) = default;
};
// What outlives a loss of power (SPC-4 5.12.5); without registrations there is nothing to keep.
struct KeptReservations {
  std::vector<Registration> registrations;  // in the order of registration
  std::optional<PersistentReservation> reservation;
  friend bool operator==(const KeptReservations&, const KeptReservations&) = default;
};

// Where a unit's reservations are kept while they have to outlive a loss of power. The unit's loop.
class ReservationStore {
 public:
  virtual ~ReservationStore() = default;
  // `done` gets true when `state` is durable in place of what was kept before, and false when it
  // cannot be made so and what was kept before still is. One at a time.
  virtual void keep(KeptReservations state, Done<bool> done) = 0;
};

class Reservations {
 public:
  // `persists`: APTPL = 1 is taken; without, it is refused with 5/26/00.
  explicit Reservations(bool persists = false) : persists_(persists) {}

  void nexus_established(const NexusInfo& nexus);
  void nexus_lost(NexusId nexus);  // ends its RESERVE; its registration stays
  void reset();  // LOGICAL UNIT RESET, target reset: ends RESERVE; registrations stay

  // Whether a command with this rule, of this nexus, meets RESERVATION CONFLICT. kHandled never
  // does here: the handler asks again with the rule that the CDB's fields call for (PREVENT = 1:
  // kConflict).
  bool conflict(ReservationRule rule, NexusId nexus) const;

  // RESERVE(6)/(10) and RELEASE(6)/(10) of the whole unit.
  ReservationResult reserve(NexusId nexus);
  ReservationResult release(NexusId nexus);

  ReservationResult persistent_reserve_in(NexusId nexus, std::uint8_t service_action) const;

  // What can be said against a PERSISTENT RESERVE OUT before its parameter list is fetched: the
  // service action, the length, scope and type (CDB byte 2), a RESERVE that another method holds.
  // Nothing: fetch it.
  std::optional<ReservationResult> check_persistent_reserve_out(
      std::uint8_t service_action, std::uint8_t scope_and_type,
      std::uint32_t parameter_list_length) const;
  // `parameters` has exactly the CDB's PARAMETER LIST LENGTH. Checks all of the above again.
  ReservationResult persistent_reserve_out(NexusId nexus, std::uint8_t service_action,
                                           std::uint8_t scope_and_type, Bytes parameters);

  // What has to outlive a loss of power as things are: nothing while APTPL is not active.
  KeptReservations kept() const;
  // What has outlived one; before the first nexus.
  void restore(KeptReservations kept);
  // Registrations and reservation become those of `other`, a copy of this one that has gone on
  // alone; nexuses and RESERVE stay what they are here.
  void take_over(Reservations&& other);

  bool registered(NexusId nexus) const;
  bool holds_persistent_reservation(NexusId nexus) const;
  bool reserved_by(NexusId nexus) const { return reserve_holder_ == nexus; }  // RESERVE(6)/(10)

  static constexpr std::size_t kMaxRegistrations = 128;  // past it 5/55/04
  // Longest parameter list taken: a full table of the longest iSCSI TransportIDs would not be
  // sensible.
  static constexpr std::uint32_t kMaxParameterListLength = 16384;

 private:
  using Port = ReservationPort;

  std::optional<Port> port_of(NexusId nexus) const;
  std::optional<NexusId> nexus_of(const Port& port) const;
  Registration* find(const Port& port);
  const Registration* find(const Port& port) const;
  bool is_holder(const Port& port) const;
  void attend(ReservationResult& result, const Port& port, Asc asc) const;
  void attend_registrants(ReservationResult& result, const Port& but, Asc asc) const;

  ReservationResult register_key(const Port& port, bool ignore_existing, Bytes parameters);
  void unregister(const Port& port, ReservationResult& result);
  ReservationResult reserve_persistently(const Port& port, ReservationType type);
  ReservationResult release_persistently(const Port& port, std::uint8_t scope_and_type);
  ReservationResult clear(const Port& port);
  ReservationResult preempt(const Port& port, std::uint64_t key, ReservationType type, bool abort);

  bool persists_;
  std::map<NexusId, Port> nexuses_;
  std::optional<NexusId> reserve_holder_;
  std::vector<Registration> registrations_;  // in the order of registration
  std::optional<PersistentReservation> reservation_;
  bool active_ = false;           // APTPL, as the last valid registration had it
  std::uint32_t generation_ = 0;  // PRGENERATION
};

}  // namespace scsi
