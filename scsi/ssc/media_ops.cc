// LOAD UNLOAD, WRITE FILEMARKS, ERASE, and what may not be written (SSC-4).
#include "scsi/ssc/drive_impl.h"

namespace scsi::ssc {

// --- write protection ---

bool TapeDrive::Impl::write_protected() const {
  if (load != Load::kReady) return false;
  const bool by_software = (modes().value_byte(0x0A, 0, 4) & 0x08) != 0 ||  // SWP
                           (modes().value_byte(0x10, 0, 10) & 0x04) != 0;   // SWP
  return by_software || medium->info().write_protected || access != Access::kReadWrite;
}

TapeDrive::Impl::Outcome TapeDrive::Impl::write_refusal(Allowed needed) {
  if (write_protected()) {
    const MediumInfo& label = medium->info();
    const bool by_cartridge =
        (label.write_protected && !label.software_protected) || access != Access::kReadWrite;
    alerts.raise(access == Access::kReadWrite ? alert::kWriteProtect : alert::kReadOnlyFormat);
    return Sense::make(SenseKey::kDataProtect,
                       by_cartridge ? Asc::kWriteProtected : Asc::kSoftwareWriteProtected);
  }
  if (Outcome refused = append_refusal()) return refused;
  return append_only_refusal(needed);
}

// After a write fault nobody appends until the cartridge is loaded anew.
TapeDrive::Impl::Outcome TapeDrive::Impl::append_refusal() const {
  if (medium->append_failed()) return Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  return std::nullopt;
}

void TapeDrive::Impl::check_worm_position(Done<Outcome> done) {
  const Position at = medium->position();
  if (!at.filemarks_known) {
    medium->count_filemarks(
        [this, done = std::move(done)](const std::optional<MediumFault>& unknown) mutable {
          if (unknown)
            done(fault(*unknown));
          else
            check_worm_position(std::move(done));
        });
    return;
  }
  const PartitionInfo partition = medium->partition(at.partition);
  if (at.object >= partition.end_of_data) {
    done({});
    return;
  }
  const auto refused = [this] {
    alerts.raise(alert::kWormOverwrite);
    return Sense::make(SenseKey::kDataProtect, Asc::kWormOverwriteAttempted);
  };
  // Filemarks that end the data may be overwritten, but not the first of them (page 1Dh byte 5 =
  // 02h): what follows must be filemarks only, and what precedes must be one.
  const bool only_filemarks_follow =
      partition.filemarks - at.filemarks == partition.end_of_data - at.object;
  if (!only_filemarks_follow || at.object == 0) {
    done(refused());
    return;
  }
  auto back = [this, refused, done = std::move(done)](SpaceOutcome outcome) mutable {
    using Stop = SpaceOutcome::Stop;
    if (outcome.stop == Stop::kFault) {
      done(fault(*outcome.fault));
      return;
    }
    const bool filemark_precedes = outcome.stop == Stop::kFilemark;
    // Whatever it was, the position goes back to where it was.
    medium->space(filemark_precedes ? SpaceUnit::kFilemarks : SpaceUnit::kBlocks, 1,
                  [this, refused, filemark_precedes,
                   then = std::move(done)](const SpaceOutcome& forth) mutable {
                    if (forth.stop == Stop::kFault)
                      then(fault(*forth.fault));
                    else
                      then(filemark_precedes ? Outcome() : Outcome(refused()));
                  });
  };
  medium->space(SpaceUnit::kBlocks, -1, std::move(back));
}

// --- WRITE FILEMARKS ---

void TapeDrive::Impl::write_filemarks(Task& task) {
  const bool immediate = (task.cdb(1) & 0x01) != 0;
  const std::uint32_t count = ByteReader(task.cdb_bytes().subspan(2)).u24();
  if (immediate && modes().buffered_mode() == 0) {
    task.fail(Sense::invalid_field_in_cdb(1, 0));
    return;
  }
  // Count 0 writes nothing of its own, so protection does not forbid it; but what was buffered
  // before software write protection was set has to arrive all the same.
  if (Outcome refused = count == 0 ? append_refusal() : write_refusal()) {
    task.fail(*refused);
    return;
  }
  const WriteMode mode = immediate ? WriteMode::kBuffered : WriteMode::kDurable;
  const auto append_marks = [this, &task, count, mode] {
    if (count != 0) wrote(task);
    medium->write_filemarks(count, mode, [this, &task, count](const WriteOutcome& outcome) {
      end_filemarks(task, count, outcome);
    });
  };
  if (count == 0 || !medium->info().worm) {
    append_marks();
    return;
  }
  check_worm_position([&task, append_marks](Outcome refused) {
    if (refused)
      task.fail(*refused);
    else if (task.aborted())  // what nobody waits for is not written where nothing can be erased
      task.good();
    else
      append_marks();
  });
}

void TapeDrive::Impl::end_filemarks(Task& task, std::uint32_t count, const WriteOutcome& outcome) {
  if (outcome.fault) {
    Sense sense = fault(*outcome.fault);
    // What is missing of this command's marks and of what was accepted before it.
    const std::uint64_t missing = count - outcome.accepted + outcome.fault->objects_lost;
    if (missing != 0) sense.information = static_cast<std::int64_t>(missing);
    task.fail(sense);
    return;
  }
  if (count != 0) at_early_warning = outcome.zone == Zone::kEarlyWarning;
  if (outcome.full) {
    Sense sense = Sense::make(SenseKey::kVolumeOverflow, Asc::kEndOfPartitionDetected);
    sense.end_of_medium = true;
    sense.information = static_cast<std::int64_t>(count - outcome.accepted);
    task.fail(sense);
    return;
  }
  const Outcome warning = count != 0 ? zone_sense(outcome) : std::nullopt;
  if (warning)
    task.fail(*warning);
  else
    task.good();
}

// --- ERASE ---

void TapeDrive::Impl::erase(Task& task) {
  if (Outcome refused = write_refusal()) {
    task.fail(*refused);
    return;
  }
  if (medium->info().worm) {
    alerts.raise(alert::kWormOverwrite);
    task.fail(Sense::make(SenseKey::kDataProtect, Asc::kWormOverwriteAttempted));
    return;
  }
  // LONG = 1 promises that what lies behind cannot be read any more; that holds for both kinds
  // here.
  wrote(task);
  run(task, (task.cdb(1) & 0x02) != 0, Background::kErase, [this](Done<Outcome> done) {
    medium->erase([this, done = std::move(done)](const WriteOutcome& outcome) mutable {
      done(outcome.fault ? Outcome(fault(*outcome.fault)) : Outcome());
    });
  });
}

// --- LOAD UNLOAD ---

void TapeDrive::Impl::load_unload(Task& task) {
  constexpr std::uint8_t kHold = 0x08, kEot = 0x04, kLoad = 0x01;
  const std::uint8_t what = task.cdb(4);
  const bool immediate = (task.cdb(1) & 0x01) != 0;
  // At the end of the medium nothing can be unloaded: a cartridge has one reel.
  if ((what & kEot) != 0) {
    task.fail(Sense::invalid_field_in_cdb(4, 2));
    return;
  }
  // Loading for the sake of the cartridge's memory alone is not offered.
  if ((what & kHold) != 0 && (what & kLoad) != 0) {
    task.fail(Sense::invalid_field_in_cdb(4, 3));
    return;
  }
  if (load == Load::kLoading || load == Load::kUnloading || background != Background::kNone) {
    task.fail(*not_ready());
    return;
  }
  if ((what & kLoad) != 0)
    load_cartridge(task, immediate);
  else
    unload_cartridge(task, immediate, (what & kHold) != 0);
}

void TapeDrive::Impl::load_cartridge(Task& task, bool immediate) {
  if (load == Load::kEmpty) {
    task.fail(*not_ready());
    return;
  }
  if (shut_down) {
    task.fail(Sense::not_ready(Asc::kNotReadyOffline));
    return;
  }
  if (load == Load::kReady) {  // like REWIND, but to partition 0
    run(task, immediate, Background::kRewind, [this](Done<Outcome> done) {
      medium->locate_object(0, 0,
                            [this, done = std::move(done)](const SpaceOutcome& outcome) mutable {
                              done(located(outcome));
                            });
    });
    return;
  }
  if (immediate) {
    start_load(task.nexus(), [](std::optional<MediumFault>) {});  // TEST UNIT READY tells
    task.good();
    return;
  }
  start_load(task.nexus(), [this, &task](const std::optional<MediumFault>& fault_found) {
    if (fault_found)
      task.fail(refusal);
    else
      task.good();
  });
}

void TapeDrive::Impl::unload_cartridge(Task& task, bool immediate, bool hold) {
  const Load then = hold ? Load::kSeated : Load::kEjected;
  if (load == Load::kEmpty) {  // tape stacks repeat UNLOAD when they shut down
    task.good();
    return;
  }
  if (unit->prevented()) {
    alerts.raise(alert::kNoRemoval);
    task.fail(Sense::illegal_request(Asc::kMediumRemovalPrevented));
    return;
  }
  if (load != Load::kReady) {
    if (load != Load::kEjected) load = then;
    task.good();
    return;
  }
  if (immediate) {
    start_unload(then, [this, nexus = task.nexus()](const WriteOutcome& outcome) {
      if (!outcome.fault) return;
      if (unit->find_nexus(nexus) != nullptr)
        deferred.insert_or_assign(nexus, deferred_sense_of(*outcome.fault));
      else
        defer_to_writer(deferred_sense_of(*outcome.fault));
    });
    task.good();
    return;
  }
  start_unload(then, [&task](const WriteOutcome& outcome) {
    if (outcome.fault) {
      Sense sense = sense_of(*outcome.fault);
      sense.information = static_cast<std::int64_t>(outcome.fault->objects_lost);
      task.fail(sense);
    } else {
      task.good();
    }
  });
}

}  // namespace scsi::ssc
