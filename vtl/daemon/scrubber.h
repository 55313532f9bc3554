// Scrubber: in the background, reads cartridges that are in slots and that nobody works on, and
// checks every checksum. One at a time, gently, on a strand of its own, holding no lock.
//
// Whoever needs the cartridge does not wait: it is taken from under the scrub, and what was being
// read at that moment counts for nothing. The scrub goes on later with the segment it was at, or
// from the beginning if the cartridge was written to. Loop thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "vtl/cartridge/executor.h"
#include "vtl/daemon/alerts.h"
#include "vtl/daemon/scrub_log.h"
#include "vtl/library/library.h"

namespace vtl::daemon {

struct ScrubOptions {
  std::uint32_t days = 0;  // 0: never
  std::uint64_t bytes_per_second = 0;
  FileSystem::Io io = FileSystem::Io::kDirect;
  std::string pool_directory;
  std::string log_path;
  std::function<std::uint64_t()> now_ms;                      // wall clock
  std::function<bool(const std::string& barcode)> worked_on;  // by a job
  std::function<void(std::string_view)> log;
};

class Scrubber {
 public:
  // What is passed in outlives this.
  Scrubber(ScrubOptions options, ScrubLog& log, Library& library, Alerts& alerts, FileSystem& files,
           Executor& executor);
  ~Scrubber();
  Scrubber(const Scrubber&) = delete;
  Scrubber& operator=(const Scrubber&) = delete;

  // The library is open: raises the alerts that the last scrubs gave.
  void begin();
  // A few times a second, with the time since the last call: reads as much as is allowed in it.
  void tick(std::uint64_t elapsed_ms);
  // Somebody is about to load or work on this cartridge.
  void release(const std::string& barcode);
  // Stops, and remembers; `done` when nothing is under way any more.
  void close(scsi::Callback done);

  // {"cartridge": the one that is being read, or null, "never", "damaged": how many, "oldest"}
  nlohmann::json describe() const;

 private:
  struct Run;
  bool may_read(const Placement& placement) const;
  std::optional<std::string> next_due() const;
  void step();
  void stepped(bool more);
  void let_go(std::shared_ptr<CartridgeScrub> scrub);
  void save();
  void saved();

  const ScrubOptions options_;
  ScrubLog& log_;
  Library& library_;
  Alerts& alerts_;
  FileSystem& files_;
  Executor& executor_;
  const Strand strand_;
  std::unique_ptr<Run> run_;
  bool working_ = false;  // a job is on the strand
  bool closing_ = false;
  std::int64_t credit_bytes_ = 0;  // that may be read now; a step may go a little beyond
  std::uint64_t idle_ms_ = 0;      // until the next look for something to do
  std::uint64_t since_ms_ = 0;     // the log was saved
  scsi::Callback closed_;
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

// What a whole reading of a cartridge has found, for its alerts: raised, or settled.
void tell(Alerts& alerts, const std::string& barcode, const ScrubReport& report);
// The alerts that the last scrubs gave.
void raise_damage(Alerts& alerts, const ScrubLog& log, const Library& library);

}  // namespace vtl::daemon
