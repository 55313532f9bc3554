// Partitions: mode page 11h, FORMAT MEDIUM and SET CAPACITY (SSC-4 8.3.4, 5.2, 6.15).
//
// Geometry belongs to the cartridge. MODE SELECT of page 11h only says what the next FORMAT MEDIUM
// is to make of it (POFM = 1); until then, or until the cartridge goes, the page shows that.
#include <algorithm>

#include "scsi/ssc/drive_impl.h"
#include "scsi/ssc/partition_layout.h"

namespace scsi::ssc {

namespace {

// Page 11h, byte 4.
constexpr std::uint8_t kFdp = 0x80, kSdp = 0x40, kIdp = 0x20, kPsum = 0x18, kPofm = 0x04;
constexpr std::uint8_t kGigabyte = 9;  // PARTITION UNITS: 10^9 bytes
constexpr std::size_t kSizes = 8;      // the first PARTITION SIZE
constexpr std::uint16_t kRest = 0xFFFF;

// FORMAT MEDIUM, FORMAT field.
constexpr std::uint8_t kFormatDefault = 0;
constexpr std::uint8_t kFormatPartitions = 1;
constexpr std::uint8_t kFormatDefaultThenPartitions = 2;

void set(MutableBytes page, std::size_t offset, std::uint64_t value) {
  page[offset] = static_cast<std::byte>(value);
}

// What a PARTITION SIZE counts, by PSUM and PARTITION UNITS.
std::uint64_t unit_of(Bytes page) {
  unsigned power = 0;
  switch ((std::to_integer<unsigned>(page[4]) & kPsum) >> 3) {
    case 0:
      break;
    case 1:
      power = 3;
      break;
    case 2:
      power = 6;
      break;
    default:
      power = std::to_integer<unsigned>(page[6]) & 0x0F;
  }
  std::uint64_t unit = 1;
  while (power-- != 0) unit *= 10;
  return unit;
}

void show(MutableBytes page, const std::vector<std::uint64_t>& capacities) {
  set(page, 3, capacities.size() - 1);
  for (std::size_t i = 0; kSizes + 2 * i + 1 < page.size(); ++i) {
    std::uint64_t size = i < capacities.size() ? capacities[i] / unit_of(page) : 0;
    if (i < capacities.size()) size = std::clamp<std::uint64_t>(size, 1, kRest - 1u);
    set(page, kSizes + 2 * i, size >> 8);
    set(page, kSizes + 2 * i + 1, size & 0xFF);
  }
}

}  // namespace

// --- what there is

std::uint8_t TapeDrive::Impl::max_partitions() const {
  if (load != Load::kReady) return generation.max_partitions;
  const MediumInfo& label = medium->info();
  if (label.worm) return 1;
  return std::min(generation.max_partitions, find_generation(label.generation)->max_partitions);
}

std::vector<std::uint64_t> TapeDrive::Impl::geometry() const {
  std::vector<std::uint64_t> out;
  for (std::uint32_t i = 0; i < medium->partition_count(); ++i)
    out.push_back(medium->partition(i).capacity_bytes);
  return out;
}

std::uint64_t TapeDrive::Impl::capacity_of_medium() const {
  std::uint64_t sum = 0;
  for (const std::uint64_t bytes : geometry()) sum += bytes;
  return sum;
}

// Whatever SET CAPACITY has made of it.
std::uint64_t TapeDrive::Impl::full_capacity() const {
  const std::uint64_t full = medium->info().full_capacity_bytes;
  return full != 0 ? full : capacity_of_medium();
}

// --- mode page 11h

ModePage TapeDrive::Impl::partition_page() {
  ModePage out;
  out.page = 0x11;
  out.length = static_cast<std::uint16_t>(6 + 2 * generation.max_partitions);
  out.shortest_select = 6;  // st sends as many sizes as it wants partitions
  // PARTITION UNITS of 10^9 bytes, as initiators of large cartridges want them.
  out.defaults = {{4, kPsum | kPofm}, {5, 0x03}, {6, kGigabyte}};
  out.changeable = {{3, 0xFF}, {4, kFdp | kSdp | kIdp | kPsum}, {6, 0x0F}};
  for (std::size_t i = 0; i < 2u * generation.max_partitions; ++i)
    out.changeable.push_back({static_cast<std::uint16_t>(kSizes + i), 0xFF});
  out.current = [this](NexusId, MutableBytes page) {
    set(page, 2, max_partitions() - 1u);
    if (load != Load::kReady) return;
    const std::vector<std::uint64_t> shown = staged ? *staged : geometry();
    if (!staged && shown.size() > 1) page[4] |= std::byte{kIdp};
    show(page, shown);
  };
  out.validate = [this](NexusId, Bytes page) -> std::optional<Sense> {
    Requested requested = requested_partitions(page);
    return std::move(requested.refused);
  };
  out.selected = [this](NexusId, Bytes page) {
    staged = std::move(requested_partitions(page).capacities);
    flush_owed = true;
  };
  return out;
}

TapeDrive::Impl::Requested TapeDrive::Impl::requested_partitions(Bytes page) const {
  const auto refuse = [](std::uint16_t byte, std::optional<std::uint8_t> bit = {}) {
    return Requested{Sense::invalid_field_in_parameter_list(byte, bit), {}};
  };
  if (Outcome why = not_ready()) return {std::move(why), {}};
  const unsigned additional = std::to_integer<unsigned>(page[3]);
  const unsigned how = std::to_integer<unsigned>(page[4]) & (kFdp | kSdp | kIdp);
  if (additional >= max_partitions()) return refuse(3);
  if ((how & (how - 1)) != 0 || (additional != 0 && how == 0)) return refuse(4, 7);
  const Tape tape = this->tape();
  if (additional == 0) return {std::nullopt, {tape.capacity_bytes}};
  if (how != kIdp) {
    if (how == kFdp && additional != 1) return refuse(3);  // two, by definition
    auto parts = equal_parts(tape, additional + 1);
    return parts ? Requested{std::nullopt, *std::move(parts)} : refuse(3);
  }
  const std::uint64_t size_unit = unit_of(page);
  std::vector<std::uint64_t> sizes;
  for (unsigned i = 0; i <= additional; ++i) {
    const std::uint64_t size = ByteReader(page.subspan(kSizes + 2 * i)).u16();
    // (A unit may be 10^15 bytes: the product must fit.)
    const std::uint64_t most = ~std::uint64_t{0} / size_unit - 1;
    sizes.push_back(size == kRest ? kRestOfMedium : std::min(size, most) * size_unit);
  }
  Layout layout = lay_out(tape, sizes);
  if (layout.refused) return refuse(static_cast<std::uint16_t>(kSizes + 2 * *layout.refused));
  return {std::nullopt, std::move(layout.capacities)};
}

Tape TapeDrive::Impl::tape() const {
  const MediumInfo& label = medium->info();
  return {capacity_of_medium(), wraps(label.generation), label.smallest_partition_bytes};
}

void TapeDrive::Impl::forget_staged() {
  staged.reset();
  if (generation.number >= 5) modes().restore(0x11);
}

// --- FORMAT MEDIUM and SET CAPACITY: what all of the cartridge is given up for

TapeDrive::Impl::Outcome TapeDrive::Impl::format_refusal() {
  const Position at = medium->position();
  if (at.partition != 0 || at.object != 0)
    return Sense::illegal_request(Asc::kPositionPastBeginningOfMedium);
  if (Outcome refused = write_refusal(Allowed::kFormat)) return refused;
  if (!medium->info().worm) return std::nullopt;
  alerts.raise(alert::kWormOverwrite);
  return Sense::make(SenseKey::kDataProtect, Asc::kWormOverwriteAttempted);
}

void TapeDrive::Impl::format(Task& task, std::vector<std::uint64_t> capacities) {
  wrote(task);
  run(task, (task.cdb(1) & 0x01) != 0, Background::kFormat,
      [this, capacities = std::move(capacities)](Done<Outcome> done) mutable {
        medium->format(std::move(capacities),
                       [this, done = std::move(done)](const WriteOutcome& outcome) mutable {
                         leave_position();
                         if (outcome.fault) return done(fault(*outcome.fault));
                         forget_staged();
                         done({});
                       });
      });
}

void TapeDrive::Impl::format_medium(Task& task) {
  const std::uint8_t how = task.cdb(2) & 0x0F;
  const bool partitions = how == kFormatPartitions || how == kFormatDefaultThenPartitions;
  if ((how != kFormatDefault && !partitions) || (partitions && generation.max_partitions == 1)) {
    task.fail(Sense::invalid_field_in_cdb(2, 3));
    return;
  }
  if (Outcome refused = format_refusal()) {
    task.fail(*refused);
    return;
  }
  if (!partitions)
    format(task, {capacity_of_medium()});
  else
    format(task, staged ? *staged : geometry());
}

// SSC-4: partitions and data are lost with it. A proportion of 0 is the least that is offered.
void TapeDrive::Impl::set_capacity(Task& task) {
  if (Outcome refused = format_refusal()) {
    task.fail(*refused);
    return;
  }
  const std::uint64_t full = full_capacity();
  const std::uint64_t proportion = task.cdb_field(3, 2);
  const std::uint64_t bytes =
      proportion == 0 ? full / 20
                      : full / 0xFFFF * proportion + full % 0xFFFF * proportion / 0xFFFF;
  format(task, {std::clamp(bytes, std::min(medium->info().smallest_partition_bytes, full), full)});
}

}  // namespace scsi::ssc
