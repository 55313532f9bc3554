#include "vtl/library/barcode.h"

#include <catch2/catch.hpp>
#include <set>

#include "scsi/ssc/profile.h"

using namespace vtl;

TEST_CASE("what a barcode may be") {
  CHECK(check_barcode("VTL001L8").empty());
  CHECK(check_barcode("ABCDEF").empty());
  CHECK(check_barcode(std::string(30, 'A')).empty());
  CHECK(check_barcode("ABCDE") == "a barcode has 6 to 30 characters, \"ABCDE\" has 5");
  CHECK_FALSE(check_barcode(std::string(31, 'A')).empty());
  CHECK_FALSE(check_barcode("").empty());
  CHECK(check_barcode("VTL-01L8") ==
        "a barcode is made of A-Z and 0-9, \"VTL-01L8\" has another character at place 4");
  for (const char* bad : {"vtl001L8", "VTL 01L8", "../../ET", "VTL001L\n", "VTL001L\xc3"})
    CHECK_FALSE(check_barcode(bad).empty());
}

TEST_CASE("a suffix says generation and WORM") {
  const auto [barcode, generation, worm] =
      GENERATE(table<std::string, int, bool>({{"VTL001L5", 5, false},
                                              {"VTL001L6", 6, false},
                                              {"VTL001L7", 7, false},
                                              {"VTL001L8", 8, false},
                                              {"VTL001L9", 9, false},
                                              {"VTL001LV", 5, true},
                                              {"VTL001LY", 8, true},
                                              {"VTL001LZ", 9, true}}));
  const LabelOutcome outcome = label_of_barcode(barcode);
  CHECK(outcome.error.empty());
  CHECK(outcome.label.generation == generation);
  CHECK(outcome.label.worm == worm);
  CHECK_FALSE(outcome.label.cleaning);
}

TEST_CASE("labels that need to be told, or contradict") {
  CHECK_FALSE(label_of_barcode("VTL001").error.empty());
  CHECK_FALSE(label_of_barcode("VTL001XX").error.empty());
  CHECK_FALSE(
      label_of_barcode("LONGNAME01L8").error.empty());  // a suffix counts in eight characters only
  CHECK(label_of_barcode("VTL001", 7).label.generation == 7);
  CHECK(label_of_barcode("VTL001L8", 8).error.empty());
  CHECK(label_of_barcode("VTL001L8", 7).error ==
        "barcode VTL001L8 says LTO-8 by its last two characters, but LTO-7 was asked for");
  CHECK(label_of_barcode("VTL001", 11).error == "there is no LTO-11");
  CHECK(label_of_barcode("CLN001CU").label.cleaning);
  CHECK(label_of_barcode("CLN001CU").error.empty());
  CHECK(label_of_barcode("CLNU01L1").label.generation == 1);
}

TEST_CASE("every media type of the LTO label specification") {
  for (const scsi::ssc::Generation& generation : scsi::ssc::generations()) {
    const LabelOutcome data =
        label_of_barcode("VTL001" + std::string(generation.barcode_suffix_data));
    CHECK(data.error.empty());
    CHECK(data.label.generation == generation.number);
    CHECK_FALSE(data.label.worm);
    CHECK(generation.barcode_suffix_worm.empty() == (generation.number < 3));
    if (generation.barcode_suffix_worm.empty()) continue;
    const LabelOutcome worm =
        label_of_barcode("VTL001" + std::string(generation.barcode_suffix_worm));
    CHECK(worm.label.generation == generation.number);
    CHECK(worm.label.worm);
  }
  CHECK(label_of_barcode("VTL001M8").error ==
        "barcode VTL001M8 says by its last two characters: an LTO-7 cartridge that an LTO-8 drive "
        "has formatted to 9 TB, which is not emulated");
  CHECK_FALSE(label_of_barcode("VTL001M8", 8).error.empty());
  CHECK_FALSE(label_of_barcode("VTL001PA", 10).error.empty());
}

TEST_CASE("cleaning cartridges") {
  for (const char* barcode : {"CLN001CU", "CLNU01L8", "CLR001", "CLN001L1"})
    CHECK(label_of_barcode(barcode).label.cleaning);
  CHECK_FALSE(label_of_barcode("CLEAN1L8").label.cleaning);
  CHECK(label_of_barcode("CLN001LY").error ==
        "barcode CLN001LY says a cleaning cartridge by its beginning, and a WORM one by its end");
}

TEST_CASE("cartridges without a label") {
  CHECK(unlabelled_name(12) == "unlabelled-12");
  CHECK(is_unlabelled("unlabelled-12"));
  for (const char* other :
       {"unlabelled-", "unlabelled-x", "unlabelled", "VTL001L8", "unlabelled-1234567890"})
    CHECK_FALSE(is_unlabelled(other));
  CHECK(label_of_barcode("unlabelled-12", 7).label.generation == 7);
  CHECK_FALSE(label_of_barcode("unlabelled-12").error.empty());
}

TEST_CASE("what meets depends on how much of a barcode is told") {
  BarcodeSet whole, six(6);
  for (BarcodeSet* set : {&whole, &six}) {
    set->insert("AAA001L8");
    set->insert("unlabelled-1");
    CHECK_FALSE(set->clash("unlabelled-2"));
    CHECK(set->clash("unlabelled-1"));
  }
  CHECK(whole.clash("BBA001L8"));
  CHECK_FALSE(whole.clash("AAA001L9"));
  CHECK_FALSE(six.clash("BBA001L8"));
  CHECK(six.clash("AAA001L9") == "AAA001L8");
}

TEST_CASE("numbered barcodes") {
  CHECK(numbered_barcode("VTL", 1, 8) == "VTL001L8");
  CHECK(numbered_barcode("VTL", 999, 8) == "VTL999L8");
  CHECK(numbered_barcode("VTL", 1000, 8) == "VTLA00L8");
  CHECK(numbered_barcode("VTL", 1099, 8) == "VTLA99L8");
  CHECK(numbered_barcode("VTL", 1100, 8) == "VTLB00L8");
  CHECK(numbered_barcode("VTL", 3599, 8) == "VTLZ99L8");
  CHECK(numbered_barcode("VTL", 3600, 8).empty());
  CHECK(numbered_barcode("V", 1, 5) == "V00001L5");
  CHECK(numbered_barcode("", 1, 9, true) == "000001LZ");
  CHECK(numbered_barcode("VTLVT", 9, 8) == "VTLVT9L8");
  CHECK(numbered_barcode("VTLVT", 10, 8) == "VTLVTAL8");
  CHECK(numbered_barcode("VTLVTL", 1, 8).empty());
  CHECK(numbered_barcode("vt", 1, 8).empty());
  CHECK(numbered_barcode("VTL", 1, 2, true).empty());  // there is no WORM LTO-2
  CHECK(numbered_barcode("VTL", 1, 99).empty());
  std::set<std::string> all;
  for (std::uint32_t i = 0; i < 3600; ++i) all.insert(numbered_barcode("VTL", i, 8).substr(2));
  CHECK(all.size() == 3600);
}

TEST_CASE("the last six characters are unique") {
  BarcodeSet names;
  names.insert("S00006L1");
  CHECK(names.clash("000006L1") == "S00006L1");
  CHECK(names.clash("S00006L1") == "S00006L1");
  CHECK_FALSE(names.clash("S00007L1"));
  CHECK_FALSE(names.clash("S00006L2"));
  names.erase("000006L1");  // not the one that is in
  CHECK(names.clash("000006L1"));
  names.erase("S00006L1");
  CHECK_FALSE(names.clash("000006L1"));
  names.insert("0006L1");
  CHECK(names.clash("XY0006L1") == "0006L1");
}
