// A portal with one target for the fuzzers of the protocol.
#pragma once

#include <cstdlib>
#include <memory>

#include "scsi/crc32c.h"
#include "test/unit/iscsi/test_unit.h"
#include "transport/iscsi/connection.h"
#include "transport/iscsi/pdu.h"
#include "transport/iscsi/portal.h"

namespace fuzz {

inline constexpr const char* kTarget = "iqn.2026-11.local.vtl:drive";

struct World {
  explicit World(auth::AccessPolicy policy = {})
      : access(std::move(policy)), pool({8u << 20, 4u << 20}) {
    target.add(0, unit);
    iscsi::PortalOptions options;
    options.command_window = 4;
    options.buffer_bytes_per_target = 4u << 20;
    portal = std::make_unique<iscsi::Portal>(
        options, access, pool,
        [this](scsi::MutableBytes out) {
          for (std::byte& b : out) b = static_cast<std::byte>(random = random * 5 + 3);
        },
        [](iscsi::LogLevel, std::string_view line) {
          for (const char c : line)
            if (c < 0x20 || c > 0x7E) std::abort();  // what a peer says never breaks a log line
        });
    portal->add_target(kTarget, "", target);
  }

  auth::AccessPolicy access;
  scsi::BufferPool pool;
  iscsi::test::TestUnit unit;
  scsi::Target target;
  std::uint32_t random = 1;
  std::unique_ptr<iscsi::Portal> portal;
};

// One connection with a peer that reads at once, unless told otherwise. Checks what must hold for
// every output.
struct Peer {
  explicit Peer(World& world) : connection(world.portal->accept("127.0.0.1:3260", "127.0.0.1:1")) {
    if (!connection) std::abort();
    connection->expire(now);  // a deadline is due at once: the time of the login counts from here
  }

  void write(scsi::Bytes bytes) {
    while (!bytes.empty()) {
      const scsi::MutableBytes span = connection->recv_span();
      if (span.empty()) return;
      const std::size_t n = std::min({span.size(), bytes.size(), chunk});
      std::memcpy(span.data(), bytes.data(), n);
      connection->received(n, now);
      bytes = bytes.subspan(n);
      if (reading) read();
    }
  }
  void read() {
    for (;;) {
      const auto spans = connection->send_spans();
      if (spans.empty()) return;
      std::size_t n = 0;
      for (const iovec& span : spans) {
        if (span.iov_len == 0) std::abort();
        const auto* bytes = static_cast<const std::byte*>(span.iov_base);
        if (last.size() < 65536) last.insert(last.end(), bytes, bytes + span.iov_len);
        said += span.iov_len;
        crc = scsi::crc32c(scsi::Bytes(bytes, span.iov_len), crc);
        n += span.iov_len;
      }
      connection->sent(n, now);
    }
  }
  void pass(std::chrono::milliseconds time) {
    now += time;
    for (int n = 0; n < 10; ++n) {
      const auto deadline = connection->deadline();
      if (!deadline || *deadline > now) return;
      connection->expire(now);
      if (reading) read();
    }
  }

  std::unique_ptr<iscsi::Connection> connection;
  iscsi::TimePoint now{std::chrono::hours(1)};
  bool reading = true;
  std::size_t chunk = ~std::size_t{0};  // bytes that come at a time
  std::vector<std::byte> last;
  // All that the target has said.
  std::uint64_t said = 0;
  std::uint32_t crc = 0;
};

inline std::vector<std::byte> pdu_bytes(iscsi::Header header, scsi::Bytes data) {
  iscsi::set_data_length(header, static_cast<std::uint32_t>(data.size()));
  std::vector<std::byte> out(header.begin(), header.end());
  out.insert(out.end(), data.begin(), data.end());
  out.resize((out.size() + 3) / 4 * 4);
  return out;
}

}  // namespace fuzz
