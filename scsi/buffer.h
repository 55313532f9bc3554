// Memory for records: contiguous buffers from a pool made once, and slices of shared ones.
//
// A pool belongs to one loop thread; so do take(), give-back and the waiters. A Buffer may be
// filled or read by another thread while a job holds it, but is moved and destroyed on the pool's
// thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "scsi/bytes.h"
#include "scsi/done.h"

namespace scsi {

class BufferPool;

// Owns `capacity` contiguous bytes, the first `size` of them in use. Move-only. Aligned to 4096.
class Buffer {
 public:
  Buffer() = default;
  static Buffer allocate(std::size_t capacity);  // of no pool: tests and tools
  static Buffer copy_of(Bytes bytes);            // likewise
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  explicit operator bool() const { return data_ != nullptr; }
  std::byte* data() { return data_; }
  const std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::size_t capacity() const { return capacity_; }
  void resize(std::size_t size);  // at most capacity(); new bytes are not set
  Bytes view() const { return {data_, size_}; }
  MutableBytes view() { return {data_, size_}; }

 private:
  friend class BufferPool;
  void release();
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  BufferPool* pool_ = nullptr;
  std::uint32_t owner_ = 0;
  std::uint8_t size_class_ = 0;
};

// Bytes inside memory that `owner` keeps alive: a Buffer that several readers share, or static
// data.
struct Slice {
  std::shared_ptr<const void> owner;
  Bytes bytes;
};
using SliceList = std::vector<Slice>;

std::size_t total_size(const SliceList& slices);
SliceList slices_of(std::vector<std::byte> bytes);
SliceList slices_of(Buffer buffer);
// Drops what is beyond the first `size` bytes.
void truncate(SliceList& slices, std::size_t size);
std::vector<std::byte> gather(const SliceList& slices);

// Size classes 64 KiB, 256 KiB, 1 MiB, 4 MiB and 16 MiB + 64 KiB, in 2 MiB-aligned huge-page memory
// that is kept for reuse. Counts what is lent, in all and per owner (a drive), against two budgets;
// what is kept besides never takes memory beyond the first of them.
class BufferPool {
 public:
  using Owner = std::uint32_t;
  struct Budget {
    std::size_t total_bytes;
    std::size_t owner_bytes;
  };
  explicit BufferPool(Budget budget);
  ~BufferPool();  // every buffer must have come back
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  static constexpr std::size_t kLargest = (16u << 20) + (64u << 10);

  // A buffer of at least `size` bytes (size() == size), or nothing if a budget would be exceeded,
  // or if others of this owner wait already. size 0 or above kLargest is a programmer error.
  std::optional<Buffer> try_take(Owner owner, std::size_t size);
  // The same, as soon as the budgets allow; first come, first served per owner. A waiter that only
  // the total budget holds up is not overtaken by later waiters of other owners. What is larger
  // than a budget is never granted. `done` may be called at once, and from the destruction of any
  // buffer of this pool: it must not touch the container that a buffer is just being taken out of.
  // Returns a ticket for cancel().
  std::uint64_t take(Owner owner, std::size_t size, Done<Buffer> done);
  void cancel(std::uint64_t ticket);  // its `done` will not be called; an unknown ticket is ignored

  std::size_t lent_bytes() const { return lent_; }
  std::size_t lent_bytes(Owner owner) const;
  std::size_t resident_bytes() const { return resident_; }  // lent or kept for reuse
  // Gives memory that is not lent back to the system.
  void trim();

 private:
  friend class Buffer;
  struct Waiter {
    std::uint64_t ticket;
    Owner owner;
    std::size_t size;
    Done<Buffer> done;
  };
  bool owner_fits(Owner owner, std::size_t bytes) const;
  bool total_fits(std::size_t bytes) const { return bytes <= budget_.total_bytes - lent_; }
  bool owner_waits(Owner owner) const;
  std::byte* acquire(std::uint8_t size_class);
  void add_slab(std::uint8_t size_class);
  Buffer lend(Owner owner, std::size_t size, std::uint8_t size_class);
  void give_back(std::byte* data, std::uint8_t size_class, Owner owner);
  void serve_waiters();

  Budget budget_;
  std::size_t lent_ = 0;
  std::size_t resident_ = 0;
  std::map<Owner, std::size_t> lent_by_owner_;
  // By size class: pieces that are free, with memory behind them and without (addresses only).
  std::vector<std::vector<std::byte*>> free_, bare_;
  std::deque<Waiter> waiters_;
  std::uint64_t next_ticket_ = 1;
  bool serving_ = false;
};

}  // namespace scsi
