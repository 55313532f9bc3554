// MODE SENSE and MODE SELECT, (6) and (10): the engine. Pages are data that a device hands over at
// construction.
//
// The engine owns the settings: a device reads them with value(), block_length() and
// buffered_mode() where it needs them. What is not a setting (a partition size, "WORM medium
// loaded") is filled in by a page's `current` hook each time the page is shown. MODE SELECT
// validates the whole list before anything is applied.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "scsi/command.h"
#include "scsi/sense.h"

namespace scsi {

struct ByteAt {
  std::uint16_t offset;  // from the first byte of the page, its header included
  std::uint8_t value;
};

struct ModePage {
  enum class Scope { kShared, kNexus };  // one set of values for all, or one for each I_T nexus

  std::uint8_t page = 0;
  std::uint8_t subpage =
      0;  // not 0: the page has the four-byte header of SPC-4 table 363 (SPF = 1)
  std::uint16_t length = 0;        // PAGE LENGTH
  std::vector<ByteAt> defaults;    // bytes not named are 0
  std::vector<ByteAt> changeable;  // mask of the bits that MODE SELECT may change
  Scope scope = Scope::kShared;
  // MODE SELECT may bring a page as short as this PAGE LENGTH; what is missing stays. 0: exactly
  // `length`.
  std::uint16_t shortest_select = 0;
  // Bits outside `changeable` that differ from the current value are refused (5/26/00), or ignored.
  bool ignore_unchangeable = false;
  // Overwrites, in the whole page, what is not a setting. For current and default values (PC 0 and
  // 2).
  std::function<void(NexusId, MutableBytes page)> current{};
  // Refuses new values: sense 5/26/xx whose field.byte counts from the first byte of the page.
  // Called for the whole page after the mask rules; nothing has been applied yet.
  std::function<std::optional<Sense>(NexusId, Bytes page)> validate{};
  // Told after the whole list was applied, if what this page shows really changed.
  std::function<void(NexusId, Bytes page)> changed{};
  // The same for every list that held this page, whether or not it changed anything, with the page
  // that `validate` has seen.
  std::function<void(NexusId, Bytes page)> selected{};
};

// What the mode parameter header and the block descriptor say of the medium at this moment.
struct ModeMedium {
  std::uint8_t medium_type = 0;  // 00h without a cartridge
  std::uint8_t density = 0;      // of the cartridge, or the drive's native one
  bool write_protected = false;
};

struct ModeOptions {
  // Any order. Without a page 00h, MODE SENSE of it gives header and block descriptor only.
  std::vector<ModePage> pages;
  // Tapes: an 8-byte descriptor, buffered mode and write protection in the header. Changers have
  // none of it.
  bool block_descriptor = true;
  std::uint32_t max_block_length = 0;
  std::function<ModeMedium()> medium;  // none: all zero (changers)
};

class ModePages {
 public:
  explicit ModePages(ModeOptions options);

  // The settings that hold now; the page must exist. The view lives until the next select(),
  // reset() or nexus_lost(). For a page of scope kNexus, what holds for that nexus.
  Bytes value(std::uint8_t page, std::uint8_t subpage = 0, NexusId nexus = {}) const;
  std::uint8_t value_byte(std::uint8_t page, std::uint8_t subpage, std::size_t offset,
                          NexusId nexus = {}) const;
  // Sets a setting from inside the device, without telling anyone.
  void set_byte(std::uint8_t page, std::uint8_t subpage, std::size_t offset, std::uint8_t byte,
                NexusId nexus = {});
  // The page's settings back to their defaults, likewise.
  void restore(std::uint8_t page, std::uint8_t subpage = 0);
  std::uint32_t block_length() const { return header_.block_length; }   // 0: variable
  std::uint8_t buffered_mode() const { return header_.buffered_mode; }  // 0 or 1; 1 after power on

  // --- the commands; `cdb` is MODE SENSE or MODE SELECT, (6) or (10) ---
  std::variant<std::vector<std::byte>, Sense> sense(NexusId nexus, Bytes cdb) const;
  // What select() would take as PARAMETER LIST LENGTH.
  static std::uint32_t select_length(Bytes cdb);
  struct Selected {
    std::optional<Sense> refused;  // then nothing was applied
    bool shared_changed = false;   // 2A/01 is due to the other nexuses
  };
  Selected select(NexusId nexus, Bytes cdb, Bytes list);

  void reset();  // every setting back to its default
  void nexus_lost(NexusId nexus);

 private:
  struct Header {
    std::uint32_t block_length = 0;
    std::uint8_t buffered_mode = 1;
    friend bool operator==(const Header&, const Header&) = default;
  };
  struct Page {
    ModePage description;
    std::vector<std::byte> defaults, changeable, settings;
    std::map<NexusId, std::vector<std::byte>> per_nexus;
  };
  struct Change {
    Page* page;
    std::vector<std::byte> settings;
    std::vector<std::byte> proposed{};  // the page as a whole
    bool differs = false;               // it will show something else than it does now
  };
  struct Selecting {  // what a parameter list asks for, before any of it is applied
    Header header;
    std::vector<Change> changes;
  };
  Page* find(std::uint8_t page, std::uint8_t subpage);
  const Page* find(std::uint8_t page, std::uint8_t subpage) const;
  static const std::vector<std::byte>& settings_of(const Page& page, NexusId nexus);
  std::vector<std::byte> shown(const Page& page, NexusId nexus, std::uint8_t page_control) const;
  std::vector<const Page*> asked_for(std::uint8_t page, std::uint8_t subpage) const;
  std::optional<Sense> read_header(Bytes list, bool ten, Selecting& selecting,
                                   std::size_t& offset) const;
  std::optional<Sense> read_page(NexusId nexus, Bytes list, Selecting& selecting,
                                 std::size_t& offset);

  ModeOptions options_;
  std::vector<Page> pages_;  // ascending, page 00h last
  Header header_;
};

}  // namespace scsi
