#include "vtl/cartridge/executor.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "scsi/check.h"

namespace vtl {
namespace {

// One strand: a queue and the thread that empties it.
class Worker {
 public:
  Worker(std::string_view name, const Post& post) : post_(post), name_(name.substr(0, 15)) {
    thread_ = std::thread([this] { run(); });
  }
  ~Worker() {
    close();
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void submit(Job job, Callback done) {
    {
      const std::lock_guard lock(mutex_);
      VTL_CHECK(!closing_);
      queue_.push_back({std::move(job), std::move(done)});
    }
    wake_.notify_one();
  }
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closing_ = true;
    }
    wake_.notify_one();
  }
  bool finished() {
    const std::lock_guard lock(mutex_);
    return finished_;
  }

 private:
  struct Task {
    Job job;
    Callback done;
  };
  void run() {
    ::pthread_setname_np(::pthread_self(), name_.c_str());
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) break;
      Task task = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      task.job();  // a Done lets go of its function when it is called
      post_(std::move(task.done));
      lock.lock();
    }
    finished_ = true;
  }

  const Post& post_;
  std::string name_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> queue_;
  bool closing_ = false;
  bool finished_ = false;
  std::thread thread_;
};

class ThreadExecutor final : public Executor {
 public:
  explicit ThreadExecutor(Post post) : post_(std::move(post)) {}

  Strand make_strand(std::string_view name) override {
    // Strands closed earlier have ended by now; their threads are joined here, where that cannot
    // block.
    std::erase_if(closed_, [](const auto& worker) { return worker->finished(); });
    const Strand strand{++last_id_};
    workers_.emplace(strand.id, std::make_unique<Worker>(name, post_));
    return strand;
  }
  void close_strand(Strand strand) override {
    const auto found = workers_.find(strand.id);
    VTL_CHECK(found != workers_.end());
    found->second->close();
    closed_.push_back(std::move(found->second));
    workers_.erase(found);
  }
  void submit(Strand strand, Job job, Callback done) override {
    const auto found = workers_.find(strand.id);
    VTL_CHECK(found != workers_.end());
    found->second->submit(std::move(job), std::move(done));
  }

 private:
  Post post_;
  std::uint32_t last_id_ = 0;
  std::map<std::uint32_t, std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Worker>> closed_;
};

}  // namespace

std::unique_ptr<Executor> make_thread_executor(Post post) {
  return std::make_unique<ThreadExecutor>(std::move(post));
}

}  // namespace vtl
