#include "test/soak/robot.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace soak {

Robot::Robot(Library& library, int cartridges)
    : changer_(library.attach_changer()), slots_(static_cast<std::size_t>(cartridges) + 10) {
  for (int i = 0; i < cartridges; ++i) {
    char barcode[16];
    std::snprintf(barcode, sizeof barcode, "VTL%03dL8", i + 1);
    tapes_.push_back(std::make_unique<Tape>(barcode, static_cast<std::uint64_t>(i)));
    slots_[static_cast<std::size_t>(i)] = tapes_.back().get();
  }
}

void Robot::move(int source, int destination) {
  const CommandResult moved = move_medium(changer_, source, destination);
  if (!moved.good()) {
    throw std::runtime_error("MOVE MEDIUM " + std::to_string(source) + " to " +
                             std::to_string(destination) + ": " + moved.sense_code() +
                             moved.transport_error);
  }
  ++moves_;
}

Tape* Robot::change(int drive, Tape* old, Wanted wanted, std::uint64_t choice) {
  const std::lock_guard lock(mutex_);
  const int bay = kFirstDrive + drive - 1;
  const auto slot_of = [&](auto place) {
    return kFirstSlot + static_cast<int>(place - slots_.begin());
  };
  if (old != nullptr) {
    const auto free = std::find(slots_.begin(), slots_.end(), nullptr);
    move(bay, slot_of(free));
    *free = old;
  }
  std::vector<std::vector<Tape*>::iterator> candidates;
  for (auto place = slots_.begin(); place != slots_.end(); ++place) {
    if (*place == nullptr) continue;
    const bool checked = std::find(checked_.begin(), checked_.end(), *place) != checked_.end();
    if (wanted == Wanted::kAny || !checked) candidates.push_back(place);
  }
  if (candidates.empty()) return nullptr;
  const auto place = candidates[choice % candidates.size()];
  move(slot_of(place), bay);
  if (wanted == Wanted::kUnchecked) checked_.push_back(*place);
  return std::exchange(*place, nullptr);
}

}  // namespace soak
