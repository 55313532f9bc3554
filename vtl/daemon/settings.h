// From the configuration's shape into the shapes that the other rooms take.
#pragma once

#include <string>
#include <vector>

#include "auth/access.h"
#include "transport/iscsi/portal.h"
#include "vtl/config/config.h"
#include "vtl/library/pool_store.h"

namespace vtl::daemon {

auth::AccessPolicy access_policy(const config::Config& config);

// The devices of a server are dealt out in turn: device n - the changer is 0, drive i is i + 1 - to
// loop n % loops, with as much of the memory for records as falls to its devices.
struct LoopShare {
  std::size_t devices = 0;
  scsi::BufferPool::Budget buffers;
  iscsi::PortalOptions portal;
};
std::size_t loop_of_drive(std::size_t drive, std::size_t loops);
LoopShare loop_share(const config::Config& config, std::size_t loops, std::size_t index);
// What the sessions of one device keep in reserve if they can, and what they keep at least.
struct Reserve {
  std::size_t usual_bytes, least_bytes;
};
Reserve reserve_of_device(const iscsi::PortalOptions& options);
// What of a loop's share is left for the reserves of devices that are added to it: beside all
// reserves the longest block must fit, or it would wait for ever.
std::size_t left_for_reserves(const LoopShare& share);
// How much of a barcode the changer tells.
std::size_t barcode_characters(const config::LibraryConfig& library);
// `pool_directory` is absolute or relative to the working directory.
PoolStoreOptions store_options(const config::Config& config, const std::string& pool_directory);
// The pool's folder: config.storage.pool inside of `data_directory`, unless it is absolute.
std::string pool_directory(const config::Config& config, const std::string& data_directory);

}  // namespace vtl::daemon
