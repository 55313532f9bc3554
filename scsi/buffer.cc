#include "scsi/buffer.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <new>
#include <utility>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (void(address), void(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (void(address), void(size))
#endif

namespace scsi {
namespace {

constexpr std::size_t kAlignment = 4096;
constexpr std::size_t kHugePage = 2u << 20;
constexpr std::array<std::size_t, 5> kClassBytes = {64u << 10, 256u << 10, 1u << 20, 4u << 20,
                                                    BufferPool::kLargest};

std::uint8_t class_for(std::size_t size) {
  VTL_CHECK(size != 0 && size <= BufferPool::kLargest);
  std::uint8_t size_class = 0;
  while (kClassBytes[size_class] < size) ++size_class;
  return size_class;
}

// A slab is one huge page cut into pieces of a class, or one buffer of a class that is larger than
// a page.
std::size_t slab_bytes(std::uint8_t size_class) {
  return (kClassBytes[size_class] + kHugePage - 1) / kHugePage * kHugePage;
}
std::size_t pieces_of_slab(std::uint8_t size_class) {
  return slab_bytes(size_class) / kClassBytes[size_class];
}
std::byte* slab_of(std::byte* piece) {
  return piece - reinterpret_cast<std::uintptr_t>(piece) % kHugePage;
}

std::byte* map_slab(std::size_t size) {
  void* raw = ::mmap(nullptr, size + kHugePage, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (raw == MAP_FAILED) throw std::bad_alloc();
  auto* start = static_cast<std::byte*>(raw);
  const std::size_t before =
      (kHugePage - reinterpret_cast<std::uintptr_t>(start) % kHugePage) % kHugePage;
  if (before != 0) ::munmap(start, before);
  std::byte* aligned = start + before;
  ::munmap(aligned + size, kHugePage - before);
  ::madvise(aligned, size, MADV_HUGEPAGE);  // a kernel without huge pages serves small ones
  ::madvise(aligned, size, MADV_DONTDUMP);  // people's data, and now and then a key
  return aligned;
}

}  // namespace

// --- Buffer ---

Buffer Buffer::allocate(std::size_t capacity) {
  Buffer buffer;
  const std::size_t rounded =
      (std::max<std::size_t>(capacity, 1) + kAlignment - 1) / kAlignment * kAlignment;
  buffer.data_ = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  if (buffer.data_ == nullptr) throw std::bad_alloc();
  buffer.size_ = buffer.capacity_ = capacity;
  return buffer;
}

Buffer Buffer::copy_of(Bytes bytes) {
  Buffer buffer = allocate(bytes.size());
  std::copy(bytes.begin(), bytes.end(), buffer.data_);
  return buffer;
}

Buffer::Buffer(Buffer&& other) noexcept { *this = std::move(other); }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this == &other) return *this;
  release();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  pool_ = std::exchange(other.pool_, nullptr);
  owner_ = other.owner_;
  size_class_ = other.size_class_;
  return *this;
}

Buffer::~Buffer() { release(); }

void Buffer::release() {
  std::byte* data = std::exchange(data_, nullptr);
  if (data == nullptr) return;
  if (pool_ != nullptr)
    std::exchange(pool_, nullptr)->give_back(data, size_class_, owner_);
  else
    std::free(data);
}

void Buffer::resize(std::size_t size) {
  VTL_CHECK(size <= capacity_);
  size_ = size;
}

// --- slices ---

std::size_t total_size(const SliceList& slices) {
  std::size_t total = 0;
  for (const Slice& slice : slices) total += slice.bytes.size();
  return total;
}

SliceList slices_of(std::vector<std::byte> bytes) {
  if (bytes.empty()) return {};
  auto owner = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
  const Bytes view = *owner;
  return {{std::move(owner), view}};
}

SliceList slices_of(Buffer buffer) {
  if (buffer.size() == 0) return {};
  auto owner = std::make_shared<const Buffer>(std::move(buffer));
  const Bytes view = owner->view();
  return {{std::move(owner), view}};
}

void truncate(SliceList& slices, std::size_t size) {
  for (std::size_t i = 0; i < slices.size(); ++i) {
    if (slices[i].bytes.size() <= size) {
      size -= slices[i].bytes.size();
      continue;
    }
    slices[i].bytes = slices[i].bytes.first(size);
    slices.resize(size == 0 ? i : i + 1);
    return;
  }
}

std::vector<std::byte> gather(const SliceList& slices) {
  std::vector<std::byte> out;
  out.reserve(total_size(slices));
  for (const Slice& slice : slices) out.insert(out.end(), slice.bytes.begin(), slice.bytes.end());
  return out;
}

// --- BufferPool ---

BufferPool::BufferPool(Budget budget)
    : budget_(budget), free_(kClassBytes.size()), bare_(kClassBytes.size()) {}

BufferPool::~BufferPool() {
  VTL_CHECK(lent_ == 0);
  trim();
  VTL_CHECK(resident_ == 0);
}

std::size_t BufferPool::lent_bytes(Owner owner) const {
  const auto found = lent_by_owner_.find(owner);
  return found == lent_by_owner_.end() ? 0 : found->second;
}

bool BufferPool::owner_fits(Owner owner, std::size_t bytes) const {
  return bytes <= budget_.owner_bytes - lent_bytes(owner);
}

bool BufferPool::owner_waits(Owner owner) const {
  return std::any_of(waiters_.begin(), waiters_.end(),
                     [&](const Waiter& waiter) { return waiter.owner == owner; });
}

std::optional<Buffer> BufferPool::try_take(Owner owner, std::size_t size) {
  const std::uint8_t size_class = class_for(size);
  const std::size_t bytes = kClassBytes[size_class];
  if (!owner_fits(owner, bytes) || !total_fits(bytes) || owner_waits(owner)) return {};
  return lend(owner, size, size_class);
}

std::uint64_t BufferPool::take(Owner owner, std::size_t size, Done<Buffer> done) {
  class_for(size);
  const std::uint64_t ticket = next_ticket_++;
  waiters_.push_back({ticket, owner, size, std::move(done)});
  serve_waiters();
  return ticket;
}

void BufferPool::cancel(std::uint64_t ticket) {
  const auto found = std::find_if(waiters_.begin(), waiters_.end(),
                                  [&](const Waiter& waiter) { return waiter.ticket == ticket; });
  if (found == waiters_.end()) return;
  waiters_.erase(found);
  serve_waiters();  // others may have waited behind it
}

void BufferPool::trim() {
  for (std::uint8_t size_class = 0; size_class < free_.size(); ++size_class) {
    auto& bare = bare_[size_class];
    for (std::byte* piece : free_[size_class]) {
      ::madvise(piece, kClassBytes[size_class], MADV_DONTNEED);
      resident_ -= kClassBytes[size_class];
      bare.push_back(piece);
    }
    free_[size_class].clear();
    // Slabs of which nothing is lent go with their addresses.
    std::sort(bare.begin(), bare.end());  // pieces of one slab lie side by side
    std::vector<std::byte*> kept;
    for (std::size_t i = 0; i < bare.size();) {
      std::byte* slab = slab_of(bare[i]);
      std::size_t end = i;
      while (end < bare.size() && slab_of(bare[end]) == slab) ++end;
      if (end - i == pieces_of_slab(size_class)) {
        ASAN_UNPOISON_MEMORY_REGION(slab, slab_bytes(size_class));
        ::munmap(slab, slab_bytes(size_class));
      } else {
        kept.insert(kept.end(), bare.begin() + static_cast<std::ptrdiff_t>(i),
                    bare.begin() + static_cast<std::ptrdiff_t>(end));
      }
      i = end;
    }
    bare = std::move(kept);
  }
}

void BufferPool::add_slab(std::uint8_t size_class) {
  std::byte* slab = map_slab(slab_bytes(size_class));
  for (std::size_t i = pieces_of_slab(size_class); i-- > 0;)
    bare_[size_class].push_back(slab + i * kClassBytes[size_class]);
  ASAN_POISON_MEMORY_REGION(slab, slab_bytes(size_class));
}

std::byte* BufferPool::acquire(std::uint8_t size_class) {
  auto* from = &free_[size_class];
  if (from->empty()) {
    // What other classes keep, this one needs.
    if (resident_ + kClassBytes[size_class] > budget_.total_bytes) trim();
    from = &bare_[size_class];
    if (from->empty()) add_slab(size_class);
    resident_ += kClassBytes[size_class];
  }
  std::byte* data = from->back();  // the one given back last is the warmest
  from->pop_back();
  return data;
}

Buffer BufferPool::lend(Owner owner, std::size_t size, std::uint8_t size_class) {
  Buffer buffer;
  buffer.data_ = acquire(size_class);
  buffer.size_ = size;
  buffer.capacity_ = kClassBytes[size_class];
  buffer.pool_ = this;
  buffer.owner_ = owner;
  buffer.size_class_ = size_class;
  ASAN_UNPOISON_MEMORY_REGION(buffer.data_, buffer.capacity_);
  lent_ += buffer.capacity_;
  lent_by_owner_[owner] += buffer.capacity_;
  return buffer;
}

void BufferPool::give_back(std::byte* data, std::uint8_t size_class, Owner owner) {
  const std::size_t bytes = kClassBytes[size_class];
  ASAN_POISON_MEMORY_REGION(data, bytes);
  free_[size_class].push_back(data);
  lent_ -= bytes;
  lent_by_owner_[owner] -= bytes;
  if (!waiters_.empty()) serve_waiters();
}

void BufferPool::serve_waiters() {
  if (serving_) return;  // a `done` took, gave back or cancelled: the loop below sees it
  serving_ = true;
  for (bool served = true; served;) {
    served = false;
    std::vector<Owner> held_up;
    for (auto waiter = waiters_.begin(); waiter != waiters_.end(); ++waiter) {
      if (std::find(held_up.begin(), held_up.end(), waiter->owner) != held_up.end()) continue;
      const std::uint8_t size_class = class_for(waiter->size);
      if (!owner_fits(waiter->owner, kClassBytes[size_class])) {
        held_up.push_back(waiter->owner);
        continue;
      }
      if (!total_fits(kClassBytes[size_class])) break;
      Waiter due = std::move(*waiter);
      waiters_.erase(waiter);
      due.done(lend(due.owner, due.size, size_class));
      served = true;  // `waiters_` may be another one now: start over
      break;
    }
  }
  serving_ = false;
}

}  // namespace scsi
