// Who has claimed a unit by PERSISTENT RESERVE OUT, as far as its hosts can know: every state that
// fits all the answers so far, with what is on the disk. Written from SPC-4 5.12, without a look at
// scsi/reservation.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "test/sim/initiator.h"

namespace sim {

inline constexpr unsigned kClaimants = 3;

struct Claim {
  struct Registered {
    unsigned host = 0;
    std::uint64_t key = 0;
    auto operator<=>(const Registered&) const = default;
  };
  std::vector<Registered> registered;  // in the order in which they came
  unsigned type = 0;                   // 0: not reserved
  unsigned holder = 0;                 // of no meaning for the all registrants types
  bool persists = false;               // APTPL
  std::uint32_t generation = 0;
  auto operator<=>(const Claim&) const = default;

  const Registered* find(unsigned host) const;
  std::uint64_t key_of(unsigned host) const { return find(host) ? find(host)->key : 0; }
  bool held_by(unsigned host) const;
  bool has_access(unsigned host) const;
};

struct ClaimOperation {
  enum class Kind {
    kRegister,
    kRegisterAndIgnore,
    kReserve,
    kRelease,
    kClear,
    kPreempt,
    kPreemptAndAbort,
    kReadKeys,
    kReadReservation,
    kReadFullStatus,
    kRewind,        // conflicts with every reservation
    kReadPosition,  // with exclusive access
    kTestUnitReady,
  };
  Kind kind = Kind::kTestUnitReady;
  unsigned host = 0;
  std::uint64_t key = 0, other_key = 0;  // RESERVATION KEY, SERVICE ACTION RESERVATION KEY
  unsigned type = 0;
  bool persist = false;
  bool is_out() const { return kind <= Kind::kPreemptAndAbort; }
  bool is_in() const { return !is_out() && kind <= Kind::kReadFullStatus; }
  std::string text() const;
};

class Claims {
 public:
  // One command at a time, of all hosts together: whose it is, from when it is sent until it is
  // answered - or until its host, cut off, has a new session and so no command in the old one.
  static constexpr unsigned kNobody = kClaimants;
  unsigned turn = kNobody;
  bool disk_faults = false;  // errors that they explain are in order
  // A PREEMPT AND ABORT whose host is gone may be under way still, and nobody is told of what it
  // ends (SPC-4 5.12.11.2.6, TAS = 0).
  bool may_abort = false;

  // A life begins; `unreadable`: with nothing, as what was kept cannot be read.
  void started(bool unreadable);
  void logged_in(unsigned host);
  void cut_off(unsigned host);
  void answered(const ClaimOperation& operation, const Answer& answer);
  // It will never be: it may have been carried out.
  void unanswered(const ClaimOperation& operation);
  const Claim& guess() const { return may_be_.front().now; }

 private:
  struct State {
    Claim now, disk;
    auto operator<=>(const State&) const = default;
  };
  struct Expected {
    unsigned status = 0, key = 0, code = 0;
    Data data;                                         // READ FULL STATUS: without the TransportIDs
    std::vector<std::pair<unsigned, unsigned>> tells;  // host, unit attention
    bool fits(const ClaimOperation& operation, const Answer& answer) const;
  };
  static Claim kept(const Claim& claim);
  static Claim carried_out(const Claim& before, const ClaimOperation& operation,
                           Expected& expected);
  static void conflict(Expected& expected) { expected.status = 0x18; }
  static void preempt(Claim& claim, const ClaimOperation& operation, Expected& expected);
  static void read(const Claim& claim, const ClaimOperation& operation, Expected& expected);
  void unit_attention(const ClaimOperation& operation, const Answer& answer);
  [[noreturn]] void broken(const std::string& why, const ClaimOperation& operation,
                           const Answer& answer) const;

  std::vector<State> may_be_ = {State{}};
  std::array<bool, kClaimants> online_{},
      fresh_{};  // fresh: nothing answered yet but by attentions
  std::array<std::set<unsigned>, kClaimants> may_hear_;
  std::array<bool, kClaimants> must_hear_{};
};

}  // namespace sim
