// What the protocol's own files see of a Portal: not for others.
#pragma once

#include <set>

#include "auth/chap.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/portal.h"

namespace iscsi {

class Session;

struct TargetEntry {
  std::string name;
  std::string alias;
  scsi::Target* target = nullptr;  // nullptr: another portal has it
  std::size_t portal = 0;
  scsi::BufferPool::Owner owner = 0;
  std::size_t reserve_bytes = 0;  // of all its sessions together
};

struct Portal::State {
  State(PortalOptions portal_options, const auth::AccessPolicy& policy, scsi::BufferPool& pool,
        Random random_bytes, Log logger)
      : options(portal_options),
        access(std::make_shared<const auth::AccessPolicy>(policy)),
        buffers(pool),
        random(std::move(random_bytes)),
        log(std::move(logger)) {}

  const PortalOptions options;
  std::shared_ptr<const auth::AccessPolicy> access;  // a login keeps the one it began with
  scsi::BufferPool& buffers;
  const Random random;
  const Log log;

  std::vector<std::unique_ptr<TargetEntry>> targets;  // in the order in which they were added
  std::set<Connection::Impl*> connections;
  std::set<Session*> sessions;  // normal ones in full feature phase
  // Connections that came in here and went to another portal, by a number of ours.
  struct Away {
    std::string owner;  // of its address
    bool logged_in = true;
  };
  std::map<std::uint64_t, Away> away;
  std::uint64_t arrivals = 0;
  auth::OutstandingChallenges challenges;
  auth::LoginFailures failures;
  LimitCounter limits;
  TimePoint now{};  // the latest that any connection was told
  bool shutting_down = false;

  const TargetEntry* find_target(std::string_view name) const;
  Session* find_session(std::string_view initiator, const TargetEntry& target,
                        scsi::Bytes isid) const;
  std::vector<Session*> sessions_of(const TargetEntry& target) const;

  // A slot that no other nexus has, under a generation that it never had before.
  scsi::NexusId allocate_nexus();
  void release_nexus(scsi::NexusId nexus);
  // A connection from there leaves for another portal, and counts all the same.
  std::uint64_t count_elsewhere(const std::string& owner);
  // Drops the oldest connection without a session with a target if there are as many as may be.
  void make_room_for_stranger();
  // A session handle that no other session of the group has; never 0.
  std::uint16_t allocate_tsih();

  // Counts, and writes the line unless there were too many like it.
  void reached(Limit limit, LogLevel level, const std::string& line);
  void info(const std::string& line) const { log(LogLevel::kInfo, line); }
  void warn(const std::string& line) const { log(LogLevel::kWarning, line); }
  void debug(const std::string& line) const { log(LogLevel::kDebug, line); }

 private:
  struct Slot {
    std::uint32_t generation = 0;
    bool used = false;
  };
  std::vector<Slot> slots_;
  std::uint16_t last_tsih_ = 0;
  std::uint64_t last_away_ = 0;
};

// The host part of "192.0.2.1:3260", "[::1]:3260" - without the brackets -, or of an address
// without a port: as rules have it.
std::string host_of(std::string_view address);

}  // namespace iscsi
