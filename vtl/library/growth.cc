// Elements that are added while the library is open.
#include "vtl/library/library_impl.h"

namespace vtl {

void Library::grow(std::uint32_t slots, std::uint32_t import_export, scsi::Done<Outcome> done) {
  impl_->administer(
      std::move(done), [impl = impl_.get(), slots, import_export](Impl::Reply reply) mutable {
        const Geometry& now = impl->options.geometry;
        Geometry wanted = now;
        wanted.storage.count = slots;
        wanted.import_export.count = import_export;
        if (slots < now.storage.count || import_export < now.import_export.count)
          return reply("elements are added only: there are " + std::to_string(now.storage.count) +
                       " slots and " + std::to_string(now.import_export.count) +
                       " import/export slots; fewer take a change of the configuration file and a "
                       "restart");
        if (!is_sound(wanted)) return reply("there are not so many addresses");
        impl->on_strand(
            [j = impl->journal] { return j->state(); },
            [impl, wanted, reply = std::move(reply)](Journal::State state) mutable {
              impl->elements = impl->lay_out(wanted);
              impl->options.geometry = wanted;
              // The journal has kept the places that the configuration did not have. Before
              // somebody else's cartridge is put there, or the next start would find two in one
              // place.
              for (auto& [barcode, entry] : state) {
                const auto known = impl->entries.find(barcode);
                if (known == impl->entries.end() || known->second.address) continue;
                const auto index = impl->index_of(*entry.address);
                if (!index || !has_place(wanted, *entry.address) || impl->elements[*index].full)
                  continue;
                if (entry.source && !has_place(wanted, *entry.source)) entry.source.reset();
                impl->apply({entry});
              }
              if (impl->observer != nullptr) impl->observer->elements_added();
              reply("");
            });
      });
}

}  // namespace vtl
