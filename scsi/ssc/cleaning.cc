// A cleaning cartridge: the drive takes it, cleans, counts it down and ejects it. Nothing here gets
// dirty, so it is never asked for; hosts and operators that clean by calendar find what they know.
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

void TapeDrive::Impl::start_cleaning(Done<std::optional<MediumFault>> done) {
  using Kind = MediumFault::Kind;
  load = Load::kRefused;  // until it is out, whatever happens
  // Each load has been a cleaning: there is nothing else to load it for.
  if (medium->info().load_count >= kCleaningUses) {
    alerts.raise(alert::kExpiredCleaning);
    refusal = Sense::not_ready(Asc::kCleaningFailure);
    done(MediumFault{Kind::kIncompatibleFormat, 0,
                     "the cleaning cartridge is worn out: it has cleaned " +
                         std::to_string(kCleaningUses) + " times"});
    return;
  }
  alerts.raise(alert::kCleaningMedia);
  refusal = Sense::not_ready(Asc::kCleaningCartridgeInstalled);
  begin_background(Background::kLoad);
  const auto end = [this](Done<std::optional<MediumFault>> tell, std::optional<MediumFault> fault) {
    alerts.clear(alert::kCleaningMedia);
    if (fault) {
      refusal = this->fault(*fault);
      alerts.raise(alert::kLoadFailure);
    } else {
      load = Load::kEjected;
      ++cleanings;
    }
    end_background(
        [tell = std::move(tell), fault = std::move(fault)]() mutable { tell(std::move(fault)); });
  };
  medium->load({options.identity.vendor, options.identity.serial},
               [this, end, done = std::move(done)](LoadOutcome loaded) mutable {
                 if (loaded.fault) return end(std::move(done), std::move(loaded.fault));
                 medium->unload([end, done = std::move(done)](WriteOutcome unloaded) mutable {
                   end(std::move(done), std::move(unloaded.fault));
                 });
               });
}

}  // namespace scsi::ssc
