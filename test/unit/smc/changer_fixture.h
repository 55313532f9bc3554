// A changer on a library in memory, with two hosts logged in.
#pragma once

#include <string>
#include <vector>

#include "scsi/smc/changer.h"
#include "test/unit/smc/fake_inventory.h"
#include "test/unit/support/recorder.h"

namespace test {

inline scsi::NexusInfo host(std::uint32_t slot, char name) {
  scsi::NexusInfo info;
  info.id = {slot, 1};
  info.transport_id.assign(24, static_cast<std::byte>(name));
  return info;
}

inline scsi::smc::ChangerOptions changer_options() {
  scsi::smc::ChangerOptions options;
  options.identity.vendor = "STK";
  options.identity.product = "L700";
  options.identity.revision = "0108";
  options.identity.serial = "LIB0000001";
  options.identity.naa = {0x50, 0x02, 0x4E, 0x40, 0x00, 0x00, 0x00, 0x01};
  options.identity.target_device_name = "iqn.2026-11.local.vtl:vtl-mediachanger";
  options.identity.target_port_name = "iqn.2026-11.local.vtl:vtl-mediachanger,t,0x0001";
  options.now_ms = [] { return std::uint64_t{1'790'000'000'000}; };
  return options;
}

struct ChangerWorld {
  FakeInventory library;
  scsi::smc::Changer changer;
  Recorder recorder{changer};
  scsi::NexusId a{1, 1}, b{2, 1};

  explicit ChangerWorld(FakeInventory::Sizes sizes = FakeInventory::Sizes())
      : library(sizes), changer(changer_options(), library) {
    changer.nexus_established(host(1, 'a'));
    changer.nexus_established(host(2, 'b'));
    for (const auto nexus : {a, b})
      while (run(nexus, {0, 0, 0, 0, 0, 0}).reply.sense) {
      }
  }
  Ended run(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
            std::uint32_t expected = 1 << 24) {
    return recorder.run(nexus, cdb, expected);
  }
  Ended run(const std::vector<std::uint8_t>& cdb) { return run(a, cdb); }
  Ended send(scsi::NexusId nexus, const std::vector<std::uint8_t>& cdb,
             std::vector<std::byte> list) {
    return recorder.run(nexus, cdb, 0, std::move(list));
  }

  static std::uint8_t hi(unsigned v) { return static_cast<std::uint8_t>(v >> 8); }
  static std::uint8_t lo(unsigned v) { return static_cast<std::uint8_t>(v & 0xFF); }
  static std::vector<std::uint8_t> move(unsigned from, unsigned to, unsigned transport = 1) {
    return {0xA5, 0, hi(transport), lo(transport), hi(from), lo(from), hi(to), lo(to), 0, 0, 0, 0};
  }
  static std::vector<std::uint8_t> exchange(unsigned source, unsigned first, unsigned second) {
    return {0xA6,      0,         0,          1,          hi(source), lo(source),
            hi(first), lo(first), hi(second), lo(second), 0,          0};
  }
  static std::vector<std::uint8_t> status(std::uint8_t type, unsigned first, unsigned number,
                                          unsigned allocation = 0xFFFF, std::uint8_t flags = 0) {
    return {0xB8,           type,           hi(first), lo(first),
            hi(number),     lo(number),     flags,     static_cast<std::uint8_t>(allocation >> 16),
            hi(allocation), lo(allocation), 0,         0};
  }
};

inline bool is_good(const Ended& end) {
  return end.reply.status == scsi::SamStatus::kGood && !end.reply.sense;
}
inline bool is_conflict(const Ended& end) {
  return end.reply.status == scsi::SamStatus::kReservationConflict && !end.reply.sense;
}

}  // namespace test
