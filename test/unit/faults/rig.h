// What a host sees of a failing disk: a drive, a cartridge in it, and beneath both a file system in
// memory that can fail, forget and be edited. Commands go in as CDBs, answers come out as sense
// data.
#pragma once

#include <catch2/catch.hpp>
#include <cstdio>
#include <map>

#include "scsi/ssc/tape_drive.h"
#include "test/unit/cartridge/tape_fixture.h"
#include "test/unit/support/recorder.h"

namespace vtl::test {

using ::test::Ended;
using Cdb = std::vector<std::uint8_t>;

// The status; of CHECK CONDITION the sense data, as the bytes that were sent say it:
// "3/0C/00 EOM info=2 deferred".
inline std::string told(const Ended& end) {
  if (end.aborted) return "aborted";
  if (end.reply.status == scsi::SamStatus::kGood) return "GOOD";
  if (!end.reply.sense) return "status " + std::to_string(static_cast<int>(end.reply.status));
  const std::vector<std::byte> bytes = end.reply.sense->encode_fixed();
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(bytes[i]); };
  char text[16];
  std::snprintf(text, sizeof text, "%X/%02X/%02X", at(2) & 15, at(12), at(13));
  std::string out = text;
  if ((at(2) & 0x80) != 0) out += " FM";
  if ((at(2) & 0x40) != 0) out += " EOM";
  if ((at(2) & 0x20) != 0) out += " ILI";
  if ((at(0) & 0x80) != 0)
    out += " info=" + std::to_string(at(3) << 24 | at(4) << 16 | at(5) << 8 | at(6));
  if ((at(0) & 0x7F) == 0x71) out += " deferred";
  return out;
}

// Can keep a strand from running, as a disk that does not answer does.
class SlowExecutor final : public Executor {
 public:
  Strand make_strand(std::string_view name) override {
    last = inner.make_strand(name);
    return last;
  }
  void close_strand(Strand strand) override { inner.close_strand(strand); }
  void submit(Strand strand, Job job, Callback done) override {
    if (held && held->id == strand.id)
      waiting_.push_back({std::move(job), std::move(done)});
    else
      inner.submit(strand, std::move(job), std::move(done));
  }
  void release() {
    const Strand strand = *std::exchange(held, std::nullopt);
    for (auto& [job, done] : waiting_) inner.submit(strand, std::move(job), std::move(done));
    waiting_.clear();
  }

  SeededExecutor inner;
  std::optional<Strand> held;
  Strand last{};

 private:
  std::vector<std::pair<Job, Callback>> waiting_;
};

inline constexpr scsi::NexusId kHost{1, 1}, kOther{2, 1};
inline constexpr std::size_t kBlockBytes = 100'000;  // ten to a segment

class Drive {
 public:
  Drive(MemoryFiles& file_system, SlowExecutor& runner, const std::string& cartridge = kDir)
      : files(file_system), executor(runner), drive(options()), sink(drive), directory_(cartridge) {
    for (const scsi::NexusId nexus : {kHost, kOther}) {
      scsi::NexusInfo info;
      info.id = nexus;
      info.transport_id = ::test::bytes({0x45, static_cast<int>(nexus.slot)});
      drive.nexus_established(info);
      drain(nexus);
    }
  }

  // The robot brings the cartridge, or takes it away.
  void insert(MediumOptions medium_options = {}) {
    const auto summary = read_summary(files, directory_);
    REQUIRE(summary);
    medium_options.alert = [this](const MediumAlert& alert) {
      if (alert.kind != MediumAlert::Kind::kLoaded) alerts.push_back(alert.text);
    };
    auto made = make_medium(files, executor, *summary, std::move(medium_options));
    medium = made.get();
    drive.insert(std::move(made), [](scsi::ssc::InsertOutcome) {});
    executor.inner.run();
  }
  void remove() {
    drive.remove([this](scsi::ssc::RemoveOutcome out) { removed_ = std::move(out.medium); });
    executor.inner.run();
    REQUIRE(removed_);
    removed_.reset();
    medium = nullptr;
  }
  // With a cartridge, loaded, and nothing to be told any more.
  void load(MediumOptions medium_options = {}) {
    insert(std::move(medium_options));
    drain(kHost);
    drain(kOther);
    CHECK(test_unit_ready() == "GOOD");
  }
  std::string load_again() {
    const std::string answer = command({0x1B, 0, 0, 0, 1});
    drain(kOther);
    return answer;
  }
  std::string unload() { return command({0x1B, 0, 0, 0, 0}); }

  // Waits for its end.
  Ended run(const Cdb& cdb, scsi::NexusId nexus = kHost, std::uint32_t data_in = 0) {
    sink.submit(nexus, cdb, data_in);
    return finish();
  }
  std::string command(const Cdb& cdb, scsi::NexusId nexus = kHost) { return told(run(cdb, nexus)); }
  std::string test_unit_ready(scsi::NexusId nexus = kHost) { return command({0x00}, nexus); }
  // Block number i, whose content says so.
  std::string write(std::uint64_t i, scsi::NexusId nexus = kHost) {
    submit_write(i, nexus);
    return told(finish());
  }
  void submit_write(std::uint64_t i, scsi::NexusId nexus = kHost) {
    const std::string text = block_text(i, kBlockBytes);
    names[text] = "b" + std::to_string(i);
    const scsi::Bytes data = scsi::as_bytes(text);
    sink.submit(nexus, {0x0A, 0, kBlockBytes >> 16, kBlockBytes >> 8 & 255, kBlockBytes & 255, 0},
                0, std::vector<std::byte>(data.begin(), data.end()));
  }
  std::string filemarks(std::uint8_t count, scsi::NexusId nexus = kHost) {
    return command({0x10, 0, 0, 0, count, 0}, nexus);
  }
  std::string erase() { return command({0x19}); }
  std::string locate(std::uint8_t object) { return command({0x2B, 0, 0, 0, 0, 0, object}); }
  // READ of the block's length: its name, "|" for a filemark, or what else was told.
  std::string read() {
    const Ended end = run({0x08, 0, kBlockBytes >> 16, kBlockBytes >> 8 & 255, kBlockBytes & 255},
                          kHost, kBlockBytes);
    if (end.reply.status != scsi::SamStatus::kGood)
      return told(end) == "0/00/01 FM info=100000" ? "|" : told(end);
    const auto name = names.find(text_of(end.reply.data_in));
    return name == names.end() ? "something else" : name->second;
  }
  // All of it from the beginning, up to end of data.
  std::string tape() {
    REQUIRE(command({0x01}) == "GOOD");
    std::string out;
    for (std::string object; (object = read()) != "8/00/05 info=100000";)
      out += (out.empty() ? "" : " ") + object;
    return out;
  }
  // READ POSITION, long form: "object/filemarks".
  std::string position() {
    const std::vector<std::byte> data = run({0x34, 6}, kHost, 32).data();
    scsi::ByteReader r(data);
    r.skip(8);
    const std::uint64_t object = r.u64();
    return std::to_string(object) + "/" + std::to_string(r.u64());
  }
  bool write_protected() {  // MODE SENSE, WP
    const std::vector<std::byte> header = run({0x1A, 0, 0x3F, 0, 4}, kHost, 4).data();
    return (header[2] & std::byte{0x80}) != std::byte{};
  }
  // TapeAlert: page 2Eh, flags that are up and were not read by this host yet.
  std::vector<unsigned> tape_alerts() {
    const std::vector<std::byte> page =
        run({0x4D, 0, 0x40 | 0x2E, 0, 0, 0, 0, 0x10, 0}, kHost, 4096).data();
    std::vector<unsigned> out;
    scsi::ByteReader r(page);
    for (r.skip(4); r.remaining() >= 5;) {
      const unsigned flag = r.u16();
      r.skip(2);
      if (r.u8() != 0) out.push_back(flag);
    }
    return out;
  }
  bool alerted(const std::string& part) const {
    for (const std::string& alert : alerts)
      if (alert.find(part) != std::string::npos) return true;
    return false;
  }
  // The end of what was submitted.
  Ended finish() {
    while (sink.ended.empty() && executor.inner.step()) {
    }
    REQUIRE(sink.ended.size() == 1);
    Ended end = std::move(sink.ended.back());
    sink.ended.clear();
    return end;
  }
  // What waits for a batch goes out; all that can happen happens.
  void settle() {
    medium->settle();
    executor.inner.run();
  }

  MemoryFiles& files;
  SlowExecutor& executor;
  scsi::ssc::TapeDrive drive;
  ::test::Recorder sink;
  CartridgeMedium* medium = nullptr;
  std::vector<std::string> alerts;
  std::map<std::string, std::string> names;  // of what was written, by content

 private:
  static scsi::ssc::TapeDriveOptions options() {
    scsi::ssc::TapeDriveOptions o;
    o.identity.vendor = "IBM";
    o.identity.product = "ULT3580-TD8";
    o.identity.serial = "VTL0000001";
    return o;
  }
  void drain(scsi::NexusId nexus) {
    while (test_unit_ready(nexus).starts_with("6/")) {
    }
  }
  std::string directory_;
  std::unique_ptr<scsi::ssc::TapeMedium> removed_;
};

struct Rig {
  explicit Rig(std::uint32_t seed = 1) : files(seed) {
    VTL_CHECK(create_pool(files, kPool, {test_uuid(9), 1}).ok());
    VTL_CHECK(create_cartridge(files, kPool, test_spec()).ok());
    VTL_CHECK(files.sync_directory("").ok());
    host.emplace(files, executor);
  }
  // The process dies, the system does not; another process begins.
  void kill() {
    restart([this] { files.kill(); });
  }
  void cut_power(double survival) {
    restart([this, survival] { files.crash(survival); });
  }
  void write(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t i = from; i < to; ++i) REQUIRE(host->write(i) == "GOOD");
  }
  void flip(const std::string& path, std::size_t at) {
    files.edit(path, [&](std::vector<std::byte>& bytes) { bytes[at] ^= std::byte{0x10}; });
  }
  // Where block i begins: a segment file, and the offset in it.
  std::pair<std::string, std::size_t> find(std::uint64_t i) {
    const std::string start = block_text(i, kBlockBytes).substr(0, 64);
    for (const std::string& path : files.find(".seg")) {
      std::size_t at = std::string::npos;
      files.edit(path, [&](auto& bytes) { at = scsi::as_text(bytes).find(start); });
      if (at != std::string::npos) return {path, at};
    }
    FAIL("block " << i << " is nowhere");
    return {};
  }
  std::size_t size(const std::string& path) {
    std::size_t n = 0;
    files.edit(path, [&](auto& bytes) { n = bytes.size(); });
    return n;
  }
  void lose_segment_tables() {
    for (const std::string& table : files.find("SEGTAB")) files.unlink(table);
  }
  // "b<from> ... b<to-1>"
  static std::string blocks(std::uint64_t from, std::uint64_t to) {
    std::string out;
    for (; from < to; ++from) out += (out.empty() ? "b" : " b") + std::to_string(from);
    return out;
  }

  MemoryFiles files;
  SlowExecutor executor;
  std::optional<Drive> host;

 private:
  template <class End>
  void restart(End end) {
    std::map<std::string, std::string> names = std::move(host->names);
    host.reset();
    executor.inner.forget();
    end();
    host.emplace(files, executor);
    host->names = std::move(names);
  }
};

}  // namespace vtl::test
