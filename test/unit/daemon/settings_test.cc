#include "vtl/daemon/settings.h"

#include <catch2/catch.hpp>

#include "vtl/daemon/system.h"

using namespace vtl;
using namespace vtl::daemon;

namespace {

config::Config with_drives(std::size_t drives, std::uint64_t buffer_bytes) {
  config::Config config;
  config.library.drives.resize(drives);
  config.storage.buffer_bytes = buffer_bytes;
  config.storage.buffer_bytes_per_drive = 32u << 20;
  return config;
}

}  // namespace

TEST_CASE("devices and memory are dealt out to the loops") {
  for (const std::size_t drives : {1u, 2u, 10u, 64u}) {
    for (const std::uint64_t bytes : {64ull << 20, 256ull << 20, 1ull << 30}) {
      const config::Config config = with_drives(drives, bytes);
      for (std::size_t loops = 1; loops <= config::max_threads(config); ++loops) {
        CAPTURE(drives, bytes, loops);
        std::vector<std::size_t> devices(loops);
        devices[0] = 1;  // the changer
        for (std::size_t i = 0; i < drives; ++i) ++devices.at(loop_of_drive(i, loops));
        std::size_t total = 0;
        for (std::size_t i = 0; i < loops; ++i) {
          const LoopShare share = loop_share(config, loops, i);
          CHECK(share.devices == devices[i]);
          CHECK(share.devices >= 1);
          CHECK(share.portal.portals == loops);
          CHECK(share.portal.portal == i);
          total += share.buffers.total_bytes;
          // Beside what all sessions of all its devices keep in reserve the longest block fits.
          const std::size_t reserves = share.devices * (share.portal.buffer_bytes_per_target / 4);
          CHECK(reserves + scsi::BufferPool::kLargest <= share.buffers.total_bytes);
          CHECK(share.buffers.owner_bytes >= scsi::BufferPool::kLargest);
        }
        CHECK(total <= bytes);
        CHECK(total + loops >= bytes);  // nothing is left over but by rounding
      }
    }
  }
}

TEST_CASE("there is memory for drives that are added, beside all reserves and the longest block") {
  for (const std::size_t drives : {1u, 2u, 10u, 64u}) {
    for (const std::uint64_t bytes : {64ull << 20, 256ull << 20, 1ull << 30}) {
      config::Config config;
      config.library.drives.resize(drives);
      config.storage.buffer_bytes = bytes;
      for (std::size_t loops = 1; loops <= std::min(8u, config::max_threads(config)); ++loops) {
        for (std::size_t i = 0; i < loops; ++i) {
          CAPTURE(drives, bytes, loops, i);
          const LoopShare share = loop_share(config, loops, i);
          const Reserve reserve = reserve_of_device(share.portal);
          CHECK(reserve.least_bytes == 256u << 10);
          CHECK(reserve.usual_bytes <= share.portal.buffer_bytes_per_target / 4);
          const std::size_t left = left_for_reserves(share);
          CHECK(share.devices * reserve.usual_bytes + left + scsi::BufferPool::kLargest ==
                share.buffers.total_bytes);
          // On a usual machine a drive more for each loop is always possible.
          if (drives == 10 && bytes == config::StorageConfig().buffer_bytes)
            CHECK(left >= reserve.least_bytes);
        }
      }
    }
  }
}

TEST_CASE("what a control group allows") {
  CHECK(processors_of("max 100000") == std::nullopt);
  CHECK(processors_of("100000 100000") == 1);
  CHECK(processors_of("150000 100000") == 2);
  CHECK(processors_of("20000 100000") == 1);
  CHECK(processors_of("800000 100000\n") == 8);
  CHECK(processors_of("") == std::nullopt);
  CHECK(processors_of("5") == std::nullopt);
  CHECK(processors_of("5 0") == std::nullopt);
  CHECK(usable_processors() >= 1);
}
