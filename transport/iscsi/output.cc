#include "transport/iscsi/output.h"

#include "scsi/check.h"
#include "scsi/crc32c.h"

namespace iscsi {
namespace {

// Least significant byte first (RFC 7143 13.1).
void store_digest(std::uint32_t crc, std::byte* place) {
  for (unsigned i = 0; i < 4; ++i) place[i] = static_cast<std::byte>(crc >> (8 * i));
}

}  // namespace

void Output::push(Header header, scsi::SliceList data) {
  const std::size_t length = scsi::total_size(data);
  VTL_CHECK(length <= kMaxDataSegment);
  set_data_length(header, static_cast<std::uint32_t>(length));
  Pdu& pdu = pdus_.emplace_back();
  std::memcpy(pdu.head.data(), header.data(), kHeaderSize);
  pdu.head_size = kHeaderSize;
  pdu.control = opcode_of(header) != Opcode::kDataIn;
  if (pdu.control) ++control_pdus_;
  if (header_digest_) {
    store_digest(scsi::crc32c(header), pdu.head.data() + kHeaderSize);
    pdu.head_size += 4;
  }
  pdu.tail_size = padding_of(static_cast<std::uint32_t>(length));
  if (data_digest_ && length != 0) {
    std::uint32_t crc = 0;
    for (const scsi::Slice& slice : data)
      if (!slice.bytes.empty()) crc = scsi::crc32c(slice.bytes, crc);
    if (pdu.tail_size != 0) crc = scsi::crc32c({pdu.tail.data(), pdu.tail_size}, crc);
    store_digest(crc, pdu.tail.data() + pdu.tail_size);
    pdu.tail_size += 4;
  }
  pdu.data = std::move(data);
  pdu.size = pdu.head_size + length + pdu.tail_size;
  bytes_ += pdu.size;
}

std::span<const iovec> Output::spans() {
  spans_.clear();
  std::size_t skip = front_sent_;
  const auto add = [&](const std::byte* bytes, std::size_t size) {
    if (skip >= size) {
      skip -= size;
      return;
    }
    // A writer never writes through an iovec; the type just has no const.
    spans_.push_back({const_cast<std::byte*>(bytes + skip), size - skip});
    skip = 0;
  };
  for (const Pdu& pdu : pdus_) {
    if (spans_.size() >= kMaxSpans) break;
    add(pdu.head.data(), pdu.head_size);
    for (const scsi::Slice& slice : pdu.data) add(slice.bytes.data(), slice.bytes.size());
    add(pdu.tail.data(), pdu.tail_size);
  }
  return spans_;
}

void Output::sent(std::size_t n) {
  VTL_CHECK(n <= bytes_);
  bytes_ -= n;
  front_sent_ += n;
  while (!pdus_.empty() && front_sent_ >= pdus_.front().size) {
    front_sent_ -= pdus_.front().size;
    if (pdus_.front().control) --control_pdus_;
    pdus_.pop_front();
  }
}

}  // namespace iscsi
