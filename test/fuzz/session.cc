// vtl_session_fuzz [SECONDS [SEED]]: sessions that go wrong, against the running daemon.
//
// Each is a conversation that an initiator could have, with something amiss: flipped bytes, lengths
// that lie, data that nobody asked for, PDUs in pieces, half a login, an end at any byte, answers
// that are never read. Every hundred sessions: the daemon lives; a bystander that writes, spaces
// and compares is unharmed; no file descriptor is left, and memory is bounded. $VTL_BINARY should
// be a daemon with AddressSanitizer.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <thread>

#include "test/integration/library.h"
#include "test/integration/raw.h"
#include "test/soak/watch.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kSessionsARound = 100;
constexpr std::uint64_t kMemoryLimit = 1500u << 20;  // of a daemon with AddressSanitizer

struct Totals {
  std::uint64_t sessions = 0, logins = 0, pdus = 0, answers = 0, rejects = 0;
};

// One conversation. Everything it does follows from its seed.
class Session {
 public:
  Session(const Daemon& daemon, std::uint64_t seed, Totals& totals)
      : daemon_(daemon), random_(seed), connection_(daemon.port()), totals_(totals) {}

  void live() {
    ++totals_.sessions;
    if (one_in(4)) {
      half_a_login();
    } else if (!log_in()) {
      return;
    }
    const std::uint64_t length = 1 + below(30);
    for (std::uint64_t i = 0; i < length; ++i) {
      if (!speak()) return;
      if (!one_in(3)) listen(3);
    }
    if (one_in(2)) listen(50);
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  ByteString noise(std::size_t size) {
    ByteString out(size);
    for (std::uint8_t& b : out) b = byte();
    return out;
  }

  std::string target() {
    switch (below(6)) {
      case 0:
        return daemon_.drive(3);  // empty
      case 1:
        return daemon_.changer();
      case 2:
        return daemon_.drive(2);  // the bystander's
      default:
        return daemon_.drive(1);
    }
  }
  bool log_in() {
    try {
      connection_.login(target(), "iqn.2026-11.local.test:fuzz" + std::to_string(below(3)));
    } catch (const std::runtime_error&) {
      return false;  // somebody has it
    }
    ++totals_.logins;
    return true;
  }
  void half_a_login() {
    static const char* const keys[] = {"SessionType=Discovery",
                                       "AuthMethod=CHAP,None",
                                       "CHAP_A=5,7,8",
                                       "CHAP_N=%n%s%n",
                                       "CHAP_R=0x",
                                       "MaxRecvDataSegmentLength=0",
                                       "MaxBurstLength=512",
                                       "FirstBurstLength=16777215",
                                       "HeaderDigest=CRC32C",
                                       "DataDigest=CRC32C,None",
                                       "X-nobody.knows=this",
                                       "InitialR2T=Maybe",
                                       "TargetPortalGroupTag=1"};
    for (std::uint64_t n = below(4); n > 0; --n) {
      Header header(0x43, one_in(2) ? 0x87 : byte());
      header.set32(16, 1).set32(24, 1);
      ByteString text = RawConnection::keys(
          {"InitiatorName=iqn.2026-11.local.test:fuzz", "TargetName=" + target()});
      for (std::uint64_t more = below(6); more > 0; --more)
        for (const std::uint8_t c : RawConnection::keys({keys[below(std::size(keys))]}))
          text.push_back(c);
      if (one_in(3)) text[below(text.size())] = byte();
      if (one_in(5)) header.bytes[below(48)] = byte();
      connection_.send(header, text);
      listen(20);
    }
  }

  // A PDU as it should be, nearly.
  Header pdu(ByteString& data) {
    const auto tag = static_cast<std::uint32_t>(below(8) + 1);
    switch (below(10)) {
      default: {
        static constexpr std::uint8_t kCommands[] = {
            0x00, 0x01, 0x03, 0x05, 0x08, 0x0A, 0x0A, 0x0A, 0x10, 0x11, 0x12,
            0x15, 0x16, 0x17, 0x19, 0x1A, 0x1B, 0x1D, 0x1E, 0x2B, 0x34, 0x3B,
            0x3C, 0x44, 0x4C, 0x4D, 0x55, 0x5A, 0x5E, 0x5F, 0x82, 0x8C, 0x8D,
            0x91, 0x92, 0xA0, 0xA2, 0xA3, 0xA4, 0xA5, 0xA6, 0xB5, 0xB6, 0xB8};
        Header header(0x01, 0x80);
        header.set32(16, tag).set32(24, connection_.cmd_sn++);
        header.set8(32, kCommands[below(std::size(kCommands))]);
        for (std::size_t i = 33; i < 42; ++i) header.set8(i, one_in(2) ? 0 : byte());
        const std::uint64_t direction = below(3);
        if (direction == 1) header.bytes[1] |= 0x40;
        if (direction == 2) {
          header.bytes[1] |= 0x20;
          data = noise(below(2) * below(3000));
          if (header.bytes[32] == 0x0A) header.set24(34, static_cast<std::uint32_t>(data.size()));
          if (one_in(4)) header.bytes[1] &= 0x7F;  // more to come
        }
        header.set32(20, one_in(8) ? static_cast<std::uint32_t>(random_())
                                   : static_cast<std::uint32_t>(data.size() + below(2) * 8192));
        return header;
      }
      case 0: {  // Data-Out
        data = noise(below(4000));
        return Header(0x05, one_in(2) ? 0x80 : 0)
            .set32(16, tag)
            .set32(20, one_in(2) ? 0xFFFFFFFF : static_cast<std::uint32_t>(below(8)))
            .set32(36, static_cast<std::uint32_t>(below(4)))
            .set32(40, static_cast<std::uint32_t>(below(3) * 1024));
      }
      case 1:  // task management
        return Header(0x42, static_cast<std::uint8_t>(0x80 | below(14)))
            .set32(16, tag)
            .set32(20, static_cast<std::uint32_t>(below(8) + 1))
            .set32(24, connection_.cmd_sn);
      case 2:  // NOP-Out
        data = noise(below(2) * below(9000));
        return Header(one_in(2) ? 0x40 : 0x00, 0x80)
            .set32(16, one_in(4) ? 0xFFFFFFFF : tag)
            .set32(20, one_in(4) ? static_cast<std::uint32_t>(random_()) : 0xFFFFFFFF)
            .set32(24, connection_.cmd_sn);
      case 3:  // text
        data = RawConnection::keys({one_in(2) ? "SendTargets=" : "MaxRecvDataSegmentLength=4096"});
        return Header(0x44, one_in(2) ? 0x80 : 0x40)
            .set32(16, tag)
            .set32(20, one_in(3) ? tag : 0xFFFFFFFF)
            .set32(24, connection_.cmd_sn);
      case 4:  // logout, SNACK, a Login in full feature phase, and what is no initiator's
        static constexpr std::uint8_t kOthers[] = {0x46, 0x10, 0x43, 0x1C, 0x3F, 0x21, 0x25, 0x31};
        return Header(kOthers[below(std::size(kOthers))],
                      static_cast<std::uint8_t>(0x80 | below(4)))
            .set32(16, tag)
            .set32(24, connection_.cmd_sn);
    }
  }

  // False: the connection is over.
  bool speak() {
    ByteString data;
    Header header = pdu(data);
    ++totals_.pdus;
    if (one_in(4))
      for (std::uint64_t n = 1 + below(3); n > 0; --n) header.bytes[below(48)] = byte();
    if (!data.empty()) header.set24(5, static_cast<std::uint32_t>(data.size()));
    if (one_in(20)) header.set24(5, static_cast<std::uint32_t>(below(1 << 24)));
    ByteString bytes = header.bytes;
    bytes.insert(bytes.end(), data.begin(), data.end());
    bytes.resize((bytes.size() + 3) / 4 * 4);
    if (one_in(25)) {
      bytes.resize(1 + below(bytes.size()));
      connection_.send(bytes);
      return false;
    }
    while (one_in(3) && bytes.size() > 1) {
      const auto cut = static_cast<std::ptrdiff_t>(1 + below(bytes.size() - 1));
      if (!connection_.send(ByteString(bytes.begin(), bytes.begin() + cut))) return false;
      bytes.erase(bytes.begin(), bytes.begin() + cut);
    }
    return connection_.send(bytes);
  }
  void listen(int patience_ms) {
    while (const auto answer = connection_.receive(patience_ms)) {
      ++totals_.answers;
      if (answer->opcode() == 0x3F) ++totals_.rejects;
    }
  }

  const Daemon& daemon_;
  std::mt19937_64 random_;
  RawConnection connection_;
  Totals& totals_;
};

// What a sane client sees meanwhile.
class Bystander {
 public:
  explicit Bystander(Library& library) : drive_(library.load(2)) {}
  void check() {
    const ByteString data = pattern(300'000, ++written_);
    const bool unharmed = write_block(drive_, data).good() && space(drive_, 0, -1).good() &&
                          read_block(drive_, data.size()).data == data;
    if (!unharmed) throw std::runtime_error("the bystander at drive 2 was harmed");
  }

 private:
  Initiator drive_;
  std::uint64_t written_ = 0;
};

void run(int seconds, std::uint64_t seed) {
  Library library({"--cartridges", "20"});
  Daemon& daemon = library.daemon;
  { const Initiator loaded = library.load(1); }
  Bystander bystander(library);
  bystander.check();
  Totals totals;
  std::uint64_t files = 0;
  const auto end = Clock::now() + std::chrono::seconds(seconds);
  while (Clock::now() < end) {
    for (int n = 0; n < kSessionsARound; ++n) {
      try {
        Session(daemon, seed + totals.sessions, totals).live();
      } catch (const std::runtime_error& error) {
        if (!daemon.running()) throw std::runtime_error("the daemon is gone:\n" + daemon.log());
        throw;
      }
    }
    if (!daemon.running()) throw std::runtime_error("the daemon is gone:\n" + daemon.log());
    bystander.check();
    // Sessions that were cut off are noticed at once, and what they did ends soon.
    const auto patience = Clock::now() + std::chrono::seconds(20);
    soak::Sample now = soak::sample(daemon.pid(), library.dir.path());
    if (files == 0) files = now.descriptors + 4;  // a cartridge opens a file more or less
    while (now.descriptors > files && Clock::now() < patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
      now = soak::sample(daemon.pid(), library.dir.path());
    }
    if (now.descriptors > files)
      throw std::runtime_error(std::to_string(now.descriptors) + " files open, and " +
                               std::to_string(files) + " expected at most");
    if (now.memory_bytes > kMemoryLimit)
      throw std::runtime_error("memory: " + std::to_string(now.memory_bytes >> 20) + " MiB");
  }
  const int code = daemon.stop();
  std::printf(
      "%llu sessions, %llu logins, %llu PDUs, %llu answers, %llu rejects; seed %llu\n",
      static_cast<unsigned long long>(totals.sessions),
      static_cast<unsigned long long>(totals.logins), static_cast<unsigned long long>(totals.pdus),
      static_cast<unsigned long long>(totals.answers),
      static_cast<unsigned long long>(totals.rejects), static_cast<unsigned long long>(seed));
  if (code != 0)
    throw std::runtime_error("the daemon ended with " + std::to_string(code) + ":\n" +
                             daemon.log());
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 20;
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10) : std::random_device()();
  if (seconds <= 0 || argc > 3) {
    std::fputs("usage: vtl_session_fuzz [SECONDS [SEED]]\n", stderr);
    return 2;
  }
  try {
    run(seconds, seed);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\nreplay: vtl_session_fuzz %d %llu\n", error.what(), seconds,
                 static_cast<unsigned long long>(seed));
    return 1;
  }
  return 0;
}
