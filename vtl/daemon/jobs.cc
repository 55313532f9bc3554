#include "vtl/daemon/jobs.h"

#include <algorithm>
#include <utility>

namespace vtl::daemon {

std::uint64_t Jobs::start(std::string kind, std::string barcode, std::string unit, Work work,
                          Finish finish) {
  if (starting_) starting_(barcode);
  const std::uint64_t id = next_id_++;
  Job& job = jobs_[id];
  job.kind = std::move(kind);
  job.barcode = std::move(barcode);
  job.unit = std::move(unit);
  const Strand strand = executor_.make_strand("job " + std::to_string(id));
  auto result = std::make_shared<JobResult>();
  executor_.submit(
      strand, [work = std::move(work), control = job.control, result] { *result = work(*control); },
      [this, id, strand, result, finish = std::move(finish)]() mutable {
        executor_.close_strand(strand);
        if (!finish) {
          ended(id, std::move(*result));
          return;
        }
        finish(std::move(*result), [this, id](JobResult final) { ended(id, std::move(final)); });
      });
  return id;
}

void Jobs::ended(std::uint64_t id, JobResult result) {
  Job& job = jobs_.at(id);
  job.running = false;
  job.result = std::move(result);
  while (jobs_.size() > kKept && !jobs_.begin()->second.running) jobs_.erase(jobs_.begin());
  if (closed_ && std::none_of(jobs_.begin(), jobs_.end(),
                              [](const auto& entry) { return entry.second.running; })) {
    closed_();
  }
}

nlohmann::json Jobs::describe(std::uint64_t id, const Job& job) {
  const char* state = job.running                     ? "running"
                      : job.result.error.empty()      ? "done"
                      : job.control->cancelled.load() ? "cancelled"
                                                      : "failed";
  nlohmann::json out = {{"id", id},
                        {"kind", job.kind},
                        {"barcode", job.barcode},
                        {"state", state},
                        {"done", job.control->done.load()},
                        {"total", job.control->total.load()},
                        {"unit", job.unit}};
  if (!job.running) {
    out["error"] = job.result.error;
    out["damaged"] = job.result.damaged;
    out["details"] = job.result.details;
  }
  return out;
}

nlohmann::json Jobs::describe(std::uint64_t id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nlohmann::json() : describe(id, it->second);
}

nlohmann::json Jobs::describe_all() const {
  auto out = nlohmann::json::array();
  for (const auto& [id, job] : jobs_) out.push_back(describe(id, job));
  return out;
}

bool Jobs::cancel(std::uint64_t id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return false;
  it->second.control->cancelled = true;
  return true;
}

bool Jobs::busy(const std::string& barcode) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [&](const auto& entry) {
    return entry.second.running && entry.second.barcode == barcode;
  });
}

void Jobs::close(scsi::Callback done) {
  bool any = false;
  for (auto& [id, job] : jobs_) {
    job.control->cancelled = true;
    any = any || job.running;
  }
  if (any) {
    closed_ = std::move(done);
  } else {
    done();
  }
}

}  // namespace vtl::daemon
