// Unit attentions: a queue per I_T nexus (SAM-5 5.14). Each is reported once; equal ones are
// merged; the highest in precedence comes first (SAM-5 table 44: power on, then reset, then nexus
// loss, then others in order).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "scsi/command.h"

namespace scsi {

class UnitAttentions {
 public:
  // The first time that an initiator port is seen since the process started it is told 29/00 (power
  // on); a nexus that replaces a lost one is told 29/07; any other login stays quiet.
  void nexus_established(const NexusInfo& nexus);
  void nexus_lost(NexusId nexus);

  void raise(NexusId nexus, Asc asc);
  void raise_all(Asc asc);
  void raise_all_but(NexusId nexus, Asc asc);

  bool pending(NexusId nexus) const;
  // The one to report now, and removes it.
  std::optional<Asc> take(NexusId nexus);
  void clear(NexusId nexus, Asc asc);

  // Initiator ports remembered for 29/00; past it the oldest is forgotten and told again.
  static constexpr std::size_t kMaxKnownPorts = 4096;

 private:
  std::map<NexusId, std::vector<Asc>> queues_;
  std::set<std::vector<std::byte>> known_ports_;
  std::deque<std::vector<std::byte>> known_order_;
};

}  // namespace scsi
