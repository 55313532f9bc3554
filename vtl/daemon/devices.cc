#include "vtl/daemon/devices.h"

#include <fmt/format.h>

#include <utility>

#include "scsi/check.h"
#include "scsi/smc/profile.h"
#include "scsi/ssc/drive_family.h"
#include "vtl/daemon/settings.h"
#include "vtl/daemon/system.h"

namespace vtl::daemon {
namespace {

constexpr std::uint16_t kPortalGroup = 1;

scsi::Identity identity_of(const config::DeviceIdentity& configured,
                           const std::string& target_name) {
  scsi::Identity identity;
  identity.serial = configured.serial;
  identity.naa = configured.naa;
  identity.target_device_name = target_name;
  identity.target_port_name = target_name + ",t,0x0001";  // RFC 7143 4.4.3: name and portal group
  identity.target_port_group = kPortalGroup;
  return identity;
}

const scsi::smc::LibraryProfile& profile_of(const config::LibraryConfig& library) {
  const auto* profile = scsi::smc::find_library_profile(library.profile);
  VTL_CHECK(profile != nullptr);  // the configuration was checked
  return *profile;
}

}  // namespace

scsi::ssc::TapeDriveOptions drive_options(const config::LibraryConfig& library, std::size_t index) {
  const config::Drive& drive = library.drives.at(index);
  const scsi::ssc::DriveFamily* family = scsi::ssc::find_drive_family(drive.family);
  VTL_CHECK(family != nullptr);  // the configuration was checked
  scsi::ssc::TapeDriveOptions options;
  options.identity = identity_of(drive.identity, config::drive_target_name(library, index));
  const scsi::ssc::DriveModel& model = family->model(drive.generation);
  options.identity.vendor = model.vendor;
  options.identity.product = model.product;
  options.identity.revision = model.revision;
  options.family = family;
  options.generation = drive.generation;
  options.max_block_bytes = family->max_block_bytes;
  options.library_serial = library.changer.serial;
  options.element_address = static_cast<std::uint16_t>(profile_of(library).drives.first + index);
  options.now_ms = wall_clock_ms;
  options.random = random_bytes;
  return options;
}

scsi::smc::ChangerOptions changer_options(const config::LibraryConfig& library) {
  const scsi::smc::LibraryProfile& profile = profile_of(library);
  scsi::smc::ChangerOptions options;
  options.identity = identity_of(library.changer, config::changer_target_name(library));
  options.identity.vendor = profile.vendor;
  options.identity.product = profile.product;
  options.identity.revision = profile.revision;
  options.serial_form = profile.serial_form;
  options.tag_characters = barcode_characters(library);
  options.now_ms = wall_clock_ms;
  return options;
}

std::vector<std::string> drive_identifiers(const config::LibraryConfig& library) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < library.drives.size(); ++i) {
    out.push_back(scsi::t10_identifier(drive_options(library, i).identity));
  }
  return out;
}

Drive::Drive(scsi::ssc::TapeDriveOptions options, MakeAlarm make_alarm)
    : device_([this, options]() mutable {
        options.prevented_changed = [this](bool prevented) { prevented_ = prevented; };
        return std::move(options);
      }()),
      timing_(find_timing(options.generation)),
      make_alarm_(std::move(make_alarm)) {
  target_.add(0, device_);
}

void Drive::load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) {
  medium_ = dynamic_cast<CartridgeMedium*>(medium.get());
  if (make_alarm_ && timing_ != nullptr) {
    auto timed = std::make_unique<TimedMedium>(std::move(medium), *timing_, make_alarm_());
    timed_ = timed.get();
    medium = std::move(timed);
  }
  device_.insert(std::move(medium),
                 [done = std::move(done)](scsi::ssc::InsertOutcome outcome) mutable {
                   BayLoad load;
                   if (outcome.fault) load.detail = std::move(outcome.fault->detail);
                   done(std::move(load));
                 });
}

void Drive::unload(scsi::Done<BayUnload> done) {
  device_.remove([this, done = std::move(done)](scsi::ssc::RemoveOutcome outcome) mutable {
    using From = scsi::ssc::RemoveOutcome::Result;
    BayUnload unload;
    switch (outcome.result) {
      case From::kRemoved:
        unload.result = BayUnload::Result::kRemoved;
        medium_ = nullptr;
        break;
      case From::kPrevented:
        unload.result = BayUnload::Result::kPrevented;
        break;
      case From::kEmpty:
        unload.result = BayUnload::Result::kEmpty;
        break;
    }
    if (outcome.fault) unload.detail = std::move(outcome.fault->detail);
    unload.medium = std::move(outcome.medium);
    if (unload.medium != nullptr && timed_ != nullptr)
      unload.medium = std::exchange(timed_, nullptr)->take();
    done(std::move(unload));
  });
}

void Drive::settle() {
  if (medium_ != nullptr && device_.state().loaded) medium_->settle();
}

void BayPort::load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) {
  there_.post([&drive = drive_, &home = home_, medium = std::move(medium),
               done = std::move(done)]() mutable {
    drive.load(std::move(medium), [&home, done = std::move(done)](BayLoad outcome) mutable {
      home.post([done = std::move(done), outcome = std::move(outcome)]() mutable {
        done(std::move(outcome));
      });
    });
  });
}

void BayPort::unload(scsi::Done<BayUnload> done) {
  there_.post([&drive = drive_, &home = home_, done = std::move(done)]() mutable {
    drive.unload([&home, done = std::move(done)](BayUnload outcome) mutable {
      home.post([done = std::move(done), outcome = std::move(outcome)]() mutable {
        done(std::move(outcome));
      });
    });
  });
}

void ParkedBay::load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<BayLoad> done) {
  medium_ = std::move(medium);
  const scsi::ssc::MediumInfo& label = medium_->info();
  BayLoad load;
  if (!label.cleaning &&
      scsi::ssc::drive_access(generation_, label.generation) == scsi::ssc::Access::kNone)
    load.detail = fmt::format("LTO-{} drives cannot read a cartridge of generation {}", generation_,
                              label.generation);
  done(std::move(load));
}

void ParkedBay::unload(scsi::Done<BayUnload> done) {
  BayUnload unload;
  if (medium_ == nullptr) unload.result = BayUnload::Result::kEmpty;
  unload.medium = std::move(medium_);
  done(std::move(unload));
}

}  // namespace vtl::daemon
