// The medium changer under any commands and parameter lists (commands.h), on a library in memory:
// no cartridge is lost or doubled.
//
// Input: actions. F0h reset, F1h and F2h a host is lost and comes back, F3h the next move fails,
// F4h moves take their time, F5h one ends, F6h there are more slots, F7h the last command is
// aborted.
#include <set>
#include <string>

#include "scsi/smc/changer.h"
#include "test/fuzz/commands.h"
#include "test/unit/smc/fake_inventory.h"

namespace {

scsi::smc::ChangerOptions options() {
  scsi::smc::ChangerOptions options;
  options.identity.vendor = "STK";
  options.identity.product = "L700";
  options.identity.revision = "0108";
  options.identity.serial = "FUZZLIB001";
  options.identity.target_device_name = "iqn.2026-11.local.vtl:changer";
  options.identity.target_port_name = "iqn.2026-11.local.vtl:changer,t,0x0001";
  options.now_ms = [] { return std::uint64_t{1'800'000'000'000}; };
  return options;
}

std::multiset<std::string> cartridges(const test::FakeInventory& library) {
  std::multiset<std::string> all;
  for (const scsi::smc::Element& element : library.elements())
    if (element.full) all.insert(element.barcode);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  test::FakeInventory library;
  for (const std::uint16_t address : std::initializer_list<std::uint16_t>{1000, 1001, 1003, 500})
    library.put(address, "FUZ" + std::to_string(address) + "L8");
  const std::multiset<std::string> before = cartridges(library);
  {
    scsi::smc::Changer changer(options(), library);
    fuzz::Hosts hosts(changer, scsi::smc::Changer::command_rows());
    const auto end_one = [&] {
      const auto next = std::move(library.waiting.front());
      library.waiting.erase(library.waiting.begin());
      next();
    };
    unsigned added = 0;
    while (!input.empty()) {
      const std::uint8_t action = input.byte();
      switch (action) {
        case 0xF0:
          hosts.manage(scsi::TaskFunction::kLogicalUnitReset, 0);
          break;
        case 0xF1:
          hosts.lose(0);
          break;
        case 0xF2:
          hosts.lose(1);
          break;
        case 0xF3:
          library.failures.push_back(static_cast<scsi::smc::MoveResult>(1 + input.byte() % 7));
          break;
        case 0xF4:
          library.wait = true;
          break;
        case 0xF5:
          if (!library.waiting.empty()) end_one();
          break;
        case 0xF6:
          if (added++ == 3) break;
          library.add_storage(2);
          changer.elements_added();
          break;
        case 0xF7:
          hosts.manage(scsi::TaskFunction::kAbortTask, 1);
          break;
        default:
          hosts.command(action, input);
      }
      if (!library.wait && hosts.open() != 0) std::abort();
    }
    library.wait = false;
    while (!library.waiting.empty()) end_one();
    if (hosts.open() != 0) std::abort();  // every command has ended
  }
  if (cartridges(library) != before) std::abort();
  return 0;
}
