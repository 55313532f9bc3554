// MOVE MEDIUM and EXCHANGE MEDIUM. In order: the intent is synced; drives that are sources give
// their cartridges up; the commit is synced; the model changes; drives that are destinations take
// theirs; the reply.
//
// The commit comes before a drive is loaded, so that no initiator ever sees a cartridge in a drive
// that the journal does not know to be there, and what cannot be committed is undone by putting
// cartridges back into drives that have just been emptied - nothing can prevent that. A crash after
// the commit finds the cartridge recorded in the drive and loads it at the next start.
#include <cerrno>

#include "vtl/library/library_impl.h"

namespace vtl {

namespace {

MoveOutcome outcome_of(MoveResult result, std::string detail) {
  return {result, std::move(detail)};
}

bool is_place(const Element& element) { return element.type != ElementType::kTransport; }

}  // namespace

void Library::move(std::uint16_t source, std::uint16_t destination, scsi::Done<MoveOutcome> done) {
  impl_->enqueue(
      [impl = impl_.get(), source, destination, done = std::move(done)](bool go) mutable {
        if (go)
          impl->begin_move(source, destination, std::move(done));
        else
          done(outcome_of(MoveResult::kJournalFailed, "the library is closed"));
      });
}

void Library::exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                       scsi::Done<MoveOutcome> done) {
  impl_->enqueue(
      [impl = impl_.get(), source, first, second, done = std::move(done)](bool go) mutable {
        if (go)
          impl->begin_exchange(source, first, second, std::move(done));
        else
          done(outcome_of(MoveResult::kJournalFailed, "the library is closed"));
      });
}

void Library::operator_move(std::uint16_t source, std::uint16_t destination,
                            scsi::Done<MoveOutcome> done) {
  const auto from = impl_->index_of(source), to = impl_->index_of(destination);
  impl_->enqueue([impl = impl_.get(), source, destination, from, to,
                  meant = from ? impl_->elements[*from].barcode : "",
                  done = std::move(done)](bool go) mutable {
    if (!go) return done(outcome_of(MoveResult::kJournalFailed, "the library is closed"));
    if (from && impl->elements[*from].barcode != meant) {
      done(outcome_of(MoveResult::kSourceEmpty,
                      meant.empty() ? "it was when this move was asked for"
                                    : "cartridge " + meant + " was moved meanwhile"));
      return impl->finished();
    }
    impl->begin_move(source, destination,
                     [impl, from, to, done = std::move(done)](MoveOutcome outcome) mutable {
                       if (outcome.result == MoveResult::kMoved && from != to)
                         impl->tell({impl->elements[*from].type, impl->elements[*to].type});
                       done(std::move(outcome));
                     });
  });
}

Transfer Library::Impl::transfer_of(std::size_t from, std::size_t to) const {
  Transfer transfer;
  transfer.before = *entry_at(from);
  transfer.after = transfer.before;
  transfer.after.address = elements[to].address;
  transfer.after.placed_by_operator = false;
  // SMC-3 6.13: the source storage element. A drive is none: the cartridge keeps where it came
  // from.
  if (elements[from].type != ElementType::kDrive) transfer.after.source = elements[from].address;
  transfer.from_bay = bay_at(from);
  transfer.to_bay = bay_at(to);
  return transfer;
}

void Library::Impl::begin_move(std::uint16_t source, std::uint16_t destination,
                               scsi::Done<MoveOutcome> done) {
  const auto from = index_of(source), to = index_of(destination);
  const auto refuse = [&](MoveResult result, std::string detail = "") {
    done(outcome_of(result, std::move(detail)));
    finished();
  };
  if (!from || !to || !is_place(elements[*from]) || !is_place(elements[*to]))
    return refuse(MoveResult::kNoSuchElement);
  if (!elements[*from].full) return refuse(MoveResult::kSourceEmpty);
  if (from != to && elements[*to].full) return refuse(MoveResult::kDestinationFull);
  if (from == to && bay_at(*from) == nullptr) return refuse(MoveResult::kMoved);

  auto job = std::make_shared<MoveJob>();
  job->transfers.push_back(transfer_of(*from, *to));
  job->what = "move " + elements[*from].barcode + ' ' + std::to_string(source) + ' ' +
              std::to_string(destination);
  job->done = std::move(done);
  record_intent(std::move(job));
}

void Library::Impl::begin_exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                                   scsi::Done<MoveOutcome> done) {
  const auto a = index_of(source), b = index_of(first), c = index_of(second);
  const auto refuse = [&](MoveResult result) {
    done(outcome_of(result, ""));
    finished();
  };
  if (!a || !b || !c || !is_place(elements[*a]) || !is_place(elements[*b]) ||
      !is_place(elements[*c]))
    return refuse(MoveResult::kNoSuchElement);
  if (!elements[*a].full || !elements[*b].full) return refuse(MoveResult::kSourceEmpty);
  // The first destination's cartridge is on its way when the source's arrives: they cannot be the
  // same.
  if (a == b || (c != a && elements[*c].full)) return refuse(MoveResult::kDestinationFull);

  auto job = std::make_shared<MoveJob>();
  job->transfers.push_back(transfer_of(*b, *c));
  job->transfers.push_back(transfer_of(*a, *b));
  job->what = "exchange " + elements[*a].barcode + ' ' + elements[*b].barcode + ' ' +
              std::to_string(source) + ' ' + std::to_string(first) + ' ' + std::to_string(second);
  job->done = std::move(done);
  record_intent(std::move(job));
}

void Library::Impl::record_intent(MoveJobPtr job) {
  for (const Transfer& transfer : job->transfers) {
    if (transfer.from_bay == nullptr || !transfer.from_bay->prevented()) continue;
    job->done(outcome_of(
        MoveResult::kRemovalPrevented,
        "an initiator prevents the removal of cartridge " + transfer.before.label.barcode));
    return finished();
  }
  struct Prepared {
    std::string busy;  // the cartridge that somebody works on
    Status intent = ok_status();
    std::vector<std::optional<Result<CartridgeSummary>>> summaries;
  };
  std::vector<std::string> to_read;   // "" where nothing is loaded
  std::vector<std::string> to_check;  // what no drive holds yet
  for (const Transfer& transfer : job->transfers) {
    const std::string& barcode = transfer.before.label.barcode;
    to_read.push_back(transfer.to_bay != nullptr ? barcode : "");
    if (transfer.to_bay != nullptr && transfer.from_bay == nullptr) to_check.push_back(barcode);
  }
  on_strand(
      [j = journal, &s = store, what = job->what, to_read = std::move(to_read),
       to_check = std::move(to_check)] {
        Prepared prepared;
        for (const std::string& barcode : to_check) {
          const Status idle = s.check_idle(barcode);
          if (idle || idle.error().code != EAGAIN) continue;
          prepared.busy = barcode;
          return prepared;
        }
        prepared.intent = j->intent(what);
        if (!prepared.intent) return prepared;
        for (const std::string& barcode : to_read) {
          prepared.summaries.emplace_back();
          if (!barcode.empty()) prepared.summaries.back().emplace(s.read_summary(barcode));
        }
        return prepared;
      },
      [this, job](Prepared prepared) {
        if (!prepared.busy.empty()) {
          job->done(outcome_of(MoveResult::kLoadFailed,
                               "cartridge " + prepared.busy + " is being read by a job"));
          return finished();
        }
        if (!prepared.intent) {
          job->done(outcome_of(MoveResult::kJournalFailed, prepared.intent.error().what));
          return finished();
        }
        for (std::size_t i = 0; i < job->transfers.size(); ++i) {
          auto& summary = prepared.summaries[i];
          if (!summary) continue;
          if (!*summary) {
            set_unusable(job->transfers[i].before.label.barcode, true);
            load_failed(job->transfers[i].before.label.barcode, *job->transfers[i].after.address,
                        summary->error().what);
            return give_up(job, outcome_of(MoveResult::kLoadFailed, summary->error().what));
          }
          job->transfers[i].summary = std::move(**summary);
        }
        unload(job, 0);
      });
}

void Library::Impl::unload(MoveJobPtr job, std::size_t i) {
  while (i < job->transfers.size() && job->transfers[i].from_bay == nullptr) ++i;
  if (i == job->transfers.size()) return commit(std::move(job));
  job->transfers[i].from_bay->unload([weak = weak_from_this(), job, i](BayUnload outcome) mutable {
    const auto self = weak.lock();
    if (!self) return;
    Transfer& transfer = job->transfers[i];
    const std::string& barcode = transfer.before.label.barcode;
    switch (outcome.result) {
      case BayUnload::Result::kPrevented:
        return self->give_up(
            job, outcome_of(MoveResult::kRemovalPrevented,
                            "an initiator prevents the removal of cartridge " + barcode));
      case BayUnload::Result::kFailed:
        return self->give_up(job, outcome_of(MoveResult::kUnloadFailed, outcome.detail));
      case BayUnload::Result::kEmpty:
        // It could not be loaded at the start: the place was only on paper, and can change on
        // paper.
        break;
      case BayUnload::Result::kRemoved:
        transfer.unloaded = true;
        transfer.medium = std::move(outcome.medium);
        break;
    }
    if (!outcome.detail.empty()) self->log("cartridge " + barcode + ": " + outcome.detail);
    self->unload(std::move(job), i + 1);
  });
}

void Library::Impl::commit(MoveJobPtr job) {
  std::vector<JournalEntry> changes;
  for (const Transfer& transfer : job->transfers) changes.push_back(transfer.after);
  on_strand([j = journal, &s = store, changes] { return commit_places(*j, s, changes); },
            [this, job, changes](Status committed) {
              if (!committed)
                return give_up(job, outcome_of(MoveResult::kJournalFailed, committed.error().what));
              apply(changes);
              for (const Transfer& transfer : job->transfers)
                if (transfer.from_bay != nullptr)
                  set_unusable(transfer.before.label.barcode, false);
              load(job, 0);
            });
}

void Library::Impl::load(MoveJobPtr job, std::size_t i) {
  while (i < job->transfers.size() && job->transfers[i].to_bay == nullptr) ++i;
  if (i == job->transfers.size()) {
    job->transfers.clear();  // media that came out of a drive end here
    job->done(outcome_of(MoveResult::kMoved, std::move(job->found)));
    return finished();
  }
  Transfer& transfer = job->transfers[i];
  // A medium belongs to its drive's loop: what came out of another drive is kept to be put back.
  if (transfer.medium) transfer.summary->info = transfer.medium->info();
  transfer.to_bay->load(store.make_medium(*transfer.summary, drive_number(*transfer.after.address)),
                        [weak = weak_from_this(), job, i](BayLoad outcome) mutable {
                          const auto self = weak.lock();
                          if (!self) return;
                          if (!outcome.taken)
                            return self->not_taken(std::move(job), i, std::move(outcome.detail));
                          if (!outcome.detail.empty()) {
                            const JournalEntry& entry = job->transfers[i].after;
                            self->load_failed(entry.label.barcode, *entry.address, outcome.detail);
                            job->found = std::move(outcome.detail);
                          }
                          self->set_unusable(job->transfers[i].before.label.barcode, false);
                          self->load(std::move(job), i + 1);
                        });
}

// The destination did not take what the journal says is in it. A single move goes back on record;
// after half an exchange the cartridge stays on record where it should be, and a later MOVE from
// the empty drive takes it on.
void Library::Impl::not_taken(MoveJobPtr job, std::size_t i, std::string why) {
  const Transfer& transfer = job->transfers[i];
  const std::string text =
      "cartridge " + transfer.before.label.barcode + " was not taken by the drive: " + why;
  load_failed(transfer.before.label.barcode, *transfer.after.address, why);
  if (job->transfers.size() != 1) {
    log(text);
    for (; i < job->transfers.size(); ++i)
      if (job->transfers[i].to_bay != nullptr)
        set_unusable(job->transfers[i].before.label.barcode, true);
    job->done(outcome_of(MoveResult::kLoadFailed, text));
    return finished();
  }
  const std::vector<JournalEntry> back = {job->transfers[0].before};
  on_strand([j = journal, &s = store, back] { return commit_places(*j, s, back); },
            [this, job, back, text](Status committed) {
              if (!committed) {
                log(text + "; and it could not be put back: " + committed.error().what);
                set_unusable(back[0].label.barcode, true);
                job->done(outcome_of(MoveResult::kLoadFailed, text));
                return finished();
              }
              apply(back);
              put_back(job, 0, [this, job, text] {
                job->done(outcome_of(MoveResult::kLoadFailed, text));
                finished();
              });
            });
}

void Library::Impl::give_up(MoveJobPtr job, MoveOutcome outcome) {
  put_back(job, 0, [this, job, outcome]() mutable {
    on_strand([j = journal, what = job->what] { return j->abort(what); },
              [this, job, outcome](Status) mutable {  // an intent without its end is harmless
                job->done(std::move(outcome));
                finished();
              });
  });
}

// Reloads what the drives from transfer i on have given up.
void Library::Impl::put_back(MoveJobPtr job, std::size_t i, scsi::Callback then) {
  while (i < job->transfers.size() && !job->transfers[i].unloaded) ++i;
  if (i == job->transfers.size()) return then();
  Transfer& transfer = job->transfers[i];
  if (!transfer.medium) {
    alert(transfer.before.label.barcode,
          "cartridge " + transfer.before.label.barcode + " could not be put back into its drive");
    set_unusable(transfer.before.label.barcode, true);
    return put_back(std::move(job), i + 1, std::move(then));
  }
  transfer.from_bay->load(
      std::move(transfer.medium),
      [weak = weak_from_this(), job, i, then = std::move(then)](BayLoad outcome) mutable {
        const auto self = weak.lock();
        if (!self) return;
        if (!outcome.taken || !outcome.detail.empty())
          self->log("cartridge " + job->transfers[i].before.label.barcode +
                    ", put back into its drive: " + outcome.detail);
        self->put_back(std::move(job), i + 1, std::move(then));
      });
}

}  // namespace vtl
