#include "vtl/daemon/settings.h"

#include <algorithm>

#include "scsi/smc/inventory.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

auth::Account account(const config::Account& from) {
  return {from.user, auth::Secret(from.secret.reveal())};
}

auth::AccessRule access_rule(const config::AccessConfig& access, const config::AccessRule& from) {
  auth::AccessRule rule;
  rule.initiators = from.initiators;
  if (!from.chap) return rule;
  for (const config::Account& candidate : access.accounts) {
    const bool named =
        std::find(from.users.begin(), from.users.end(), candidate.user) != from.users.end();
    if (from.users.empty() || named) rule.accounts.push_back(account(candidate));
  }
  if (access.own) rule.mutual = account(*access.own);
  return rule;
}

IoMode io_mode(config::IoMode mode) {
  switch (mode) {
    case config::IoMode::kAuto:
      return IoMode::kAuto;
    case config::IoMode::kDirect:
      return IoMode::kDirect;
    case config::IoMode::kPaced:
      return IoMode::kBuffered;
  }
  return IoMode::kAuto;
}

Compression compression(config::Compression from) {
  switch (from) {
    case config::Compression::kNone:
      return Compression::kNone;
    case config::Compression::kLz4:
      return Compression::kLz4;
    case config::Compression::kZstd:
      return Compression::kZstd;
  }
  return Compression::kNone;
}

}  // namespace

auth::AccessPolicy access_policy(const config::Config& config) {
  const config::AccessConfig& access = config.access;
  auth::AccessPolicy policy;
  policy.algorithms.clear();
  for (const config::ChapAlgorithm algorithm : access.algorithms) {
    policy.algorithms.push_back(static_cast<auth::ChapAlgorithm>(algorithm));
  }
  policy.discovery = access_rule(access, access.discovery);
  policy.any_target = access_rule(access, access.targets);
  for (const auto& [device, rule] : access.devices) {
    const std::string name = config.library.iqn_prefix + ":" + config.library.name + "-" + device;
    policy.targets[auth::fold_case(name)] = access_rule(access, rule);
  }
  return policy;
}

namespace {

iscsi::PortalOptions portal_options(const config::Config& config) {
  const config::IscsiConfig& from = config.iscsi;
  iscsi::PortalOptions options;
  options.max_recv_data_segment_length = from.max_recv_data_segment_length;
  options.max_burst_length = from.max_burst_length;
  options.first_burst_length = from.first_burst_length;
  options.max_outstanding_r2t = from.max_outstanding_r2t;
  options.header_digest = from.header_digest;
  options.data_digest = from.data_digest;
  options.max_connections = from.max_connections;
  options.max_connections_per_address = from.max_connections_per_address;
  options.max_sessions_per_target = from.max_sessions_per_target;
  options.command_window = from.command_window;
  options.login_timeout_ms = from.login_timeout_ms;
  options.ping_after_ms = from.ping_after_ms;
  options.send_timeout_ms = from.send_timeout_ms;
  return options;
}

}  // namespace

std::size_t loop_of_drive(std::size_t drive, std::size_t loops) { return (drive + 1) % loops; }

LoopShare loop_share(const config::Config& config, std::size_t loops, std::size_t index) {
  LoopShare share;
  const std::size_t devices = config.library.drives.size() + 1;
  for (std::size_t device = index; device < devices; device += loops) ++share.devices;
  const std::uint64_t least = loops == 1 ? 0 : config::kLeastLoopBytes;
  const std::uint64_t to_share = config.storage.buffer_bytes - loops * least;
  share.buffers.total_bytes = least + to_share * share.devices / devices;
  share.buffers.owner_bytes =
      std::min<std::size_t>(config.storage.buffer_bytes_per_drive, share.buffers.total_bytes);
  share.portal = portal_options(config);
  share.portal.portals = static_cast<std::uint16_t>(loops);
  share.portal.portal = static_cast<std::uint16_t>(index);
  share.portal.buffer_bytes = share.buffers.total_bytes;
  // Sessions keep a quarter of this in reserve: beside all their reserves the longest block has
  // room, or it would wait for ever.
  const std::size_t beside = share.buffers.total_bytes - scsi::BufferPool::kLargest;
  share.portal.buffer_bytes_per_target =
      std::min<std::size_t>(config.storage.buffer_bytes_per_drive, 4 * beside / share.devices);
  return share;
}

Reserve reserve_of_device(const iscsi::PortalOptions& options) {
  const std::size_t one = std::size_t{options.max_sessions_per_target} * options.first_burst_length;
  // As a session reckons when it begins (iscsi::Session::establish).
  const std::size_t credits =
      std::clamp<std::size_t>(options.buffer_bytes_per_target / 4 / one, 1, options.command_window);
  return {credits * one, one};
}

std::size_t left_for_reserves(const LoopShare& share) {
  const std::size_t taken = share.devices * reserve_of_device(share.portal).usual_bytes;
  const std::size_t beside = share.buffers.total_bytes - scsi::BufferPool::kLargest;
  return beside - std::min(taken, beside);
}

std::string pool_directory(const config::Config& config, const std::string& data_directory) {
  const std::string& pool = config.storage.pool;
  return pool.starts_with('/') ? pool : data_directory + "/" + pool;
}

std::size_t barcode_characters(const config::LibraryConfig& library) {
  return library.barcode_characters != 0 ? library.barcode_characters
                                         : scsi::smc::kVolumeTagCharacters;
}

PoolStoreOptions store_options(const config::Config& config, const std::string& pool_dir) {
  const auto now_ns = [] { return wall_clock_ms() * 1'000'000; };
  PoolStoreOptions options;
  options.pool_dir = pool_dir;
  options.segment_mib = config.storage.segment_mib;
  options.random = random_bytes;
  options.now_ns = now_ns;
  options.medium.queue_bytes = config.storage.queue_bytes_per_drive;
  options.medium.read_ahead_bytes = config.storage.read_ahead_bytes_per_drive;
  options.medium.compression = compression(config.storage.compression);
  options.medium.io_mode = io_mode(config.storage.io_mode);
  options.medium.low_water_bytes = config.storage.low_water_bytes;
  options.medium.now_ns = now_ns;
  return options;
}

}  // namespace vtl::daemon
