// PoolWatch: looks from time to time whether what alerts say of the pool still holds - its free
// space, cartridges without files, a journal that was rebuilt - so that they come before anybody
// writes and go when the cause has gone.
//
// Loop thread; asks the file system on a strand of its own, as that may take long.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vtl/cartridge/executor.h"
#include "vtl/cartridge/file.h"
#include "vtl/daemon/alerts.h"
#include "vtl/library/library.h"

namespace vtl::daemon {

struct PoolWatchOptions {
  std::string pool_directory;
  std::string damaged_journal;           // of `library rebuild`; may be there or not
  std::uint64_t low_water_bytes = 0;     // as configured
  std::uint64_t full_bytes = 64u << 20;  // free space below which nothing is accepted
};

class PoolWatch {
 public:
  // What is passed in outlives this.
  PoolWatch(PoolWatchOptions options, Library& library, Alerts& alerts, FileSystem& files,
            Executor& executor);
  ~PoolWatch();
  PoolWatch(const PoolWatch&) = delete;
  PoolWatch& operator=(const PoolWatch&) = delete;

  // Begins to look, unless it does already.
  void look();

 private:
  struct Found;
  void learn(const Found& found);

  const PoolWatchOptions options_;
  Library& library_;
  Alerts& alerts_;
  FileSystem& files_;
  Executor& executor_;
  const Strand strand_;
  std::shared_ptr<Found> looking_;
  bool told_journal_ = false;  // and a person may have cleared it
  std::shared_ptr<char> life_ = std::make_shared<char>();
};

}  // namespace vtl::daemon
