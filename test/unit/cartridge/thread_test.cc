// The real file system and real threads: several drives at once, each on a strand of its own.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "test/unit/cartridge/tape_fixture.h"
#include "vtl/cartridge/executor.h"

using namespace vtl;
using namespace vtl::test;

namespace {

// The loop: runs what is posted to it, on this thread.
class Loop {
 public:
  void post(Callback callback) {
    {
      const std::lock_guard lock(mutex_);
      posted_.push_back(std::move(callback));
    }
    wake_.notify_one();
  }
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) {
      Callback next;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return !posted_.empty(); });
        next = std::move(posted_.front());
        posted_.pop_front();
      }
      next();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Callback> posted_;
};

struct TemporaryDirectory {
  TemporaryDirectory() {
    char name[] = "/tmp/vtl-cartridge-XXXXXX";
    VTL_CHECK(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~TemporaryDirectory() { VTL_CHECK(::system(("rm -rf " + path).c_str()) == 0); }
  std::string path;
};

// One drive that writes a tape and reads it back, a step at a time, as its callbacks come.
class Drive {
 public:
  Drive(FileSystem& files, Executor& executor, const std::string& dir, std::uint64_t tag)
      : tag_(tag), medium_(make_medium(files, executor, *read_summary(files, dir), options(tag))) {
    medium_->load({"TEST", "SERIAL"}, [this](LoadOutcome out) {
      CHECK_FALSE(out.fault);
      write();
    });
  }
  bool finished() const { return finished_; }

 private:
  static constexpr std::uint64_t kBlocks = 60;
  // One compresses nothing, two do, and have a strand more each.
  static MediumOptions options(std::uint64_t tag) {
    MediumOptions o;
    o.compression = static_cast<Compression>(tag);
    o.queue_bytes = 2u << 20;
    o.hard_water_bytes = 1;
    return o;
  }
  std::string block(std::uint64_t i) const {
    return block_text(tag_ * 1000 + i, 128u << 10) + std::string(128u << 10, 'x');
  }
  void write() {
    if (count_ == kBlocks)
      return medium_->write_filemarks(1, WriteMode::kDurable, [this](WriteOutcome out) {
        CHECK_FALSE(out.fault);
        medium_->locate_object(0, 0, [this](SpaceOutcome) { read(); });
      });
    medium_->write(buffer_of(block(count_++)), 256u << 10, WriteMode::kBuffered,
                   [this](WriteOutcome out) {
                     CHECK_FALSE(out.fault);
                     write();
                   });
  }
  void read() {
    medium_->read(256u << 10, 1, [this](ReadOutcome out) {
      if (out.stop == ReadOutcome::Stop::kFilemark)
        return medium_->unload([this](WriteOutcome end) {
          CHECK_FALSE(end.fault);
          CHECK(read_ == kBlocks);
          finished_ = true;
        });
      if (text_of(out.data) == block(read_)) ++read_;
      read();
    });
  }
  std::uint64_t tag_;
  std::unique_ptr<CartridgeMedium> medium_;
  std::uint64_t count_ = 0, read_ = 0;
  bool finished_ = false;
};

}  // namespace

TEST_CASE("Drives side by side on real threads and files") {
  TemporaryDirectory directory;
  const auto files = make_posix_file_system();
  REQUIRE(create_pool(*files, directory.path + "/pool", {test_uuid(9), 1}));
  Loop loop;
  {
    const auto executor =
        make_thread_executor([&loop](Callback callback) { loop.post(std::move(callback)); });
    std::vector<std::unique_ptr<Drive>> drives;
    for (std::uint8_t i = 0; i < 3; ++i) {
      CartridgeSpec spec = test_spec();
      spec.barcode = "VTL10" + std::to_string(i) + "L8";
      spec.uuid = test_uuid(static_cast<std::uint8_t>(i + 1));
      spec.segment_mib = 4;
      REQUIRE(create_cartridge(*files, directory.path + "/pool", spec));
      drives.push_back(std::make_unique<Drive>(
          *files, *executor, cartridge_directory(directory.path + "/pool", spec.barcode), i));
    }
    loop.run_until([&] {
      return std::all_of(drives.begin(), drives.end(), [](const auto& d) { return d->finished(); });
    });
  }
  const auto report =
      verify_cartridge(*files, cartridge_directory(directory.path + "/pool", "VTL101L8"));
  REQUIRE(report);
  CHECK(report->damage.empty());
  CHECK(report->blocks == 60);
}

TEST_CASE("The operating system's files: errors are values") {
  TemporaryDirectory directory;
  const auto files = make_posix_file_system();
  const std::string path = directory.path + "/file";
  CHECK(files->open(path, FileSystem::Mode::kRead).error().code == ENOENT);
  {
    auto file = files->open(path, FileSystem::Mode::kCreate);
    REQUIRE(file);
    CHECK((*file)->pwrite(scsi::as_bytes("hello"), 3));
    CHECK(*(*file)->size() == 8);
    std::array<std::byte, 16> bytes{};
    CHECK(*(*file)->pread(bytes, 3) == 5);
    CHECK((*file)->fdatasync());
    CHECK((*file)->truncate(4));
    CHECK(*(*file)->size() == 4);
  }
  CHECK(files->open(path, FileSystem::Mode::kCreate).error().code == EEXIST);
  CHECK(*files->exists(path));
  CHECK(files->list(directory.path)->size() == 1);
  CHECK(files->make_directory(directory.path + "/d"));
  CHECK(files->make_directory(directory.path + "/d"));
  CHECK(files->rename(path, directory.path + "/d/file"));
  CHECK(files->sync_directory(directory.path + "/d"));
  CHECK_FALSE(files->remove(directory.path + "/d"));
  CHECK(files->space(directory.path)->total_bytes > 0);
  {
    const auto lock = files->lock(directory.path + "/LOCK");
    REQUIRE(lock);
    CHECK(files->lock(directory.path + "/LOCK").error().code == EAGAIN);
  }
  CHECK(files->lock(directory.path + "/LOCK"));
}
