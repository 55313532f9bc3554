// A whole connection in full feature phase: no crash, no hang, bounded memory, nothing left behind,
// and the same answers however the bytes are cut.
//
// Input: one byte of options (bit 0 header digest, 1 data digest, 2 InitialR2T, 3 no
// ImmediateData), then pieces: a length byte and as many bytes. F0h and above are events; other
// lengths are a PDU - the header's first bytes and then data - whose lengths, and CmdSN unless bit
// 7 of byte 2 says otherwise, are made right, because chance never would; length 0 takes all that
// is left, raw.
#include <cstdint>

#include "fuzz_world.h"
#include "scsi/crc32c.h"
#include "transport/iscsi/text.h"

namespace {

void log_in(fuzz::Peer& peer, unsigned options) {
  iscsi::LoginRequest login;
  login.transit = true;
  login.current = iscsi::Stage::kOperational;
  login.next = iscsi::Stage::kFullFeature;
  login.cmd_sn = 1;
  std::string text;
  iscsi::append_text(text, "InitiatorName", "iqn.fuzz");
  iscsi::append_text(text, "TargetName", fuzz::kTarget);
  iscsi::append_text(text, "HeaderDigest", (options & 1) != 0 ? "CRC32C" : "None");
  iscsi::append_text(text, "DataDigest", (options & 2) != 0 ? "CRC32C" : "None");
  iscsi::append_text(text, "InitialR2T", (options & 4) != 0 ? "Yes" : "No");
  iscsi::append_text(text, "ImmediateData", (options & 8) != 0 ? "No" : "Yes");
  iscsi::append_text(text, "FirstBurstLength", "512");
  iscsi::append_text(text, "MaxBurstLength", "1024");
  peer.write(fuzz::pdu_bytes(login.encode(), scsi::as_bytes(text)));
}

void add_digest(std::vector<std::byte>& out, std::size_t from) {
  const std::uint32_t crc = scsi::crc32c(scsi::Bytes(out).subspan(from));
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(crc >> (8 * i)));
}

std::vector<std::byte> repair(scsi::Bytes piece, unsigned options, std::uint32_t cmd_sn) {
  iscsi::Header header{};
  const std::size_t n = std::min(piece.size(), header.size());
  std::memcpy(header.data(), piece.data(), n);
  const scsi::Bytes data = piece.subspan(n);
  iscsi::set_data_length(header, static_cast<std::uint32_t>(data.size()));
  header[4] = std::byte{0};
  if ((header[2] & std::byte{0x80}) == std::byte{0})
    scsi::ByteWriter(scsi::MutableBytes(header).subspan(24)).u32(cmd_sn);
  std::vector<std::byte> out(header.begin(), header.end());
  if ((options & 1) != 0) add_digest(out, 0);
  const std::size_t start = out.size();
  out.insert(out.end(), data.begin(), data.end());
  out.resize(out.size() + iscsi::padding_of(static_cast<std::uint32_t>(data.size())));
  if ((options & 2) != 0 && !data.empty()) add_digest(out, start);
  return out;
}

struct Outcome {
  std::uint64_t said = 0;  // bytes
  std::uint32_t crc = 0;
  bool comparable = true;
};

Outcome live(scsi::Bytes input, unsigned options, std::size_t chunk) {
  Outcome outcome;
  fuzz::World world;
  std::unique_ptr<fuzz::Peer> peer;
  const auto count = [&] {
    outcome.said += peer->said;
    outcome.crc ^= peer->crc;
  };
  const auto come = [&] {
    auto next = std::make_unique<fuzz::Peer>(world);
    next->chunk = chunk;
    log_in(*next, options);
    return next;
  };
  peer = come();
  while (!input.empty()) {
    const auto length = std::to_integer<std::size_t>(input[0]);
    input = input.subspan(1);
    switch (length) {
      case 0:
        peer->write(input);
        input = {};
        break;
      case 0xF0:
        if (!world.unit.waiting.empty()) world.unit.release();
        break;
      case 0xF1:
        peer->pass(std::chrono::seconds(31));
        break;
      case 0xF2:
        outcome.comparable = false;  // how far a connection takes more depends on what came at once
        peer->reading = !peer->reading;
        if (peer->reading) peer->read();
        break;
      case 0xF3: {  // the initiator comes back
        auto again = come();
        if (!peer->connection->wants_close() && world.portal->sessions().size() > 1) std::abort();
        count();
        peer = std::move(again);
        break;
      }
      case 0xF4:
        world.unit.keep_buffers = true;
        break;
      case 0xF5:
        world.unit.kept.clear();
        break;
      default: {
        const scsi::Bytes piece = input.first(std::min(length, input.size()));
        input = input.subspan(piece.size());
        // ExpCmdSN as in the last PDU that was heard.
        std::uint32_t cmd_sn = 1;
        const auto& heard = peer->last;
        if (heard.size() >= 36) cmd_sn = scsi::ByteReader(scsi::Bytes(heard).subspan(28)).u32();
        peer->last.clear();
        peer->write(repair(piece, options, cmd_sn));
        if (peer->last.size() < 36) peer->last = heard;
      }
    }
    if (world.unit.records.size() > 16) world.unit.records.clear();
  }
  count();
  peer.reset();
  world.unit.kept.clear();
  while (!world.unit.waiting.empty()) world.unit.release();
  if (world.pool.lent_bytes() != 0 || !world.portal->sessions().empty()) std::abort();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  const scsi::Bytes input = std::as_bytes(std::span(bytes, size)).subspan(1);
  const Outcome whole = live(input, bytes[0], ~std::size_t{0});
  if (!whole.comparable) return 0;
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{49}}) {
    const Outcome cut = live(input, bytes[0], chunk);
    if (cut.said != whole.said || cut.crc != whole.crc) std::abort();
  }
  return 0;
}
