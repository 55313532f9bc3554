// Framer: whatever comes, and however it is cut, the events are the same and no byte lands beside
// its place.
//
// Input: one byte of options (bit 0 header digest, 1 data digest, 2-3 where data goes), then the
// stream.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "transport/iscsi/framer.h"

namespace {

using iscsi::Framer;

struct Outcome {
  std::vector<int> events;
  std::vector<std::byte> data;
  bool operator==(const Outcome&) const = default;
};

Outcome run(unsigned options, scsi::Bytes stream, std::size_t chunk) {
  constexpr std::uint32_t kLimit = 20000;
  Outcome outcome;
  Framer framer;
  framer.set_digests((options & 1) != 0, (options & 2) != 0);
  framer.set_data_limit(kLimit);
  std::vector<std::byte> place;
  for (;;) {
    const Framer::Event event = framer.next();
    if (event != Framer::Event::kNeedMore) {
      outcome.events.push_back(static_cast<int>(event));
      if (event == Framer::Event::kHeader) {
        outcome.data.insert(outcome.data.end(), framer.header().begin(), framer.header().end());
        outcome.data.insert(outcome.data.end(), framer.ahs().begin(), framer.ahs().end());
        const unsigned where = (options >> 2 & 3) + static_cast<unsigned>(outcome.events.size());
        if (where % 3 == 0) {
          framer.collect();
        } else if (where % 3 == 1) {
          framer.discard();
        } else {
          place.assign(framer.data_length(), std::byte{0});  // exact: ASan sees a byte too many
          framer.receive_into(place);
        }
      } else if (event == Framer::Event::kPdu) {
        outcome.data.insert(outcome.data.end(), place.begin(), place.end());
        outcome.data.insert(outcome.data.end(), framer.data().begin(), framer.data().end());
        place.clear();
      }
      continue;
    }
    if (stream.empty()) return outcome;
    const scsi::MutableBytes span = framer.recv_span();
    if (span.empty()) std::abort();
    const std::size_t n = std::min({span.size(), stream.size(), chunk});
    std::copy_n(stream.begin(), n, span.begin());
    framer.received(n);
    stream = stream.subspan(n);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const scsi::Bytes stream = std::as_bytes(std::span(data + 1, size - 1));
  const Outcome whole = run(data[0], stream, ~std::size_t{0});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{4097}})
    if (!(run(data[0], stream, chunk) == whole)) std::abort();
  return 0;
}
