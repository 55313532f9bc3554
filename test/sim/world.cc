#include "test/sim/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "scsi/crc32c.h"
#include "vtl/cartridge/scrub.h"
#include "vtl/library/journal.h"

namespace sim {

using namespace std::chrono_literals;
using vtl::test::MemoryFiles;

namespace {

constexpr auto kSettleEvery = 250ms;     // as the daemon
constexpr unsigned kPatience = 400'000;  // steps for what has to come in the end

Swarm swarm_of(std::uint64_t seed) {
  Random random(seed * 2 + 1);
  return make_swarm(random, seed);
}

}  // namespace

World::World(std::uint64_t seed, bool print_trace)
    : World(seed, print_trace, swarm_of(seed), std::nullopt) {}

World::World(std::uint64_t seed, bool print_trace, const Swarm& swarm,
             std::optional<OneFault> fault)
    : seed_(seed),
      print_(print_trace),
      random_(seed),
      swarm_(swarm),
      files_(static_cast<std::uint32_t>(seed)),
      one_fault_(fault) {
  trace(swarm_.text());
  make_library();
  for (std::size_t i = 0; i < swarm_.drives; ++i)
    hosts_.push_back(std::make_unique<DriveHost>(*this, i));
  changer_ = std::make_unique<ChangerHost>(*this);
  for (std::size_t i = 0; i < swarm_.drives && swarm_.intruders; ++i)
    intruders_.push_back(std::make_unique<Intruder>(*this, *hosts_[i], i));
  for (unsigned i = 0; i < kClaimants && swarm_.claims; ++i)
    claimants_.push_back(std::make_unique<Claimant>(*this, i));
  for (const auto& host : hosts_) everybody_.push_back(host.get());
  for (const auto& claimant : claimants_) everybody_.push_back(claimant.get());
  for (const auto& intruder : intruders_) everybody_.push_back(intruder.get());
  if (swarm_.chap) everybody_.push_back((caller_ = std::make_unique<Caller>(*this)).get());
  everybody_.push_back(changer_.get());
}

World::~World() {
  lines_.clear();
  process_.reset();
}

void World::trace(const std::string& text) {
  const std::chrono::duration<double> time = now_.time_since_epoch();
  const std::string line = fmt::format("{:10.3f} {}\n", time.count(), text);
  trace_crc_ = scsi::crc32c(scsi::as_bytes(line), trace_crc_);
  if (print_) std::fputs(line.c_str(), stdout);
}

void World::make_library() {
  check(files_.make_directory("/lib").ok(), "no directory");
  vtl::PoolStoreOptions options = Process::store_options(swarm_, random_);
  check(vtl::create_pool(files_, options.pool_dir, {vtl::Uuid{std::byte{1}}, 1}).ok(), "no pool");
  vtl::PoolStore store(options, files_);
  vtl::Journal::State state;
  for (unsigned i = 0; i < swarm_.cartridges; ++i) {
    const std::string barcode = fmt::format("SIM{:03}L8", i);
    vtl::JournalEntry entry;
    entry.label.barcode = barcode;
    entry.label.generation = 8;
    entry.address = static_cast<std::uint16_t>(kFirstSlot + i);
    check(store.create(entry.label, 0).ok(), "no cartridge");
    state.emplace(barcode, entry);
    auto& cartridge = books_.cartridges[barcode] = std::make_unique<Books::Cartridge>(barcode);
    cartridge->tape.disk_may_fail = swarm_.disk_fails();
    cartridge->places = {*entry.address};
  }
  check(vtl::Journal::create(files_, "/lib/journal", state).ok(), "no journal");
  check(files_.sync_directory("").ok(), "no library");
  files_.inject = [this](const std::string& what, const std::string& path) {
    return injected(what, path);
  };
  if (!swarm_.no_space) return;
  files_.total_bytes = files_.used_bytes() + (6ull << 20) + random_.below(40ull << 20);
  books_.library_faults = books_.claims.disk_faults = true;  // they may not find room either
  for (auto& [barcode, cartridge] : books_.cartridges) cartridge->tape.no_space = true;
}

// --- lives

void World::start() {
  ++lives_;
  disk_fails_ = !calm_ && swarm_.disk_fails() && random_.chance(300);
  faults_left_ = 1 + static_cast<unsigned>(random_.below(6));
  process_ = std::make_unique<Process>(swarm_, seed_ * 1000 + lives_, files_, books_,
                                       [this](const std::string& text) { trace("  " + text); });
  process_->open();
}

void World::crash(bool power) {
  trace(power ? "the power goes" : "the process dies");
  ++counts_.crashes;
  for (const auto& line : lines_)
    if (line->host != nullptr) line->host->line_lost();
  for (auto& [barcode, cartridge] : books_.cartridges) cartridge->tape.unloaded(false);
  files_.cut_power();  // nobody writes in dying
  lines_.clear();
  process_.reset();
  constexpr double kSurvival[] = {0.0, 0.1, 0.5, 0.9, 1.0};
  if (power) {
    sync_failed_ = false;
    // What was removed may come back, beside what was written in its place. A disk has room for
    // both: it gives no block away before the removal is durable.
    const std::uint64_t free =
        files_.total_bytes - std::min(files_.total_bytes, files_.used_bytes());
    files_.crash(kSurvival[random_.below(5)]);
    files_.total_bytes = std::max(files_.total_bytes, files_.used_bytes() + free);
  } else {
    files_.kill();
  }
  disk_stalls_until_ = now_;
  dies_ = false;
  trap_ = std::exchange(next_trap_, std::nullopt);
  start();
}

void World::set_trap() {
  constexpr const char* kWhere[] = {"ftruncate", "ftruncate",       "fdatasync",
                                    "rename",    "fsync directory", "pwrite"};
  trap_ = Trap{kWhere[random_.below(6)], "", static_cast<unsigned>(random_.below(6))};
  // A label that is in memory only, and then another on its way to the other copy's place.
  if (swarm_.kills && random_.chance(300)) trap_ = Trap{"pwrite", "/CART", 1, true};
}

bool World::trapped(const std::string& what, const std::string& path) {
  if (!trap_) return false;
  if (!trap_->sprung && (what != trap_->what || path.find(trap_->where) == std::string::npos))
    return false;
  trap_->sprung = true;
  if (trap_->after-- != 0) return false;
  dies_ = trap_->kills;
  trace(fmt::format("{} at {} of {}", dies_ ? "the process dies" : "the power goes", what, path));
  if (dies_) next_trap_ = Trap{"pwrite", "/CART", 1};
  trap_.reset();
  return true;
}

int World::swept(const std::string& what, const std::string& path) {
  using Kind = OneFault::Kind;
  ++counts_.faults;
  trace(fmt::format("{} of {} is it", what, path));
  if (one_fault_->kind == Kind::kPowerCut || one_fault_->kind == Kind::kKill) {
    files_.cut_power();  // this one is still carried out
    dies_ = one_fault_->kind == Kind::kKill;
    return 0;
  }
  const bool no_space = one_fault_->kind == Kind::kNoSpace;
  blame(path, no_space);
  return no_space ? ENOSPC : EIO;
}

void World::blame(const std::string& path, bool no_space) {
  if (path.find("/reservations") != std::string::npos) {
    books_.claims.disk_faults = true;
    return;
  }
  bool known = false;
  for (auto& [barcode, cartridge] : books_.cartridges) {
    if (path.find(barcode) == std::string::npos) continue;
    known = cartridge->tape.disk_faults = true;
    cartridge->tape.no_space = cartridge->tape.no_space || no_space;
  }
  if (!known) books_.library_faults = books_.claims.disk_faults = true;
}

int World::injected(const std::string& what, const std::string& path) {
  if (print_) fmt::print("               {} {}\n", what, path);
  if (!calm_ && file_operations_++ == (one_fault_ ? one_fault_->operation : UINT64_MAX))
    return swept(what, path);
  if (trapped(what, path)) {
    files_.cut_power();
    return EIO;
  }
  if (!disk_fails_ || faults_left_ == 0 || !random_.chance(swarm_.harsh ? 50 : 8)) return 0;
  const bool read = what == "pread", write = what == "pwrite", sync = what == "fdatasync";
  const bool name = !read && !write && !sync && what != "statvfs" && what != "stat" &&
                    what != "lock" && what != "fstat";
  if (!((read && swarm_.fail_reads) || (write && swarm_.fail_writes) ||
        (sync && swarm_.fail_syncs) || (name && swarm_.fail_names)))
    return 0;
  --faults_left_;
  ++counts_.faults;
  trace(fmt::format("{} of {} fails", what, path));
  blame(path, false);
  sync_failed_ = sync_failed_ || sync;
  return EIO;
}

// --- lines

Line* World::connect(Host& host) {
  if (process_ == nullptr || !process_->is_open()) return nullptr;
  auto connection = process_->portal->accept("192.0.2.1:3260", "192.0.2.2:40000");
  check(connection != nullptr, "a connection was refused");
  ++counts_.connections;
  auto& line = lines_.emplace_back(std::make_unique<Line>());
  line->target = std::move(connection);
  line->host = &host;
  line->target->expire(now_);  // its login's time begins
  return line.get();
}

void World::hang_up(Line& line) {
  Host* host = std::exchange(line.host, nullptr);
  line.host_closed = true;
  host->line_lost();
}

void World::cut(Line& line) {
  ++counts_.cuts;
  switch (random_.below(2)) {
    case 0:
      trace("a line is cut");
      if (line.host != nullptr) hang_up(line);
      line.to_target.clear();
      break;
    default:
      trace("a host hangs up");
      if (line.host != nullptr) hang_up(line);
      break;
  }
}

// A piece in one direction, or the end of a line.
bool World::deliver(Line& line) {
  const auto piece = [&](std::size_t most) {
    const std::size_t limit = swarm_.tiny_pieces ? 1 + random_.below(700) : 65536;
    return std::min<std::size_t>(most, 1 + random_.below(limit));
  };
  if (line.target->wants_close()) {
    check(line.host == nullptr || line.swallowed || line.host->retired() ||
              line.host->logged_out() || line.host->gave_a_login_up() ||
              line.host->may_be_refused(),
          "the target closed a line");
    if (line.host != nullptr) hang_up(line);
    line.target->lost(now_);
    line.target.reset();
    return true;
  }
  if (line.swallowed || now_ < line.late_until) return false;
  const auto spans = line.target->send_spans();
  const bool answer = !spans.empty();
  if (answer && (line.to_target.empty() || random_.chance(500))) {
    const std::size_t n = piece(spans.front().iov_len);
    if (line.host != nullptr) {
      const auto* bytes = static_cast<const std::byte*>(spans.front().iov_base);
      const Data copy(bytes, bytes + n);
      line.target->sent(n, now_);
      line.host->receive(copy);
    } else {
      line.target->sent(n, now_);
    }
    return true;
  }
  if (!line.to_target.empty()) {
    const auto span = line.target->recv_span();
    if (span.empty()) {
      line.to_target.clear();
      return true;
    }
    const std::size_t n = piece(std::min(span.size(), line.to_target.size()));
    std::copy_n(line.to_target.begin(), n, span.begin());
    line.to_target.erase(line.to_target.begin(),
                         line.to_target.begin() + static_cast<std::ptrdiff_t>(n));
    line.target->received(n, now_);
    return true;
  }
  if (!line.host_closed) return false;
  line.target->lost(now_);
  line.target.reset();
  return true;
}

// --- time

void World::pass(std::chrono::microseconds time) {
  now_ += time;
  for (const auto& line : lines_) {
    const auto deadline = line->target->deadline();
    if (deadline && *deadline <= now_) line->target->expire(now_);
  }
  if (now_ < next_settle_ || process_ == nullptr) return;
  next_settle_ = now_ + kSettleEvery;
  process_->settle();
}

bool World::work() {
  const std::size_t first = random_.below(3);
  for (std::size_t i = 0; i < 3; ++i) {
    switch ((first + i) % 3) {
      case 0:
        if (now_ < disk_stalls_until_ || !process_->executor.step()) break;
        if (!files_.has_power()) crash(!std::exchange(dies_, false));
        return true;
      case 1: {
        if (lines_.empty()) break;
        const std::size_t start = random_.below(lines_.size());
        for (std::size_t j = 0; j < lines_.size(); ++j) {
          auto& line = lines_[(start + j) % lines_.size()];
          if (!deliver(*line)) continue;
          std::erase_if(lines_, [](const auto& each) { return each->target == nullptr; });
          return true;
        }
        break;
      }
      case 2: {
        const std::size_t start = random_.below(everybody_.size());
        for (std::size_t j = 0; j < everybody_.size(); ++j)
          if (everybody_[(start + j) % everybody_.size()]->act()) return true;
        break;
      }
    }
  }
  return false;
}

void World::misfortune() {
  if (swarm_.cutting && !trap_ && random_.chance(8)) set_trap();
  // What a failed sync has left in memory only is there until then, and does not come again.
  if (sync_failed_ && swarm_.power_cuts && random_.chance(2)) return crash(true);
  if (!random_.chance(swarm_.harsh ? 50 : 12)) return;
  const auto some_line = [&]() -> Line* {
    return lines_.empty() ? nullptr : lines_[random_.below(lines_.size())].get();
  };
  Line* line = some_line();
  switch (random_.below(7)) {
    case 0:
      if (swarm_.power_cuts && random_.chance(200)) {
        if (random_.chance(300)) return crash(true);
        if (!random_.chance(500))
          files_.fail_at(random_.below(60), MemoryFiles::Failure::kPowerCut);
        else if (!trap_)
          set_trap();
      }
      break;
    case 1:
      if (swarm_.kills && random_.chance(200)) crash(false);
      break;
    case 2:
      if (swarm_.cuts && line != nullptr && random_.chance(300)) cut(*line);
      break;
    case 3:
      if (swarm_.half_open && line != nullptr && random_.chance(100)) {
        trace("a line swallows everything");
        ++counts_.cuts;
        line->swallowed = true;
      }
      break;
    case 4:
      if (swarm_.delays && line != nullptr)
        line->late_until = now_ + std::chrono::milliseconds(random_.below(3000));
      break;
    case 5:
      if (!swarm_.slow) break;
      ++counts_.stalls;
      disk_stalls_until_ = now_ + std::chrono::milliseconds(random_.below(20'000));
      break;
    default:
      disk_fails_ = swarm_.disk_fails();
      if (swarm_.harsh) faults_left_ = std::max(faults_left_, 3u);
      break;
  }
}

void World::step() {
  ++counts_.steps;
  pass(std::chrono::microseconds(random_.below(200)));
  if (!calm_) misfortune();
  if (!process_->open_error().empty()) {
    check(books_.library_faults || swarm_.disk_fails(),
          "the library cannot be opened: " + process_->open_error());
    crash(false);
    disk_fails_ = false;
  }
  if (!work()) pass(std::chrono::milliseconds(1 + random_.below(250)));
  if (!process_->is_open() || counts_.steps % 64 != 0) return;
  process_->check_places();
  for (const auto& session : process_->portal->sessions())
    check(session.initiator != Caller::kName || session.target.empty(),
          "somebody without the secret is logged in to " + session.target);
}

void World::until(const char* what, const std::function<bool()>& reached) {
  for (unsigned i = 0; i < kPatience; ++i) {
    if (reached() || lost()) return;
    step();
  }
  broken(fmt::format("with all faults gone, this does not end: {}", what));
}

bool World::lost() const {
  return std::any_of(books_.cartridges.begin(), books_.cartridges.end(),
                     [](const auto& each) { return each.second->tape.is_lost(); });
}

void World::run() {
  counts_.worlds = 1;
  start();
  for (unsigned i = 0; i < swarm_.steps && !lost(); ++i) step();
  trace("calm");
  calm_ = true;
  disk_fails_ = false;
  trap_.reset();
  next_trap_.reset();
  disk_stalls_until_ = now_;
  if (files_.has_power()) files_.heal();
  files_.total_bytes = 1ull << 40;
  for (const auto& line : lines_) line->late_until = now_;
  if (!lost()) verify_everything();
  if (lost()) ++counts_.given_up;
}

void World::verify_everything() {
  const auto quiet = [this] {
    if (!process_->is_open() || process_->inventory->under_way != 0 || changer_->busy())
      return false;
    for (std::size_t i = 0; i < hosts_.size(); ++i)
      if (hosts_[i]->busy() || process_->drive_full(i) || changer_->concerns(i)) return false;
    return true;
  };
  until("the tapes come back", quiet);
  std::size_t n = 0;
  for (const auto& [barcode, cartridge] : books_.cartridges) {
    trace("verify " + barcode);
    DriveHost& host = *hosts_[n++ % hosts_.size()];
    host.verify_tape(barcode);
    until("a tape is read", [&] { return host.verified(); });
    until("the tape comes back", quiet);
    if (lost()) return;
  }
  for (Host* host : everybody_) host->retire();
  until("everybody logs out", [&] {
    for (const Host* host : everybody_)
      if (!host->retired()) return false;
    return lines_.empty() && process_->executor.idle();
  });
  process_->check_places();
  check(process_->portal->sessions().empty(), "a session is left");
  check(process_->buffers.lent_bytes() == 0, "buffers have not come back");
  bool closed = false;
  process_->library->close([&] { closed = true; });
  until("the library closes", [&] { return closed; });
  verify_files();
}

// Whatever has happened: no object is damaged, nor anything else that nobody was told of. (A fault
// that meets the mending of another may leave a trailer missing, or a file that is none of the
// tape's.)
void World::verify_files() {
  for (const auto& [barcode, cartridge] : books_.cartridges) {
    const std::string directory = vtl::cartridge_directory(Process::kPool, barcode);
    vtl::CartridgeScrub scrub(files_, directory, vtl::FileSystem::Io::kDirect);
    while (scrub.step(UINT64_MAX, false)) {
    }
    const vtl::ScrubReport& scrubbed = scrub.state().report;
    check(scrubbed.error.empty(), "it cannot be scrubbed: " + scrubbed.error);
    if (!scrubbed.damage.empty() && !cartridge->mended)
      broken("the scrub finds damage: " + scrubbed.damage.front().what);
    const auto verified = vtl::verify_cartridge(files_, directory);
    if (!verified) broken("it cannot be verified: " + verified.error().what);
    if (!verified->damage.empty()) broken("verify finds: " + verified->damage.front().what);
    for (const auto* texts : {&verified->repairable, &verified->notes})
      for (const std::string& text : *texts)
        if (!cartridge->mended && text.find("/quarantine:") == std::string::npos)  // told when done
          broken("verify finds: " + text);
  }
}

}  // namespace sim
