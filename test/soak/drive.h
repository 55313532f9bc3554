// A host at a drive: writes, reads, spaces, locates, overwrites, and has its cartridge changed; and
// knows of every command what its answer must be.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <random>
#include <string>

#include "test/soak/robot.h"

namespace soak {

struct Totals {
  std::atomic<std::uint64_t> bytes_written{}, bytes_read{}, objects_written{}, objects_read{},
      positionings{}, overwrites{}, logins{};
};

// A thread of its own. Throws std::runtime_error when an answer is wrong.
class Drive {
 public:
  Drive(Library& library, Robot& robot, Totals& totals, int number, std::uint64_t seed);

  void work(const std::function<bool()>& over);
  // Then: of every cartridge that nobody else takes, all of it.
  void check_tapes();

 private:
  void change(Robot::Wanted wanted);
  void write_on();
  void write(std::uint32_t size);
  void write_filemarks_on();
  void overwrite();
  void read_on(std::uint64_t most);
  bool read_one();  // false: end of data
  void space_about();
  void locate(std::uint64_t object);
  void check_position();
  void expect(const CommandResult& result, const std::string& sense, const std::string& what);
  std::uint64_t below(std::uint64_t n) { return random_() % n; }

  Library& library_;
  Robot& robot_;
  Totals& totals_;
  const int number_;
  std::mt19937_64 random_;
  std::optional<Initiator> session_;
  Tape* tape_ = nullptr;
  std::uint64_t at_ = 0;  // object
};

}  // namespace soak
