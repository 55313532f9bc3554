// Plays operations on a tape and remembers every state that a crash may leave behind: the tape must
// always be one of the states since the last operation that promised durability.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "scsi/crc32c.h"
#include "test/unit/cartridge/tape_fixture.h"

namespace vtl::test {

struct TapeEntry {
  std::uint32_t length = 0;  // 0: a filemark
  std::uint32_t crc = 0;
  friend bool operator==(const TapeEntry&, const TapeEntry&) = default;
};
using TapeState = std::vector<TapeEntry>;

inline TapeEntry entry_of(const std::string& text) {
  return {static_cast<std::uint32_t>(text.size()), scsi::crc32c(scsi::as_bytes(text))};
}

class Player {
 public:
  explicit Player(TapeDriver& driver) : tape(driver) {}

  TapeDriver& tape;
  TapeState now;
  std::vector<TapeState> states = {{}};
  std::size_t durable = 0;  // the first state that may still be found
  bool stopped = false;     // something has failed
  int told = 0;             // faults reported
  std::string trace;

  void load() {
    if (tape.load()) stopped = true;
  }
  void write(std::size_t length, WriteMode mode = WriteMode::kBuffered) {
    std::string text = block_text(++tag_, length);
    if (tag_ % 3 == 0) text.replace(length / 2, length, length - length / 2, 'z');  // compresses
    begin("w" + std::to_string(length));
    push(entry_of(text));
    ended(tape.write(text, mode), 1, mode);
  }
  void filemarks(std::uint32_t count, WriteMode mode) {
    const std::string what = "f" + std::to_string(count) + (mode == WriteMode::kDurable ? "!" : "");
    if (count != 0)
      begin(what);
    else
      trace += " " + what;
    for (std::uint32_t i = 0; i < count; ++i) push({});
    ended(tape.filemarks(count, mode), count, mode);
  }
  void flush(WriteMode mode) {
    trace += mode == WriteMode::kDurable ? " sync" : " flush";
    ended(tape.flush(mode), 0, mode);
  }
  void locate(std::uint64_t object) {
    trace += " l" + std::to_string(object);
    const SpaceOutcome out = tape.locate(object);
    if (out.fault)
      fail(*out.fault);
    else
      CHECK(tape.position().object == object);
  }
  void erase() {
    trace += " e" + std::to_string(tape.position().object);
    const auto at = static_cast<std::size_t>(tape.position().object);
    TapeState cut(now.begin(), now.begin() + static_cast<std::ptrdiff_t>(at));
    states.push_back(cut);
    const WriteOutcome out = tape.erase();
    now = cut;
    if (out.fault) return fail(*out.fault);
    durable = states.size() - 1;
  }
  void unload() {
    trace += " u";
    const WriteOutcome out = tape.unload();
    if (out.fault) {
      ++told;
      stopped = true;
      return;
    }
    durable = states.size() - 1;
  }

  // The whole tape as it reads.
  TapeState contents() {
    TapeState out;
    REQUIRE_FALSE(tape.locate(0).fault);
    while (true) {
      const ReadOutcome r = tape.read();
      if (r.stop == ReadOutcome::Stop::kEndOfData) break;
      if (r.fault) FAIL(trace + ": object " + std::to_string(out.size()) + ": " + r.fault->detail);
      out.push_back(r.stop == ReadOutcome::Stop::kFilemark ? TapeEntry{}
                                                           : entry_of(text_of(r.data)));
      REQUIRE(tape.position().object == out.size());
    }
    std::uint64_t marks = 0;
    for (const TapeEntry& e : out) marks += e.length == 0;
    CHECK(tape.position().filemarks == marks);
    CHECK(tape.medium->partition(0).end_of_data == out.size());
    CHECK(tape.medium->partition(0).filemarks == marks);
    return out;
  }
  // After a crash and a load: the tape is one of the states it may be in; go on from there.
  void check_recovered() {
    const TapeState found = contents();
    bool known = false;
    for (std::size_t i = durable; i < states.size(); ++i) known = known || states[i] == found;
    INFO(trace);
    INFO("found " << found.size() << " objects; durable " << states[durable].size() << ", last "
                  << states.back().size());
    REQUIRE(known);
    now = found;
    states = {found};
    durable = 0;
    stopped = false;
    told = 0;
    trace.clear();
  }

 private:
  void begin(const std::string& what) {
    trace += " " + what;
    const auto at = static_cast<std::size_t>(tape.position().object);
    if (at == now.size()) return;
    now.resize(at);
    states.push_back(now);
  }
  void push(TapeEntry entry) {
    now.push_back(entry);
    states.push_back(now);
  }
  void ended(const WriteOutcome& out, std::uint32_t count, WriteMode mode) {
    if (out.accepted < count) now.resize(now.size() - (count - out.accepted));
    if (out.fault) return fail(*out.fault);
    states.resize(states.size() - (count - out.accepted));  // refused, so never on the tape
    if (mode == WriteMode::kDurable && !out.full) durable = states.size() - 1;
  }
  void fail(const MediumFault& fault) {
    stopped = true;
    ++told;
    if (!tape.medium->append_failed()) return;
    const std::uint64_t end = tape.medium->partition(0).end_of_data;
    INFO(trace << ": " << fault.detail);
    CHECK(end + fault.objects_lost == std::max<std::uint64_t>(now.size(), end));
  }
  std::uint64_t tag_ = 0;
};

}  // namespace vtl::test
