// The drive and the cartridge that a golden case begins with.
#pragma once

#include "test/unit/ssc/rig.h"
#include "test/unit/support/golden.h"

namespace test {

// "drive" is its LTO generation, "family" whose it is; "partitions" and "worm" say what the
// cartridge is, of native capacity or of "capacity" MiB with the last quarter behind early warning.
inline std::unique_ptr<Rig> golden_rig(const GoldenCase& begin) {
  const auto generation = static_cast<std::uint8_t>(std::stoul(begin.at("drive")));
  const std::size_t partitions =
      begin.contains("partitions") ? std::stoul(begin.at("partitions")) : 1;
  const auto family = begin.find("family");
  auto rig = std::make_unique<Rig>(generation, family == begin.end() ? "ibm" : family->second);
  auto cartridge = std::make_unique<MemoryMedium>(generation, partitions);
  const std::uint64_t bytes =
      scsi::ssc::find_generation(generation)->capacity_mb * std::uint64_t{1'000'000} / partitions;
  cartridge->set_capacity(bytes - bytes / 100, bytes);
  if (begin.contains("capacity")) {
    const std::uint64_t small = std::stoul(begin.at("capacity")) << 20;
    cartridge->set_capacity(small - small / 4, small);
  }
  cartridge->label().worm = begin.contains("worm");
  rig->load(std::move(cartridge));
  return rig;
}

}  // namespace test
