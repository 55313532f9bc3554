// The server's whole path but its socket, on one thread, for counting instructions: WRITEs or READs
// of 256 KiB through connection, drive and medium into files (the socket's copy is one memcpy
// here). test/bench/instructions runs it under callgrind, which counts only inside measured().
//
// usage: vtl_path unit|write|read DIRECTORY COUNT
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "scsi/buffer.h"
#include "scsi/crc32c.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/portal.h"
#include "transport/iscsi/text.h"
#include "vtl/cartridge/cartridge.h"
#include "vtl/cartridge/medium.h"
#include "vtl/daemon/devices.h"

namespace {

constexpr std::uint32_t kBlock = 262'144;
constexpr std::uint64_t kNow = 1'700'000'000'000;  // unix ms
constexpr const char* kTarget = "iqn.2026-11.local.vtl:path";

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "vtl_path: %s\n", what.c_str());
  std::exit(1);
}
template <class T>
T must(vtl::Result<T> result) {
  if (!result.ok()) fail(result.error().what);
  return std::move(*result);
}

// Runs jobs one after the other when it is told to: always in the same order.
class InlineExecutor final : public vtl::Executor {
 public:
  vtl::Strand make_strand(std::string_view) override { return {1}; }
  void close_strand(vtl::Strand) override {}
  void submit(vtl::Strand, vtl::Job job, vtl::Callback done) override {
    tasks_.push_back({std::move(job), std::move(done)});
  }
  void run() {
    while (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      {
        vtl::Job job = std::move(task.job);
        job();
      }
      task.done();
    }
  }

 private:
  struct Task {
    vtl::Job job;
    vtl::Callback done;
  };
  std::deque<Task> tasks_;
};

scsi::ssc::TapeDriveOptions drive_options() {
  scsi::ssc::TapeDriveOptions options;
  options.identity.vendor = "IBM";
  options.identity.product = "ULT3580-TD8";
  options.identity.revision = "0001";
  options.identity.serial = "PATH000001";
  options.identity.naa = {0x50, 0, 0, 0, 0, 0, 0, 1};
  options.identity.target_device_name = kTarget;
  options.identity.target_port_name = std::string(kTarget) + ",t,0x0001";
  options.now_ms = [] { return kNow; };
  return options;
}

class Path {
 public:
  explicit Path(const std::string& pool) : drive_(drive_options()) {
    must(vtl::create_pool(*files_, pool, {{}, kNow * 1'000'000}));
    vtl::CartridgeSpec spec;
    spec.barcode = "PATH01L8";
    spec.uuid[0] = std::byte{1};
    must(vtl::create_cartridge(*files_, pool, spec));
    vtl::MediumOptions options;
    options.now_ns = [] { return kNow * 1'000'000; };
    auto medium = vtl::make_medium(
        *files_, executor_,
        must(vtl::read_summary(*files_, vtl::cartridge_directory(pool, spec.barcode))), options);
    drive_.load(std::move(medium), [](const vtl::BayLoad& outcome) {
      if (!outcome.detail.empty()) fail(outcome.detail);
    });
    executor_.run();
    portal_.add_target(kTarget, "", drive_.target());
    connection_ = portal_.accept("192.0.2.1:3260", "192.0.2.2");
    login();
    while (command({}, 0, false) != 0) {  // unit attentions
    }
  }

  std::uint8_t command(std::initializer_list<std::uint8_t> cdb, std::uint32_t length, bool write) {
    iscsi::ScsiCommand request;
    request.final = true;
    request.read = length != 0 && !write;
    request.write = write;
    request.attribute = 1;
    request.task_tag = 1;
    request.expected_length = length;
    request.cmd_sn = cmd_sn_++;
    request.exp_stat_sn = exp_stat_sn_;
    std::size_t i = 0;
    for (const std::uint8_t byte : cdb) request.cdb[i++] = static_cast<std::byte>(byte);
    status_ = 0xFF;
    send(request.encode(), write ? scsi::Bytes(data_) : scsi::Bytes());
    while (status_ == 0xFF) turn();
    return status_;
  }

  void blocks(bool write, unsigned count) {
    const std::uint8_t operation = write ? 0x0A : 0x08;
    for (unsigned i = 0; i < count; ++i)
      if (command({operation, 0, kBlock >> 16, 0, 0}, kBlock, write) != 0) fail("a block failed");
  }

 private:
  void login() {
    std::string text;
    iscsi::append_text(text, "InitiatorName", "iqn.2026-11.local.bench:path");
    iscsi::append_text(text, "SessionType", "Normal");
    iscsi::append_text(text, "TargetName", kTarget);
    iscsi::append_text(text, "InitialR2T", "No");
    iscsi::append_text(text, "FirstBurstLength", "262144");
    iscsi::append_text(text, "MaxRecvDataSegmentLength", "262144");
    iscsi::LoginRequest request;
    request.transit = true;
    request.current = iscsi::Stage::kOperational;
    request.next = iscsi::Stage::kFullFeature;
    request.task_tag = 1;
    request.cmd_sn = cmd_sn_;
    send(request.encode(), scsi::as_bytes(text));
    turn();
    if (status_ != 0) fail("the login was refused");
  }

  void send(iscsi::Header header, scsi::Bytes data) {
    iscsi::set_data_length(header, static_cast<std::uint32_t>(data.size()));
    give(header);
    give(data);
    constexpr std::byte kPadding[4] = {};
    give(scsi::Bytes(kPadding).first(iscsi::padding_of(static_cast<std::uint32_t>(data.size()))));
  }
  // As the socket does, in pieces of what the connection has room for.
  void give(scsi::Bytes bytes) {
    while (!bytes.empty()) {
      const scsi::MutableBytes into = connection_->recv_span();
      if (into.empty()) fail("the connection takes nothing more");
      const std::size_t n = std::min(into.size(), bytes.size());
      std::memcpy(into.data(), bytes.data(), n);
      connection_->received(n, {});
      bytes = bytes.subspan(n);
    }
  }
  // The strands' work, then what there is to say to the initiator.
  void turn() {
    executor_.run();
    const auto spans = connection_->send_spans();
    std::size_t total = 0;
    for (const iovec& span : spans) total += span.iov_len;
    if (total == 0) fail("no answer");
    iscsi::Header header;
    std::memcpy(header.data(), spans[0].iov_base, header.size());
    switch (iscsi::opcode_of(header)) {
      case iscsi::Opcode::kLoginResponse:
        status_ = std::to_integer<std::uint8_t>(header[36]);
        break;
      case iscsi::Opcode::kScsiResponse:
      case iscsi::Opcode::kDataIn:
        status_ = std::to_integer<std::uint8_t>(header[3]);
        break;
      default:
        fail("an answer of an unexpected kind");
    }
    exp_stat_sn_ = scsi::ByteReader(scsi::Bytes(header).subspan(24)).u32() + 1;
    connection_->sent(total, {});
  }

  std::unique_ptr<vtl::FileSystem> files_ = vtl::make_posix_file_system();
  InlineExecutor executor_;
  scsi::BufferPool buffers_{{64u << 20, 64u << 20}};
  vtl::daemon::Drive drive_;
  auth::AccessPolicy policy_;
  iscsi::Portal portal_{
      {}, policy_, buffers_, [](scsi::MutableBytes) {}, [](iscsi::LogLevel, std::string_view) {}};
  std::unique_ptr<iscsi::Connection> connection_;
  std::vector<std::byte> data_ = std::vector<std::byte>(kBlock, std::byte{0x5A});
  std::uint32_t cmd_sn_ = 1, exp_stat_sn_ = 0;
  std::uint8_t status_ = 0xFF;
};

}  // namespace

// Not inlined, and with a name of its own: callgrind collects inside of it only.
extern "C" __attribute__((noinline)) void measured(Path* path, bool write, unsigned count);
void measured(Path* path, bool write, unsigned count) {
  if (path != nullptr) return path->blocks(write, count);
  // What one copy and one checksum cost on this machine.
  std::vector<std::byte> from(kBlock), to(kBlock);
  std::uint32_t crc = 0;
  for (unsigned i = 0; i < count; ++i) {
    std::memcpy(to.data(), from.data(), kBlock);
    from[i] ^= to[i] ^ std::byte{1};
    crc = scsi::crc32c(from, crc);
  }
  if (crc == 0) fail("a checksum of 0");  // so that it is computed
}

int main(int argc, char** argv) {
  const std::string mode = argc == 4 ? argv[1] : "";
  if (mode != "unit" && mode != "write" && mode != "read") {
    std::fputs("usage: vtl_path unit|write|read DIRECTORY COUNT\n", stderr);
    return 2;
  }
  const auto count = static_cast<unsigned>(std::strtoul(argv[3], nullptr, 10));
  if (mode == "unit") {
    measured(nullptr, false, count);
    return 0;
  }
  Path path(argv[2]);
  path.blocks(true, count);  // pools and queues have their size then
  if (mode == "read" && path.command({0x01}, 0, false) != 0) fail("REWIND failed");
  measured(&path, mode == "write", count);
  std::_Exit(0);  // nobody needs the tape
}
