// vtl profile list, show: what libraries can be emulated.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "scsi/smc/profile.h"
#include "scsi/ssc/drive_family.h"
#include "vtl/cli/command.h"
#include "vtl/cli/table.h"
#include "vtl/config/applications.h"

namespace vtl::cli {
namespace {

using scsi::smc::ElementRange;
using scsi::smc::LibraryProfile;

// What `vtl init --for` chooses it for.
std::string chosen_for(const LibraryProfile& profile) {
  std::string names;
  for (const config::Application& application : config::applications())
    if (application.profile == profile.name)
      names += (names.empty() ? "" : ", ") + std::string(application.name);
  return names;
}

json describe(const ElementRange& range) {
  return {{"first_address", range.first},
          {"default", range.default_count},
          {"real", range.model_count},
          {"addresses", range.address_count}};
}

// A drive that it has by default.
const scsi::ssc::DriveModel& model_of(const LibraryProfile& profile) {
  return scsi::ssc::find_drive_family(profile.drive_family)->model(profile.drive_generation);
}

json describe(const LibraryProfile& profile) {
  return {{"name", profile.name},
          {"description", profile.description},
          {"vendor", profile.vendor},
          {"product", profile.product},
          {"revision", profile.revision},
          {"generation", profile.drive_generation},
          {"identity", profile.drive_family},
          {"drive_vendor", model_of(profile).vendor},
          {"drive_product", model_of(profile).product},
          {"transport", describe(profile.transport)},
          {"slots", describe(profile.storage)},
          {"ie_slots", describe(profile.import_export)},
          {"drives", describe(profile.drives)},
          {"published_for", profile.applications},
          {"chosen_for", chosen_for(profile)},
          {"ours", profile.ours}};
}

void print_list() {
  Table table({{"PROFILE", {}},
               {"EMULATES", {}},
               {"VENDOR", {}},
               {"PRODUCT", {}},
               {"SLOTS", Table::Align::kRight},
               {"I/E", Table::Align::kRight},
               {"DRIVES", Table::Align::kRight},
               {"CHOSEN FOR", {}}});
  for (const LibraryProfile& p : scsi::smc::library_profiles()) {
    table.add({std::string(p.name), std::string(p.description), std::string(p.vendor),
               std::string(p.product), std::to_string(p.storage.model_count),
               std::to_string(p.import_export.model_count), std::to_string(p.drives.model_count),
               chosen_for(p)});
  }
  table.print(std::cout);
  std::cout << "Slots, I/E and drives are the most that the real library has; more can be asked "
               "for.\n";
}

void print_one(const LibraryProfile& p) {
  const auto line = [](const char* name, const std::string& value) {
    if (!value.empty()) std::cout << fmt::format("{:<16}{}\n", name, value);
  };
  const auto elements = [](const ElementRange& range) {
    return fmt::format("from address {}: {} by default, {} in the real library, {} at most",
                       range.first, range.default_count, range.model_count, range.address_count);
  };
  line("Profile", std::string(p.name));
  line("Emulates", std::string(p.description));
  line("Says it is", fmt::format("{} {} {}", p.vendor, p.product, p.revision));
  line("Serial number", p.serial_form == scsi::smc::SerialForm::kIbm
                            ? "IBM's form: in the standard INQUIRY data too, and in VPD 80h with "
                              "the address of the first slot"
                            : "plain");
  line("Drives", elements(p.drives));
  const scsi::ssc::DriveModel& model = model_of(p);
  line("", fmt::format("{} {} by default; generations may be mixed, and drives be those of {}",
                       model.vendor, model.product, scsi::ssc::drive_family_names()));
  line("Slots", elements(p.storage));
  line("Import/export", elements(p.import_export));
  line("Robot", fmt::format("at address {}", p.transport.first));
  line("Published for", std::string(p.applications));
  line("init --for", chosen_for(p));
  line("Not a device's", std::string(p.ours));
}

}  // namespace

void add_profile(CLI::App& app, Result& result) {
  struct Options {
    std::string name;
    bool as_json = false;
  };
  CLI::App* group = app.add_subcommand("profile", "The libraries that can be emulated");
  group->require_subcommand(1);
  auto all = std::make_shared<Options>();
  CLI::App* list = group->add_subcommand("list", "List them");
  add_json_option(*list, all->as_json);
  list->callback([all] {
    if (!all->as_json) return print_list();
    json profiles = json::array();
    for (const LibraryProfile& profile : scsi::smc::library_profiles())
      profiles.push_back(describe(profile));
    print_json({{"profiles", std::move(profiles)}});
  });
  auto one = std::make_shared<Options>();
  CLI::App* show =
      group->add_subcommand("show", "Show one: identity, addresses, sizes, who knows it");
  add_json_option(*show, one->as_json);
  show->add_option("profile", one->name, "Its name")->required();
  show->callback([one, &result] {
    const LibraryProfile* profile = scsi::smc::find_library_profile(one->name);
    if (profile == nullptr) {
      print_error("there is no profile \"" + one->name + "\"; vtl profile list shows them");
      result.code = daemon::kExitFailed;
    } else if (one->as_json) {
      print_json(describe(*profile));
    } else {
      print_one(*profile);
    }
  });
}

}  // namespace vtl::cli
