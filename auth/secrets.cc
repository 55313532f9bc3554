#include "auth/secrets.h"

#include <cstring>
#include <utility>

namespace auth {

void wipe(std::span<std::byte> memory) {
  volatile std::byte* p = memory.data();
  for (std::size_t i = 0; i < memory.size(); ++i) p[i] = std::byte{0};
}

bool equal_constant_time(std::span<const std::byte> a, std::span<const std::byte> b) {
  if (a.size() != b.size()) return false;
  // volatile: the compiler may not find out that one difference decides everything.
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = static_cast<std::uint8_t>(difference | std::to_integer<std::uint8_t>(a[i] ^ b[i]));
  return difference == 0;
}

// Not a std::string: its small-string buffer and its growth leave copies behind.
Secret::Secret(std::string_view text) {
  if (text.empty()) return;
  data_ = new std::byte[text.size()];
  size_ = text.size();
  std::memcpy(data_, text.data(), size_);
}

Secret::Secret(const Secret& other)
    : Secret(std::string_view(reinterpret_cast<const char*>(other.data_), other.size_)) {}

Secret::Secret(Secret&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() {
  wipe({data_, size_});
  delete[] data_;
}

bool Secret::operator==(const Secret& other) const {
  return equal_constant_time(bytes(), other.bytes());
}

std::optional<std::string> secret_problem(const Secret& secret, std::size_t max_length) {
  if (secret.size() >= Secret::kMinLength && secret.size() <= max_length) return {};
  return "is " + std::to_string(secret.size()) + " characters long; " +
         std::to_string(Secret::kMinLength) + " to " + std::to_string(max_length) + " are needed";
}

}  // namespace auth
