// A drive with two initiators logged in and a cartridge in memory.
#pragma once

#include <catch2/catch.hpp>

#include "scsi/ssc/tape_drive.h"
#include "test/unit/ssc/memory_medium.h"
#include "test/unit/support/recorder.h"

namespace test {

using scsi::ssc::MediumFault;
using scsi::ssc::MemoryMedium;
using scsi::ssc::TapeDrive;
using scsi::ssc::WriteMode;
using Cdb = std::vector<std::uint8_t>;
using Data = std::vector<std::byte>;

class TestDrive : public TapeDrive {
 public:
  using LogicalUnit::find_nexus;
  using LogicalUnit::rows;
  using TapeDrive::TapeDrive;
};

inline scsi::ssc::TapeDriveOptions drive_options(std::uint8_t generation = 8,
                                                 std::string_view family = "ibm") {
  scsi::ssc::TapeDriveOptions options;
  options.family = scsi::ssc::find_drive_family(family);
  const scsi::ssc::DriveModel& model = options.family->model(generation);
  options.identity.vendor = model.vendor;
  options.identity.product = model.product;
  options.identity.revision = model.revision;
  options.identity.serial = "VTL0000001";
  options.identity.naa = {0x50, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07};
  options.identity.target_device_name = "iqn.2026-11.local.vtl:lib-tapedrive-01";
  options.identity.target_port_name = "iqn.2026-11.local.vtl:lib-tapedrive-01,t,0x0001";
  options.generation = generation;
  options.max_block_bytes = 1u << 20;
  options.library_serial = "VTLLIB0001";
  options.element_address = 500;
  options.now_ms = [] { return std::uint64_t{1'800'000'000'000}; };
  options.random = [](scsi::MutableBytes into) {
    for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<std::byte>(0xA0 + i);
  };
  return options;
}

inline Data pattern(std::size_t size, int seed = 1) {
  Data out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::byte>(i * 7 + static_cast<std::size_t>(seed));
  return out;
}

class Rig {
 public:
  explicit Rig(std::uint8_t generation = 8, std::string_view family = "ibm")
      : drive(drive_options(generation, family)), sink(drive) {
    for (const scsi::NexusId nexus : {a, b}) {
      scsi::NexusInfo info;
      info.id = nexus;
      info.transport_id = bytes({0x45, static_cast<int>(nexus.slot)});
      drive.nexus_established(info);
      drain(nexus);
    }
  }
  Rig(Rig&&) = delete;
  // With a cartridge that is loaded, and its unit attentions taken.
  void load(std::unique_ptr<MemoryMedium> cartridge = std::make_unique<MemoryMedium>()) {
    insert(std::move(cartridge));
    drain(a);
    drain(b);
  }

  void insert(std::unique_ptr<MemoryMedium> cartridge) {
    medium = cartridge.get();
    drive.insert(std::move(cartridge),
                 [this](scsi::ssc::InsertOutcome outcome) { inserted = std::move(outcome); });
  }
  std::optional<scsi::ssc::RemoveOutcome> remove() {
    std::optional<scsi::ssc::RemoveOutcome> result;
    drive.remove([&](scsi::ssc::RemoveOutcome outcome) { result = std::move(outcome); });
    return result;
  }
  void drain(scsi::NexusId nexus) {
    while (run({0x00}, nexus).reply.status != scsi::SamStatus::kGood) {
      if (last.reply.sense->key != scsi::SenseKey::kUnitAttention) break;
    }
  }

  const Ended& run(const Cdb& cdb, scsi::NexusId nexus = {1, 1}, std::uint32_t expected = 65536) {
    last = sink.run(nexus, cdb, expected);
    return last;
  }
  // Data-out.
  const Ended& send(const Cdb& cdb, Data data, scsi::NexusId nexus = {1, 1}) {
    last = sink.run(nexus, cdb, 0, std::move(data));
    return last;
  }
  const Ended& write(std::size_t size, int seed = 1) {
    return send({0x0A, 0, u8(size >> 16), u8(size >> 8), u8(size), 0}, pattern(size, seed));
  }
  const Ended& filemarks(std::uint32_t count, bool immediate = false) {
    return run({0x10, u8(immediate), u8(count >> 16), u8(count >> 8), u8(count), 0}, a, 0);
  }
  const Ended& read(std::uint32_t length, bool sili = false) {
    return run({0x08, u8(sili ? 2 : 0), u8(length >> 16), u8(length >> 8), u8(length), 0}, a,
               length);
  }
  const Ended& read_fixed(std::uint32_t blocks, std::uint32_t block_length) {
    return run({0x08, 1, u8(blocks >> 16), u8(blocks >> 8), u8(blocks), 0}, a,
               blocks * block_length);
  }
  const Ended& rewind() { return run({0x01}, a, 0); }
  const Ended& set_block_length(std::uint32_t length, int buffered_mode = 1) {
    Data list = bytes({0, 0, buffered_mode << 4, 8, 0, 0, 0, 0, 0});
    for (int shift : {16, 8, 0}) list.push_back(static_cast<std::byte>(length >> shift));
    send({0x15, 0x10, 0, 0, 12, 0}, list);
    const Ended result = last;
    drain(b);
    last = result;
    return last;
  }
  std::uint64_t position() const { return drive.state().position.object; }

  static std::uint8_t u8(std::uint64_t value) { return static_cast<std::uint8_t>(value); }

  scsi::NexusId a{1, 1}, b{2, 1};
  TestDrive drive;
  Recorder sink;
  MemoryMedium* medium = nullptr;
  std::optional<scsi::ssc::InsertOutcome> inserted;
  Ended last;
};

inline bool good(const Ended& end) { return end.reply.status == scsi::SamStatus::kGood; }

// What a sense says beyond its key and code: "FM ILI EOM info=-5 deferred".
inline std::string flags_of(const Ended& end) {
  const scsi::Sense sense = end.reply.sense.value_or(scsi::Sense{});
  std::string text;
  const auto add = [&](const std::string& word) { text += (text.empty() ? "" : " ") + word; };
  if (sense.filemark) add("FM");
  if (sense.end_of_medium) add("EOM");
  if (sense.incorrect_length) add("ILI");
  if (sense.information) add("info=" + std::to_string(*sense.information));
  if (sense.deferred) add("deferred");
  return text;
}

inline std::uint64_t be(const Data& data, std::size_t offset, std::size_t width) {
  REQUIRE(offset + width <= data.size());
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = value << 8 | std::to_integer<std::uint64_t>(data[offset + i]);
  return value;
}

}  // namespace test
