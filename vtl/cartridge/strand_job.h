// How loop objects hand jobs to a strand and hear of their end.
//
// What a job computes goes into a shared result; the job is gone before `done` runs on the loop, so
// the last release of everything in it happens there.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/open_cartridge.h"

namespace vtl {

class JobStrand {
 public:
  JobStrand(Executor& executor, std::string_view name)
      : executor_(executor), strand_(executor.make_strand(name)) {}
  // What was submitted still runs; nobody hears of it.
  ~JobStrand() { executor_.close_strand(strand_); }
  JobStrand(const JobStrand&) = delete;
  JobStrand& operator=(const JobStrand&) = delete;

  // job(shared) on the strand, then done(shared) here, unless this object has gone.
  template <class Shared, class JobFunction, class DoneFunction>
  void run(std::shared_ptr<Shared> shared, JobFunction job, DoneFunction done) {
    submit(&Executor::submit, std::move(shared), std::move(job), std::move(done));
  }
  // As Executor::submit_brief().
  template <class Shared, class JobFunction, class DoneFunction>
  void run_brief(std::shared_ptr<Shared> shared, JobFunction job, DoneFunction done) {
    submit(brief_ ? &Executor::submit_brief : &Executor::submit, std::move(shared), std::move(job),
           std::move(done));
  }
  // No disk makes its jobs wait: brief ones may be done on the loop.
  void never_waits() { brief_ = true; }
  bool does_brief_jobs() const { return brief_ && executor_.does_brief_jobs(); }
  StagePool& stages() { return executor_.stages(); }

 private:
  template <class Shared, class JobFunction, class DoneFunction>
  void submit(void (Executor::*how)(Strand, Job, Callback), std::shared_ptr<Shared> shared,
              JobFunction job, DoneFunction done) {
    (executor_.*how)(
        strand_, [shared, job = std::move(job)]() mutable { job(*shared); },
        [life = std::weak_ptr<char>(life_), shared, done = std::move(done)]() mutable {
          if (!life.expired()) done(*shared);
        });
  }

  Executor& executor_;
  Strand strand_;
  bool brief_ = false;
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

// One loaded cartridge's work. The cartridge is reached through a shared holder that loop objects
// own but never look into.
class CartridgeStrand {
 public:
  CartridgeStrand(Executor& executor, std::string_view name) : strand_(executor, name) {}
  ~CartridgeStrand() {
    strand_.run(
        holder_, [](Holder& holder) { holder.cartridge.reset(); }, [](Holder&) {});
  }
  CartridgeStrand(const CartridgeStrand&) = delete;
  CartridgeStrand& operator=(const CartridgeStrand&) = delete;

  // job(cartridge, shared) on the strand, then done(shared) here.
  template <class Shared, class JobFunction, class DoneFunction>
  void run(std::shared_ptr<Shared> shared, JobFunction job, DoneFunction done) {
    strand_.run(std::move(shared), with_cartridge<Shared>(std::move(job)), std::move(done));
  }
  template <class Shared, class JobFunction, class DoneFunction>
  void run_brief(std::shared_ptr<Shared> shared, JobFunction job, DoneFunction done) {
    strand_.run_brief(std::move(shared), with_cartridge<Shared>(std::move(job)), std::move(done));
  }
  void never_waits() { strand_.never_waits(); }
  bool does_brief_jobs() const { return strand_.does_brief_jobs(); }
  StagePool& stages() { return strand_.stages(); }

 private:
  struct Holder {
    std::unique_ptr<OpenCartridge> cartridge;  // the strand's
  };
  template <class Shared, class JobFunction>
  auto with_cartridge(JobFunction job) {
    return
        [holder = holder_, job = std::move(job)](Shared& s) mutable { job(holder->cartridge, s); };
  }
  std::shared_ptr<Holder> holder_ = std::make_shared<Holder>();
  JobStrand strand_;
};

}  // namespace vtl
