#include "scsi/ssc/tape_drive.h"

#include <algorithm>

#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

namespace {
const Generation& known_generation(const DriveFamily& family, std::uint8_t number) {
  const Generation* generation = find_generation(number);
  VTL_CHECK(generation != nullptr && !family.model(number).product.empty());
  return *generation;
}
}  // namespace

// --- construction ---

TapeDrive::Impl::Impl(TapeDriveOptions drive_options)
    : options(std::move(drive_options)),
      family(*options.family),
      generation(known_generation(family, options.generation)) {
  started_ms = now_ms();
}

PrimaryOptions TapeDrive::Impl::primary_options() {
  return {.identity = options.identity,
          .inquiry = inquiry_options(),
          .mode = mode_options(),
          .log = log_pages(),
          .now_ms = options.now_ms,
          .persistence = std::move(options.persistence)};
}

TapeDrive::TapeDrive(TapeDriveOptions options)
    : TapeDrive(std::make_unique<Impl>(std::move(options))) {}

TapeDrive::TapeDrive(std::unique_ptr<Impl> impl)
    : PrimaryUnit(Impl::rows(impl->family, impl->generation.number), impl->primary_options()),
      impl_(std::move(impl)) {
  impl_->unit = this;
}

TapeDrive::~TapeDrive() = default;

// --- gates ---

std::optional<Sense> TapeDrive::Impl::not_ready() const {
  switch (load) {
    case Load::kEmpty:
    case Load::kEjected:
      return Sense::not_ready(Asc::kMediumNotPresent);
    case Load::kLoading:
      return Sense::not_ready(Asc::kBecomingReady);
    case Load::kUnloading:
      return in_progress(Sense::not_ready(Asc::kNotReadyOperationInProgress));
    case Load::kSeated:
      return Sense::not_ready(shut_down ? Asc::kNotReadyOffline
                                        : Asc::kInitializingCommandRequired);
    case Load::kRefused:
      return refusal;
    case Load::kReady:
      break;
  }
  if (background == Background::kFormat)
    return in_progress(Sense::not_ready(Asc::kFormatInProgress));
  if (background != Background::kNone)
    return in_progress(Sense::not_ready(Asc::kNotReadyOperationInProgress));
  return std::nullopt;
}

Sense TapeDrive::Impl::in_progress(Sense sense) const {
  sense.progress = medium->progress();
  if (background == Background::kVerify) {  // many reads; it is as far as the tape is
    const Position at = medium->position();
    const auto end = static_cast<double>(medium->partition(at.partition).end_of_data);
    sense.progress =
        static_cast<std::uint16_t>(65535 * static_cast<double>(at.object) / std::max(end, 1.0));
  }
  return sense;
}

std::optional<Sense> TapeDrive::not_ready() const { return impl_->not_ready(); }

std::optional<Sense> TapeDrive::take_deferred(const Task& task) {
  Impl& drive = *impl_;
  if (auto kept = drive.deferred.find(task.nexus()); kept != drive.deferred.end()) {
    const Sense sense = kept->second;
    drive.deferred.erase(kept);
    return sense;
  }
  if (drive.load != Impl::Load::kReady || drive.writer != task.nexus()) return std::nullopt;
  const std::optional<MediumFault> fault = drive.medium->take_deferred_fault();
  if (!fault) return std::nullopt;
  drive.note(*fault);
  return deferred_sense_of(*fault);
}

Sense TapeDrive::pollable_sense() {
  // SSC-4: a poller of an immediate command sees NO SENSE with the operation's own code.
  switch (impl_->background) {
    case Impl::Background::kRewind:
      return impl_->in_progress(Sense::make(SenseKey::kNoSense, Asc::kRewindOperationInProgress));
    case Impl::Background::kLocate:
      return impl_->in_progress(Sense::make(SenseKey::kNoSense, Asc::kLocateOperationInProgress));
    case Impl::Background::kErase:
      return impl_->in_progress(Sense::make(SenseKey::kNoSense, Asc::kEraseOperationInProgress));
    case Impl::Background::kVerify:
      return impl_->in_progress(Sense::make(SenseKey::kNoSense, Asc::kOperationInProgress));
    case Impl::Background::kNone:
    case Impl::Background::kLoad:
    case Impl::Background::kUnload:
    case Impl::Background::kFormat:
      break;
  }
  return PrimaryUnit::pollable_sense();
}

void TapeDrive::on_nexus_established(const NexusInfo& nexus) {
  PrimaryUnit::on_nexus_established(nexus);
  impl_->encryption.nexus_established(nexus.id);
  // A drive that is switched on with a cartridge in it loads it, and tells both. The first would go
  // to the write that a power failure interrupted; a host that then closes its file by a filemark
  // (Linux before 6.13) must not write it where the tape is now: at its beginning, over everything.
  if (impl_->load == Impl::Load::kReady &&
      unit_attentions().pending(nexus.id, Asc::kPowerOnOrReset))
    unit_attentions().raise(nexus.id, Asc::kMediumMayHaveChanged);
  if (!impl_->writer_port.empty() && impl_->writer_port == nexus.transport_id) {
    impl_->writer = nexus.id;
    impl_->writer_port.clear();
    if (impl_->untold) impl_->deferred.insert_or_assign(nexus.id, *std::move(impl_->untold));
    impl_->untold.reset();
  }
}

void TapeDrive::on_nexus_lost(const NexusInfo& nexus) {
  PrimaryUnit::on_nexus_lost(nexus);
  impl_->encryption_changed(impl_->encryption.nexus_lost(nexus.id),
                            Asc::kEncryptionParametersChangedByDevice);
  impl_->alerts.nexus_lost(nexus.id);
  const auto kept = impl_->deferred.extract(nexus.id);
  if (impl_->writer == nexus.id) {
    impl_->writer.reset();
    impl_->writer_port = nexus.transport_id;
    // Of the rest - a LOCATE with IMMED = 1 that met end of data - the next session knows nothing.
    if (!kept.empty() &&
        (kept.mapped().asc == Asc::kWriteError || kept.mapped().key == SenseKey::kVolumeOverflow))
      impl_->untold = kept.mapped();
  }
}

void TapeDrive::on_reset() {
  PrimaryUnit::on_reset();
  // The position stays, and so does a write fault that nobody was told of: acknowledged data is
  // gone.
  impl_->deferred.clear();
  impl_->untold.reset();
  impl_->encryption.reset();  // 29h tells of it
  impl_->encryption_changed({}, Asc::kEncryptionParametersChangedByDevice);
  impl_->staged.reset();  // with the page
  impl_->interrupted = true;
  impl_->allowed = Impl::Allowed::kNothing;
  impl_->apply_compression();
}

void TapeDrive::on_reservations_changed(const Task& task) {
  constexpr std::uint8_t kPersistentReserveOut = 0x5F;
  const auto action = static_cast<PersistentReserveOut>(task.cdb(1) & 0x1F);
  const bool preempted = task.row().opcode == kPersistentReserveOut &&
                         (action == PersistentReserveOut::kPreempt ||
                          action == PersistentReserveOut::kPreemptAndAbort);
  const auto affected = impl_->encryption.reservations_changed(
      [this](NexusId nexus) { return impl_->reserved(nexus); }, preempted);
  if (!affected.empty())
    impl_->encryption_changed(affected, Asc::kEncryptionParametersChangedByDevice);
}

void TapeDrive::end_mode_select(Task& task) {
  // What an operation with IMMED = 1 does to the medium began with a flush.
  if (!std::exchange(impl_->flush_owed, false) || !impl_->ready()) return task.good();
  impl_->medium->flush(WriteMode::kDurable, [this, &task](const WriteOutcome& outcome) {
    if (!outcome.fault) return task.good();
    Sense sense = impl_->fault(*outcome.fault);
    sense.information = static_cast<std::int64_t>(outcome.fault->objects_lost);
    task.fail(std::move(sense));
  });
}

std::vector<std::byte> TapeDrive::diagnostic_dump() const { return impl_->dump(); }

void TapeDrive::on_prevent_changed() {
  if (impl_->options.prevented_changed) impl_->options.prevented_changed(prevented());
}

// The abort of a command does not undo that acknowledged data is gone. If none is, and only the
// aborted command itself could not be carried out, nobody misses anything.
void TapeDrive::on_unheard(const Reply& reply) {
  if (!reply.sense || reply.sense->asc != Asc::kWriteError) return;
  const bool latched = impl_->medium != nullptr && impl_->medium->append_failed();
  if (!latched && impl_->objects_lost == 0) return;
  Sense sense = *reply.sense;
  sense.information = static_cast<std::int64_t>(impl_->objects_lost);  // of a WRITE it was bytes
  impl_->defer_to_writer(std::move(sense));
}

// --- faults ---

void TapeDrive::Impl::note(const MediumFault& fault) {
  switch (fault.kind) {
    case MediumFault::Kind::kWriteError:
      objects_lost = fault.objects_lost;
      ++counters.write_errors;
      ++mount.write_errors;
      alerts.raise(alert::kHardError);
      alerts.raise(alert::kWriteFailure);
      break;
    case MediumFault::Kind::kReadError:
    case MediumFault::Kind::kObjectMissing:
      ++counters.read_errors;
      ++mount.read_errors;
      alerts.raise(alert::kHardError);
      alerts.raise(alert::kReadFailure);
      break;
    case MediumFault::Kind::kIncompatibleFormat:
      alerts.raise(alert::kUnsupportedFormat);
      break;
    case MediumFault::Kind::kFormatCorrupt:
      alerts.raise(alert::kMedia);
      break;
    case MediumFault::Kind::kAttributeStore:
      alerts.raise(alert::kMemoryFailure);
      break;
    // A full pool is nobody's defect: backup software would freeze the cartridge.
    case MediumFault::Kind::kNoSpace:
    case MediumFault::Kind::kInUse:
      break;
  }
}

Sense TapeDrive::Impl::fault(const MediumFault& fault) {
  note(fault);
  return sense_of(fault);
}

std::optional<MediumFault> TapeDrive::Impl::keep_write_fault() {
  std::optional<MediumFault> fault = medium->take_deferred_fault();
  if (fault) {
    note(*fault);
    defer_to_writer(deferred_sense_of(*fault));
  }
  return fault;
}

void TapeDrive::Impl::defer_to_writer(Sense sense) {
  sense.deferred = true;
  if (writer)
    deferred.insert_or_assign(*writer, std::move(sense));
  else if (!writer_port.empty())
    untold = std::move(sense);
}

// --- loading and unloading ---

void TapeDrive::Impl::begin_background(Background what) {
  VTL_CHECK(background == Background::kNone);
  background = what;
}

void TapeDrive::Impl::end_background(Callback tell) {
  background = Background::kNone;
  if (tell) tell();
  if (after_background) after_background();
}

void TapeDrive::Impl::exclusively(Callback work) {
  unit->hold([this, work = std::move(work)]() mutable {
    if (background == Background::kNone)
      work();
    else
      after_background = std::move(work);
  });
}

void TapeDrive::Impl::start_load(std::optional<NexusId> commanded_by,
                                 Done<std::optional<MediumFault>> done) {
  const auto refuse = [this](Sense sense, MediumFault fault) {
    load = Load::kRefused;
    refusal = std::move(sense);
    return fault;
  };
  using Kind = MediumFault::Kind;
  const MediumInfo& label = medium->info();
  if (label.cleaning) return start_cleaning(std::move(done));
  access = drive_access(generation.number, label.generation);
  if (access == Access::kNone) {
    alerts.raise(alert::kUnsupportedFormat);
    done(refuse(Sense::make(SenseKey::kMediumError, Asc::kIncompatibleMedium),
                {Kind::kIncompatibleFormat, 0,
                 std::string(generation.name) + " drives cannot read a cartridge of generation " +
                     std::to_string(label.generation)}));
    return;
  }
  load = Load::kLoading;
  mount = {.began_ms = now_ms()};
  begin_background(Background::kLoad);
  medium->load({options.identity.vendor, options.identity.serial},
               [this, commanded_by, done = std::move(done)](LoadOutcome outcome) mutable {
                 writer.reset();
                 writer_port.clear();
                 untold.reset();
                 leave_position();
                 if (outcome.fault) {
                   load = Load::kRefused;
                   refusal = fault(*outcome.fault);
                   alerts.raise(alert::kLoadFailure);
                 } else {
                   load = Load::kReady;
                   ++loads;
                   mount.took_ms = std::max(now_ms(), mount.began_ms) - mount.began_ms;
                   apply_compression();
                   alerts.clear_all();  // what an earlier attempt has said of this cartridge
                   if (medium->info().memory_damaged) alerts.raise(alert::kMemoryFailure);
                   if (medium->info().directory_damaged) alerts.raise(alert::kDirectoryCorrupted);
                   // Not for the nexus whose own LOAD it was: its next command would fail.
                   if (commanded_by)
                     unit->unit_attentions().raise_all_but(*commanded_by,
                                                           Asc::kMediumMayHaveChanged);
                   else
                     unit->unit_attentions().raise_all(Asc::kMediumMayHaveChanged);
                 }
                 end_background([done = std::move(done), outcome = std::move(outcome)]() mutable {
                   done(std::move(outcome.fault));
                 });
               });
}

void TapeDrive::Impl::start_unload(Load then, Done<WriteOutcome> done) {
  keep_write_fault();
  load = Load::kUnloading;
  begin_background(Background::kUnload);
  medium->unload([this, then, done = std::move(done)](WriteOutcome outcome) mutable {
    load = then;
    encryption_changed(encryption.demounted(), Asc::kEncryptionParametersChangedByDevice);
    moved_before.written += medium->info().bytes_written_load;
    moved_before.read += medium->info().bytes_read_load;
    alerts.clear_all();
    forget_staged();
    leave_append_only();
    if (outcome.fault) note(*outcome.fault);
    end_background([done = std::move(done), outcome = std::move(outcome)]() mutable {
      done(std::move(outcome));
    });
  });
}

// --- the robot's side ---

void TapeDrive::insert(std::unique_ptr<TapeMedium> medium, Done<InsertOutcome> done) {
  VTL_CHECK(medium != nullptr);
  impl_->exclusively([this, medium = std::move(medium), done = std::move(done)]() mutable {
    VTL_CHECK(impl_->load == Impl::Load::kEmpty);
    // Told from now on, what an earlier cartridge has lost would be taken for a fault of this one.
    impl_->deferred.clear();
    impl_->medium = std::move(medium);
    impl_->start_load(std::nullopt,
                      [done = std::move(done)](std::optional<MediumFault> fault) mutable {
                        done({std::move(fault)});
                      });
    resume();
  });
}

void TapeDrive::remove(Done<RemoveOutcome> done) {
  impl_->exclusively([this, done = std::move(done)]() mutable {
    Impl& drive = *impl_;
    using Result = RemoveOutcome::Result;
    if (drive.load == Impl::Load::kEmpty || prevented()) {
      done({drive.load == Impl::Load::kEmpty ? Result::kEmpty : Result::kPrevented, nullptr, {}});
    } else if (drive.load == Impl::Load::kReady) {
      std::optional<MediumFault> latched = drive.keep_write_fault();
      drive.start_unload(Impl::Load::kEmpty,
                         [&drive, latched = std::move(latched),
                          done = std::move(done)](WriteOutcome outcome) mutable {
                           // No command is there to report it: the nexus that wrote is told at its
                           // next one.
                           if (outcome.fault)
                             drive.defer_to_writer(deferred_sense_of(*outcome.fault));
                           done({Result::kRemoved, std::move(drive.medium),
                                 outcome.fault ? std::move(outcome.fault) : std::move(latched)});
                         });
    } else {
      drive.load = Impl::Load::kEmpty;
      drive.alerts.clear_all();
      done({Result::kRemoved, std::move(drive.medium), {}});
    }
    resume();
  });
}

void TapeDrive::shut_down(Done<WriteOutcome> done) {
  impl_->exclusively([this, done = std::move(done)]() mutable {
    impl_->shut_down = true;
    if (impl_->load == Impl::Load::kReady)
      impl_->start_unload(Impl::Load::kSeated, std::move(done));
    else
      done({});
    resume();
  });
}

TapeDrive::State TapeDrive::state() const {
  State state;
  state.load = [this] {
    switch (impl_->load) {
      case Impl::Load::kEmpty:
        return State::Load::kEmpty;
      case Impl::Load::kLoading:
        return State::Load::kLoading;
      case Impl::Load::kReady:
        return State::Load::kReady;
      case Impl::Load::kUnloading:
        return State::Load::kUnloading;
      case Impl::Load::kSeated:
      case Impl::Load::kEjected:
        return State::Load::kUnloaded;
      case Impl::Load::kRefused:
        return State::Load::kRefused;
    }
    return State::Load::kEmpty;
  }();
  state.present = impl_->load != Impl::Load::kEmpty;
  state.prevented = prevented();
  if (impl_->medium) state.barcode = impl_->medium->info().barcode;
  if (impl_->load == Impl::Load::kReady) {
    state.loaded = true;
    state.position = impl_->medium->position();
    state.buffered_bytes = impl_->medium->buffered_bytes();
    state.append_failed = impl_->medium->append_failed();
  }
  return state;
}

}  // namespace scsi::ssc
