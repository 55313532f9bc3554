#include "vtl/config/keys.h"

namespace vtl::config {

namespace {

constexpr Choice<IoMode> kIoModes[] = {
    {"auto", IoMode::kAuto}, {"direct", IoMode::kDirect}, {"paced", IoMode::kPaced}};
constexpr Choice<Compression> kCompressions[] = {
    {"none", Compression::kNone}, {"lz4", Compression::kLz4}, {"zstd", Compression::kZstd}};
constexpr Choice<LogLevel> kLogLevels[] = {{"error", LogLevel::kError},
                                           {"warning", LogLevel::kWarning},
                                           {"info", LogLevel::kInfo},
                                           {"debug", LogLevel::kDebug}};
// RFC 7143 13.12 to 13.14
constexpr std::uint64_t kMinLength = 512, kMaxLength = (1u << 24) - 1;

// The pool is one folder, named so that it needs no quoting anywhere.
Key<StorageConfig> pool_key() {
  return {
      "pool",
      "Folder of the cartridges: absolute, or in the library's own folder. One library's only.",
      [](StorageConfig& out, const std::string& text) -> std::string {
        if (text.empty() || text.size() > 3000 || text.find_first_of("\n\r\t") != std::string::npos)
          return "the path of a folder";
        out.pool = text;
        return "";
      },
      [](const StorageConfig& in) { return in.pool; }};
}

Key<IscsiConfig> threads_key() {
  return {
      "threads",
      "Threads that serve the devices, each its share of them: auto (one for each processor), or "
      "a number; at most one for each device, and for each 32 MiB of buffer_bytes.",
      [](IscsiConfig& out, const std::string& text) -> std::string {
        if (text == "auto") {
          out.threads = 0;
          return "";
        }
        return number("", &IscsiConfig::threads, 1, 1024, "").read(out, text).empty()
                   ? ""
                   : "auto, or a number from 1";
      },
      [](const IscsiConfig& in) {
        return in.threads == 0 ? std::string("auto") : std::to_string(in.threads);
      }};
}

}  // namespace

const std::vector<Key<IscsiConfig>>& iscsi_keys() {
  using C = IscsiConfig;
  static const std::vector<Key<C>> keys = {
      size("max_recv_data_segment_length", &C::max_recv_data_segment_length, kMinLength, kMaxLength,
           "The longest data segment that an initiator may send in one PDU."),
      size("max_burst_length", &C::max_burst_length, kMinLength, kMaxLength,
           "The most data in one sequence that was asked for."),
      size("first_burst_length", &C::first_burst_length, kMinLength, kMaxLength,
           "The most data that may come with a command, unasked; not above max_burst_length."),
      number("max_outstanding_r2t", &C::max_outstanding_r2t, 1, 64,
             "Requests for data of one command that may be open at a time."),
      flag("header_digest", &C::header_digest,
           "Accept CRC32C header digests from initiators that want them."),
      flag("data_digest", &C::data_digest, "Accept CRC32C data digests likewise."),
      flag("tell_all_addresses", &C::tell_all_addresses,
           "Tell hosts in discovery every address that is listened on, not only the one at which "
           "they "
           "ask."),
      number("max_connections", &C::max_connections, 1, 65535, "TCP connections in all."),
      number(
          "max_connections_per_address", &C::max_connections_per_address, 1, 65535,
          "TCP connections from one address (of IPv6: from one /64) that have not logged in to a "
          "target."),
      number(
          "max_logins", &C::max_logins, 8, 65535,
          "Connections that have not logged in to a target, from all addresses; for one more the "
          "oldest is dropped."),
      number("max_sessions_per_target", &C::max_sessions_per_target, 1, 1024,
             "Initiators that may use one drive or the changer at a time. Others are told to try "
             "later."),
      number("command_window", &C::command_window, 1, 1024,
             "Commands that a session may have open."),
      size("max_text_bytes", &C::max_text_bytes, 8u << 10, 256u << 10,
           "The text of one login or text request, over all its PDUs."),
      size("max_queued_bytes", &C::max_queued_bytes, 1u << 20, 256u << 20,
           "Answers that may wait for an initiator that does not read them; then its commands "
           "wait, too."),
      number("login_timeout_ms", &C::login_timeout_ms, 1000, 600000,
             "Milliseconds within which a login must end."),
      number("ping_after_ms", &C::ping_after_ms, 1000, 3600000,
             "Milliseconds of silence before an initiator is asked whether it lives, and in which "
             "it must answer."),
      number("send_timeout_ms", &C::send_timeout_ms, 1000, 3600000,
             "Milliseconds after which an initiator that takes no data is dropped."),
      number(
          "busy_poll_us", &C::busy_poll_us, 0, 1000,
          "Microseconds that a thread polls for the next request before it sleeps, while requests "
          "come that fast: lower latency for CPU time. 0: sleeps at once."),
      threads_key(),
  };
  return keys;
}

const std::vector<Key<StorageConfig>>& storage_keys() {
  using C = StorageConfig;
  static const std::vector<Key<C>> keys = {
      pool_key(),
      number("segment_mib", &C::segment_mib, 1, 1024,
             "MiB in one file of a cartridge; holds for cartridges made from now on."),
      choice("io_mode", &C::io_mode, std::span<const Choice<IoMode>>(kIoModes),
             "How cartridges are written: direct (past the page cache), paced (through it, for "
             "network file systems "
             "and FUSE), or auto: direct where the file system can."),
      size("buffer_bytes", &C::buffer_bytes, 64u << 20, 1ull << 40,
           "Memory for records of all sessions together."),
      size("buffer_bytes_per_drive", &C::buffer_bytes_per_drive, 32u << 20, 1ull << 40,
           "And of one drive; not above buffer_bytes."),
      size("queue_bytes_per_drive", &C::queue_bytes_per_drive, 1u << 20, 1ull << 32,
           "Data accepted from a host that a drive may hold back from the disk."),
      size("read_ahead_bytes_per_drive", &C::read_ahead_bytes_per_drive, 4u << 20, 1ull << 30,
           "What a drive reads ahead of the host."),
      choice("compression", &C::compression, std::span<const Choice<Compression>>(kCompressions),
             "How blocks are kept while hosts leave the drive's compression on: lz4 (fast), zstd "
             "(smaller, "
             "slower), or none: drives say that they cannot compress."),
      size("low_water_bytes", &C::low_water_bytes, 0, 1ull << 60,
           "Free space in the pool below which every tape reports early warning; 0: 20 GiB or "
           "5 %, whichever is more, but at most 10 %."),
      flag("realistic", &C::realistic,
           "Drives take the time of real ones to load, unload, rewind, locate and stream: for "
           "testing backup software."),
      number("scrub_days", &C::scrub_days, 0, 3650,
             "Cartridges in slots are read in the background and checked against their checksums, "
             "each after so many days; 0: never."),
      size("scrub_bytes_per_second", &C::scrub_bytes_per_second, 1u << 20, 10ull << 30,
           "How much of that in a second."),
  };
  return keys;
}

const std::vector<Key<Config>>& log_keys() {
  static const std::vector<Key<Config>> keys = {
      choice("level", &Config::log_level, std::span<const Choice<LogLevel>>(kLogLevels),
             "What is logged: error, warning, info or debug.")};
  return keys;
}

}  // namespace vtl::config
