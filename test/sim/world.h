// A world: virtual time, one library, its hosts and all that can happen to them, from one seed.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "test/sim/hosts.h"
#include "test/sim/line.h"
#include "test/sim/process.h"
#include "test/sim/swarm.h"

namespace sim {

// For a sweep: what becomes of one operation on a file, counted from when the library is there.
struct OneFault {
  enum class Kind { kEio, kNoSpace, kPowerCut, kKill /* the last two: right after it */ };
  std::uint64_t operation = 0;
  Kind kind = Kind::kEio;
};

class World {
 public:
  World(std::uint64_t seed, bool print_trace);
  // Not what the seed would choose, and no fault but one.
  World(std::uint64_t seed, bool print_trace, const Swarm& swarm, std::optional<OneFault> fault);
  ~World();

  // The whole story: faults, then none, then everything is looked at.
  void run();
  const Counts& counts() const { return counts_; }
  // Of everything that happened: the same for the same seed.
  std::uint32_t trace_crc() const { return trace_crc_; }
  // On files, before everything is looked at.
  std::uint64_t file_operations() const { return file_operations_; }

  // --- for hosts
  Random& random() { return random_; }
  const Swarm& swarm() const { return swarm_; }
  Books& books() { return books_; }
  Process* process() { return process_.get(); }
  ChangerHost& changer() { return *changer_; }
  TimePoint now() const { return now_; }
  bool calm() const { return calm_; }  // no more faults
  Counts& count() { return counts_; }
  // nullptr: nobody listens.
  Line* connect(Host& host);
  void hang_up(Line& line);
  void trace(const std::string& text);

 private:
  void make_library();
  void start();
  void crash(bool power);
  void cut(Line& line);
  int injected(const std::string& what, const std::string& path);
  int swept(const std::string& what, const std::string& path);
  void blame(const std::string& path, bool no_space);  // for what will not work
  void set_trap();
  bool trapped(const std::string& what, const std::string& path);
  void step();
  bool lost() const;  // some tape may be too many things
  bool work();
  bool deliver(Line& line);
  void misfortune();
  void pass(std::chrono::microseconds time);
  void until(const char* what, const std::function<bool()>& reached);
  void verify_everything();
  void verify_files();

  const std::uint64_t seed_;
  const bool print_;
  Random random_;
  const Swarm swarm_;
  Counts counts_;
  std::uint32_t trace_crc_ = 0;
  TimePoint now_{std::chrono::hours(1)};
  Books books_;
  vtl::test::MemoryFiles files_;
  std::unique_ptr<Process> process_;
  std::vector<std::unique_ptr<Line>> lines_;
  std::vector<std::unique_ptr<DriveHost>> hosts_;
  std::vector<std::unique_ptr<Intruder>> intruders_;
  std::vector<std::unique_ptr<Claimant>> claimants_;
  std::unique_ptr<Caller> caller_;
  std::unique_ptr<ChangerHost> changer_;
  std::vector<Host*> everybody_;
  bool calm_ = false;
  const std::optional<OneFault> one_fault_;
  std::uint64_t file_operations_ = 0;
  bool dies_ = false;
  // Power goes, or the process dies, so many operations after the next one of this name: where
  // their order counts.
  struct Trap {
    std::string what, where;  // where: in its path
    unsigned after = 0;
    bool kills = false;
    bool sprung = false;
  };
  std::optional<Trap> trap_, next_trap_;  // the second: for the next life
  bool disk_fails_ = false, sync_failed_ = false;
  unsigned faults_left_ = 0;
  TimePoint disk_stalls_until_{};
  TimePoint next_settle_{};
  unsigned lives_ = 0;
};

}  // namespace sim
