// Cuts a byte stream into PDUs (RFC 7143 11.1): header, additional header segments, data, padding,
// digests.
//
// Pull-style: after each received() call next() until it says kNeedMore. When it says kHeader the
// owner decides where the data segment goes - into a record's own buffer, into the framer's memory,
// or nowhere - and the bytes that follow are read straight to that place. One connection's; no
// memory grows with what a peer claims.
#pragma once

#include <array>
#include <vector>

#include "scsi/bytes.h"
#include "transport/iscsi/pdu.h"

namespace iscsi {

class Framer {
 public:
  enum class Event {
    kNeedMore,
    kHeader,   // header() and ahs() are whole: choose one of receive_into(), collect(), discard()
    kPdu,      // the data segment is whole and its digest right
    kTooLong,  // the data segment exceeds the limit; header() is there to be answered
    kHeaderDigest,  // framing is lost
    kDataDigest,
  };
  // The last three are final: all further bytes are thrown away and next() says kNeedMore.

  void set_data_limit(std::uint32_t bytes) { data_limit_ = bytes; }
  void set_digests(bool header, bool data) {
    header_digest_ = header;
    data_digest_ = data;
  }

  // Never empty. Valid until the next call of any of this object's functions.
  scsi::MutableBytes recv_span();
  void received(std::size_t n);
  Event next();

  const Header& header() const { return header_; }
  scsi::Bytes ahs() const { return {ahs_.data(), ahs_size_}; }
  std::uint32_t data_length() const { return data_length_of(header_); }

  // Exactly data_length() bytes, which stay where they are until kPdu or discard().
  void receive_into(scsi::MutableBytes place);
  void collect();
  // Also later, while data is still to come: the place it was to go to is gone.
  void discard();

  // After kPdu, when collect() was chosen.
  scsi::Bytes data() const { return collected_; }
  std::vector<std::byte> take_data() { return std::move(collected_); }

  // After kPdu: what came behind it.
  scsi::Bytes rest() const { return scsi::Bytes(staging_).subspan(begin_, staged()); }
  // Part of a PDU is here and the rest is not.
  bool in_pdu() const { return state_ != State::kHeader || begin_ != end_; }
  // Stops for good: further bytes are thrown away.
  void stop() { state_ = State::kStopped; }

 private:
  enum class State { kHeader, kDecide, kData, kTail, kStopped };
  enum class Place { kNowhere, kGiven, kCollected };

  std::size_t staged() const { return end_ - begin_; }
  Event fail(Event event);
  void start_data(Place place, scsi::MutableBytes destination);
  void count_digest(scsi::Bytes bytes);
  bool digest_matches(std::uint32_t crc, const std::byte* stored) const;
  Event parse_header();

  // Large enough that a handful of small PDUs come with one read, small enough that what is copied
  // out of it does not count beside a record.
  static constexpr std::size_t kStagingSize = 8192;
  // Below this the rest of a data segment comes with the next header in one read; a copy is cheaper
  // than a read.
  static constexpr std::size_t kDirectMinimum = 4096;

  std::array<std::byte, kStagingSize> staging_;
  std::size_t begin_ = 0, end_ = 0;
  State state_ = State::kHeader;
  Header header_{};
  std::array<std::byte, kMaxAhsSize> ahs_;
  std::size_t ahs_size_ = 0;
  Place place_ = Place::kNowhere;
  scsi::MutableBytes destination_;
  std::size_t data_done_ = 0;
  std::vector<std::byte> collected_;
  bool direct_ = false;  // the last recv_span() was in destination_
  std::uint32_t data_limit_ = kLoginDataLimit;
  bool header_digest_ = false, data_digest_ = false;
  std::uint32_t data_crc_ = 0;
};

}  // namespace iscsi
