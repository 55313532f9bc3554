#include "test/sim/process.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace sim {

namespace {

constexpr std::uint64_t kEpochMs = 1'700'000'000'000;

scsi::Identity identity(std::size_t index) {
  scsi::Identity out;
  out.vendor = "IBM";
  out.product = "ULT3580-TD8";
  out.revision = "0001";
  out.serial = fmt::format("SIM{:07}", index);
  out.naa = {0x50, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(index)};
  out.target_device_name = drive_target(index);
  out.target_port_name = drive_target(index) + ",t,0x0001";
  return out;
}

scsi::ssc::TapeDriveOptions drive_options(std::size_t index) {
  scsi::ssc::TapeDriveOptions options;
  options.identity = identity(index);
  options.element_address = static_cast<std::uint16_t>(kFirstDrive + index);
  options.now_ms = [] { return kEpochMs; };
  return options;
}

}  // namespace

std::string drive_target(std::size_t index) {
  return fmt::format("iqn.2026-11.local.vtl:sim-drive{}", index);
}

// --- bays and moves

void Bay::load(std::unique_ptr<scsi::ssc::TapeMedium> medium, scsi::Done<vtl::BayLoad> done) {
  check(inside == nullptr, "a cartridge was put into a full drive");
  inside = &books_.at(medium->info().barcode);
  owed.reset();
  const scsi::ssc::MediumInfo& label = medium->info();
  drive.load(
      std::move(medium), [this, &label, done = std::move(done)](vtl::BayLoad outcome) mutable {
        check(outcome.taken, "a drive did not take a cartridge");
        if (outcome.detail.empty()) {
          inside->tape.loaded();
          check(!label.write_protected || inside->tape.disk_faults, "a cartridge is protected");
          if (label.write_protected) inside->tape.protect();
        } else {
          check(inside->tape.disk_faults, "a cartridge was refused: " + outcome.detail);
        }
        done(std::move(outcome));
      });
}

void Bay::unload(scsi::Done<vtl::BayUnload> done) {
  drive.unload([this, done = std::move(done)](vtl::BayUnload outcome) mutable {
    if (outcome.result == vtl::BayUnload::Result::kRemoved) {
      check(inside != nullptr, "a cartridge came out of an empty drive");
      check(outcome.detail.empty() || inside->tape.disk_faults,
            "an unload went wrong: " + outcome.detail);
      if (!outcome.detail.empty()) owed = {inside->tape.told(), inside->tape.told_later()};
      inside->tape.unloaded(outcome.detail.empty());
      inside = nullptr;
    }
    done(std::move(outcome));
  });
}

void NotedInventory::move(std::uint16_t source, std::uint16_t destination,
                          scsi::Done<scsi::smc::MoveOutcome> done) {
  library_.move(source, destination, noted({{source, destination}}, std::move(done)));
}

void NotedInventory::exchange(std::uint16_t source, std::uint16_t first, std::uint16_t second,
                              scsi::Done<scsi::smc::MoveOutcome> done) {
  library_.exchange(source, first, second,
                    noted({{source, first}, {first, second}}, std::move(done)));
}

scsi::Done<scsi::smc::MoveOutcome> NotedInventory::noted(std::vector<Move> moves,
                                                         scsi::Done<scsi::smc::MoveOutcome> done) {
  ++under_way;
  for (Move& move : moves) {
    for (const auto& element : library_.elements())
      if (element.address == move.source && element.full)
        move.cartridge = &books_.at(element.barcode);
    check(move.cartridge != nullptr, "the changer moves what is not there");
    move.cartridge->places = {move.source, move.destination};
  }
  return [this, moves = std::move(moves),
          done = std::move(done)](scsi::smc::MoveOutcome outcome) mutable {
    --under_way;
    using Result = scsi::smc::MoveResult;
    const bool ok = outcome.result == Result::kMoved;
    if (ok) ++moved;
    bool excused = ok || books_.library_faults || outcome.result == Result::kRemovalPrevented;
    for (const Move& move : moves) excused = excused || move.cartridge->tape.disk_faults;
    check(excused, "a move went wrong: " + outcome.detail);
    for (const Move& move : moves) {
      if (ok) move.cartridge->places = {move.destination};
      // Otherwise its record may be in the journal and not count - until a crash.
      const auto now = library_.find(move.cartridge->tape.barcode());
      check(now && now->address == (ok ? move.destination : move.source),
            "a cartridge is not where its move ended");
    }
    done(std::move(outcome));
  };
}

// --- a life

vtl::LibraryOptions Process::library_options(const Swarm& swarm) {
  vtl::LibraryOptions options;
  options.geometry = {{1, 1}, {kFirstSlot, kSlots}, {10, 1}, {kFirstDrive, swarm.drives}};
  for (std::size_t i = 0; i < swarm.drives; ++i)
    options.drive_identifiers.push_back(scsi::t10_identifier(identity(i)));
  options.journal_path = "/lib/journal";
  return options;
}

vtl::PoolStoreOptions Process::store_options(const Swarm& swarm, Random& random) {
  vtl::PoolStoreOptions options;
  options.pool_dir = kPool;
  options.segment_mib = 1;
  options.random = [&random](scsi::MutableBytes out) {
    for (std::byte& b : out) b = static_cast<std::byte>(random.next());
  };
  options.now_ns = [] { return kEpochMs * 1'000'000; };
  options.medium.now_ns = options.now_ns;
  options.medium.queue_bytes = swarm.small_queue ? 100'000 : 4u << 20;
  options.medium.read_ahead_bytes = 4u << 20;
  options.medium.max_segment_objects = swarm.segment_objects;
  if (swarm.compression) options.medium.compression = vtl::Compression::kLz4;
  options.medium.low_water_bytes = 4u << 20;
  options.medium.hard_water_bytes = 2u << 20;
  return options;
}

Process::Process(const Swarm& swarm, std::uint64_t seed, vtl::test::MemoryFiles& files,
                 Books& books, std::function<void(const std::string&)> log)
    : buffers({32u << 20, 8u << 20}),
      executor(static_cast<std::uint32_t>(seed)),
      trash(executor, files, kPool),
      store(
          [&] {
            vtl::PoolStoreOptions options = store_options(swarm, random_);
            options.medium.discarded = [this] { trash.empty(); };
            options.medium.alert = [this](const vtl::MediumAlert& alert) { alerted(alert); };
            return options;
          }(),
          files, std::vector<vtl::Executor*>(swarm.drives, &executor)),
      swarm_(swarm),
      files_(files),
      books_(books),
      random_(seed),
      log_(std::move(log)) {
  std::vector<vtl::DriveBay*> ports;
  for (std::size_t i = 0; i < swarm.drives; ++i)
    ports.push_back(bays.emplace_back(std::make_unique<Bay>(drive_options(i), books)).get());
  vtl::LibraryOptions options = library_options(swarm);
  options.log = [this](std::string_view text) { log_(std::string(text)); };
  library =
      std::make_unique<vtl::Library>(std::move(options), store, files, executor, std::move(ports));
  inventory = std::make_unique<NotedInventory>(*library, books);
  if (swarm.chap) {
    policy_.any_target.accounts = {{kUser, auth::Secret(kSecret)}};
    policy_.any_target.mutual = {{kTargetUser, auth::Secret(kTargetSecret)}};
    policy_.discovery = policy_.any_target;
  }
  iscsi::PortalOptions portal_options;
  portal_options.max_recv_data_segment_length = 65536;
  portal_options.first_burst_length = 65536;
  portal_options.max_burst_length = 262144;
  portal_options.command_window = 8;
  portal_options.max_sessions_per_target = kClaimants;
  portal_options.buffer_bytes = 32u << 20;
  portal_options.buffer_bytes_per_target = 8u << 20;
  portal = std::make_unique<iscsi::Portal>(
      portal_options, policy_, buffers,
      [this](scsi::MutableBytes out) {
        for (std::byte& b : out) b = static_cast<std::byte>(random_.next());
      },
      [this](iscsi::LogLevel, std::string_view text) { log_(std::string(text)); });
}

void Process::make_claimed() {
  vtl::config::LibraryConfig devices;
  devices.changer.serial = "none";
  devices.drives.resize(1);
  scsi::ssc::TapeDriveOptions options = drive_options(98);
  devices.drives[0].identity.serial = options.identity.serial;
  reservations_ = vtl::daemon::ReservationFolder::read(files_, "/lib/reservations", devices);
  for (const std::string& problem : reservations_.problems) {
    log_(problem);
    check(books_.claims.disk_faults || !files_.has_power(), "lost: " + problem);
  }
  reservations_.failed = [this](const std::string& text) {
    log_(text);
    check(books_.claims.disk_faults, "nothing has failed: " + text);
  };
  reservation_file_ = std::make_unique<vtl::daemon::ReservationFile>(
      files_, executor, reservations_, options.identity.serial, "the claimed drive");
  options.persistence = reservation_file_->options();
  claimed_ = std::make_unique<vtl::daemon::Drive>(std::move(options));
  books_.claims.started(!reservations_.problems.empty());
}

// A crash alone damages nothing, and nobody has to look at what it leaves.
void Process::alerted(const vtl::MediumAlert& alert) {
  using Kind = vtl::MediumAlert::Kind;
  if (!alert.text.empty()) log_(alert.text);
  Books::Cartridge& cartridge = books_.at(alert.barcode);
  const TapeModel& tape = cartridge.tape;
  const bool disk_faults = tape.disk_faults || books_.library_faults;  // the trash is everybody's
  if (alert.kind == Kind::kNote && disk_faults) cartridge.mended = true;
  const bool of_space = alert.kind == Kind::kPoolLow || alert.kind == Kind::kPoolFull;
  // Of a segment that was about to begin the name may have come to the disk before the header.
  const bool begun =
      alert.text.ends_with("as no header, trailer or record in it is valid") ||
      alert.text.find(".seg: its header was damaged; it was written anew") != std::string::npos;
  check(alert.kind == Kind::kLoaded || begun || tape.no_space || (disk_faults && !of_space),
        "an alert out of nowhere: " + alert.text);
}

// What an abrupt end leaves: nothing that was under way is carried out or heard of.
Process::~Process() {
  executor.forget();
  portal.reset();
  changer_.reset();
  inventory.reset();
  library.reset();
  claimed_.reset();
  bays.clear();
  executor.forget();
}

void Process::open() {
  trash.empty();
  if (swarm_.claims) make_claimed();
  library->open(
      [this](vtl::Outcome outcome) {
        if (!outcome.ok()) {
          open_error_ = outcome.error;
          return;
        }
        scsi::smc::ChangerOptions options;
        options.identity = identity(99);
        options.now_ms = [] { return kEpochMs; };
        changer_ = std::make_unique<scsi::smc::Changer>(std::move(options), *inventory);
        changer_target_.add(0, *changer_);
        portal->add_target(kChangerTarget, "", changer_target_);
        for (std::size_t i = 0; i < bays.size(); ++i)
          portal->add_target(drive_target(i), "", bays[i]->drive.target());
        if (claimed_) portal->add_target(kClaimedTarget, "", claimed_->target());
        open_ = true;
        check_places();
        for (auto& [barcode, cartridge] : books_.cartridges)
          cartridge->places = {library->find(barcode)->address};
      },
      [this] { settled_ = true; });
}

void Process::check_places() {
  std::map<std::string, std::uint16_t> seen;
  for (const auto& element : library->elements()) {
    if (!element.full) continue;
    check(seen.emplace(element.barcode, element.address).second,
          element.barcode + " is in two elements");
  }
  check(seen.size() == books_.cartridges.size(), "a cartridge is in no element");
  for (auto& [barcode, cartridge] : books_.cartridges) {
    const auto found = seen.find(barcode);
    check(found != seen.end(), barcode + " is in no element");
    const auto& places = cartridge->places;
    check(std::find(places.begin(), places.end(), found->second) != places.end(),
          fmt::format("{} is in element {}, where it cannot be", barcode, found->second));
  }
  if (!settled_ || inventory->under_way != 0) return;
  for (std::size_t i = 0; i < bays.size(); ++i) {
    const std::string inside =
        bays[i]->inside != nullptr ? bays[i]->inside->tape.barcode() : std::string();
    for (const auto& element : library->elements())
      check(element.address != kFirstDrive + i || element.barcode == inside ||
                (inside.empty() && books_.at(element.barcode).tape.disk_faults),
            "a drive does not hold what the library says");
  }
}

bool Process::drive_full(std::size_t drive) const {
  for (const auto& element : library->elements())
    if (element.address == kFirstDrive + drive) return element.full;
  return false;
}

void Process::settle() {
  for (const auto& bay : bays) bay->drive.settle();
}

}  // namespace sim
