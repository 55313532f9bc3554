#include "test/oracle/generator.h"

#include <algorithm>

namespace oracle {

namespace {

Step command(std::initializer_list<std::uint64_t> cdb, std::uint32_t expected = 0) {
  Step step;
  std::size_t at = 0;
  for (const std::uint64_t byte : cdb) step.cdb[at++] = static_cast<std::uint8_t>(byte);
  step.expected = expected;
  return step;
}
void set(Step& step, std::size_t at, std::size_t width, std::uint64_t value) {
  for (; width > 0; --width, value >>= 8)
    step.cdb[at + width - 1] = static_cast<std::uint8_t>(value);
}

}  // namespace

Generator::Generator(Random& random, const Oracle& oracle) : random_(random), oracle_(oracle) {
  // What is usual; a seed does without some of it, and has much more of the rest.
  constexpr std::array<unsigned, kChoices> kUsual{
      30, 20, 30, 20, 14, 20, 6, 10, 6,     // write to rewind
      8,  2,  6,  2,  2,  2,  5, 4,  6, 6,  // position to pages
      4,  3,  1,  1,  4,  4,  3, 3,         // mode sense to persistent in
      8,  2,  4,  5,  2,  1,  2, 1};
  for (std::size_t i = 0; i < kChoices; ++i) {
    weights_[i] = kUsual[i] * random_.pick_as<unsigned>({0, 2, 3, 3, 3, 6, 12});
    if (i == kRobot || i == kLoad || i == kWrite) weights_[i] += 2;
    total_ += weights_[i];
  }
  ports_ = 1 + static_cast<unsigned>(random_.below(kPorts));
  const std::uint32_t largest = oracle_.machine().max_block;
  for (std::uint32_t& size : sizes_) {
    const std::uint32_t most = random_.pick_as<std::uint32_t>({16, 600, 4000, largest});
    size = 1 + static_cast<std::uint32_t>(random_.below(std::min(most, largest)));
  }
}

std::uint32_t Generator::block_size() {
  if (random_.chance(90)) return sizes_[random_.below(3)];
  if (random_.chance(20)) return oracle_.machine().max_block;
  return 1 + static_cast<std::uint32_t>(random_.below(oracle_.machine().max_block));
}

Step Generator::next() {
  std::uint8_t port = static_cast<std::uint8_t>(random_.chance(70) ? 0 : random_.below(ports_));
  if (!oracle_.logged_in(port)) {
    Step step;
    step.kind = Step::Kind::kLogin;
    step.port = port;
    step.value = random_.chance(40) ? 1 : 0;
    return step;
  }
  std::size_t choice = 0;
  for (std::uint64_t left = random_.below(total_); left >= weights_[choice]; ++choice)
    left -= weights_[choice];
  // An empty drive, or one that somebody keeps for himself, soon says nothing new.
  if (!oracle_.ready() && random_.chance(30)) choice = oracle_.inside() ? kLoad : kRobot;
  if (const auto holder = oracle_.reserve_holder(); holder && random_.chance(50))
    port = static_cast<std::uint8_t>(*holder);
  if (oracle_.append_only() && random_.chance(8)) choice = kOverwrite;
  port_ = port;
  Step step = make(static_cast<Choice>(choice));
  step.port = port;
  // SCSI-2 had the LUN in bits 7 to 5 of byte 1: nobody looks at it any more.
  if (step.kind == Step::Kind::kCommand && (step.cdb[0] >> 5) < 3 && step.cdb[0] != 0x13 &&
      random_.chance(2))
    step.cdb[1] = static_cast<std::uint8_t>(step.cdb[1] | random_.below(8) << 5);
  if (!step.writes && step.expected > 1 && random_.chance(6))
    step.expected = random_.chance(50) ? step.expected + 100 : step.expected / 2;
  return step;
}

Step Generator::make(Choice choice) {
  const bool immediate = random_.chance(30);
  switch (choice) {
    case kWrite:
      return transfer(0x0A, false);
    case kWriteFixed:
      return transfer(0x0A, true);
    case kRead:
      return transfer(0x08, false);
    case kReadFixed:
      return transfer(0x08, true);
    case kFilemarks: {
      // Tapes stay short, or looking at them all the time takes too long.
      const bool full = oracle_.ready() && oracle_.partition().objects.size() > 150;
      if (full && oracle_.position() > 100) return command({0x01});
      return command({0x10, immediate, 0, 0, random_.chance(25) ? 0 : 1 + random_.below(3)});
    }
    case kSpace:
      return space();
    case kLocate10:
      return locate(true);
    case kLocate16:
      return locate(false);
    case kRewind:
      return command({0x01, immediate});
    case kPosition: {
      const auto form = random_.pick({0, 1, 6, 6, 8});
      const std::uint64_t allocation = form == 8 ? random_.pick({32, 32, 100, 20}) : 0;
      return command({0x34, form, 0, 0, 0, 0, 0, 0, allocation}, form < 2 ? 20 : 32);
    }
    case kErase:
      return command({0x19, random_.below(2) | immediate << 1});
    case kVerify:
      return verify();
    case kLoad:
      return command({0x1B, immediate, 0, 0, random_.pick({1, 1, 1, 3, 5, 9})});
    case kUnload:
      return command({0x1B, immediate, 0, 0, random_.pick({0, 0, 2, 8})});
    case kPrevent:
      return command({0x1E, 0, 0, 0, random_.pick({0, 0, 0, 1, 1, 2})});
    case kReady:
      return command({0x00});
    case kSense: {
      const std::uint64_t allocation = random_.pick({18, 96, 252, 252, 14, 3});
      return command({0x03, 0, 0, 0, allocation}, static_cast<std::uint32_t>(allocation));
    }
    case kBlock:
      return select(false);
    case kPages:
      return select(true);
    case kModeSense:
      return mode_sense();
    case kLog: {
      const std::uint64_t allocation = random_.pick({4096, 4096, 4, 60});
      return command({0x4D, random_.chance(3), 0x40u | random_.pick({0x0C, 0x17, 0x31, 0x31, 0x3A}),
                      0, 0, 0, 0, allocation >> 8, allocation & 0xFF},
                     static_cast<std::uint32_t>(allocation));
    }
    case kFormat:
      if (oracle_.position() != 0 && random_.chance(60)) return command({0x1B, 0, 0, 0, 1});
      return command({0x04, immediate, random_.pick({0, 1, 1, 2, 3})});
    case kCapacity:
      if (oracle_.position() != 0 && random_.chance(60)) return command({0x1B, 0, 0, 0, 1});
      return command({0x0B, immediate, 0, random_.chance(80) ? 0xFFu : 0x80u, 0xFF});
    case kReadAttribute:
      return attribute(false);
    case kWriteAttribute:
      return attribute(true);
    case kReserve:
      return command({random_.chance(40) ? 0x16u : 0x17u});
    case kPersistentIn: {
      const std::uint64_t allocation = random_.pick({255, 255, 8, 12});
      return command({0x5E, random_.pick({0, 0, 1, 1, 5}), 0, 0, 0, 0, 0, 0, allocation},
                     static_cast<std::uint32_t>(allocation));
    }
    case kPersistentOut:
      return persistent_out();
    case kOverwrite: {
      Step step = command({0x82, 0, random_.pick({0, 1, 1, 1, 2, 3}), oracle_.partition_number()});
      if (random_.chance(5)) ++step.cdb[3];
      set(step, 4, 8, oracle_.position() + random_.chance(10));
      return step;
    }
    case kOthers:
      return others();
    case kInvalid:
      return invalid();
    case kSession:
      return session();
    case kReset: {
      Step step;
      step.kind = random_.chance(70) ? Step::Kind::kUnitReset : Step::Kind::kTargetReset;
      return step;
    }
    case kRobot: {
      Step step;
      step.kind = oracle_.inside() ? Step::Kind::kRemove : Step::Kind::kInsert;
      step.value = random_.below(oracle_.machine().cartridges.size());
      return step;
    }
    default: {
      Step step;
      step.kind = Step::Kind::kPowerOn;
      return step;
    }
  }
}

// READ or WRITE. What is read is mostly as long as it says, or nearly so.
Step Generator::transfer(std::uint8_t opcode, bool fixed) {
  Step step = command({opcode, fixed});
  const std::uint32_t length = oracle_.block_length();
  if (fixed && length == 0 && random_.chance(90)) return select(false);
  std::uint32_t asked = fixed ? 1 + static_cast<std::uint32_t>(random_.below(5)) : block_size();
  if (opcode == 0x08) {
    // At its end there is nothing to read.
    const bool at_end = oracle_.ready() && oracle_.position() == oracle_.partition().objects.size();
    if (at_end && random_.chance(70)) return random_.chance(50) ? space() : locate(false);
    if (random_.chance(25)) step.cdb[1] |= 2;
    if (fixed) step.cdb[1] &= static_cast<std::uint8_t>(random_.chance(95) ? 1 : 3);
    if (!fixed && oracle_.ready() && oracle_.position() < oracle_.partition().objects.size()) {
      const std::uint32_t next = oracle_.partition().objects[oracle_.position()].block.size;
      const auto change = random_.pick_as<std::uint32_t>({0, 0, 0, 0, 1, ~0u, 100, next / 2});
      if (next != 0) asked = std::min(next + change, oracle_.machine().max_block);
    }
  }
  if (opcode == 0x0A && !fixed && oracle_.ready() && random_.chance(40)) {  // up to a border
    const Partition& p = oracle_.partition();
    const std::uint64_t used = p.bytes(oracle_.position());
    const std::uint64_t zone = oracle_.pews() * std::uint64_t{1'000'000};
    const std::uint64_t border =
        random_.pick({p.early_warning, p.early_warning - zone, p.capacity});
    const std::uint64_t left = border - used + random_.pick({0, 0, 1, ~std::uint64_t{0}});
    if (left != 0 && left <= oracle_.machine().max_block) asked = static_cast<std::uint32_t>(left);
  }
  if (random_.chance(2)) asked = fixed ? 0 : oracle_.machine().max_block + 1;
  if (fixed && asked == 0 && length == 0) asked = 1;
  if (!fixed && random_.chance(1)) asked = 0;
  set(step, 2, 3, asked);
  step.expected = fixed ? asked * length : asked;
  if (opcode == 0x0A && step.expected != 0) {
    step.writes = true;
    step.value = ++writes_;
  }
  return step;
}

Step Generator::space() {
  const auto code = random_.pick({0, 0, 0, 1, 1, 1, 1, 3, 2, 4});
  std::int64_t count = static_cast<std::int64_t>(random_.below(6));
  if (random_.chance(5)) count = 0x7FFFFF;
  if (random_.chance(50)) count = -count;
  if (random_.chance(70)) {
    Step step = command({0x11, code});
    set(step, 2, 3, static_cast<std::uint64_t>(count));
    return step;
  }
  if (random_.chance(10)) count = count < 0 ? -(std::int64_t{1} << 40) : std::int64_t{1} << 40;
  Step step = command({0x91, code});
  set(step, 4, 8, static_cast<std::uint64_t>(count));
  return step;
}

std::uint64_t Generator::object() {
  const std::uint64_t end = oracle_.ready() ? oracle_.partition().objects.size() : 5;
  return random_.chance(20)   ? end
         : random_.chance(10) ? end + 1 + random_.below(3)
                              : random_.below(end + 1);
}

Step Generator::locate(bool ten) {
  const std::uint64_t count = oracle_.ready() ? oracle_.cartridge().partitions.size() : 1;
  const std::uint64_t partition = random_.chance(4) ? count : random_.below(count);
  const std::uint64_t change = random_.chance(40) ? 2 : 0, immediate = random_.chance(20);
  if (ten) {
    Step step = command({0x2B, change | immediate | (random_.chance(50) ? 4u : 0u)});
    set(step, 3, 4, object());
    step.cdb[8] = static_cast<std::uint8_t>(partition);
    return step;
  }
  const auto kind = random_.pick({0, 0, 1, 1, 3, 2});
  Step step = command({0x92, kind << 3 | change | immediate, random_.chance(2), partition});
  const std::uint64_t target = kind == 1 ? random_.below(6) : object();
  set(step, 4, 8, random_.chance(3) ? ~std::uint64_t{0} : target);
  return step;
}

Step Generator::verify() {
  if (random_.chance(30)) {
    const bool marks = random_.chance(50);
    return command({0x13, marks ? 0x08u : 0x20u, 0, 0, marks ? random_.below(4) : 0});
  }
  Step step = transfer(0x08, random_.chance(30));
  if (step.cdb[0] != 0x08) return step;
  step.cdb[0] = 0x13;
  step.cdb[1] &= 1;
  step.expected = 0;
  const std::uint64_t at = oracle_.position();
  if (step.cdb[1] == 0 && step.field(2, 3) != 0 && random_.chance(40)) {  // BYTCMP
    step.cdb[1] = 2;
    step.writes = true;
    step.expected = static_cast<std::uint32_t>(step.field(2, 3));
    if (step.expected > oracle_.machine().max_block) step.expected = 1, set(step, 2, 3, 1);
    step.list.resize(step.expected);
    if (oracle_.ready() && at < oracle_.partition().objects.size()) {
      const Piece& next = oracle_.partition().objects[at].block;
      fill(step.list.data(), next.number, next.offset, step.list.size());
    }
    if (random_.chance(20)) step.list.back() ^= 1;
  }
  return step;
}

void Generator::list_out(Step& step, Data list, std::size_t at, std::size_t width) {
  set(step, at, width, list.size());
  step.expected = static_cast<std::uint32_t>(list.size());
  step.writes = !list.empty();
  step.list = std::move(list);
}

Step Generator::select(bool pages) {
  const bool ten = random_.chance(50), descriptor = !pages || random_.chance(50);
  Step step = command({ten ? 0x55u : 0x15u, 0x10u | random_.chance(1)});
  const std::uint8_t mode =
      random_.chance(90) ? oracle_.buffered_mode() : random_.pick_as<std::uint8_t>({0, 1, 5});
  Data list;
  put(list, 0, ten ? 3 : 2);
  put(list, mode << 4 | (random_.chance(20) ? 0x80 : 0), 1);
  if (ten) put(list, 0, 2);
  put(list, descriptor ? 8 : random_.chance(3) ? 7 : 0, ten ? 2 : 1);
  if (descriptor) {
    const std::uint8_t own =
        oracle_.ready() ? oracle_.cartridge().density : oracle_.machine().native_density;
    put(list, random_.chance(3) ? 0x47u : random_.pick_as<std::uint8_t>({0, 0x7F, own}), 1);
    put(list, 0, 4);
    std::uint32_t length = oracle_.block_length();
    if (!pages && random_.chance(70)) length = random_.chance(30) ? 0 : block_size();
    if (random_.chance(2)) length = oracle_.machine().max_block + 1;
    put(list, length, 3);
  }
  if (pages) {
    const auto code =
        random_.pick_as<std::uint16_t>({0x0A00, 0x0F00, 0x1000, 0x1001, 0x1001, 0x1100});
    Data page = oracle_.page(code);
    page[0] &= 0x7F;
    const bool often = random_.chance(50), append = random_.chance(25) != oracle_.append_only();
    switch (code) {
      case 0x0A00:
        page[4] = static_cast<std::uint8_t>(random_.chance(20) ? 8 : 0);
        break;
      case 0x0F00:
        page[2] ^= static_cast<std::uint8_t>(often ? 0x80 : 0);
        break;
      case 0x1000:
        page[10] = static_cast<std::uint8_t>((page[10] & ~4) | (random_.chance(20) ? 4 : 0));
        break;
      case 0x1001:
        if (often && oracle_.position() != 0)
          page[7] = static_cast<std::uint8_t>(random_.below(3));
        else if (oracle_.ready())
          page[5] = static_cast<std::uint8_t>((append ? 0x10 : 0) | (page[5] & 15));
        break;
      default:
        partition_page(page);
        break;
    }
    if (random_.chance(3)) page.resize(page.size() - 1), page[1] -= code == 0x1001 ? 0 : 1;
    if (!page.empty()) list.insert(list.end(), page.begin(), page.end());
  }
  if (random_.chance(2)) list.resize(random_.below(list.size()));
  list_out(step, std::move(list), ten ? 7 : 4, ten ? 2 : 1);
  return step;
}

// Another number of partitions than there is, of sizes that the drive is to choose.
void Generator::partition_page(Data& page) {
  const unsigned most = oracle_.max_partitions() + (random_.chance(10) ? 1 : 0);
  unsigned count = 1 + static_cast<unsigned>(random_.below(most));
  if (count == oracle_.shown_partitions()) count = count == 1 ? 2 : 1;
  page.resize(8 + 2 * std::size_t{count});
  page[1] = static_cast<std::uint8_t>(page.size() - 2);
  page[3] = static_cast<std::uint8_t>(count - 1);
  page[4] = 0x5C;  // SDP
  page[5] = 3;
  std::fill(page.begin() + 8, page.end(), 0);
}

Step Generator::mode_sense() {
  const bool ten = random_.chance(50);
  const std::uint64_t allocation = ten ? random_.pick({4096, 12, 8}) : random_.pick({255, 12, 4});
  const auto page = random_.pick_as<std::uint16_t>(
      {0x0000, 0x0A00, 0x0F00, 0x1000, 0x1000, 0x1001, 0x1100, 0x1D00, 0x0500, 0x0F33});
  Step step = command(
      {ten ? 0x5Au : 0x1Au, random_.chance(40) ? 8u : 0u,
       random_.pick({0, 0, 0, 0, 1, 2, 3}) << 6 | static_cast<unsigned>(page >> 8), page & 0xFFu},
      static_cast<std::uint32_t>(allocation));
  if (ten)
    set(step, 7, 2, allocation);
  else
    step.cdb[4] = static_cast<std::uint8_t>(allocation);
  return step;
}

Step Generator::attribute(bool writes) {
  const std::uint64_t count = oracle_.ready() ? oracle_.cartridge().partitions.size() : 1;
  const std::uint64_t partition = random_.chance(4) ? count : random_.below(count);
  const auto id =
      random_.pick_as<std::uint16_t>({0x0800, 0x0801, 0x0805, 0x0809, 0x080A, 0x080C, 0x1623});
  if (!writes) {
    const std::uint64_t allocation = random_.pick({4096, 4096, 4, 20});
    Step step = command(
        {0x8C, random_.pick({0, 0, 0, 0, 1, 2, 3, 5, 4}), 0, 0, 0, random_.chance(2), 0, partition},
        static_cast<std::uint32_t>(allocation));
    if (step.cdb[1] == 0)
      set(step, 8, 2, random_.pick_as<std::uint16_t>({0, 0, 0x0003, 0x0009, id}));
    set(step, 10, 4, allocation);
    return step;
  }
  const auto size = static_cast<std::size_t>(id == 0x0800   ? 8
                                             : id == 0x0801 ? 32
                                             : id == 0x0809 ? 16
                                             : id == 0x080C ? 20 + random_.below(50)
                                                            : 1);
  Data list(4);
  put(list, random_.chance(4) ? 0x0401 : id, 2);
  put(list, id == 0x0805 || id == 0x080A || id == 0x080C || id == 0x1623 ? 0 : 1, 1);
  const std::size_t given = random_.chance(20) ? 0 : random_.chance(4) ? size + 1 : size;
  put(list, given, 2);
  for (std::size_t i = 0; i < given; ++i) put(list, 'A' + random_.below(26), 1);
  const std::size_t length = list.size() - (random_.chance(50) ? 4 : 0);
  list[3] = static_cast<std::uint8_t>(length);
  Step step = command({0x8D, random_.below(2), 0, 0, 0, 0, 0, partition});
  list_out(step, std::move(list), 10, 4);
  return step;
}

// Few keys, so that several ports have the same one.
std::uint64_t Generator::key() {
  return random_.chance(75) ? random_.below(4) : oracle_.key_of(port_).value_or(0);
}

Step Generator::persistent_out() {
  auto action = random_.pick({0, 0, 6, 6, 1, 1, 1, 2, 2, 3, 4, 4, 5, 7});
  if (!oracle_.key_of(port_) && random_.chance(60)) action = 6;
  auto type = random_.pick({1, 3, 5, 6, 7, 8, 2});
  if (oracle_.reservation_type() != 0 && random_.chance(60)) type = oracle_.reservation_type();
  const std::uint64_t scope = random_.chance(2) ? 0x10 : 0;
  Step step = command({0x5F, action, action == 0 || action == 6 || action == 3 ? 0 : scope | type});
  Data list;
  put(list, random_.chance(90) ? oracle_.key_of(port_).value_or(0) : key(), 8);
  put(list, key(), 8);
  put(list, 0, 8);
  if (random_.chance(2)) list.resize(23);
  list_out(step, std::move(list), 5, 4);
  return step;
}

// A valid command with a reserved bit, or one that LTO drives do not know.
Step Generator::invalid() {
  if (random_.chance(30)) {
    return command({random_.pick({0x0F, 0x14, 0x80, 0x81, 0x88, 0x8A, 0x8F, 0x93, 0xB8, 0xC1})});
  }
  for (;;) {
    Step step = make(static_cast<Choice>(random_.below(kInvalid)));
    if (step.kind != Step::Kind::kCommand) continue;
    const auto byte = static_cast<unsigned>(1 + random_.below(15));
    const auto bit = static_cast<unsigned>(random_.below(8));
    if (!Oracle::reserved_bit(step.cdb, byte, bit)) continue;
    step.cdb[byte] = static_cast<std::uint8_t>(step.cdb[byte] | 1u << bit);
    return step;
  }
}

Step Generator::session() {
  Step step;
  step.kind = Step::Kind::kNexusLoss;
  return step;
}

Step Generator::others() {
  switch (random_.below(4)) {
    case 0: {
      const std::uint64_t allocation = random_.pick({5, 36, 96, 255});
      return command({0x12, 0, 0, 0, allocation}, static_cast<std::uint32_t>(allocation));
    }
    case 1:
      return command({0x05}, 6);
    case 2:
      return command({0xA0, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 256);
    default:
      return command({0x00});
  }
}

}  // namespace oracle
