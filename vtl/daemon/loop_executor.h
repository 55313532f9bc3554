// LoopExecutor: an executor for a pool in memory. Brief jobs of its strands are done on the loop
// itself, when what the current event asked to be sent has been; all others on the strands of
// another executor. So are the brief jobs of a strand that has long been alone: its client and the
// loop have a processor each to spare for it. A strand's order is kept: while one of its jobs is
// away, the next ones wait.
//
// Loop thread; made and destroyed while no thread runs the loop. The destructor does what is left,
// as that of the other executor does.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "transport/net/loop.h"
#include "vtl/cartridge/executor.h"

namespace vtl::daemon {

class LoopExecutor final : public Executor, public net::Deferred {
 public:
  LoopExecutor(net::Loop& loop, std::unique_ptr<Executor> threads)
      : loop_(loop), threads_(std::move(threads)) {}
  ~LoopExecutor() override;
  LoopExecutor(const LoopExecutor&) = delete;
  LoopExecutor& operator=(const LoopExecutor&) = delete;

  Strand make_strand(std::string_view name) override;
  void close_strand(Strand strand) override;
  void submit(Strand strand, Job job, Callback done) override;
  void submit_brief(Strand strand, Job job, Callback done) override;
  bool does_brief_jobs() const override;

  void run_deferred() override;

 private:
  struct Task {
    Job job;
    Callback done;
    bool brief = false;
  };
  // The jobs of a strand that have not begun. `thread` is the other executor's strand.
  struct Lane {
    Strand thread;
    std::deque<Task> tasks;
    bool busy = false;  // queued in ready_, being run, or away
    bool closed = false;
  };
  void add(Strand strand, Task task);
  void make_ready(std::shared_ptr<Lane> lane);
  void run(const std::shared_ptr<Lane>& lane);
  void send_away(const std::shared_ptr<Lane>& lane, Task task);
  // Nothing of it is under way any more.
  void rest(const std::shared_ptr<Lane>& lane);

  net::Loop& loop_;
  std::unique_ptr<Executor> threads_;
  std::map<std::uint32_t, std::shared_ptr<Lane>> lanes_;
  std::deque<std::shared_ptr<Lane>> ready_;
  // So many jobs of one strand were brief and had no other's between them.
  const Lane* last_ = nullptr;
  std::size_t alone_ = 0;
};

}  // namespace vtl::daemon
