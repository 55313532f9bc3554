// RESERVE/RELEASE (SPC-2 5.5) and persistent reservations (SPC-4 5.12) of one logical unit, as a
// pure state machine: it knows nexuses, keys and parameter bytes, and answers with what has to
// happen. The caller - the shared command handlers of scsi - raises the unit attentions, aborts the
// tasks and sends the status.
//
// Registrations belong to initiator ports (TransportID, target port) and outlive their nexus; they
// end with the process (no persistence through power loss: APTPL = 1 is refused with 5/26/00). One
// thread: the unit's loop.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/command.h"
#include "scsi/command_table.h"
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

class Reservations {
 public:
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

  bool registered(NexusId nexus) const;
  bool holds_persistent_reservation(NexusId nexus) const;
  bool reserved_by(NexusId nexus) const { return reserve_holder_ == nexus; }  // RESERVE(6)/(10)

  static constexpr std::size_t kMaxRegistrations = 128;  // past it 5/55/04
  // Longest parameter list taken: a full table of the longest iSCSI TransportIDs would not be
  // sensible.
  static constexpr std::uint32_t kMaxParameterListLength = 16384;

 private:
  struct Port {  // an I_T nexus as persistent reservations see it: it outlives the session
    std::vector<std::byte> transport_id;
    std::uint16_t relative_target_port = 1;
    friend bool operator==(const Port&, const Port&) = default;
  };
  struct Registration {
    Port port;
    std::uint64_t key = 0;
    bool all_target_ports = false;
  };
  struct Reservation {
    ReservationType type;
    Port holder;  // of no meaning for the all registrants types
  };

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

  std::map<NexusId, Port> nexuses_;
  std::optional<NexusId> reserve_holder_;
  std::vector<Registration> registrations_;  // in the order of registration
  std::optional<Reservation> reservation_;
  std::uint32_t generation_ = 0;  // PRGENERATION
};

}  // namespace scsi
