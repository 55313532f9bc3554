#include "vtl/config/applications.h"

#include <algorithm>
#include <array>
#include <string>

namespace vtl::config {
namespace {

constexpr std::string_view kWindowsGeneration =
    "the newest that the tape driver of Windows knows without an update";
constexpr std::string_view kOnePage = "fewer than 1000 slots, which it reads in one piece";

constexpr std::array kApplications = {
    Application{
        .name = "netbackup",
        .title = "NetBackup",
        .profile = "stk-l700",
        .generation = 8,
        .slots = 228,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "an STK L700 is driven as robot type TLD; drives are found by the serial "
                       "numbers that the robot tells",
        .why_generation = "drives are IBM ULT3580-TD8",
        .why_slots = "an inventory empties the import/export slots into slots, an eject fills them",
        .why_barcodes = "all 8 characters: its media ID is the last six, which never meet here",
    },
    Application{
        .name = "veeam",
        .title = "Veeam Backup & Replication",
        .profile = "aws",
        .generation = 8,
        .slots = 200,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "the changer that Veeam is documented to work with behind a Tape Gateway; "
                       "it talks SCSI itself, so \"Unknown Medium Changer\" in Windows is right",
        .why_generation = kWindowsGeneration,
        .why_slots = "enough for some weeks of media; a Tape Gateway has 1600 and 1600",
        .why_barcodes = "8 characters: six of a name and two of the media type; CLN is cleaning",
    },
    Application{
        .name = "dpm",
        .title = "System Center Data Protection Manager",
        .profile = "stk-l700",
        .generation = 8,
        .slots = 228,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "it works through the changer class of Windows: with the Sun/StorageTek "
                       "Library driver an L700 shows barcodes",
        .why_generation = kWindowsGeneration,
        .why_slots = "tapes are added through the import/export slots",
        .why_barcodes = "8 characters, as that driver shows them",
    },
    Application{
        .name = "spectrum-protect",
        .title = "IBM Spectrum Protect",
        .profile = "ibm-3584",
        .generation = 8,
        .slots = 281,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "the IBM library 03584L32 0402 that it is documented with behind a Tape "
                       "Gateway, serial numbers in IBM's form",
        .why_generation = "drives are IBM ULT3580-TD8, all of one generation: a VTL library of it "
                          "takes no mixed media",
        .why_slots = "one base frame",
        .why_barcodes = "8 characters: it refuses longer ones",
    },
    Application{
        .name = "bacula",
        .title = "Bacula and Bareos",
        .profile = "stk-l700",
        .generation = 8,
        .slots = 100,
        .ie_slots = 10,
        .barcode_characters = 8,
        .why_profile = "it drives any changer through mtx",
        .why_generation = "it writes any drive that the st driver serves",
        .why_slots = "mtx counts slots first and import/export slots behind them: a change of the "
                     "number of slots later moves those numbers",
        .why_barcodes = "8 characters become volume names by \"label barcodes\"",
    },
    Application{
        .name = "proxmox",
        .title = "Proxmox Backup Server",
        .profile = "stk-l700",
        .generation = 8,
        .slots = 228,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "it drives any changer, and finds its drives by serial number",
        .why_generation = "it supports LTO-5 and later",
        .why_slots = kOnePage,
        .why_barcodes = "8 characters become media labels",
    },
    Application{
        .name = "commvault",
        .title = "Commvault",
        .profile = "stk-l700",
        .generation = 8,
        .slots = 228,
        .ie_slots = 20,
        .barcode_characters = 8,
        .why_profile = "the changer that Commvault 11 is documented with behind a Tape Gateway; "
                       "detect it exhaustively, with a barcode reader",
        .why_generation = "drives are IBM ULT3580-TD8",
        .why_slots = "the smallest cabinet of an L700",
        .why_barcodes = "8 characters",
    },
    Application{
        .name = "ltfs",
        .title = "LTFS",
        .profile = "ibm-3573",
        .generation = 8,
        .slots = 40,
        .ie_slots = 5,
        .barcode_characters = 6,
        .why_profile = "LTFS looks at drives only, and knows ours by IBM's names; an IBM changer "
                       "goes with them",
        .why_generation = "LTFS takes IBM ULT3580-TD5 to TD9 of known firmware",
        .why_slots = "a small library",
        .why_barcodes = "6 characters: a volume's serial number in its label has six",
    },
};

}  // namespace

std::span<const Application> applications() { return kApplications; }

const Application* find_application(std::string_view name) {
  const auto it = std::find_if(kApplications.begin(), kApplications.end(),
                               [&](const Application& a) { return a.name == name; });
  return it == kApplications.end() ? nullptr : &*it;
}

std::string_view application_names() {
  static const std::string names = [] {
    std::string text;
    for (const Application& a : kApplications)
      text += (text.empty() ? "" : ", ") + std::string(a.name);
    return text;
  }();
  return names;
}

}  // namespace vtl::config
