// Walks a device's command table: each bit outside a row's usage mask, set alone, is refused with
// 5/24/00 and a field pointer to exactly that bit - but for bits 7-5 of byte 1 of CDBs of up to 12
// bytes (the LUN of SCSI-2), which change nothing.
#pragma once

#include <catch2/catch.hpp>

#include <span>

#include "scsi/command_table.h"
#include "test/unit/support/recorder.h"

namespace test {

// `unit` has nexus `nexus` logged in, no unit attention pending, no reservation; a medium if it
// takes one.
inline void walk_reserved_bits(Recorder& recorder, scsi::NexusId nexus,
                               std::span<const scsi::CommandRow> rows) {
  for (const scsi::CommandRow& row : rows) {
    INFO(row.name);
    REQUIRE(row.cdb_length <= row.usage.size());
    REQUIRE(row.usage[0] == row.opcode);
    for (std::size_t byte = 1; byte < row.cdb_length; ++byte) {
      for (int bit = 7; bit >= 0; --bit) {
        const bool is_lun = byte == 1 && bit >= 5 && row.cdb_length < 16;
        const bool is_service_action =
            byte == 1 && bit < 5 && row.service_action != scsi::kNoServiceAction;
        if (is_lun || is_service_action || (row.usage[byte] >> bit & 1) != 0) continue;
        std::vector<std::uint8_t> cdb(row.cdb_length);
        cdb[0] = row.opcode;
        if (row.service_action != scsi::kNoServiceAction)
          cdb[1] = static_cast<std::uint8_t>(row.service_action);
        cdb[byte] = static_cast<std::uint8_t>(cdb[byte] | 1u << bit);
        const Ended end = recorder.run(nexus, cdb);
        CHECK(sense_of(end) ==
              "5/24/00 cdb byte " + std::to_string(byte) + " bit " + std::to_string(bit));
      }
    }
  }
}

// Ascending by opcode and service action, an opcode either plain or with service actions, lengths
// by group.
inline void check_table(std::span<const scsi::CommandRow> rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    INFO(rows[i].name);
    const std::uint8_t group = rows[i].opcode >> 5;
    const std::uint8_t lengths[] = {6, 10, 10, 0, 16, 12, 0, 0};
    if (lengths[group] != 0) CHECK(rows[i].cdb_length == lengths[group]);
    CHECK(rows[i].handler != nullptr);
    CHECK(rows[i].recommended_timeout_s != 0);
    if (i == 0) continue;
    const bool same = rows[i - 1].opcode == rows[i].opcode;
    CHECK((rows[i - 1].opcode < rows[i].opcode ||
           (same && rows[i - 1].service_action < rows[i].service_action)));
    if (same) CHECK(rows[i - 1].service_action != scsi::kNoServiceAction);
  }
}

}  // namespace test
