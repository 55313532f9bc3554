#include "scsi/sense.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

#include "scsi/bytes.h"

using namespace scsi;

namespace {

std::string hex(Bytes bytes) {
  std::string out;
  char two[4];
  for (const std::byte b : bytes) {
    std::snprintf(two, sizeof two, "%02x ", std::to_integer<unsigned>(b));
    out += two;
  }
  if (!out.empty()) out.pop_back();
  return out;
}

struct Golden {
  const char* name;
  Sense sense;
  const char* bytes;
  const char* decoded;  // what sg_decode_sense must say of it
};

std::vector<Golden> goldens() {
  Sense filemark = Sense::make(SenseKey::kNoSense, Asc::kFilemarkDetected);
  filemark.filemark = true;
  filemark.information = 10240;
  Sense longer = Sense::make(SenseKey::kNoSense, Asc::kNoAdditionalSense);
  longer.incorrect_length = true;
  longer.information = -512;
  Sense early = Sense::make(SenseKey::kNoSense, Asc::kEndOfPartitionDetected);
  early.end_of_medium = true;
  early.information = 0;
  Sense deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  deferred.deferred = true;
  Sense rewinding = Sense::make(SenseKey::kNoSense, Asc::kRewindOperationInProgress);
  rewinding.progress = 0x8000;
  Sense beyond = Sense::make(SenseKey::kBlankCheck, Asc::kEndOfDataDetected);
  beyond.information = std::int64_t{1} << 32;
  return {
      {"nothing", Sense{}, "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00", "No Sense"},
      {"filemark", filemark, "f0 00 80 00 00 28 00 0a 00 00 00 00 00 01 00 00 00 00",
       "Filemark detected"},
      {"block longer than asked for", longer,
       "f0 00 20 ff ff fe 00 0a 00 00 00 00 00 00 00 00 00 00", "ILI"},
      {"early warning", early, "f0 00 40 00 00 00 00 0a 00 00 00 00 00 02 00 00 00 00",
       "End-of-partition/medium detected"},
      {"deferred write error", deferred, "71 00 03 00 00 00 00 0a 00 00 00 00 0c 00 00 00 00 00",
       "deferred"},
      {"rewinding, half done", rewinding, "70 00 00 00 00 00 00 0a 00 00 00 00 00 1a 00 80 80 00",
       "Rewind operation in progress"},
      {"invalid field in CDB, byte 2 bit 5", Sense::invalid_field_in_cdb(2, 5),
       "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 cd 00 02", "Invalid field in cdb"},
      {"invalid field in CDB, bytes 6 on", Sense::invalid_field_in_cdb(6),
       "70 00 05 00 00 00 00 0a 00 00 00 00 24 00 00 c0 00 06", "Invalid field in cdb"},
      {"invalid field in parameter list", Sense::invalid_field_in_parameter_list(0x123, 0),
       "70 00 05 00 00 00 00 0a 00 00 00 00 26 00 00 88 01 23", "Invalid field in parameter list"},
      {"no medium", Sense::not_ready(Asc::kMediumNotPresent),
       "70 00 02 00 00 00 00 0a 00 00 00 00 3a 00 00 00 00 00", "Medium not present"},
      {"reset", Sense::unit_attention(Asc::kBusDeviceReset),
       "70 00 06 00 00 00 00 0a 00 00 00 00 29 03 00 00 00 00",
       "Bus device reset function occurred"},
      {"information that does not fit", beyond,
       "70 00 08 00 00 00 00 0a 00 00 00 00 00 05 00 00 00 00", "End-of-data detected"},
  };
}

// What sg_decode_sense prints for these bytes; empty where the tool is not installed.
std::string foreign_decode(const std::string& bytes) {
  std::FILE* pipe = ::popen(("sg_decode_sense " + bytes + " 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return {};
  std::string out;
  char chunk[256];
  while (std::fgets(chunk, sizeof chunk, pipe) != nullptr) out += chunk;
  ::pclose(pipe);
  return out;
}

}  // namespace

TEST_CASE("fixed format sense, byte by byte") {
  for (const Golden& golden : goldens()) {
    INFO(golden.name);
    CHECK(hex(golden.sense.encode_fixed()) == golden.bytes);
  }
}

TEST_CASE("a foreign decoder reads the same from it") {
  if (foreign_decode(goldens()[0].bytes).empty()) {
    WARN("sg_decode_sense is not installed: not cross-checked");
    return;
  }
  for (const Golden& golden : goldens()) {
    INFO(golden.name);
    const std::string decoded = foreign_decode(golden.bytes);
    CAPTURE(decoded);
    CHECK(decoded.find(golden.decoded) != std::string::npos);
  }
}

TEST_CASE("INFORMATION: what fits in 32 bits, signed or not, is valid") {
  Sense sense;
  const auto valid = [&](std::int64_t value) {
    sense.information = value;
    return (sense.encode_fixed()[0] & std::byte{0x80}) != std::byte{0};
  };
  CHECK(valid(-0x8000'0000LL));
  CHECK_FALSE(valid(-0x8000'0001LL));
  CHECK(valid(0xFFFF'FFFFLL));
  CHECK_FALSE(valid(0x1'0000'0000LL));
}

TEST_CASE("sense for people") {
  CHECK(Sense::invalid_field_in_cdb(2, 5).text() == "5/24/00 invalid field in CDB, byte 2 bit 5");
  Sense deferred = Sense::make(SenseKey::kMediumError, Asc::kWriteError);
  deferred.deferred = true;
  CHECK(deferred.text() == "3/0C/00 write error, deferred");
}
