#include "transport/iscsi/portal.h"

#include <algorithm>

#include "scsi/check.h"
#include "transport/iscsi/session.h"

namespace iscsi {

std::string host_of(std::string_view address) {
  if (address.starts_with('[')) return std::string(address.substr(1, address.find(']') - 1));
  const std::size_t colon = address.find(':');
  // More than one colon: an IPv6 address without a port.
  if (colon != std::string_view::npos && address.find(':', colon + 1) == std::string_view::npos)
    return std::string(address.substr(0, colon));
  return std::string(address);
}

const TargetEntry* Portal::State::find_target(std::string_view name) const {
  for (const auto& target : targets)
    if (target->name == name) return target.get();
  return nullptr;
}

Session* Portal::State::find_session(std::string_view initiator, const TargetEntry& target,
                                     scsi::Bytes isid) const {
  for (Session* session : sessions) {
    const LoginIdentity& identity = session->identity();
    if (identity.target == &target && identity.initiator == initiator &&
        std::equal(identity.isid.begin(), identity.isid.end(), isid.begin(), isid.end()))
      return session;
  }
  return nullptr;
}

std::vector<Session*> Portal::State::sessions_of(const TargetEntry& target) const {
  std::vector<Session*> found;
  for (Session* session : sessions)
    if (session->identity().target == &target) found.push_back(session);
  return found;
}

scsi::NexusId Portal::State::allocate_nexus() {
  auto slot = std::find_if(slots_.begin(), slots_.end(), [](const Slot& s) { return !s.used; });
  if (slot == slots_.end()) slot = slots_.insert(slots_.end(), Slot{});
  slot->used = true;
  ++slot->generation;
  return {static_cast<std::uint32_t>(slot - slots_.begin()), slot->generation};
}

void Portal::State::release_nexus(scsi::NexusId nexus) { slots_[nexus.slot].used = false; }

std::uint16_t Portal::State::allocate_tsih() {
  const auto taken = [&](std::uint16_t tsih) {
    return std::any_of(sessions.begin(), sessions.end(),
                       [&](const Session* s) { return s->tsih() == tsih; });
  };
  do ++last_tsih_;
  while (last_tsih_ == 0 || last_tsih_ % options.portals != options.portal || taken(last_tsih_));
  return last_tsih_;
}

std::uint64_t Portal::State::count_elsewhere(const std::string& owner) {
  away.emplace(++last_away_, Away{owner});
  return last_away_;
}

Portal::Portal(PortalOptions options, const auth::AccessPolicy& access, scsi::BufferPool& buffers,
               Random random, Log log)
    : state_(std::make_unique<State>(options, access, buffers, std::move(random), std::move(log))) {
  VTL_CHECK(options.max_recv_data_segment_length >= 512 &&
            options.max_recv_data_segment_length <= kMaxDataSegment);
  VTL_CHECK(options.first_burst_length >= 512 &&
            options.first_burst_length <= options.max_burst_length);
  VTL_CHECK(options.max_burst_length <= kMaxDataSegment && options.command_window >= 1);
  VTL_CHECK(options.portal < options.portals);
}

Portal::~Portal() { VTL_CHECK(state_->connections.empty()); }

void Portal::add_target(std::string name, std::string alias, scsi::Target& target,
                        std::size_t reserve_bytes) {
  add_target_elsewhere(std::move(name), std::move(alias), state_->options.portal);
  TargetEntry& entry = *state_->targets.back();
  entry.target = &target;
  // A quarter of the target's share of the pool; the rest is for what is being written.
  entry.reserve_bytes = std::min(reserve_bytes, state_->options.buffer_bytes_per_target / 4);
}

void Portal::add_target_elsewhere(std::string name, std::string alias, std::size_t portal) {
  VTL_CHECK(state_->find_target(name) == nullptr);
  auto entry = std::make_unique<TargetEntry>();
  entry->name = std::move(name);
  entry->alias = std::move(alias);
  entry->portal = portal;
  entry->owner = static_cast<scsi::BufferPool::Owner>(state_->targets.size());
  state_->targets.push_back(std::move(entry));
}

std::unique_ptr<Connection> Portal::accept(std::string local_address, std::string peer_address,
                                           std::vector<std::string> other_addresses) {
  State& state = *state_;
  if (state.shutting_down) return nullptr;
  const std::string owner = auth::owner_of(host_of(peer_address));
  const auto refuse = [&](Limit limit, const char* why) {
    state.reached(limit, LogLevel::kWarning, "connection from " + peer_address + " closed: " + why);
    return nullptr;
  };
  if (connections() >= state.options.max_connections)
    return refuse(Limit::kConnections, "there are as many connections as are allowed");
  const auto without_target =
      std::count_if(state.connections.begin(), state.connections.end(),
                    [&](const auto* c) { return c->peer_owner == owner && !c->has_target(); }) +
      std::count_if(state.away.begin(), state.away.end(), [&](const auto& entry) {
        return entry.second.owner == owner && !entry.second.logged_in;
      });
  if (static_cast<std::uint32_t>(without_target) >= state.options.max_connections_per_address)
    return refuse(Limit::kConnectionsPerAddress,
                  "too many connections from this address have not logged in to a target");
  state.make_room_for_stranger();

  auto impl = std::make_unique<Connection::Impl>(
      state, std::move(local_address), std::move(peer_address), std::move(other_addresses));
  state.connections.insert(impl.get());
  return std::unique_ptr<Connection>(new Connection(std::move(impl)));
}

// Whoever logs in does so in a few round trips, and discovery takes no more: it is the one that has
// been at it for longest that means no good, and a host that does comes through although others
// hold all the places - silent, in discovery, or waiting for the answer to a wrong secret.
void Portal::State::make_room_for_stranger() {
  Connection::Impl* oldest = nullptr;
  std::size_t strangers = 0;
  for (Connection::Impl* connection : connections) {
    if (connection->has_target() || connection->over()) continue;
    ++strangers;
    if (oldest == nullptr || connection->arrival < oldest->arrival) oldest = connection;
  }
  if (strangers < options.max_logins) return;
  reached(Limit::kLogins, LogLevel::kWarning,
          "connection of " + oldest->who() +
              " dropped: there are as many without a session with a target as are allowed");
  oldest->abandon();
}

void Portal::State::reached(Limit limit, LogLevel level, const std::string& line) {
  const auto untold = limits.count(limit, now);
  if (!untold) return;
  log(level,
      *untold == 0 ? line : line + " (" + std::to_string(*untold) + " more like this before)");
}

std::unique_ptr<Connection> Portal::adopt(const Handover& handover,
                                          std::function<void(Elsewhere)> tell,
                                          std::chrono::steady_clock::time_point now) {
  Handover login = handover;
  login.identity.target = state_->find_target(login.target);
  VTL_CHECK(login.identity.target != nullptr && login.identity.target->target != nullptr);
  auto impl = std::make_unique<Connection::Impl>(*state_, login.local_address, login.peer_address,
                                                 login.other_addresses);
  Connection::Impl& inside = *impl;
  state_->connections.insert(impl.get());
  std::unique_ptr<Connection> connection(new Connection(std::move(impl)));
  inside.tell = std::move(tell);
  inside.stat_sn = login.stat_sn;
  inside.identity = login.identity.initiator;
  inside.first_cmd_sn = login.identity.first_cmd_sn;
  {
    Connection::Impl::Scope scope(inside, now);
    inside.begin_session(login);
    if (inside.session == nullptr && inside.tell) inside.tell(Elsewhere::kSessionEnded);
  }
  for (scsi::Bytes rest = login.received; !rest.empty();) {
    const scsi::MutableBytes into = connection->recv_span();
    if (into.empty()) break;
    const std::size_t n = std::min(into.size(), rest.size());
    std::copy_n(rest.begin(), n, into.begin());
    connection->received(n, now);
    rest = rest.subspan(n);
  }
  return connection;
}

void Portal::counted_elsewhere(std::uint64_t id, Elsewhere what) {
  const auto found = state_->away.find(id);
  VTL_CHECK(found != state_->away.end());
  if (what == Elsewhere::kGone)
    state_->away.erase(found);
  else
    found->second.logged_in = false;
}

std::size_t Portal::connections() const { return state_->connections.size() + state_->away.size(); }

void Portal::shut_down() {
  state_->shutting_down = true;
  const std::vector<Connection::Impl*> all(state_->connections.begin(), state_->connections.end());
  for (Connection::Impl* connection : all) {
    // A listener may have destroyed some of those that come later.
    if (!state_->connections.contains(connection)) continue;
    Connection::Impl::Scope scope(*connection);
    if (connection->phase == Connection::Impl::Phase::kFullFeature &&
        !connection->session->discovery())
      connection->session->request_logout();
    else if (connection->phase != Connection::Impl::Phase::kClosing)
      connection->close("shutting down");
  }
}

namespace {

Portal::SessionInfo info_of(const Session& session) {
  return {session.identity().target->name, session.identity().initiator,
          session.connection().peer_address};
}

}  // namespace

std::vector<Portal::SessionInfo> Portal::set_access(
    std::shared_ptr<const auth::AccessPolicy> access, bool end_them) {
  // Rules that are the same do not end a login that is under way.
  if (*access != *state_->access) state_->access = std::move(access);
  state_->failures.forget();
  std::vector<SessionInfo> strangers;
  const std::vector<Session*> all(state_->sessions.begin(), state_->sessions.end());
  for (Session* session : all) {
    // A listener may have ended some of those that come later.
    if (!state_->sessions.contains(session)) continue;
    const LoginIdentity& identity = session->identity();
    const auth::AccessRule& rule = state_->access->rule_for(identity.target->name);
    if (rule.still_allows(identity.initiator, session->connection().peer_host, identity.user))
      continue;
    strangers.push_back(info_of(*session));
    if (!end_them) continue;
    Connection::Impl::Scope scope(session->connection());
    session->request_logout();
  }
  const std::vector<Connection::Impl*> connections(state_->connections.begin(),
                                                   state_->connections.end());
  for (Connection::Impl* connection : connections) {
    if (!state_->connections.contains(connection) ||
        connection->phase != Connection::Impl::Phase::kFullFeature ||
        !connection->session->discovery())
      continue;
    const LoginIdentity& identity = connection->session->identity();
    if (state_->access->discovery.still_allows(identity.initiator, connection->peer_host,
                                               identity.user))
      continue;
    Connection::Impl::Scope scope(*connection);
    connection->close("discovery is not for it any more");
  }
  return strangers;
}

const LimitHits& Portal::limit_hits() const { return state_->limits.hits(); }

std::vector<Portal::SessionInfo> Portal::sessions() const {
  std::vector<SessionInfo> all;
  for (const Session* session : state_->sessions) all.push_back(info_of(*session));
  std::sort(all.begin(), all.end(), [](const SessionInfo& a, const SessionInfo& b) {
    return std::tie(a.target, a.initiator) < std::tie(b.target, b.initiator);
  });
  return all;
}

}  // namespace iscsi
