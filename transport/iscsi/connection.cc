#include "transport/iscsi/connection.h"

#include <algorithm>

#include "transport/iscsi/connection_impl.h"
#include "transport/iscsi/session.h"

namespace iscsi {

std::optional<TimePoint> Timer::deadline(TimePoint last_known) const {
  if (!armed_) return {};
  const TimePoint start = start_.value_or(last_known);
  return start == TimePoint{} ? start : start + duration_;  // no time is known: ask at once
}

Connection::Impl::Impl(Portal::State& state, std::string local, std::string peer,
                       std::vector<std::string> others)
    : portal(state),
      local_address(std::move(local)),
      peer_address(std::move(peer)),
      peer_host(host_of(peer_address)),
      peer_owner(auth::owner_of(peer_host)),
      other_addresses(std::move(others)),
      arrival(++state.arrivals),
      login(std::make_unique<Login>(state, peer_host)) {
  login_timer.arm(Milliseconds(state.options.login_timeout_ms), {});
}

Connection::Impl::Scope::Scope(Impl& impl, std::optional<TimePoint> time) : impl_(impl) {
  if (time) {
    impl.now = *time;
    impl.portal.now = std::max(impl.portal.now, *time);
    for (Timer* timer : impl.timers()) timer->observe(*time);
  }
  if (impl.depth++ == 0) {
    impl.timed = time.has_value();
    impl.had_output = !impl.output.empty();
  }
}

Connection::Impl::Scope::~Scope() {
  if (impl_.depth == 1 && impl_.session) impl_.session->settle();
  if (impl_.depth == 1) impl_.after_io();
  if (--impl_.depth != 0) return;
  impl_.timed = false;
  if (impl_.gone) return;
  const bool closes = impl_.wants_close() && !impl_.told_close;
  if (closes) impl_.told_close = true;
  if (!closes && (impl_.had_output || impl_.output.empty())) return;
  if (const auto told = impl_.listener) (*told)();
}

// Timers that follow from the state of the streams.
void Connection::Impl::after_io() {
  if (phase != Phase::kClosing && hopeless())
    drop(Limit::kUnread, "it sends requests and does not read the answers");
  const bool waits = congested();
  if (waits && !waited)
    portal.reached(Limit::kQueued, LogLevel::kInfo,
                   who() + " does not read its answers: its commands wait until it does");
  waited = waits;
  if (output.empty())
    send_timer.disarm();
  else if (!send_timer.armed())
    send_timer.arm(Milliseconds(portal.options.send_timeout_ms), exact_now());
  if (phase == Phase::kClosing || !framer.in_pdu())
    pdu_timer.disarm();
  else if (!pdu_timer.armed())
    pdu_timer.arm(Milliseconds(portal.options.send_timeout_ms), exact_now());
}

// --- bytes ---

void Connection::Impl::process() {
  for (;;) {
    const Framer::Event event = framer.next();
    switch (event) {
      case Framer::Event::kNeedMore:
        return;
      case Framer::Event::kHeader:
        header_arrived();
        break;
      case Framer::Event::kPdu:
        pdu_timer.disarm();
        pdu_arrived();
        if (phase == Phase::kLeaving) return;  // what follows is for the other portal
        break;
      case Framer::Event::kTooLong:
      case Framer::Event::kHeaderDigest:
      case Framer::Event::kDataDigest:
        framing_failed(event);
        break;
    }
  }
}

void Connection::Impl::header_arrived() {
  if (phase == Phase::kFullFeature) {
    session->header_arrived();
  } else if (opcode_of(framer.header()) == Opcode::kLoginRequest) {
    framer.collect();
  } else {
    framer.discard();
    close("a PDU other than Login Request before the login");
  }
}

void Connection::Impl::pdu_arrived() {
  if (phase == Phase::kFullFeature)
    session->pdu_arrived();
  else
    login_pdu();
}

void Connection::Impl::framing_failed(Framer::Event event) {
  if (phase == Phase::kLogin && opcode_of(framer.header()) == Opcode::kLoginRequest)
    return fail_login(Login::failure(LoginRequest::decode(framer.header()),
                                     LoginStatus::kInvalidRequest,
                                     "a data segment of more than 8192 bytes"));
  if (event == Framer::Event::kDataDigest && session)
    session->reject(RejectReason::kDataDigestError, framer.header(), framer.ahs());
  close(event == Framer::Event::kTooLong        ? "a data segment longer than we declared to take"
        : event == Framer::Event::kHeaderDigest ? "header digest error"
                                                : "data digest error");
}

void Connection::Impl::send(Header header, StatSn mode, scsi::SliceList data) {
  if (abandoned) return;
  Numbers numbers;
  if (mode != StatSn::kNone) numbers.stat_sn = stat_sn;
  if (mode == StatSn::kConsumed) ++stat_sn;
  if (session) {
    numbers.exp_cmd_sn = session->expected_cmd_sn();
    numbers.max_cmd_sn = session->max_cmd_sn();
  } else {
    numbers.exp_cmd_sn = first_cmd_sn;
    numbers.max_cmd_sn = numbers.exp_cmd_sn - 1;
  }
  set_numbers(header, numbers);
  output.push(header, std::move(data));
}

// --- the login ---

void Connection::Impl::login_pdu() {
  const LoginRequest request = LoginRequest::decode(framer.header());
  Login::Result result = login->receive(request, framer.data());
  identity = login->identity().initiator;
  first_cmd_sn = login->identity().first_cmd_sn;
  switch (result.progress) {
    case Login::Progress::kMore:
      return send_login(result);
    case Login::Progress::kFailed:
      return fail_login(std::move(result));
    case Login::Progress::kComplete:
      return complete_login(request, std::move(result));
  }
}

void Connection::Impl::send_login(const Login::Result& result) {
  const scsi::Bytes text = scsi::as_bytes(result.text);
  send(result.response.encode(), StatSn::kConsumed,
       scsi::slices_of(std::vector<std::byte>(text.begin(), text.end())));
}

void Connection::Impl::fail_login(Login::Result result) {
  portal.reached(result.limit, LogLevel::kWarning,
                 "login of " + who() + " refused: " + printable(result.reason));
  phase = Phase::kClosing;
  framer.stop();
  login_timer.disarm();
  if (result.response.status != static_cast<std::uint16_t>(LoginStatus::kAuthenticationFailure)) {
    send_login(result);
    close_timer.arm(kFlushTime, exact_now());
    return;
  }
  const std::string account = login ? login->account() : std::string();
  reply_timer.arm(portal.failures.record(peer_host, account, now), exact_now());
  held_reply = std::move(result);
}

// Who else is logged in matters only now: nobody learns of other sessions, or ends one, without
// having proved who it is.
std::optional<Login::Result> Connection::Impl::admit(const LoginRequest& request,
                                                     const LoginIdentity& id, std::uint16_t& tsih,
                                                     bool& replaces) {
  if (portal.shutting_down)
    return Login::failure(request, LoginStatus::kServiceUnavailable, "shutting down");
  if (id.target == nullptr) return {};
  // Who comes from another portal was on its way while the rules may have changed here.
  if (!portal.access->rule_for(id.target->name).still_allows(id.initiator, peer_host, id.user))
    return Login::failure(request, LoginStatus::kServiceUnavailable,
                          "who may log in has been changed meanwhile");
  Session* const existing = portal.find_session(id.initiator, *id.target, id.isid);
  // A name is what an initiator says; its account is what it has proved. Nobody takes a session
  // over that was begun with another.
  const bool anothers = existing != nullptr && !existing->identity().user.empty() &&
                        existing->identity().user != id.user;
  if (id.tsih != 0) {
    if (existing == nullptr || anothers || existing->tsih() != id.tsih)
      return Login::failure(request, LoginStatus::kSessionDoesNotExist,
                            "no session with this TSIH");
    if (existing->identity().connection_id != id.connection_id)
      return Login::failure(request, LoginStatus::kTooManyConnections,
                            "a second connection for a session");
    tsih = id.tsih;
  } else if (existing == nullptr || anothers) {
    const auto others = portal.sessions_of(*id.target);
    if (anothers || others.size() >= portal.options.max_sessions_per_target) {
      Session& holder = anothers ? *existing : *others.front();
      // It may be dead without our knowing: then the next attempt finds the target free sooner.
      Scope scope(holder.connection());
      holder.ping();
      return Login::failure(request, LoginStatus::kServiceUnavailable,
                            "target " + id.target->name + " is in use by " +
                                holder.connection().who() +
                                "; log it out there, or raise the limit of sessions per target");
    }
  }
  replaces = existing != nullptr;
  if (existing != nullptr) existing->replace();
  return {};
}

void Connection::Impl::complete_login(const LoginRequest& request, Login::Result result) {
  if (login->proved()) portal.failures.succeeded(peer_host, login->account(), now);
  auto end = std::make_unique<Handover>();
  end->identity = login->identity();
  end->parameters = login->parameters();
  end->request = request;
  end->result = std::move(result);
  const TargetEntry* target = end->identity.target;
  if (target == nullptr || target->target != nullptr) return begin_session(*end);
  end->portal = target->portal;
  end->target = target->name;
  end->identity.target = nullptr;
  leaving = std::move(end);
  phase = Phase::kLeaving;
}

void Connection::Impl::begin_session(const Handover& from) {
  std::uint16_t tsih = portal.allocate_tsih();
  bool replaces = false;
  const LoginIdentity& id = from.identity;
  if (auto refused = admit(from.request, id, tsih, replaces))
    return fail_login(std::move(*refused));
  session = std::make_shared<Session>(*this, id, tsih, from.parameters);
  phase = Phase::kFullFeature;
  login_timer.disarm();
  session->establish(replaces);
  Login::Result result = from.result;
  result.response.tsih = tsih;
  send_login(result);
  // Digests and lengths hold from the first PDU of the full feature phase on.
  output.set_digests(from.parameters.header_digest, from.parameters.data_digest);
  framer.set_digests(from.parameters.header_digest, from.parameters.data_digest);
  framer.set_data_limit(from.parameters.target_max_recv);
  ping_timer.arm(Milliseconds(portal.options.ping_after_ms), exact_now());
  portal.info(who() +
              (id.target == nullptr ? " began discovery" : " logged in to " + id.target->name) +
              (replaces ? ", replacing its former session" : ""));
  login.reset();
}

bool Connection::Impl::has_target() const {
  return phase == Phase::kFullFeature && !session->discovery();
}

bool Connection::Impl::congested() const {
  const std::size_t most = portal.options.max_queued_bytes;
  const bool discovery = session && session->discovery();
  return output.bytes() > (discovery ? std::min(most, kMaxDiscoveryBytes) : most);
}

bool Connection::Impl::hopeless() const {
  const bool discovery = session && session->discovery();
  return output.control_pdus() > (discovery ? kMaxDiscoveryPdus : kMaxQueuedPdus);
}

std::string Connection::Impl::who() const {
  return (identity.empty() ? std::string("an unknown initiator") : printable(identity)) + " at " +
         peer_address;
}

// --- the end ---

void Connection::Impl::end_session() {
  phase = Phase::kClosing;
  framer.stop();
  login_timer.disarm();
  ping_timer.disarm();
  leaving.reset();
  if (!session) return;
  session->end();
  if (tell) tell(Elsewhere::kSessionEnded);
}

void Connection::Impl::close(const std::string& reason) {
  if (phase == Phase::kClosing) return;
  portal.warn("connection of " + who() + " closed: " + reason);
  end_session();
  close_timer.arm(kFlushTime, exact_now());
}

void Connection::Impl::close(Limit limit, const std::string& reason) {
  if (phase == Phase::kClosing) return;
  portal.reached(limit, LogLevel::kWarning, "connection of " + who() + " closed: " + reason);
  end_session();
  close_timer.arm(kFlushTime, exact_now());
}

void Connection::Impl::close_after_logout() {
  portal.info(who() + " logged out");
  end_session();
  lingering = true;
  close_timer.arm(kLingerTime, exact_now());
}

void Connection::Impl::drop(const std::string& reason) {
  if (phase != Phase::kClosing) portal.warn("connection of " + who() + " dropped: " + reason);
  abandon();
}

void Connection::Impl::drop(Limit limit, const std::string& reason) {
  if (phase != Phase::kClosing)
    portal.reached(limit, LogLevel::kWarning, "connection of " + who() + " dropped: " + reason);
  abandon();
}

void Connection::Impl::abandon() {
  Scope scope(*this);
  end_session();
  abandoned = true;
}

bool Connection::Impl::wants_close() const {
  if (phase != Phase::kClosing) return false;
  return abandoned || (output.empty() && !lingering && !held_reply);
}

// --- time ---

std::optional<TimePoint> Connection::Impl::deadline() const {
  if (gone || wants_close()) return {};
  std::optional<TimePoint> first;
  for (const Timer* timer :
       {&login_timer, &pdu_timer, &send_timer, &ping_timer, &close_timer, &reply_timer})
    if (const auto t = timer->deadline(now); t && (!first || *t < *first)) first = t;
  return first;
}

void Connection::Impl::expire() {
  if (login_timer.due(now)) close(Limit::kLoginTime, "the login took too long");
  if (pdu_timer.due(now)) close(Limit::kPduTime, "a PDU did not arrive in time");
  if (send_timer.due(now)) drop(Limit::kUnread, "it does not read what we send");
  if (reply_timer.due(now)) {
    reply_timer.disarm();
    send_login(*held_reply);
    held_reply.reset();
    close_timer.arm(kFlushTime, now);
  }
  if (close_timer.due(now)) drop("it did not close in time");
  if (ping_timer.due(now)) {
    if (session->discovery())
      close("a discovery session without requests");
    else if (ping_sent)
      drop(Limit::kSilent, "no answer to a ping");
    else
      session->ping();
  }
}

// --- the public face ---

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) { impl_->self = this; }

// Only now is it not counted any more: its socket may linger when it is over.
Connection::~Connection() {
  lost(impl_->now);
  impl_->portal.connections.erase(impl_.get());
  if (impl_->tell) impl_->tell(Elsewhere::kGone);
}

scsi::MutableBytes Connection::recv_span() {
  const bool closed = impl_->gone || impl_->leaving || impl_->wants_close();
  return closed ? scsi::MutableBytes() : impl_->framer.recv_span();
}

void Connection::received(std::size_t n, TimePoint now) {
  Impl& impl = *impl_;
  Impl::Scope scope(impl, now);
  impl.ping_sent = false;
  if (impl.ping_timer.armed())
    impl.ping_timer.arm(Milliseconds(impl.portal.options.ping_after_ms), now);
  impl.framer.received(n);
  impl.process();
}

std::span<const iovec> Connection::send_spans() {
  return impl_->abandoned || impl_->gone ? std::span<const iovec>() : impl_->output.spans();
}

void Connection::sent(std::size_t n, TimePoint now) {
  Impl::Scope scope(*impl_, now);
  impl_->output.sent(n);
  if (n != 0) impl_->send_timer.disarm();  // it moves: the time starts anew
}

void Connection::set_output_listener(std::function<void()> listener) {
  impl_->listener =
      listener ? std::make_shared<std::function<void()>>(std::move(listener)) : nullptr;
}

std::optional<TimePoint> Connection::deadline() const { return impl_->deadline(); }

void Connection::expire(TimePoint now) {
  Impl::Scope scope(*impl_, now);
  impl_->expire();
}

std::unique_ptr<Handover> Connection::take_handover() {
  Impl& impl = *impl_;
  if (!impl.leaving || !impl.output.empty()) return nullptr;
  std::unique_ptr<Handover> handover = std::move(impl.leaving);
  const scsi::Bytes rest = impl.framer.rest();
  handover->received.assign(rest.begin(), rest.end());
  handover->local_address = impl.local_address;
  handover->peer_address = impl.peer_address;
  handover->other_addresses = impl.other_addresses;
  handover->stat_sn = impl.stat_sn;
  handover->id = impl.portal.count_elsewhere(impl.peer_owner);
  impl.end_session();
  impl.abandoned = true;
  return handover;
}

bool Connection::wants_close() const { return impl_->wants_close(); }

void Connection::lost(TimePoint now) {
  Impl& impl = *impl_;
  if (impl.gone) return;
  impl.gone = true;
  impl.now = now;
  if (impl.phase == Impl::Phase::kFullFeature)
    impl.portal.info(impl.who() + " closed its connection without logging out");
  impl.end_session();
}

void Connection::want(scsi::NexusId nexus, scsi::TaskTag tag, std::uint32_t length) {
  Impl::Scope scope(*impl_);
  if (impl_->session && impl_->session->nexus() == nexus) impl_->session->want(tag, length);
}

void Connection::complete(scsi::NexusId nexus, scsi::TaskTag tag, scsi::Reply reply,
                          scsi::Residual residual) {
  Impl::Scope scope(*impl_);
  if (impl_->session && impl_->session->nexus() == nexus)
    impl_->session->complete(tag, std::move(reply), residual);
}

void Connection::aborted(scsi::NexusId nexus, scsi::TaskTag tag) {
  Impl::Scope scope(*impl_);
  if (impl_->session && impl_->session->nexus() == nexus) impl_->session->aborted(tag);
}

}  // namespace iscsi
