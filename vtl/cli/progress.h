// A progress bar on a terminal; nothing when the output goes elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace vtl::cli {

class Progress {
 public:
  explicit Progress(std::string title);  // draws on standard error, if that is a terminal
  ~Progress();                           // ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // total 0: not known. Bytes are shown with their rate, other things are only counted.
  void show(std::uint64_t done, std::uint64_t total, bool bytes);

 private:
  std::string title_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point begun_;
};

}  // namespace vtl::cli
