#include "vtl/cli/prompt.h"

#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <iostream>
#include <utility>

namespace vtl::cli {
namespace {

termios before;  // for the signal handler

// What is typed so far goes, lest the shell get it.
void show_again() { (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before); }

// Once: the second time it is the signal itself.
void ended_by(int signal) {
  show_again();
  (void)std::raise(signal);
}

// What is typed is not shown, for as long as this lives.
class Hidden {
 public:
  Hidden() {
    terminal_ = ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (!terminal_) return;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = kSignals[i] == SIGTSTP ? SIG_IGN : ended_by;
      action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
      ::sigaction(kSignals[i], nullptr, &signals_[i]);
      // As nohup has it.
      if (signals_[i].sa_handler != SIG_IGN) ::sigaction(kSignals[i], &action, nullptr);
    }
    termios quiet = before;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    (void)::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
  }
  ~Hidden() {
    if (!terminal_) return;
    show_again();
    for (std::size_t i = 0; i < kSignals.size(); ++i)
      ::sigaction(kSignals[i], &signals_[i], nullptr);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  // ^Z does nothing: a shell would come back to a terminal that shows nothing.
  static constexpr std::array kSignals = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
  std::array<struct sigaction, kSignals.size()> signals_{};
  bool terminal_ = false;
};

// A letter at a time: what stands behind the line is the next question's. False: there was none.
bool read_line(std::string& line) {
  char letter = 0;
  ssize_t got = 0;
  while ((got = ::read(STDIN_FILENO, &letter, 1)) == 1 && letter != '\n') line += letter;
  return got == 1 || !line.empty();
}

}  // namespace

std::optional<std::string> ask_hidden(const std::string& text) {
  std::string line;
  bool got = false;
  {
    const Hidden hidden;
    std::cerr << text << std::flush;
    got = read_line(line);
  }
  std::cerr << '\n';
  return got ? std::optional(std::move(line)) : std::nullopt;
}

}  // namespace vtl::cli
