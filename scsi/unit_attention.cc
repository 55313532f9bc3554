#include "scsi/unit_attention.h"

#include <algorithm>
#include <set>

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

// What changed is another medium, and not only the state that a nexus had.
bool outlives_nexus(Asc asc) {
  return asc == Asc::kMediumMayHaveChanged || asc == Asc::kImportExportElementAccessed;
}

void queue_once(std::vector<Asc>& queue, Asc asc) {
  if (std::find(queue.begin(), queue.end(), asc) != queue.end()) return;
  const auto place = std::find_if(queue.begin(), queue.end(),
                                  [&](Asc queued) { return precedence(queued) > precedence(asc); });
  queue.insert(place, asc);
}

}  // namespace

void UnitAttentions::nexus_established(const NexusInfo& nexus) {
  std::vector<Asc> queue;
  const auto [known, added] = known_ports_.try_emplace(nexus.transport_id);
  if (added) {
    known_order_.push_back(nexus.transport_id);
    if (known_order_.size() > kMaxKnownPorts) {
      known_ports_.erase(known_order_.front());
      known_order_.pop_front();
    }
    queue.push_back(Asc::kPowerOnOrReset);
  } else {
    queue.swap(known->second);
    if (nexus.replaces_lost_nexus) queue_once(queue, Asc::kNexusLossOccurred);
  }
  nexuses_.insert_or_assign(nexus.id, Nexus{nexus.transport_id, std::move(queue)});
}

void UnitAttentions::nexus_lost(NexusId id) {
  const auto found = nexuses_.find(id);
  if (found == nexuses_.end()) return;
  const Nexus nexus = std::move(found->second);
  nexuses_.erase(found);
  const auto port = known_ports_.find(nexus.port);
  if (port == known_ports_.end()) return;
  for (const Asc asc : nexus.queue)
    if (outlives_nexus(asc)) queue_once(port->second, asc);
}

void UnitAttentions::raise(NexusId nexus, Asc asc) {
  const auto found = nexuses_.find(nexus);
  if (found != nexuses_.end()) queue_once(found->second.queue, asc);
}

void UnitAttentions::raise_all(Asc asc) {
  for (auto& [id, nexus] : nexuses_) queue_once(nexus.queue, asc);
  raise_absent(asc);
}

void UnitAttentions::raise_all_but(NexusId but, Asc asc) {
  for (auto& [id, nexus] : nexuses_)
    if (id != but) queue_once(nexus.queue, asc);
  raise_absent(asc);
}

void UnitAttentions::raise_absent(Asc asc) {
  if (!outlives_nexus(asc)) return;
  std::set<Port> present;
  for (const auto& [id, nexus] : nexuses_) present.insert(nexus.port);
  for (auto& [port, missed] : known_ports_)
    if (!present.contains(port)) queue_once(missed, asc);
}

bool UnitAttentions::pending(NexusId nexus) const {
  const auto found = nexuses_.find(nexus);
  return found != nexuses_.end() && !found->second.queue.empty();
}

bool UnitAttentions::pending(NexusId nexus, Asc asc) const {
  const auto found = nexuses_.find(nexus);
  return found != nexuses_.end() &&
         std::find(found->second.queue.begin(), found->second.queue.end(), asc) !=
             found->second.queue.end();
}

std::optional<Asc> UnitAttentions::take(NexusId nexus) {
  const auto found = nexuses_.find(nexus);
  if (found == nexuses_.end() || found->second.queue.empty()) return {};
  const Asc asc = found->second.queue.front();
  found->second.queue.erase(found->second.queue.begin());
  return asc;
}

void UnitAttentions::clear(NexusId nexus, Asc asc) {
  const auto found = nexuses_.find(nexus);
  if (found != nexuses_.end()) std::erase(found->second.queue, asc);
}

}  // namespace scsi
