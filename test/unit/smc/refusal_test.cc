// What a changer does not have: every operation code and page beside those it names.
#include <catch2/catch.hpp>

#include "test/unit/smc/changer_fixture.h"
#include "test/unit/support/refusal_walker.h"

using test::ChangerWorld;

TEST_CASE("Every operation code and service action that the table does not name") {
  ChangerWorld w;
  test::walk_unknown_opcodes(w.recorder, w.a, scsi::smc::Changer::command_rows());
}

TEST_CASE("Every VPD page that page 00h does not name") {
  ChangerWorld w;
  test::walk_unknown_vpd(w.recorder, w.a);
}

TEST_CASE("Every log page and subpage that page 00h/FFh does not name") {
  ChangerWorld w;
  test::walk_unknown_log_pages(w.recorder, w.a);
}

TEST_CASE("Every mode page and subpage that 3Fh/FFh does not bring") {
  ChangerWorld w;
  test::walk_unknown_mode_pages(w.recorder, w.a);
}
