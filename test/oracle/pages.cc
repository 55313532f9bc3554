// Mode and log pages, medium auxiliary memory, FORMAT MEDIUM (SPC-4, SSC-4).
#include <algorithm>
#include <set>
#include <utility>

#include "test/oracle/oracle.h"

namespace oracle {

namespace {

// Attributes of the host: length in bytes, 0 any (SPC-4 7.4.2.4).
std::optional<std::size_t> host_attribute(std::uint16_t id) {
  static const std::map<std::uint16_t, std::size_t> kLengths{
      {0x0800, 8},  {0x0801, 32}, {0x0802, 8}, {0x0803, 160}, {0x0805, 1}, {0x0806, 32},
      {0x0807, 80}, {0x0809, 16}, {0x080A, 1}, {0x080B, 16},  {0x080C, 0}};
  if (id == 0x1623) return 1;
  if (id >= 0x1400 && id <= 0x17FF) return 0;
  const auto at = kLengths.find(id);
  if (at == kLengths.end()) return {};
  return at->second;
}
bool of_partition(std::uint16_t id) { return id == 0x0809 || id == 0x080A || id == 0x080C; }

using Records = std::map<std::uint16_t, Data>;

// `header` bytes, the last two of them the length of what follows; then code, something, length.
std::string parse_log(const Data& data, Records& into) {
  if (data.size() < 4 || number_in(data, 2, 2) != data.size() - 4) return "page length";
  for (std::size_t at = 4; at < data.size();) {
    if (at + 4 > data.size() || at + 4 + data[at + 3] > data.size()) return "parameter length";
    const auto from = data.begin() + static_cast<std::ptrdiff_t>(at + 4);
    into[static_cast<std::uint16_t>(number_in(data, at, 2))] = Data(from, from + data[at + 3]);
    at += 4u + data[at + 3];
  }
  return {};
}
std::string parse_attributes(const Data& data, Records& into) {
  if (data.size() < 4 || number_in(data, 0, 4) != data.size() - 4) return "available data length";
  for (std::size_t at = 4; at < data.size();) {
    const auto size = static_cast<std::ptrdiff_t>(number_in(data, at + 3, 2));
    const auto from = data.begin() + static_cast<std::ptrdiff_t>(at + 5);
    into[static_cast<std::uint16_t>(number_in(data, at, 2))] = Data(from, from + size);
    at += 5u + static_cast<std::size_t>(size);
  }
  return {};
}

std::string is(const Records& records, std::uint16_t code, std::uint64_t value) {
  const auto at = records.find(code);
  if (at == records.end()) return "no " + std::to_string(code);
  const std::uint64_t found = number_in(at->second, 0, std::min<std::size_t>(8, at->second.size()));
  if (found == value) return {};
  return std::to_string(code) + " is " + std::to_string(found) + ", not " + std::to_string(value);
}

}  // namespace

unsigned Oracle::shown_partitions() const {
  if (staged_) return *staged_;
  return ready() ? static_cast<unsigned>(cartridge().partitions.size()) : 1;
}

// The current values.
Data Oracle::page(std::uint16_t page) const {
  Data out = machine_.pages.at(page);
  const auto flag = [&](std::size_t at, int bit, bool on) {
    out[at] = static_cast<std::uint8_t>(on ? out[at] | bit : out[at] & ~bit);
  };
  switch (page) {
    case 0x0A00:
      flag(4, 0x08, control_swp_);
      break;
    case 0x0F00:
      flag(2, 0x80, compression_);
      break;
    case 0x1000:
      out[3] = static_cast<std::uint8_t>(partition_);
      flag(10, 0x04, device_swp_);
      out[14] = compression_ ? 1 : 0;
      break;
    case 0x1001:
      out[5] = static_cast<std::uint8_t>((append_only_ ? 0x10 : 0) | (out[5] & 0x0F));
      out[6] = static_cast<std::uint8_t>(pews_ >> 8);
      out[7] = static_cast<std::uint8_t>(pews_);
      break;
    case 0x1100:
      if (ready()) out[2] = static_cast<std::uint8_t>(max_partitions() - 1);
      break;
    case 0x1D00:
      flag(2, 0x01, ready() && cartridge().worm);
      break;
    default:
      break;
  }
  return out;
}

Expect Oracle::mode_sense(const Step& step) {
  const bool ten = step.cdb[0] == 0x5A, descriptor = (step.cdb[1] & 8) == 0;
  const int control = step.cdb[2] >> 6;
  const auto code = static_cast<std::uint16_t>((step.cdb[2] & 0x3F) << 8 | step.cdb[3]);
  const std::uint64_t allocation = ten ? step.field(7, 2) : step.cdb[4];
  if (code != 0 && !machine_.pages.contains(code)) {
    Expect out = Expect::sense(5, kInvalidField);
    if (control == 3) out.or_also(5, 0x3900);
    return out;
  }
  if (control == 3) return Expect::sense(5, 0x3900);
  const bool here = ready();
  const bool protect = here && (control_swp_ || device_swp_ || cartridge().write_protected);
  const Data body = code == 0 ? Data{} : page(code);
  const std::size_t total = (ten ? 8u : 4u) + (descriptor ? 8u : 0u) + body.size();
  Data data;
  put(data, total - (ten ? 2 : 1), ten ? 2 : 1);
  put(data, here ? cartridge().medium_type : 0, 1);
  put(data, static_cast<std::uint64_t>((protect ? 0x80 : 0) | buffered_ << 4), 1);
  if (ten) put(data, 0, 2);
  put(data, descriptor ? 8 : 0, ten ? 2 : 1);
  if (descriptor) {
    put(data, here ? cartridge().density : machine_.native_density, 1);
    put(data, 0, 4);
    put(data, block_length_, 3);
  }
  const std::size_t head = data.size();
  data.insert(data.end(), body.begin(), body.end());
  if (control == 0 && code != 0x1100) return allocated(std::move(data), allocation);
  // Of the others the frame, and of page 11h how many partitions there are besides the first.
  const std::size_t additional = shown_partitions() - 1;
  const bool counts = control == 0 && code == 0x1100;
  data.resize(std::min<std::size_t>(data.size(), allocation));
  Expect out = allocated(allocation, [=, frame = std::move(data)](const Data& got) -> std::string {
    if (got.size() != frame.size()) return "length " + std::to_string(got.size());
    for (std::size_t i = control == 0 ? 0 : head; i < head + 2 && i < got.size(); ++i)
      if (i < head ? got[i] != frame[i] : (got[i] & 0x7F) != frame[i])
        return "byte " + std::to_string(i);
    if (counts && got.size() > head + 3 && got[head + 3] != additional)
      return "additional partitions " + std::to_string(got[head + 3]);
    return {};
  });
  out.asks = static_cast<std::uint32_t>(std::min<std::uint64_t>(allocation, total));
  return out;
}

Expect Oracle::mode_select(const Step& step) {
  const bool ten = step.cdb[0] == 0x55;
  const Data& list = step.list;
  Expect good = Expect::good();
  good.asks = good.takes = static_cast<std::uint32_t>(ten ? step.field(7, 2) : step.cdb[4]);
  const auto refuse = [&](std::uint16_t asc) {
    Expect out = Expect::sense(5, asc);
    out.asks = out.takes = good.asks;
    return out;
  };
  if (list.empty()) return good;
  const std::size_t header = ten ? 8 : 4;
  if (list.size() < header) return refuse(kListLength);
  const int mode = list[ten ? 3 : 2] >> 4 & 7;
  const std::uint64_t descriptor = number_in(list, header - (ten ? 2 : 1), ten ? 2 : 1);
  if (descriptor != 0 && descriptor != 8) return refuse(kInvalidList);
  if (list.size() < header + descriptor) return refuse(kListLength);
  if (mode > 1) return refuse(kInvalidList);
  std::uint32_t block_length = block_length_;
  if (descriptor != 0) {
    const std::uint8_t density = list[header];
    block_length = static_cast<std::uint32_t>(number_in(list, header + 5, 3));
    const bool known = density == 0 || density == 0x7F ||
                       density == (ready() ? cartridge().density : machine_.native_density);
    if (!known || block_length > machine_.max_block) return refuse(kInvalidList);
  }
  bool compression = compression_, control = control_swp_, device = device_swp_;
  bool append = append_only_;
  std::uint32_t pews = pews_;
  std::optional<unsigned> staged = staged_;
  bool selects_partitions = false;
  for (std::size_t at = header + descriptor; at < list.size();) {
    const bool sub = (list[at] & 0x40) != 0;
    if (at + (sub ? 4 : 2) > list.size()) return refuse(kListLength);
    const auto code = static_cast<std::uint16_t>((list[at] & 0x3F) << 8 | (sub ? list[at + 1] : 0));
    const std::size_t size = sub ? 4 + number_in(list, at + 2, 2) : 2u + list[at + 1];
    if (!machine_.pages.contains(code)) return refuse(kInvalidList);
    if (code != 0x1100 && size != machine_.pages.at(code).size()) {
      Expect out = refuse(kInvalidList);
      if (at + size > list.size()) out.or_also(5, kListLength);
      return out;
    }
    if (at + size > list.size()) return refuse(kListLength).or_also(5, kInvalidList);
    const auto byte = [&](std::size_t i) { return list[at + i]; };
    switch (code) {
      case 0x0A00:
        control = (byte(4) & 8) != 0;
        break;
      case 0x0F00:
        compression = (byte(2) & 0x80) != 0;
        break;
      case 0x1000:
        device = (byte(10) & 4) != 0;
        break;
      case 0x1001: {
        pews = static_cast<std::uint32_t>(number_in(list, at + 6, 2));
        if (byte(5) >> 4 > 1) return refuse(kInvalidList);
        append = byte(5) >> 4 == 1;
        if (append != append_only_ && (!ready() || position_ != 0 || partition_ != 0))
          return refuse(0x3B0C);
        break;
      }
      case 0x1100:
        if (!ready()) return refuse(kInvalidList).or_also(2, not_ready().asc);
        if (byte(3) >= max_partitions()) return refuse(kInvalidList);
        staged = byte(3) + 1u;
        selects_partitions = true;
        break;
      default:
        break;
    }
    at += size;
  }
  const bool differs = block_length != block_length_ || mode != buffered_ ||
                       compression != compression_ || control != control_swp_ ||
                       device != device_swp_ || append != append_only_ || pews != pews_ ||
                       staged != staged_;
  // What is written otherwise from now on, or elsewhere, comes behind what was accepted before.
  if (ready() && (compression != compression_ || selects_partitions)) {
    buffered_objects_ = 0;
    durable_ = here().objects.size();
  }
  block_length_ = block_length;
  buffered_ = static_cast<std::uint8_t>(mode);
  compression_ = compression;
  control_swp_ = control;
  device_swp_ = device;
  append_only_ = append;
  pews_ = pews;
  staged_ = staged;
  if (differs) raise_all(0x2A01, step.port);
  return good;
}

Expect Oracle::log_sense(const Step& step) {
  const int page = step.cdb[2] & 0x3F;
  if (step.cdb[3] != 0 || (page != 0x0C && page != 0x17 && page != 0x31))
    return Expect::sense(5, kInvalidField);
  Records want;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> remaining;
  const auto number = [&](std::uint16_t code, std::uint64_t value) {
    Data data;
    put(data, value, 8);
    want[code] = data;
  };
  if (page == 0x0C) {
    number(0x0000, written_by_hosts_);
    number(0x0003, sent_to_hosts_);
  } else if (page == 0x17) {
    number(0x0000, ready() ? 1 : 0);
    if (ready()) {
      number(0x0001, cartridge().loads);
      number(0x0081, cartridge().worm ? 1 : 0);
      if (!control_swp_ && !device_swp_) number(0x0080, cartridge().write_protected ? 1 : 0);
    }
  } else if (ready()) {
    for (const Partition& p : cartridge().partitions) {
      const std::uint64_t used = p.bytes(p.objects.size());
      remaining.emplace_back(used < p.early_warning ? (p.early_warning - used) >> 20 : 0,
                             ((p.capacity - std::min(used, p.capacity)) >> 20) + 1);
    }
  }
  const std::size_t partitions = ready() ? cartridge().partitions.size() : 0;
  const std::uint64_t allocation = step.field(7, 2);
  return allocated(allocation, [=](const Data& data) -> std::string {
    if (data.size() < 4 && allocation >= 4) return "no header";
    if (allocation < 4 || number_in(data, 2, 2) + 4 > allocation)
      return data.size() == allocation ? "" : "not cut to the allocation length";
    Records records;
    if (data[0] != page) return "page code";
    if (std::string wrong = parse_log(data, records); !wrong.empty()) return wrong;
    for (const auto& [code, value] : want)
      if (std::string wrong = is(records, code, number_in(value, 0, 8)); !wrong.empty())
        return wrong;
    if (page == 0x17 && partitions != 0 && records[0x0203].size() != 8 * partitions)
      return "records of 0203h";
    for (std::uint16_t i = 0; i < remaining.size() && i < 2; ++i) {
      const std::uint64_t left = number_in(records[static_cast<std::uint16_t>(i + 1)], 0, 4);
      if (left < remaining[i].first || left > remaining[i].second)
        return "remaining " + std::to_string(left);
    }
    return {};
  });
}

// --- medium auxiliary memory ---

Expect Oracle::read_attribute(const Step& step) {
  const int action = step.cdb[1] & 0x1F;
  const std::uint64_t number = step.cdb[7], allocation = step.field(10, 4);
  const auto first = static_cast<std::uint16_t>(step.field(8, 2));
  const Cartridge& c = cartridge();
  if (action == 2) return allocated({0, 2, 0, 1}, allocation);
  if (action == 3)
    return allocated({0, 2, 0, static_cast<std::uint8_t>(c.partitions.size())}, allocation);
  if (number >= c.partitions.size()) return Expect::sense(5, kInvalidField);
  Records want = c.attributes;
  for (const auto& [id, value] : c.partitions[number].attributes) want[id] = value;
  put(want[0x0003], c.loads, 8);
  put(want[0x0009], c.change_reference, 4);
  put(want[0x0408], c.worm ? 0x80 : 0, 1);
  if (action == 0 && first != 0 && !want.contains(first)) return Expect::sense(5, kInvalidField);
  return allocated(allocation, [=](const Data& data) -> std::string {
    if (data.size() < 4) return data.size() == allocation ? "" : "no header";
    if (number_in(data, 0, 4) + 4 > allocation)
      return data.size() == allocation ? "" : "not cut to the allocation length";
    std::set<std::uint16_t> ids;
    Records records;
    if (action == 0) {
      if (std::string wrong = parse_attributes(data, records); !wrong.empty()) return wrong;
      for (const auto& [id, value] : records) ids.insert(id);
    } else {
      for (std::size_t at = 4; at < data.size(); at += 2)
        ids.insert(static_cast<std::uint16_t>(number_in(data, at, 2)));
      if (action == 5) return ids.contains(0x0800) ? "" : "0800h is not supported";
    }
    for (const std::uint16_t id : ids) {
      if (id < first) return "attribute before the first";
      if (host_attribute(id) && !want.contains(id)) return "unknown " + std::to_string(id);
    }
    for (const auto& [id, value] : want) {
      if (id < first) continue;
      if (!ids.contains(id)) return "no attribute " + std::to_string(id);
      if (action == 0 && records[id] != value) return "value of " + std::to_string(id);
    }
    return {};
  });
}

Expect Oracle::write_attribute(const Step& step) {
  const Data& list = step.list;
  const std::uint64_t number = step.cdb[7];
  if (step.cdb[5] != 0 || number >= cartridge().partitions.size())
    return Expect::sense(5, kInvalidField);
  if (cartridge().write_protected)
    return Expect::sense(7, 0x2700);  // by its switch; SWP is no matter
  const auto refuse = [&](std::uint16_t asc) {
    Expect out = Expect::sense(5, asc);
    out.asks = out.takes = static_cast<std::uint32_t>(list.size());
    return out;
  };
  std::vector<std::pair<std::uint16_t, Data>> all;
  for (std::size_t at = 4; at < list.size();) {
    const auto id = static_cast<std::uint16_t>(number_in(list, at, 2));
    const std::size_t size = number_in(list, at + 3, 2);
    const std::optional<std::size_t> fixed = host_attribute(id);
    if (!fixed || (*fixed != 0 && size != 0 && size != *fixed)) return refuse(kInvalidList);
    const auto from = list.begin() + static_cast<std::ptrdiff_t>(at + 5);
    all.emplace_back(id, Data(from, from + static_cast<std::ptrdiff_t>(size)));
    at += 5 + size;
  }
  for (auto& [id, value] : all) {
    auto& where = of_partition(id) ? tape().partitions[number].attributes : tape().attributes;
    if (value.empty())
      where.erase(id);
    else
      where[id] = std::move(value);
  }
  Expect out = Expect::good();
  out.asks = out.takes = static_cast<std::uint32_t>(list.size());
  return out;
}

// --- a new layout ---

std::optional<Expect> Oracle::not_formattable() {
  std::vector<Expect> reasons;
  if (const auto refused = write_protected()) reasons.push_back(*refused);
  if (tape().worm)
    reasons.push_back(Expect::sense(7, 0x300C).or_also(5, 0x3006).or_also(5, kInvalidField));
  if (append_only_ && !format_allowed_) reasons.push_back(Expect::sense(7, 0x5001));
  if (position_ != 0 || partition_ != 0) reasons.push_back(Expect::sense(5, 0x3B0C));
  if (reasons.empty()) return {};
  Expect out = reasons[0];
  for (const Expect& other : reasons) {
    out.or_also(other.key, other.asc);
    out.also.insert(out.also.end(), other.also.begin(), other.also.end());
  }
  return out;
}

void Oracle::formatted(std::optional<unsigned> partitions) {
  const std::size_t count = partitions.value_or(tape().partitions.size());
  tape().partitions.assign(count, {});
  partition_ = 0;
  position_ = durable_ = buffered_objects_ = 0;
  format_allowed_ = overwrite_allowed_ = false;
  staged_.reset();
  wants_layout_ = true;
  changed();
}

Expect Oracle::format(const Step& step) {
  if (const auto refused = not_formattable()) return *refused;
  formatted((step.cdb[2] & 0x0F) == 0 ? std::optional<unsigned>(1) : staged_);
  return Expect::good();
}

Expect Oracle::set_capacity(const Step&) {
  if (const auto refused = not_formattable()) return *refused;
  formatted({});
  any_layout_ = true;
  return Expect::good();
}

std::string Oracle::adopt_layout(
    const std::vector<std::pair<std::uint64_t, std::uint64_t>>& sizes) {
  wants_layout_ = false;
  if (std::exchange(any_layout_, false)) tape().partitions.resize(sizes.size());
  if (sizes.size() != tape().partitions.size())
    return std::to_string(sizes.size()) + " partitions, not " +
           std::to_string(tape().partitions.size());
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i].first == 0 || sizes[i].first > sizes[i].second) return "an empty partition";
    tape().partitions[i].early_warning = sizes[i].first;
    tape().partitions[i].capacity = sizes[i].second;
  }
  return {};
}

}  // namespace oracle
