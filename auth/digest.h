// The hash behind a CHAP response. The only file of the room, with its .cc, that knows Crypto++.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "auth/access.h"

namespace auth {

// Bytes in a response, and in the challenges we make: 16, 20, 32, 32.
std::size_t digest_size(ChapAlgorithm algorithm);

// The algorithm with this CHAP_A number, if this library knows it.
std::optional<ChapAlgorithm> chap_algorithm(std::uint32_t number);

// H(identifier || secret || challenge) (RFC 1994 4.1).
std::vector<std::byte> chap_response(ChapAlgorithm algorithm, std::uint8_t identifier,
                                     const Secret& secret, std::span<const std::byte> challenge);

}  // namespace auth
