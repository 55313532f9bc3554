// Unit attentions: a queue per I_T nexus (SAM-5 5.14). Each is reported once; equal ones are
// merged; the highest in precedence comes first (SAM-5 table 44: power on, then reset, then nexus
// loss, then others in order).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "scsi/command.h"

namespace scsi {

class UnitAttentions {
 public:
  // The first time that an initiator port is seen since the process started it is told 29/00 (power
  // on); a nexus that replaces a lost one is told 29/07. Any other login stays quiet, but for what
  // the port missed: a host that comes back after its line broke must not write on as if its
  // cartridge were still there.
  void nexus_established(const NexusInfo& nexus);
  void nexus_lost(NexusId nexus);

  void raise(NexusId nexus, Asc asc);
  void raise_all(Asc asc);
  void raise_all_but(NexusId nexus, Asc asc);

  bool pending(NexusId nexus) const;
  bool pending(NexusId nexus, Asc asc) const;
  // The one to report now, and removes it.
  std::optional<Asc> take(NexusId nexus);
  void clear(NexusId nexus, Asc asc);

  // Initiator ports remembered for 29/00; past it the oldest is forgotten and told again.
  static constexpr std::size_t kMaxKnownPorts = 4096;

 private:
  using Port = std::vector<std::byte>;  // a TransportID
  struct Nexus {
    Port port;
    std::vector<Asc> queue;
  };

  void raise_absent(Asc asc);

  std::map<NexusId, Nexus> nexuses_;
  std::map<Port, std::vector<Asc>> known_ports_;  // with what each missed while it had no nexus
  std::deque<Port> known_order_;
};

}  // namespace scsi
