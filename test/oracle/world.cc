#include "test/oracle/world.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "scsi/check.h"

namespace oracle {

using scsi::ssc::MemoryMedium;
using scsi::ssc::TapeDrive;

namespace {

template <class... Values>
std::string format(const char* how, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, how, values...);
  return text;
}

Data to_data(const scsi::SliceList& slices) {
  Data out;
  for (const scsi::Slice& slice : slices)
    for (const std::byte b : slice.bytes) out.push_back(std::to_integer<std::uint8_t>(b));
  return out;
}

}  // namespace

// A drive of some generation, three cartridges that it can take, small enough to be filled.
World::World(std::uint64_t seed) {
  Random random(seed * 2 + 1);
  generation_ = static_cast<std::uint8_t>(5 + random.below(5));
  const bool large = random.chance(15);  // so large that programmable early warning is within
  max_block_ = large ? 200'000 : random.pick_as<std::uint32_t>({1000, 4096, 20'000});
  for (std::uint64_t i = 0; i < 3; ++i) {
    const auto older = static_cast<std::uint8_t>(generation_ - (random.chance(20) ? 1 : 0));
    const std::size_t partitions = older >= 5 && random.chance(30) ? 2 : 1;
    auto medium = std::make_unique<MemoryMedium>(older, partitions);
    medium->label().barcode = "VTL00" + std::to_string(i) + "L" + std::to_string(older);
    medium->label().worm = random.chance(15);
    medium->label().write_protected = random.chance(10);
    const std::uint64_t capacity = large ? 2'000'000 + random.below(2'000'000)
                                         : max_block_ * (2 + random.below(12)) + random.below(1000);
    const std::uint64_t warning = capacity - capacity / (1 + random.below(8)) / 2;
    medium->set_capacity(warning, capacity);
    Cartridge cartridge;
    cartridge.generation = older;
    cartridge.worm = medium->label().worm;
    cartridge.write_protected = medium->label().write_protected;
    const scsi::ssc::Generation& profile = *scsi::ssc::find_generation(older);
    cartridge.medium_type = cartridge.worm ? profile.medium_type_worm : profile.medium_type_data;
    cartridge.density = profile.density_code;
    cartridge.max_partitions = cartridge.worm ? 1 : profile.max_partitions;
    if (random.chance(15)) {
      cartridge.filemark_limit = 1 + random.below(10);
      medium->set_filemark_limit(cartridge.filemark_limit);
    }
    for (std::size_t p = 0; p < partitions; ++p) {
      cartridge.partitions.emplace_back();
      cartridge.partitions.back().early_warning = warning;
      cartridge.partitions.back().capacity = capacity;
    }
    machine_.cartridges.push_back(std::move(cartridge));
    shelf_.push_back(std::move(medium));
  }
  make_drive();
  oracle_ = std::make_unique<Oracle>(learn());
  make_drive();
}

void World::make_drive() {
  const scsi::ssc::Generation& profile = *scsi::ssc::find_generation(generation_);
  scsi::ssc::TapeDriveOptions options;
  options.identity.vendor = "IBM";
  options.identity.product = std::string(profile.ibm_product);
  options.identity.revision = std::string(profile.ibm_revision);
  options.identity.serial = "VTL0000001";
  options.identity.naa = {0x50, 1, 2, 3, 4, 5, 6, 7};
  options.identity.target_device_name = "iqn.2026-11.local.vtl:oracle";
  options.identity.target_port_name = "iqn.2026-11.local.vtl:oracle,t,0x0001";
  options.generation = generation_;
  options.max_block_bytes = max_block_;
  options.now_ms = [] { return std::uint64_t{1'800'000'000'000}; };
  options.random = [](scsi::MutableBytes) {};
  drive_ = std::make_unique<TapeDrive>(std::move(options));
}

Data World::ask(std::initializer_list<std::uint8_t> cdb) {
  Step step;
  std::copy(cdb.begin(), cdb.end(), step.cdb.begin());
  step.expected = 4096;
  send(step);
  return to_data(end_.data);
}

// What is data and no behaviour is taken from the drive as it is when new.
Machine World::learn() {
  scsi::NexusInfo info;
  info.id = nexus(0);
  info.transport_id = {std::byte{0x45}, std::byte{0}};
  drive_->nexus_established(info);
  ask({0x00});  // takes the unit attention of power on
  machine_.generation = generation_;
  machine_.native_density = scsi::ssc::find_generation(generation_)->density_code;
  machine_.max_block = max_block_;
  machine_.inquiry = ask({0x12, 0, 0, 0x10, 0});
  for (const int page : {0x0A00, 0x0F00, 0x1000, 0x1001, 0x1100, 0x1D00}) {
    const Data all = ask({0x5A, 8, static_cast<std::uint8_t>(page >> 8),
                          static_cast<std::uint8_t>(page), 0, 0, 0, 0x10, 0});
    VTL_CHECK(all.size() > 8);
    machine_.pages[static_cast<std::uint16_t>(page)] = Data(all.begin() + 8, all.end());
  }
  return machine_;
}

// --- the transport ---

void World::send(const Step& step) {
  scsi::Command command;
  command.nexus = nexus(step.port);
  command.tag = ++tag_;
  for (std::size_t i = 0; i < step.cdb.size(); ++i) command.cdb[i] = std::byte{step.cdb[i]};
  command.writes = step.writes;
  command.reads = !step.writes && step.expected != 0;
  command.expected_length = step.expected;
  running_ = &step;
  end_ = {};
  drive_->submit(command, *this);
}

void World::want(scsi::NexusId id, scsi::TaskTag tag, std::uint32_t length) {
  VTL_CHECK(length >= 1 && length <= running_->expected && end_.taken == 0);
  end_.taken = length;
  scsi::Buffer buffer = scsi::Buffer::allocate(length);
  auto* into = reinterpret_cast<std::uint8_t*>(buffer.data());
  buffer.resize(length);
  if (running_->list.empty())
    fill(into, running_->value, 0, length);
  else
    std::memcpy(into, running_->list.data(), length);
  drive_->data_out(id, tag, std::move(buffer));
}

void World::complete(scsi::NexusId, scsi::TaskTag, scsi::Reply reply, scsi::Residual residual) {
  VTL_CHECK(end_.status == 0xFF);
  end_.status = static_cast<std::uint8_t>(reply.status);
  end_.sensed = reply.sense.has_value();
  if (reply.sense) {  // as it goes over the wire
    const std::vector<std::byte> sense = reply.sense->encode_fixed();
    const auto at = [&](std::size_t i) { return std::to_integer<std::uint8_t>(sense.at(i)); };
    if ((at(0) & 0x7F) != 0x70) end_.status = kDeferred;
    end_.key = at(2) & 15;
    end_.filemark = (at(2) & 0x80) != 0;
    end_.end_of_medium = (at(2) & 0x40) != 0;
    end_.incorrect_length = (at(2) & 0x20) != 0;
    end_.asc = static_cast<std::uint16_t>(at(12) << 8 | at(13));
    if ((at(0) & 0x80) != 0)
      end_.information = static_cast<std::int32_t>(static_cast<std::uint32_t>(at(3)) << 24 |
                                                   static_cast<std::uint32_t>(at(4)) << 16 |
                                                   static_cast<std::uint32_t>(at(5)) << 8 | at(6));
  }
  end_.data = std::move(reply.data_in);
  end_.residual = residual;
}

void World::aborted(scsi::NexusId, scsi::TaskTag) { VTL_CHECK(false); }

// --- one step ---

std::string World::step(const Step& step, Counts& counts) {
  if (step.kind != Step::Kind::kCommand) {
    ++counts.events;
    if (std::string wrong = event(step); !wrong.empty()) return wrong;
    return wrong_state();
  }
  if (!oracle_->logged_in(step.port)) return {};
  const Expect expect = oracle_->command(step);
  send(step);
  ++counts.commands;
  const unsigned flags =
      (end_.filemark ? 1u : 0) | (end_.end_of_medium ? 2u : 0) | (end_.incorrect_length ? 4u : 0);
  ++counts.ends[std::uint64_t{step.cdb[0]} << 40 | std::uint64_t{end_.status} << 32 |
                std::uint64_t{end_.key} << 24 | std::uint64_t{end_.asc} << 8 | flags];
  if (std::string wrong = differs(step, expect); !wrong.empty())
    return wrong + "\n  expected " + expect.text() + "\n  got      " + end_.text();
  if (oracle_->wants_layout()) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> sizes;
    for (std::uint32_t i = 0; i < inside_->partition_count(); ++i)
      sizes.emplace_back(inside_->partition(i).early_warning_bytes,
                         inside_->partition(i).capacity_bytes);
    if (std::string wrong = oracle_->adopt_layout(sizes); !wrong.empty()) return wrong;
  }
  return wrong_state();
}

std::string World::event(const Step& step) {
  scsi::NexusInfo info;
  const bool was_here = oracle_->logged_in(step.port), prevented = oracle_->prevented();
  const bool may_insert = oracle_->may_insert(step.value);
  const std::optional<std::uint64_t> inside = oracle_->inside();
  const bool known = oracle_->known(step.port);
  oracle_->event(step);
  switch (step.kind) {
    case Step::Kind::kLogin:
      if (was_here) return {};
      ++sessions_[step.port];
      info.id = nexus(step.port);
      info.transport_id = {std::byte{0x45}, std::byte{step.port}};
      info.replaces_lost_nexus = step.value != 0 && known;
      drive_->nexus_established(info);
      return {};
    case Step::Kind::kNexusLoss:
      if (was_here) drive_->nexus_lost(nexus(step.port));
      return {};
    case Step::Kind::kUnitReset:
    case Step::Kind::kTargetReset:
      drive_->manage(step.kind == Step::Kind::kUnitReset ? scsi::TaskFunction::kLogicalUnitReset
                                                         : scsi::TaskFunction::kTargetReset,
                     nexus(step.port), {}, [](scsi::TaskFunctionResult) {});
      return {};
    case Step::Kind::kInsert: {
      if (!may_insert) return {};
      inside_ = shelf_[step.value].get();
      bool loaded = false;
      drive_->insert(std::move(shelf_[step.value]),
                     [&](scsi::ssc::InsertOutcome outcome) { loaded = !outcome.fault; });
      return loaded ? "" : "the cartridge was refused";
    }
    case Step::Kind::kPowerOn:
      drive_->manage(scsi::TaskFunction::kTargetReset, nexus(step.port), {},
                     [](scsi::TaskFunctionResult) {});
      [[fallthrough]];
    case Step::Kind::kRemove: {
      using Result = scsi::ssc::RemoveOutcome::Result;
      const bool power = step.kind == Step::Kind::kPowerOn;
      const Result due = !inside               ? Result::kEmpty
                         : prevented && !power ? Result::kPrevented
                                               : Result::kRemoved;
      scsi::ssc::RemoveOutcome outcome;
      drive_->remove([&](scsi::ssc::RemoveOutcome out) { outcome = std::move(out); });
      if (outcome.result != due)
        return format("removing ended with %d", static_cast<int>(outcome.result));
      if (due == Result::kRemoved) {
        shelf_[*inside].reset(static_cast<MemoryMedium*>(outcome.medium.release()));
        inside_ = nullptr;
      }
      if (!power) return {};
      make_drive();
      if (!inside) return {};
      inside_ = shelf_[*inside].get();
      drive_->insert(std::move(shelf_[*inside]), [](scsi::ssc::InsertOutcome) {});
      return {};
    }
    case Step::Kind::kCommand:
      return {};
  }
  return {};
}

std::string World::differs(const Step& step, const Expect& expect) const {
  const bool check = expect.status == 2 || expect.status == kDeferred;
  if (end_.status != expect.status ||
      (check && (end_.key != expect.key || end_.asc != expect.asc))) {
    const std::uint32_t got = static_cast<std::uint32_t>(end_.key) << 16 | end_.asc;
    const bool also = end_.status == 2 &&
                      std::find(expect.also.begin(), expect.also.end(), got) != expect.also.end();
    return also ? "" : "status or sense";
  }
  if (end_.sensed != check) return "sense data with this status";
  if (end_.filemark != expect.filemark || end_.end_of_medium != expect.end_of_medium ||
      end_.incorrect_length != expect.incorrect_length)
    return "flags";
  if (expect.rule == Expect::Information::kNone && end_.information) return "VALID";
  if (expect.rule == Expect::Information::kExact && end_.information != expect.information)
    return "INFORMATION";
  if (std::string wrong = wrong_data(expect); !wrong.empty()) return wrong;
  return wrong_residual(step, expect);
}

std::string World::wrong_data(const Expect& expect) const {
  switch (expect.data) {
    case Expect::DataIn::kNone:
      return end_.data.empty() || scsi::total_size(end_.data) == 0 ? "" : "data where none is due";
    case Expect::DataIn::kExact:
    case Expect::DataIn::kCheck: {
      const Data got = to_data(end_.data);
      if (expect.data == Expect::DataIn::kCheck) {
        // The checks know the whole answer only.
        if (got.size() < expect.asks && end_.residual.overflow != 0) return {};
        return expect.check(got);
      }
      const std::size_t size = std::min<std::size_t>(expect.exact.size(), running_->expected);
      if (got.size() != size) return format("%zu bytes of data, not %zu", got.size(), size);
      for (std::size_t i = 0; i < size; ++i)
        if (got[i] != expect.exact[i])
          return format("data byte %zu is %02X, not %02X", i, got[i], expect.exact[i]);
      return {};
    }
    case Expect::DataIn::kPieces:
      break;
  }
  Data due;
  for (const Piece& piece : expect.pieces) {
    const std::size_t at = due.size();
    due.resize(at + piece.size);
    fill(due.data() + at, piece.number, piece.offset, piece.size);
  }
  due.resize(std::min<std::size_t>(due.size(), running_->expected));
  if (scsi::total_size(end_.data) != due.size())
    return format("%zu bytes read, not %zu", scsi::total_size(end_.data), due.size());
  std::size_t at = 0;
  for (const scsi::Slice& slice : end_.data) {
    if (std::memcmp(slice.bytes.data(), due.data() + at, slice.bytes.size()) != 0)
      return "the bytes read are not those written";
    at += slice.bytes.size();
  }
  return {};
}

// RFC 7143 11.4.5: overflow when the CDB asks for more than is expected, else underflow of what was
// not transferred.
std::string World::wrong_residual(const Step& step, const Expect& expect) const {
  const std::size_t sent = scsi::total_size(end_.data);
  if (step.writes) {
    const bool optional = expect.status == 0x18 || (expect.status == 2 && expect.key == 5);
    if (end_.taken != expect.takes && !(optional && end_.taken == 0))
      return format("%u bytes of data-out taken, not %u", end_.taken, expect.takes);
  }
  std::uint32_t over = 0, under = 0;
  if (expect.asks <= step.expected)
    under = step.expected - (step.writes ? end_.taken : static_cast<std::uint32_t>(sent));
  else if (expect.data != Expect::DataIn::kCheck)
    over = expect.asks - step.expected;
  else if (end_.residual.overflow != 0)  // how much there is the oracle does not know
    return sent == step.expected && end_.residual.underflow == 0 ? "" : "residual of cut data";
  else
    under = step.expected - static_cast<std::uint32_t>(sent);
  if (end_.residual.overflow != over || end_.residual.underflow != under)
    return format("residual: overflow %u underflow %u, not %u %u", end_.residual.overflow,
                  end_.residual.underflow, over, under);
  return {};
}

std::string World::wrong_state() {
  const TapeDrive::State state = drive_->state();
  const Oracle& o = *oracle_;
  if (state.loaded != o.ready() || state.present != o.inside().has_value()) return "load state";
  if (state.prevented != o.prevented()) return "PREVENT";
  if (!o.ready()) return {};
  if (state.position.partition != o.partition_number() || state.position.object != o.position())
    return format("position %u:%llu, not %u:%llu", state.position.partition,
                  static_cast<unsigned long long>(state.position.object), o.partition_number(),
                  static_cast<unsigned long long>(o.position()));
  if (state.position.filemarks != o.partition().filemarks(o.position())) return "file number";
  for (std::size_t i = 0; i < o.cartridge().partitions.size(); ++i)
    if (inside_->at(i).objects.size() != o.cartridge().partitions[i].objects.size())
      return format("end of data of partition %zu is %zu, not %zu", i,
                    inside_->at(i).objects.size(), o.cartridge().partitions[i].objects.size());
  if (inside_->at(o.partition_number()).durable < o.must_be_durable())
    return "what was acknowledged is not durable";
  return {};
}

// --- for people ---

std::string World::End::text() const {
  std::string out =
      format("status %02X %X/%02X/%02X%s%s%s", status, key, asc >> 8, asc & 0xFF,
             filemark ? " FM" : "", end_of_medium ? " EOM" : "", incorrect_length ? " ILI" : "");
  if (information) out += format(" information %lld", static_cast<long long>(*information));
  return out + format(", %zu bytes in, %u out, residual U %u O %u", scsi::total_size(data), taken,
                      residual.underflow, residual.overflow);
}

std::string Expect::text() const {
  std::string out =
      format("status %02X %X/%02X/%02X%s%s%s", status, key, asc >> 8, asc & 0xFF,
             filemark ? " FM" : "", end_of_medium ? " EOM" : "", incorrect_length ? " ILI" : "");
  if (rule == Information::kExact)
    out += format(" information %lld", static_cast<long long>(information));
  for (const std::uint32_t other : also)
    out += format(" or %X/%02X/%02X", other >> 16, other >> 8 & 0xFF, other & 0xFF);
  return out;
}

std::string Step::text() const {
  constexpr const char* kNames[] = {"",       "login",  "nexus lost", "unit reset", "target reset",
                                    "insert", "remove", "power on"};
  if (kind != Kind::kCommand)
    return format("port %d %s %llu", port, kNames[static_cast<int>(kind)],
                  static_cast<unsigned long long>(value));
  std::string out = format("port %d", port);
  const std::size_t length = cdb[0] >> 5 == 0 ? 6 : cdb[0] >> 5 < 3 ? 10 : 16;
  for (std::size_t i = 0; i < length; ++i) out += format(" %02X", cdb[i]);
  if (expected != 0) out += format(" %s %u", writes ? "out" : "in", expected);
  if (list.empty()) return out;
  out += ":";
  for (std::size_t i = 0; i < list.size() && i < 64; ++i) out += format(" %02X", list[i]);
  return out;
}

void Counts::add(const Counts& other) {
  commands += other.commands;
  events += other.events;
  for (const auto& [end, count] : other.ends) ends[end] += count;
}

std::string Counts::text() const {
  std::string out;
  int line = -1;
  for (const auto& [end, count] : ends) {
    const int opcode = static_cast<int>(end >> 40);
    if (opcode != line) out += format("%s%02X:", line < 0 ? "" : "\n", opcode);
    line = opcode;
    const auto status = static_cast<unsigned>(end >> 32 & 0xFF);
    if (status == 0)
      out += format("  GOOD %llu", static_cast<unsigned long long>(count));
    else if (status == 0x18)
      out += format("  conflict %llu", static_cast<unsigned long long>(count));
    else
      out += format("  %s%X/%02X/%02X%s%s%s %llu", status == kDeferred ? "deferred " : "",
                    static_cast<unsigned>(end >> 24 & 15), static_cast<unsigned>(end >> 16 & 0xFF),
                    static_cast<unsigned>(end >> 8 & 0xFF), end & 1 ? " FM" : "",
                    end & 2 ? " EOM" : "", end & 4 ? " ILI" : "",
                    static_cast<unsigned long long>(count));
  }
  return out + format("\n%llu commands, %llu events", static_cast<unsigned long long>(commands),
                      static_cast<unsigned long long>(events));
}

}  // namespace oracle
