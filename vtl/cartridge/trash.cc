#include "vtl/cartridge/trash.h"

#include <utility>

#include "vtl/cartridge/cartridge.h"

namespace vtl {

Trash::Trash(Executor& executor, FileSystem& files, std::string pool_dir)
    : executor_(executor),
      files_(files),
      pool_dir_(std::move(pool_dir)),
      strand_(executor.make_strand("trash")) {}

Trash::~Trash() { executor_.close_strand(strand_); }

void Trash::empty() {
  executor_.submit(
      strand_,
      [&files = files_, pool_dir = pool_dir_, stop = stop_.get_token()] {
        (void)empty_trash(files, pool_dir, stop);
      },
      [] {});
}

}  // namespace vtl
