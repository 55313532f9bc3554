#include "scsi/unit_attention.h"

#include "test/unit/scsi/fake_unit.h"

using namespace test;

TEST_CASE("an initiator port is told 29/00 once in the life of the process") {
  UnitAttentions attentions;
  attentions.nexus_established(nexus_info(kA));
  CHECK(attentions.take(kA) == Asc::kPowerOnOrReset);
  CHECK_FALSE(attentions.pending(kA));
  attentions.nexus_lost(kA);
  const NexusId later{0, 2};
  attentions.nexus_established(nexus_info(later));  // the same port, another session
  CHECK_FALSE(attentions.pending(later));
  attentions.nexus_established(nexus_info(kB));
  CHECK(attentions.take(kB) == Asc::kPowerOnOrReset);
}

TEST_CASE("a nexus that replaces a lost one is told 29/07") {
  UnitAttentions attentions;
  attentions.nexus_established(nexus_info(kA, true));
  CHECK(attentions.take(kA) == Asc::kPowerOnOrReset);  // it has not been here before
  CHECK_FALSE(attentions.take(kA));
  attentions.nexus_lost(kA);
  const NexusId later{0, 2};
  attentions.nexus_established(nexus_info(later, true));
  CHECK(attentions.take(later) == Asc::kNexusLossOccurred);
  CHECK_FALSE(attentions.take(later));
}

TEST_CASE("a login leaves no unit attention of the session before") {
  UnitAttentions attentions;
  attentions.nexus_established(nexus_info(kA));
  attentions.raise(kA, Asc::kModeParametersChanged);
  attentions.nexus_lost(kA);
  attentions.raise_all(Asc::kModeParametersChanged);
  attentions.nexus_established(nexus_info(kA));
  CHECK_FALSE(attentions.pending(kA));
}

TEST_CASE("a port that was away is told once that the medium may have changed") {
  UnitAttentions attentions;
  for (const NexusId id : {kA, kB}) {
    attentions.nexus_established(nexus_info(id));
    attentions.take(id);
  }
  attentions.nexus_lost(kA);
  attentions.raise_all(Asc::kMediumMayHaveChanged);
  attentions.raise_all_but(kB, Asc::kMediumMayHaveChanged);
  CHECK(attentions.take(kB) == Asc::kMediumMayHaveChanged);
  attentions.nexus_lost(kB);
  attentions.nexus_established(nexus_info(kB));
  CHECK_FALSE(attentions.pending(kB));  // it has been told
  attentions.nexus_established(nexus_info(kA));
  attentions.nexus_lost(kA);  // before it asked anything
  attentions.nexus_established(nexus_info(kA, true));
  CHECK(attentions.take(kA) == Asc::kNexusLossOccurred);
  CHECK(attentions.take(kA) == Asc::kMediumMayHaveChanged);
  CHECK_FALSE(attentions.take(kA));
}

TEST_CASE("equal ones are merged; power on, reset and nexus loss come first; the rest in order") {
  UnitAttentions attentions;
  attentions.nexus_established(nexus_info(kA));
  attentions.take(kA);
  for (const Asc asc : {Asc::kModeParametersChanged, Asc::kMediumMayHaveChanged,
                        Asc::kNexusLossOccurred, Asc::kModeParametersChanged, Asc::kBusDeviceReset,
                        Asc::kPowerOnOrReset, Asc::kBusDeviceReset})
    attentions.raise(kA, asc);
  for (const Asc asc : {Asc::kPowerOnOrReset, Asc::kBusDeviceReset, Asc::kNexusLossOccurred,
                        Asc::kModeParametersChanged, Asc::kMediumMayHaveChanged})
    CHECK(attentions.take(kA) == asc);
  CHECK_FALSE(attentions.take(kA));
}

TEST_CASE("raising for all, for others, for nobody; clearing one") {
  UnitAttentions attentions;
  for (const NexusId id : {kA, kB, kC}) {
    attentions.nexus_established(nexus_info(id));
    attentions.take(id);
  }
  attentions.raise_all_but(kB, Asc::kModeParametersChanged);
  CHECK(attentions.pending(kA));
  CHECK_FALSE(attentions.pending(kB));
  attentions.raise_all(Asc::kMediumMayHaveChanged);
  CHECK(attentions.take(kB) == Asc::kMediumMayHaveChanged);
  attentions.clear(kA, Asc::kModeParametersChanged);
  CHECK(attentions.take(kA) == Asc::kMediumMayHaveChanged);
  attentions.raise({9, 9}, Asc::kMediumMayHaveChanged);
  CHECK_FALSE(attentions.pending({9, 9}));
}

TEST_CASE("known ports are bounded: the oldest is forgotten and told again") {
  UnitAttentions attentions;
  const auto visit = [&](std::uint32_t port) {
    NexusInfo info{{port, 1}, {}, 1, false};
    for (int shift = 0; shift < 32; shift += 8)
      info.transport_id.push_back(static_cast<std::byte>(port >> shift));
    attentions.nexus_established(info);
    const bool told = attentions.pending(info.id);
    attentions.nexus_lost(info.id);
    return told;
  };
  for (std::uint32_t port = 0; port < UnitAttentions::kMaxKnownPorts; ++port) CHECK(visit(port));
  CHECK_FALSE(visit(0));
  CHECK(visit(UnitAttentions::kMaxKnownPorts));
  CHECK(visit(0));
  CHECK_FALSE(visit(2));
}
