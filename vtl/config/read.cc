// vtl.yaml into a Config: structure and values first, then what must hold between them. Every
// problem is collected.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "scsi/smc/profile.h"
#include "scsi/ssc/drive_family.h"
#include "vtl/config/keys.h"
#include "vtl/config/rules.h"
#include "vtl/config/section.h"

namespace vtl::config {

namespace {

using scsi::smc::ElementRange;
using scsi::smc::LibraryProfile;

template <class S>
void read_keys(Section& section, const std::vector<Key<S>>& keys, S& out) {
  for (const Key<S>& key : keys) {
    const auto value = section.scalar(key.name);
    if (!value) continue;
    const std::string allowed = key.read(out, value->text);
    if (!allowed.empty()) value->refuse(allowed);
  }
}

// Takes a value that `allowed` is empty for.
void take(const std::optional<Value>& value, const std::string& allowed, std::string& out) {
  if (!value) return;
  if (allowed.empty())
    out = value->text;
  else
    value->refuse(allowed);
}

void read_flag(Section& section, std::string_view name, bool& out) {
  const auto value = section.scalar(name);
  if (!value) return;
  if (value->text != "true" && value->text != "false") return value->refuse("true or false");
  out = value->text == "true";
}

// --- library

struct Taken {
  std::set<std::string> serials;
  std::set<std::array<std::uint8_t, 8>> naas;
};

DeviceIdentity read_identity(Section& section, std::size_t min_serial, std::size_t max_serial,
                             Taken& taken) {
  DeviceIdentity identity;
  if (const auto serial = section.required("serial")) {
    take(serial, check_serial(serial->text, min_serial, max_serial), identity.serial);
    if (!identity.serial.empty() && !taken.serials.insert(identity.serial).second)
      serial->error("found " + identity.serial + " a second time: every device has its own");
  }
  if (const auto naa = section.required("naa")) {
    const auto value = parse_naa(naa->text);
    if (!value) {
      naa->refuse("16 hexadecimal digits, the first of them 5 or 3");
    } else {
      identity.naa = *value;
      if (!taken.naas.insert(*value).second)
        naa->error("found " + naa->text + " a second time: every device has its own");
    }
  }
  return identity;
}

std::uint32_t read_count(Section& section, std::string_view name, const ElementRange& range,
                         std::uint32_t min, const LibraryProfile& profile) {
  const auto value = section.scalar(name);
  if (!value) return range.default_count;
  const auto count = parse_count(value->text);
  if (!count || *count < min || *count > range.address_count) {
    value->refuse(fmt::format("{} to {} (profile {})", min, range.address_count, profile.name));
    return range.default_count;
  }
  if (*count > range.model_count)
    value->warn(
        fmt::format("{} is more than the {} of a real {} {}: some backup software may object",
                    *count, range.model_count, profile.vendor, profile.product));
  return static_cast<std::uint32_t>(*count);
}

// Whose drives: a file that does not say so is from a time when there were IBM's only.
void read_family(Section& section, std::string_view key, std::string& out) {
  if (const auto name = section.scalar(key))
    take(name,
         scsi::ssc::find_drive_family(name->text) != nullptr ? "" : scsi::ssc::drive_family_names(),
         out);
}

void read_drives(Section& library, const LibraryProfile& profile, Taken& taken,
                 LibraryConfig& out) {
  const ElementRange& range = profile.drives;
  std::string family = Drive().family;
  read_family(library, "drive_identity", family);
  if (!library.has("drives"))
    library.error("key \"drives\" is missing: a list, each with serial and naa");
  auto list = library.list("drives");
  if (!list) return;
  if (list->empty() || list->size() > range.address_count)
    library.error_at("drives", fmt::format("found {} drives, allowed: 1 to {} (profile {})",
                                           list->size(), range.address_count, profile.name));
  else if (list->size() > range.model_count)
    library.warn_at("drives",
                    fmt::format("{} drives are more than the {} of a real {} {}", list->size(),
                                range.model_count, profile.vendor, profile.product));
  for (Section& item : *list) {
    Drive drive;
    drive.generation = profile.drive_generation;
    drive.family = family;
    drive.identity = read_identity(item, 10, 10, taken);
    if (const auto generation = item.scalar("generation")) {
      const auto number = parse_count(generation->text);
      if (number && *number >= 5 && *number <= 9)
        drive.generation = static_cast<std::uint8_t>(*number);
      else
        generation->refuse("5 to 9");
    }
    read_family(item, "identity", drive.family);
    item.finish();
    out.drives.push_back(std::move(drive));
  }
}

void read_library(Section& root, LibraryConfig& out) {
  Section library = root.child("library");
  out.profile = "stk-l700";
  if (const auto name = library.scalar("profile"))
    take(name, scsi::smc::find_library_profile(name->text) != nullptr ? "" : profile_names(),
         out.profile);
  const LibraryProfile& profile = *scsi::smc::find_library_profile(out.profile);
  out.name = profile.default_library;
  out.iqn_prefix = profile.default_iqn_prefix;
  if (const auto name = library.scalar("name"))
    take(name, check_library_name(name->text), out.name);
  // A profile whose library names itself by a number of its own has no default here.
  else if (!check_library_name(out.name).empty())
    library.error("key \"name\" is missing");
  if (const auto prefix = library.scalar("iqn_prefix"))
    take(prefix, check_iqn_prefix(prefix->text), out.iqn_prefix);
  out.slots = read_count(library, "slots", profile.storage, 1, profile);
  out.ie_slots = read_count(library, "ie_slots", profile.import_export, 0, profile);
  if (const auto characters = library.scalar("barcode_characters")) {
    if (characters->text == "6" || characters->text == "8")
      out.barcode_characters = *parse_count(characters->text) == 6 ? 6 : 8;
    else if (characters->text != "all")
      characters->refuse("6, 8 or all");
  }
  Taken taken;
  if (!library.has("changer"))
    library.error("key \"changer\" is missing: serial and naa of the medium changer");
  Section changer = library.child("changer");
  if (library.has("changer")) out.changer = read_identity(changer, 10, 12, taken);
  changer.finish();
  read_drives(library, profile, taken, out);
  library.finish();
}

void read_listen(Section& root, std::vector<Endpoint>& out) {
  const auto values = root.scalars("listen");
  if (!values) return;
  out.clear();
  for (const Value& value : *values) {
    auto endpoint = parse_endpoint(value.text);
    if (const auto* wrong = std::get_if<std::string>(&endpoint)) {
      value.error(*wrong);
      continue;
    }
    const Endpoint& good = std::get<Endpoint>(endpoint);
    if (std::find(out.begin(), out.end(), good) != out.end())
      value.error("found " + to_string(good) + " a second time");
    out.push_back(good);
  }
  if (values->empty())
    root.error_at("listen", "found an empty list, allowed: at least one address");
}

// --- access

std::optional<Account> read_account(Section& section) {
  Account account;
  if (const auto user = section.required("user")) take(user, check_user(user->text), account.user);
  if (const auto secret = section.required("secret")) {
    const std::string wrong = check_secret(secret->text);
    if (wrong.empty())
      account.secret = Secret(secret->text);
    else
      secret->error(wrong);  // never quoted
  }
  section.finish(Section::Names::kHide);
  if (account.user.empty() || account.secret.empty()) return std::nullopt;
  return account;
}

// Accounts and the targets' own account, of vtl.yaml or of the secrets file. True if there were
// any.
bool read_accounts(Section& section, AccessConfig& out) {
  bool any = section.has("own");
  if (auto list = section.list("accounts")) {
    for (Section& item : *list) {
      any = true;
      const auto account = read_account(item);
      if (!account) continue;
      const auto same = [&](const Account& other) { return other.user == account->user; };
      if (std::any_of(out.accounts.begin(), out.accounts.end(), same))
        item.error_at("user", "found \"" + account->user + "\" a second time");
      out.accounts.push_back(*account);
    }
  }
  Section own = section.child("own");
  if (!section.has("own")) return any;
  if (out.own)
    section.error_at("own", "found a second time: vtl.yaml and the secrets file both have it");
  if (const auto account = read_account(own)) out.own = account;
  return any;
}

bool readable_by_others(std::uint32_t mode) { return (mode & 077) != 0; }

void read_secrets_file(const Value& name, const std::string& config_path, const ReadFile& read,
                       AccessConfig& out) {
  std::string path = name.text;
  const std::size_t slash = config_path.rfind('/');
  if (!path.starts_with('/') && slash != std::string::npos)
    path = config_path.substr(0, slash + 1) + path;
  const auto source = read(path);
  if (const auto* why = std::get_if<std::string>(&source)) return name.error(path + " " + *why);
  const SourceFile& file = std::get<SourceFile>(source);
  Report report{path, name.report->errors, name.report->warnings};
  if (readable_by_others(file.mode))
    report.errors->push_back(
        {path, 0, "",
         fmt::format(
             "the file can be read by others (mode {:04o}), allowed: 0600; run chmod 600 {}",
             file.mode, path)});
  const auto parsed = parse_yaml(file.text);
  if (const auto* error = std::get_if<SyntaxError>(&parsed)) {
    // The parser's own words could quote the file.
    report.errors->push_back({path, error->line, "", "not valid YAML"});
    return;
  }
  Section root(report, &std::get<Node>(parsed), "", 1);
  read_accounts(root, out);
  root.finish();
}

AccessRule read_rule(Section section, AccessRule rule, std::vector<Value>& all_users) {
  read_flag(section, "chap", rule.chap);
  if (const auto values = section.scalars("users")) {
    rule.users.clear();
    for (const Value& value : *values) rule.users.push_back(value.text);
    all_users.insert(all_users.end(), values->begin(), values->end());
  }
  if (const auto values = section.scalars("initiators")) {
    rule.initiators.clear();
    for (const Value& value : *values) {
      const std::string name = folded(value.text);
      if (const std::string allowed = check_initiator(name); !allowed.empty())
        value.refuse(allowed);
      else
        rule.initiators.push_back(name);
    }
  }
  section.finish();
  return rule;
}

void read_algorithms(Section& access, std::vector<ChapAlgorithm>& out) {
  const auto values = access.scalars("algorithms");
  if (!values) return;
  out.clear();
  for (const Value& value : *values) {
    const auto known = std::find_if(std::begin(kChapAlgorithms), std::end(kChapAlgorithms),
                                    [&](const auto& choice) { return choice.name == value.text; });
    if (known == std::end(kChapAlgorithms))
      value.refuse(names_of(std::span<const Choice<ChapAlgorithm>>(kChapAlgorithms)));
    else if (std::find(out.begin(), out.end(), known->value) != out.end())
      value.error("found " + value.text + " a second time");
    else
      out.push_back(known->value);
  }
  if (values->empty()) access.error_at("algorithms", "found an empty list, allowed: at least one");
}

void read_rules(Section& access, std::size_t drives, AccessConfig& out) {
  std::vector<Value> users;
  out.discovery = read_rule(access.child("discovery"), {}, users);
  out.targets = read_rule(access.child("targets"), {}, users);
  std::set<std::string> known{"mediachanger"};
  for (std::size_t i = 1; i <= drives; ++i) known.insert(device_name(i));
  Section devices = access.child("devices");
  for (const std::string& name : devices.names()) {
    if (!known.contains(name))
      devices.error_at(name, "there is no such device, allowed: mediachanger, tapedrive-01 to " +
                                 device_name(drives));
    else
      out.devices[name] = AccessRule{};
    AccessRule rule = read_rule(devices.child(name), out.targets, users);
    if (known.contains(name)) out.devices[name] = std::move(rule);
  }
  for (const Value& user : users) {
    const auto same = [&](const Account& account) { return account.user == user.text; };
    if (std::none_of(out.accounts.begin(), out.accounts.end(), same))
      user.error("found \"" + user.text + "\", which is not among the accounts");
  }
  bool chap = out.discovery.chap || out.targets.chap;
  for (const auto& [name, rule] : out.devices) chap = chap || rule.chap;
  if (chap && out.accounts.empty())
    access.error("chap is true, but there is no account: nobody could log in");
}

void read_access(Section& root, const std::string& path, std::uint32_t mode, const ReadFile& read,
                 std::size_t drives, AccessConfig& out) {
  Section access = root.child("access");
  const auto secrets_file = access.scalar("secrets_file");
  if (read_accounts(access, out) && readable_by_others(mode))
    access.error(fmt::format(
        "the file holds secrets and can be read by others (mode {:04o}), allowed: 0600; run "
        "chmod 600 {}, or keep accounts and own in a secrets_file",
        mode, path));
  if (secrets_file) read_secrets_file(*secrets_file, path, read, out);
  read_algorithms(access, out.algorithms);
  read_rules(access, drives, out);
  for (const Account& account : out.accounts)
    if (out.own && account.secret == out.own->secret)
      access.error("account \"" + account.user +
                   "\" has the same secret as own: the two directions must differ");
  access.finish();
}

// --- the rest, and what holds between values

void read_root(Section& root, const std::string& path, std::uint32_t mode, const ReadFile& read,
               Config& out, Loaded& loaded) {
  read_library(root, out.library);
  read_listen(root, out.listen);
  read_flag(root, "allow_insecure_listen", out.allow_insecure_listen);
  read_access(root, path, mode, read, out.library.drives.size(), out.access);

  Section iscsi = root.child("iscsi");
  read_keys(iscsi, iscsi_keys(), out.iscsi);
  if (out.iscsi.first_burst_length > out.iscsi.max_burst_length)
    iscsi.error_at("first_burst_length",
                   fmt::format("found {}, allowed: at most max_burst_length, which is {}",
                               format_size(out.iscsi.first_burst_length),
                               format_size(out.iscsi.max_burst_length)));
  iscsi.finish();

  Section storage = root.child("storage");
  read_keys(storage, storage_keys(), out.storage);
  loaded.pool_line = storage.line_of("pool");
  loaded.io_mode_line = storage.line_of("io_mode");
  if (out.storage.buffer_bytes_per_drive > out.storage.buffer_bytes)
    storage.error_at("buffer_bytes_per_drive",
                     fmt::format("found {}, allowed: at most buffer_bytes, which is {}",
                                 format_size(out.storage.buffer_bytes_per_drive),
                                 format_size(out.storage.buffer_bytes)));
  storage.finish();
  if (const std::string problem = check_threads(out); !problem.empty())
    iscsi.error_at("threads", problem);

  Section log = root.child("log");
  read_keys(log, log_keys(), out);
  log.finish();

  for (const std::string& problem : check_listen(out)) root.error_at("listen", problem);
  root.finish();
}

}  // namespace

Loaded load(const std::string& path, const ReadFile& read) {
  Loaded loaded;
  const auto source = read(path);
  if (const auto* why = std::get_if<std::string>(&source)) {
    loaded.errors.push_back({path, 0, "", *why});
    return loaded;
  }
  const SourceFile& file = std::get<SourceFile>(source);
  const auto parsed = parse_yaml(file.text);
  if (const auto* error = std::get_if<SyntaxError>(&parsed)) {
    loaded.errors.push_back({path, error->line, "", error->text});
    return loaded;
  }
  const Node& node = std::get<Node>(parsed);
  if (node.kind == Node::Kind::kNothing) {
    loaded.errors.push_back({path, 0, "", "the file is empty"});
    return loaded;
  }
  Report report{path, &loaded.errors, &loaded.warnings};
  Section root(report, &node, "", node.line);
  Config config;
  if (node.kind == Node::Kind::kMap) read_root(root, path, file.mode, read, config, loaded);
  const auto by_line = [](const Problem& a, const Problem& b) { return a.line < b.line; };
  std::stable_sort(loaded.errors.begin(), loaded.errors.end(), by_line);
  std::stable_sort(loaded.warnings.begin(), loaded.warnings.end(), by_line);
  if (loaded.errors.empty()) loaded.config = std::move(config);
  return loaded;
}

}  // namespace vtl::config
