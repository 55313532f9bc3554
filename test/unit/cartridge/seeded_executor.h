// An executor without threads: strands take turns as a seed decides, and what ended waits for its
// `done` likewise.
#pragma once

#include <deque>
#include <map>
#include <random>

#include "vtl/cartridge/executor.h"

namespace vtl::test {

class SeededExecutor final : public Executor {
 public:
  explicit SeededExecutor(std::uint32_t seed = 1) : random_(seed) {}

  Strand make_strand(std::string_view) override { return Strand{++last_}; }
  void close_strand(Strand) override {}
  bool does_brief_jobs() const override { return brief; }
  void submit(Strand strand, Job job, Callback done) override {
    waiting_[strand.id].push_back({std::move(job), std::move(done)});
  }

  void submit_brief(Strand strand, Job job, Callback done) override {
    ++brief_jobs;
    submit(strand, std::move(job), std::move(done));
  }

  bool brief = false;  // as where the pool is in memory
  std::size_t brief_jobs = 0;

  bool idle() const { return ended_.empty() && waiting_.empty(); }
  // Runs one job or one `done`; false when there is none.
  bool step() {
    if (ended_.empty() && waiting_.empty()) return false;
    if (!ended_.empty() && (waiting_.empty() || random_() % 2 == 0)) {
      Callback done = std::move(ended_.front());
      ended_.pop_front();
      done();
      return true;
    }
    auto chosen = waiting_.begin();
    std::advance(chosen, static_cast<long>(random_() % waiting_.size()));
    Task task = std::move(chosen->second.front());
    chosen->second.pop_front();
    if (chosen->second.empty()) waiting_.erase(chosen);
    task.job();
    ended_.push_back(std::move(task.done));
    return true;
  }
  void run() {
    while (step()) {
    }
  }
  void forget() {
    waiting_.clear();
    ended_.clear();
  }

 private:
  struct Task {
    Job job;
    Callback done;
  };
  std::mt19937 random_;
  std::uint32_t last_ = 0;
  std::map<std::uint32_t, std::deque<Task>> waiting_;
  std::deque<Callback> ended_;
};

}  // namespace vtl::test
