#include "scsi/primary.h"

#include <utility>

#include "scsi/target.h"

namespace scsi {
namespace {

void answer(Task& task, std::variant<std::vector<std::byte>, Sense> result) {
  if (auto* sense = std::get_if<Sense>(&result))
    task.fail(std::move(*sense));
  else
    task.good(std::get<std::vector<std::byte>>(std::move(result)));
}

void conflict(Task& task) {
  Reply reply;
  reply.status = SamStatus::kReservationConflict;
  task.finish(std::move(reply));
}

// VPD 87h says which mode pages each I_T nexus has for itself (SPC-4 7.8.9); the mode pages know.
InquiryOptions with_mode_page_policy(InquiryOptions options, const ModeOptions& mode) {
  for (const VpdPage& page : options.pages)
    if (page.code == 0x87) return options;
  ByteBuilder body;
  for (const ModePage& page : mode.pages)
    if (page.scope == ModePage::Scope::kNexus) body.u8(page.page).u8(page.subpage).u8(0x03).u8(0);
  body.u8(0x3F).u8(0xFF).u8(0x00).u8(0);  // all others: shared
  options.pages.push_back({0x87, [bytes = body.take()] { return bytes; }});
  return options;
}

}  // namespace

PrimaryUnit::PrimaryUnit(std::span<const CommandRow> rows, PrimaryOptions options)
    : LogicalUnit(rows),
      inquiry_(with_mode_page_policy(std::move(options.inquiry), options.mode),
               std::move(options.identity)),
      mode_(std::move(options.mode)),
      log_(std::move(options.log)),
      reservations_(options.persistence.store != nullptr),
      reservation_store_(options.persistence.store),
      now_ms_(std::move(options.now_ms)) {
  reservations_.restore(std::move(options.persistence.kept));
  if (now_ms_) started_ms_ = now_ms_();
}

// --- nexuses and resets ---

bool PrimaryUnit::reservation_conflict(const Task& task) const {
  return reservations_.conflict(task.row().reservation, task.nexus());
}

void PrimaryUnit::on_nexus_established(const NexusInfo& nexus) {
  reservations_.nexus_established(nexus);
}

void PrimaryUnit::on_nexus_lost(const NexusInfo& nexus) {
  reservations_.nexus_lost(nexus.id);
  mode_.nexus_lost(nexus.id);
  echo_buffers_.erase(nexus.id);
  set_prevented(nexus.id, false);
}

void PrimaryUnit::on_reset() {
  reservations_.reset();
  mode_.reset();
  echo_buffers_.clear();
  prevented_by_.clear();
  on_prevent_changed();
}

void PrimaryUnit::set_prevented(NexusId nexus, bool prevented) {
  const bool before = !prevented_by_.empty();
  if (prevented)
    prevented_by_.insert(nexus);
  else
    prevented_by_.erase(nexus);
  if (before != !prevented_by_.empty()) on_prevent_changed();
}

// --- state and identity ---

void PrimaryUnit::test_unit_ready(Task& task) { task.good(); }  // the gates said all there is

Sense PrimaryUnit::pollable_sense() { return not_ready().value_or(Sense{}); }

void PrimaryUnit::request_sense(Task& task) {
  task.set_allocation_length(task.cdb(4));
  const auto attention = unit_attentions().take(task.nexus());
  const Sense sense = attention ? Sense::unit_attention(*attention) : pollable_sense();
  task.good(sense.encode_fixed());
}

void PrimaryUnit::inquiry(Task& task) {
  task.set_allocation_length(task.cdb_field(3, 2));
  const std::uint8_t page = task.cdb(2);
  if ((task.cdb(1) & 0x01) != 0) {  // EVPD
    auto data = inquiry_.vpd(page);
    if (data)
      task.good(*std::move(data));
    else
      task.fail(Sense::invalid_field_in_cdb(2, 7));
  } else if (page != 0) {
    task.fail(Sense::invalid_field_in_cdb(2, 7));
  } else {
    task.good(inquiry_.standard());
  }
}

void PrimaryUnit::report_luns(Task& task) {
  Reply reply = scsi::report_luns(task.cdb_bytes(), target_luns());
  if (reply.status == SamStatus::kGood)
    unit_attentions().clear(task.nexus(), Asc::kReportedLunsDataHasChanged);
  task.finish(std::move(reply));
}

// --- mode and log pages ---

void PrimaryUnit::mode_sense(Task& task) {
  task.set_allocation_length(task.cdb(0) == 0x5A ? task.cdb_field(7, 2) : task.cdb(4));
  answer(task, mode_.sense(task.nexus(), task.cdb_bytes()));
}

void PrimaryUnit::mode_select(Task& task) {
  task.parameter_list(ModePages::select_length(task.cdb_bytes()), [this, &task](Buffer list) {
    ModePages::Selected selected = mode_.select(task.nexus(), task.cdb_bytes(), list.view());
    if (selected.refused) {
      task.fail(*std::move(selected.refused));
      return;
    }
    if (selected.shared_changed)
      unit_attentions().raise_all_but(task.nexus(), Asc::kModeParametersChanged);
    end_mode_select(task);
  });
}

void PrimaryUnit::end_mode_select(Task& task) { task.good(); }

void PrimaryUnit::log_sense(Task& task) {
  task.set_allocation_length(task.cdb_field(7, 2));
  answer(task, log_.sense(task.nexus(), task.cdb_bytes()));
}

void PrimaryUnit::log_select(Task& task) {
  task.parameter_list(LogPages::select_length(task.cdb_bytes()), [this, &task](Buffer list) {
    LogPages::Selected selected = log_.select(task.cdb_bytes(), list.view());
    if (selected.refused) {
      task.fail(*std::move(selected.refused));
      return;
    }
    if (selected.changed) unit_attentions().raise_all_but(task.nexus(), Asc::kLogParametersChanged);
    task.good();
  });
}

// --- reservations and removal ---

void PrimaryUnit::finish(Task& task, ReservationResult result) {
  for (const NexusId victim : result.aborted) {
    set_prevented(victim, false);
    abort_tasks_of(victim);
  }
  for (const auto& attention : result.attentions)
    unit_attentions().raise(attention.nexus, attention.asc);
  on_reservations_changed(task);
  Reply reply;
  reply.status = result.status;
  reply.sense = std::move(result.sense);
  reply.data_in = slices_of(std::move(result.data));
  task.finish(std::move(reply));
}

void PrimaryUnit::reserve(Task& task) { finish(task, reservations_.reserve(task.nexus())); }

void PrimaryUnit::release(Task& task) { finish(task, reservations_.release(task.nexus())); }

void PrimaryUnit::persistent_reserve_in(Task& task) {
  task.set_allocation_length(task.cdb_field(7, 2));
  finish(task, reservations_.persistent_reserve_in(task.nexus(), task.cdb(1) & 0x1F));
}

void PrimaryUnit::persistent_reserve_out(Task& task) {
  const std::uint32_t length = task.cdb_field(5, 4);
  auto ended = reservations_.check_persistent_reserve_out(task.cdb(1) & 0x1F, task.cdb(2), length);
  if (ended) {
    finish(task, *std::move(ended));
    return;
  }
  task.parameter_list(length, [this, &task](Buffer list) { persistently(task, list.view()); });
}

// What has to outlive a loss of power is durable before the command is answered. Until then nothing
// has changed, so that a failure has nothing to undo. Meanwhile nexuses may come and go.
void PrimaryUnit::persistently(Task& task, Bytes parameters) {
  const std::uint8_t action = task.cdb(1) & 0x1F;
  Reservations next = reservations_;
  ReservationResult result =
      next.persistent_reserve_out(task.nexus(), action, task.cdb(2), parameters);
  KeptReservations kept = next.kept();
  if (kept == reservations_.kept()) {
    reservations_.take_over(std::move(next));
    return finish(task, std::move(result));
  }
  reservation_store_->keep(std::move(kept), [this, &task, action, next = std::move(next),
                                             result = std::move(result)](bool done) mutable {
    if (done) {
      reservations_.take_over(std::move(next));
      return finish(task, std::move(result));
    }
    // SPC-4 5.12.7: a registration that the device server has no resources for. For the others
    // no clause names a code: the device cannot do what it can otherwise.
    const bool registers =
        action == static_cast<int>(PersistentReserveOut::kRegister) ||
        action == static_cast<int>(PersistentReserveOut::kRegisterAndIgnoreExistingKey);
    task.fail(registers ? Sense::illegal_request(Asc::kInsufficientRegistrationResources)
                        : Sense::make(SenseKey::kHardwareError, Asc::kInternalTargetFailure));
  });
}

void PrimaryUnit::prevent_allow(Task& task) {
  const bool prevent = (task.cdb(4) & 0x01) != 0;
  if (prevent && reservation_conflict(task.nexus(), ReservationRule::kConflict)) {
    conflict(task);
    return;
  }
  set_prevented(task.nexus(), prevent);
  task.good();
}

}  // namespace scsi
