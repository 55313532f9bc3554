// Reservations as a state machine, and three initiators that ask for them.
#pragma once

#include "scsi/reservation.h"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace test {

using namespace scsi;  // NOLINT: what is tested

inline constexpr std::uint8_t kRegister = 0, kReserve = 1, kRelease = 2, kClear = 3, kPreempt = 4,
                              kPreemptAndAbort = 5, kRegisterAndIgnore = 6;
inline constexpr std::uint8_t kReadKeys = 0, kReadReservation = 1, kCapabilities = 2,
                              kFullStatus = 3;
inline const std::vector<std::uint8_t> kTypes = {1, 3, 5, 6, 7, 8};

// An iSCSI TransportID (SPC-4 7.6.4.6) of 44 bytes.
inline std::vector<std::byte> transport_id(char host) {
  ByteBuilder out;
  const std::string name = std::string("iqn.2026-11.test:host-") + host + ",i,0x00023d000001";
  out.u8(0x45).u8(0).u16((name.size() + 4) / 4 * 4).bytes(as_bytes(name));
  while (out.size() % 4 != 0 || out.size() < 4 + name.size() + 1) out.u8(0);
  return out.take();
}

struct World {
  Reservations r;
  NexusId a{1, 1}, b{2, 1}, c{3, 1};
  explicit World(bool persists = false) : r(persists) {
    log_in(a, 'a');
    log_in(b, 'b');
    log_in(c, 'c');
  }
  void log_in(NexusId id, char host) {
    NexusInfo info;
    info.id = id;
    info.transport_id = transport_id(host);
    r.nexus_established(info);
  }
  static std::vector<std::byte> list(std::uint64_t key, std::uint64_t sa_key, std::uint8_t flags) {
    ByteBuilder out;
    out.u64(key).u64(sa_key).u32(0).u8(flags).u8(0).u16(0);
    return out.take();
  }
  ReservationResult out(NexusId n, std::uint8_t action, std::uint8_t type, std::uint64_t key,
                        std::uint64_t sa_key = 0, std::uint8_t flags = 0) {
    return r.persistent_reserve_out(n, action, type, list(key, sa_key, flags));
  }
  void enrol(NexusId n, std::uint64_t key) {
    REQUIRE(out(n, kRegister, 0, 0, key).status == SamStatus::kGood);
  }
  std::vector<std::uint64_t> keys() {
    const auto data = r.persistent_reserve_in(a, kReadKeys).data;
    ByteReader reader(data);
    reader.skip(4);
    std::vector<std::uint64_t> keys(reader.u32() / 8);
    for (auto& key : keys) key = reader.u64();
    REQUIRE(reader.ok());
    REQUIRE(reader.remaining() == 0);
    return keys;
  }
  std::uint32_t generation() {
    return ByteReader(r.persistent_reserve_in(a, kReadKeys).data).u32();
  }
  bool conflict(NexusId n, ReservationRule rule = ReservationRule::kConflict) {
    return r.conflict(rule, n);
  }
};

inline bool good(const ReservationResult& result) {
  return result.status == SamStatus::kGood && !result.sense;
}
inline bool conflicts(const ReservationResult& result) {
  return result.status == SamStatus::kReservationConflict && !result.sense &&
         result.attentions.empty() && result.aborted.empty();
}
inline bool refused(const ReservationResult& result, Asc asc) {
  return result.status == SamStatus::kCheckCondition && result.sense &&
         result.sense->key == SenseKey::kIllegalRequest && result.sense->asc == asc;
}
inline bool told(const ReservationResult& result, NexusId nexus, Asc asc) {
  return std::count_if(result.attentions.begin(), result.attentions.end(),
                       [&](const auto& at) { return at.nexus == nexus && at.asc == asc; }) == 1;
}
inline std::vector<std::byte> hex(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}

}  // namespace test
