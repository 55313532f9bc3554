// A pool with one cartridge in a memory file system, and its medium driven as a drive would, one
// call at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "scsi/ssc/medium.h"
#include "test/unit/cartridge/memory_files.h"
#include "test/unit/cartridge/seeded_executor.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/medium.h"
#include "vtl/cartridge/trash.h"

namespace vtl::test {

using namespace scsi::ssc;  // NOLINT

inline const std::string kPool = "/pool";
inline const std::string kDir = "/pool/carts/VTL001L8";

inline Uuid test_uuid(std::uint8_t last) {
  Uuid uuid{};
  uuid[0] = std::byte{0xA5};
  uuid[15] = std::byte{last};
  return uuid;
}

inline CartridgeSpec test_spec() {
  CartridgeSpec spec;
  spec.barcode = "VTL001L8";
  spec.capacity_bytes = 1ull << 30;
  spec.segment_mib = 1;
  spec.uuid = test_uuid(1);
  spec.created_ns = 1'700'000'000'000'000'000;
  return spec;
}

// Bytes that say which object they are of.
inline std::string block_text(std::uint64_t tag, std::size_t length) {
  std::string text(length, '\0');
  std::uint64_t x = tag * 0x9E3779B97F4A7C15ull + 1;
  for (char& c : text) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    c = static_cast<char>(x);
  }
  return text;
}

inline scsi::Buffer buffer_of(const std::string& text) {
  return scsi::Buffer::copy_of(scsi::as_bytes(text));
}
inline std::string text_of(const scsi::SliceList& slices) {
  const std::vector<std::byte> bytes = scsi::gather(slices);
  return std::string(scsi::as_text(bytes));
}

// Drives a medium to the end of each call.
class TapeDriver {
 public:
  TapeDriver(FileSystem& files, SeededExecutor& executor, MediumOptions options = {})
      : files_(files), executor_(executor), options_(std::move(options)) {
    options_.alert = [this](const MediumAlert& alert) {
      alert_kinds.push_back(alert.kind);
      if (!alert.text.empty()) alerts.push_back(alert.text);
    };
  }

  std::optional<MediumFault> load() {
    if (medium == nullptr) {
      const auto summary = read_summary(files_, kDir);
      if (!summary) return MediumFault{MediumFault::Kind::kFormatCorrupt, 0, summary.error().what};
      medium = make_medium(files_, executor_, *summary, options_);
    }
    return wait<LoadOutcome>([&](auto done) {
             medium->load({"IBM", "1234567890"}, std::move(done));
           })
        .fault;
  }
  WriteOutcome unload() {
    return wait<WriteOutcome>([&](auto done) { medium->unload(std::move(done)); });
  }
  WriteOutcome write(const std::string& text, WriteMode mode = WriteMode::kBuffered) {
    return write_run(text, static_cast<std::uint32_t>(text.size()), mode);
  }
  WriteOutcome write_run(const std::string& text, std::uint32_t block_length,
                         WriteMode mode = WriteMode::kBuffered) {
    return wait<WriteOutcome>(
        [&](auto done) { medium->write(buffer_of(text), block_length, mode, std::move(done)); });
  }
  WriteOutcome filemarks(std::uint32_t count, WriteMode mode = WriteMode::kDurable) {
    return wait<WriteOutcome>(
        [&](auto done) { medium->write_filemarks(count, mode, std::move(done)); });
  }
  WriteOutcome flush(WriteMode mode) {
    return wait<WriteOutcome>([&](auto done) { medium->flush(mode, std::move(done)); });
  }
  WriteOutcome erase() {
    return wait<WriteOutcome>([&](auto done) { medium->erase(std::move(done)); });
  }
  WriteOutcome format(std::vector<std::uint64_t> capacities) {
    return wait<WriteOutcome>(
        [&](auto done) { medium->format(std::move(capacities), std::move(done)); });
  }
  ReadOutcome read(std::uint32_t length = 1u << 24, std::uint32_t count = 1) {
    return wait<ReadOutcome>([&](auto done) { medium->read(length, count, std::move(done)); });
  }
  SpaceOutcome space(SpaceUnit unit, std::int64_t count) {
    return wait<SpaceOutcome>([&](auto done) { medium->space(unit, count, std::move(done)); });
  }
  SpaceOutcome locate(std::uint64_t object, std::uint32_t partition = 0) {
    return wait<SpaceOutcome>(
        [&](auto done) { medium->locate_object(partition, object, std::move(done)); });
  }
  SpaceOutcome locate_file(std::uint64_t file) {
    return wait<SpaceOutcome>([&](auto done) { medium->locate_file(0, file, std::move(done)); });
  }
  SpaceOutcome locate_end() {
    return wait<SpaceOutcome>([&](auto done) { medium->locate_end_of_data(0, std::move(done)); });
  }
  WriteOutcome attributes(std::vector<Attribute> list, std::uint32_t partition = 0) {
    return wait<WriteOutcome>([&](auto done) {
      medium->write_host_attributes(partition, std::move(list), std::move(done));
    });
  }
  Position position() const { return medium->position(); }
  std::optional<MediumFault> count_filemarks() {
    return wait<std::optional<MediumFault>>(
        [&](auto done) { medium->count_filemarks(std::move(done)); });
  }

  // The power goes: nothing that this process still had to say is said.
  void vanish() {
    medium.reset();
    executor_.forget();
  }

  std::unique_ptr<CartridgeMedium> medium;
  std::vector<std::string> alerts;
  std::vector<MediumAlert::Kind> alert_kinds;

 private:
  template <class Outcome, class Call>
  Outcome wait(Call call) {
    std::optional<Outcome> result;
    call(scsi::Done<Outcome>([&](Outcome outcome) { result = std::move(outcome); }));
    while (!result && executor_.step()) {
    }
    VTL_CHECK(result.has_value());
    return std::move(*result);
  }
  FileSystem& files_;
  SeededExecutor& executor_;
  MediumOptions options_;
};

struct TapeFixture {
  explicit TapeFixture(std::uint32_t seed = 1, CartridgeSpec spec = test_spec(),
                       MediumOptions options = {})
      : files(seed),
        executor(seed),
        trash(executor, files, kPool),
        tape(files, executor, with_trash(trash, std::move(options))) {
    VTL_CHECK(create_pool(files, kPool, {test_uuid(9), 1}).ok());
    VTL_CHECK(create_cartridge(files, kPool, spec).ok());
    VTL_CHECK(files.sync_directory("").ok());  // the pool's own name
  }
  MemoryFiles files;
  SeededExecutor executor;
  Trash trash;
  TapeDriver tape;

 private:
  static MediumOptions with_trash(Trash& trash, MediumOptions options) {
    options.discarded = [&trash] { trash.empty(); };
    return options;
  }
};

}  // namespace vtl::test
