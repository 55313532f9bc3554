// One loaded cartridge's work on its strand: how loop objects hand jobs over and hear of their end.
//
// The cartridge is reached through a shared holder that loop objects own but never look into. What
// a job computes goes into a shared result; the job is gone before `done` runs on the loop, so the
// last release of everything in it happens there.
#pragma once

#include <memory>
#include <utility>

#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/open_cartridge.h"

namespace vtl {

class CartridgeStrand {
 public:
  CartridgeStrand(Executor& executor, std::string_view name)
      : executor_(executor),
        strand_(executor.make_strand(name)),
        holder_(std::make_shared<Holder>()) {}
  // What was submitted still runs; nobody hears of it.
  ~CartridgeStrand() {
    executor_.submit(
        strand_, [holder = holder_] { holder->cartridge.reset(); }, [] {});
    executor_.close_strand(strand_);
  }
  CartridgeStrand(const CartridgeStrand&) = delete;
  CartridgeStrand& operator=(const CartridgeStrand&) = delete;

  // job(holder, shared) on the strand, then done(shared) here, unless this object has gone.
  template <class Shared, class JobFunction, class DoneFunction>
  void run(std::shared_ptr<Shared> shared, JobFunction job, DoneFunction done) {
    executor_.submit(
        strand_,
        [holder = holder_, shared, job = std::move(job)]() mutable {
          job(holder->cartridge, *shared);
        },
        [life = std::weak_ptr<char>(life_), shared, done = std::move(done)]() mutable {
          if (!life.expired()) done(*shared);
        });
  }

 private:
  struct Holder {
    std::unique_ptr<OpenCartridge> cartridge;  // the strand's
  };
  Executor& executor_;
  Strand strand_;
  std::shared_ptr<Holder> holder_;
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace vtl
