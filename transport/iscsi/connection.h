// One iSCSI connection that does no I/O (RFC 7143): bytes and time go in, bytes and deadlines come
// out.
//
// Whoever drives it - the socket, a test, a fuzzer - repeats: fill recv_span() and call received();
// write out send_spans() and call sent(); call expire() when deadline() has passed; close when
// wants_close(). Any of these calls, and any reply of a logical unit between them, may make
// send_spans() grow: the output listener is called then. The result does not depend on how the
// bytes were cut. One loop thread.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "scsi/bytes.h"
#include "scsi/command.h"

namespace iscsi {

class Portal;
struct Handover;
using TimePoint = std::chrono::steady_clock::time_point;

class Connection final : public scsi::ReplySink {
 public:
  // Calls lost() if nobody has. As long as it exists it counts against the portal's limits.
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Where the next bytes go: a small staging area for headers, then the record's own buffer. Empty
  // only while the connection will take nothing more (it is closing, or leaves for another portal).
  scsi::MutableBytes recv_span();
  void received(std::size_t n, TimePoint now);

  // What is to be written, in order; stable until sent(), only appended to.
  std::span<const iovec> send_spans();
  void sent(std::size_t n, TimePoint now);
  // Called when there is new output and none was pending before, or when wants_close() became true
  // outside received(), sent() and expire(). May be called from inside any call.
  void set_output_listener(std::function<void()> listener);

  std::optional<TimePoint> deadline() const;
  void expire(TimePoint now);

  // Once, when it has logged in to a target of another portal and everything was sent: the byte
  // stream goes there, to Portal::adopt(), and this is over. To be asked after any of these calls.
  std::unique_ptr<Handover> take_handover();

  // True once everything there was to send has been sent, or nothing can be sent any more.
  bool wants_close() const;
  // The byte stream is gone. Ends the session (nexus loss) if it was this connection's. Idempotent.
  void lost(TimePoint now);

  // scsi::ReplySink
  void want(scsi::NexusId nexus, scsi::TaskTag tag, std::uint32_t length) override;
  void complete(scsi::NexusId nexus, scsi::TaskTag tag, scsi::Reply reply,
                scsi::Residual residual) override;
  void aborted(scsi::NexusId nexus, scsi::TaskTag tag) override;

  struct Impl;

 private:
  friend class Portal;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace iscsi
