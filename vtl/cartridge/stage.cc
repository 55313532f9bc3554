#include "vtl/cartridge/stage.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace vtl {
namespace {
constexpr std::size_t kHugePage = 2u << 20;
}

Stage::Stage() {
  // Huge pages want addresses that are multiples of their size: map more, and give the edges back.
  const std::size_t mapped = kBytes + kHugePage;
  void* area = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(area);
  const std::size_t skip =
      (kHugePage - reinterpret_cast<std::uintptr_t>(begin) % kHugePage) % kHugePage;
  if (skip != 0) ::munmap(begin, skip);
  data_ = begin + skip;
  if (skip != kHugePage) ::munmap(data_ + kBytes, kHugePage - skip);
  ::madvise(data_, kBytes, MADV_HUGEPAGE);  // a wish
  ::madvise(data_, kBytes, MADV_DONTDUMP);  // people's data
}

Stage::~Stage() { ::munmap(data_, kBytes); }

StagePtr StagePool::take() {
  std::unique_ptr<Stage> stage;
  if (shelf_->free.empty()) {
    stage = std::make_unique<Stage>();
  } else {
    stage = std::move(shelf_->free.back());
    shelf_->free.pop_back();
  }
  stage->set_size(0);
  ++shelf_->lent;
  return {stage.release(), [shelf = shelf_](Stage* returned) {
            --shelf->lent;
            std::unique_ptr<Stage> owned(returned);
            if (shelf->free.size() < shelf->keep) shelf->free.push_back(std::move(owned));
          }};
}

}  // namespace vtl
