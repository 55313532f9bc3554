// The portal group: which targets there are, who is logged in to what, and the limits that hold
// over all connections. Everything a Connection needs beyond its own bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/access.h"
#include "scsi/buffer.h"
#include "scsi/target.h"
#include "transport/iscsi/limits.h"

namespace iscsi {

class Connection;
class Session;
struct Handover;
enum class Elsewhere;

struct PortalOptions {
  std::uint16_t target_portal_group_tag = 1;
  // What this target declares or offers in negotiation (RFC 7143 13); bytes.
  std::uint32_t max_recv_data_segment_length = 262144;
  std::uint32_t max_burst_length = 1048576;
  std::uint32_t first_burst_length = 262144;
  std::uint32_t max_outstanding_r2t = 1;
  bool header_digest = true;  // accept CRC32C when offered
  bool data_digest = true;
  std::uint32_t max_connections = 256;  // TCP connections in all; past it a new one is closed
  // Not logged in to a target; of IPv6 per /64 (auth::owner_of).
  std::uint32_t max_connections_per_address = 64;
  std::uint32_t max_logins = 128;  // connections without a target: past it the oldest goes
  std::uint32_t max_sessions_per_target = 1;  // other initiators are told 0301
  std::uint32_t command_window = 32;          // commands per session
  std::uint32_t login_timeout_ms = 15000;
  std::uint32_t ping_after_ms =
      30000;  // idle time before a NOP-In; the answer is due within as much
  std::uint32_t send_timeout_ms = 60000;    // a peer that does not read for so long is dropped
  std::size_t max_text_bytes = 32u << 10;   // of one login or text request, over all its PDUs
  std::size_t max_queued_bytes = 4u << 20;  // answers to a peer that does not read; then it waits
  std::size_t buffer_bytes = 192u << 20;    // record buffers of all sessions together
  std::size_t buffer_bytes_per_target = 64u << 20;
  // Portals that share one group's targets, each on a loop of its own; this one's number, from 0.
  // The first accepts.
  std::uint16_t portals = 1;
  std::uint16_t portal = 0;
};

// One line of a log, made by the protocol and written by whoever owns the portal.
enum class LogLevel { kDebug, kInfo, kWarning };
using Log = std::function<void(LogLevel, std::string_view)>;
// Fills the span with unpredictable bytes (CHAP challenges).
using Random = std::function<void(scsi::MutableBytes)>;

// One loop thread. Outlives its connections.
class Portal {
 public:
  // `access` is copied.
  Portal(PortalOptions options, const auth::AccessPolicy& access, scsi::BufferPool& buffers,
         Random random, Log log);
  ~Portal();
  Portal(const Portal&) = delete;
  Portal& operator=(const Portal&) = delete;

  // `name` as configured ("iqn..."), lower case; `target` outlives the portal. Its sessions take
  // their buffers under owner number n of the pool, where n counts the targets from 0 in the order
  // in which they are added. All of them together keep at most `reserve_bytes` for what has not
  // been asked for yet, however large a target's share of the pool is.
  void add_target(std::string name, std::string alias, scsi::Target& target,
                  std::size_t reserve_bytes = SIZE_MAX);
  // The same of a target that another portal of the group has, so that all count alike: its name is
  // told in discovery, and who logs in to it leaves for there (handover.h).
  void add_target_elsewhere(std::string name, std::string alias, std::size_t portal);

  // A new TCP connection: local_address is what SendTargets reports to it ("192.0.2.1:3260",
  // "[::1]:3260"), and behind it other_addresses; peer_address counts against the per-address
  // limit. nullptr when a limit says no: close the socket.
  std::unique_ptr<Connection> accept(std::string local_address, std::string peer_address,
                                     std::vector<std::string> other_addresses = {});

  // A connection that logged in at another portal of the group, to a target of this one. `tell` is
  // called at the end of its session and when it has gone, for the other one's counted_elsewhere().
  std::unique_ptr<Connection> adopt(const Handover& handover, std::function<void(Elsewhere)> tell,
                                    std::chrono::steady_clock::time_point now);
  void counted_elsewhere(std::uint64_t id, Elsewhere what);
  // That count against the limits, here and elsewhere.
  std::size_t connections() const;

  // Asks every session to log out (Async Message event 1); connections close by themselves or are
  // dropped.
  void shut_down();

  struct SessionInfo {
    std::string target;
    std::string initiator;
    std::string peer_address;
  };
  std::vector<SessionInfo> sessions() const;

  // Other rules, from now on: logins that are under way have to begin again (0301). Sessions go on;
  // gives those that the new rules would not let in, and if `end_them`, asks these to log out, as
  // shut_down() does. Discovery, which holds nothing, just ends for those whom it is not for any
  // more. Whoever was locked out may try again.
  std::vector<SessionInfo> set_access(std::shared_ptr<const auth::AccessPolicy> access,
                                      bool end_them);

  const LimitHits& limit_hits() const;

  struct State;  // shared by the protocol's files
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

}  // namespace iscsi
