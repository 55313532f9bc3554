// Data encryption parameters of a drive (SSC-5): who has set what, for whom it holds, and
// what clears it. A state machine without I/O: it knows nexuses and parameter bytes; the drive
// raises the unit attentions and tells the medium.
//
// A nexus has parameters of its own (scope LOCAL), or those that one nexus has set for all (scope
// ALL I_T NEXUS), or none. Keys are here and where blocks are under way, in memory only, and are
// wiped. One thread: the drive's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/command.h"
#include "scsi/ssc/block_handling.h"

namespace scsi::ssc {

class EncryptionParameters {
 public:
  // What the drive knows and the checks of a Set Data Encryption page need.
  struct Surroundings {
    bool mounted = false;   // a volume is
    bool reserved = false;  // by the nexus that sends the page
  };
  // Nexuses for which other parameters hold now, though they have not set them.
  using Affected = std::vector<NexusId>;
  struct Result {
    std::optional<Sense> refused;  // then nothing has changed
    Affected affected;             // 2A/11
  };

  void nexus_established(NexusId nexus) { nexuses_[nexus] = {}; }
  // The Set Data Encryption page (0010h), whole.
  Result set(NexusId nexus, Bytes page, const Surroundings& now);

  // null: neither encrypts nor decrypts.
  std::shared_ptr<const Encryption> in_use(NexusId nexus) const;
  // KEY INSTANCE COUNTER of what holds for it: another one, other parameters.
  std::uint32_t instance(NexusId nexus) const { return set_of(nexus).instance; }
  // The nexus asked to be locked to its parameters (LOCK = 1), and they are no longer those.
  bool locked_out(NexusId nexus) const;
  bool any() const;  // some nexus' blocks are encrypted or decrypted

  std::vector<std::byte> status(NexusId nexus) const;  // page 0020h
  // Page 0010h; `applies`: to the volume that is mounted.
  static std::vector<std::byte> capabilities(bool applies);

  // --- what clears parameters; 2A/12 is due to the affected
  Affected demounted();  // those set with CKOD
  Affected reset();      // all
  // `holds` tells whether a nexus holds a reservation. Parameters set with CKORL go when it no
  // longer does, those set with CKORP if that was by preemption.
  Affected reservations_changed(const std::function<bool(NexusId)>& holds, bool preempted);
  // Its own, if it had some. What it has set for all stays, unless a reservation guarded it that
  // nobody could see the end of any more.
  Affected nexus_lost(NexusId nexus);

 private:
  enum class Scope : std::uint8_t { kPublic = 0, kLocal = 1, kAllNexus = 2 };
  struct Set {
    std::shared_ptr<const Encryption> encryption;  // null: both modes are DISABLE
    std::uint32_t instance = 0;                    // KEY INSTANCE COUNTER
    std::uint8_t kad_format = 0;
    bool clear_on_demount = false, clear_on_preempt = false, clear_on_loss = false;
  };
  struct Nexus {
    Scope scope = Scope::kPublic;
    Set own;                                 // scope LOCAL
    std::optional<std::uint32_t> locked_to;  // KEY INSTANCE COUNTER
  };
  struct Parsed {
    Scope scope = Scope::kPublic;
    bool lock = false;
    Set set;
    std::optional<Sense> refused;
  };

  static Parsed parse(Bytes page, const Surroundings& now);
  static std::optional<Sense> check_modes(Bytes page, const Surroundings& now);
  static std::optional<Sense> read_key(Bytes page, Encryption& out);
  const Set& set_of(NexusId nexus) const;
  Affected users_of_shared(NexusId but) const;
  void drop_shared(std::uint32_t instance);
  template <class Condition>
  Affected clear_if(Condition condition);

  std::map<NexusId, Nexus> nexuses_;
  Set shared_;                        // what nexuses of scope PUBLIC use
  std::optional<NexusId> shared_by_;  // who has set it; nobody: it is the default
  std::uint32_t instances_ = 0;
};

// Key-associated data descriptors as pages 0020h and 0021h have them. `authenticated` is what the
// AUTHENTICATED field says of the authenticated ones.
void put_associated(ByteBuilder& out, const std::vector<KeyAssociatedData>& associated,
                    std::uint8_t authenticated);

inline constexpr std::uint8_t kAlgorithmIndex = 1;
inline constexpr std::uint32_t kAes256Gcm128 = 0x00010014;  // SECURITY ALGORITHM CODE

}  // namespace scsi::ssc
