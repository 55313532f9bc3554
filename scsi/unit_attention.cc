#include "scsi/unit_attention.h"

#include <algorithm>

namespace scsi {
namespace {

// SAM-5 table 44; the lower comes first.
int precedence(Asc asc) {
  switch (asc) {
    case Asc::kPowerOnOrReset:
      return 0;
    case Asc::kBusDeviceReset:
      return 1;
    case Asc::kNexusLossOccurred:
      return 2;
    default:
      return 3;
  }
}

}  // namespace

void UnitAttentions::nexus_established(const NexusInfo& nexus) {
  queues_[nexus.id].clear();
  if (known_ports_.insert(nexus.transport_id).second) {
    known_order_.push_back(nexus.transport_id);
    if (known_order_.size() > kMaxKnownPorts) {
      known_ports_.erase(known_order_.front());
      known_order_.pop_front();
    }
    raise(nexus.id, Asc::kPowerOnOrReset);
  } else if (nexus.replaces_lost_nexus) {
    raise(nexus.id, Asc::kNexusLossOccurred);
  }
}

void UnitAttentions::nexus_lost(NexusId nexus) { queues_.erase(nexus); }

void UnitAttentions::raise(NexusId nexus, Asc asc) {
  const auto found = queues_.find(nexus);
  if (found == queues_.end()) return;
  std::vector<Asc>& queue = found->second;
  if (std::find(queue.begin(), queue.end(), asc) != queue.end()) return;
  const auto place = std::find_if(queue.begin(), queue.end(),
                                  [&](Asc queued) { return precedence(queued) > precedence(asc); });
  queue.insert(place, asc);
}

void UnitAttentions::raise_all(Asc asc) {
  for (const auto& [nexus, queue] : queues_) raise(nexus, asc);
}

void UnitAttentions::raise_all_but(NexusId but, Asc asc) {
  for (const auto& [nexus, queue] : queues_)
    if (nexus != but) raise(nexus, asc);
}

bool UnitAttentions::pending(NexusId nexus) const {
  const auto found = queues_.find(nexus);
  return found != queues_.end() && !found->second.empty();
}

std::optional<Asc> UnitAttentions::take(NexusId nexus) {
  const auto found = queues_.find(nexus);
  if (found == queues_.end() || found->second.empty()) return {};
  const Asc asc = found->second.front();
  found->second.erase(found->second.begin());
  return asc;
}

void UnitAttentions::clear(NexusId nexus, Asc asc) {
  const auto found = queues_.find(nexus);
  if (found != queues_.end()) std::erase(found->second, asc);
}

}  // namespace scsi
