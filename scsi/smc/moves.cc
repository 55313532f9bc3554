// The commands that move cartridges, or the robot, or its memory of where things are.
#include <algorithm>

#include "scsi/smc/changer.h"

namespace scsi::smc {
namespace {

std::uint16_t address_at(const Task& task, std::size_t byte) {
  return static_cast<std::uint16_t>(task.cdb(byte) << 8 | task.cdb(byte + 1));
}

Sense no_such_element() { return Sense::illegal_request(Asc::kInvalidElementAddress); }

std::optional<Sense> sense_of(MoveResult result) {
  switch (result) {
    case MoveResult::kMoved:
      return std::nullopt;
    case MoveResult::kNoSuchElement:
      return no_such_element();
    case MoveResult::kSourceEmpty:
      return Sense::illegal_request(Asc::kMediumSourceElementEmpty);
    case MoveResult::kDestinationFull:
      return Sense::illegal_request(Asc::kMediumDestinationElementFull);
    case MoveResult::kRemovalPrevented:
      return Sense::illegal_request(Asc::kMediumRemovalPrevented);
    case MoveResult::kLoadFailed:
      return Sense::make(SenseKey::kHardwareError, Asc::kMediaLoadOrEjectFailed);
    case MoveResult::kUnloadFailed:
      return Sense::make(SenseKey::kHardwareError, Asc::kUnloadTapeFailure);
    case MoveResult::kJournalFailed:
      return Sense::make(SenseKey::kHardwareError, Asc::kInternalTargetFailure);
  }
  return Sense::make(SenseKey::kHardwareError, Asc::kInternalTargetFailure);
}

// Page 1Fh says that no cartridge rests in a transport: it is neither source nor destination.
bool holds_cartridges(const Element* e) {
  return e != nullptr && e->type != ElementType::kTransport;
}

}  // namespace

const Element* Changer::find(std::uint16_t address) const {
  const auto elements = inventory_.elements();
  const auto it = std::lower_bound(elements.begin(), elements.end(), address,
                                   [](const Element& e, std::uint16_t a) { return e.address < a; });
  return it != elements.end() && it->address == address ? &*it : nullptr;
}

bool Changer::is_transport(std::uint16_t address) const {
  if (address == 0) return true;  // SMC-3 6.6: the default transport
  const Element* e = find(address);
  return e != nullptr && e->type == ElementType::kTransport;
}

// The task lives until it is finished, even when it was aborted meanwhile; the changer may be gone.
Done<MoveOutcome> Changer::end_of(Task& task, std::vector<std::string> cartridges,
                                  std::vector<std::uint16_t> addresses) {
  const NexusInfo* nexus = find_nexus(task.nexus());
  return [this, &task, cartridges = std::move(cartridges), addresses = std::move(addresses),
          initiator = nexus != nullptr ? nexus->transport_id : std::vector<std::byte>(),
          alive = std::weak_ptr<const bool>(alive_)](const MoveOutcome& outcome) {
    if (alive.expired()) return;
    if (move_ended_) move_ended_({initiator, cartridges, addresses, outcome});
    // SMC-3 table A.1: a fault that is not of the mechanics, until a move is recorded again.
    constexpr std::uint8_t kHardwareD = 0x04;
    if (outcome.result == MoveResult::kJournalFailed) tape_alert_.raise(kHardwareD);
    if (outcome.result == MoveResult::kMoved) tape_alert_.clear(kHardwareD);
    if (auto sense = sense_of(outcome.result))
      task.fail(std::move(*sense));
    else
      task.good();
  };
}

// SMC-3 6.6. The order of the checks is that of the conditions in which a client can act on them:
// first whether it means existing elements at all.
void Changer::move_medium(Task& task) {
  const std::uint16_t source_address = address_at(task, 4);
  const std::uint16_t destination_address = address_at(task, 6);
  const Element* source = find(source_address);
  const Element* destination = find(destination_address);
  if (!is_transport(address_at(task, 2)) || !holds_cartridges(source) ||
      !holds_cartridges(destination))
    return task.fail(no_such_element());
  if ((task.cdb(10) & 0x01) != 0) return task.fail(Sense::invalid_field_in_cdb(10, 0));
  if (!source->full) return task.fail(*sense_of(MoveResult::kSourceEmpty));
  if (source == destination) {
    // Nothing to do, but in a drive: unloaded and loaded again, which only the inventory can.
    if (source->type != ElementType::kDrive) return task.good();
  } else if (destination->full) {
    return task.fail(*sense_of(MoveResult::kDestinationFull));
  }
  inventory_.move(source_address, destination_address,
                  end_of(task, {source->barcode}, {source_address, destination_address}));
}

// SMC-3 6.3: first destination -> second destination, source -> first destination.
void Changer::exchange_medium(Task& task) {
  const std::uint16_t source_address = address_at(task, 4);
  const std::uint16_t first_address = address_at(task, 6);
  const std::uint16_t second_address = address_at(task, 8);
  const Element* source = find(source_address);
  const Element* first = find(first_address);
  const Element* second = find(second_address);
  if (!is_transport(address_at(task, 2)) || !holds_cartridges(source) || !holds_cartridges(first) ||
      !holds_cartridges(second))
    return task.fail(no_such_element());
  if ((task.cdb(10) & 0x02) != 0) return task.fail(Sense::invalid_field_in_cdb(10, 1));
  if ((task.cdb(10) & 0x01) != 0) return task.fail(Sense::invalid_field_in_cdb(10, 0));
  if (source == first) return task.fail(Sense::invalid_field_in_cdb(6, 7));
  if (!source->full || !first->full) return task.fail(*sense_of(MoveResult::kSourceEmpty));
  if (second != source && second->full) return task.fail(*sense_of(MoveResult::kDestinationFull));
  inventory_.exchange(source_address, first_address, second_address,
                      end_of(task, {source->barcode, first->barcode},
                             {source_address, first_address, second_address}));
}

void Changer::position_to_element(Task& task) {
  if (!is_transport(address_at(task, 2)) || find(address_at(task, 4)) == nullptr)
    return task.fail(no_such_element());
  if ((task.cdb(8) & 0x01) != 0) return task.fail(Sense::invalid_field_in_cdb(8, 0));
  task.good();
}

void Changer::rezero_unit(Task& task) { task.good(); }

// A re-scan finds what is known already: the inventory is the truth and is never out of date.
void Changer::initialize_element_status(Task& task) { task.good(); }

// 37h (SMC-3 6.5) and the older vendor command E7h have the same fields.
void Changer::initialize_element_status_with_range(Task& task) {
  const bool range = (task.cdb(1) & 0x01) != 0;
  if (range && find(address_at(task, 2)) == nullptr) return task.fail(no_such_element());
  task.good();
}

// SMC-3 6.7. There is no door to move: an import/export element that no host prevents is open to
// the operator at all times.
void Changer::open_close_import_export_element(Task& task) {
  const Element* e = find(address_at(task, 2));
  if (e == nullptr || e->type != ElementType::kImportExport) return task.fail(no_such_element());
  const std::uint8_t action = task.cdb(4) & 0x1F;
  if (action > 1) return task.fail(Sense::invalid_field_in_cdb(4, 4));
  const bool open = action == 0;
  if (open && prevented()) return task.fail(Sense::illegal_request(Asc::kMediumRemovalPrevented));
  task.good();
}

}  // namespace scsi::smc
