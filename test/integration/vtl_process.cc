#include "vtl_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace {

// Sanitizers make everything slower; nothing here should take this long by itself.
constexpr std::chrono::seconds kReadyLimit{60};

pid_t spawn(const std::vector<std::string>& arguments, const std::string& out,
            const std::string& err, bool unprivileged = false) {
  const std::string binary = vtl_binary();
  std::vector<char*> argv = {const_cast<char*>(binary.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int out_fd = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int in_fd = ::open("/dev/null", O_RDONLY);
  ::dup2(in_fd, 0);
  ::dup2(out_fd, 1);
  ::dup2(err_fd, 2);
  for (int fd = 3; fd < 256; ++fd) ::close(fd);
  constexpr uid_t kNobody = 65534;
  if (unprivileged && ::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
    ::_exit(126);
  }
  ::execv(binary.c_str(), argv.data());
  std::fprintf(stderr, "cannot run %s\n", binary.c_str());
  ::_exit(127);
}

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

TempDir::TempDir() {
  const char* base = std::getenv("TMPDIR");
  std::string name = std::string(base != nullptr ? base : "/tmp") + "/vtl-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make " + name);
  path_ = name;
}

TempDir::~TempDir() {
  if (std::getenv("VTL_KEEP") != nullptr) {
    std::fprintf(stderr, "kept %s\n", path_.c_str());
    return;
  }
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string vtl_binary() {
  const char* given = std::getenv("VTL_BINARY");
  if (given != nullptr) return given;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "vtl";
}

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

namespace {
Ended run(const std::vector<std::string>& arguments, bool unprivileged) {
  const TempDir dir;
  const pid_t pid = spawn(arguments, dir / "out", dir / "err", unprivileged);
  int status = 0;
  ::waitpid(pid, &status, 0);
  return {exit_code(status), read_text(dir / "out"), read_text(dir / "err")};
}
}  // namespace

Ended run_vtl(const std::vector<std::string>& arguments) { return run(arguments, false); }

Ended run_vtl_unprivileged(const std::vector<std::string>& arguments) {
  return run(arguments, true);
}

nlohmann::json vtl_json(std::vector<std::string> arguments) {
  arguments.push_back("--json");
  const Ended ended = run_vtl(arguments);
  if (ended.code != 0) {
    std::string line = "vtl";
    for (const std::string& argument : arguments) line += " " + argument;
    throw std::runtime_error(line + ": exit status " + std::to_string(ended.code) + ": " +
                             ended.err);
  }
  return nlohmann::json::parse(ended.out);
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

Daemon::Daemon(std::string data_directory)
    : data_(std::move(data_directory)), out_path_(data_ + ".out"), log_path_(data_ + ".log") {}

Daemon::~Daemon() {
  if (pid_ > 0) stop(SIGKILL);
}

void Daemon::start(const std::vector<std::string>& arguments) {
  // A capture wants to know the port beforehand.
  const char* given = std::getenv("VTL_PORT");
  if (port_ == 0 && given != nullptr) port_ = static_cast<std::uint16_t>(std::atoi(given));
  if (port_ == 0) port_ = free_port();
  std::vector<std::string> all = {"serve", "--data", data_, "--listen", portal()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  serve(all);
}

void Daemon::start_as_configured() { serve({"serve", "--data", data_}); }

void Daemon::serve(const std::vector<std::string>& all) {
  write_text(out_path_, "");
  pid_ = spawn(all, out_path_, log_path_);
  const auto limit = std::chrono::steady_clock::now() + kReadyLimit;
  while (out().find("\nready\n") == std::string::npos) {
    if (!running()) throw std::runtime_error("serve ended: " + log());
    if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("not ready: " + log());
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

bool Daemon::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

nlohmann::json Daemon::server() const {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = data_ + "/control.sock";
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  const std::string request = "GET /v1/server HTTP/1.1\r\nHost: vtl\r\nConnection: close\r\n\r\n";
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(request.size())) {
    char piece[4096];
    for (ssize_t n = 0; (n = ::recv(fd, piece, sizeof piece, 0)) > 0;)
      answer.append(piece, static_cast<std::size_t>(n));
  }
  ::close(fd);
  const std::size_t body = answer.find("\r\n\r\n");
  if (body == std::string::npos) throw std::runtime_error("no answer at " + path + ": " + log());
  return nlohmann::json::parse(answer.substr(body));
}

std::vector<std::string> Daemon::descriptors() const {
  std::vector<std::string> out;
  std::error_code gone;  // while we look
  const std::string folder = "/proc/" + std::to_string(pid_) + "/fd";
  for (std::filesystem::directory_iterator fd(folder, gone), end; fd != end; fd.increment(gone))
    out.push_back(std::filesystem::read_symlink(fd->path(), gone).string());
  return out;
}

int Daemon::stop(int signal) {
  ::kill(pid_, signal);
  return wait(std::chrono::seconds(60));
}

int Daemon::wait(std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  int status = 0;
  while (::waitpid(pid_, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() > end) throw std::runtime_error("does not end: " + log());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  pid_ = -1;
  return exit_code(status);
}

std::string Daemon::target(const std::string& suffix) const {
  std::istringstream lines(out());
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find(' '));
    if (name.size() > suffix.size() && name.substr(name.size() - suffix.size()) == suffix)
      return name;
  }
  throw std::runtime_error("serve printed no target that ends in " + suffix);
}

std::string Daemon::drive(int number) const {
  return target((number < 10 ? "-tapedrive-0" : "-tapedrive-") + std::to_string(number));
}
