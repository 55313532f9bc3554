// The inside of a Connection: byte stream, login phase, timers, and the way out. Only for this
// folder.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "transport/iscsi/framer.h"
#include "transport/iscsi/handover.h"
#include "transport/iscsi/login.h"
#include "transport/iscsi/output.h"
#include "transport/iscsi/portal_state.h"

namespace iscsi {

using Milliseconds = std::chrono::milliseconds;

// How a PDU of ours bears StatSN (RFC 7143 4.2.2.2).
enum class StatSn {
  kConsumed,  // a status: the number is used up
  kNext,      // carries the next one
  kNone,      // the field is reserved
};

// A span of time that may begin in a call that was not told the time: then it counts from the next
// call that was.
class Timer {
 public:
  void arm(Milliseconds duration, std::optional<TimePoint> now) {
    armed_ = true;
    duration_ = duration;
    start_ = now;
  }
  void disarm() { armed_ = false; }
  bool armed() const { return armed_; }
  std::optional<TimePoint> deadline(TimePoint last_known) const;
  // The time is known: whatever has not begun to count begins.
  void observe(TimePoint now) {
    if (!start_) start_ = now;
  }
  bool due(TimePoint now) const { return armed_ && start_ && now >= *start_ + duration_; }

 private:
  bool armed_ = false;
  Milliseconds duration_{0};
  std::optional<TimePoint> start_;
};

struct Connection::Impl {
  Impl(Portal::State& state, std::string local, std::string peer, std::vector<std::string> others);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Every entrance from outside stands in one, also those that a logical unit or the buffer pool
  // calls. The outermost settles what has piled up and then tells the listener, as its last act:
  // the listener may destroy the connection.
  class Scope {
   public:
    explicit Scope(Impl& impl, std::optional<TimePoint> time = {});
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Impl& impl_;
  };

  enum class Phase { kLogin, kLeaving, kFullFeature, kClosing };

  void process();
  void header_arrived();
  void pdu_arrived();
  void framing_failed(Framer::Event event);

  void login_pdu();
  void send_login(const Login::Result& result);
  void fail_login(Login::Result result);
  void complete_login(const LoginRequest& request, Login::Result result);
  std::optional<Login::Result> admit(const LoginRequest& request, const LoginIdentity& id,
                                     std::uint16_t& tsih, bool& replaces);
  void begin_session(const Handover& login);

  void send(Header header, StatSn stat_sn, scsi::SliceList data);
  // A protocol violation or the like: the session ends, what is queued is sent, then the stream
  // closes.
  void close(const std::string& reason);
  void close(Limit limit, const std::string& reason);
  // The same after an orderly logout: the initiator gets a moment to close first.
  void close_after_logout();
  // The session ends and the stream closes without another byte.
  void drop(const std::string& reason);
  void drop(Limit limit, const std::string& reason);
  void abandon();  // the same, without a word in the log
  void end_session();

  bool wants_close() const;
  std::optional<TimePoint> deadline() const;
  void expire();
  void after_io();

  std::string who() const;  // for log lines
  // Has a session with a target: is not merely at the door.
  bool has_target() const;
  // Nothing is left of it but its socket.
  bool over() const { return gone || abandoned; }
  // A client that does not read: its commands wait rather than pile up answers. Discovery, which
  // many may have, gets less.
  bool congested() const;
  bool hopeless() const;
  std::optional<TimePoint> exact_now() const {
    return timed ? std::optional<TimePoint>(now) : std::nullopt;
  }

  static constexpr std::size_t kMaxQueuedPdus = 8192;
  static constexpr std::size_t kMaxDiscoveryPdus = 256;
  static constexpr std::size_t kMaxDiscoveryBytes = 64u << 10;
  static constexpr Milliseconds kFlushTime{2000};
  static constexpr Milliseconds kLingerTime{3000};
  static constexpr Milliseconds kLogoutTime{5000};

  Portal::State& portal;
  Connection* self = nullptr;
  const std::string local_address, peer_address, peer_host;
  const std::string peer_owner;  // whose that is (auth::owner_of), for the limit per address
  const std::vector<std::string> other_addresses;  // that SendTargets tells beside the local one
  const std::uint64_t arrival;                     // the n-th
  std::shared_ptr<std::function<void()>> listener;

  Phase phase = Phase::kLogin;
  Framer framer;
  Output output;
  std::unique_ptr<Login> login;
  std::shared_ptr<Session> session;
  std::uint32_t stat_sn = 1;
  std::uint32_t first_cmd_sn = 0;  // of the login
  std::string identity;            // of the initiator, once it has said who it is
  std::unique_ptr<Handover> leaving;
  std::function<void(Elsewhere)> tell;  // whoever counts it, if that is another portal

  TimePoint now{};     // the last that is known; the epoch: none is
  bool timed = false;  // a call that was told the time is at work
  int depth = 0;
  bool had_output = false;  // when the outermost scope began
  bool waited = false;      // the peer does not read, and this has been counted
  bool told_close = false;
  bool abandoned = false;  // nothing can be sent any more
  bool lingering = false;
  bool gone = false;  // lost() was called
  bool ping_sent = false;

  Timer login_timer, pdu_timer, send_timer, ping_timer, close_timer, reply_timer;
  std::array<Timer*, 6> timers() {
    return {&login_timer, &pdu_timer, &send_timer, &ping_timer, &close_timer, &reply_timer};
  }
  std::optional<Login::Result> held_reply;  // a refusal whose time has not come
};

}  // namespace iscsi
