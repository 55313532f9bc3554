// The tape drive under any commands and parameter lists (commands.h), on a cartridge in memory.
//
// Input: the drive's generation, then actions. F0h reset, F1h and F2h a host is lost and comes
// back, F3h the robot takes the cartridge, F4h it brings another one, F5h the medium's next
// operation fails, F6h operations take their time, F7h one ends, F8h the last command is aborted,
// F9h a block is damaged, FAh what was buffered is lost.
#include "scsi/ssc/profile.h"
#include "scsi/ssc/tape_drive.h"
#include "test/fuzz/commands.h"
#include "test/unit/ssc/memory_medium.h"

namespace {

using scsi::ssc::MemoryMedium;

class Drive : public scsi::ssc::TapeDrive {
 public:
  using LogicalUnit::rows;
  using TapeDrive::TapeDrive;
};

scsi::ssc::TapeDriveOptions options(std::uint8_t generation) {
  const scsi::ssc::Generation& profile = *scsi::ssc::find_generation(generation);
  scsi::ssc::TapeDriveOptions options;
  options.identity.vendor = "IBM";
  options.identity.product = std::string(profile.ibm_product);
  options.identity.revision = std::string(profile.ibm_revision);
  options.identity.serial = "FUZZ000001";
  options.identity.target_device_name = "iqn.2026-11.local.vtl:drive";
  options.identity.target_port_name = "iqn.2026-11.local.vtl:drive,t,0x0001";
  options.generation = generation;
  options.max_block_bytes = 1u << 20;
  options.library_serial = "FUZZLIB001";
  options.now_ms = [] { return std::uint64_t{1'800'000'000'000}; };
  options.random = [](scsi::MutableBytes into) {
    std::fill(into.begin(), into.end(), std::byte{7});
  };
  return options;
}

class World {
 public:
  explicit World(std::uint8_t generation)
      : generation_(generation), drive_(options(generation)), hosts_(drive_, drive_.rows()) {
    insert(0);
  }

  void action(std::uint8_t action, fuzz::Input& input) {
    switch (action) {
      case 0xF0:
        hosts_.manage(scsi::TaskFunction::kLogicalUnitReset, 0);
        break;
      case 0xF1:
        hosts_.lose(0);
        break;
      case 0xF2:
        hosts_.lose(1);
        break;
      case 0xF3:
        remove();
        break;
      case 0xF4:
        insert(input.byte());
        break;
      case 0xF5:
        if (medium_ != nullptr)
          medium_->fail_next(static_cast<scsi::ssc::MediumFault::Kind>(input.byte() % 8));
        break;
      case 0xF6:
        slow_ = true;
        if (medium_ != nullptr) medium_->defer_completions(true);
        break;
      case 0xF7:
        if (medium_ != nullptr && medium_->outstanding() != 0) medium_->complete_one();
        break;
      case 0xF8:
        hosts_.manage(scsi::TaskFunction::kAbortTask, 0);
        break;
      case 0xF9:
        if (medium_ != nullptr)
          medium_->damage(0, input.byte() % 8, scsi::ssc::MediumFault::Kind::kReadError);
        break;
      case 0xFA:
        if (medium_ != nullptr && !slow_) medium_->lose_buffered();
        break;
      default:
        hosts_.command(action, input);
    }
    if (!slow_ && hosts_.open() != 0) std::abort();  // every command has ended
  }
  // Whatever it was: with the medium at work again everything ends, and the robot gets its
  // cartridge once nobody prevents it.
  void end() {
    settle();
    if (hosts_.open() != 0) std::abort();
    hosts_.lose(0);
    hosts_.lose(1);
    if (remove() && drive_.state().present) std::abort();
  }

 private:
  void settle() {
    slow_ = false;
    if (medium_ == nullptr) return;
    medium_->defer_completions(false);
    medium_->complete_all();
  }
  void insert(std::uint8_t kind) {
    if (inside_) return;
    settle();
    const auto generation =
        static_cast<std::uint8_t>(kind % 4 == 3 ? generation_ - 1 : generation_);
    auto cartridge = std::make_unique<MemoryMedium>(generation, 1 + (kind >> 4) % 4);
    cartridge->label().worm = (kind & 4) != 0;
    cartridge->label().write_protected = (kind & 8) != 0;
    cartridge->set_capacity(40'000, 50'000);
    medium_ = cartridge.get();
    inside_ = true;
    drive_.insert(std::move(cartridge), [](scsi::ssc::InsertOutcome) {});
  }
  bool remove() {
    settle();
    bool ended = false;
    std::unique_ptr<scsi::ssc::TapeMedium> out;
    drive_.remove([&](scsi::ssc::RemoveOutcome outcome) {
      ended = true;
      out = std::move(outcome.medium);
    });
    if (!ended) std::abort();
    if (out == nullptr) return false;
    inside_ = false;
    medium_ = nullptr;
    return true;
  }

  std::uint8_t generation_;
  Drive drive_;
  fuzz::Hosts hosts_;
  MemoryMedium* medium_ = nullptr;
  bool inside_ = false, slow_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  World world(static_cast<std::uint8_t>(5 + input.byte() % 5));
  while (!input.empty()) world.action(input.byte(), input);
  world.end();
  return 0;
}
