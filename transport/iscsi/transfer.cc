#include "transport/iscsi/transfer.h"

#include <algorithm>

namespace iscsi {

void WriteTransfer::begin(const Parameters& parameters, std::uint32_t expected_length,
                          std::uint32_t immediate, bool final) {
  unsolicited_limit_ = std::min(parameters.first_burst, expected_length);
  max_burst_ = parameters.max_burst;
  max_requests_ = parameters.max_outstanding_r2t;
  unsolicited_open_ = !final;
  here_ = immediate;
  // RFC 7143 4.2.4.2; SPC-4 has 0C/0C for data that came unasked.
  if (immediate != 0 && (!parameters.immediate_data || immediate > unsolicited_limit_))
    fail(scsi::Asc::kUnexpectedUnsolicitedData);
  if (!final && parameters.initial_r2t) fail(scsi::Asc::kUnexpectedUnsolicitedData);
}

std::optional<std::uint32_t> WriteTransfer::accept(const DataOut& pdu, std::uint32_t length) {
  const auto place = pdu.transfer_tag == kReservedTag ? accept_unsolicited(pdu, length)
                                                      : accept_solicited(pdu, length);
  if (fault_) return {};
  arriving_ = length;
  return place;
}

std::optional<std::uint32_t> WriteTransfer::accept_unsolicited(const DataOut& pdu,
                                                               std::uint32_t length) {
  if (fault_) {
    if (pdu.final) unsolicited_open_ = false;
    return {};
  }
  if (!unsolicited_open_) {
    fail(scsi::Asc::kUnexpectedUnsolicitedData);
  } else if (pdu.data_sn != unsolicited_data_sn_ || pdu.offset != here_) {
    fail(scsi::Asc::kDataOffsetError);
  } else if (std::uint64_t{here_} + length > unsolicited_limit_) {
    fail(scsi::Asc::kUnexpectedUnsolicitedData);
  } else if (length == 0 && !pdu.final) {
    fail(scsi::Asc::kDataPhaseError);  // it would never end
  }
  ++unsolicited_data_sn_;
  last_arriving_ = pdu.final;
  return pdu.offset;
}

std::optional<std::uint32_t> WriteTransfer::accept_solicited(const DataOut& pdu,
                                                             std::uint32_t length) {
  if (fault_) return {};
  if (requests_.empty() || requests_.front().transfer_tag != pdu.transfer_tag) {
    // DataSequenceInOrder=Yes: sequences come in the order in which they were asked for.
    fail(scsi::Asc::kDataPhaseError);
    return {};
  }
  Request& request = requests_.front();
  const std::uint64_t done = std::uint64_t{request.done} + length;
  if (pdu.data_sn != request.data_sn || pdu.offset != request.offset + request.done) {
    fail(scsi::Asc::kDataOffsetError);
  } else if (done > request.length || length == 0 || pdu.final != (done == request.length)) {
    fail(scsi::Asc::kDataPhaseError);  // the last PDU, and only it, fills the sequence
  } else {
    request.done = static_cast<std::uint32_t>(done);
    ++request.data_sn;
    if (pdu.final) requests_.erase(requests_.begin());
  }
  return pdu.offset;
}

void WriteTransfer::arrived() {
  here_ += std::exchange(arriving_, 0);
  if (std::exchange(last_arriving_, false)) unsolicited_open_ = false;
}

std::optional<R2t> WriteTransfer::next_request(std::uint32_t transfer_tag) {
  if (wanted_ == 0 || unsolicited_open_ || fault_ || requests_.size() >= max_requests_) return {};
  solicited_ = std::max(solicited_, here_);
  if (solicited_ >= wanted_) return {};
  R2t r2t;
  r2t.transfer_tag = transfer_tag;
  r2t.r2t_sn = next_r2t_sn_++;
  r2t.offset = solicited_;
  r2t.length = std::min(max_burst_, wanted_ - solicited_);
  solicited_ += r2t.length;
  requests_.push_back({transfer_tag, r2t.offset, r2t.length, 0, 0});
  return r2t;
}

ReadTransfer::ReadTransfer(const Parameters& parameters, scsi::SliceList data)
    : data_(std::move(data)),
      total_(scsi::total_size(data_)),
      max_segment_(parameters.initiator_max_recv),
      max_burst_(parameters.max_burst) {}

std::optional<ReadTransfer::Segment> ReadTransfer::next() {
  if (offset_ >= total_) return {};
  const std::uint32_t burst_left = max_burst_ - offset_ % max_burst_;
  const auto length = static_cast<std::uint32_t>(
      std::min<std::size_t>(total_ - offset_, std::min(max_segment_, burst_left)));
  Segment segment{data_sn_++, offset_, false, false, {}};
  for (std::size_t left = length; left != 0;) {
    const scsi::Slice& slice = data_[slice_];
    const std::size_t n = std::min(left, slice.bytes.size() - slice_offset_);
    if (n != 0) segment.data.push_back({slice.owner, slice.bytes.subspan(slice_offset_, n)});
    left -= n;
    slice_offset_ += n;
    if (slice_offset_ == slice.bytes.size()) {
      ++slice_;
      slice_offset_ = 0;
    }
  }
  offset_ += length;
  segment.last = offset_ == total_;
  segment.final = segment.last || length == burst_left;
  return segment;
}

}  // namespace iscsi
