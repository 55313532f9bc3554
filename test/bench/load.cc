// A load generator for tape targets, from one thread: streams from N sessions with some commands
// under way each, or the latency of single commands. Prints one line of JSON. Works against any
// iSCSI target with a loaded tape.
//
// usage: vtl_load [--NAME VALUE]... PORT MODE IQN...
#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "test/bench/initiator.h"

namespace {

using bench::Answer;
using bench::fail;
using bench::Session;

constexpr const char* kUsage =
    R"(usage: vtl_load [--NAME VALUE]... PORT MODE IQN...
modes:
  erase     what is on the tapes is discarded
  write     from the beginning of the tapes, --megabytes each, then a filemark that synchronises
  read      likewise
  filemark  the first session writes a block and a synchronising filemark, --count times, while the
            others write: latency of the filemark
  seek      LOCATE and SPACE on the first tape, --count of each distance: latency
  load      LOAD after UNLOAD of the first tape, --count times: latency
options: --block BYTES --megabytes N --depth N --count N --lun N --digests 1
         --shrinks 1   blocks that compress to half
)";

const std::vector<std::uint8_t> kTestUnitReady(6), kRewind = {0x01, 0, 0, 0, 0, 0};

struct Options {
  std::map<std::string, std::uint64_t> values = {
      {"block", 262144}, {"megabytes", 200}, {"depth", 1},  {"count", 100},
      {"lun", 0},        {"digests", 0},     {"shrinks", 0}};
  std::uint64_t operator[](const std::string& name) const { return values.at(name); }
};

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A drive's session, and its blocks: all alike, but unlike other drives'; they do not compress
// unless they are to.
struct Drive {
  Drive(int epoll, std::uint16_t port, const std::string& target, const Options& options)
      : session(epoll, port, target, static_cast<unsigned>(options["lun"]),
                options["digests"] != 0),
        block(options["block"]),
        input(block.size()) {
    std::uint64_t x = 0x9E3779B97F4A7C15u;
    for (const char c : target) x = x * 31 + static_cast<unsigned char>(c);
    for (auto& byte : block) {
      x ^= x << 13, x ^= x >> 7, x ^= x << 17;
      byte = static_cast<std::uint8_t>(x);
    }
    constexpr std::size_t kPiece = 64;
    for (std::size_t i = kPiece; options["shrinks"] != 0 && i < block.size(); ++i)
      if (i / kPiece % 2 != 0) block[i] = block[i - kPiece];
  }
  Session session;
  std::vector<std::uint8_t> block, input;
  std::uint64_t to_send = 0;
  bool closing = false;  // the last filemark has been sent
};

struct Place {
  std::int64_t object, file;
};

class Load {
 public:
  Load(std::uint16_t port, const std::vector<std::string>& targets, const Options& options)
      : options_(options), epoll_(epoll_create1(0)) {
    for (const std::string& target : targets) {
      drives_.push_back(std::make_unique<Drive>(epoll_, port, target, options));
      Session& session = drives_.back()->session;
      for (int tries = 0; execute(session, kTestUnitReady).status != 0;
           ++tries)  // takes unit attentions
        if (tries == 100) fail(target + " does not become ready");
      good(session, kRewind);
    }
  }

  void erase() {
    for (auto& drive : drives_) {
      good(drive->session, {0x10, 0, 0, 0, 1, 0});
      good(drive->session, kRewind);
    }
  }

  // Streams until everything is sent.
  void stream(bool writing) {
    const std::uint64_t blocks = options_["megabytes"] * 1'000'000 / options_["block"];
    total_ = blocks * drives_.size();
    for (auto& drive : drives_) drive->to_send = blocks;
    start_ = Clock::now();
    for (auto& drive : drives_) begin(*drive, writing);
    while (finished_ < drives_.size()) turn();
    const double elapsed = seconds_since(start_);
    const double bytes = static_cast<double>(total_ * options_["block"]);
    std::printf(
        "{\"bytes\": %.0f, \"seconds\": %.4f, \"mb_per_s\": %.1f, \"load_cpu_s\": %.3f, "
        "\"first_quarter\": %.1f, \"last_quarter\": %.1f}\n",
        bytes, elapsed, bytes / 1e6 / elapsed, cpu_seconds(), bytes / 4e6 / quarters_[0],
        bytes / 4e6 / (quarters_[3] - quarters_[2]));
  }

  void filemark() {
    for (auto& drive : drives_) drive->to_send = UINT64_MAX;
    for (std::size_t i = 1; i < drives_.size(); ++i) begin(*drives_[i], true);
    Drive& one = *drives_[0];
    std::vector<double> latency;
    // A second for the streams to fill their buffers.
    for (start_ = Clock::now(); seconds_since(start_) < 1;) turn();
    for (std::uint64_t i = 0; i < options_["count"]; ++i) {
      const std::uint32_t n = 65536;
      good(one.session, {0x0A, 0, 1, 0, 0, 0}, one.block.data(), n);
      latency.push_back(timed(one.session, {0x10, 0, 0, 0, 1, 0}));
    }
    const double elapsed = seconds_since(start_);
    std::printf("{\"filemark\": %s, \"others_mb_per_s\": %.1f}\n", percentiles(latency).c_str(),
                static_cast<double>(blocks_ * options_["block"]) / 1e6 / elapsed);
  }

  void seek() {
    Session& session = drives_[0]->session;
    good(session, {0x11, 3, 0, 0, 0, 0});  // SPACE to end of data
    // The first half of the tape is blocks, the second is files: see vtl_pipeline fill.
    const auto [objects, files] = position(session);
    std::string out;
    for (const std::int64_t reach : {std::int64_t{100}, std::int64_t{100'000}, objects / 2}) {
      const auto add = [&](const char* name, std::int64_t end, auto part, const auto& cdb) {
        if (!out.empty()) out += ", ";
        out += "\"" + std::string(name) + "_" + std::to_string(reach) +
               "\": " + walk(session, end, reach, part, cdb);
      };
      add("locate", objects, &Place::object, [](std::int64_t to, std::int64_t) {
        std::vector<std::uint8_t> cdb = {0x2B, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        bench::put(&cdb[3], static_cast<std::uint64_t>(to), 4);
        return cdb;
      });
      const auto space = [](std::uint8_t code) {
        return [code](std::int64_t, std::int64_t count) {
          std::vector<std::uint8_t> cdb = {0x11, code, 0, 0, 0, 0};
          bench::put(&cdb[2], static_cast<std::uint64_t>(count), 3);
          return cdb;
        };
      };
      add("space_blocks", objects / 2, &Place::object, space(0));
      add("space_filemarks", files, &Place::file, space(1));
    }
    std::printf("{\"objects\": %lld, \"filemarks\": %lld, %s}\n", static_cast<long long>(objects),
                static_cast<long long>(files), out.c_str());
  }

  void load() {
    std::vector<double> latency;
    for (std::uint64_t i = 0; i < options_["count"]; ++i) {
      good(drives_[0]->session, {0x1B, 0, 0, 0, 0, 0});
      latency.push_back(timed(drives_[0]->session, {0x1B, 0, 0, 0, 1, 0}));
      while (execute(drives_[0]->session, kTestUnitReady).status != 0) {
      }
    }
    std::printf("{\"load\": %s}\n", percentiles(latency).c_str());
  }

 private:
  static double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  static std::string percentiles(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    char out[128];
    std::snprintf(out, sizeof out,
                  "{\"count\": %zu, \"p50_ms\": %.4f, \"p99_ms\": %.4f, \"max_ms\": %.4f}",
                  values.size(), values[values.size() / 2] * 1e3,
                  values[values.size() * 99 / 100] * 1e3, values.back() * 1e3);
    return out;
  }

  // One turn of the loop.
  void turn() {
    epoll_event events[16];
    const int count = epoll_wait(epoll_, events, 16, 60'000);
    if (count <= 0) fail("nothing moved for a minute");
    for (int i = 0; i < count; ++i)
      static_cast<Session*>(events[i].data.ptr)->service(events[i].events);
  }

  // One command, while the others go on.
  Answer execute(Session& session, const std::vector<std::uint8_t>& cdb,
                 const std::uint8_t* out = nullptr, std::uint32_t length = 0,
                 std::uint8_t* in = nullptr) {
    while (!session.may_send()) turn();
    bool ended = false;
    Answer result;
    session.command(cdb, out, in, length, [&](const Answer& answer) {
      result = answer;
      ended = true;
    });
    while (!ended) turn();
    return result;
  }
  void good(Session& session, const std::vector<std::uint8_t>& cdb,
            const std::uint8_t* out = nullptr, std::uint32_t length = 0) {
    const Answer answer = execute(session, cdb, out, length);
    if (answer.status != 0) {
      char operation[8];
      std::snprintf(operation, sizeof operation, "%02x", cdb[0]);
      fail(session.target() + ": command " + operation + "h: " + answer.text());
    }
  }
  double timed(Session& session, const std::vector<std::uint8_t>& cdb) {
    const auto start = Clock::now();
    good(session, cdb);
    return seconds_since(start);
  }

  // Forward and backward between 0 and `end`, half of `reach` at a time or more. The first tenth
  // warms up.
  std::string walk(Session& session, std::int64_t end, std::int64_t reach,
                   std::int64_t Place::*part, const auto& cdb) {
    std::mt19937_64 random(1);
    const auto pick = [&](std::int64_t low, std::int64_t high) {
      return std::uniform_int_distribution<std::int64_t>(low, high)(random);
    };
    std::vector<double> latency;
    std::int64_t at = 0;
    good(session, kRewind);
    const std::uint64_t warm_up = options_["count"] / 10;
    for (std::uint64_t i = 0; i < warm_up + options_["count"]; ++i) {
      const std::int64_t most = std::min(reach, end / 2 - 1);
      const std::int64_t distance = pick(most / 2, most);
      const bool back = at >= distance && (at + distance >= end || pick(0, 1) == 0);
      at += back ? -distance : distance;
      const double t = timed(session, cdb(at, back ? -distance : distance));
      if (i >= warm_up) latency.push_back(t);
    }
    if (position(session).*part != at) fail("LOCATE or SPACE ended in the wrong place");
    return percentiles(latency);
  }

  // READ POSITION, long form: objects and filemarks before the position.
  Place position(Session& session) {
    std::uint8_t in[32];
    const Answer answer = execute(session, {0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0}, nullptr, 32, in);
    if (answer.status != 0) fail("READ POSITION: " + answer.text());
    return {static_cast<std::int64_t>(bench::get(in + 8, 8)),
            static_cast<std::int64_t>(bench::get(in + 16, 8))};
  }

  void begin(Drive& drive, bool writing) {
    drive.session.on_window = [this, &drive, writing] { pump(drive, writing); };
    pump(drive, writing);
  }
  void pump(Drive& drive, bool writing) {
    const auto n = static_cast<std::uint32_t>(drive.block.size());
    Session& session = drive.session;
    std::uint8_t cdb[6] = {static_cast<std::uint8_t>(writing ? 0x0A : 0x08)};
    bench::put(cdb + 2, n, 3);
    while (drive.to_send > 0 && session.under_way() < options_["depth"] && session.may_send()) {
      --drive.to_send;
      session.command(
          cdb, writing ? drive.block.data() : nullptr, writing ? nullptr : drive.input.data(), n,
          [this, &drive, writing](const Answer& answer) { ended(drive, writing, answer); });
    }
    if (drive.to_send > 0 || session.under_way() > 0 || drive.closing) return;
    if (writing && !session.may_send()) return;  // what is sent outside the window is dropped
    drive.closing = true;
    if (!writing) {
      ++finished_;
      return;
    }
    constexpr std::uint8_t kFilemark[6] = {0x10, 0, 0, 0, 1, 0};
    session.command(kFilemark, nullptr, nullptr, 0, [this](const Answer& answer) {
      if (answer.status != 0) fail("WRITE FILEMARKS: " + answer.text());
      ++finished_;
    });
  }

  void ended(Drive& drive, bool writing, const Answer& answer) {
    if (answer.status != 0)
      fail(drive.session.target() + (writing ? ": WRITE: " : ": READ: ") + answer.text());
    // Both ends of the block are right; a digest says more.
    const std::size_t n = drive.block.size(), part = std::min<std::size_t>(n, 64);
    if (!writing && (std::memcmp(drive.input.data(), drive.block.data(), part) != 0 ||
                     std::memcmp(&drive.input[n - part], &drive.block[n - part], part) != 0))
      fail(drive.session.target() + ": READ gave other data than were written");
    ++blocks_;
    for (std::size_t i = 0; i < 4; ++i)
      if (blocks_ == total_ * (i + 1) / 4) quarters_[i] = seconds_since(start_);
    pump(drive, writing);
  }

  const Options& options_;
  int epoll_;
  std::vector<std::unique_ptr<Drive>> drives_;
  Clock::time_point start_;
  std::uint64_t total_ = 0, blocks_ = 0;
  double quarters_[4] = {};
  std::size_t finished_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options options;
  int at = 1;
  for (; at + 1 < argc && std::string(argv[at]).starts_with("--"); at += 2) {
    const auto option = options.values.find(argv[at] + 2);
    if (option == options.values.end()) fail(std::string("no option ") + argv[at]);
    option->second = std::strtoull(argv[at + 1], nullptr, 10);
  }
  if (argc - at < 3) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options["block"] % 4 != 0 || options["block"] == 0 || options["block"] > 0xFFFFFC ||
      options["depth"] == 0 || options["count"] == 0)
    fail("blocks are of a multiple of 4 bytes; depth and count are above zero");
  const auto port = static_cast<std::uint16_t>(std::strtoul(argv[at], nullptr, 10));
  const std::string mode = argv[at + 1];
  Load load(port, {argv + at + 2, argv + argc}, options);
  if (mode == "erase")
    load.erase();
  else if (mode == "write" || mode == "read")
    load.stream(mode == "write");
  else if (mode == "filemark")
    load.filemark();
  else if (mode == "seek")
    load.seek();
  else if (mode == "load")
    load.load();
  else
    fail("no mode " + mode);
  std::fflush(stdout);
  std::_Exit(0);  // connections that stream are dropped
}
