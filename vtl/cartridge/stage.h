// Stage: 4 MiB of memory that O_DIRECT can use, in huge pages where there are any. Drives reuse a
// few of them: fresh memory costs more than copying into it.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "scsi/bytes.h"

namespace vtl {

class Stage {
 public:
  static constexpr std::size_t kBytes = 4u << 20;

  Stage();
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  scsi::MutableBytes all() { return {data_, kBytes}; }
  // The first size() bytes hold something.
  std::size_t size() const { return size_; }
  void set_size(std::size_t size) { size_ = size; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

using StagePtr = std::shared_ptr<Stage>;

// Stages for reuse. take() never refuses; a stage comes back when its last owner lets go, and is
// kept while fewer than `keep` are free. The one that came back last goes first: it is the warmest.
// One thread: take() and the last release.
class StagePool {
 public:
  explicit StagePool(std::size_t keep) : shelf_(std::make_shared<Shelf>()) { shelf_->keep = keep; }
  StagePtr take();
  std::size_t lent() const { return shelf_->lent; }
  void trim() { shelf_->free.clear(); }

 private:
  struct Shelf {
    std::size_t keep = 0;
    std::size_t lent = 0;
    std::vector<std::unique_ptr<Stage>> free;
  };
  std::shared_ptr<Shelf> shelf_;
};

}  // namespace vtl
