// READ ATTRIBUTE and WRITE ATTRIBUTE: medium auxiliary memory (SPC-4 7.4).
//
// Device and medium attributes are made here from what the cartridge says of itself; host
// attributes are stored by it. An attribute that belongs to the medium as a whole is kept with
// partition 0 and shown for each.
#include <algorithm>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {

constexpr std::uint8_t kBinary = 0, kAscii = 1, kText = 2;
constexpr std::uint8_t kReadOnly = 0x80;

struct HostAttribute {
  std::uint16_t id;
  std::uint16_t length;  // 0: any
  std::uint8_t format;
};
constexpr std::array kHostAttributes{
    HostAttribute{0x0800, 8, kAscii},   HostAttribute{0x0801, 32, kAscii},
    HostAttribute{0x0802, 8, kAscii},   HostAttribute{0x0803, 160, kText},
    HostAttribute{0x0804, 12, kAscii},  HostAttribute{0x0805, 1, kBinary},
    HostAttribute{0x0806, 32, kAscii},  HostAttribute{0x0807, 80, kText},
    HostAttribute{0x0808, 160, kText},  HostAttribute{0x0809, 16, kAscii},
    HostAttribute{0x080A, 1, kBinary},  HostAttribute{0x080B, 16, kAscii},
    HostAttribute{0x080C, 0, kBinary},  HostAttribute{0x0820, 36, kBinary},
    HostAttribute{0x0821, 36, kBinary}, HostAttribute{0x1623, 1, kBinary},
};

const HostAttribute* find_host_attribute(std::uint16_t id) {
  for (const HostAttribute& known : kHostAttributes)
    if (known.id == id) return &known;
  return nullptr;
}

// SPC-4 table 391: host and vendor-specific host attributes.
bool is_host_attribute(std::uint16_t id) {
  return (id >= 0x0800 && id <= 0x0BFF) || (id >= 0x1400 && id <= 0x17FF);
}

Attribute number(std::uint16_t id, std::uint64_t value, std::size_t width) {
  ByteBuilder out;
  out.zeros(width).patch(0, value, width);
  return {id, kBinary, out.take()};
}
Attribute ascii(std::uint16_t id, std::string_view value, std::size_t width) {
  return {id, kAscii, ByteBuilder().ascii(value, width).take()};
}

std::size_t stored_size(const Attribute& attribute) { return 5 + attribute.value.size(); }

// Half of the memory is the host's.
std::size_t host_space(const Generation& generation) { return generation.mam_capacity_bytes / 2; }

std::size_t host_space_used(const TapeMedium& medium) {
  std::size_t used = 0;
  for (std::uint32_t i = 0; i < medium.partition_count(); ++i)
    for (const Attribute& attribute : medium.host_attributes(i)) used += stored_size(attribute);
  return used;
}

std::vector<Attribute> host_attributes_of(const TapeMedium& medium, std::uint32_t partition) {
  std::vector<Attribute> out;
  for (Attribute& attribute : medium.host_attributes(0))
    if (partition == 0 || !describes_partition(attribute.id)) out.push_back(std::move(attribute));
  if (partition != 0)
    for (Attribute& attribute : medium.host_attributes(partition))
      if (describes_partition(attribute.id)) out.push_back(std::move(attribute));
  return out;
}

}  // namespace

// Ascending by id.
std::vector<Attribute> TapeDrive::Impl::attributes(std::uint32_t partition) const {
  const MediumInfo& label = medium->info();
  const Generation& kind = *find_generation(label.generation);
  std::uint64_t flags = 0;
  for (const std::uint8_t flag : alert::kAll)
    if (alerts.is_raised(flag)) flags |= std::uint64_t{1} << (64 - flag);
  const std::size_t free = host_space(kind) - std::min(host_space(kind), host_space_used(*medium));

  std::vector<Attribute> out = host_attributes_of(*medium, partition);
  out.push_back(number(0x0000, capacity(partition).remaining / kBinaryMb, 8));
  out.push_back(number(0x0001, capacity(partition).maximum / kBinaryMb, 8));
  out.push_back(number(0x0002, flags, 8));
  out.push_back(number(0x0003, label.load_count, 8));
  out.push_back(number(0x0004, free, 8));
  out.push_back(ascii(0x0005, "LTO-CVE", 8));
  out.push_back(number(0x0006, kind.density_code, 1));
  out.push_back(number(0x0007, label.initialization_count, 2));
  out.push_back(ascii(0x0008, bar_code_of(label.barcode), 32));
  out.push_back(number(0x0009, label.volume_change_reference, 4));
  for (std::uint16_t i = 0; i < label.last_loads.size(); ++i) {
    const LoadRecord& drive = label.last_loads[i];
    ByteBuilder value;
    value.ascii(drive.vendor, 8).ascii(drive.serial, 32);
    out.push_back({static_cast<std::uint16_t>(0x020A + i), kAscii, value.take()});
  }
  out.push_back(number(0x0220, label.bytes_written_life / kBinaryMb, 8));
  out.push_back(number(0x0221, label.bytes_read_life / kBinaryMb, 8));
  out.push_back(number(0x0222, label.bytes_written_load / kBinaryMb, 8));
  out.push_back(number(0x0223, label.bytes_read_load / kBinaryMb, 8));
  // First encrypted block, and first one behind it that is not: none where nothing is, else
  // unknown.
  const std::uint64_t encrypted =
      medium->partition(partition).end_of_data == 0 ? ~std::uint64_t{0} : ~std::uint64_t{1};
  out.push_back(number(0x0224, encrypted, 8));
  out.push_back(number(0x0225, encrypted, 8));
  out.push_back({0x0340, kBinary, medium_usage_history()});
  out.push_back({0x0341, kBinary, partition_usage_history()});
  out.push_back(ascii(0x0400, "VTL", 8));
  out.push_back(ascii(0x0401, label.serial, 32));
  out.push_back(number(0x0402, kind.length_m, 4));
  out.push_back(number(0x0403, 127, 4));
  out.push_back(ascii(0x0404, "LTO-CVE", 8));
  out.push_back(number(0x0405, kind.density_code, 1));
  out.push_back(ascii(0x0406, label.manufactured, 8));
  out.push_back(number(0x0407, kind.mam_capacity_bytes, 8));
  out.push_back(number(0x0408, label.worm ? 0x80 : 0x00, 1));
  out.push_back(number(0x0409, 0, 2));
  // Densities that the cartridge can have: one. And what no other cartridge has: maker and serial.
  out.push_back({0x040B, kBinary, ByteBuilder().u8(kind.density_code).zeros(9).take()});
  out.push_back({0x1000, kBinary, ByteBuilder().ascii("VTL", 8).ascii(label.serial, 20).take()});
  out.push_back({0x1001, kBinary, ByteBuilder().ascii("VTL", 8).ascii(label.serial, 16).take()});
  std::sort(out.begin(), out.end(),
            [](const Attribute& a, const Attribute& b) { return a.id < b.id; });
  return out;
}

// SPC-4 7.4.2.2.14: amounts are in 2^20 bytes. Of the load before this one nothing is known, and
// retries there are none.
std::vector<std::byte> TapeDrive::Impl::medium_usage_history() const {
  const MediumInfo& label = medium->info();
  ByteBuilder out;
  out.u48(label.bytes_written_load / kBinaryMb).u48(0);
  out.u48(label.bytes_read_load / kBinaryMb).u48(0);
  out.zeros(24);  // the previous load
  out.u48(label.bytes_written_life / kBinaryMb).u48(0);
  out.u48(label.bytes_read_life / kBinaryMb).u48(0);
  out.u48(label.load_count).u48(0).u48(label.initialization_count);
  return out.take();
}

// The same in numbers of four bytes. Traffic is not counted by partition: where there is more than
// one, what is known of them is how often they were loaded and made.
std::vector<std::byte> TapeDrive::Impl::partition_usage_history() const {
  const MediumInfo& label = medium->info();
  const auto amount = [&](std::uint64_t bytes) {
    return medium->partition_count() == 1 ? std::min<std::uint64_t>(bytes / kBinaryMb, 0xFFFF'FFFF)
                                          : 0;
  };
  ByteBuilder out;
  out.u32(amount(label.bytes_written_load)).u32(0).u32(amount(label.bytes_read_load)).u32(0);
  out.zeros(16);
  out.u32(amount(label.bytes_written_life)).u32(0).u32(amount(label.bytes_read_life)).u32(0);
  out.u32(label.load_count).u32(0).u32(label.initialization_count);
  return out.take();
}

// --- READ ATTRIBUTE ---

namespace {

std::uint16_t first_attribute(const Task& task) {
  return ByteReader(task.cdb_bytes().subspan(8)).u16();
}

// The length field counts what there is, whatever the allocation length cuts off; it leaves itself
// out.
void answer(Task& task, ByteBuilder out, std::size_t length_width) {
  out.patch(0, out.size() - length_width, length_width);
  task.set_allocation_length(ByteReader(task.cdb_bytes().subspan(10)).u32());
  task.good(out.take());
}

}  // namespace

bool TapeDrive::Impl::attribute_partition_exists(Task& task) const {
  if (task.cdb(7) < medium->partition_count()) return true;
  task.fail(Sense::invalid_field_in_cdb(7, 7));
  return false;
}

void TapeDrive::Impl::read_attribute_values(Task& task) {
  if (!attribute_partition_exists(task)) return;
  const std::uint16_t first = first_attribute(task);
  const std::vector<Attribute> all = attributes(task.cdb(7));
  const auto begin =
      std::find_if(all.begin(), all.end(), [&](const Attribute& each) { return each.id >= first; });
  // 0000h is "from the start"; any other must exist.
  if (begin == all.end() || (first != 0 && begin->id != first)) {
    task.fail(Sense::invalid_field_in_cdb(8, 7));
    return;
  }
  ByteBuilder out;
  out.zeros(4);
  for (auto each = begin; each != all.end(); ++each) {
    out.u16(each->id);
    out.u8(static_cast<unsigned>(each->format) | (is_host_attribute(each->id) ? 0u : kReadOnly));
    out.u16(each->value.size()).bytes(each->value);
  }
  answer(task, std::move(out), 4);
}

void TapeDrive::Impl::read_attribute_list(Task& task) {
  if (!attribute_partition_exists(task)) return;
  ByteBuilder out;
  out.zeros(4);
  for (const Attribute& each : attributes(task.cdb(7)))
    if (each.id >= first_attribute(task)) out.u16(each.id);
  answer(task, std::move(out), 4);
}

void TapeDrive::Impl::read_supported_attributes(Task& task) {
  if (!attribute_partition_exists(task)) return;
  std::vector<std::uint16_t> ids;
  for (const Attribute& each : attributes(task.cdb(7))) ids.push_back(each.id);
  for (const HostAttribute& each : kHostAttributes) ids.push_back(each.id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  ByteBuilder out;
  out.zeros(4);
  for (const std::uint16_t id : ids)
    if (id >= first_attribute(task)) out.u16(id);
  answer(task, std::move(out), 4);
}

void TapeDrive::Impl::read_logical_volume_list(Task& task) {
  ByteBuilder out;
  out.zeros(2).u8(0).u8(1);  // from volume 0, one
  answer(task, std::move(out), 2);
}

void TapeDrive::Impl::read_partition_list(Task& task) {
  ByteBuilder out;
  out.zeros(2).u8(0).u8(medium->partition_count());
  answer(task, std::move(out), 2);
}

// --- WRITE ATTRIBUTE ---

namespace {

// The list of a WRITE ATTRIBUTE, or why it is refused. The length in front counts itself for LTFS,
// and not for others: both are taken.
std::optional<Sense> parse(Bytes list, std::vector<Attribute>& out) {
  ByteReader head(list);
  const std::uint32_t length = head.u32();
  if (!head.ok() || (length != list.size() && length != list.size() - 4))
    return Sense::parameter_list_length_error();
  ByteReader in(list.subspan(4));
  while (in.remaining() != 0) {
    const auto at = static_cast<std::uint16_t>(4 + in.position());
    const std::uint16_t id = in.u16();
    const std::uint8_t format = in.u8() & 0x03;
    const std::uint16_t size = in.u16();
    const Bytes value = in.bytes(size);
    if (!in.ok()) return Sense::parameter_list_length_error();
    if (!is_host_attribute(id)) return Sense::invalid_field_in_parameter_list(at);
    if (format > kText)
      return Sense::invalid_field_in_parameter_list(static_cast<std::uint16_t>(at + 2), 1);
    if (const HostAttribute* known = find_host_attribute(id); known != nullptr && size != 0) {
      if (format != known->format)
        return Sense::invalid_field_in_parameter_list(static_cast<std::uint16_t>(at + 2), 1);
      if (known->length != 0 && size != known->length)
        return Sense::invalid_field_in_parameter_list(static_cast<std::uint16_t>(at + 3));
    }
    out.push_back({id, format, {value.begin(), value.end()}});
  }
  return std::nullopt;
}

// The space that the host's attributes take after these were written.
std::size_t space_after(const TapeMedium& medium, std::uint32_t partition,
                        const std::vector<Attribute>& written) {
  std::map<std::uint16_t, std::size_t> sizes;  // of what this partition shows
  std::size_t shown = 0;
  for (const Attribute& each : host_attributes_of(medium, partition)) {
    sizes[each.id] = stored_size(each);
    shown += stored_size(each);
  }
  const std::size_t elsewhere = host_space_used(medium) - shown;
  for (const Attribute& each : written) sizes[each.id] = each.value.empty() ? 0 : stored_size(each);
  std::size_t sum = elsewhere;
  for (const auto& [id, size] : sizes) sum += size;
  return sum;
}

}  // namespace

void TapeDrive::Impl::write_attribute(Task& task) {
  if (!attribute_partition_exists(task)) return;
  const std::uint32_t length = ByteReader(task.cdb_bytes().subspan(10)).u32();
  if (length == 0) {
    task.good();
    return;
  }
  if (length > generation.mam_capacity_bytes) {
    task.fail(Sense::invalid_field_in_cdb(10, 7));
    return;
  }
  if (medium->info().write_protected || access != Access::kReadWrite) {
    task.fail(Sense::make(SenseKey::kDataProtect, Asc::kWriteProtected));
    return;
  }
  task.parameter_list(length, [this, &task](Buffer list) {
    std::vector<Attribute> written;
    if (Outcome refused = parse(list.view(), written)) {
      task.fail(*refused);
      return;
    }
    const std::uint32_t partition = task.cdb(7);
    if (space_after(*medium, partition, written) >
        host_space(*find_generation(medium->info().generation))) {
      task.fail(Sense::illegal_request(Asc::kMamSpaceExhausted));
      return;
    }
    store_attributes(task, partition, std::move(written));
  });
}

void TapeDrive::Impl::store_attributes(Task& task, std::uint32_t partition,
                                       std::vector<Attribute> written) {
  const auto middle = std::stable_partition(
      written.begin(), written.end(),
      [&](const Attribute& each) { return partition == 0 || !describes_partition(each.id); });
  std::vector<Attribute> of_partition(std::make_move_iterator(middle),
                                      std::make_move_iterator(written.end()));
  written.erase(middle, written.end());
  const auto end = [this, &task](const WriteOutcome& outcome) {
    if (outcome.fault)
      task.fail(fault(*outcome.fault));
    else
      task.good();
  };
  if (written.empty() || of_partition.empty()) {
    const std::uint32_t target = written.empty() ? partition : 0;
    medium->write_host_attributes(
        target, written.empty() ? std::move(of_partition) : std::move(written), end);
    return;
  }
  medium->write_host_attributes(
      0, std::move(written),
      [this, partition, end, of_partition = std::move(of_partition)](WriteOutcome outcome) mutable {
        if (outcome.fault)
          end(outcome);
        else
          medium->write_host_attributes(partition, std::move(of_partition), end);
      });
}

}  // namespace scsi::ssc
