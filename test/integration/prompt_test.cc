// The question for a secret, on a terminal: what is shown, what is taken, and how the terminal is
// left.
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <stdexcept>

#include "vtl_process.h"

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// `vtl ARGUMENTS...` on a terminal of its own.
class Terminal {
 public:
  explicit Terminal(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), vtl_binary());
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (::openpty(&keyboard_, &line_, nullptr, nullptr, nullptr) != 0)
      throw std::runtime_error("no terminal to be had: is /dev/pts mounted?");
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::close(keyboard_);
    ::login_tty(line_);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~Terminal() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    ::close(line_);
    ::close(keyboard_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Waits until it is on the screen, at most 30 s.
  bool shows(const std::string& text) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!has(screen_, text) && std::chrono::steady_clock::now() < until) read_on(100);
    return has(screen_, text);
  }
  void type(const std::string& text) {
    if (::write(keyboard_, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      throw std::runtime_error("cannot type");
  }
  bool echoes() const {
    termios settings{};
    if (::tcgetattr(line_, &settings) != 0) throw std::runtime_error("no terminal");
    return (settings.c_lflag & ECHO) != 0;
  }
  // What the next program that reads the terminal would get.
  bool anything_typed_ahead() const {
    ::fcntl(line_, F_SETFL, O_NONBLOCK);
    char byte = 0;
    return ::read(line_, &byte, 1) > 0;
  }
  std::string command_line() const {
    return read_text("/proc/" + std::to_string(pid_) + "/cmdline") +
           read_text("/proc/" + std::to_string(pid_) + "/environ");
  }
  void send(int signal) { ::kill(pid_, signal); }
  bool stopped_or_ended() {
    int status = 0;
    return ::waitpid(pid_, &status, WNOHANG | WUNTRACED) != 0;
  }
  // The exit status, or 128 + the signal that ended it.
  int end() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    while (read_on(50)) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& screen() const { return screen_; }

 private:
  bool read_on(int milliseconds) {
    pollfd waiting{keyboard_, POLLIN, 0};
    char buffer[4096];
    if (::poll(&waiting, 1, milliseconds) <= 0) return false;
    const ssize_t got = ::read(keyboard_, buffer, sizeof buffer);
    if (got > 0) screen_.append(buffer, static_cast<std::size_t>(got));
    return got > 0;
  }
  int keyboard_ = -1, line_ = -1;
  pid_t pid_ = -1;
  std::string screen_;
};

struct Typed {
  TempDir dir;
  std::string data = dir / "library";
  Typed() { REQUIRE(run_vtl({"init", "--data", data}).code == 0); }
  std::string secrets() const { return read_text(data + "/secrets.yaml"); }
  std::vector<std::string> add() const { return {"auth", "add", "backup01", "--data", data}; }
};

}  // namespace

TEST_CASE("a secret is asked for twice, and nobody sees it") {
  const Typed t;
  Terminal terminal(t.add());
  REQUIRE(terminal.shows("Secret of account \"backup01\": "));
  CHECK_FALSE(terminal.echoes());
  terminal.type("correct-horse-b\n");
  REQUIRE(terminal.shows("The same again: "));
  CHECK_FALSE(terminal.echoes());
  CHECK_FALSE(has(terminal.command_line(), "horse"));
  terminal.type("correct-horse-b\n");
  CHECK(terminal.end() == 0);
  CHECK(terminal.echoes());
  CHECK(has(terminal.screen(), "Added account \"backup01\"."));
  CHECK_FALSE(has(terminal.screen(), "horse"));
  CHECK(has(t.secrets(), "correct-horse-b"));

  Terminal other({"auth", "rotate", "backup01", "--data", t.data});
  REQUIRE(other.shows("Secret of account \"backup01\": "));
  other.type("battery-staple-\n");
  REQUIRE(other.shows("The same again: "));
  other.type("battery-staple-\n");
  CHECK(other.end() == 0);
  CHECK_FALSE(has(other.screen(), "staple"));
  CHECK(has(t.secrets(), "battery-staple-"));
  CHECK_FALSE(has(t.secrets(), "horse"));
}

TEST_CASE("a secret that is not typed twice alike, is no good, or none, is not taken") {
  const Typed t;
  const auto refused = [&](const std::string& first, const std::string& second,
                           const std::string& why) {
    INFO(why);
    Terminal terminal(t.add());
    REQUIRE(terminal.shows("Secret of account"));
    terminal.type(first);
    if (!second.empty()) {
      REQUIRE(terminal.shows("The same again: "));
      terminal.type(second);
    }
    CHECK(terminal.end() == 1);
    CHECK(has(terminal.screen(), why));
    CHECK(terminal.echoes());
    CHECK_FALSE(std::filesystem::exists(t.data + "/secrets.yaml"));
  };
  refused("correct-horse-b\n", "correct-horse-c\n", "the two are not the same");
  refused("short-one\n", "short-one\n", "found 9 characters, allowed: 12 to 16");
  refused("a-secret-that-is-long\n", "a-secret-that-is-long\n", "access.long_secrets");
  refused("\n", "\n", "found 0 characters, allowed: 12 to 16");
  refused("\x04", "", "no secret was given");
}

TEST_CASE("a terminal shows what is typed again, whatever ends the question") {
  const Typed t;
  const auto ended = [&](int signal, bool by_keyboard) {
    INFO(signal);
    Terminal terminal(t.add());
    REQUIRE(terminal.shows("Secret of account"));
    terminal.type("correct-ho");
    if (by_keyboard)
      terminal.type("\x03");
    else
      terminal.send(signal);
    CHECK(terminal.end() == 128 + signal);
    CHECK(terminal.echoes());
    CHECK_FALSE(terminal.anything_typed_ahead());
    CHECK_FALSE(has(terminal.screen(), "horse"));
  };
  ended(SIGINT, true);
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT}) ended(signal, false);

  // ^Z is none of the answer's letters, and leaves nobody with a terminal that shows nothing.
  Terminal terminal(t.add());
  REQUIRE(terminal.shows("Secret of account"));
  terminal.type("\x1a");
  terminal.type("correct-horse-b\n");
  REQUIRE(terminal.shows("The same again: "));
  CHECK_FALSE(terminal.stopped_or_ended());
  terminal.type("correct-horse-b\n");
  CHECK(terminal.end() == 0);
}
