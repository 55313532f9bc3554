// A tape in memory to import into and export from, and random tapes.
#pragma once

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "../library/memory_files.h"
#include "vtl/interchange/format.h"

namespace tapes {

using vtl::TapeObject;
using Block = std::vector<std::byte>;

struct Object {
  bool filemark = false;
  Block data;
  friend bool operator==(const Object&, const Object&) = default;
};
using Tape = std::vector<Object>;

inline Object mark() { return {true, {}}; }
inline Object block(std::size_t size, unsigned seed = 1) {
  Object object;
  object.data.resize(size);
  std::mt19937 engine(seed);
  for (std::byte& byte : object.data) byte = static_cast<std::byte>(engine());
  return object;
}

class TapeWriter final : public vtl::CartridgeWriter {
 public:
  Tape tape;
  std::size_t room = SIZE_MAX;  // objects
  vtl::Status write_block(scsi::Bytes data) override {
    REQUIRE(!data.empty());
    REQUIRE(data.size() <= vtl::kMaxBlockBytes);
    if (tape.size() >= room) return vtl::IoError{ENOSPC, "the cartridge is full"};
    tape.push_back({false, Block(data.begin(), data.end())});
    return vtl::ok_status();
  }
  vtl::Status write_filemark() override {
    if (tape.size() >= room) return vtl::IoError{ENOSPC, "the cartridge is full"};
    tape.push_back(mark());
    return vtl::ok_status();
  }
  vtl::Status finish() override {
    FAIL("a format does not finish the cartridge");
    return vtl::ok_status();
  }
};

class TapeReader final : public vtl::CartridgeReader {
 public:
  explicit TapeReader(const Tape& tape) : tape_(tape) {}
  std::size_t damaged_at = SIZE_MAX;
  TapeObject next() override {
    TapeObject object;
    if (at_ == tape_.size()) return object;
    const Object& source = tape_[at_];
    if (at_++ == damaged_at) {
      object.kind = TapeObject::Kind::kDamaged;
      object.detail = "its checksum is wrong";
      return object;
    }
    // A fresh copy each time: who keeps the last one's bytes is caught by the sanitizer.
    copy_ = std::make_unique<Block>(source.data);
    object.kind = source.filemark ? TapeObject::Kind::kFilemark : TapeObject::Kind::kBlock;
    object.data = *copy_;
    return object;
  }
  std::uint64_t position() const override { return at_; }
  std::uint64_t end_of_data() const override { return tape_.size(); }

 private:
  const Tape& tape_;
  std::size_t at_ = 0;
  std::unique_ptr<Block> copy_;
};

struct RandomTape {
  std::size_t objects = 60;
  std::size_t largest = 3000;
  bool filemarks = true;
};
inline Tape random_tape(unsigned seed, RandomTape options = {}) {
  std::mt19937 engine(seed);
  const auto random = [&](std::size_t n) { return static_cast<std::size_t>(engine()) % n; };
  Tape tape;
  std::size_t size = 1 + random(options.largest);
  while (tape.size() < options.objects) {
    if (options.filemarks && random(5) == 0) {
      for (std::size_t i = 0, n = 1 + (random(4) == 0 ? random(4) : 0); i < n; ++i)
        tape.push_back(mark());
      continue;
    }
    if (random(3) == 0) size = 1 + random(options.largest);
    tape.push_back(block(size, static_cast<unsigned>(engine())));
  }
  return tape;
}

struct World {
  MemoryFiles files;
  World() { (void)files.make_directory("/x"); }
  vtl::interchange::Report import_from(const char* format, const std::string& path, Tape& tape,
                                       vtl::interchange::ImportOptions options = {}) {
    TapeWriter writer;
    auto report =
        vtl::interchange::find_format(format)->import_tape(files, path, options, writer, {});
    tape = std::move(writer.tape);
    return report;
  }
  vtl::interchange::Report export_to(const char* format, const Tape& tape, const std::string& path,
                                     vtl::interchange::ExportOptions options = {}) {
    TapeReader reader(tape);
    return vtl::interchange::find_format(format)->export_tape(files, reader, path, options, {});
  }
};

inline std::uint64_t bytes_of(const Tape& tape) {
  std::uint64_t bytes = 0;
  for (const Object& object : tape) bytes += object.data.size();
  return bytes;
}

}  // namespace tapes
