// What an administrator does to the library: cartridges are made, deleted, come in and go out.
#include <algorithm>
#include <set>
#include <utility>

#include "vtl/library/library_impl.h"

namespace vtl {

namespace {

constexpr std::string_view kClosed = "the library is closed";

std::string text_of(const Status& status) { return status ? "" : status.error().what; }

std::string unknown(const std::string& barcode) { return "there is no cartridge " + barcode; }

std::string name_problem(const BarcodeSet& names, std::string_view barcode) {
  if (!is_unlabelled(barcode)) {
    if (std::string wrong = check_barcode(barcode); !wrong.empty()) return wrong;
  }
  const auto other = names.clash(barcode);
  if (!other) return "";
  if (*other == barcode) return "barcode " + *other + " is taken already";
  return "barcode " + std::string(barcode) + " ends in the same six characters as " + *other +
         names.as_told() + ": backup software would take them for one cartridge";
}

}  // namespace

void Library::Impl::administer(scsi::Done<Outcome> done, scsi::Done<Reply> body) {
  enqueue([this, done = std::move(done), body = std::move(body)](bool go) mutable {
    if (go)
      body(Reply(this, std::move(done)));
    else
      done(Outcome{std::string(kClosed)});
  });
}

// Each on its way from a request to its answer; in nobody's way but when it takes its turn.
struct Library::Impl::Creation {
  CreateRequest request;
  scsi::Done<Outcome> done;
  std::size_t made = 0;
};

std::string Library::Impl::room_problem(const CreateRequest& request) const {
  using Where = CreateRequest::Where;
  if (request.where == Where::kOutside) return "";
  const bool door = request.where == Where::kImportExport;
  const ElementType type = door ? ElementType::kImportExport : ElementType::kStorage;
  if (door && door_locked)
    return "an initiator has locked the import/export door: create it in a slot, or unlock the "
           "door";
  if (free_count(type) >= request.cartridges.size()) return "";
  return "there is room for " + std::to_string(free_count(type)) + " more cartridges in the " +
         (door ? "import/export slots" : "slots") + ", not for " +
         std::to_string(request.cartridges.size());
}

// Names first, which nobody else can take from then on; then the files, a few at a time, as a
// thousand of them take minutes and hosts want to move cartridges meanwhile; places last, all in
// one record of the journal. What a crash cuts short lies outside.
void Library::create(CreateRequest request, scsi::Done<Outcome> done) {
  auto creation =
      std::make_shared<Impl::Creation>(Impl::Creation{std::move(request), std::move(done)});
  impl_->enqueue([impl = impl_.get(), creation](bool go) {
    if (!go) return creation->done(Outcome{std::string(kClosed)});
    BarcodeSet names = impl->barcodes;
    std::string wrong;
    for (const CartridgeLabel& label : creation->request.cartridges) {
      if (wrong.empty()) wrong = name_problem(names, label.barcode);
      if (wrong.empty()) names.insert(label.barcode);
    }
    if (wrong.empty()) wrong = impl->room_problem(creation->request);
    if (wrong.empty()) {
      impl->barcodes = std::move(names);
      ++impl->creating;
      impl->make_some(creation);
    } else {
      creation->done(Outcome{std::move(wrong)});
    }
    impl->finished();
  });
}

void Library::Impl::make_some(CreationPtr creation) {
  constexpr std::size_t kAtOnce = 4;
  const std::vector<CartridgeLabel>& all = creation->request.cartridges;
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(creation->made);
  const std::size_t count = std::min(kAtOnce, all.size() - creation->made);
  on_strand(
      [&s = store, capacity = creation->request.capacity_bytes,
       labels = std::vector<CartridgeLabel>(first, first + static_cast<std::ptrdiff_t>(count))] {
        std::size_t made = 0;
        Status status = ok_status();
        for (; made < labels.size(); ++made) {
          status = s.create(labels[made], capacity);
          if (!status) break;
        }
        return std::pair(made, status);
      },
      [this, creation](std::pair<std::size_t, Status> ended) {
        creation->made += ended.first;
        if (!ended.second) return unmake(creation, text_of(ended.second));
        if (closing) return unmake(creation, std::string(kClosed));
        if (creation->made < creation->request.cartridges.size()) return make_some(creation);
        place(creation);
      });
}

void Library::Impl::unmake(CreationPtr creation, std::string why) {
  std::vector<std::string> names;
  for (std::size_t i = creation->made; i > 0; --i)
    names.push_back(creation->request.cartridges[i - 1].barcode);
  on_strand(
      [&s = store, names = std::move(names)] {
        for (const std::string& name : names) (void)s.remove(name);
        return ok_status();
      },
      [this, creation, why = std::move(why)](const Status&) {
        for (const CartridgeLabel& label : creation->request.cartridges)
          barcodes.erase(label.barcode);
        created(creation, why);
      });
}

void Library::Impl::place(CreationPtr creation) {
  enqueue([this, creation](bool go) {
    const CreateRequest& request = creation->request;
    // Hosts may have taken the room meanwhile.
    if (std::string wrong = go ? room_problem(request) : std::string(kClosed); !wrong.empty()) {
      unmake(creation, std::move(wrong));
      if (go) finished();
      return;
    }
    using Where = CreateRequest::Where;
    const bool outside = request.where == Where::kOutside;
    const ElementType type =
        request.where == Where::kImportExport ? ElementType::kImportExport : ElementType::kStorage;
    std::vector<JournalEntry> entries_made;
    auto element = elements.begin();
    for (const CartridgeLabel& label : request.cartridges) {
      JournalEntry& entry = entries_made.emplace_back();
      entry.label = label;
      if (outside) continue;
      element = std::find_if(element, elements.end(),
                             [type](const Element& e) { return e.type == type && !e.full; });
      entry.address = (element++)->address;
      entry.placed_by_operator = type == ElementType::kImportExport;
    }
    on_strand([j = journal, entries_made,
               outside] { return outside ? ok_status() : j->commit(entries_made); },
              [this, creation, entries_made, type, outside](const Status& status) {
                if (!status) {
                  unmake(creation, text_of(status));
                } else {
                  apply(entries_made);
                  if (!outside) tell({type});
                  created(creation, "");
                }
                finished();
              });
  });
}

void Library::Impl::created(CreationPtr creation, std::string error) {
  --creating;
  creation->done(Outcome{std::move(error)});
  pump();
}

std::string Library::barcode_problem(std::string_view barcode) const {
  return name_problem(impl_->barcodes, barcode);
}

void Library::adopt(std::string barcode, scsi::Done<Outcome> done) {
  impl_->administer(std::move(done), [impl = impl_.get(),
                                      barcode = std::move(barcode)](Impl::Reply reply) mutable {
    if (std::string wrong = name_problem(impl->barcodes, barcode); !wrong.empty())
      return reply(wrong);
    impl->on_strand([&s = impl->store, barcode] { return s.read_summary(barcode); },
                    [impl, reply = std::move(reply)](Result<CartridgeSummary> summary) mutable {
                      if (!summary) return reply(summary.error().what);
                      impl->apply({JournalEntry{label_of(summary->info), {}, {}, false}});
                      reply("");
                    });
  });
}

void Library::remove(std::string barcode, scsi::Done<Outcome> done) {
  impl_->administer(std::move(done), [impl = impl_.get(),
                                      barcode = std::move(barcode)](Impl::Reply reply) mutable {
    const auto found = impl->entries.find(barcode);
    if (found == impl->entries.end()) return reply(unknown(barcode));
    const JournalEntry entry = found->second;
    if (impl->in_drive(entry))
      return reply("cartridge " + barcode + " is in " +
                   describe(impl->options.geometry, *entry.address) + ": move it to a slot first");
    if (impl->door_locked && entry.address &&
        impl->elements[*impl->index_of(*entry.address)].type == ElementType::kImportExport)
      return reply("an initiator has locked the import/export door: cartridge " + barcode +
                   " cannot be deleted");
    impl->on_strand(
        [j = impl->journal, &s = impl->store, entry]() -> std::string {
          const std::string& name = entry.label.barcode;
          const auto present = s.list();
          if (!present) return present.error().what;
          // Not so after an earlier attempt that could not write the journal.
          const bool has_files = std::binary_search(present->begin(), present->end(), name);
          if (entry.label.worm && has_files) {
            const auto summary = s.read_summary(name);
            if (!summary)
              return "it cannot be told whether WORM cartridge " + name +
                     " holds data: " + summary.error().what;
            std::uint64_t objects = 0;
            for (const PartitionSummary& partition : summary->partitions)
              objects += partition.end_of_data;
            if (objects != 0 || !summary->clean)
              return "cartridge " + name + " is WORM and holds data: it is not deleted";
          }
          // The intent names the cartridge: a crash between the two is finished at the next start.
          if (entry.address) {
            if (Status intended = j->intent("delete " + name); !intended)
              return intended.error().what;
          }
          if (Status removed = has_files ? s.remove(name) : ok_status(); !removed) {
            if (entry.address) (void)j->abort("delete " + name);
            const auto left = s.list();
            const bool gone = left && !std::binary_search(left->begin(), left->end(), name);
            return gone ? "the files of cartridge " + name +
                              " are gone, but power loss may bring them back; delete it again: " +
                              removed.error().what
                        : removed.error().what;
          }
          if (!entry.address) return "";
          const Status committed = j->commit({{entry.label, {}, {}, false}});
          return committed ? ""
                           : "the files of cartridge " + name +
                                 " are gone, but the journal could not be told; " +
                                 "delete it again: " + committed.error().what;
        },
        [impl, entry, reply = std::move(reply)](std::string error) mutable {
          if (error.empty()) {
            std::optional<ElementType> type;
            if (entry.address) type = impl->elements[*impl->index_of(*entry.address)].type;
            impl->forget(entry.label.barcode);
            if (type) impl->tell({*type});
          }
          reply(std::move(error));
        });
  });
}

void Library::insert(std::string barcode, ElementType type, std::optional<std::uint16_t> element,
                     scsi::Done<Outcome> done) {
  impl_->administer(std::move(done), [impl = impl_.get(), barcode = std::move(barcode), type,
                                      element](Impl::Reply reply) mutable {
    const Geometry& geometry = impl->options.geometry;
    const auto found = impl->entries.find(barcode);
    if (found == impl->entries.end()) return reply(unknown(barcode));
    JournalEntry entry = found->second;
    if (entry.address)
      return reply("cartridge " + barcode + " is in " + describe(geometry, *entry.address) +
                   " already");
    const bool door = type == ElementType::kImportExport;
    if (!door && type != ElementType::kStorage)
      return reply("cartridge " + barcode +
                   " is outside: it comes in through an import/export slot, or into a slot");
    if (door && impl->door_locked)
      return reply("an initiator has locked the import/export door: cartridge " + barcode +
                   " cannot be inserted");
    if (!element) element = impl->first_free(type);
    if (!element) return reply(door ? "every import/export slot is full" : "every slot is full");
    const auto index = impl->index_of(*element);
    if (!index || impl->elements[*index].type != type)
      return reply("element " + std::to_string(*element) +
                   (door ? " is not an import/export slot" : " is not a slot"));
    if (impl->elements[*index].full)
      return reply(describe(geometry, *element) + " holds cartridge " +
                   impl->elements[*index].barcode);
    entry.address = element;
    entry.source.reset();
    entry.placed_by_operator = door;
    impl->on_strand(
        [j = impl->journal, &s = impl->store, entry] { return commit_places(*j, s, {entry}); },
        [impl, entry, type, reply = std::move(reply)](Status status) mutable {
          if (status) {
            impl->apply({entry});
            impl->tell({type});
          }
          reply(text_of(status));
        });
  });
}

void Library::take_out(std::string barcode, scsi::Done<Outcome> done) {
  impl_->administer(std::move(done), [impl = impl_.get(),
                                      barcode = std::move(barcode)](Impl::Reply reply) mutable {
    const auto found = impl->entries.find(barcode);
    if (found == impl->entries.end()) return reply(unknown(barcode));
    const JournalEntry& entry = found->second;
    if (!entry.address) return reply("cartridge " + barcode + " is outside already");
    if (impl->elements[*impl->index_of(*entry.address)].type != ElementType::kImportExport)
      return reply("cartridge " + barcode + " is in " +
                   describe(impl->options.geometry, *entry.address) +
                   ": move it to an import/export slot first");
    if (impl->door_locked)
      return reply("an initiator has locked the import/export door: cartridge " + barcode +
                   " cannot be taken out");
    const JournalEntry outside{entry.label, {}, {}, false};
    impl->on_strand(
        [j = impl->journal, &s = impl->store, outside] { return commit_places(*j, s, {outside}); },
        [impl, outside, reply = std::move(reply)](Status status) mutable {
          if (status) {
            impl->apply({outside});
            impl->tell({ElementType::kImportExport});
          }
          reply(text_of(status));
        });
  });
}

void Library::set_write_protected(std::string barcode, bool on, scsi::Done<Outcome> done) {
  impl_->administer(std::move(done), [impl = impl_.get(), barcode = std::move(barcode),
                                      on](Impl::Reply reply) mutable {
    const auto found = impl->entries.find(barcode);
    if (found == impl->entries.end()) return reply(unknown(barcode));
    if (impl->in_drive(found->second))
      return reply("cartridge " + barcode + " is in " +
                   describe(impl->options.geometry, *found->second.address) +
                   ": its switch can be reached when it is in a slot");
    impl->on_strand([&s = impl->store, barcode, on] { return s.set_write_protected(barcode, on); },
                    [reply = std::move(reply)](Status status) mutable { reply(text_of(status)); });
  });
}

void Library::read_summary(std::string barcode, scsi::Done<Result<CartridgeSummary>> done) {
  impl_->on_strand(
      [&s = impl_->store, barcode = std::move(barcode)] { return s.read_summary(barcode); },
      [done = std::move(done)](Result<CartridgeSummary> summary) mutable {
        done(std::move(summary));
      });
}

Status rebuild_journal(FileSystem& files, CartridgeStore& store, const Geometry& geometry,
                       const std::string& journal_path,
                       const std::function<void(std::string_view)>& report) {
  const auto names = store.list();
  if (!names) return names.error();
  Journal::State state;
  std::set<std::uint16_t> taken;
  std::vector<CartridgeLabel> unplaced;
  const auto put = [&](const CartridgeLabel& label, std::uint16_t address, std::string_view why) {
    taken.insert(address);
    state[label.barcode] = {label, address, {}, false};
    report("cartridge " + label.barcode + ": " + describe(geometry, address) + std::string(why));
  };
  for (const std::string& barcode : *names) {
    const auto summary = store.read_summary(barcode);
    if (!summary)
      report("left alone: " + summary.error().what);
    else if (const std::uint16_t hint = summary->element_hint;
             has_place(geometry, hint) && !taken.contains(hint))
      put(label_of(summary->info), hint, "");
    else
      unplaced.push_back(label_of(summary->info));
  }
  std::uint32_t next = 0;
  for (const CartridgeLabel& label : unplaced) {
    const auto address = [&] { return static_cast<std::uint16_t>(geometry.storage.first + next); };
    while (next < geometry.storage.count && taken.contains(address())) ++next;
    if (next < geometry.storage.count)
      put(label, address(), ", a free one: its label names no place");
    else
      report("cartridge " + label.barcode + ": outside, every slot is full");
  }
  const auto old = files.exists(journal_path);
  if (!old) return old.error();
  if (*old) {
    if (Status kept = files.rename(journal_path, journal_path + ".damaged"); !kept) return kept;
  }
  return Journal::create(files, journal_path, state);
}

}  // namespace vtl
