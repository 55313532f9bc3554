#include "transport/iscsi/framer.h"

#include <catch2/catch.hpp>

#include "scripted_initiator.h"
#include "scsi/crc32c.h"
#include "transport/iscsi/output.h"

using namespace iscsi;
using namespace iscsi::test;
using Event = Framer::Event;

namespace {

Header header_with(std::uint32_t data_length, unsigned ahs_words = 0) {
  NopOut pdu;
  pdu.task_tag = 5;
  Header header = pdu.encode();
  set_data_length(header, data_length);
  header[4] = static_cast<std::byte>(ahs_words);
  return header;
}

// Gives bytes to a framer as a socket would, `chunk` at a time, up to the next event.
struct Feeder {
  Framer framer;
  Data bytes;
  std::size_t at = 0;
  std::size_t chunk = ~std::size_t{0};
  std::size_t direct = 0;  // bytes that went straight to the place given

  Event next() {
    for (;;) {
      const Event event = framer.next();
      if (event != Event::kNeedMore || at == bytes.size()) return event;
      const scsi::MutableBytes span = framer.recv_span();
      REQUIRE(!span.empty());
      const std::size_t n = std::min({span.size(), chunk, bytes.size() - at});
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), n, span.begin());
      if (!place.empty() && span.data() >= place.data() &&
          span.data() < place.data() + place.size())
        direct += n;
      framer.received(n);
      at += n;
    }
  }
  void add(const Header& header, const Data& data = {}, const Data& ahs = {}) {
    bytes.insert(bytes.end(), header.begin(), header.end());
    bytes.insert(bytes.end(), ahs.begin(), ahs.end());
    bytes.insert(bytes.end(), data.begin(), data.end());
    bytes.resize(bytes.size() + padding_of(static_cast<std::uint32_t>(data.size())));
  }
  scsi::MutableBytes place;
};

}  // namespace

// RFC 7143 appendix A.4, as they go over the wire.
TEST_CASE("digests are those of the RFC's examples", "[iscsi]") {
  const auto wire = [](const Data& data) {
    const std::uint32_t crc = scsi::crc32c(data);
    std::vector<unsigned> out;
    for (unsigned i = 0; i < 4; ++i) out.push_back(crc >> (8 * i) & 0xFF);
    return out;
  };
  Data data(32);
  CHECK(wire(data) == std::vector<unsigned>{0xAA, 0x36, 0x91, 0x8A});
  data.assign(32, std::byte{0xFF});
  CHECK(wire(data) == std::vector<unsigned>{0x43, 0xAB, 0xA8, 0x62});
  for (unsigned i = 0; i < 32; ++i) data[i] = std::byte(i);
  CHECK(wire(data) == std::vector<unsigned>{0x4E, 0x79, 0xDD, 0x46});
  for (unsigned i = 0; i < 32; ++i) data[i] = std::byte(31 - i);
  CHECK(wire(data) == std::vector<unsigned>{0x5C, 0xDB, 0x3F, 0x11});
}

TEST_CASE("a large data segment is received in place, but for what came with its header",
          "[iscsi]") {
  Feeder feeder;
  feeder.framer.set_data_limit(262144);
  const Data record = pattern(262141);  // three bytes of padding
  feeder.add(header_with(262141), record);
  feeder.add(header_with(0));
  REQUIRE(feeder.next() == Event::kHeader);
  CHECK(feeder.framer.data_length() == 262141);
  // Exactly as long as the data: the padding has no business behind it.
  Data place(262141);
  feeder.place = place;
  feeder.framer.receive_into(place);
  REQUIRE(feeder.next() == Event::kPdu);
  CHECK(place == record);
  CHECK(feeder.direct >= 262141 - 8192);
  REQUIRE(feeder.next() == Event::kHeader);
  feeder.framer.discard();
  CHECK(feeder.next() == Event::kPdu);
  CHECK(!feeder.framer.in_pdu());
}

TEST_CASE("collecting, discarding, and changing one's mind", "[iscsi]") {
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{5000}}) {
    Feeder feeder;
    feeder.chunk = chunk;
    feeder.framer.set_data_limit(65536);
    const Data data = pattern(20001);
    for (int i = 0; i < 3; ++i) feeder.add(header_with(20001), data);
    REQUIRE(feeder.next() == Event::kHeader);
    feeder.framer.collect();
    REQUIRE(feeder.next() == Event::kPdu);
    CHECK(feeder.framer.take_data() == data);
    REQUIRE(feeder.next() == Event::kHeader);
    feeder.framer.discard();
    REQUIRE(feeder.next() == Event::kPdu);
    REQUIRE(feeder.next() == Event::kHeader);
    {
      Data place(20001);
      feeder.framer.receive_into(place);
      // A part of it arrives, then the place is taken away.
      const auto span = feeder.framer.recv_span();
      const std::size_t n = std::min({span.size(), chunk, feeder.bytes.size() - feeder.at});
      std::copy_n(feeder.bytes.begin() + static_cast<std::ptrdiff_t>(feeder.at), n, span.begin());
      feeder.framer.received(n);
      feeder.at += n;
      feeder.framer.discard();
    }
    CHECK(feeder.next() == Event::kPdu);
    CHECK(feeder.at == feeder.bytes.size());
    CHECK(feeder.next() == Event::kNeedMore);
  }
}

TEST_CASE("of a short data segment, which may bring a key, nothing stays behind", "[iscsi]") {
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{40}, std::size_t{5000}}) {
    INFO("chunks of " << chunk);
    Feeder feeder;
    feeder.chunk = chunk;
    const Data list = pattern(84), key(list.begin() + 20, list.begin() + 52);
    feeder.add(header_with(84), list);
    feeder.add(header_with(0));
    REQUIRE(feeder.next() == Event::kHeader);
    Data place(84);
    feeder.framer.receive_into(place);
    REQUIRE(feeder.next() == Event::kPdu);
    CHECK(place == list);
    const auto* const memory = reinterpret_cast<const std::byte*>(&feeder.framer);
    const std::byte* const end = memory + sizeof feeder.framer;
    CHECK(std::search(memory, end, key.begin(), key.begin() + 8) == end);
    CHECK(std::search(memory, end, key.end() - 8, key.end()) == end);
  }
}

TEST_CASE("additional header segments up to their largest", "[iscsi]") {
  for (const unsigned words : {1u, 2u, 255u}) {
    Feeder feeder;
    feeder.chunk = 11;
    const Data ahs = pattern(words * 4);
    feeder.add(header_with(4, words), pattern(4), ahs);
    REQUIRE(feeder.next() == Event::kHeader);
    CHECK(Data(feeder.framer.ahs().begin(), feeder.framer.ahs().end()) == ahs);
    feeder.framer.collect();
    REQUIRE(feeder.next() == Event::kPdu);
    CHECK(Data(feeder.framer.data().begin(), feeder.framer.data().end()) == pattern(4));
  }
}

TEST_CASE("a claimed length above the limit is refused before any data", "[iscsi]") {
  Feeder feeder;
  const Header exact = header_with(8192);
  feeder.add(exact, pattern(8192));
  feeder.add(header_with(8193), pattern(8193));
  REQUIRE(feeder.next() == Event::kHeader);
  feeder.framer.discard();
  REQUIRE(feeder.next() == Event::kPdu);
  REQUIRE(feeder.next() == Event::kTooLong);
  CHECK(feeder.framer.data_length() == 8193);
  CHECK(feeder.next() == Event::kNeedMore);  // and nothing of the rest is looked at
  CHECK(!feeder.framer.recv_span().empty());
}

TEST_CASE("digests are checked and their faults told apart", "[iscsi]") {
  for (const bool large : {false, true}) {
    for (const int broken : {0, 1, 2}) {
      const Data data = pattern(large ? 30001 : 5);
      Output output;
      output.set_digests(true, true);
      NopIn pdu;
      output.push(pdu.encode(), scsi::slices_of(data));
      Feeder feeder;
      feeder.chunk = 4099;
      feeder.framer.set_digests(true, true);
      feeder.framer.set_data_limit(65536);
      for (const iovec& span : output.spans()) {
        const auto* bytes = static_cast<const std::byte*>(span.iov_base);
        feeder.bytes.insert(feeder.bytes.end(), bytes, bytes + span.iov_len);
      }
      CHECK(feeder.bytes.size() == 48 + 4 + (data.size() + 3) / 4 * 4 + 4);
      if (broken == 1) feeder.bytes[20] ^= std::byte{1};
      if (broken == 2) feeder.bytes[52 + data.size() - 1] ^= std::byte{0x80};
      if (broken == 1) {
        CHECK(feeder.next() == Event::kHeaderDigest);
        continue;
      }
      REQUIRE(feeder.next() == Event::kHeader);
      feeder.framer.collect();
      CHECK(feeder.next() == (broken == 2 ? Event::kDataDigest : Event::kPdu));
      CHECK(Data(feeder.framer.data().begin(), feeder.framer.data().end()).size() == data.size());
    }
  }
}

TEST_CASE("a wrong pad byte is a data digest error, but without digest of no interest", "[iscsi]") {
  for (const bool digest : {false, true}) {
    Feeder feeder;
    feeder.framer.set_digests(false, digest);
    Data data = pattern(5);
    const Header header = header_with(5);
    feeder.bytes.assign(header.begin(), header.end());
    feeder.bytes.insert(feeder.bytes.end(), data.begin(), data.end());
    Data covered = data;
    covered.resize(8);
    feeder.bytes.insert(feeder.bytes.end(), {std::byte{0}, std::byte{9}, std::byte{0}});
    if (digest) {
      const std::uint32_t crc = scsi::crc32c(covered);
      for (unsigned i = 0; i < 4; ++i)
        feeder.bytes.push_back(static_cast<std::byte>(crc >> (8 * i)));
    }
    REQUIRE(feeder.next() == Event::kHeader);
    feeder.framer.collect();
    CHECK(feeder.next() == (digest ? Event::kDataDigest : Event::kPdu));
  }
}

TEST_CASE("output gathers PDUs and forgets what is sent, at whatever pace", "[iscsi]") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{13}, std::size_t{100000}}) {
    Output output;
    Data expected;
    for (unsigned i = 0; i < 5; ++i) {
      if (i == 3) output.set_digests(true, true);
      const Data data = pattern(i * 7, i);
      NopIn pdu;
      pdu.task_tag = i;
      scsi::SliceList slices;
      for (std::size_t at = 0; at < data.size(); at += 5)
        for (auto& s : scsi::slices_of(
                 Data(data.begin() + static_cast<std::ptrdiff_t>(at),
                      data.begin() + static_cast<std::ptrdiff_t>(std::min(at + 5, data.size())))))
          slices.push_back(s);
      output.push(pdu.encode(), slices);
      Header header = pdu.encode();
      set_data_length(header, static_cast<std::uint32_t>(data.size()));
      expected.insert(expected.end(), header.begin(), header.end());
      const auto digest = [&](std::size_t from) {
        const std::uint32_t crc = scsi::crc32c(scsi::Bytes(expected).subspan(from));
        for (unsigned k = 0; k < 4; ++k) expected.push_back(static_cast<std::byte>(crc >> (8 * k)));
      };
      if (i >= 3) digest(expected.size() - 48);
      const std::size_t start = expected.size();
      expected.insert(expected.end(), data.begin(), data.end());
      expected.resize(expected.size() + padding_of(static_cast<std::uint32_t>(data.size())));
      if (i >= 3) digest(start);
    }
    CHECK(output.bytes() == expected.size());
    CHECK(output.control_pdus() == 5);
    Data got;
    while (!output.empty()) {
      std::size_t taken = 0;
      for (const iovec& span : output.spans()) {
        CHECK(span.iov_len != 0);
        const std::size_t n = std::min(span.iov_len, step - taken);
        const auto* bytes = static_cast<const std::byte*>(span.iov_base);
        got.insert(got.end(), bytes, bytes + n);
        taken += n;
        if (taken == step) break;
      }
      output.sent(taken);
    }
    CHECK(got == expected);
    CHECK(output.bytes() == 0);
    CHECK(output.spans().empty());
  }
}
