// What a changer says of itself: identity, mode pages, log pages.
#include <algorithm>

#include "scsi/smc/changer.h"

namespace scsi::smc {
namespace {

// TapeAlert flags of a medium changer that this one can raise (SMC-3 table A.1).
namespace alert {
constexpr std::uint8_t kInventory = 0x18;          // what is on record is not what is there
constexpr std::uint8_t kUnreadableBarcode = 0x20;  // a cartridge whose label cannot be read
}  // namespace alert

ModePage page_of(std::uint8_t code, std::size_t length, std::vector<ByteAt> defaults = {}) {
  ModePage page;
  page.page = code;
  page.length = static_cast<std::uint16_t>(length);
  page.defaults = std::move(defaults);
  return page;
}

// Element address assignment (SMC-3 7.3.4): first address and count of each type.
// It is looked up each time, as elements can be added.
ModePage element_address_assignment(const Inventory& inventory) {
  ModePage page = page_of(0x1D, 0x12);
  page.current = [&inventory](NexusId, MutableBytes bytes) {
    const std::span<const Element> elements = inventory.elements();
    ByteBuilder out;
    for (const ElementType type : {ElementType::kTransport, ElementType::kStorage,
                                   ElementType::kImportExport, ElementType::kDrive}) {
      const auto of_type = [&](const Element& e) { return e.type == type; };
      const auto first = std::find_if(elements.begin(), elements.end(), of_type);
      out.u16(first == elements.end() ? 0 : first->address);
      out.u16(static_cast<std::uint64_t>(std::count_if(first, elements.end(), of_type)));
    }
    std::copy(out.view().begin(), out.view().end(), bytes.begin() + 2);
  };
  return page;
}

// Transport geometry descriptors (SMC-3 7.3.5): no rotation; members of one set, numbered.
ModePage transport_geometry(std::span<const Element> elements) {
  const auto transports = std::count_if(elements.begin(), elements.end(), [](const Element& e) {
    return e.type == ElementType::kTransport;
  });
  ModePage page = page_of(0x1E, 2 * static_cast<std::size_t>(transports));
  for (std::uint16_t i = 0; i < transports; ++i)
    page.defaults.push_back({static_cast<std::uint16_t>(3 + 2 * i), static_cast<std::uint8_t>(i)});
  return page;
}

// Device capabilities (SMC-3 7.3.2): cartridges rest in storage, import/export and drives, not in
// the transport, and every move and exchange between those three works.
ModePage device_capabilities() {
  constexpr std::uint8_t kAll = 0x0E;  // drives, import/export, storage
  return page_of(0x1F, 0x12,
                 {{2, kAll}, {5, kAll}, {6, kAll}, {7, kAll}, {13, kAll}, {14, kAll}, {15, kAll}});
}

std::vector<ModePage> mode_pages_of(const Inventory& inventory) {
  return {
      page_of(0x02, 0x0E),
      page_of(0x0A, 0x0A),
      // No sense of its own for informational exceptions: DEXCPT.
      page_of(0x1C, 0x0A, {{2, 0x08}, {3, 0x03}}),
      element_address_assignment(inventory),
      transport_geometry(inventory.elements()),
      device_capabilities(),
  };
}

// IBM's libraries (identity data of 3584 and its descendants): the serial number stands in the
// standard data too, which is short for that; where a host asks for the serial number, the address
// of the first storage element follows it in four hexadecimal digits.
constexpr std::size_t kIbmInquiryLength = 58;  // additional length 35h
constexpr std::size_t kIbmSerialLength = 12;

std::string first_storage_digits(const Inventory& inventory) {
  for (const Element& e : inventory.elements()) {
    if (e.type != ElementType::kStorage) continue;
    std::string digits;
    for (int shift = 12; shift >= 0; shift -= 4)
      digits += "0123456789ABCDEF"[e.address >> shift & 0xF];
    return digits;
  }
  return "0000";
}

void take_ibm_form(InquiryOptions& inquiry, const Identity& identity, const Inventory& inventory) {
  inquiry.standard_length = kIbmInquiryLength;
  inquiry.version_descriptors.clear();
  const Bytes serial =
      as_bytes(identity.serial).first(std::min(kIbmSerialLength, identity.serial.size()));
  std::copy(serial.begin(), serial.end(), inquiry.vendor_specific.begin() + 2);  // bytes 38-49
  inquiry.serial_suffix = first_storage_digits(inventory);
  ByteBuilder designator;  // 40 bytes
  designator.ascii(identity.vendor, 8).ascii(identity.product, 16);
  designator.ascii(identity.serial, kIbmSerialLength).ascii(inquiry.serial_suffix, 4);
  inquiry.t10_designator = designator.take();
}

}  // namespace

PrimaryOptions Changer::primary_options(const ChangerOptions& options, const Inventory& inventory) {
  PrimaryOptions primary;
  primary.identity = options.identity;
  primary.inquiry.device_type = 0x08;
  primary.inquiry.version_descriptors = {0x00A0, 0x0460, 0x0480,
                                         0x0960};  // SAM-5 SPC-4 SMC-3 iSCSI
  primary.inquiry.vendor_specific.resize(20);
  primary.inquiry.vendor_specific[55 - 36] = std::byte{0x01};  // a barcode reader is present
  if (options.serial_form == SerialForm::kIbm)
    take_ibm_form(primary.inquiry, primary.identity, inventory);
  primary.mode.block_descriptor = false;
  primary.mode.pages = mode_pages_of(inventory);
  // tape_alert_ is made after the base class: it is reached for when the page is asked for.
  LogPage& alerts = primary.log.emplace_back();
  alerts.page = 0x2E;
  alerts.parameters = [this](NexusId nexus) {
    note_exceptions();
    return tape_alert_.page_2e().parameters(nexus);
  };
  alerts.reset = [this] { tape_alert_.clear_all(); };
  alerts.told = [this](NexusId nexus, std::uint16_t first, std::uint16_t last) {
    tape_alert_.page_2e().told(nexus, first, last);
  };
  primary.now_ms = options.now_ms;
  primary.persistence = options.persistence;
  return primary;
}

// What holds for as long as the elements say so.
void Changer::note_exceptions() {
  const auto elements = inventory_.elements();
  const auto hold = [this](std::uint8_t flag, bool on) {
    if (on && !tape_alert_.is_raised(flag)) tape_alert_.raise(flag);
    if (!on) tape_alert_.clear(flag);
  };
  hold(alert::kInventory,
       std::any_of(elements.begin(), elements.end(), [](const Element& e) { return e.exception; }));
  hold(alert::kUnreadableBarcode,
       std::any_of(elements.begin(), elements.end(),
                   [](const Element& e) { return e.full && !e.labelled; }));
}

}  // namespace scsi::smc
