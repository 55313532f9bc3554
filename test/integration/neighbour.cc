#include "neighbour.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

struct Neighbour::Served {
  explicit Served(Server server);
  ~Served();
  RawPdu begin_write(std::size_t size);
  // Buffers and descriptors as they are now, when a moment has passed in which they do not change.
  struct Holdings {
    std::uint64_t lent_bytes = 0;
    std::size_t descriptors = 0, sessions = 0;
    friend bool operator==(const Holdings&, const Holdings&) = default;
  };
  Holdings holdings() const;

  Library library;
  std::unique_ptr<RawSession> session;
  std::uint64_t written = 0;
  Holdings quiet;  // with the WRITE in flight, and nobody else
  bool broken = false;
};

namespace {

constexpr std::size_t kRecord = 300000;  // two Data-Out
constexpr int kPatience = 1000;          // times 10 ms, for what was let go to be gone

void configure(std::string& yaml, Neighbour::Server server) {
  replace_in(yaml, "#max_sessions_per_target: 1", "max_sessions_per_target: 2");
  replace_in(yaml, "\naccess:\n",
             "\naccess:\n  accounts:\n    - {user: " + std::string(Neighbour::kUser) +
                 ", secret: \"" + Neighbour::kSecret +
                 "\"}\n  own: {user: library, secret: \"battery-staple\"}\n"
                 "  devices:\n    tapedrive-04: {chap: true}\n");
  if (server == Neighbour::Server::kPatient) return;
  replace_in(yaml, "#login_timeout_ms: 15000", "login_timeout_ms: 1000");
  replace_in(yaml, "#send_timeout_ms: 60000", "send_timeout_ms: 1000");
  replace_in(yaml, "#max_connections: 256", "max_connections: 40");
  replace_in(yaml, "#max_connections_per_address: 64", "max_connections_per_address: 16");
  replace_in(yaml, "#max_logins: 128", "max_logins: 24");
}

Neighbour::Served& served_by(Neighbour::Server server) {
  static std::unique_ptr<Neighbour::Served> all[2];
  auto& one = all[server == Neighbour::Server::kPatient ? 0 : 1];
  if (one && one->broken) one.reset();  // whatever it was, the next test is to start afresh
  if (!one) one = std::make_unique<Neighbour::Served>(server);
  return *one;
}

}  // namespace

Neighbour::Served::Served(Server server)
    : library({}, [server](std::string& yaml) { configure(yaml, server); }) {
  for (const int number : {1, 2}) {
    Initiator drive = library.load(number);
    // Whatever a drive opens for its tape is open from then on.
    if (!write_block(drive, pattern(1000, 1)).good() || !write_filemarks(drive, 1).good() ||
        !rewind_tape(drive).good() || !read_block(drive, 1000).good() ||
        !rewind_tape(drive).good() || !drive.logout())
      throw std::runtime_error("drive " + std::to_string(number) + " does not work");
  }
  RawLogin login;
  login.initiator = "iqn.2026-11.local.test:neighbour";
  login.keys = {"InitialR2T=Yes", "ImmediateData=No"};
  session = std::make_unique<RawSession>(library.daemon.port(), library.daemon.drive(2), login);
  session->clear_unit_attentions();
}

// Static, so that it is the last word of the program.
Neighbour::Served::~Served() {
  session.reset();
  if (broken || !library.daemon.running()) return;  // a test has failed for it
  const int code = library.daemon.stop();
  if (code == 0) return;
  std::fprintf(stderr, "after all bad inputs the server ended with status %d:\n%s\n", code,
               library.daemon.log().c_str());
  std::_Exit(1);
}

RawPdu Neighbour::Served::begin_write(std::size_t size) {
  session->send(session->command(write6(size), Way::kOut, static_cast<std::uint32_t>(size)));
  return session->expect(kR2t);
}

Neighbour::Served::Holdings Neighbour::Served::holdings() const {
  Holdings now;
  now.descriptors = library.daemon.descriptors().size();  // before there is one for the question
  const auto server = library.daemon.server();
  now.lent_bytes = server["buffers_lent_bytes"].get<std::uint64_t>();
  now.sessions = server["sessions"].size();
  return now;
}

Neighbour::Neighbour(Server server) : served_(served_by(server)) {
  record_ = pattern(kRecord, ++served_.written);
  r2t_ = served_.begin_write(kRecord);
  if (served_.quiet.sessions != 0) return;
  // The first time: what the server holds when nothing else goes on.
  for (Served::Holdings now = served_.holdings(); now != served_.quiet || now.sessions != 1;
       now = served_.holdings()) {
    served_.quiet = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Daemon& Neighbour::daemon() { return served_.library.daemon; }
RawSession& Neighbour::neighbour() { return *served_.session; }

RawSession Neighbour::session(const RawLogin& login) {
  RawSession out(port(), drive(1), login);
  out.clear_unit_attentions();
  const CommandResult rewound = out.run(out.command({0x01, 0, 0, 0, 0, 0}));
  if (!rewound.good()) throw std::runtime_error("REWIND: " + rewound.sense_code());
  return out;
}

std::uint64_t Neighbour::reached(const std::string& limit) {
  const auto server = daemon().server();
  for (const auto& one : server["limits"])
    if (one["name"] == limit) return one["reached"].get<std::uint64_t>();
  throw std::runtime_error("there is no limit " + limit);
}

void Neighbour::at_peace() {
  if (!daemon().running()) throw std::runtime_error("the server has ended: " + daemon().log());
  Served::Holdings now = served_.holdings();
  const auto left = [&] {
    return now.lent_bytes > served_.quiet.lent_bytes ||
           now.descriptors > served_.quiet.descriptors || now.sessions > 1;
  };
  for (int i = 0; i < kPatience && left(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    now = served_.holdings();
  }
  std::string open;
  if (left())
    for (const std::string& one : daemon().descriptors()) open += one + "\n";
  INFO(open);
  CHECK(now.lent_bytes <= served_.quiet.lent_bytes);
  CHECK(now.descriptors <= served_.quiet.descriptors);
  CHECK(now.sessions == 1);
}

Neighbour::~Neighbour() {
  const bool failing = std::uncaught_exceptions() != 0;
  try {
    at_peace();
    // The command in flight ends, and others after it.
    RawSession& session = *served_.session;
    session.answer(r2t_, record_);
    const CommandResult written = session.finish(number_at(r2t_.header, 16), record_);
    CAPTURE(written.sense_code());
    CHECK(written.status == 0);
    CHECK(session.run(session.command({0x11, 0, 0xff, 0xff, 0xff, 0})).status == 0);
    const CommandResult read = session.run(session.command(read6(kRecord), Way::kIn, kRecord));
    CHECK((read.data == record_));  // of which nothing need be printed
    CHECK(session.run(session.command({0x01, 0, 0, 0, 0, 0})).status == 0);
    served_.broken = failing || written.status != 0 || read.data != record_;
  } catch (const std::exception& error) {
    served_.broken = true;
    FAIL_CHECK(std::string("the neighbour: ") + error.what());
  }
}
