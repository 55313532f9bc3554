// Jobs: long file work that was asked for over the management interface - import, export, verify,
// repair.
// Each runs on a strand of its own; anyone may look how far it is, or cancel it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "scsi/done.h"
#include "vtl/cartridge/executor.h"

namespace vtl::daemon {

// What the strand and the loop share of a job.
struct JobControl {
  std::atomic<std::uint64_t> done{0};
  std::atomic<std::uint64_t> total{0};  // 0: not known
  std::atomic<bool> cancelled{false};
};

struct JobResult {
  std::string error;     // empty: it did what was asked
  bool damaged = false;  // a verify or repair that ran to its end, and damage is there
  nlohmann::json details = nlohmann::json::object();
};

// Loop thread.
class Jobs {
 public:
  // Blocking; on a strand. Looks at control.cancelled from time to time.
  using Work = std::function<JobResult(JobControl& control)>;
  // On the loop, after the work; may change the result (the cartridge could not be put into a slot)
  // and calls its argument when it is done.
  using Finish = scsi::Done<JobResult, scsi::Done<JobResult>>;

  // `starting` is told the cartridge of each job before it begins; it may be empty.
  explicit Jobs(Executor& executor, std::function<void(const std::string&)> starting = {})
      : executor_(executor), starting_(std::move(starting)) {}

  // `unit` is what progress counts: "objects" or "bytes". Returns the job's id.
  std::uint64_t start(std::string kind, std::string barcode, std::string unit, Work work,
                      Finish finish = {});
  // {"id", "kind", "barcode", "state": "running" | "done" | "failed" | "cancelled", "done",
  // "total", "unit",
  //  "error", "damaged", "details"}; null if there is no such job.
  nlohmann::json describe(std::uint64_t id) const;
  nlohmann::json describe_all() const;
  bool cancel(std::uint64_t id);
  // Whether one works on this cartridge.
  bool busy(const std::string& barcode) const;

  // Cancels all, takes no more; `done` when none runs.
  void close(scsi::Callback done);

 private:
  struct Job {
    std::string kind;
    std::string barcode;
    std::string unit;
    std::shared_ptr<JobControl> control = std::make_shared<JobControl>();
    bool running = true;
    JobResult result;
  };
  void ended(std::uint64_t id, JobResult result);
  static nlohmann::json describe(std::uint64_t id, const Job& job);

  static constexpr std::size_t kKept = 100;  // ended jobs that are remembered

  Executor& executor_;
  std::function<void(const std::string&)> starting_;
  std::map<std::uint64_t, Job> jobs_;
  std::uint64_t next_id_ = 1;
  scsi::Callback closed_;
};

}  // namespace vtl::daemon
