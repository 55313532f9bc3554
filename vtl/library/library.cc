#include "vtl/library/library.h"

#include <algorithm>
#include <cerrno>
#include <set>

#include "vtl/library/library_impl.h"

namespace vtl {

namespace {

struct Run {
  ElementType type;
  ElementRun run;
};
std::vector<Run> runs_of(const Geometry& geometry) {
  std::vector<Run> runs = {{ElementType::kTransport, geometry.transport},
                           {ElementType::kStorage, geometry.storage},
                           {ElementType::kImportExport, geometry.import_export},
                           {ElementType::kDrive, geometry.drives}};
  std::sort(runs.begin(), runs.end(),
            [](const Run& a, const Run& b) { return a.run.first < b.run.first; });
  return runs;
}

bool holds(const ElementRun& run, std::uint16_t address) {
  return address >= run.first && address - run.first < static_cast<int>(run.count);
}
struct Note {
  std::string barcode;  // empty: the journal
  std::string text;
};
// What the strand found when the library was opened.
struct Found {
  std::string error;
  std::shared_ptr<Journal> journal;
  std::vector<JournalEntry> entries;  // inside and outside
  std::vector<std::pair<std::uint16_t, Result<CartridgeSummary>>> loads;
  std::vector<Note> notes;
  std::vector<std::string> without_files;
};

// In places that cannot be: the element is gone from the configuration, or another cartridge has
// it. They are outside of the library, and the journal keeps the place: a wrong profile or number
// of slots is put right by the right one.
std::set<std::string> displaced(const Geometry& geometry, const Journal::State& state,
                                std::vector<Note>& notes) {
  std::set<std::string> found;
  std::set<std::uint16_t> taken;
  for (const auto& [barcode, entry] : state) {
    if (has_place(geometry, *entry.address) && taken.insert(*entry.address).second) continue;
    notes.push_back(
        {barcode, "cartridge " + barcode + " was in element " + std::to_string(*entry.address) +
                      ", which this configuration does not have or another cartridge is in: it is "
                      "outside of the library until it is inserted or the configuration has its "
                      "place again"});
    found.insert(barcode);
  }
  return found;
}

Found read_library(FileSystem& files, CartridgeStore& store, const Geometry& geometry,
                   const std::string& path) {
  Found found;
  auto journal = Journal::open(files, path);
  if (!journal) {
    found.error = journal.error().what;
    if (journal.error().code == EBADMSG || journal.error().code == ENOENT)
      found.error += "; \"vtl library rebuild\" makes a new one from the cartridges in the pool";
    return found;
  }
  found.journal = std::move(*journal);
  if (found.journal->had_torn_tail())
    found.notes.push_back(
        {"", path +
                 ": what follows its last whole record was cut short, as a power failure does, and "
                 "is dropped"});
  const auto present = store.list();
  if (!present) {
    found.error = present.error().what;
    return found;
  }
  const std::set<std::string> names(present->begin(), present->end());

  // A deletion that a crash cut short after the files had gone.
  constexpr std::string_view kDelete = "delete ";
  std::vector<JournalEntry> changes;
  const std::string& intent = found.journal->open_intent();
  if (intent.starts_with(kDelete)) {
    const auto entry = found.journal->state().find(intent.substr(kDelete.size()));
    if (entry != found.journal->state().end() && !names.contains(entry->first))
      changes.push_back({entry->second.label, {}, {}, false});
  }
  if (!changes.empty()) {
    if (Status committed = found.journal->commit(changes); !committed) {
      found.error = committed.error().what;
      return found;
    }
  }

  const std::set<std::string> homeless = displaced(geometry, found.journal->state(), found.notes);
  for (const auto& [barcode, entry] : found.journal->state()) {
    if (homeless.contains(barcode)) {
      found.entries.push_back({entry.label, {}, {}, false});
      continue;
    }
    JournalEntry& known = found.entries.emplace_back(entry);
    if (known.source && !has_place(geometry, *known.source)) known.source.reset();
    if (!names.contains(barcode)) {
      found.notes.push_back({barcode, "cartridge " + barcode + " in " +
                                          describe(geometry, *entry.address) +
                                          " has no files in the pool: it cannot be loaded"});
      found.without_files.push_back(barcode);
    }
    // A cleaning cartridge has been ejected by its drive: another load would use it up.
    if (holds(geometry.drives, *entry.address) && !entry.label.cleaning)
      found.loads.emplace_back(*entry.address, store.read_summary(barcode));
  }
  for (const std::string& barcode : names) {
    if (found.journal->state().contains(barcode)) continue;
    auto summary = store.read_summary(barcode);
    if (summary)
      found.entries.push_back({label_of(summary->info), {}, {}, false});
    else
      found.notes.push_back({barcode, "in the pool, but not a cartridge: " + summary.error().what});
  }
  return found;
}

}  // namespace

bool has_place(const Geometry& geometry, std::uint16_t address) {
  return holds(geometry.storage, address) || holds(geometry.import_export, address) ||
         holds(geometry.drives, address);
}

bool is_sound(const Geometry& geometry) {
  std::uint32_t free_from = 0;
  for (const Run& run : runs_of(geometry)) {
    if (run.run.count == 0) continue;
    if (run.run.first < free_from || run.run.first + run.run.count > 0x10000) return false;
    free_from = run.run.first + run.run.count;
  }
  return true;
}

std::string describe(const Geometry& geometry, std::uint16_t address) {
  const std::string element = "element " + std::to_string(address);
  if (holds(geometry.drives, address))
    return "drive " + std::to_string(address - geometry.drives.first + 1) + " (" + element + ")";
  if (holds(geometry.storage, address))
    return "slot " + std::to_string(address - geometry.storage.first + 1) + " (" + element + ")";
  if (holds(geometry.import_export, address))
    return "import/export slot " + std::to_string(address - geometry.import_export.first + 1) +
           " (" + element + ")";
  return element;
}

Status commit_places(Journal& journal, CartridgeStore& store,
                     const std::vector<JournalEntry>& changes) {
  Status committed = journal.commit(changes);
  if (!committed) return committed;
  for (const JournalEntry& change : changes)
    (void)store.set_element_hint(change.label.barcode, change.address.value_or(0));
  return committed;
}

// --- model

Library::Impl::Impl(LibraryOptions o, CartridgeStore& s, FileSystem& f, Executor& e,
                    std::vector<DriveBay*> b)
    : options(std::move(o)),
      store(s),
      files(f),
      executor(e),
      strand(e.make_strand("library")),
      bays(std::move(b)),
      barcodes(options.barcode_characters) {
  VTL_CHECK(bays.size() == options.geometry.drives.count);
  VTL_CHECK(options.drive_identifiers.size() == bays.size());
  VTL_CHECK(is_sound(options.geometry));
  elements = lay_out(options.geometry);
}

std::vector<Element> Library::Impl::lay_out(const Geometry& geometry) const {
  std::vector<Element> out;
  for (const Run& run : runs_of(geometry)) {
    for (std::uint32_t i = 0; i < run.run.count; ++i) {
      const auto address = static_cast<std::uint16_t>(run.run.first + i);
      if (const auto there = index_of(address)) {
        out.push_back(elements[*there]);
        continue;
      }
      Element& element = out.emplace_back();
      element.address = address;
      element.type = run.type;
      if (run.type == ElementType::kDrive) element.drive_identifier = options.drive_identifiers[i];
    }
  }
  return out;
}

std::optional<std::size_t> Library::Impl::index_of(std::uint16_t address) const {
  const auto found = std::lower_bound(
      elements.begin(), elements.end(), address,
      [](const Element& element, std::uint16_t wanted) { return element.address < wanted; });
  if (found == elements.end() || found->address != address) return std::nullopt;
  return static_cast<std::size_t>(found - elements.begin());
}

const JournalEntry* Library::Impl::entry_at(std::size_t index) const {
  if (!elements[index].full) return nullptr;
  const auto entry = entries.find(elements[index].barcode);
  VTL_CHECK(entry != entries.end());
  return &entry->second;
}

DriveBay* Library::Impl::bay_at(std::size_t index) const {
  if (elements[index].type != ElementType::kDrive) return nullptr;
  return bays[drive_number(elements[index].address)];
}

std::size_t Library::Impl::drive_number(std::uint16_t address) const {
  return static_cast<std::size_t>(address - options.geometry.drives.first);
}

std::optional<std::uint16_t> Library::Impl::first_free(ElementType type) const {
  for (const Element& element : elements)
    if (element.type == type && !element.full) return element.address;
  return std::nullopt;
}

std::uint32_t Library::Impl::free_count(ElementType type) const {
  return static_cast<std::uint32_t>(std::count_if(
      elements.begin(), elements.end(),
      [type](const Element& element) { return element.type == type && !element.full; }));
}

bool Library::Impl::in_drive(const JournalEntry& entry) const {
  return entry.address && holds(options.geometry.drives, *entry.address);
}

void Library::Impl::show(std::uint16_t address, const JournalEntry* entry) {
  const auto index = index_of(address);
  VTL_CHECK(index.has_value());
  Element& element = elements[*index];
  element.full = entry != nullptr;
  element.barcode = entry != nullptr ? entry->label.barcode : "";
  element.source = entry != nullptr ? entry->source : std::nullopt;
  element.placed_by_operator = entry != nullptr && entry->placed_by_operator;
  element.cleaning = entry != nullptr && entry->label.cleaning;
  element.worm = entry != nullptr && entry->label.worm;
  element.labelled = entry == nullptr || !is_unlabelled(entry->label.barcode);
  element.exception = entry != nullptr && unusable.contains(entry->label.barcode);
}

void Library::Impl::set_unusable(const std::string& barcode, bool on) {
  if (on)
    unusable.insert(barcode);
  else
    unusable.erase(barcode);
  const auto entry = entries.find(barcode);
  if (entry != entries.end() && entry->second.address) show(*entry->second.address, &entry->second);
}

void Library::Impl::apply(const std::vector<JournalEntry>& changes) {
  for (const JournalEntry& change : changes) {
    const auto old = entries.find(change.label.barcode);
    if (old != entries.end() && old->second.address) show(*old->second.address, nullptr);
  }
  for (const JournalEntry& change : changes) {
    entries.insert_or_assign(change.label.barcode, change);
    barcodes.insert(change.label.barcode);
    if (change.address) show(*change.address, &change);
  }
}

void Library::Impl::forget(const std::string& barcode) {
  const auto entry = entries.find(barcode);
  if (entry == entries.end()) return;
  if (entry->second.address) show(*entry->second.address, nullptr);
  entries.erase(entry);
  barcodes.erase(barcode);
  unusable.erase(barcode);
}

void Library::Impl::tell(std::initializer_list<ElementType> where) {
  if (observer == nullptr) return;
  const auto is_door = [](ElementType type) { return type == ElementType::kImportExport; };
  if (!std::all_of(where.begin(), where.end(), is_door)) observer->inventory_changed();
  if (std::any_of(where.begin(), where.end(), is_door)) observer->import_export_accessed();
}

void Library::Impl::load_failed(const std::string& barcode, std::uint16_t drive,
                                const std::string& why) const {
  std::string text = "cartridge " + barcode + " cannot be loaded in " +
                     describe(options.geometry, drive) + ": " + why;
  if (options.load_failed)
    options.load_failed(barcode, std::move(text));
  else
    log(text);
}

// --- queue

void Library::Impl::enqueue(Operation operation) {
  if (closing) return operation(false);
  queue.push_back(std::move(operation));
  pump();
}

void Library::Impl::finished() {
  running = false;
  pump();
}

// A loop, not a recursion: an operation that ends at once must not start the next on its own stack.
void Library::Impl::pump() {
  if (pumping) return;
  const auto self = shared_from_this();  // a reply may let go of the library
  pumping = true;
  while (!running && !queue.empty() && (is_open || closing)) {
    Operation next = std::move(queue.front());
    queue.pop_front();
    running = !closing;
    next(!closing);
  }
  pumping = false;
  if (closing && !running && creating == 0 && closed) closed();
}

// --- opening

void Library::Impl::begin_opening(scsi::Done<Outcome> opened, scsi::Callback settled) {
  running = true;
  on_strand([&f = files, &s = store, geometry = options.geometry,
             path = options.journal_path] { return read_library(f, s, geometry, path); },
            [this, opened = std::move(opened), settled = std::move(settled)](Found found) mutable {
              if (!found.error.empty()) {
                closing = true;
                opened(Outcome{std::move(found.error)});
                return finished();
              }
              journal = std::move(found.journal);
              apply(found.entries);
              for (const std::string& barcode : found.without_files) set_unusable(barcode, true);
              for (const Note& note : found.notes)
                note.barcode.empty() ? log(note.text) : alert(note.barcode, note.text);
              is_open = true;
              opened(Outcome{});
              load_recorded(std::move(found.loads), [this, settled = std::move(settled)]() mutable {
                if (settled) settled();
                finished();
              });
            });
}

void Library::Impl::load_recorded(RecordedLoads loads, scsi::Callback loaded) {
  struct Pending {
    std::size_t count = 1;
    scsi::Callback loaded;
  };
  const auto pending = std::make_shared<Pending>();
  pending->loaded = std::move(loaded);
  const auto one_less = [weak = weak_from_this(), pending] {
    const auto self = weak.lock();
    if (--pending->count == 0 && self) pending->loaded();
  };
  for (auto& [address, summary] : loads) {
    const std::size_t index = *index_of(address);
    const std::string barcode = elements[index].barcode;
    if (!summary) {
      load_failed(barcode, address, summary.error().what);
      set_unusable(barcode, true);
      continue;
    }
    ++pending->count;
    bay_at(index)->load(
        store.make_medium(*summary, drive_number(address)),
        [weak = weak_from_this(), one_less, barcode, where = address](BayLoad outcome) {
          const auto self = weak.lock();
          if (self && !outcome.detail.empty()) self->load_failed(barcode, where, outcome.detail);
          one_less();
        });
  }
  one_less();
}

// --- the public face

Library::Library(LibraryOptions options, CartridgeStore& store, FileSystem& files,
                 Executor& executor, std::vector<DriveBay*> bays)
    : impl_(std::make_shared<Impl>(std::move(options), store, files, executor, std::move(bays))) {}

Library::~Library() {
  impl_->closing = true;
  impl_->queue.clear();
  impl_->closed = {};
  impl_->executor.close_strand(impl_->strand);
}

void Library::open(scsi::Done<Outcome> opened, scsi::Callback settled) {
  VTL_CHECK(!impl_->is_open && !impl_->running);
  impl_->begin_opening(std::move(opened), std::move(settled));
}

void Library::close(scsi::Callback done) {
  impl_->closing = true;
  impl_->closed = std::move(done);
  impl_->pump();
}

std::span<const Element> Library::elements() const {
  const auto first_drive = impl_->index_of(impl_->options.geometry.drives.first);
  for (std::size_t i = 0; i < impl_->bays.size(); ++i) {
    // What is prevented is removal: an empty drive can be given a cartridge.
    Element& drive = impl_->elements[*first_drive + i];
    drive.accessible = !drive.full || !impl_->bays[i]->prevented();
  }
  return impl_->elements;
}

void Library::lock_door(bool locked) { impl_->door_locked = locked; }
bool Library::door_locked() const { return impl_->door_locked; }
void Library::observe(scsi::smc::InventoryObserver* observer) { impl_->observer = observer; }

std::vector<Placement> Library::cartridges() const {
  std::vector<Placement> all;
  all.reserve(impl_->entries.size());
  for (const auto& [barcode, entry] : impl_->entries) all.push_back(*find(barcode));
  return all;
}

std::optional<Placement> Library::find(std::string_view barcode) const {
  const auto found = impl_->entries.find(std::string(barcode));
  if (found == impl_->entries.end()) return std::nullopt;
  const JournalEntry& entry = found->second;
  Placement placement{.label = entry.label, .type = {}, .address = 0, .source = entry.source};
  if (entry.address) {
    placement.address = *entry.address;
    placement.type = impl_->elements[*impl_->index_of(*entry.address)].type;
  }
  return placement;
}

}  // namespace vtl
