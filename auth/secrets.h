// A CHAP secret: wiped when it goes, compared in constant time, never printed.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace auth {

// Owns the characters of one secret. There is no stream operator and no conversion to text on
// purpose: the only way out is bytes(), which the digest needs. Copies are independent and each is
// wiped. Any thread, one at a time.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  Secret(const Secret& other);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret other) noexcept;
  ~Secret();

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  bool operator==(const Secret& other) const;  // constant time

  // Windows' initiator takes 12 to 16 characters only, and RFC 7143 12.1.3 wants 96 bits at least.
  static constexpr std::size_t kMinLength = 12;
  static constexpr std::size_t kMaxLength = 16;
  // Where no such initiator is: open-iscsi takes 255.
  static constexpr std::size_t kMaxLongLength = 255;

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Overwrites memory in a way that the compiler does not take out.
void wipe(std::span<std::byte> memory);

// Takes the same time whatever the contents; different lengths are unequal at once.
bool equal_constant_time(std::span<const std::byte> a, std::span<const std::byte> b);

// Why a secret can't be used ("is 8 characters long; 12 to 16 are needed"), or nothing. Never
// quotes the secret.
std::optional<std::string> secret_problem(const Secret& secret,
                                          std::size_t max_length = Secret::kMaxLength);

}  // namespace auth
