// What the library's source files share. Private to vtl/library.
#pragma once

#include <deque>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vtl/library/barcode.h"
#include "vtl/library/journal.h"
#include "vtl/library/library.h"

namespace vtl {

using scsi::smc::Element;
using scsi::smc::ElementType;
using scsi::smc::MoveOutcome;
using scsi::smc::MoveResult;

// One cartridge on its way. `after` is its record when the move is done.
struct Transfer {
  JournalEntry before, after;
  DriveBay* from_bay = nullptr;
  DriveBay* to_bay = nullptr;
  std::optional<CartridgeSummary> summary;  // of what goes into a bay
  std::unique_ptr<scsi::ssc::TapeMedium> medium;
  bool unloaded = false;
};

struct MoveJob {
  std::vector<Transfer> transfers;
  std::string what;   // "move VTL001L8 1000 500"
  std::string found;  // why a drive cannot use what it was given
  scsi::Done<MoveOutcome> done;
};
using MoveJobPtr = std::shared_ptr<MoveJob>;

// On the strand. The commit makes changes true; the hints on the cartridges' labels follow as well
// as they can.
Status commit_places(Journal& journal, CartridgeStore& store,
                     const std::vector<JournalEntry>& changes);

struct Library::Impl : std::enable_shared_from_this<Library::Impl> {
  using Operation =
      scsi::Done<bool>;  // true: begin, and call finished() at the end; false: closed, refuse

  Impl(LibraryOptions o, CartridgeStore& s, FileSystem& f, Executor& e, std::vector<DriveBay*> b);

  // --- library.cc: model and queue
  // The elements of a geometry, with what is in those there are already.
  std::vector<Element> lay_out(const Geometry& geometry) const;
  std::optional<std::size_t> index_of(std::uint16_t address) const;
  const JournalEntry* entry_at(std::size_t index) const;
  DriveBay* bay_at(std::size_t index) const;  // nullptr: not a drive
  std::size_t drive_number(std::uint16_t address) const;
  std::optional<std::uint16_t> first_free(ElementType type) const;
  std::uint32_t free_count(ElementType type) const;
  bool in_drive(const JournalEntry& entry) const;
  void apply(const std::vector<JournalEntry>& changes);
  void forget(const std::string& barcode);
  // Whether a cartridge cannot be loaded from where it is on record.
  void set_unusable(const std::string& barcode, bool unusable);
  void show(std::uint16_t address, const JournalEntry* entry);
  void log(const std::string& text) const {
    if (options.log) options.log(text);
  }
  void alert(const std::string& barcode, const std::string& text) const {
    if (options.alert)
      options.alert(barcode, text);
    else
      log(text);
  }
  // "VTL001L8 cannot be loaded in drive 1 (element 500): <why>"
  void load_failed(const std::string& barcode, std::uint16_t drive, const std::string& why) const;
  void tell(std::initializer_list<ElementType> where);  // the observer, of changes at such elements

  void enqueue(Operation operation);
  void finished();
  void pump();
  void begin_opening(scsi::Done<Outcome> opened, scsi::Callback settled);
  // What is on record in drives, by address.
  using RecordedLoads = std::vector<std::pair<std::uint16_t, Result<CartridgeSummary>>>;
  void load_recorded(RecordedLoads loads, scsi::Callback loaded);

  // --- growth.cc
  std::vector<std::string> put_back_in_place(Journal::State& state);
  void load_again(std::vector<std::string> names, scsi::Callback then);

  // `job` runs on the strand and owns what it captures; `then` runs on the loop with its result,
  // unless the library has gone by then.
  template <class Work, class Then>
  void on_strand(Work work, Then then) {
    using R = decltype(work());
    auto result = std::make_shared<std::optional<R>>();
    executor.submit(
        strand, [work = std::move(work), result]() mutable { result->emplace(work()); },
        [weak = weak_from_this(), then = std::move(then), result]() mutable {
          if (const auto self = weak.lock()) then(std::move(**result));
        });
  }

  // --- administration.cc
  // The end of an administrative operation: answers ("" is success), then lets the next one begin.
  class Reply {
   public:
    Reply(Impl* impl, scsi::Done<Outcome> done) : impl_(impl), done_(std::move(done)) {}
    void operator()(std::string error) {
      done_(Outcome{std::move(error)});
      impl_->finished();
    }

   private:
    Impl* impl_;
    scsi::Done<Outcome> done_;
  };
  void administer(scsi::Done<Outcome> done, scsi::Done<Reply> body);
  // Cartridges that are being made; steps one after the other, unmake() instead of the rest.
  struct Creation;
  using CreationPtr = std::shared_ptr<Creation>;
  std::string room_problem(const CreateRequest& request) const;
  void make_some(CreationPtr creation);
  void place(CreationPtr creation);
  void unmake(CreationPtr creation, std::string why);
  void created(CreationPtr creation, std::string error);

  // --- moves.cc
  void begin_move(std::uint16_t source, std::uint16_t destination, scsi::Done<MoveOutcome> done);
  void begin_exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                      scsi::Done<MoveOutcome> done);
  Transfer transfer_of(std::size_t from, std::size_t to) const;
  void record_intent(MoveJobPtr job);
  void unload(MoveJobPtr job, std::size_t i);
  void commit(MoveJobPtr job);
  void load(MoveJobPtr job, std::size_t i);
  void not_taken(MoveJobPtr job, std::size_t i, std::string why);
  void give_up(MoveJobPtr job, MoveOutcome outcome);  // before the commit: everything back, abort
  void put_back(MoveJobPtr job, std::size_t i, scsi::Callback then);

  LibraryOptions options;
  CartridgeStore& store;
  FileSystem& files;
  Executor& executor;
  Strand strand;
  std::vector<DriveBay*> bays;
  std::shared_ptr<Journal> journal;  // jobs on the strand only

  std::vector<Element> elements;  // ascending by address
  std::map<std::string, JournalEntry>
      entries;  // every cartridge, by barcode; without an address: outside
  BarcodeSet barcodes;
  std::set<std::string> unusable;  // without files, or on record in a drive that does not have it
  bool door_locked = false;
  scsi::smc::InventoryObserver* observer = nullptr;

  std::deque<Operation> queue;
  bool is_open = false;
  bool closing = false;
  bool running = false;
  std::size_t creating = 0;  // creations under way, also between their turns
  bool pumping = false;
  scsi::Callback closed;
};

}  // namespace vtl
