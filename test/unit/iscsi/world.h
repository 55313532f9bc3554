// A portal with two targets, each with a small logical unit that does what the tests of the
// transport need. Or two portals, apart: connections come in at the first, which has the changer;
// the second has the drive.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "scripted_initiator.h"
#include "test_unit.h"
#include "transport/iscsi/portal.h"

namespace iscsi::test {

inline constexpr const char* kDrive = "iqn.2026-11.local.vtl:drive";
inline constexpr const char* kChanger = "iqn.2026-11.local.vtl:changer";

struct World {
  explicit World(PortalOptions portal_options = {}, auth::AccessPolicy policy = {},
                 scsi::BufferPool::Budget budget = {256u << 20, 64u << 20}, bool apart = false)
      : options(portal_options), access(std::move(policy)), pool(budget) {
    changer.add(0, changer_unit);
    drive.add(0, unit);
    options.portals = apart ? 2 : 1;
    portal = make_portal();
    portal->add_target(kChanger, "the changer", changer);
    if (!apart) {
      portal->add_target(kDrive, "", drive);
      return;
    }
    portal->add_target_elsewhere(kDrive, "", 1);
    options.portal = 1;
    second = make_portal();
    second->add_target_elsewhere(kChanger, "the changer", 0);
    second->add_target(kDrive, "", drive);
  }
  ~World() {
    second.reset();
    portal.reset();
  }

  std::unique_ptr<Portal> make_portal() {
    return std::make_unique<Portal>(
        options, access, pool,
        [this](scsi::MutableBytes out) {
          for (std::byte& b : out) b = static_cast<std::byte>(random = random * 5 + 3);
        },
        [this](LogLevel level, std::string_view line) {
          log += line;
          log += '\n';
          if (level == LogLevel::kWarning) ++warnings;
        });
  }

  std::unique_ptr<ScriptedInitiator> connect(const std::string& peer = "192.0.2.7:40000",
                                             const std::string& local = "192.0.2.1:3260",
                                             std::vector<std::string> others = {}) {
    auto connection = portal->accept(local, peer, std::move(others));
    REQUIRE(connection);
    auto initiator = std::make_unique<ScriptedInitiator>(std::move(connection));
    initiator->carry = [this, i = initiator.get()](std::unique_ptr<Handover> handover) {
      CHECK(handover->portal == 1);
      ++carried;
      return second->adopt(
          *handover,
          [this, id = handover->id](Elsewhere what) { portal->counted_elsewhere(id, what); },
          i->now());
    };
    return initiator;
  }
  // Connected, logged in, and past the first unit attention.
  std::unique_ptr<ScriptedInitiator> session(LoginOptions login = {}) {
    auto initiator = connect();
    const Received response = initiator->login(login);
    REQUIRE(response.as<LoginResponse>().status == 0);
    REQUIRE(response.as<LoginResponse>().tsih != 0);
    initiator->run(initiator->command({0x00}));
    return initiator;
  }

  // How often peers ran into this limit.
  std::uint64_t reached(Limit limit) const {
    return portal->limit_hits()[static_cast<std::size_t>(limit)];
  }

  PortalOptions options;
  auth::AccessPolicy access;
  scsi::BufferPool pool;
  TestUnit changer_unit, unit;
  scsi::Target changer, drive;
  std::string log;
  std::size_t warnings = 0;
  std::uint32_t random = 1;
  std::size_t carried = 0;  // connections from the first portal to the second
  std::unique_ptr<Portal> portal, second;
};

// Two initiators may have a session with one target.
inline PortalOptions shared_targets() {
  PortalOptions options;
  options.max_sessions_per_target = 2;
  return options;
}
inline LoginOptions other_host() {
  LoginOptions options;
  options.initiator = "iqn.1991-05.com.microsoft:host";
  return options;
}

inline std::uint16_t status_of(const Received& response) {
  return response.as<LoginResponse>().status;
}

inline std::string text_of(const std::vector<KeyValue>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs) append_text(text, key, value);
  return text;
}

// Sense key, ASC and ASCQ in one number: 0xKKAAQQ.
inline unsigned sense_of(const Data& sense) {
  REQUIRE(sense.size() == 18);
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(sense[i]); };
  return (at(2) & 0x0F) << 16 | at(12) << 8 | at(13);
}

inline std::array<unsigned, 6> write6(std::size_t length) {
  return {0x0A,
          0,
          static_cast<unsigned>(length >> 16) & 0xFF,
          static_cast<unsigned>(length >> 8) & 0xFF,
          static_cast<unsigned>(length) & 0xFF,
          0};
}

}  // namespace iscsi::test
