#include "transport/iscsi/framer.h"

#include <algorithm>

#include "scsi/check.h"
#include "scsi/crc32c.h"

namespace iscsi {
namespace {
constexpr std::size_t kDigestSize = 4;
}

scsi::MutableBytes Framer::recv_span() {
  direct_ = false;
  if (state_ == State::kStopped) {
    begin_ = end_ = 0;
    return staging_;
  }
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (state_ == State::kData && place_ != Place::kNowhere &&
        destination_.size() - data_done_ >= kDirectMinimum) {
      direct_ = true;
      return destination_.subspan(data_done_);
    }
  } else if (begin_ != 0) {
    std::memmove(staging_.data(), staging_.data() + begin_, staged());
    end_ -= begin_;
    begin_ = 0;
  }
  return scsi::MutableBytes(staging_).subspan(end_);
}

void Framer::received(std::size_t n) {
  if (state_ == State::kStopped) return;
  if (direct_) {
    VTL_CHECK(n <= destination_.size() - data_done_);
    count_digest(destination_.subspan(data_done_, n));
    data_done_ += n;
  } else {
    VTL_CHECK(n <= staging_.size() - end_);
    end_ += n;
  }
}

Framer::Event Framer::next() {
  switch (state_) {
    case State::kStopped:
      return Event::kNeedMore;
    case State::kHeader:
      return parse_header();
    case State::kDecide:
      VTL_CHECK(state_ != State::kDecide);  // the place of the data segment was not chosen
      return Event::kNeedMore;
    case State::kData: {
      const std::size_t n = std::min<std::size_t>(staged(), data_length() - data_done_);
      const scsi::Bytes source = scsi::Bytes(staging_).subspan(begin_, n);
      count_digest(source);
      if (place_ != Place::kNowhere && n != 0)
        std::memcpy(destination_.data() + data_done_, source.data(), n);
      // A short list may have brought a key: what was passed on does not stay here.
      if (data_length() <= kStagingSize) std::memset(staging_.data() + begin_, 0, n);
      begin_ += n;
      data_done_ += n;
      if (data_done_ < data_length()) return Event::kNeedMore;
      state_ = State::kTail;
      [[fallthrough]];
    }
    case State::kTail: {
      // No digest follows an empty data segment (RFC 7143 11.2.3).
      const std::size_t padding = padding_of(data_length());
      const bool digest = data_digest_ && data_length() != 0;
      const std::size_t size = padding + (digest ? kDigestSize : 0);
      if (staged() < size) return Event::kNeedMore;
      count_digest(scsi::Bytes(staging_).subspan(begin_, padding));
      const std::byte* const stored = staging_.data() + begin_ + padding;
      begin_ += size;
      if (digest && !digest_matches(data_crc_, stored)) return fail(Event::kDataDigest);
      state_ = State::kHeader;
      return Event::kPdu;
    }
  }
  return Event::kNeedMore;
}

Framer::Event Framer::parse_header() {
  if (staged() < kHeaderSize) return Event::kNeedMore;
  std::memcpy(header_.data(), staging_.data() + begin_, kHeaderSize);
  const std::size_t ahs_size = ahs_length_of(header_);
  const std::size_t covered = kHeaderSize + ahs_size;
  const std::size_t size = covered + (header_digest_ ? kDigestSize : 0);
  if (staged() < size) return Event::kNeedMore;
  const std::byte* const start = staging_.data() + begin_;
  if (header_digest_ && !digest_matches(scsi::crc32c({start, covered}), start + covered))
    return fail(Event::kHeaderDigest);
  ahs_size_ = ahs_size;
  if (ahs_size != 0) std::memcpy(ahs_.data(), start + kHeaderSize, ahs_size);
  begin_ += size;
  if (data_length() > data_limit_) return fail(Event::kTooLong);
  state_ = State::kDecide;
  return Event::kHeader;
}

void Framer::start_data(Place place, scsi::MutableBytes destination) {
  VTL_CHECK(state_ == State::kDecide);
  state_ = State::kData;
  place_ = place;
  destination_ = destination;
  data_done_ = 0;
  data_crc_ = 0;
}

void Framer::receive_into(scsi::MutableBytes place) {
  VTL_CHECK(place.size() == data_length());
  start_data(Place::kGiven, place);
}

void Framer::collect() {
  collected_.resize(data_length());
  start_data(Place::kCollected, collected_);
}

void Framer::discard() {
  if (state_ == State::kDecide) start_data(Place::kNowhere, {});
  place_ = Place::kNowhere;
  destination_ = {};
  direct_ = false;
}

void Framer::count_digest(scsi::Bytes bytes) {
  if (data_digest_ && !bytes.empty()) data_crc_ = scsi::crc32c(bytes, data_crc_);
}

// Digests are stored least significant byte first, unlike everything else (RFC 7143 13.1).
bool Framer::digest_matches(std::uint32_t crc, const std::byte* stored) const {
  for (unsigned i = 0; i < kDigestSize; ++i)
    if (stored[i] != static_cast<std::byte>(crc >> (8 * i))) return false;
  return true;
}

Framer::Event Framer::fail(Event event) {
  state_ = State::kStopped;
  return event;
}

}  // namespace iscsi
