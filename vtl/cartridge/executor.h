// Executor: where blocking work runs. Jobs of one strand run in order, one at a time; strands run
// beside each other. `done` runs on the loop that owns the executor, in the order in which a
// strand's jobs ended.
//
// A job owns what it captures and never captures a loop object's `this`. The job is destroyed
// before its `done` runs, so what both share is last released on the loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "scsi/done.h"
#include "vtl/cartridge/stage.h"

namespace vtl {

using Job = scsi::Done<>;
using scsi::Callback;

struct Strand {
  std::uint32_t id = 0;
};

class Executor {
 public:
  virtual ~Executor() = default;
  virtual Strand make_strand(std::string_view name) = 0;
  // Jobs submitted before run first; afterwards the strand must not be used.
  virtual void close_strand(Strand strand) = 0;
  virtual void submit(Strand strand, Job job, Callback done) = 0;
  // The same, in the same order, for a job that takes no longer than copying a few blocks unless a
  // disk makes it wait.
  virtual void submit_brief(Strand strand, Job job, Callback done) {
    submit(strand, std::move(job), std::move(done));
  }
  // Brief jobs are done here on the loop, as nothing makes them wait: they cost no waking of a
  // thread, and what they touch is in this core's cache. Many small ones are as good as a large
  // one.
  virtual bool does_brief_jobs() const { return false; }
  // Memory for what jobs read, shared by the strands: taken and given back on the loop.
  StagePool& stages() { return stages_; }

 private:
  StagePool stages_{8};
};

// Runs a callback on the loop; may be called from any thread. What it is given after the loop has
// stopped it may drop.
using Post = std::function<void(Callback)>;

// One thread per strand. The destructor closes every strand and waits for its jobs.
std::unique_ptr<Executor> make_thread_executor(Post post);

}  // namespace vtl
