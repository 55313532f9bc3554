#include "vtl/daemon/settings.h"

#include <algorithm>

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
  options.buffer_bytes = config.storage.buffer_bytes;
  options.buffer_bytes_per_target = config.storage.buffer_bytes_per_drive;
  return options;
}

std::string pool_directory(const config::Config& config, const std::string& data_directory) {
  const std::string& pool = config.storage.pool;
  return pool.starts_with('/') ? pool : data_directory + "/" + pool;
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
