// What of a configuration is another than the one that runs and has to wait for a new start.
#include <fmt/format.h>

#include "vtl/config/keys.h"
#include "vtl/config/rules.h"

namespace vtl::config {

namespace {

void compare(std::string_view key, const std::string& now, const std::string& then,
             std::vector<std::string>& out) {
  if (now != then)
    out.push_back(fmt::format("{} is {}; it becomes {} at the next start", key, now, then));
}

template <class S>
void compare_keys(std::string_view section, const std::vector<Key<S>>& keys, const S& now,
                  const S& then, std::vector<std::string>& out) {
  for (const Key<S>& key : keys)
    compare(fmt::format("{}.{}", section, key.name), key.write(now), key.write(then), out);
}

std::string identity(const DeviceIdentity& of) {
  return fmt::format("serial {}, naa {}", of.serial, format_naa(of.naa));
}

}  // namespace

std::vector<std::string> changes_for_restart(const Config& running, const Config& file) {
  std::vector<std::string> out;
  const LibraryConfig &now = running.library, &then = file.library;
  compare("library.profile", now.profile, then.profile, out);
  compare("library.iqn_prefix", now.iqn_prefix, then.iqn_prefix, out);
  compare("library.name", now.name, then.name, out);
  compare("library.slots", std::to_string(now.slots), std::to_string(then.slots), out);
  compare("library.ie_slots", std::to_string(now.ie_slots), std::to_string(then.ie_slots), out);
  compare("library.barcode_characters", std::to_string(now.barcode_characters),
          std::to_string(then.barcode_characters), out);
  compare("library.changer", identity(now.changer), identity(then.changer), out);
  if (now.drives != then.drives) {
    if (now.drives.size() == then.drives.size())
      out.push_back("library.drives say otherwise; they become so at the next start");
    compare("the number of library.drives", std::to_string(now.drives.size()),
            std::to_string(then.drives.size()), out);
  }
  compare_keys("iscsi", iscsi_keys(), running.iscsi, file.iscsi, out);
  compare_keys("storage", storage_keys(), running.storage, file.storage, out);
  return out;
}

}  // namespace vtl::config
