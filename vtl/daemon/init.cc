#include "vtl/daemon/init.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "scsi/smc/profile.h"
#include "scsi/ssc/profile.h"
#include "vtl/daemon/manager.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"
#include "vtl/library/barcode.h"

namespace vtl::daemon {
namespace {

// One character of `alphabet` by fair chance.
char random_character(std::string_view alphabet) {
  const auto size = static_cast<unsigned>(alphabet.size());
  for (;;) {
    std::array<std::byte, 1> byte{};
    random_bytes(byte);
    const auto value = std::to_integer<unsigned>(byte[0]);
    if (value < 256 - 256 % size) return alphabet[value % size];
  }
}

// Ten characters, the length that every client accepts (drives appear by 34 bytes of vendor,
// product and serial). Drawn, not counted: they stay with the device whatever becomes of the
// library around it.
config::DeviceIdentity random_identity() {
  config::DeviceIdentity identity;
  identity.serial = "VT";
  while (identity.serial.size() < 10) {
    identity.serial += random_character("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ");
  }
  std::array<std::byte, 8> naa{};
  random_bytes(naa);
  for (std::size_t i = 0; i < naa.size(); ++i) {
    identity.naa[i] = std::to_integer<std::uint8_t>(naa[i]);
  }
  identity.naa[0] = static_cast<std::uint8_t>(0x30 | (identity.naa[0] & 0x0f));  // locally assigned
  return identity;
}

std::string random_name(std::string_view pattern) {
  std::string name(pattern);
  for (char& c : name) {
    if (c == 'X') c = random_character("0123456789abcdef");
  }
  return name;
}

struct Sizes {
  Problems& problems;
  const scsi::smc::LibraryProfile& profile;

  std::uint32_t check(const char* what, std::optional<std::uint32_t> asked, std::uint32_t least,
                      const scsi::smc::ElementRange& range) {
    const std::uint32_t count = asked.value_or(range.default_count);
    if (count < least || count > range.address_count) {
      problems.errors.push_back(fmt::format("--{}: found {}, allowed are {} to {} (profile {})",
                                            what, count, least, range.address_count, profile.name));
    } else if (count > range.model_count) {
      problems.warnings.push_back(fmt::format("--{} {}: the real {} has at most {}", what, count,
                                              profile.product, range.model_count));
    }
    return count;
  }
};

config::Config make_config(const InitOptions& options, Problems& problems) {
  config::Config config;
  const auto* profile = scsi::smc::find_library_profile(options.profile);
  if (profile == nullptr) {
    std::string names;
    for (const auto& one : scsi::smc::library_profiles()) {
      names += (names.empty() ? "" : ", ") + std::string(one.name);
    }
    problems.errors.push_back(
        fmt::format("--profile: found {}, allowed are {}", options.profile, names));
    return config;
  }
  const std::uint8_t generation = options.generation.value_or(profile->drive_generation);
  const auto* drive = scsi::ssc::find_generation(generation);
  if (drive == nullptr || drive->ibm_product.empty()) {
    problems.errors.push_back(
        fmt::format("--generation: found {}, allowed are 5 to 9", generation));
    return config;
  }
  Sizes sizes{problems, *profile};
  config::LibraryConfig& library = config.library;
  library.name = random_name(profile->default_library);
  library.iqn_prefix = profile->default_iqn_prefix;
  library.profile = profile->name;
  library.slots = sizes.check("slots", options.slots, 1, profile->storage);
  library.ie_slots = sizes.check("ie-slots", options.ie_slots, 0, profile->import_export);
  const std::uint32_t drives = sizes.check("drives", options.drives, 1, profile->drives);
  if (options.cartridges > library.slots) {
    problems.errors.push_back(
        fmt::format("--cartridges: found {}, allowed are 0 to {} (one a slot)", options.cartridges,
                    library.slots));
  }
  const std::string last = numbered_barcode(options.barcode_prefix, options.cartridges, generation);
  const std::string wrong = last.empty() ? "" : check_barcode(last);
  if (last.empty() || !wrong.empty()) {
    problems.errors.push_back(
        fmt::format("--barcode-prefix: found {}; allowed are A-Z and 0-9, at most six characters "
                    "together with the "
                    "number{}{}",
                    options.barcode_prefix, wrong.empty() ? "" : ": ", wrong));
  }
  if (options.capacity_bytes != 0 && options.capacity_bytes < kMinCapacityBytes) {
    problems.errors.push_back(fmt::format("--capacity: found {}, the least is {}",
                                          config::format_size(options.capacity_bytes),
                                          config::format_size(kMinCapacityBytes)));
  }
  if (!problems.errors.empty()) return config;
  library.changer = random_identity();
  for (std::uint32_t i = 0; i < drives; ++i) {
    library.drives.push_back({random_identity(), generation});
  }
  return config;
}

// Empty if `path` is an empty directory now, or what is wrong.
std::string make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  if (errno != EEXIST) return "cannot make " + path + ": " + std::strerror(errno);
  if (::access(config_path(path).c_str(), F_OK) == 0) {
    return path + " is a library already; nothing was changed";
  }
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  if (error) return "cannot read " + path + ": " + error.message();
  if (entries != std::filesystem::directory_iterator()) {
    return path +
           " is not empty, and is no library; nothing was changed. Choose another directory, or "
           "empty it if an init was interrupted there";
  }
  return {};
}

// Whole and durable, or not at all.
std::string write_file(const std::string& path, const std::string& text) {
  const auto failed = [&](const char* what) {
    return fmt::format("cannot {} {}: {}", what, path, std::strerror(errno));
  };
  const std::string temporary = path + ".new";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed("create");
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  std::string error = written ? "" : failed("write");
  ::close(fd);
  if (error.empty() && ::rename(temporary.c_str(), path.c_str()) != 0) error = failed("rename");
  return error;
}

Problems fill(const InitOptions& options, DataDirectory directory) {
  Problems out{kExitFailed, {}, {}};
  const std::string pool = pool_directory(directory.config, directory.path);
  auto files = make_posix_file_system();
  std::array<std::byte, 16> random{};
  random_bytes(random);
  const Status made = create_pool(*files, pool, {make_uuid(random), wall_clock_ms() * 1'000'000});
  if (!made) {
    out.errors.push_back(made.error().what);
    return out;
  }
  const std::string path = directory.path;
  const config::Config config = directory.config;
  Manager::Opened opened = Manager::open(std::move(directory));
  if (!opened.manager) return std::move(opened.problems);
  if (options.cartridges > 0) {
    nlohmann::json body = {{"prefix", options.barcode_prefix},
                           {"count", options.cartridges},
                           {"generation", config.library.drives.front().generation}};
    if (options.capacity_bytes > 0) body["capacity_bytes"] = options.capacity_bytes;
    const auto result = opened.manager->call({"POST", "/v1/cartridges", std::move(body)});
    const Answer& answer = std::get<Answer>(result);
    if (answer.status != 201) {
      out.errors.push_back(answer.body.value("error", "the cartridges could not be made"));
      return out;
    }
  }
  if (std::string error = write_file(config_path(path), config::write_default(config));
      !error.empty()) {
    out.errors.push_back(std::move(error));
    return out;
  }
  if (const Status synced = files->sync_directory(path); !synced) {
    out.errors.push_back(synced.error().what);
    return out;
  }
  out.code = kExitDone;
  return out;
}

}  // namespace

InitOutcome init(const InitOptions& options) {
  InitOutcome out;
  out.config = make_config(options, out.problems);
  if (!out.problems.errors.empty()) {
    out.problems.code = kExitUsage;
    return out;
  }
  const auto fail = [&](std::string error) {
    out.problems.code = kExitFailed;
    out.problems.errors.push_back(std::move(error));
    return out;
  };
  const std::string& path = options.data_directory;
  if (std::string error = make_directory(path); !error.empty()) return fail(std::move(error));
  DataDirectory directory{path, {}, out.config};
  if (std::string error = directory.lock.acquire(path); !error.empty())
    return fail(std::move(error));
  Problems problems = fill(options, std::move(directory));
  if (problems.code != kExitDone) {
    for (std::string& error : problems.errors) out.problems.errors.push_back(std::move(error));
    out.problems.errors.push_back(path +
                                  " holds an unfinished library; remove it and run init again");
  }
  out.problems.code = problems.code;
  return out;
}

}  // namespace vtl::daemon
