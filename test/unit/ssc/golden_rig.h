// The drive and the cartridge that a golden case begins with.
#pragma once

#include "test/unit/ssc/rig.h"
#include "test/unit/support/golden.h"

namespace test {

// "drive" is its LTO generation; "partitions" and "worm" say what the cartridge is, of native
// capacity.
inline std::unique_ptr<Rig> golden_rig(const GoldenCase& begin) {
  const auto generation = static_cast<std::uint8_t>(std::stoul(begin.at("drive")));
  const std::size_t partitions =
      begin.contains("partitions") ? std::stoul(begin.at("partitions")) : 1;
  auto rig = std::make_unique<Rig>(generation);
  auto cartridge = std::make_unique<MemoryMedium>(generation, partitions);
  const std::uint64_t bytes =
      scsi::ssc::find_generation(generation)->capacity_mb * std::uint64_t{1'000'000} / partitions;
  cartridge->set_capacity(bytes - bytes / 100, bytes);
  cartridge->label().worm = begin.contains("worm");
  rig->load(std::move(cartridge));
  return rig;
}

}  // namespace test
