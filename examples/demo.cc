// vtl-demo: what a backup program does, in 300 lines. Attaches to a running server with libiscsi,
// has the changer load a blank tape, writes a stream of files with filemarks, rewinds, reads it
// back, compares, erases what it wrote and puts the tape away. A tape that holds data is left as it
// is.
//
// usage: vtl-demo [ADDR:PORT] [MEGABYTES]       default 127.0.0.1:3260, 1024
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

namespace {

constexpr std::size_t kBlock = 256 * 1024;
constexpr int kFiles = 8;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "vtl-demo: %s\n", what.c_str());
  std::exit(1);
}

using Bytes = std::vector<unsigned char>;

// A session with one target.
class Device {
 public:
  Device(const std::string& portal, const std::string& target)
      : iscsi_(iscsi_create_context("iqn.2026-11.local.vtl:demo")), target_(target) {
    iscsi_set_session_type(iscsi_, ISCSI_SESSION_NORMAL);
    iscsi_set_targetname(iscsi_, target.c_str());
    if (iscsi_connect_sync(iscsi_, portal.c_str()) != 0 || iscsi_login_sync(iscsi_) != 0) {
      fail("login to " + target + ": " + iscsi_get_error(iscsi_));
    }
    // A new session is told first that things may have changed.
    while (command({0, 0, 0, 0, 0, 0}).key == SCSI_SENSE_UNIT_ATTENTION) {
    }
  }
  ~Device() {
    iscsi_logout_sync(iscsi_);
    iscsi_destroy_context(iscsi_);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  struct Answer {
    bool good = false;
    int key = -1, ascq = 0;
    bool filemark = false;
    Bytes data;
  };
  Answer command(std::initializer_list<int> cdb, std::size_t expected = 0,
                 const Bytes* send = nullptr) {
    Bytes bytes(16);
    std::size_t at = 0;
    for (const int value : cdb) bytes[at++] = static_cast<unsigned char>(value);
    const int direction = send != nullptr ? SCSI_XFER_WRITE
                          : expected > 0  ? SCSI_XFER_READ
                                          : SCSI_XFER_NONE;
    const std::size_t size = send != nullptr ? send->size() : expected;
    scsi_task* task = scsi_create_task(static_cast<int>(cdb.size()), bytes.data(), direction,
                                       static_cast<int>(size));
    iscsi_data out{size, const_cast<unsigned char*>(send != nullptr ? send->data() : nullptr)};
    if (iscsi_scsi_command_sync(iscsi_, 0, task, send != nullptr ? &out : nullptr) == nullptr) {
      fail(target_ + ": " + iscsi_get_error(iscsi_));
    }
    Answer answer;
    answer.good = task->status == SCSI_STATUS_GOOD;
    if (task->status == SCSI_STATUS_CHECK_CONDITION) {
      answer.key = task->sense.key;
      answer.ascq = task->sense.ascq;
      // Behind a length of two bytes comes the sense data; its byte 2 has the FILEMARK bit.
      answer.filemark = task->datain.size > 4 && (task->datain.data[4] & 0x80) != 0;
    } else if (task->datain.size > 0) {
      answer.data.assign(task->datain.data, task->datain.data + task->datain.size);
    }
    scsi_free_scsi_task(task);
    return answer;
  }
  // The same, for what has to succeed.
  Answer must(const char* what, std::initializer_list<int> cdb, std::size_t expected = 0,
              const Bytes* send = nullptr) {
    Answer answer = command(cdb, expected, send);
    if (!answer.good) {
      char text[64];
      std::snprintf(text, sizeof text, ": sense %X/%02X/%02X", static_cast<unsigned>(answer.key),
                    static_cast<unsigned>(answer.ascq >> 8),
                    static_cast<unsigned>(answer.ascq & 0xff));
      fail(target_ + ": " + what + text);
    }
    return answer;
  }

 private:
  iscsi_context* iscsi_;
  std::string target_;
};

std::vector<std::string> discover(const std::string& portal) {
  iscsi_context* iscsi = iscsi_create_context("iqn.2026-11.local.vtl:demo");
  iscsi_set_session_type(iscsi, ISCSI_SESSION_DISCOVERY);
  if (iscsi_connect_sync(iscsi, portal.c_str()) != 0 || iscsi_login_sync(iscsi) != 0) {
    fail("no server at " + portal + ": " + iscsi_get_error(iscsi));
  }
  iscsi_discovery_address* found = iscsi_discovery_sync(iscsi);
  if (found == nullptr) fail(std::string("SendTargets: ") + iscsi_get_error(iscsi));
  std::vector<std::string> names;
  for (const auto* one = found; one != nullptr; one = one->next) names.push_back(one->target_name);
  iscsi_free_discovery_data(iscsi, found);
  iscsi_logout_sync(iscsi);
  iscsi_destroy_context(iscsi);
  return names;
}

// READ ELEMENT STATUS (SMC-3 6.10): address and barcode of every element of one type; a barcode is
// empty where there is no cartridge.
struct Element {
  int address;
  std::string barcode;
};
std::vector<Element> elements(Device& changer, int type) {
  const Bytes data = changer
                         .must("READ ELEMENT STATUS",
                               {0xb8, 0x10 | type, 0, 0, 0xff, 0xff, 0, 2, 0, 0, 0, 0}, 0x20000)
                         .data;
  const auto word = [&](std::size_t at) { return data.at(at) << 8 | data.at(at + 1); };
  std::vector<Element> out;
  std::size_t at = 8;
  while (at + 8 <= data.size()) {  // a page for each type
    const auto length = static_cast<std::size_t>(word(at + 2));
    const auto size =
        static_cast<std::size_t>(data.at(at + 5)) << 16 | static_cast<std::size_t>(word(at + 6));
    for (std::size_t d = at + 8; length > 0 && d + length <= at + 8 + size; d += length) {
      std::string barcode;
      if ((data.at(d + 2) & 1) != 0) {
        barcode.assign(data.begin() + static_cast<std::ptrdiff_t>(d + 12),
                       data.begin() + static_cast<std::ptrdiff_t>(d + 44));
        barcode.erase(barcode.find_last_not_of(' ') + 1);
      }
      out.push_back({word(d), barcode});
    }
    at += 8 + size;
  }
  return out;
}

void move(Device& changer, int from, int to) {
  changer.must("MOVE MEDIUM",
               {0xa5, 0, 0, 0, from >> 8, from & 0xff, to >> 8, to & 0xff, 0, 0, 0, 0});
}

// Whether the tape in the drive holds nothing: its first READ finds end of data, 8/00/05.
bool blank(Device& drive) {
  drive.must("REWIND", {0x01, 0, 0, 0, 0, 0});
  const Device::Answer read = drive.command({0x08, 0, 0, 2, 0, 0}, 512);
  return !read.good && read.key == SCSI_SENSE_BLANK_CHECK && read.ascq == 0x0005;
}

// Loads a cartridge that holds nothing, and says which.
Element load_blank(Device& changer, const std::string& portal, const std::string& drive_name,
                   int drive_address) {
  for (const Element& slot : elements(changer, 2)) {
    if (slot.barcode.empty()) continue;
    std::printf("load   %s from element %d into drive element %d\n", slot.barcode.c_str(),
                slot.address, drive_address);
    move(changer, slot.address, drive_address);
    {
      Device drive(portal, drive_name);
      if (blank(drive)) return slot;
    }
    std::printf("unload %s to element %d: it holds data\n", slot.barcode.c_str(), slot.address);
    move(changer, drive_address, slot.address);
  }
  fail("there is no blank cartridge in any slot; make one: vtl cartridge create");
}

// Block n of the stream: differs from every other one.
void fill(Bytes& block, std::uint64_t n) {
  std::uint64_t state = n * 0x9e3779b97f4a7c15u + 1;
  for (std::size_t i = 0; i + 8 <= block.size(); i += 8) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(block.data() + i, &state, 8);
  }
}

// Runs `work`, which moves `blocks` blocks, and prints how fast that was. Making and comparing the
// data counts for neither side, so `work` returns the seconds that it spent on that.
template <class Work>
void timed(const char* what, std::uint64_t blocks, Work work) {
  const auto begun = std::chrono::steady_clock::now();
  const double own = work();
  const double took =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count() - own;
  const double megabytes = static_cast<double>(blocks * kBlock) / 1e6;
  std::printf("%-6s %7.0f MB in %6.2f s: %6.0f MB/s\n", what, megabytes, took, megabytes / took);
}

class Stopwatch {
 public:
  void start() { begun_ = std::chrono::steady_clock::now(); }
  void stop() {
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }
  double seconds() const { return seconds_; }

 private:
  std::chrono::steady_clock::time_point begun_;
  double seconds_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string portal = argc > 1 ? argv[1] : "127.0.0.1:3260";
  const long megabytes = argc > 2 ? std::strtol(argv[2], nullptr, 10) : 1024;
  if (argc > 3 || megabytes < 1) {
    std::fprintf(stderr, "usage: vtl-demo [ADDR:PORT] [MEGABYTES]\n");
    return 2;
  }
  std::string changer_name, drive_name;
  for (const std::string& name : discover(portal)) {
    if (name.find("mediachanger") != std::string::npos) changer_name = name;
    if (name.find("tapedrive-01") != std::string::npos) drive_name = name;
  }
  if (changer_name.empty() || drive_name.empty()) fail(portal + " has no changer and first drive");

  Device changer(portal, changer_name);
  const Element drive_element = elements(changer, 4).at(0);
  if (!drive_element.barcode.empty()) fail("the first drive is full: " + drive_element.barcode);
  const Element slot = load_blank(changer, portal, drive_name, drive_element.address);

  const auto per_file =
      std::max<std::uint64_t>(1, static_cast<std::uint64_t>(megabytes) * 1000000 / kBlock / kFiles);
  const std::uint64_t blocks = per_file * kFiles;
  {
    Device drive(portal, drive_name);
    drive.must("REWIND", {0x01, 0, 0, 0, 0, 0});
    Bytes block(kBlock), expected(kBlock);
    constexpr int kHigh = kBlock >> 16 & 0xff, kMiddle = kBlock >> 8 & 0xff, kLow = kBlock & 0xff;
    timed("write", blocks, [&] {
      Stopwatch making;
      for (std::uint64_t n = 0; n < blocks; ++n) {
        making.start();
        fill(block, n);
        making.stop();
        drive.must("WRITE", {0x0a, 0, kHigh, kMiddle, kLow, 0}, 0, &block);
        if ((n + 1) % per_file == 0) drive.must("WRITE FILEMARKS", {0x10, 0, 0, 0, 1, 0});
      }
      return making.seconds();
    });
    drive.must("REWIND", {0x01, 0, 0, 0, 0, 0});
    timed("read", blocks, [&] {
      Stopwatch comparing;
      for (std::uint64_t n = 0; n < blocks; ++n) {
        const Device::Answer read = drive.must("READ", {0x08, 0, kHigh, kMiddle, kLow, 0}, kBlock);
        comparing.start();
        fill(expected, n);
        if (read.data != expected) fail("block " + std::to_string(n) + " is not what was written");
        comparing.stop();
        if ((n + 1) % per_file == 0 &&
            !drive.command({0x08, 0, kHigh, kMiddle, kLow, 0}, kBlock).filemark) {
          fail("a filemark is missing");
        }
      }
      return comparing.seconds();
    });
    std::printf("equal  %llu blocks of %zu KiB in %d files\n",
                static_cast<unsigned long long>(blocks), kBlock / 1024, kFiles);
    drive.must("REWIND", {0x01, 0, 0, 0, 0, 0});
    drive.must("ERASE", {0x19, 0, 0, 0, 0, 0});
  }
  move(changer, drive_element.address, slot.address);
  std::printf("unload %s to element %d\n", slot.barcode.c_str(), slot.address);
  return 0;
}
