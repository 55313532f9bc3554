// How a drive has a medium take and give blocks: logical block protection (SSC-5) and tape
// encryption (SSC-5). Values that cross TapeMedium.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "scsi/protection.h"
#include "scsi/secret.h"

namespace scsi::ssc {

// SSC-5, key-associated data: what a host has recorded with the blocks under a key, for whoever
// looks for the key.
struct KeyAssociatedData {
  std::uint8_t type = 0;  // 00h unauthenticated, 01h authenticated, 03h metadata
  std::vector<std::byte> value;
  friend bool operator==(const KeyAssociatedData&, const KeyAssociatedData&) = default;
};

// Data encryption parameters. Never changed once they are shared, so any thread may read them; the
// key is wiped when the last holder lets go.
struct Encryption {
  // The values are those of the Set Data Encryption page (SSC-5).
  enum class Write : std::uint8_t { kDisable = 0, kExternal = 1, kEncrypt = 2 };
  enum class Read : std::uint8_t { kDisable = 0, kRaw = 1, kDecrypt = 2, kMixed = 3 };
  enum class Check : std::uint8_t { kDefault = 0, kNone = 1, kNotExternal = 2, kNotEncrypt = 3 };

  Encryption() = default;
  Encryption(const Encryption&) = delete;
  Encryption& operator=(const Encryption&) = delete;

  Write write = Write::kDisable;
  Read read = Read::kDisable;
  Check check = Check::kDefault;  // CEEM: how the blocks that are read must have been written
  bool raw_readable = false;      // RDMC: blocks written now may be read in raw mode
  SecretKey key;
  std::vector<KeyAssociatedData> associated;  // ascending by type
};

// Why a block is not read, or not written.
enum class CipherRefusal : std::uint8_t {
  kNone,
  kNoKey,          // 7/74/01: encrypted, and decryption is off
  kNotEncrypted,   // 7/74/02: not encrypted, and only what is encrypted is to be read
  kWrongKey,       // 7/74/03
  kTampered,       // 7/74/04: the right key, and what it gives is not what was written
  kModeMismatch,   // 7/74/09: written in the mode that CEEM forbids
  kNotRaw,         // 7/74/0A: it was not marked for raw reading
  kNotCiphertext,  // 7/74/0B: to be written as it is, but nothing that raw reading gives
};

struct BlockHandling {
  // Of the blocks that write() brings: each is followed by its four bytes, which were checked.
  Protection written = Protection::kNone;
  // Of the blocks that read() gives: each is to be followed by its four bytes.
  Protection read = Protection::kNone;
  std::shared_ptr<const Encryption> encryption;  // null: none, either way
};

// What comes next on the tape, as page 0021h tells it.
struct NextBlock {
  enum class Kind { kBlock, kFilemark, kEndOfData, kUnreadable } kind = Kind::kBlock;
  bool compressed = false;
  bool encrypted = false;
  bool external = false;                         // written as it is, in external mode
  bool raw_readable = false;                     // it may be read in raw mode
  CipherRefusal refusal = CipherRefusal::kNone;  // of a read() now
  std::vector<KeyAssociatedData> associated;
};

}  // namespace scsi::ssc
