// What peers run into. Each limit: its answer, its count, its line in the log, and nobody else is
// the worse for it.
#include "logins.h"
#include "requests.h"
#include "world.h"

using namespace iscsi;
using namespace iscsi::test;

namespace {

// It was reached once, and the log says so in these words.
void check_told(const World& world, Limit limit, const char* words) {
  INFO(name_of(limit));
  CHECK(world.reached(limit) == 1);
  CHECK(world.log.find(words) != std::string::npos);
}

ScsiCommand read_of(ScriptedInitiator& i, unsigned length) {
  ScsiCommand command =
      i.command({0x08, 0, length >> 16, length >> 8 & 0xFF, length & 0xFF, 0}, length);
  command.read = true;
  return command;
}

}  // namespace

TEST_CASE("one login more than may be under way: the oldest makes room", "[iscsi]") {
  PortalOptions options;
  options.max_logins = 4;
  World world(options);
  std::vector<std::unique_ptr<ScriptedInitiator>> silent;
  for (int i = 0; i < 4; ++i)
    silent.push_back(world.connect("192.0.2." + std::to_string(i) + ":1"));
  CHECK(!silent[0]->closed());
  auto host = world.connect("198.51.100.1:1");
  CHECK(silent[0]->closed());
  CHECK(!silent[1]->closed());
  CHECK(status_of(host->login()) == 0);
  auto next = world.connect("198.51.100.2:1");  // a session is no login any more
  CHECK(!silent[1]->closed());
  CHECK(world.reached(Limit::kLogins) == 1);
  CHECK(world.portal->connections() == 6);
}

TEST_CASE("discovery and wrong secrets hold no place against a host that logs in", "[iscsi]") {
  PortalOptions options;
  options.max_logins = 4;
  options.max_connections = 8;
  auth::AccessPolicy policy;
  policy.targets[kDrive] = chap_policy().any_target;
  World world(options, policy);
  LoginOptions discovery;
  discovery.discovery = true;
  discovery.keys = {};
  std::vector<std::unique_ptr<ScriptedInitiator>> others;
  for (int n = 0; n < 12; ++n) {
    others.push_back(world.connect("192.0.2." + std::to_string(n) + ":1"));
    if (n % 2 == 0) {
      CHECK(status_of(others.back()->login(discovery)) == 0);
    } else {
      LoginRequest request;
      request.transit = true;
      request.next = Stage::kOperational;
      others.back()->send(request.encode(),
                          scsi::as_bytes(text_of(names_and({{"AuthMethod", "None"}}))));
      others.back()->expect_silence();  // its answer comes late
    }
    // As the socket does, when it is over.
    std::erase_if(others, [](const auto& one) { return one->closed(); });
    CHECK(others.size() <= 4);
  }
  auto host = world.connect("198.51.100.1:1");
  CHECK(status_of(host->login(alice())) == 0);
  CHECK(world.reached(Limit::kConnections) == 0);
}

TEST_CASE("each limit that is reached is counted", "[iscsi]") {
  PortalOptions options;
  options.max_connections = 3;
  options.max_connections_per_address = 2;
  options.max_text_bytes = 8192;
  World world(options);
  auto a = world.connect("192.0.2.1:1");
  auto b = world.connect("192.0.2.1:2");
  CHECK(world.portal->accept("192.0.2.9:3260", "192.0.2.1:3") == nullptr);
  CHECK(world.reached(Limit::kConnectionsPerAddress) == 1);
  auto c = world.connect("192.0.2.2:1");
  CHECK(world.portal->accept("192.0.2.9:3260", "192.0.2.3:1") == nullptr);
  CHECK(world.reached(Limit::kConnections) == 1);

  LoginRequest request;
  request.task_tag = 1;
  request.more = true;
  const std::string text(8192, 'a');
  a->send(request.encode(), scsi::as_bytes(text));
  CHECK(status_of(a->expect(Opcode::kLoginResponse)) == 0);
  a->send(request.encode(), scsi::as_bytes("b"));
  CHECK(status_of(a->expect(Opcode::kLoginResponse)) == 0x020B);
  CHECK(world.reached(Limit::kLoginText) == 1);

  b->pass(16s);
  CHECK(b->closed());
  CHECK(world.reached(Limit::kLoginTime) == 1);
}

TEST_CASE("a flood makes ten lines, then one in ten seconds that says how many there were",
          "[iscsi]") {
  LimitCounter counter;
  const LimitCounter::TimePoint start{1h};
  for (int i = 0; i < 10; ++i) CHECK(counter.count(Limit::kLogins, start) == 0u);
  for (int i = 0; i < 1000; ++i) CHECK(!counter.count(Limit::kLogins, start + 9s));
  CHECK(counter.count(Limit::kConnections, start) == 0u);  // each limit by itself
  CHECK(counter.count(Limit::kLogins, start + 10s) == 1000u);
  CHECK(!counter.count(Limit::kLogins, start + 11s));
  CHECK(counter.count(Limit::kLogins, start + 10min) == 1u);
  CHECK(counter.hits()[static_cast<std::size_t>(Limit::kLogins)] == 1013);
  for (std::size_t i = 0; i < kLimits; ++i) CHECK(!name_of(static_cast<Limit>(i)).empty());
}

TEST_CASE("logins that are not as the RFC has them, and a target that is in use", "[iscsi]") {
  World world;
  auto i = world.session();
  auto bad = world.connect("192.0.2.8:1");
  check_refused(*bad,
                first_request(*bad, {.transit = true, .next = Stage::kOperational},
                              text_of({{"InitiatorName", "no name"}})),
                0x020B);
  check_told(world, Limit::kBadLogin, "refused: InitiatorName is no iSCSI name");
  auto other = world.connect("192.0.2.9:1");
  check_refused(*other, other->login(other_host()), 0x0301);
  check_told(world, Limit::kInUse, "is in use by");
  i->expect(Opcode::kNopIn);  // is it alive?
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("a command outside of the window is passed over", "[iscsi]") {
  World world;
  auto i = world.session();
  ScsiCommand command = i->command({0x00});
  --i->cmd_sn;
  command.cmd_sn = i->max_cmd_sn + 1;
  i->send(command.encode());
  i->expect_silence();
  check_told(world, Limit::kCommandWindow, "sent a command outside of its window: passed over");
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("four immediate commands, then Reject", "[iscsi]") {
  World world;
  auto i = world.session();
  const auto immediate = [&] {
    ScsiCommand command = i->command({0x01});
    command.immediate = true;
    --i->cmd_sn;
    return command.encode();
  };
  for (int n = 0; n < 4; ++n) i->send(immediate());
  i->expect_silence();
  CHECK(rejected(*i, immediate()) == RejectReason::kTooManyImmediate);
  check_told(world, Limit::kImmediate, "has too many requests open that do not wait their turn");
  while (!world.unit.waiting.empty()) world.unit.release();
}

TEST_CASE("a text request that is too long", "[iscsi]") {
  PortalOptions options;
  options.max_text_bytes = 8192;
  World world(options);
  auto i = world.session();
  TextRequest request;
  request.task_tag = 5;
  request.cmd_sn = i->cmd_sn++;
  CHECK(rejected(*i, request.encode(), Data(8196, std::byte{'a'})) == RejectReason::kProtocolError);
  check_told(world, Limit::kText, "sent a text request that is too long: rejected");
  CHECK(i->run(i->command({0x00})) == 0);
}

TEST_CASE("who does not read waits, then is dropped", "[iscsi]") {
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
  i->reading = false;
  for (int n = 0; n < 8; ++n) i->send(read_of(*i, 1000000).encode());
  check_told(world, Limit::kQueued, "does not read its answers: its commands wait until it does");
  CHECK(j->run(j->command({0x00})) == 0);
  i->pass(59s);
  CHECK(!i->closed());
  i->pass(2s);
  CHECK(i->closed());
  check_told(world, Limit::kUnread, "dropped: it does not read what we send");
  CHECK(world.unit.lost == 1);
}

TEST_CASE("task management without end, its answers unread: Reject, then dropped", "[iscsi]") {
  World world;
  auto i = world.session();
  i->reading = false;
  for (int n = 0; n < 5; ++n) i->send(read_of(*i, 1000000).encode());
  for (int n = 0; n < 20000 && !i->closed(); ++n) i->send(manage(*i, 2).encode());
  CHECK(i->closed());
  CHECK(world.reached(Limit::kImmediate) > 1000);
  check_told(world, Limit::kUnread, "dropped: it sends requests and does not read the answers");
}

TEST_CASE("discovery takes little, and keeps little for who does not read", "[iscsi]") {
  World world;
  auto i = discover(world);
  CHECK(i->login_keys["MaxRecvDataSegmentLength"] == "8192");
  i->reading = false;
  for (int n = 0; n < 60; ++n) i->send(nop(*i, false).encode(), pattern(8192));
  std::size_t queued = 0;
  for (const iovec& span : i->connection().send_spans()) queued += span.iov_len;
  CHECK(queued <= (64u << 10) + 8192 + 48);
  check_told(world, Limit::kQueued, "does not read its answers");
  for (int n = 0; n < 300 && !i->closed(); ++n) i->send(nop(*i).encode());
  CHECK(i->closed());
  check_told(world, Limit::kUnread, "does not read the answers");
}

TEST_CASE("a PDU that does not end in time, and who does not answer a ping", "[iscsi]") {
  World world(shared_targets());
  auto i = world.session();
  auto j = world.session(other_host());
  i->write(scsi::Bytes(i->encode(nop(*i).encode(), pattern(100))).first(60));
  for (int n = 0; n < 11; ++n) {
    i->pass(5s);
    i->write(std::array{std::byte{0}});  // a sign of life
  }
  CHECK(!i->closed());
  i->pass(6s);
  CHECK(i->closed());
  check_told(world, Limit::kPduTime, "closed: a PDU did not arrive in time");
  CHECK(world.unit.lost == 1);

  j->pass(61s);
  CHECK(j->closed());
  check_told(world, Limit::kSilent, "dropped: no answer to a ping");
  CHECK(world.unit.lost == 2);
}
