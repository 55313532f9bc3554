// Where a command asks for management operations: a running server's control socket, or, while none
// runs, the data directory itself, opened here under its lock.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <variant>

#include "vtl/daemon/data_directory.h"
#include "vtl/daemon/management.h"

namespace vtl::daemon {

// One thread; blocking.
class Manager {
 public:
  // Longer than a command that shows or moves something, or a server's start.
  static constexpr std::chrono::milliseconds kPatience{5000};

  struct Opened {
    std::unique_ptr<Manager> manager;  // null: see problems
    Problems problems;
  };
  // While another process works on the directory and answers no requests, tries again for so long.
  static Opened open(const std::string& data_directory,
                     std::chrono::milliseconds patience = kPatience);
  virtual ~Manager() = default;

  // An answer, or why there is none.
  virtual std::variant<Answer, std::string> call(Request request) = 0;
};

}  // namespace vtl::daemon
