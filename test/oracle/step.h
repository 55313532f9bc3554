// What is done to the drive, and what must come back: both as values, so that a run can be replayed
// and cut down to the steps that matter.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace oracle {

using Data = std::vector<std::uint8_t>;
inline constexpr unsigned kPorts = 4;  // initiator ports, each with a session or without

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }  // 0 to n - 1
  bool chance(unsigned in_100) { return below(100) < in_100; }
  std::uint64_t pick(std::initializer_list<std::uint64_t> of) {
    return of.begin()[below(of.size())];
  }
  template <class T>
  T pick_as(std::initializer_list<T> of) {
    return of.begin()[below(of.size())];
  }

 private:
  std::mt19937_64 engine_;
};

// The bytes from `offset` on of what the write with this number sent.
inline void fill(std::uint8_t* into, std::uint64_t number, std::uint64_t offset, std::size_t size) {
  for (std::size_t i = 0; i < size;) {
    std::uint64_t word =
        (number + 1) * 0x9E3779B97F4A7C15 + ((offset + i) / 8) * 0xD1B54A32D192ED03;
    word ^= word >> 29;
    for (std::uint64_t byte = (offset + i) % 8; byte < 8 && i < size; ++byte, ++i)
      into[i] = static_cast<std::uint8_t>(word >> 8 * byte);
  }
}

struct Step {
  enum class Kind : std::uint8_t {
    kCommand,
    kLogin,  // value 1: it replaces a session that was lost
    kNexusLoss,
    kUnitReset,
    kTargetReset,
    kInsert,  // the robot brings cartridge `value`
    kRemove,
    kPowerOn,
  } kind = Kind::kCommand;
  std::uint8_t port = 0;
  std::array<std::uint8_t, 16> cdb{};
  std::uint32_t expected = 0;  // expected data transfer length, bytes
  bool writes = false;         // data-out: `list`, or if that is empty the pattern of write `value`
  Data list;
  std::uint64_t value = 0;

  std::uint64_t field(std::size_t byte, std::size_t width) const {
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < width; ++i) out = out << 8 | cdb[byte + i];
    return out;
  }
  std::string text() const;
};

// A piece of what some write sent: a block on the tape, or what a READ must bring of it.
struct Piece {
  std::uint64_t number = 0;  // of the write
  std::uint32_t offset = 0, size = 0;
};

// CHECK CONDITION with a deferred error (response code 71h).
inline constexpr std::uint8_t kDeferred = 0x71;

// The answer that one command must get.
struct Expect {
  std::uint8_t status = 0;  // 00 GOOD, 02 CHECK CONDITION, 18 RESERVATION CONFLICT; kDeferred
  std::uint8_t key = 0;
  std::uint16_t asc = 0;  // ASC and ASCQ
  bool filemark = false, end_of_medium = false, incorrect_length = false;
  enum class Information : std::uint8_t { kNone, kExact, kAny } rule = Information::kNone;
  std::int64_t information = 0;
  std::vector<std::uint32_t> also;  // key and ASC that do as well: documents leave it open
  std::uint32_t asks = 0;           // what the CDB asks to be transferred, bytes
  std::uint32_t takes = 0;          // data-out that the drive must fetch
  enum class DataIn : std::uint8_t { kNone, kPieces, kExact, kCheck } data = DataIn::kNone;
  std::vector<Piece> pieces;
  Data exact;
  std::function<std::string(const Data&)> check;  // what is wrong with it

  static Expect good() { return {}; }
  static Expect conflict() {
    Expect out;
    out.status = 0x18;
    return out;
  }
  static Expect sense(std::uint8_t key, std::uint16_t asc) {
    Expect out;
    out.status = 2;
    out.key = key;
    out.asc = asc;
    return out;
  }
  Expect& eom() { return end_of_medium = true, *this; }
  Expect& info(std::int64_t value) {
    rule = Information::kExact;
    information = value;
    return *this;
  }
  Expect& any_info() { return rule = Information::kAny, *this; }
  Expect& or_also(std::uint8_t other_key, std::uint16_t other) {
    also.push_back(static_cast<std::uint32_t>(other_key) << 16 | other);
    return *this;
  }
  Expect& brings(Data bytes) {
    data = DataIn::kExact;
    exact = std::move(bytes);
    return *this;
  }
  Expect& checked(std::function<std::string(const Data&)> by) {
    data = DataIn::kCheck;
    check = std::move(by);
    return *this;
  }
  std::string text() const;
};

inline constexpr std::uint16_t kInvalidField = 0x2400, kInvalidList = 0x2600, kListLength = 0x1A00;

}  // namespace oracle
