// Big-endian cursors for everything that goes over a wire or onto a disk.
//
// Both cursors have a sticky failure: after the first access past the end every later read gives
// zero, every later write does nothing, and ok() is false. So a decoder reads all its fields and
// checks once. Value types without a thread of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace scsi {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(take(1)); }
  std::uint16_t u16() { return static_cast<std::uint16_t>(take(2)); }
  std::uint32_t u24() { return static_cast<std::uint32_t>(take(3)); }
  std::uint32_t u32() { return static_cast<std::uint32_t>(take(4)); }
  std::uint64_t u48() { return take(6); }
  std::uint64_t u64() { return take(8); }
  // The next n bytes; empty, and the cursor failed, if there are fewer.
  Bytes bytes(std::size_t n) {
    if (!reserve(n)) return {};
    Bytes out = bytes_.subspan(position_, n);
    position_ += n;
    return out;
  }
  void skip(std::size_t n) { bytes(n); }

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return ok_ ? bytes_.size() - position_ : 0; }

 private:
  bool reserve(std::size_t n) {
    if (!ok_ || n > bytes_.size() - position_) ok_ = false;
    return ok_;
  }
  std::uint64_t take(std::size_t n) {
    if (!reserve(n)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < n; ++i)
      value = value << 8 | std::to_integer<std::uint64_t>(bytes_[position_ + i]);
    position_ += n;
    return value;
  }

  Bytes bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// Writes into memory of a fixed size that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes bytes) : bytes_(bytes) {}

  ByteWriter& u8(std::uint64_t v) { return put(v, 1); }
  ByteWriter& u16(std::uint64_t v) { return put(v, 2); }
  ByteWriter& u24(std::uint64_t v) { return put(v, 3); }
  ByteWriter& u32(std::uint64_t v) { return put(v, 4); }
  ByteWriter& u48(std::uint64_t v) { return put(v, 6); }
  ByteWriter& u64(std::uint64_t v) { return put(v, 8); }
  ByteWriter& bytes(Bytes source) {
    if (reserve(source.size()) && !source.empty()) {
      std::memcpy(bytes_.data() + position_, source.data(), source.size());
      position_ += source.size();
    }
    return *this;
  }
  ByteWriter& zeros(std::size_t n) {
    if (reserve(n) && n != 0) {
      std::memset(bytes_.data() + position_, 0, n);
      position_ += n;
    }
    return *this;
  }

  bool ok() const { return ok_; }
  std::size_t position() const { return position_; }

 private:
  bool reserve(std::size_t n) {
    if (!ok_ || n > bytes_.size() - position_) ok_ = false;
    return ok_;
  }
  ByteWriter& put(std::uint64_t v, std::size_t n) {
    if (reserve(n)) {
      for (std::size_t i = 0; i < n; ++i)
        bytes_[position_ + i] = static_cast<std::byte>(v >> (8 * (n - 1 - i)));
      position_ += n;
    }
    return *this;
  }

  MutableBytes bytes_;
  std::size_t position_ = 0;
  bool ok_ = true;
};

// Grows a vector: for pages and parameter lists, whose length is known only at their end.
class ByteBuilder {
 public:
  ByteBuilder& u8(std::uint64_t v) { return put(v, 1); }
  ByteBuilder& u16(std::uint64_t v) { return put(v, 2); }
  ByteBuilder& u24(std::uint64_t v) { return put(v, 3); }
  ByteBuilder& u32(std::uint64_t v) { return put(v, 4); }
  ByteBuilder& u48(std::uint64_t v) { return put(v, 6); }
  ByteBuilder& u64(std::uint64_t v) { return put(v, 8); }
  ByteBuilder& bytes(Bytes source) {
    out_.insert(out_.end(), source.begin(), source.end());
    return *this;
  }
  ByteBuilder& zeros(std::size_t n) {
    out_.resize(out_.size() + n);
    return *this;
  }
  // ASCII, left-justified in a field of n bytes, padded with spaces, cut off if longer
  // (SPC-4 4.3.1).
  ByteBuilder& ascii(std::string_view text, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      out_.push_back(static_cast<std::byte>(i < text.size() ? text[i] : ' '));
    return *this;
  }
  // Overwrites `width` bytes at `offset`: a length field that precedes what it counts.
  void patch(std::size_t offset, std::uint64_t v, std::size_t width) {
    for (std::size_t i = 0; i < width; ++i)
      out_[offset + i] = static_cast<std::byte>(v >> (8 * (width - 1 - i)));
  }
  std::size_t size() const { return out_.size(); }
  Bytes view() const { return out_; }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  ByteBuilder& put(std::uint64_t v, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      out_.push_back(static_cast<std::byte>(v >> (8 * (n - 1 - i))));
    return *this;
  }
  std::vector<std::byte> out_;
};

}  // namespace scsi
