#include "vtl/daemon/loop_executor.h"

#include <utility>

#include "scsi/check.h"

namespace vtl::daemon {
namespace {

// With ten drives on two loops no strand comes near it.
constexpr std::size_t kAlone = 64;

}  // namespace

// The threads end what they have first. Nobody hears of anything any more: the loop does not run.
LoopExecutor::~LoopExecutor() {
  loop_.cancel(*this);
  threads_.reset();
  for (auto& [id, lane] : lanes_) {
    for (Task& task : lane->tasks) task.job();
  }
}

Strand LoopExecutor::make_strand(std::string_view name) {
  auto lane = std::make_shared<Lane>();
  const Strand strand = lane->thread = threads_->make_strand(name);
  lanes_.emplace(strand.id, std::move(lane));
  return strand;
}

void LoopExecutor::close_strand(Strand strand) {
  const auto found = lanes_.find(strand.id);
  VTL_CHECK(found != lanes_.end() && !found->second->closed);
  found->second->closed = true;
  if (!found->second->busy) rest(std::shared_ptr(found->second));
}

void LoopExecutor::submit(Strand strand, Job job, Callback done) {
  add(strand, {std::move(job), std::move(done), false});
}

void LoopExecutor::submit_brief(Strand strand, Job job, Callback done) {
  add(strand, {std::move(job), std::move(done), true});
}

bool LoopExecutor::does_brief_jobs() const { return alone_ <= kAlone; }

void LoopExecutor::add(Strand strand, Task task) {
  const auto found = lanes_.find(strand.id);
  VTL_CHECK(found != lanes_.end() && !found->second->closed);
  found->second->tasks.push_back(std::move(task));
  if (!found->second->busy) make_ready(found->second);
}

void LoopExecutor::make_ready(std::shared_ptr<Lane> lane) {
  lane->busy = true;
  ready_.push_back(std::move(lane));
  loop_.defer(*this);
}

// What is submitted meanwhile has its turn when the sockets have had theirs.
void LoopExecutor::run_deferred() {
  for (std::size_t left = ready_.size(); left != 0; --left) {
    const std::shared_ptr<Lane> lane = std::move(ready_.front());
    ready_.pop_front();
    run(lane);
  }
}

void LoopExecutor::run(const std::shared_ptr<Lane>& lane) {
  Task task = std::move(lane->tasks.front());
  lane->tasks.pop_front();
  alone_ = lane.get() == last_ ? alone_ + 1 : 0;
  last_ = lane.get();
  if (!task.brief || !does_brief_jobs()) return send_away(lane, std::move(task));
  task.job();  // a Done lets go of its function when it is called
  task.done();
  rest(lane);
}

void LoopExecutor::send_away(const std::shared_ptr<Lane>& lane, Task task) {
  threads_->submit(lane->thread, std::move(task.job),
                   [this, lane, done = std::move(task.done)]() mutable {
                     done();
                     rest(lane);
                   });
}

void LoopExecutor::rest(const std::shared_ptr<Lane>& lane) {
  lane->busy = false;
  if (!lane->tasks.empty()) return make_ready(lane);
  if (!lane->closed) return;
  threads_->close_strand(lane->thread);
  lanes_.erase(lane->thread.id);
}

}  // namespace vtl::daemon
