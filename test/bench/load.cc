// A load generator for tape targets: N sessions, each with `depth` commands of `block` bytes under
// way, from one thread. Prints one line of JSON. Works against any iSCSI target with a loaded tape
// at LUN `lun`.
//
// usage: vtl_load PORTAL write|read BLOCK_BYTES MEGABYTES_PER_SESSION DEPTH LUN IQN...
#include <poll.h>
#include <sys/resource.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const std::string& what, iscsi_context* iscsi = nullptr) {
  std::fprintf(stderr, "vtl_load: %s%s%s\n", what.c_str(), iscsi ? ": " : "",
               iscsi ? iscsi_get_error(iscsi) : "");
  std::exit(1);
}

struct Drive {
  iscsi_context* iscsi = nullptr;
  int lun = 0;
  bool writing = false;
  std::uint32_t block = 0;
  std::uint64_t to_send = 0;  // commands not yet sent
  std::uint64_t pending = 0;
  bool closing = false;  // the last filemark is under way
  std::vector<unsigned char> data;
  std::vector<std::vector<unsigned char>> buffers;  // one per command under way, for reads
  std::vector<std::size_t> free_buffers;

  bool finished() const { return to_send == 0 && pending == 0 && (!writing || closing); }
};

struct Sent {
  Drive* drive;
  std::size_t buffer;
};

void pump(Drive& drive, std::uint64_t depth);

scsi_task* make_task(std::initializer_list<unsigned char> cdb, int direction, int length) {
  auto* bytes = static_cast<unsigned char*>(std::calloc(1, 16));
  std::copy(cdb.begin(), cdb.end(), bytes);
  scsi_task* task = scsi_create_task(static_cast<int>(cdb.size()), bytes, direction, length);
  std::free(bytes);
  return task;
}

std::uint64_t g_depth = 1;

void done(iscsi_context* iscsi, int status, void* command_data, void* private_data) {
  std::unique_ptr<Sent> sent(static_cast<Sent*>(private_data));
  auto* task = static_cast<scsi_task*>(command_data);
  if (status != SCSI_STATUS_GOOD) fail("a command failed", iscsi);
  scsi_free_scsi_task(task);
  Drive& drive = *sent->drive;
  --drive.pending;
  if (sent->buffer != SIZE_MAX) drive.free_buffers.push_back(sent->buffer);
  pump(drive, g_depth);
}

void send(Drive& drive, scsi_task* task, iscsi_data* out, std::size_t buffer) {
  auto* sent = new Sent{&drive, buffer};
  if (iscsi_scsi_command_async(drive.iscsi, drive.lun, task, done, out, sent) != 0)
    fail("cannot send", drive.iscsi);
  ++drive.pending;
}

void pump(Drive& drive, std::uint64_t depth) {
  const auto n = drive.block;
  const auto b1 = static_cast<unsigned char>(n >> 16), b2 = static_cast<unsigned char>(n >> 8),
             b3 = static_cast<unsigned char>(n);
  while (drive.to_send > 0 && drive.pending < depth) {
    --drive.to_send;
    if (drive.writing) {
      iscsi_data out{n, drive.data.data()};
      send(drive, make_task({0x0A, 0, b1, b2, b3, 0}, SCSI_XFER_WRITE, static_cast<int>(n)), &out,
           SIZE_MAX);
    } else {
      scsi_task* task = make_task({0x08, 0, b1, b2, b3, 0}, SCSI_XFER_READ, static_cast<int>(n));
      const std::size_t buffer = drive.free_buffers.back();
      drive.free_buffers.pop_back();
      scsi_task_add_data_in_buffer(task, static_cast<int>(n), drive.buffers[buffer].data());
      send(drive, task, nullptr, buffer);
    }
  }
  if (drive.writing && drive.to_send == 0 && drive.pending == 0 && !drive.closing) {
    drive.closing = true;
    send(drive, make_task({0x10, 0, 0, 0, 1, 0}, SCSI_XFER_NONE, 0), nullptr, SIZE_MAX);
  }
}

void synchronous(Drive& drive, std::initializer_list<unsigned char> cdb, int tries) {
  for (; tries > 0; --tries) {
    scsi_task* task =
        iscsi_scsi_command_sync(drive.iscsi, drive.lun, make_task(cdb, SCSI_XFER_NONE, 0), nullptr);
    if (task == nullptr) fail("the connection broke", drive.iscsi);
    const int status = task->status;
    scsi_free_scsi_task(task);
    if (status == SCSI_STATUS_GOOD) return;
  }
  fail("the drive does not become ready", drive.iscsi);
}

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    std::fprintf(
        stderr,
        "usage: vtl_load PORTAL write|read BLOCK_BYTES MEGABYTES_PER_SESSION DEPTH LUN IQN...\n");
    return 2;
  }
  const std::string portal = argv[1];
  const bool writing = std::string(argv[2]) == "write";
  const auto block = static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10));
  const std::uint64_t bytes = std::strtoull(argv[4], nullptr, 10) * 1000000;
  g_depth = std::strtoull(argv[5], nullptr, 10);
  const int lun = static_cast<int>(std::strtol(argv[6], nullptr, 10));
  if (block == 0 || bytes < block || g_depth == 0) fail("sizes must be above zero");

  std::vector<std::unique_ptr<Drive>> drives;
  for (int i = 7; i < argc; ++i) {
    auto drive = std::make_unique<Drive>();
    drive->iscsi =
        iscsi_create_context(("iqn.2026-11.local.vtl:load-" + std::to_string(i)).c_str());
    drive->lun = lun;
    drive->writing = writing;
    drive->block = block;
    drive->to_send = bytes / block;
    if (writing) {
      drive->data.resize(block);
      std::uint64_t x = 0x9E3779B97F4A7C15u * static_cast<std::uint64_t>(i);  // does not compress
      for (auto& byte : drive->data) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        byte = static_cast<unsigned char>(x);
      }
    } else {
      drive->buffers.assign(g_depth, std::vector<unsigned char>(block));
      for (std::size_t b = 0; b < g_depth; ++b) drive->free_buffers.push_back(b);
    }
    iscsi_set_targetname(drive->iscsi, argv[i]);
    iscsi_set_session_type(drive->iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(drive->iscsi, ISCSI_HEADER_DIGEST_NONE);
    iscsi_set_noautoreconnect(drive->iscsi, 1);
    if (iscsi_connect_sync(drive->iscsi, portal.c_str()) != 0 ||
        iscsi_login_sync(drive->iscsi) != 0)
      fail(std::string("cannot log in to ") + argv[i], drive->iscsi);
    synchronous(*drive, {0x00, 0, 0, 0, 0, 0}, 5);  // takes the unit attentions
    synchronous(*drive, {0x01, 0, 0, 0, 0, 0}, 2);
    drives.push_back(std::move(drive));
  }

  const auto start = std::chrono::steady_clock::now();
  for (auto& drive : drives) pump(*drive, g_depth);
  std::vector<pollfd> fds(drives.size());
  for (;;) {
    bool all = true;
    for (std::size_t i = 0; i < drives.size(); ++i) {
      fds[i] = {iscsi_get_fd(drives[i]->iscsi),
                static_cast<short>(iscsi_which_events(drives[i]->iscsi)), 0};
      if (!drives[i]->finished()) all = false;
    }
    if (all) break;
    if (poll(fds.data(), fds.size(), 30000) <= 0) fail("nothing moved for 30 seconds");
    for (std::size_t i = 0; i < drives.size(); ++i) {
      if (fds[i].revents != 0 && iscsi_service(drives[i]->iscsi, fds[i].revents) < 0)
        fail("the connection broke", drives[i]->iscsi);
    }
  }
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double moved =
      static_cast<double>(bytes / block * block) * static_cast<double>(drives.size());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"bytes\": %.0f, \"seconds\": %.4f, \"mb_per_s\": %.1f, \"load_cpu_s\": %.3f}\n",
              moved, elapsed, moved / 1e6 / elapsed,
              seconds(usage.ru_utime) + seconds(usage.ru_stime));
  for (auto& drive : drives) {
    iscsi_logout_sync(drive->iscsi);
    iscsi_destroy_context(drive->iscsi);
  }
  return 0;
}
