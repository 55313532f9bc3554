#include "vtl/library/setup.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "vtl/library/barcode.h"
#include "vtl/library/journal.h"

namespace vtl {

namespace {

// While this is there and vtl.yaml is not, an init is under way or was interrupted.
constexpr const char* kMarker = "/vtl.init";
constexpr const char* kConfig = "/vtl.yaml";
constexpr const char* kJournal = "/journal";

Status write_file(FileSystem& files, const std::string& path, std::string_view text) {
  auto file = files.open(path, FileSystem::Mode::kCreate);
  if (!file) return file.error();
  if (Status written = (*file)->pwrite(scsi::as_bytes(text), 0); !written) return written;
  return (*file)->fdatasync();
}

// A file or a directory with all that is in it; what is not there is fine.
void remove_tree(FileSystem& files, const std::string& path) {
  const auto names = files.list(path);
  if (names)
    for (const std::string& name : *names) remove_tree(files, path + '/' + name);
  (void)files.remove(path);
}

// What this file makes, the marker last.
void clear(FileSystem& files, const NewLibrary& library) {
  const std::string& dir = library.directory;
  for (const std::string& path : {dir + kConfig + ".new", dir + kJournal, dir + kJournal + ".new",
                                  library.pool_dir, dir + kMarker})
    remove_tree(files, path);
}

// "": may be used. `interrupted`: an earlier attempt has left things there.
std::string examine(FileSystem& files, const std::string& dir, bool& interrupted) {
  const auto names = files.list(dir);
  if (!names) return names.error().what;
  const auto has = [&](std::string_view name) {
    return std::find(names->begin(), names->end(), name) != names->end();
  };
  if (has("vtl.yaml")) return dir + " holds a library already: nothing was changed";
  interrupted = has("vtl.init");
  if (interrupted) return "";
  for (const std::string& name : *names)
    if (name != "vtl.lock" && name != "lost+found")
      return dir + " is not empty (" + name +
             " is in it) and holds no library: choose another directory; nothing was "
             "changed";
  return "";
}

// Of cartridge i, from 0. Numbers go on from one generation to the next.
std::uint8_t generation_of(const NewLibrary& library, std::uint32_t i) {
  const std::size_t kinds = library.generations.size();
  return library.generations[i * kinds / std::max(library.cartridges, 1u)];
}

std::string barcode_of(const NewLibrary& library, std::uint32_t i) {
  return numbered_barcode(library.barcode_prefix, i + 1, generation_of(library, i));
}

Status fill(FileSystem& files, const NewLibrary& library,
            const std::function<void(std::uint32_t, std::uint32_t)>& progress) {
  const std::string& dir = library.directory;
  std::array<std::byte, 16> random{};
  library.random(random);
  if (Status made = create_pool(files, library.pool_dir, {make_uuid(random), library.now_ns()});
      !made)
    return made;
  PoolStore store({library.pool_dir, library.segment_mib, {}, library.random, library.now_ns},
                  files);
  Journal::State state;
  for (std::uint32_t i = 0; i < library.cartridges; ++i) {
    const std::string barcode = barcode_of(library, i);
    JournalEntry entry;
    entry.label = label_of_barcode(barcode, generation_of(library, i)).label;
    entry.address = static_cast<std::uint16_t>(library.geometry.storage.first + i);
    if (Status made = store.create(entry.label, library.capacity_bytes); !made) return made;
    state.emplace(barcode, std::move(entry));
    if (progress) progress(i + 1, library.cartridges);
  }
  if (Status made = Journal::create(files, dir + kJournal, state); !made) return made;
  const std::string aside = dir + kConfig + ".new";
  if (Status written = write_file(files, aside, library.config_text); !written) return written;
  if (Status renamed = files.rename(aside, dir + kConfig); !renamed) return renamed;
  return files.sync_directory(dir);
}

}  // namespace

std::string check_new_library(const NewLibrary& library) {
  if (library.cartridges > library.geometry.storage.count)
    return "--cartridges: found " + std::to_string(library.cartridges) + ", allowed: 0 to " +
           std::to_string(library.geometry.storage.count) + ", one a slot";
  if (library.capacity_bytes != 0 && library.capacity_bytes < kMinCapacityBytes)
    return "--capacity: found " + std::to_string(library.capacity_bytes) +
           " bytes, allowed: at least " + std::to_string(kMinCapacityBytes) + " (" +
           std::to_string(kMinCapacityBytes >> 20) + "MiB)";
  BarcodeSet names(library.barcode_characters);
  for (std::uint32_t i = 1; i <= std::max(library.cartridges, 1u); ++i) {
    const std::string barcode = barcode_of(library, i - 1);
    if (barcode.empty() && i == 1)
      return "--barcode-prefix: found \"" + library.barcode_prefix.substr(0, 40) +
             "\", allowed: up to 5 of A-Z and 0-9";
    const LabelOutcome label =
        label_of_barcode(barcode.empty() ? "" : barcode, generation_of(library, i - 1));
    if (barcode.empty() || names.clash(barcode))
      return "--cartridges: found " + std::to_string(library.cartridges) +
             ", allowed with the prefix " + library.barcode_prefix + ": 0 to " +
             std::to_string(i - 1) +
             "; the last six characters of a barcode must be unique, a shorter prefix leaves more "
             "digits";
    if (!label.error.empty()) return "--barcode-prefix: " + label.error;
    names.insert(barcode);
  }
  return "";
}

Outcome create_library(FileSystem& files, const NewLibrary& library,
                       const std::function<void(std::uint32_t, std::uint32_t)>& progress) {
  if (std::string wrong = check_new_library(library); !wrong.empty()) return {wrong};
  const std::string& dir = library.directory;
  VTL_CHECK(library.pool_dir.starts_with(dir + '/'));  // or clearing up could reach beyond it
  const auto there = files.exists(dir);
  if (!there) return {there.error().what};
  if (!*there) {
    if (Status made = files.make_directory(dir); !made) return {made.error().what};
  }
  bool interrupted = false;
  if (std::string wrong = examine(files, dir, interrupted); !wrong.empty()) return {wrong};
  if (interrupted) clear(files, library);

  Status status = write_file(files, dir + kMarker, "init is under way\n");
  if (status) status = files.sync_directory(dir);
  if (status) status = fill(files, library, progress);
  if (!status) {
    (void)files.remove(dir + kConfig);  // in place already, if only the last sync failed
    clear(files, library);
    if (!*there) (void)files.remove(dir);
    return {status.error().what + "; nothing was made"};
  }
  (void)files.remove(dir + kMarker);
  return {};
}

}  // namespace vtl
