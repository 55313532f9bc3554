// The commands that tell what is where: READ ELEMENT STATUS, and the search for volume tags.
#include <algorithm>

#include "scsi/smc/changer.h"

namespace scsi::smc {
namespace {

constexpr std::uint8_t kHighestElementType = 4;

// SEND VOLUME TAG parameter list (SMC-3 6.16).
constexpr std::uint32_t kVolumeTagListLength = 40;
constexpr std::size_t kTemplateLength = 32;

// Send action codes: translate all, primary and alternate tags; + 4 without sequence numbers.
bool is_search(std::uint8_t action) { return action <= 6 && action != 3; }
bool ignores_sequence(std::uint8_t action) { return (action & 0x04) != 0; }
bool wants_primary_tags(std::uint8_t action) { return (action & 0x03) != 2; }

// '*' stands for any characters, '?' for one.
bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = pattern.size(), resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star < pattern.size()) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::uint16_t u16_at(const Task& task, std::size_t byte) {
  return static_cast<std::uint16_t>(task.cdb(byte) << 8 | task.cdb(byte + 1));
}

std::uint32_t allocation_of(const Task& task) {
  ByteReader reader(task.cdb_bytes().subspan(7, 3));
  return reader.u24();
}

}  // namespace

void Changer::send_element_status(Task& task, const ElementSelection& selection,
                                  ElementStatusFormat format) {
  const std::uint32_t allocation_length = allocation_of(task);
  task.set_allocation_length(allocation_length);
  format.tag_characters = tag_characters_;
  task.good(element_status(selection, format, allocation_length));
}

// SMC-3 table 5: with CURDATA nothing moves and a reservation does not matter.
bool Changer::refuse_reserved(Task& task) {
  const bool current_data = (task.cdb(6) & 0x02) != 0;
  if (current_data || !reservation_conflict(task.nexus(), ReservationRule::kAllowedForRead))
    return false;
  Reply reply;
  reply.status = SamStatus::kReservationConflict;
  task.finish(std::move(reply));
  return true;
}

// SMC-3 6.12. MIXED and CURDATA change nothing: the status is always current.
void Changer::read_element_status(Task& task) {
  if (refuse_reserved(task)) return;
  const std::uint8_t type = task.cdb(1) & 0x0F;
  if (type > kHighestElementType) return task.fail(Sense::invalid_field_in_cdb(1, 3));
  const auto selection =
      select_elements(inventory_.elements(), type, u16_at(task, 2), u16_at(task, 4));
  send_element_status(
      task, selection,
      {.volume_tags = (task.cdb(1) & 0x10) != 0, .device_identifiers = (task.cdb(6) & 0x01) != 0});
}

// SMC-3 6.16: remembers what to look for. Barcodes are on the cartridges: they cannot be defined
// here.
void Changer::send_volume_tag(Task& task) {
  VolumeSearch search;
  search.type = task.cdb(1) & 0x0F;
  search.first = u16_at(task, 2);
  search.action = task.cdb(5) & 0x1F;
  if (search.type > kHighestElementType) return task.fail(Sense::invalid_field_in_cdb(1, 3));
  if (!is_search(search.action)) return task.fail(Sense::invalid_field_in_cdb(5, 4));
  if (u16_at(task, 8) != kVolumeTagListLength)
    return task.fail(Sense::parameter_list_length_error());
  task.want(
      kVolumeTagListLength, Task::Shorter::kRefuse,
      [this, &task, search = std::move(search)](Buffer list) mutable {
        ByteReader reader(list.view());
        search.pattern = as_text(reader.bytes(kTemplateLength));
        reader.skip(2);
        const std::uint16_t lowest_sequence = reader.u16();
        search.pattern.resize(search.pattern.find_last_not_of(std::string_view(" \0", 2)) + 1);
        search.sequence_fits = ignores_sequence(search.action) || lowest_sequence == 0;
        searches_[task.nexus()] = std::move(search);
        task.good();
      });
}

// SMC-3 6.13: the elements, as they are now, whose volume tag the last SEND VOLUME TAG described.
void Changer::request_volume_element_address(Task& task) {
  const std::uint8_t type = task.cdb(1) & 0x0F;
  if (type > kHighestElementType) return task.fail(Sense::invalid_field_in_cdb(1, 3));
  const auto it = searches_.find(task.nexus());
  if (it == searches_.end()) return task.fail(Sense::illegal_request(Asc::kCommandSequenceError));
  const VolumeSearch& search = it->second;
  ElementSelection selection;
  if (search.sequence_fits && wants_primary_tags(search.action))
    selection = select_elements(inventory_.elements(), type, u16_at(task, 2), 0xFFFF);
  std::erase_if(selection, [&](const Element* e) {
    const std::string_view tag = volume_tag(*e, tag_characters_);  // without one nothing is found
    return tag.empty() || (search.type != 0 && static_cast<std::uint8_t>(e->type) != search.type) ||
           e->address < search.first || !matches(search.pattern, tag);
  });
  if (selection.size() > u16_at(task, 4)) selection.resize(u16_at(task, 4));
  send_element_status(task, selection,
                      {.volume_tags = (task.cdb(1) & 0x10) != 0, .send_action = search.action});
}

}  // namespace scsi::smc
