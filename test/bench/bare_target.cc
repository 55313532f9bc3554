// The least that a tape target can do: one thread, one epoll, a file per target; each block is one
// recv of header and data, one pwrite (or pread) and one send of header, data and status. It checks
// nothing, keeps its index in memory and loses it at the end: a limit to measure against, not a
// tape. Blocks of up to 256 KiB, sent as immediate data; no digests.
//
// usage: vtl_bare PORT DIRECTORY
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "test/bench/wire.h"

namespace {

using bench::get, bench::get32, bench::put, bench::kHeader, bench::kSegment;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// A PDU with its data segment. Given back after each PDU, so that few are in use and those are in
// the cache.
class Buffers {
 public:
  static constexpr std::size_t kSize = kHeader + kSegment;
  std::uint8_t* take() {
    if (free_.empty()) return static_cast<std::uint8_t*>(std::aligned_alloc(4096, kSegment + 4096));
    std::uint8_t* out = free_.back();
    free_.pop_back();
    return out;
  }
  void give_back(std::uint8_t*& buffer) {
    if (buffer != nullptr) free_.push_back(buffer);
    buffer = nullptr;
  }

 private:
  std::vector<std::uint8_t*> free_;
};

struct Tape {
  explicit Tape(const std::string& path)
      : fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600)) {
    if (fd < 0) fail(path.c_str());
  }
  struct Object {
    std::uint64_t offset;
    std::uint32_t length;  // 0: a filemark
  };
  int fd;
  std::vector<Object> objects;
  std::size_t position = 0;
  std::uint64_t end = 0;  // of the file

  // What follows the position is discarded.
  std::uint64_t append(std::uint32_t length) {
    if (position < objects.size()) {
      end = objects[position].offset;
      objects.resize(position);
      if (ftruncate(fd, static_cast<off_t>(end)) != 0) fail("ftruncate");
    }
    objects.push_back({end, length});
    end += length;
    return objects[position++].offset;
  }
};

enum Opcode : std::uint8_t { kNopOut = 0, kCommand = 1, kLogin = 3, kLogout = 6 };

class Connection {
 public:
  Connection(int fd, Buffers& buffers, std::map<std::string, std::unique_ptr<Tape>>& tapes,
             std::string directory)
      : fd_(fd), buffers_(buffers), tapes_(tapes), directory_(std::move(directory)) {
    const int one = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  ~Connection() {
    buffers_.give_back(in_);
    buffers_.give_back(out_);
    close(fd_);
  }

  // False: it is over. Takes nothing more while an answer waits for room in the socket.
  bool ready() {
    if (out_ != nullptr && !send()) return false;
    if (out_ != nullptr) return true;
    if (in_ == nullptr) in_ = buffers_.take();
    // The next PDU is expected to be as long as the last one.
    const std::size_t want = received_ < kHeader ? kHeader + expected_ : size_of(in_);
    if (want > Buffers::kSize) return false;
    if (want > received_) {
      const ssize_t n = recv(fd_, in_ + received_, want - received_, 0);
      if (n == 0 || (n < 0 && errno != EAGAIN)) return false;
      if (n > 0) received_ += static_cast<std::size_t>(n);
    }
    while (out_ == nullptr && received_ >= kHeader && received_ >= size_of(in_)) {
      const std::size_t size = size_of(in_);
      if (!handle()) return false;
      expected_ = size - kHeader;
      received_ -= size;
      if (received_ != 0) std::memmove(in_, in_ + size, received_);
      if (out_ != nullptr && !send()) return false;
    }
    if (received_ == 0) buffers_.give_back(in_);
    return true;
  }
  bool wants_to_send() const { return out_ != nullptr; }
  int fd() const { return fd_; }
  bool waits_for_output = false;  // as epoll has been told

 private:
  static std::size_t size_of(const std::uint8_t* pdu) {
    return kHeader + 4u * pdu[4] + ((get(pdu + 5, 3) + 3) & ~3ull);
  }

  bool send() {
    while (sent_ < to_send_) {
      const ssize_t n = ::send(fd_, out_ + sent_, to_send_ - sent_, MSG_NOSIGNAL);
      if (n < 0) return errno == EAGAIN;
      sent_ += static_cast<std::size_t>(n);
    }
    buffers_.give_back(out_);
    return true;
  }

  // The header of an answer; the data segment follows at out_ + kHeader.
  void answer(std::uint8_t opcode, std::uint8_t flags, std::size_t data) {
    if (out_ == nullptr) out_ = buffers_.take();
    std::memset(out_, 0, kHeader);
    out_[0] = opcode;
    out_[1] = flags;
    put(out_ + 5, data, 3);
    std::memcpy(out_ + 16, in_ + 16, 4);  // initiator task tag
    put(out_ + 24, stat_sn_++, 4);
    put(out_ + 28, exp_cmd_sn_, 4);
    put(out_ + 32, exp_cmd_sn_ + 31, 4);
    sent_ = 0;
    to_send_ = kHeader + ((data + 3) & ~std::size_t{3});
  }

  bool handle() {
    const std::uint8_t opcode = in_[0] & 0x3F;
    if ((in_[0] & 0x40) == 0) exp_cmd_sn_ = get32(in_ + 24) + 1;  // not immediate
    if (opcode == kLogin) return login();
    if (opcode == kCommand) {
      command();
    } else if (opcode == kLogout) {
      answer(0x26, 0x80, 0);
    } else if (opcode != kNopOut) {
      return false;
    } else if (get32(in_ + 16) != 0xFFFFFFFF) {  // a ping
      answer(0x20, 0x80, 0);
      put(out_ + 20, 0xFFFFFFFF, 4);
    }
    return true;
  }

  // RFC 7143 11.13. Every key that is negotiated here has one answer.
  bool login() {
    exp_cmd_sn_ = get32(in_ + 24);
    const std::string_view offered(reinterpret_cast<char*>(in_) + kHeader, get(in_ + 5, 3));
    std::string text;
    const auto add = [&text](std::string_view key, std::string_view value) {
      text.append(key).append("=").append(value).push_back('\0');
    };
    constexpr std::string_view kAnswers[][2] = {
        {"AuthMethod", "None"},       {"HeaderDigest", "None"},      {"DataDigest", "None"},
        {"InitialR2T", "No"},         {"ImmediateData", "Yes"},      {"FirstBurstLength", "262144"},
        {"MaxBurstLength", "262144"}, {"MaxConnections", "1"},       {"MaxOutstandingR2T", "1"},
        {"DefaultTime2Wait", "2"},    {"DefaultTime2Retain", "0"},   {"ErrorRecoveryLevel", "0"},
        {"DataPDUInOrder", "Yes"},    {"DataSequenceInOrder", "Yes"}};
    for (std::size_t at = 0; at < offered.size();) {
      const std::size_t end = std::min(offered.find('\0', at), offered.size());
      const std::string_view pair = offered.substr(at, end - at);
      const std::string_view key = pair.substr(0, pair.find('='));
      for (const auto& known : kAnswers)
        if (known[0] == key) add(key, known[1]);
      if (key == "TargetName") {
        const std::string name(pair.substr(key.size() + 1));
        auto& tape = tapes_[name];
        if (tape == nullptr) tape = std::make_unique<Tape>(directory_ + "/" + name);
        tape_ = tape.get();
      }
      at = end + 1;
    }
    if (tape_ == nullptr) return false;
    add("TargetPortalGroupTag", "1");
    if ((in_[1] & 0x0C) == 0x04) add("MaxRecvDataSegmentLength", std::to_string(kSegment));
    answer(0x23, in_[1], text.size());
    std::memcpy(out_ + 8, in_ + 8, 6);  // ISID
    put(out_ + 14, 1, 2);               // TSIH
    std::memcpy(out_ + kHeader, text.data(), text.size());
    return true;
  }

  // SCSI Response (RFC 7143 11.4); sense key and additional sense code, fixed format.
  void status(std::uint8_t key = 0, std::uint16_t code = 0, std::uint8_t flags = 0) {
    answer(0x21, 0x80, key == 0 && flags == 0 ? 0 : 20);
    if (to_send_ == kHeader) return;
    out_[3] = 0x02;  // CHECK CONDITION
    std::uint8_t* sense = out_ + kHeader + 2;
    std::memset(sense - 2, 0, 20);
    put(sense - 2, 18, 2);
    sense[0] = 0x70;
    sense[2] = static_cast<std::uint8_t>(flags | key);
    sense[7] = 10;
    put(sense + 12, code, 2);
  }
  // Data-In with status (11.7); the data lie at out_ + kHeader.
  void data(std::size_t length) {
    const auto wanted = get32(in_ + 20);
    answer(0x25, static_cast<std::uint8_t>(0x81 | (length < wanted ? 0x02 : 0)),
           std::min<std::size_t>(length, wanted));
    put(out_ + 20, 0xFFFFFFFF, 4);
    if (length < wanted) put(out_ + 44, wanted - length, 4);
  }
  void reply(std::initializer_list<std::uint8_t> bytes, std::size_t length) {
    out_ = buffers_.take();
    std::memset(out_ + kHeader, 0, length);
    std::copy(bytes.begin(), bytes.end(), out_ + kHeader);
    data(length);
  }

  void command() {
    const std::uint8_t* cdb = in_ + 32;
    const std::uint8_t operation = cdb[0];
    if (operation == 0x0A) return write(get(in_ + 5, 3));  // WRITE(6)
    if (operation == 0x08) return read();                  // READ(6)
    if (operation == 0x10) {                               // WRITE FILEMARKS(6)
      for (auto count = get(cdb + 2, 3); count != 0; --count) tape_->append(0);
      if ((cdb[1] & 1) == 0 && fdatasync(tape_->fd) != 0) fail("fdatasync");
      return status();
    }
    if (operation == 0x01 || operation == 0x1B) tape_->position = 0;  // REWIND, LOAD UNLOAD
    // And TEST UNIT READY, MODE SELECT(6), PREVENT ALLOW MEDIUM REMOVAL.
    for (const int simple : {0x00, 0x01, 0x15, 0x1B, 0x1E})
      if (operation == simple) return status();
    if (operation == 0x03) return reply({0x70, 0, 0, 0, 0, 0, 0, 10}, 18);  // REQUEST SENSE
    if (operation == 0x05) return reply({0, 0x04, 0, 0, 0, 1}, 6);          // READ BLOCK LIMITS
    if (operation == 0x12) return reply({0x01, 0x80, 6, 2, 31}, 36);        // INQUIRY
    if (operation == 0x1A) return reply({11, 0, 0x10, 8, 0x58}, 12);        // MODE SENSE(6)
    if (operation == 0xA0) return reply({0, 0, 0, 8}, 16);                  // REPORT LUNS
    status(5, 0x2000);
  }

  void write(std::size_t length) {
    if (length != get(in_ + 34, 3)) return status(5, 0x2400);  // not all of it immediate, or fixed
    const auto at = static_cast<off_t>(tape_->append(static_cast<std::uint32_t>(length)));
    if (pwrite(tape_->fd, in_ + kHeader, length, at) != static_cast<ssize_t>(length))
      fail("pwrite");
    status();
  }

  void read() {
    if (tape_->position == tape_->objects.size()) return status(8, 0x0005);
    const Tape::Object object = tape_->objects[tape_->position++];
    if (object.length == 0) return status(0, 0x0001, 0x80);
    if (object.length != get(in_ + 34, 3)) return status(0, 0x0000, 0x20);
    out_ = buffers_.take();
    if (pread(tape_->fd, out_ + kHeader, object.length, static_cast<off_t>(object.offset)) !=
        static_cast<ssize_t>(object.length))
      fail("pread");
    data(object.length);
  }

  int fd_;
  Buffers& buffers_;
  std::map<std::string, std::unique_ptr<Tape>>& tapes_;
  std::string directory_;
  Tape* tape_ = nullptr;
  std::uint8_t *in_ = nullptr, *out_ = nullptr;
  std::size_t received_ = 0, expected_ = 0, sent_ = 0, to_send_ = 0;
  std::uint32_t stat_sn_ = 1, exp_cmd_sn_ = 1;
};

int listen_on(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(fd, 64) != 0)
    fail("listen");
  return fd;
}

void watch(int epoll, int operation, int fd, std::uint32_t events, void* who) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = who;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) fail("epoll_ctl");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: vtl_bare PORT DIRECTORY\n");
    return 2;
  }
  Buffers buffers;
  std::map<std::string, std::unique_ptr<Tape>> tapes;
  std::map<Connection*, std::unique_ptr<Connection>> connections;
  const int listener = listen_on(static_cast<std::uint16_t>(std::strtoul(argv[1], nullptr, 10)));
  const int epoll = epoll_create1(0);
  watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, nullptr);
  std::printf("ready\n");
  std::fflush(stdout);
  for (;;) {
    epoll_event events[16];
    const int count = epoll_wait(epoll, events, 16, -1);
    for (int i = 0; i < count; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
        if (fd < 0) continue;
        auto made = std::make_unique<Connection>(fd, buffers, tapes, argv[2]);
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, made.get());
        Connection* key = made.get();
        connections[key] = std::move(made);
        continue;
      }
      if (!connection->ready()) {
        connections.erase(connection);
      } else if (connection->wants_to_send() != connection->waits_for_output) {
        connection->waits_for_output = connection->wants_to_send();
        watch(epoll, EPOLL_CTL_MOD, connection->fd(),
              connection->waits_for_output ? EPOLLOUT : EPOLLIN, connection);
      }
    }
  }
}
