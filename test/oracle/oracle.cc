// Whose turn it is: unit attentions, reservations, validity, readiness; load and unload.
#include "test/oracle/oracle.h"

#include <algorithm>
#include <utility>

namespace oracle {

namespace {

struct Cdb {
  std::uint8_t opcode, length;
  std::array<std::uint8_t, 15> fields;  // of the bytes behind the opcode
};
// SPC-4 and SSC-4: the commands that are asked here, with the bits that mean something.
constexpr Cdb kCdbs[] = {
    {0x00, 6, {}},
    {0x01, 6, {0x01}},
    {0x03, 6, {0x01, 0, 0, 0xFF}},
    {0x04, 6, {0x03, 0x0F, 0xFF, 0xFF}},
    {0x05, 6, {0x01}},
    {0x08, 6, {0x03, 0xFF, 0xFF, 0xFF}},
    {0x0A, 6, {0x01, 0xFF, 0xFF, 0xFF}},
    {0x0B, 6, {0x01, 0, 0xFF, 0xFF}},
    {0x10, 6, {0x03, 0xFF, 0xFF, 0xFF}},
    {0x11, 6, {0x0F, 0xFF, 0xFF, 0xFF}},
    {0x12, 6, {0x01, 0xFF, 0xFF, 0xFF}},
    {0x13, 6, {0x3F, 0xFF, 0xFF, 0xFF}},
    {0x15, 6, {0x10, 0, 0, 0xFF}},
    {0x16, 6, {0x1F, 0xFF, 0xFF, 0xFF}},
    {0x17, 6, {0x1F, 0xFF, 0xFF, 0xFF}},
    {0x19, 6, {0x03}},
    {0x1A, 6, {0x08, 0xFF, 0xFF, 0xFF}},
    {0x1B, 6, {0x01, 0, 0, 0x0F}},
    {0x1E, 6, {0, 0, 0, 0x01}},
    {0x2B, 10, {0x07, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0xFF}},
    {0x34, 10, {0x1F, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
    {0x44, 10, {0x03, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
    {0x4D, 10, {0, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0x55, 10, {0x10, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
    {0x5A, 10, {0x18, 0xFF, 0xFF, 0, 0, 0, 0xFF, 0xFF}},
    {0x5E, 10, {0x1F, 0, 0, 0, 0, 0, 0xFF, 0xFF}},
    {0x5F, 10, {0x1F, 0xFF, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0x82, 16, {0, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0x8C, 16, {0x1F, 0xFF, 0xFF, 0xFF, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01}},
    {0x8D, 16, {0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0x91, 16, {0x0F, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0x92, 16, {0x1B, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
    {0xA0, 12, {0, 0xFF, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF}},
};

const Cdb* find(std::uint8_t opcode) {
  for (const Cdb& each : kCdbs)
    if (each.opcode == opcode) return &each;
  return nullptr;
}

}  // namespace

// Of bits 7 to 5 of byte 1 - the LUN of SCSI-2, whose CDBs had up to 12 bytes - nobody takes
// notice.
bool Oracle::reserved_bit(const std::array<std::uint8_t, 16>& cdb, unsigned byte, unsigned bit) {
  const Cdb* row = find(cdb[0]);
  return row != nullptr && byte > 0 && byte < row->length &&
         !(byte == 1 && bit >= 5 && row->length < 16) && (row->fields[byte - 1] >> bit & 1) == 0;
}

Oracle::Oracle(Machine machine) : machine_(std::move(machine)) {}

Expect Oracle::command(const Step& step) {
  const std::uint8_t opcode = step.cdb[0];
  const bool quiet = opcode == 0x12 || opcode == 0xA0 || opcode == 0x03;
  if (!quiet && attention(step.port)) return Expect::sense(6, take_attention(step.port));
  const Cdb* row = find(opcode);
  if (row == nullptr) return Expect::sense(5, 0x2000);
  const int action = step.cdb[1] & 0x1F;
  if ((opcode == 0x5E && action > 3) || (opcode == 0x5F && action > 6) ||
      (opcode == 0x8C && (action == 4 || action > 5)))
    return Expect::sense(5, kInvalidField);  // no such service action
  bool invalid = false;
  for (unsigned byte = 1; byte < row->length; ++byte)
    for (unsigned bit = 0; bit < 8; ++bit)
      invalid |= (step.cdb[byte] >> bit & 1) != 0 && reserved_bit(step.cdb, byte, bit);
  // What PREVENT ALLOW is of the two its handler sees, last of all.
  if (opcode != 0x1E && conflicts(step)) return Expect::conflict();
  if (invalid) return Expect::sense(5, kInvalidField);
  if (!quiet) {
    if (std::optional<Expect> late = std::exchange(ports_[step.port].deferred, {})) return *late;
  }
  if (conflicts(step)) return Expect::conflict();
  return run(step);
}

Expect Oracle::not_ready() const {
  return Expect::sense(2, load_ == Load::kHeld ? 0x0402 : 0x3A00);
}

// What the CDB alone, or with the mode parameters, makes invalid.
std::optional<Expect> Oracle::refused_fields(const Step& step) const {
  const auto& cdb = step.cdb;
  const auto length = static_cast<std::uint32_t>(step.field(2, 3));
  const bool fixed = (cdb[1] & 1) != 0;
  bool bad = false;
  switch (cdb[0]) {
    case 0x08:
    case 0x0A:
      bad = (fixed && (block_length_ == 0 || (cdb[0] == 0x08 && (cdb[1] & 2) != 0))) ||
            (!fixed && length > machine_.max_block);
      break;
    case 0x13:
      bad = fixed ? block_length_ == 0 : length > machine_.max_block;
      break;
    case 0x10:
      bad = (cdb[1] & 2) != 0 || (fixed && buffered_ == 0);
      break;
    case 0x11:
    case 0x91: {
      const int code = cdb[1] & 0x0F;
      bad = code != 0 && code != 1 && code != 3;
      break;
    }
    case 0x92:
      bad = (cdb[1] >> 3 & 3) == 2;
      break;
    case 0x34:
      bad = (cdb[1] & 0x1F) != 0 && (cdb[1] & 0x1F) != 1 && (cdb[1] & 0x1F) != 6 &&
            (cdb[1] & 0x1F) != 8;
      break;
    case 0x04:
      bad = (cdb[2] & 0x0F) > 2;
      break;
    default:
      break;
  }
  if (!bad) return {};
  return Expect::sense(5, kInvalidField);
}

Expect Oracle::run(const Step& step) {
  const auto& cdb = step.cdb;
  switch (cdb[0]) {  // in any state
    case 0x03:
      return request_sense(step);
    case 0x05: {
      Data data{0};
      put(data, machine_.max_block, 3);
      put(data, 1, 2);
      Expect out = Expect::good();
      out.asks = 6;
      return out.brings(std::move(data));
    }
    case 0x12:
      return allocated(machine_.inquiry, step.field(3, 2));
    case 0xA0:
      return allocated({0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, step.field(6, 4));
    case 0x16:
      return reserve(step.port);
    case 0x17:
      return release(step.port);
    case 0x1E:
      return prevent_allow(step);
    case 0x1A:
    case 0x5A:
      return mode_sense(step);
    case 0x15:
    case 0x55:
      return mode_select(step);
    case 0x4D:
      return log_sense(step);
    case 0x5E:
      return persistent_in(step);
    case 0x5F:
      return persistent_out(step);
    case 0x1B:
      return load_unload(step);
    default:
      break;
  }
  if (std::optional<Expect> refused = refused_fields(step)) {
    if (!ready()) refused->or_also(2, not_ready().asc);
    return *refused;
  }
  if (!ready()) return not_ready();
  const std::optional<unsigned> immediate =
      (cdb[1] & 1) != 0 ? std::optional<unsigned>(step.port) : std::nullopt;
  switch (cdb[0]) {
    case 0x00:
      return Expect::good();
    case 0x01:
      position_ = 0;
      buffered_objects_ = 0;
      moved();
      return Expect::good();
    case 0x04:
      return format(step);
    case 0x08:
      return read(step);
    case 0x0A:
      return write(step);
    case 0x0B:
      return set_capacity(step);
    case 0x10:
      return write_filemarks(step);
    case 0x11:
    case 0x91:
      return space(step);
    case 0x13:
      return verify(step);
    case 0x19:
      return erase(step);
    case 0x2B:
      return locate(cdb[8], (cdb[1] & 2) != 0, 0, step.field(3, 4), immediate);
    case 0x34:
      return read_position(step);
    case 0x82:
      return allow_overwrite(step);
    case 0x8C:
      return read_attribute(step);
    case 0x8D:
      return write_attribute(step);
    case 0x92:
      return locate(cdb[3], (cdb[1] & 2) != 0, cdb[1] >> 3 & 3, step.field(4, 8), immediate);
    default:
      return Expect::sense(5, 0x2000);
  }
}

// --- unit attentions ---

void Oracle::raise(unsigned port, std::uint16_t attention) {
  Port& to = ports_[port];
  if (to.known && (to.here || attention == 0x2800) &&
      std::find(to.attentions.begin(), to.attentions.end(), attention) == to.attentions.end())
    to.attentions.push_back(attention);
}

// Who is away is told of another cartridge when he comes back.
void Oracle::raise_all(std::uint16_t attention, std::optional<unsigned> but) {
  for (unsigned port = 0; port < kPorts; ++port)
    if (port != but) raise(port, attention);
}

std::uint16_t Oracle::take_attention(unsigned port) {
  std::vector<std::uint16_t>& queue = ports_[port].attentions;
  auto first = queue.begin();
  for (const int urgent : {0x2900, 0x2903, 0x2907})  // SAM-5: the order of precedence
    if (auto at = std::find(queue.begin(), queue.end(), urgent); at != queue.end()) {
      first = at;
      break;
    }
  const std::uint16_t out = *first;
  queue.erase(first);
  return out;
}

// Parameter data: the unit attention, which is gone then, or why the drive is not ready.
Expect Oracle::request_sense(const Step& step) {
  if ((step.cdb[1] & 1) != 0) return Expect::sense(5, kInvalidField);
  std::uint8_t key = 0;
  std::uint16_t code = 0;
  if (attention(step.port)) {
    key = 6;
    code = take_attention(step.port);
  } else if (!ready()) {
    key = 2;
    code = not_ready().asc;
  }
  Data data(18);
  data[0] = 0x70;
  data[2] = key;
  data[7] = 10;
  data[12] = static_cast<std::uint8_t>(code >> 8);
  data[13] = static_cast<std::uint8_t>(code);
  return allocated(std::move(data), step.cdb[4]);
}

Expect Oracle::allocated(Data data, std::uint64_t allocation) {
  Expect out = Expect::good();
  data.resize(std::min<std::size_t>(data.size(), allocation));
  out.asks = static_cast<std::uint32_t>(data.size());
  return out.brings(std::move(data));
}
Expect Oracle::allocated(std::uint64_t allocation, std::function<std::string(const Data&)> check) {
  Expect out = Expect::good();
  out.asks = static_cast<std::uint32_t>(allocation);
  return out.checked(std::move(check));
}

// --- readiness ---

void Oracle::become_ready(std::optional<unsigned> but) {
  load_ = Load::kReady;
  tape().changed = false;
  ++tape().loads;
  partition_ = 0;
  position_ = durable_ = buffered_objects_ = 0;
  raise_all(0x2800, but);
}

void Oracle::leave() {
  append_only_ = overwrite_allowed_ = format_allowed_ = false;
  staged_.reset();
  position_ = durable_ = buffered_objects_ = 0;
  partition_ = 0;
}

Expect Oracle::load_unload(const Step& step) {
  const int how = step.cdb[4];
  const bool loads = (how & 1) != 0, end_of_tape = (how & 4) != 0, hold = (how & 8) != 0;
  if (loads && (end_of_tape || hold)) return Expect::sense(5, kInvalidField);
  if (loads) {
    if (load_ == Load::kEmpty) return not_ready();
    if (ready()) {
      partition_ = 0;
      position_ = durable_ = buffered_objects_ = 0;
      moved();
    } else {
      become_ready(step.port);
    }
    return Expect::good();
  }
  if (load_ == Load::kEmpty) return Expect::good();
  if (prevented()) {
    Expect out = Expect::sense(5, 0x5302);
    return out;
  }
  if (ready()) leave();
  load_ = hold && load_ != Load::kEjected ? Load::kHeld : Load::kEjected;
  return Expect::good();
}

Expect Oracle::prevent_allow(const Step& step) {
  ports_[step.port].prevents = step.cdb[4] == 1;
  return Expect::good();
}

bool Oracle::prevented() const {
  return std::any_of(ports_.begin(), ports_.end(), [](const Port& p) { return p.prevents; });
}
bool Oracle::may_insert(std::uint64_t cartridge) const {
  return !inside_ && cartridge < machine_.cartridges.size();
}

// Mode parameters go back to their defaults; the cartridge, its position and persistent
// reservations stay.
void Oracle::reset() {
  reserved_by_.reset();
  for (Port& port : ports_) {
    port.prevents = false;
    port.deferred.reset();
  }
  block_length_ = 0;
  buffered_ = 1;
  compression_ = true;
  control_swp_ = device_swp_ = append_only_ = overwrite_allowed_ = format_allowed_ = false;
  pews_ = 0;
  staged_.reset();
}

void Oracle::event(const Step& step) {
  Port& port = ports_[step.port];
  switch (step.kind) {
    case Step::Kind::kLogin:
      if (port.here) return;
      port.here = true;
      if (!port.known) {
        port.known = true;
        port.attentions = {0x2900};
        if (ready()) port.attentions.push_back(0x2800);
      } else if (step.value != 0) {
        raise(step.port, 0x2907);
      }
      return;
    case Step::Kind::kNexusLoss:
      if (!port.here) return;
      port.here = port.prevents = false;
      port.deferred.reset();
      // A host that comes back must not write on as if its cartridge were still there.
      std::erase_if(port.attentions, [](std::uint16_t each) { return each != 0x2800; });
      if (reserved_by_ == step.port) reserved_by_.reset();
      return;
    case Step::Kind::kUnitReset:
    case Step::Kind::kTargetReset:
      reset();
      raise_all(0x2903);
      return;
    case Step::Kind::kInsert:
      if (!may_insert(step.value)) return;
      inside_ = step.value;
      for (Port& each : ports_) each.deferred.reset();  // the good one is not to be blamed
      become_ready({});
      return;
    case Step::Kind::kRemove:
      if (!inside_ || prevented()) return;
      leave();
      inside_.reset();
      load_ = Load::kEmpty;
      return;
    case Step::Kind::kPowerOn: {  // the cartridge stays in and is loaded before anybody logs in
      reset();
      ports_ = {};
      keys_.clear();
      reservation_.reset();
      generation_ = 0;
      written_by_hosts_ = sent_to_hosts_ = 0;
      leave();
      if (inside_) become_ready({});
      return;
    }
    case Step::Kind::kCommand:
      return;
  }
}

}  // namespace oracle
