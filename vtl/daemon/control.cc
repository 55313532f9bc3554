#include "vtl/daemon/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <httplib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "vtl/daemon/log.h"

namespace vtl::daemon {
namespace {

// Requests that wait for their answers at a time; more wait to be read.
constexpr std::size_t kMaxThreads = 64;
constexpr std::size_t kMaxBody = 1u << 20;
// No request needs more than two; what takes a document apart by recursion must not meet a deep
// one.
constexpr int kMaxDepth = 16;
constexpr time_t kPeerTimeoutSeconds = 5;
// A move waits until the drive has everything on disk.
constexpr time_t kAnswerTimeoutSeconds = 900;
constexpr const char* kName = "control.sock";
constexpr const char* kJson = "application/json";

// A socket's path has at most 107 bytes. A longer one is reached through the directory's
// descriptor.
class SocketPath {
 public:
  explicit SocketPath(const std::string& directory) : path_(directory + "/" + kName) {
    if (path_.size() < sizeof(sockaddr_un::sun_path)) return;
    fd_ = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    path_ = "/proc/self/fd/" + std::to_string(fd_) + "/" + kName;
  }
  ~SocketPath() {
    if (fd_ >= 0) ::close(fd_);
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  const std::string& get() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

// A thread for each request that is being read, answered or waited for: one that takes long, or is
// not sent to its end, is in no other's way. Threads stay for the next.
class RequestThreads final : public httplib::TaskQueue {
 public:
  void enqueue(std::function<void()> request) override {
    const std::lock_guard lock(mutex_);
    requests_.push_back(std::move(request));
    if (requests_.size() > idle_ && threads_.size() < kMaxThreads)
      threads_.emplace_back([this] { work(); });
    else
      wake_.notify_one();
  }
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [this] { return ending_ || !requests_.empty(); });
      --idle_;
      if (requests_.empty()) return;
      const std::function<void()> request = std::move(requests_.front());
      requests_.pop_front();
      lock.unlock();
      request();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> requests_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool ending_ = false;
};

std::string dump(const nlohmann::json& body) {
  // Texts may quote a file name that is not UTF-8.
  return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// The body as JSON, or what is wrong with it. No body is an empty object.
std::variant<nlohmann::json, std::string> parse_body(const std::string& text) {
  if (text.empty()) return nlohmann::json::object();
  bool deep = false;
  const auto check = [&deep](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  nlohmann::json body = nlohmann::json::parse(text, check, false);
  if (deep) return fmt::format("the request's body is nested deeper than {} levels", kMaxDepth);
  if (body.is_discarded()) return std::string("the request's body is not JSON");
  return body;
}

// What cpp-httplib refuses by itself has a status and no words.
std::string_view explain(int status) {
  switch (status) {
    case 413:
      return "the request's body is too long";
    case 414:
      return "the request's path is too long";
    default:
      return "the request is not understood";
  }
}

}  // namespace

struct ControlServer::Impl {
  Impl(net::Loop& loop_, Management& management_) : loop(loop_), management(management_) {}

  net::Loop& loop;
  Management& management;
  std::string path;
  httplib::Server http;
  std::thread thread;
  scsi::Callback closed;

  void serve(const httplib::Request& from, httplib::Response& to);
};

ControlServer::ControlServer(net::Loop& loop, Management& management)
    : impl_(std::make_unique<Impl>(loop, management)) {}

ControlServer::~ControlServer() {
  if (impl_->thread.joinable()) {
    impl_->http.stop();
    impl_->thread.join();
  }
  if (!impl_->path.empty()) ::unlink(impl_->path.c_str());
}

std::string ControlServer::open(const std::string& data_directory) {
  const std::string path = data_directory + "/" + kName;
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return "cannot remove the old control socket " + path + ": " + std::strerror(errno);
  }
  httplib::Server& http = impl_->http;
  http.set_address_family(AF_UNIX);
  http.new_task_queue = [] { return new RequestThreads; };
  http.set_keep_alive_max_count(1);  // so that a stop waits for no idle client
  http.set_read_timeout(kPeerTimeoutSeconds);
  http.set_write_timeout(kPeerTimeoutSeconds);
  http.set_payload_max_length(kMaxBody);
  const auto handler = [impl = impl_.get()](const httplib::Request& from, httplib::Response& to) {
    impl->serve(from, to);
  };
  http.Get(".*", handler);
  http.Post(".*", handler);
  http.Put(".*", handler);
  http.Patch(".*", handler);
  http.Delete(".*", handler);
  http.set_error_handler([](const httplib::Request&, httplib::Response& to) {
    if (!to.body.empty()) return;
    to.set_content(dump(failure(to.status, std::string(explain(to.status))).body), kJson);
  });

  const SocketPath socket_path(data_directory);
  const mode_t mask = ::umask(0177);  // never open to others, not even for a moment
  const bool bound = http.bind_to_port(socket_path.get(), 1);
  const int error = errno;
  ::umask(mask);
  if (!bound) return "cannot make the control socket " + path + ": " + std::strerror(error);
  impl_->path = path;
  impl_->thread = std::thread([impl = impl_.get()] {
    impl->http.listen_after_bind();  // returns when the last request has been answered
    impl->loop.post([impl] {
      if (impl->closed) impl->closed();
    });
  });
  // A server that does not run yet cannot be stopped: its stop() does nothing.
  while (!http.is_running()) std::this_thread::sleep_for(std::chrono::microseconds(100));
  return {};
}

void ControlServer::close(scsi::Callback done) {
  if (!impl_->thread.joinable()) {
    done();
    return;
  }
  impl_->closed = std::move(done);
  impl_->http.stop();
}

// On one of the server's threads.
void ControlServer::Impl::serve(const httplib::Request& from, httplib::Response& to) {
  Answer answer;
  auto body = parse_body(from.body);
  if (auto* wrong = std::get_if<std::string>(&body)) {
    answer = failure(400, std::move(*wrong));
  } else {
    Request request{from.method, from.path, std::move(std::get<nlohmann::json>(body))};
    std::promise<Answer> promise;
    std::future<Answer> future = promise.get_future();
    loop.post([this, request = std::move(request), promise = std::move(promise)]() mutable {
      management.handle(std::move(request), [promise = std::move(promise)](Answer given) mutable {
        promise.set_value(std::move(given));
      });
    });
    try {
      answer = future.get();
    } catch (const std::future_error&) {
      answer = failure(503, "the server stopped before it could answer");
    }
  }
  to.status = answer.status;
  to.set_content(dump(answer.body), kJson);
}

struct ControlClient::Impl {
  explicit Impl(const std::string& directory)
      : path(std::make_unique<SocketPath>(directory)), http(path->get(), 80) {}
  std::unique_ptr<SocketPath> path;
  httplib::Client http;
};

ControlClient::ControlClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlClient::~ControlClient() = default;

std::unique_ptr<ControlClient> ControlClient::connect(const std::string& data_directory) {
  const std::string path = data_directory + "/" + kName;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return nullptr;
  auto impl = std::make_unique<Impl>(data_directory);
  impl->http.set_address_family(AF_UNIX);
  impl->http.set_connection_timeout(kPeerTimeoutSeconds);
  impl->http.set_read_timeout(kAnswerTimeoutSeconds);
  impl->http.set_write_timeout(kPeerTimeoutSeconds);
  std::unique_ptr<ControlClient> client(new ControlClient(std::move(impl)));
  // What a server that was killed leaves behind refuses.
  return client->impl_->http.Get("/v1/server") ? std::move(client) : nullptr;
}

std::variant<Answer, std::string> ControlClient::call(const Request& request) {
  httplib::Request to;
  to.method = request.method;
  to.path = request.path;
  to.headers.emplace("Host", "localhost");
  if (request.method != "GET") {
    to.body = dump(request.body);
    to.headers.emplace("Content-Type", kJson);
  }
  const httplib::Result result = impl_->http.send(to);
  if (!result) {
    return fmt::format("the server does not answer any more ({}): has it stopped?",
                       httplib::to_string(result.error()));
  }
  Answer answer{result->status, nlohmann::json::parse(result->body, nullptr, false)};
  if (answer.body.is_discarded()) return std::string("the server's answer is not JSON");
  return answer;
}

}  // namespace vtl::daemon
