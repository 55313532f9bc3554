#include "vtl/daemon/reservation_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "scsi/crc32c.h"

namespace vtl::daemon {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr std::uint64_t kMostBytes = 1u << 20;

std::string hex_of(scsi::Bytes bytes) {
  std::string text;
  for (const std::byte b : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return text;
}

// What a file holds that is whole but not right.
struct NotRight : std::exception {};

std::uint64_t number_of(std::string_view hex) {
  std::uint64_t value = 0;
  const char* const end = hex.data() + hex.size();
  const auto [after, error] = std::from_chars(hex.data(), end, value, 16);
  if (error != std::errc() || after != end) throw NotRight();
  return value;
}

std::vector<std::byte> bytes_of(std::string_view hex) {
  std::vector<std::byte> bytes;
  if (hex.size() % 2 != 0) throw NotRight();
  for (; !hex.empty(); hex.remove_prefix(2))
    bytes.push_back(static_cast<std::byte>(number_of(hex.substr(0, 2))));
  return bytes;
}

// Keys are sorted: the same content has the same text, and its checksum.
std::string checksum(const json& body) {
  return fmt::format("{:08x}", scsi::crc32c(scsi::as_bytes(body.dump())));
}

std::string text_of(const scsi::KeptReservations& kept) {
  json body = {{"format", kFormat}, {"registrations", json::array()}, {"reservation", nullptr}};
  for (const scsi::Registration& one : kept.registrations) {
    json& entry = body["registrations"].emplace_back();
    entry = {{"transport_id", hex_of(one.port.transport_id)},
             {"target_port", one.port.relative_target_port},
             {"key", fmt::format("{:016x}", one.key)},
             {"all_target_ports", one.all_target_ports}};
  }
  if (kept.reservation) {
    body["reservation"] = {{"type", static_cast<int>(kept.reservation->type)},
                           {"holder_transport_id", hex_of(kept.reservation->holder.transport_id)},
                           {"holder_target_port", kept.reservation->holder.relative_target_port}};
  }
  body["crc32c"] = checksum(body);
  return body.dump(1) + "\n";
}

// Throws NotRight, or what nlohmann does.
scsi::KeptReservations kept_in(const std::string& text) {
  json body = json::parse(text);
  const std::string crc = body.at("crc32c");
  body.erase("crc32c");
  if (crc != checksum(body) || body.at("format") != kFormat) throw NotRight();
  scsi::KeptReservations kept;
  for (const json& entry : body.at("registrations")) {
    scsi::Registration& one = kept.registrations.emplace_back();
    one.port = {bytes_of(entry.at("transport_id").get<std::string>()), entry.at("target_port")};
    one.key = number_of(entry.at("key").get<std::string>());
    one.all_target_ports = entry.at("all_target_ports");
  }
  if (const json& held = body.at("reservation"); !held.is_null()) {
    const auto type = scsi::reservation_type(held.at("type"));
    if (!type) throw NotRight();
    kept.reservation = {*type,
                        {bytes_of(held.at("holder_transport_id").get<std::string>()),
                         held.at("holder_target_port")}};
  }
  return kept;
}

Result<std::string> content(FileSystem& files, const std::string& path) {
  auto file = files.open(path, FileSystem::Mode::kReadWrite);
  if (!file) return file.error();
  const auto size = (*file)->size();
  if (!size) return size.error();
  if (*size > kMostBytes) return IoError{EBADMSG, path + " is too large"};
  std::string text(static_cast<std::size_t>(*size), '\0');
  const auto got = (*file)->pread(std::as_writable_bytes(std::span(text)), 0);
  if (!got) return got.error();
  text.resize(*got);
  // A process that was killed may have left it in the system's memory only. Hosts will see what was
  // read here.
  if (Status synced = (*file)->fdatasync(); !synced) return synced.error();
  if (Status synced = files.sync_directory(folder_of(path)); !synced) return synced.error();
  return text;
}

Result<scsi::KeptReservations> read_file(FileSystem& files, const std::string& path) {
  const Result<bool> there = files.exists(path);
  if (!there) return there.error();
  if (!*there) return scsi::KeptReservations{};
  const Result<std::string> text = content(files, path);
  if (!text) return text.error();
  try {
    return kept_in(*text);
  } catch (const std::exception&) {
    return IoError{EBADMSG, path + " is damaged"};
  }
}

Status write(FileSystem& files, const std::string& path, const scsi::KeptReservations& state) {
  const std::string folder = folder_of(path);
  if (state.registrations.empty()) {
    const Result<bool> there = files.exists(path);
    if (!there) return there.error();
    if (*there) {
      if (Status removed = files.remove(path); !removed) return removed;
    }
    return files.sync_directory(folder);
  }
  const Result<bool> there = files.exists(folder);
  if (!there) return there.error();
  if (!*there) {
    if (Status made = files.make_directory(folder); !made) return made;
    if (Status synced = files.sync_directory(folder_of(folder)); !synced) return synced;
  }
  const auto file = replace_file(files, path, scsi::as_bytes(text_of(state)));
  return file ? ok_status() : Status(file.error());
}

}  // namespace

ReservationFolder ReservationFolder::read(FileSystem& files, std::string path,
                                          const config::LibraryConfig& library) {
  ReservationFolder folder;
  folder.path = std::move(path);
  std::set<std::string> known;
  const auto look = [&](const std::string& serial, const std::string& unit) {
    known.insert({serial, serial + ".new"});
    Result<scsi::KeptReservations> found = read_file(files, folder.path + "/" + serial);
    if (found.ok()) {
      if (!found->registrations.empty()) folder.kept.emplace(serial, std::move(*found));
      return;
    }
    folder.problems.push_back(fmt::format(
        "the persistent reservations of {} cannot be read: {}; it starts without them, and hosts "
        "that want it for themselves must register and reserve again; remove {}/{} so that this is "
        "not told at the next start",
        unit, found.error().what, folder.path, serial));
  };
  look(library.changer.serial, "the changer");
  for (std::size_t i = 0; i < library.drives.size(); ++i)
    look(library.drives[i].identity.serial, fmt::format("drive {}", i + 1));
  const Result<bool> there = files.exists(folder.path);
  if (!there || !*there) return folder;
  if (const Result<std::vector<std::string>> names = files.list(folder.path); names) {
    for (const std::string& name : *names)
      if (!known.contains(name))
        folder.strangers.push_back(fmt::format(
            "{}/{} keeps persistent reservations of a device that is not in vtl.yaml; they hold "
            "again if it comes back: remove the file if they shall not",
            folder.path, name));
  }
  return folder;
}

ReservationFile::ReservationFile(FileSystem& files, Executor& executor,
                                 const ReservationFolder& folder, const std::string& serial,
                                 std::string unit)
    : files_(files),
      executor_(executor),
      folder_(folder),
      path_(folder.path + "/" + serial),
      unit_(std::move(unit)) {
  const auto found = folder.kept.find(serial);
  if (found != folder.kept.end()) kept_ = found->second;
}

void ReservationFile::keep(scsi::KeptReservations state, scsi::Done<bool> done) {
  struct Work {
    scsi::KeptReservations before, state;
    Status ended = ok_status();
  };
  auto work = std::make_shared<Work>(Work{kept_, std::move(state)});
  // Rare enough for a strand, which is a thread, of its own each time.
  const Strand strand = executor_.make_strand("reservations");
  executor_.submit(
      strand,
      [work, path = path_, &files = files_] {
        work->ended = write(files, path, work->state);
        // Whatever of it is there: a restart shall not bring what the host was refused.
        if (!work->ended) (void)write(files, path, work->before);
      },
      [this, work, strand, done = std::move(done)]() mutable {
        executor_.close_strand(strand);
        const bool kept = work->ended.ok();
        if (kept) {
          kept_ = std::move(work->state);
        } else if (folder_.failed) {
          folder_.failed(fmt::format(
              "the persistent reservations of {} cannot be kept: {}; the host is refused, and what "
              "was kept before holds",
              unit_, work->ended.error().what));
        }
        done(kept);
      });
}

}  // namespace vtl::daemon
