// Elements that are added while the library is open.
#include "vtl/library/library_impl.h"

namespace vtl {

void Library::grow(Growth growth, scsi::Done<Outcome> done) {
  impl_->administer(
      std::move(done), [impl = impl_.get(), growth = std::move(growth)](Impl::Reply reply) mutable {
        const Geometry& now = impl->options.geometry;
        Geometry wanted = now;
        wanted.storage.count = growth.slots;
        wanted.import_export.count = growth.import_export;
        wanted.drives.count += static_cast<std::uint32_t>(growth.drives.size());
        if (growth.slots < now.storage.count || growth.import_export < now.import_export.count)
          return reply("elements are added only: there are " + std::to_string(now.storage.count) +
                       " slots and " + std::to_string(now.import_export.count) +
                       " import/export slots; fewer take a change of the configuration file and a "
                       "restart");
        if (!is_sound(wanted)) return reply("there are not so many addresses");
        impl->on_strand([j = impl->journal] { return j->state(); },
                        [impl, wanted, growth = std::move(growth),
                         reply = std::move(reply)](Journal::State state) mutable {
                          for (Growth::NewDrive& drive : growth.drives) {
                            impl->bays.push_back(drive.bay);
                            impl->options.drive_identifiers.push_back(std::move(drive.identifier));
                          }
                          impl->elements = impl->lay_out(wanted);
                          impl->options.geometry = wanted;
                          std::vector<std::string> in_drives = impl->put_back_in_place(state);
                          if (impl->observer != nullptr) impl->observer->elements_added();
                          impl->load_again(std::move(in_drives),
                                           [reply = std::move(reply)]() mutable { reply(""); });
                        });
      });
}

// The journal has kept the places that the configuration did not have. Before somebody else's
// cartridge is put there, or the next start would find two in one place. Those that drives are to
// have again.
std::vector<std::string> Library::Impl::put_back_in_place(Journal::State& state) {
  std::vector<std::string> in_drives;
  for (auto& [barcode, entry] : state) {
    const auto known = entries.find(barcode);
    if (known == entries.end() || known->second.address) continue;
    const auto index = index_of(*entry.address);
    if (!index || !has_place(options.geometry, *entry.address) || elements[*index].full) continue;
    if (entry.source && !has_place(options.geometry, *entry.source)) entry.source.reset();
    apply({entry});
    // A cleaning cartridge has been ejected by its drive, as at the start.
    if (in_drive(entry) && !entry.label.cleaning) in_drives.push_back(barcode);
  }
  return in_drives;
}

void Library::Impl::load_again(std::vector<std::string> names, scsi::Callback then) {
  on_strand(
      [&s = store, names = std::move(names)] {
        std::vector<std::pair<std::string, Result<CartridgeSummary>>> summaries;
        for (const std::string& barcode : names)
          summaries.emplace_back(barcode, s.read_summary(barcode));
        return summaries;
      },
      [this, then = std::move(then)](auto summaries) mutable {
        RecordedLoads loads;
        for (auto& [barcode, summary] : summaries)
          loads.emplace_back(*entries.at(barcode).address, std::move(summary));
        load_recorded(std::move(loads), std::move(then));
      });
}

}  // namespace vtl
