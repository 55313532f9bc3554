// The real program under test: runs its commands, starts its server in a directory that goes away
// afterwards.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

// A new directory under $TMPDIR or /tmp; removed with all that is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// $VTL_BINARY, or the program that was built beside this one.
std::string vtl_binary();

struct Ended {
  int code = -1;  // exit status; 128 + the signal if one ended it
  std::string out;
  std::string err;
};
// Runs `vtl ARGUMENTS...` to its end.
Ended run_vtl(const std::vector<std::string>& arguments);
// The same as a user without privileges, if this one has them: root may read everything.
Ended run_vtl_unprivileged(const std::vector<std::string>& arguments);
// The same with --json added and its output parsed; fails the test if the exit status is not 0.
nlohmann::json vtl_json(std::vector<std::string> arguments);

// A port on 127.0.0.1 that nobody has at the moment.
std::uint16_t free_port();

std::string read_text(const std::string& path);
void write_text(const std::string& path, const std::string& text);

// `vtl serve` on a free loopback port.
class Daemon {
 public:
  explicit Daemon(std::string data_directory);
  ~Daemon();  // kills it if it still runs
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // Until it says "ready"; throws std::runtime_error with its log if it does not.
  void start(const std::vector<std::string>& arguments = {});
  // The same where the configuration says, which must name port().
  void start_as_configured();
  // Sends the signal and waits; the exit status as Ended has it.
  int stop(int signal = 15);
  int wait(std::chrono::seconds limit);
  bool running();

  // What `vtl iscsi show --json` shows, asked without starting a program.
  nlohmann::json server() const;
  std::vector<std::string> descriptors() const;  // that it has open: what each leads to

  pid_t pid() const { return pid_; }
  std::uint16_t port() const { return port_; }
  std::string portal() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::string& data() const { return data_; }
  std::string out() const { return read_text(out_path_); }  // of the last start
  std::string log() const { return read_text(log_path_); }
  // From the lines that serve prints: the changer, and drive n from 1.
  std::string changer() const { return target("-mediachanger"); }
  std::string drive(int number) const;

 private:
  std::string target(const std::string& suffix) const;
  void serve(const std::vector<std::string>& arguments);
  std::string data_;
  std::string out_path_, log_path_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};
