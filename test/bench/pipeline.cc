// The storage alone, without drives, protocol and network: what test/bench compares the server
// with. One loop thread writes to media, or reads from them, and each has its strand, as in the
// daemon. Also makes the large tape that the latencies are measured on.
//
// usage: vtl_pipeline write|read POOL DRIVES BLOCK MEGABYTES_PER_DRIVE
//        vtl_pipeline fill CARTRIDGE BLOCKS FILEMARKS BLOCK   and waits to be killed
//        vtl_pipeline load CARTRIDGE                          then unloads
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "transport/net/loop.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/medium.h"

namespace {

using scsi::ssc::ReadOutcome;
using scsi::ssc::SpaceOutcome;
using scsi::ssc::WriteMode;
using scsi::ssc::WriteOutcome;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "vtl_pipeline: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T&& must(vtl::Result<T>&& result) {
  if (!result.ok()) fail(result.error().what);
  return std::move(result.value());
}
void must(const std::optional<scsi::ssc::MediumFault>& fault) {
  if (fault) fail(fault->detail);
}

std::uint64_t unix_ns() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Storage {
  std::unique_ptr<vtl::FileSystem> files = vtl::make_posix_file_system();
  scsi::BufferPool buffers{{192u << 20, 64u << 20}};  // as the daemon's
  net::Loop loop;
  std::unique_ptr<vtl::Executor> executor = vtl::make_thread_executor(
      [this](scsi::Callback callback) { loop.post(std::move(callback)); });

  std::unique_ptr<vtl::CartridgeMedium> medium(const std::string& directory) {
    vtl::MediumOptions options;
    options.now_ns = unix_ns;
    options.alert = [](const vtl::MediumAlert& alert) {
      if (alert.kind != vtl::MediumAlert::Kind::kLoaded)
        std::fprintf(stderr, "%s\n", alert.text.c_str());
    };
    return vtl::make_medium(*files, *executor, must(vtl::read_summary(*files, directory)),
                            std::move(options));
  }
  // Runs the loop until what was begun has ended.
  template <class Begin>
  void wait(Begin begin) {
    bool ended = false;
    begin([this, &ended] {
      ended = true;
      loop.stop();
    });
    if (!ended) loop.run();
  }
};

// One drive's stream: the next block when the last one is accepted, or has come.
class Stream final : private net::Deferred {
 public:
  Stream(Storage& storage, unsigned number, std::unique_ptr<vtl::CartridgeMedium> medium_,
         std::uint32_t block, std::uint64_t count, std::function<void()> ended)
      : medium(std::move(medium_)),
        storage_(storage),
        number_(number),
        block_(block),
        left_(count),
        ended_(std::move(ended)) {}
  void start(bool writing) {
    writing_ = writing;
    storage_.loop.defer(*this);
  }
  const std::unique_ptr<vtl::CartridgeMedium> medium;

 private:
  // Deferred, so that it does not get deeper into the stack with every block, and because a buffer
  // may come from deep inside another medium.
  void run_deferred() override {
    if (buffer_) return write();
    if (left_ == 0) return finish();
    --left_;
    if (!writing_) return read();
    storage_.buffers.take(number_, block_, [this](scsi::Buffer buffer) {
      buffer_ = std::move(buffer);
      storage_.loop.defer(*this);
    });
  }
  // What is in the buffer is written: to receive it is the network's part.
  void write() {
    medium->write(std::move(buffer_), block_, WriteMode::kBuffered,
                  [this](const WriteOutcome& outcome) {
                    must(outcome.fault);
                    if (outcome.accepted != 1) fail("the tape is full");
                    storage_.loop.defer(*this);
                  });
  }
  void read() {
    medium->read(block_, 1, [this](const ReadOutcome& outcome) {
      must(outcome.fault);
      if (outcome.blocks != 1) fail("a block is missing: write first, and as much");
      storage_.loop.defer(*this);
    });
  }
  void finish() {
    if (!writing_) return ended_();
    medium->write_filemarks(1, WriteMode::kDurable, [this](const WriteOutcome& outcome) {
      must(outcome.fault);
      ended_();
    });
  }

  Storage& storage_;
  const unsigned number_;
  const std::uint32_t block_;
  std::uint64_t left_;
  const std::function<void()> ended_;
  scsi::Buffer buffer_;
  bool writing_ = false;
};

std::unique_ptr<vtl::CartridgeMedium> loaded(Storage& storage, const std::string& directory) {
  auto medium = storage.medium(directory);
  storage.wait([&](auto stop) {
    medium->load({"VTL", "BENCH"}, [stop](const scsi::ssc::LoadOutcome& outcome) {
      must(outcome.fault);
      stop();
    });
  });
  return medium;
}

void unload(Storage& storage, vtl::CartridgeMedium& medium) {
  storage.wait([&](auto stop) {
    medium.unload([stop](const WriteOutcome& outcome) {
      must(outcome.fault);
      stop();
    });
  });
}

int stream(bool writing, const std::string& pool, unsigned drives, std::uint32_t block,
           std::uint64_t megabytes) {
  Storage storage;
  if (!must(storage.files->exists(pool)))
    must(vtl::create_pool(*storage.files, pool, {{}, unix_ns()}));
  std::vector<std::unique_ptr<Stream>> streams;
  unsigned running = drives;
  for (unsigned i = 0; i < drives; ++i) {
    vtl::CartridgeSpec spec;
    spec.barcode = "BEN" + std::to_string(100 + i) + "L8";
    spec.uuid[0] = static_cast<std::byte>(i + 1);
    spec.created_ns = unix_ns();
    const std::string directory = vtl::cartridge_directory(pool, spec.barcode);
    if (!must(storage.files->exists(directory)))
      must(vtl::create_cartridge(*storage.files, pool, spec));
    streams.push_back(std::make_unique<Stream>(storage, i, loaded(storage, directory), block,
                                               megabytes * 1'000'000 / block, [&] {
                                                 if (--running == 0) storage.loop.stop();
                                               }));
  }
  if (writing) {  // what was on the tapes is not in the way of the measurement
    for (auto& each : streams)
      storage.wait([&](auto stop) {
        each->medium->erase([stop](const WriteOutcome& outcome) {
          must(outcome.fault);
          stop();
        });
      });
    must(vtl::empty_trash(*storage.files, pool));
  }
  const double bytes = static_cast<double>(megabytes * 1'000'000 / block * block) * drives;
  const double cpu = cpu_seconds();
  const auto start = Clock::now();
  for (auto& each : streams) each->start(writing);
  storage.loop.run();
  const double elapsed = seconds_since(start);
  std::printf("{\"bytes\": %.0f, \"seconds\": %.4f, \"mb_per_s\": %.1f, \"cpu_s_per_gb\": %.4f}\n",
              bytes, elapsed, bytes / 1e6 / elapsed, (cpu_seconds() - cpu) / (bytes / 1e9));
  for (auto& each : streams) unload(storage, *each->medium);
  return 0;
}

// Half of the objects are blocks; in the other half a filemark follows every few blocks.
int fill(const std::string& directory, std::uint64_t blocks, std::uint64_t filemarks,
         std::uint32_t block) {
  Storage storage;
  auto medium = loaded(storage, directory);
  const auto write = [&](std::uint64_t count) {
    while (count != 0) {
      const auto run = std::min<std::uint64_t>(count, (256u << 10) / block);
      scsi::Buffer buffer = scsi::Buffer::allocate(run * block);
      buffer.resize(run * block);
      storage.wait([&](auto stop) {
        medium->write(std::move(buffer), block, WriteMode::kBuffered,
                      [stop, run](const WriteOutcome& outcome) {
                        must(outcome.fault);
                        if (outcome.accepted != run) fail("the tape is full");
                        stop();
                      });
      });
      count -= run;
    }
  };
  const auto filemark = [&](WriteMode mode) {
    storage.wait([&](auto stop) {
      medium->write_filemarks(1, mode, [stop](const WriteOutcome& outcome) {
        must(outcome.fault);
        stop();
      });
    });
  };
  storage.wait([&](auto stop) {
    medium->locate_end_of_data(0, [stop](const SpaceOutcome& outcome) {
      must(outcome.fault);
      stop();
    });
  });
  const std::uint64_t first = (blocks + filemarks) / 2, rest = blocks - first;
  write(first);
  for (std::uint64_t i = 0; i < filemarks; ++i) {
    write(rest * (i + 1) / filemarks - rest * i / filemarks);
    filemark(i + 1 == filemarks ? WriteMode::kDurable : WriteMode::kBuffered);
  }
  if (filemarks == 0) filemark(WriteMode::kDurable);
  std::printf("filled\n");
  std::fflush(stdout);
  for (;;) pause();
}

int load(const std::string& directory) {
  Storage storage;
  const auto start = Clock::now();
  auto medium = loaded(storage, directory);
  const double elapsed = seconds_since(start);
  const auto info = medium->partition(0);
  std::printf("{\"load_ms\": %.3f, \"objects\": %llu, \"filemarks\": %llu}\n", elapsed * 1e3,
              static_cast<unsigned long long>(info.end_of_data),
              static_cast<unsigned long long>(info.filemarks));
  unload(storage, *medium);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 2 ? argv[1] : "";
  const auto number = [&](int i) { return std::strtoull(argv[i], nullptr, 10); };
  if (argc == 6 && (mode == "write" || mode == "read"))
    return stream(mode == "write", argv[2], static_cast<unsigned>(number(3)),
                  static_cast<std::uint32_t>(number(4)), number(5));
  if (argc == 6 && mode == "fill")
    return fill(argv[2], number(3), number(4), static_cast<std::uint32_t>(number(5)));
  if (argc == 3 && mode == "load") return load(argv[2]);
  std::fputs(
      "usage: vtl_pipeline write|read POOL DRIVES BLOCK MEGABYTES_PER_DRIVE\n"
      "       vtl_pipeline fill CARTRIDGE BLOCKS FILEMARKS BLOCK\n"
      "       vtl_pipeline load CARTRIDGE\n",
      stderr);
  return 2;
}
