#include "auth/digest.h"

// Crypto++ keeps MD5 behind this name: CHAP is what still needs it, and every initiator has it.
#define CRYPTOPP_ENABLE_NAMESPACE_WEAK 1
#include <cryptopp/md5.h>
#include <cryptopp/sha.h>
#include <cryptopp/sha3.h>

namespace auth {
namespace {

template <class Hash>
std::vector<std::byte> respond(std::uint8_t identifier, std::span<const std::byte> secret,
                               std::span<const std::byte> challenge) {
  Hash hash;
  const auto add = [&](std::span<const std::byte> bytes) {
    hash.Update(reinterpret_cast<const CryptoPP::byte*>(bytes.data()), bytes.size());
  };
  hash.Update(&identifier, 1);
  add(secret);
  add(challenge);
  std::vector<std::byte> out(hash.DigestSize());
  hash.Final(reinterpret_cast<CryptoPP::byte*>(out.data()));
  return out;
}

}  // namespace

std::size_t digest_size(ChapAlgorithm algorithm) {
  switch (algorithm) {
    case ChapAlgorithm::kMd5:
      return 16;
    case ChapAlgorithm::kSha1:
      return 20;
    case ChapAlgorithm::kSha256:
    case ChapAlgorithm::kSha3_256:
      return 32;
  }
  return 0;
}

std::optional<ChapAlgorithm> chap_algorithm(std::uint32_t number) {
  if (number < 5 || number > 8) return {};
  return static_cast<ChapAlgorithm>(number);
}

std::vector<std::byte> chap_response(ChapAlgorithm algorithm, std::uint8_t identifier,
                                     const Secret& secret, std::span<const std::byte> challenge) {
  switch (algorithm) {
    case ChapAlgorithm::kMd5:
      return respond<CryptoPP::Weak::MD5>(identifier, secret.bytes(), challenge);
    case ChapAlgorithm::kSha1:
      return respond<CryptoPP::SHA1>(identifier, secret.bytes(), challenge);
    case ChapAlgorithm::kSha256:
      return respond<CryptoPP::SHA256>(identifier, secret.bytes(), challenge);
    case ChapAlgorithm::kSha3_256:
      return respond<CryptoPP::SHA3_256>(identifier, secret.bytes(), challenge);
  }
  return {};
}

}  // namespace auth
