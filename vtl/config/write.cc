// The commented vtl.yaml of a new library.
#include <fmt/format.h>

#include "scsi/smc/profile.h"
#include "scsi/ssc/drive_family.h"
#include "vtl/config/keys.h"
#include "vtl/config/rules.h"

namespace vtl::config {

namespace {

constexpr std::size_t kWidth = 100;

std::string comment(std::string_view text, std::size_t indent) {
  const std::string margin(indent, ' ');
  std::string out, line;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!line.empty() && indent + 2 + line.size() + 1 + word.size() > kWidth) {
      out += margin + "# " + line + '\n';
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
  }
  return out + margin + "# " + line + '\n';
}

// A default is shown as a comment, so that a later version's better default takes effect.
std::string key_line(std::string_view name, const std::string& value, bool is_default,
                     std::size_t indent) {
  return std::string(indent, ' ') + (is_default ? "#" : "") + std::string(name) + ": " + value +
         '\n';
}

template <class S>
std::string keys_text(const std::vector<Key<S>>& keys, const S& values, const S& defaults) {
  std::string out;
  for (const Key<S>& key : keys) {
    const std::string value = key.write(values);
    out += comment(key.comment, 2) + key_line(key.name, value, value == key.write(defaults), 2);
  }
  return out;
}

std::string quoted_list(const auto& items) {
  std::string out;
  for (const auto& item : items) out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", item);
  return "[" + out + "]";
}

std::string library_text(const LibraryConfig& library) {
  const auto* profile = scsi::smc::find_library_profile(library.profile);
  std::string out = "library:\n";
  out += comment(
      "What the changer says it is, its element addresses and sizes: " + profile_names() + ".", 2);
  out += "  profile: " + library.profile + "\n";
  out += comment(
      "Targets are called <iqn_prefix>:<name>-mediachanger, -tapedrive-01, -tapedrive-02, ...", 2);
  out += "  iqn_prefix: " + library.iqn_prefix + "\n  name: " + library.name + "\n";
  if (profile != nullptr)
    out += comment(fmt::format("A real {} {} has up to {} slots and {} import/export slots; there "
                               "are addresses for {} and {}. Cartridges in elements that a change "
                               "takes away are outside the library until they have them again.",
                               profile->vendor, profile->product, profile->storage.model_count,
                               profile->import_export.model_count, profile->storage.address_count,
                               profile->import_export.address_count),
                   2);
  out += fmt::format("  slots: {}\n  ie_slots: {}\n", library.slots, library.ie_slots);
  out += comment(
      "How much of a barcode hosts are told: 6 leaves out the media type at the end of an LTO "
      "label, "
      "8 is a whole one, all also tells longer ones.",
      2);
  out +=
      key_line("barcode_characters",
               library.barcode_characters == 0 ? "all" : std::to_string(library.barcode_characters),
               library.barcode_characters == 0, 2);
  out += comment(
      "Who the devices are, made once and never again: backup software knows them by these.", 2);
  out += fmt::format("  changer: {{serial: \"{}\", naa: \"{}\"}}\n", library.changer.serial,
                     format_naa(library.changer.naa));
  out += comment("One line a drive; generation 5 to 9; identity: whose drive it says it is, " +
                     scsi::ssc::drive_family_names() +
                     " (not said: drive_identity for all of them, or ibm). \"vtl library grow "
                     "--drives\" adds more at "
                     "the end. By hand: a serial of 10 characters of A-Z 0-9 and a naa of 16 "
                     "hexadecimal digits that nobody "
                     "else has.",
                 2);
  out += "  drives:\n";
  for (const Drive& drive : library.drives) out += "    " + drive_line(drive);
  return out;
}

std::string listen_text(const Config& config) {
  const Config defaults;
  std::vector<std::string> endpoints;
  for (const Endpoint& endpoint : config.listen) endpoints.push_back(to_string(endpoint));
  return comment(
             "Where initiators connect, IPv4 and IPv6: [\"192.0.2.1:3260\", "
             "\"[2001:db8::1]:3260\"].",
             0) +
         key_line("listen", quoted_list(endpoints), config.listen == defaults.listen, 0) +
         comment(
             "Addresses that other machines reach want CHAP for every target; true does without, "
             "where the network "
             "is trusted.",
             0) +
         key_line("allow_insecure_listen", config.allow_insecure_listen ? "true" : "false",
                  !config.allow_insecure_listen, 0);
}

std::string rule_text(const AccessRule& rule, const AccessRule& defaults, std::size_t indent) {
  return key_line("chap", rule.chap ? "true" : "false", rule.chap == defaults.chap, indent) +
         key_line("users", quoted_list(rule.users), rule.users == defaults.users, indent) +
         key_line("initiators", quoted_list(rule.initiators),
                  rule.initiators == defaults.initiators, indent);
}

std::string access_text(const AccessConfig& access) {
  const AccessConfig defaults;
  std::string out = "access:\n";
  out += comment(
      "CHAP: who may log in. Accounts may stand here, or in a file of their own with the keys "
      "accounts and "
      "own (secrets_file: secrets.yaml); whichever holds secrets must have mode 0600. Secrets have "
      "12 to "
      "16 characters.",
      2);
  out += comment("secrets_file: secrets.yaml", 2) + comment("accounts:", 2);
  out += std::string("  #   - {user: backup01, secret: \"...\"}\n");
  out += comment(
      "Mutual CHAP: what the targets prove to initiators that ask. A secret different from all "
      "others.",
      2);
  out += comment("own: {user: library, secret: \"...\"}", 2);
  std::string algorithms;
  for (const ChapAlgorithm algorithm : access.algorithms)
    for (const auto& known : kChapAlgorithms)
      if (known.value == algorithm)
        algorithms += (algorithms.empty() ? "" : ", ") + std::string(known.name);
  out +=
      comment("CHAP algorithms that are accepted: sha3-256, sha-256, sha-1, md5.", 2) +
      key_line("algorithms", "[" + algorithms + "]", access.algorithms == defaults.algorithms, 2);
  out += comment(
      "chap: true asks for it. users: accounts that may (none named: all). initiators: iSCSI names "
      "that may "
      "(none named: all).",
      2);
  out += "  discovery:\n" + rule_text(access.discovery, defaults.discovery, 4);
  out += "  targets:\n" + rule_text(access.targets, defaults.targets, 4);
  out += comment("Other rules for single devices; what is left out is as under targets.", 2);
  out += comment("devices:", 2) +
         std::string("  #   tapedrive-01: {initiators: [iqn.1993-08.org.debian:01:abc]}\n");
  if (!access.devices.empty()) out += "  devices:\n";
  for (const auto& [name, rule] : access.devices)
    out += "    " + name + ":\n" + rule_text(rule, access.targets, 6);
  return out;
}

}  // namespace

std::string drive_line(const Drive& drive) {
  return fmt::format("- {{serial: \"{}\", naa: \"{}\", generation: {}, identity: {}}}\n",
                     drive.identity.serial, format_naa(drive.identity.naa), drive.generation,
                     drive.family);
}

std::string write_default(const Config& config) {
  const Config defaults;
  std::string out = comment(
      "The configuration of this library, all of it. A key behind # shows its default. Sizes take "
      "KiB, MiB, GiB, "
      "TiB or kB, MB, GB, TB. \"vtl config check\" reads it as the server will.",
      0);
  out += '\n' + library_text(config.library);
  out += '\n' + listen_text(config);
  out += '\n' + access_text(config.access);
  out += "\niscsi:\n" + keys_text(iscsi_keys(), config.iscsi, defaults.iscsi);
  out += "\nstorage:\n" + keys_text(storage_keys(), config.storage, defaults.storage);
  out += "\nlog:\n" + keys_text(log_keys(), config, defaults);
  return out;
}

}  // namespace vtl::config
