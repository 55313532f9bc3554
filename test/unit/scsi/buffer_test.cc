#include "scsi/buffer.h"

#include <catch2/catch.hpp>

using namespace scsi;

namespace {
constexpr std::size_t k64K = 64u << 10, k256K = 256u << 10, kMiB = 1u << 20;
}

TEST_CASE("a pool lends the smallest class that fits, aligned, and counts it") {
  BufferPool pool({.total_bytes = 64 * kMiB, .owner_bytes = 64 * kMiB});
  const std::pair<std::size_t, std::size_t> sizes[] = {
      {1, k64K},
      {k64K, k64K},
      {k64K + 1, k256K},
      {k256K, k256K},
      {k256K + 1, kMiB},
      {kMiB + 1, 4 * kMiB},
      {4 * kMiB, 4 * kMiB},
      {4 * kMiB + 1, BufferPool::kLargest},
      {BufferPool::kLargest, BufferPool::kLargest}};
  for (const auto& [size, capacity] : sizes) {
    auto buffer = pool.try_take(3, size);
    REQUIRE(buffer);
    CHECK(buffer->size() == size);
    CHECK(buffer->capacity() == capacity);
    CHECK(reinterpret_cast<std::uintptr_t>(buffer->data()) % 4096 == 0);
    CHECK(pool.lent_bytes() == capacity);
    CHECK(pool.lent_bytes(3) == capacity);
    buffer->data()[size - 1] = std::byte{1};
  }
  CHECK(pool.lent_bytes() == 0);
}

TEST_CASE("buffers of one class do not overlap, and their memory is used again") {
  BufferPool pool({.total_bytes = 8 * kMiB, .owner_bytes = 8 * kMiB});
  std::vector<Buffer> lent;
  for (int i = 0; i < 9; ++i) lent.push_back(*pool.try_take(0, k256K));
  for (std::size_t i = 0; i < lent.size(); ++i)
    std::fill_n(lent[i].data(), k256K, static_cast<std::byte>(i));
  for (std::size_t i = 0; i < lent.size(); ++i) {
    CHECK(lent[i].data()[0] == static_cast<std::byte>(i));
    CHECK(lent[i].data()[k256K - 1] == static_cast<std::byte>(i));
  }
  CHECK(pool.resident_bytes() == 9 * k256K);
  const std::byte* last = lent.back().data();
  lent.pop_back();
  lent.push_back(*pool.try_take(0, k256K));
  CHECK(lent.back().data() == last);
}

TEST_CASE("trim gives back only memory that is not lent") {
  BufferPool pool({.total_bytes = 64 * kMiB, .owner_bytes = 64 * kMiB});
  auto small = pool.try_take(0, 1);
  { auto large = pool.try_take(0, 5 * kMiB); }
  CHECK(pool.resident_bytes() == k64K + BufferPool::kLargest);
  pool.trim();
  CHECK(pool.resident_bytes() == k64K);
  small->data()[0] = std::byte{1};
  small.reset();
  pool.trim();
  CHECK(pool.resident_bytes() == 0);
  CHECK(pool.try_take(0, 1));
}

TEST_CASE("memory kept for one class is given up when another needs room") {
  BufferPool pool({.total_bytes = 20 * kMiB, .owner_bytes = 20 * kMiB});
  { auto large = pool.try_take(0, BufferPool::kLargest); }
  CHECK(pool.resident_bytes() == BufferPool::kLargest);
  auto other = pool.try_take(0, 4 * kMiB);
  CHECK(pool.resident_bytes() == 4 * kMiB);
}

TEST_CASE("a piece that stays lent keeps no more memory than its own") {
  BufferPool pool({.total_bytes = 32 * kMiB, .owner_bytes = 32 * kMiB});
  std::vector<Buffer> lent;
  for (int i = 0; i < 128; ++i) lent.push_back(*pool.try_take(0, k256K));
  std::vector<Buffer> kept;  // one of each huge page
  for (std::size_t i = 0; i < lent.size(); i += 8) kept.push_back(std::move(lent[i]));
  lent.clear();
  for (int i = 0; i < 28; ++i) lent.push_back(*pool.try_take(0, kMiB));
  CHECK(pool.lent_bytes() == 32 * kMiB);
  CHECK(pool.resident_bytes() == 32 * kMiB);
  for (Buffer& buffer : kept) buffer.data()[k256K - 1] = std::byte{1};
}

TEST_CASE("the total budget and the owner's hold to the byte") {
  BufferPool pool({.total_bytes = 3 * k256K, .owner_bytes = 2 * k256K});
  auto a = pool.try_take(1, k256K), b = pool.try_take(1, k256K);
  REQUIRE((a && b));
  CHECK_FALSE(pool.try_take(1, 1));  // owner
  auto c = pool.try_take(2, k256K);
  REQUIRE(c);
  CHECK_FALSE(pool.try_take(2, 1));  // total
  a.reset();
  CHECK(pool.try_take(2, 1));
}

TEST_CASE("waiters of an owner are served in order, as soon as there is room") {
  BufferPool pool({.total_bytes = 4 * kMiB, .owner_bytes = k256K});
  auto held = pool.try_take(1, k256K);
  std::vector<int> order;
  std::vector<Buffer> got;
  const auto take = [&](int name, std::size_t size) {
    return pool.take(1, size, [&order, &got, name](Buffer buffer) {
      order.push_back(name);
      got.push_back(std::move(buffer));
    });
  };
  take(1, k256K);
  const std::uint64_t second = take(2, 1);
  take(3, 1);
  CHECK(order.empty());
  CHECK_FALSE(pool.try_take(1, 1));  // not past those who wait
  pool.cancel(second);
  pool.cancel(second);
  pool.cancel(12345);
  held.reset();
  CHECK(order == std::vector{1});
  std::vector<Buffer> first = std::exchange(got, {});  // `done` adds to `got`
  CHECK(order == std::vector{1});
  first.clear();
  CHECK(order == std::vector{1, 3});
}

TEST_CASE("an owner at its budget does not hold up the others") {
  BufferPool pool({.total_bytes = 4 * kMiB, .owner_bytes = k64K});
  auto held = pool.try_take(1, 1);
  bool first = false;
  pool.take(1, 1, [&](Buffer) { first = true; });
  CHECK(pool.try_take(2, 1));
  bool second = false;
  pool.take(2, 1, [&](Buffer) { second = true; });
  CHECK(second);
  CHECK_FALSE(first);
  held.reset();
  CHECK(first);
}

TEST_CASE("a large request that waits for the total budget is not starved by small ones") {
  BufferPool pool({.total_bytes = 4 * kMiB, .owner_bytes = 4 * kMiB});
  std::vector<Buffer> small;
  for (int i = 0; i < 4; ++i) small.push_back(*pool.try_take(1, kMiB));
  std::optional<Buffer> large;
  pool.take(2, 4 * kMiB, [&](Buffer buffer) { large = std::move(buffer); });
  std::optional<Buffer> late;
  pool.take(3, 1, [&](Buffer buffer) { late = std::move(buffer); });
  small.pop_back();
  CHECK_FALSE(late);
  small.clear();
  CHECK(large);
  CHECK_FALSE(late);
  large.reset();
  CHECK(late);
}

TEST_CASE("a cancelled waiter makes way for those behind it") {
  BufferPool pool({.total_bytes = kMiB, .owner_bytes = kMiB});
  auto held = pool.try_take(1, k256K);
  const auto ticket = pool.take(2, kMiB, [](Buffer) { FAIL("cancelled"); });
  bool served = false;
  pool.take(3, 1, [&](Buffer) { served = true; });
  CHECK_FALSE(served);
  pool.cancel(ticket);
  CHECK(served);
}

TEST_CASE("done may take, give back and cancel") {
  BufferPool pool({.total_bytes = k64K, .owner_bytes = k64K});
  auto held = pool.try_take(1, 1);
  int depth = 0, served = 0, deepest = 0;
  std::function<void()> again = [&] {
    pool.take(1, 1, [&](Buffer) {
      deepest = std::max(deepest, ++depth);
      if (++served < 1000) again();
      --depth;
    });
  };
  again();
  held.reset();
  CHECK(served == 1000);
  CHECK(deepest <= 2);
  CHECK(pool.lent_bytes() == 0);
}

TEST_CASE("a buffer moves with what it owns") {
  Buffer a = Buffer::copy_of(as_bytes("abc"));
  Buffer b = std::move(a);
  CHECK_FALSE(a);  // NOLINT: that is the point
  CHECK(as_text(b.view()) == "abc");
  b.resize(2);
  CHECK(as_text(b.view()) == "ab");
  b = Buffer::allocate(0);
  CHECK(b.size() == 0);
}

TEST_CASE("slices: total, truncate, gather") {
  const auto list = [] {
    SliceList slices = slices_of(Buffer::copy_of(as_bytes("abcd")));
    for (Slice& slice : slices_of(std::vector<std::byte>{std::byte{'e'}, std::byte{'f'}}))
      slices.push_back(slice);
    return slices;
  };
  CHECK(total_size(list()) == 6);
  for (std::size_t size = 0; size <= 8; ++size) {
    SliceList slices = list();
    truncate(slices, size);
    CHECK(as_text(gather(slices)) == std::string_view("abcdef").substr(0, size));
    for (const Slice& slice : slices) CHECK_FALSE(slice.bytes.empty());
  }
  CHECK(slices_of(std::vector<std::byte>{}).empty());
  CHECK(slices_of(Buffer()).empty());
}
