// Trash: gives the space of what was deleted and overwritten back.
#pragma once

#include <stop_token>
#include <string>

#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"

namespace vtl {

// Unlinking hundreds of segments takes long: it has a strand of its own, and nobody waits for it.
// Loop thread. `executor` and `files` must outlive it.
class Trash {
 public:
  Trash(Executor& executor, FileSystem& files, std::string pool_dir);
  ~Trash();
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  // Soon. What cannot be removed now is tried again the next time.
  void empty();
  // Removes no more files: what is left is for the next start.
  void stop() { stop_.request_stop(); }

 private:
  Executor& executor_;
  FileSystem& files_;
  const std::string pool_dir_;
  const Strand strand_;
  std::stop_source stop_;
};

}  // namespace vtl
