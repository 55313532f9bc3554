// Config: what DIR/vtl.yaml says, checked. Made once by load() and never changed afterwards; the
// daemon maps it onto what portals, access policies, drives and the library take.
//
// A member's initial value is the key's default. Sizes are bytes, times milliseconds. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace vtl::config {

// A CHAP secret. It has no stream operator and no formatter on purpose: what is never printed never
// leaks.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  const std::string& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }
  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

struct Endpoint {
  std::string address;        // numeric: "127.0.0.1", "::1", "0.0.0.0"; no brackets
  std::uint16_t port = 3260;  // 0: any free one
  bool ipv6 = false;
  bool loopback = false;  // 127.0.0.0/8, ::1
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
std::string to_string(const Endpoint& endpoint);  // "127.0.0.1:3260", "[::1]:3260"
// A numeric address with an optional port: "192.0.2.1", "192.0.2.1:3261", "::1", "[::1]:3261". The
// error says what is allowed. Also for `serve --listen`.
std::variant<Endpoint, std::string> parse_endpoint(std::string_view text);

struct DeviceIdentity {
  std::string serial;                 // drives: exactly 10 of A-Z 0-9; changer: 10 to 12
  std::array<std::uint8_t, 8> naa{};  // first nibble 5 (or 3, locally assigned)
  friend bool operator==(const DeviceIdentity&, const DeviceIdentity&) = default;
};

struct Drive {
  DeviceIdentity identity;
  std::uint8_t generation = 8;  // of the drive: 5..9
  std::string family = "ibm";   // a name that scsi::ssc::find_drive_family() knows
  friend bool operator==(const Drive&, const Drive&) = default;
};

struct LibraryConfig {
  std::string name;        // in the target names: "<iqn_prefix>:<name>-mediachanger"
  std::string iqn_prefix;  // lower case
  std::string profile;     // a name that scsi::smc::find_library_profile() knows
  std::uint32_t slots = 0;
  std::uint32_t ie_slots = 0;
  // How much of a cartridge's barcode the changer tells its hosts; 0: all of it.
  std::uint32_t barcode_characters = 0;
  DeviceIdentity changer;
  std::vector<Drive> drives;  // in the order of their target names and element addresses
  friend bool operator==(const LibraryConfig&, const LibraryConfig&) = default;
};
std::string changer_target_name(const LibraryConfig& library);  // "iqn...:vtl-mediachanger"
std::string drive_target_name(const LibraryConfig& library,
                              std::size_t index);  // index 0: "...-tapedrive-01"

// RFC 7143 and IANA: the value is CHAP_A's.
enum class ChapAlgorithm : std::uint8_t { kMd5 = 5, kSha1 = 6, kSha256 = 7, kSha3_256 = 8 };

struct Account {
  std::string user;                          // CHAP_N, 1..255 characters
  Secret secret;                             // 12..16 characters, different from the target's own
  std::vector<std::string> initiators = {};  // iSCSI names of those whose it is; empty: anybody's
  bool apart = false;                        // kept in the secrets file
  friend bool operator==(const Account&, const Account&) = default;
};

struct AccessRule {
  // The initiator must prove that it is one of `users`.
  bool chap = false;
  std::vector<std::string> users;       // with chap: accounts that may log in; empty: every account
  std::vector<std::string> initiators;  // iSCSI names that may log in; empty: any
  std::vector<std::string> addresses = {};  // "192.0.2.0/24", "2001:db8::7": where from; empty: any
  friend bool operator==(const AccessRule&, const AccessRule&) = default;
};

struct AccessConfig {
  // The file that holds accounts and `own`, beside vtl.yaml unless absolute. If the file does not
  // say, it need not be there.
  std::string secrets_file = "secrets.yaml";
  // Secrets of up to 255 characters instead of 16: more than Windows' initiator takes.
  bool long_secrets = false;
  std::vector<Account> accounts;
  // Mutual CHAP: who the targets are, to initiators that ask; empty: such initiators are refused.
  std::optional<Account> own;
  std::vector<ChapAlgorithm> algorithms = {ChapAlgorithm::kSha3_256, ChapAlgorithm::kSha256,
                                           ChapAlgorithm::kSha1, ChapAlgorithm::kMd5};
  AccessRule discovery;
  AccessRule targets;  // what holds for a target that is not named in `devices`
  // By the last part of a target's name: "mediachanger", "tapedrive-01". Complete: what the file
  // leaves out has been filled in from `targets`.
  std::map<std::string, AccessRule> devices;
  friend bool operator==(const AccessConfig&, const AccessConfig&) = default;
};
const AccessRule& access_rule(const AccessConfig& access, const std::string& device);

// Names and meanings as iscsi::PortalOptions, but for what is not a portal's business: which
// addresses it tells, and the loops.
struct IscsiConfig {
  std::uint32_t max_recv_data_segment_length = 262144;
  std::uint32_t max_burst_length = 1048576;
  std::uint32_t first_burst_length = 262144;
  std::uint32_t max_outstanding_r2t = 1;
  bool header_digest = true;
  bool data_digest = true;
  bool tell_all_addresses = false;
  std::uint32_t max_connections = 256;
  std::uint32_t max_connections_per_address = 64;
  std::uint32_t max_logins = 128;
  std::uint32_t max_text_bytes = 32u << 10;
  std::uint32_t max_queued_bytes = 4u << 20;
  std::uint32_t max_sessions_per_target = 1;
  std::uint32_t command_window = 32;
  std::uint32_t login_timeout_ms = 15000;
  std::uint32_t ping_after_ms = 30000;
  std::uint32_t send_timeout_ms = 60000;
  std::uint32_t busy_poll_us = 0;
  std::uint32_t threads = 0;  // loops that the devices are shared out among; 0: as many as cores
  friend bool operator==(const IscsiConfig&, const IscsiConfig&) = default;
};

enum class IoMode { kAuto, kDirect, kPaced };
enum class Compression { kNone, kLz4, kZstd };

struct StorageConfig {
  std::string pool = "pool";        // folder of the cartridges; relative to DIR
  std::uint32_t segment_mib = 256;  // of cartridges made from now on
  IoMode io_mode = IoMode::kAuto;
  std::uint64_t buffer_bytes = 192u << 20;           // record buffers of all sessions together
  std::uint64_t buffer_bytes_per_drive = 64u << 20;  // and of one drive
  std::uint64_t queue_bytes_per_drive = 32u << 20;   // accepted from the host, not yet written
  std::uint64_t read_ahead_bytes_per_drive = 8u << 20;
  Compression compression = Compression::kLz4;
  // Free space in the pool's file system below which every tape reports early warning; 0: the
  // store's own rule.
  std::uint64_t low_water_bytes = 0;
  // Drives take the time of real ones to load, wind and stream.
  bool realistic = false;
  std::uint32_t scrub_days = 30;  // each cartridge is read and checked so often; 0: never
  std::uint64_t scrub_bytes_per_second = 20u << 20;
  friend bool operator==(const StorageConfig&, const StorageConfig&) = default;
};

enum class LogLevel { kError, kWarning, kInfo, kDebug };

struct Config {
  LibraryConfig library;
  std::vector<Endpoint> listen = {{"127.0.0.1", 3260, false, true}};
  bool allow_insecure_listen = false;
  AccessConfig access;
  IscsiConfig iscsi;
  StorageConfig storage;
  LogLevel log_level = LogLevel::kInfo;
  friend bool operator==(const Config&, const Config&) = default;
};

// --- reading

// "vtl.yaml:12: library.slots: found 70000, allowed are 1 to 677 (profile stk-l700)"
struct Problem {
  std::string file;
  int line = 0;      // from 1; 0: the file as a whole
  std::string key;   // "iscsi.max_burst_length", "library.drives[3].serial"; may be empty
  std::string text;  // what was found and what is allowed; never a secret
};
std::string to_string(const Problem& problem);

// A file's text and permission bits, or why it cannot be read.
struct SourceFile {
  std::string text;
  std::uint32_t mode = 0600;  // 0..07777
};
using ReadFile = std::function<std::variant<SourceFile, std::string>(const std::string& path)>;
// What it says of a file that is not there.
inline constexpr std::string_view kNoSuchFile = "cannot be opened: No such file or directory";
ReadFile read_from_disk();  // files above 1 MiB are refused

struct Loaded {
  AccessConfig access;           // also when there are errors: as far as it could be read
  std::optional<Config> config;  // empty when there are errors
  std::vector<Problem> errors;   // all of them, by line
  std::vector<Problem> warnings;
  // Of storage.pool and storage.io_mode, which only the machine can tell to be right; 0: not there.
  int pool_line = 0, io_mode_line = 0;
};
// Reads `path` (DIR/vtl.yaml) and the secrets file that it may name, relative to its own folder.
Loaded load(const std::string& path, const ReadFile& read = read_from_disk());

// The secrets file of the configuration at `config_path`.
std::string secrets_path(const AccessConfig& access, const std::string& config_path);

// What `file` says otherwise than `running` does, of all that only a new start takes over: a
// sentence each, "storage.pool is pool; it becomes /tapes at the next start".
std::vector<std::string> changes_for_restart(const Config& running, const Config& file);

// Checks that hold between settings and that command line options can break again: run after
// overriding `listen` or `iscsi.threads`.
std::vector<std::string> check_listen(const Config& config);
std::string check_threads(const Config& config);  // "": right

// A loop's least share of storage.buffer_bytes: the longest block must fit beside what its sessions
// hold in reserve.
inline constexpr std::uint64_t kLeastLoopBytes = 32u << 20;
// What iscsi.threads may be at most.
std::uint32_t max_threads(const Config& config);

// --- writing

// The commented vtl.yaml: every key with its default shown, `config`'s own values where they
// differ. load() of it gives `config` again (accounts and secrets belong into the secrets file and
// are not written).
std::string write_default(const Config& config);

// --- values for people, shared with the command line

// "64KiB", "2.5 TB", "1048576": bytes. Decimal (kB MB GB TB) and binary (KiB MiB GiB TiB) suffixes;
// exact results only.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string format_size(
    std::uint64_t bytes);  // the shortest exact form: "256KiB", "12TB", "1000001"

}  // namespace vtl::config
