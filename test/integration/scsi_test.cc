// What every device answers to anybody: identity, readiness, refusals.
#include <catch2/catch.hpp>

#include "library.h"

namespace {

std::string text(const ByteString& data, std::size_t offset, std::size_t size) {
  return data.size() < offset + size
             ? ""
             : std::string(data.begin() + static_cast<std::ptrdiff_t>(offset),
                           data.begin() + static_cast<std::ptrdiff_t>(offset + size));
}

ByteString vpd(Initiator& device, int page) {
  const CommandResult result = device.in({0x12, 1, page, 0, 255, 0}, 255);
  REQUIRE(result.good());
  return result.data;
}

}  // namespace

TEST_CASE("identity of the devices") {
  Library library;
  const auto shown = vtl_json({"library", "show", "--data", library.daemon.data()});

  SECTION("the changer") {
    Initiator changer = library.attach_changer();
    const CommandResult inquiry = changer.in({0x12, 0, 0, 0, 96, 0}, 96);
    REQUIRE(inquiry.good());
    CHECK(inquiry.data[0] == 0x08);
    CHECK(text(inquiry.data, 8, 24) == "STK     L700            ");
    const ByteString serial = vpd(changer, 0x80);
    CHECK(text(serial, 4, serial.size() - 4).substr(0, 10) == shown["serial"].get<std::string>());
  }
  SECTION("the drives: serials agree with DVCID of READ ELEMENT STATUS") {
    Initiator changer = library.attach_changer();
    for (int number = 1; number <= 10; ++number) {
      CAPTURE(number);
      Initiator drive = library.attach_drive(number);
      const CommandResult inquiry = drive.in({0x12, 0, 0, 0, 96, 0}, 96);
      REQUIRE(inquiry.good());
      CHECK(inquiry.data[0] == 0x01);
      CHECK((inquiry.data[1] & 0x80) != 0);  // RMB
      CHECK(text(inquiry.data, 8, 24) == "IBM     ULT3580-TD8     ");
      const ByteString page = vpd(drive, 0x80);
      REQUIRE(page.size() == 14);
      const std::string serial = text(page, 4, 10);
      // READ ELEMENT STATUS of this drive alone, DVCID.
      const int address = kFirstDrive + number - 1;
      const CommandResult status =
          changer.in({0xb8, 4, address >> 8, address & 0xff, 0, 1, 1, 0, 4, 0, 0, 0}, 1024);
      REQUIRE(status.good());
      const std::string all = text(status.data, 0, status.data.size());
      CHECK(all.find("IBM     ULT3580-TD8     " + serial) != std::string::npos);
    }
  }
}

TEST_CASE("drives of another family: the changer knows them, and they take their longest block") {
  Library library({"--identity", "hp"});
  Initiator drive = library.load(1);
  CHECK(text(drive.in({0x12, 0, 0, 0, 96, 0}, 96).data, 8, 24) == "HPE     Ultrium 8-SCSI  ");
  Initiator changer = library.attach_changer();
  const CommandResult status = changer.in({0xb8, 4, 0x01, 0xf4, 0, 1, 1, 0, 4, 0, 0, 0}, 1024);
  REQUIRE(status.good());
  CHECK(text(status.data, 0, status.data.size())
            .find("HPE     Ultrium 8-SCSI  " + text(vpd(drive, 0x80), 4, 10)) != std::string::npos);
  CHECK(drive.in({0x05, 0, 0, 0, 0, 0}, 6).data == ByteString{0, 0xff, 0xff, 0xff, 0, 1});
  const ByteString longest = pattern(0xffffff, 1);
  REQUIRE(write_block(drive, longest).good());
  REQUIRE(write_filemarks(drive, 1).good());
  REQUIRE(rewind_tape(drive).good());
  CHECK(read_block(drive, longest.size()).data == longest);
}

TEST_CASE("readiness and unit attention of a new nexus") {
  Library library;
  Initiator drive;
  REQUIRE(drive.login(library.daemon.portal(), library.daemon.drive(1)) == "");
  // INQUIRY and REPORT LUNS neither report nor clear it (SPC-4 5.14).
  CHECK(drive.in({0x12, 0, 0, 0, 36, 0}, 36).good());
  const CommandResult luns = drive.in({0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 256);
  REQUIRE(luns.good());
  CHECK(luns.data == ByteString{0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(luns.residual == 240);
  const CommandResult attention = drive.none({0, 0, 0, 0, 0, 0});
  CHECK(attention.sense_code().substr(0, 5) == "6/29/");
  CHECK(drive.none({0, 0, 0, 0, 0, 0}).sense_code() == "2/3A/00");
}

TEST_CASE("commands that are not there, fields that are reserved") {
  Library library;
  Initiator drive = library.attach_drive(1);
  Initiator changer = library.attach_changer();
  for (Initiator* device : {&drive, &changer}) {
    CHECK(device->none({0xd5, 0, 0, 0, 0, 0, 0, 0, 0, 0}).sense_code() == "5/20/00");
    const CommandResult reserved = device->in({0x12, 0, 0x80, 0, 36, 0}, 36);
    CHECK(reserved.sense_code() == "5/24/00");  // page code without EVPD
    CHECK(device->in({0x12, 1, 0xee, 0, 255, 0}, 255).sense_code() == "5/24/00");
  }
  // SECURITY PROTOCOL IN: there are two, tape encryption among them.
  const CommandResult protocols = drive.in({0xa2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 256);
  REQUIRE(protocols.good());
  CHECK(protocols.data.size() == 10);
  CHECK(changer.in({0xa2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 256).sense_code() == "5/20/00");
}

TEST_CASE("pages and reports that backup software reads") {
  Library library;
  Initiator drive = library.load(1);
  CHECK(drive.in({0x1a, 0, 0x3f, 0, 255, 0}, 255).good());
  CHECK(drive.in({0x1a, 0, 0x10, 0, 255, 0}, 255).good());
  CHECK(drive.in({0x05, 0, 0, 0, 0, 0}, 6).data.size() == 6);
  CHECK(drive.in({0x4d, 0, 0x40, 0, 0, 0, 0, 4, 0, 0}, 1024).good());
  CHECK(drive.in({0x44, 0, 0, 0, 0, 0, 0, 4, 0, 0}, 1024).good());
  CHECK(drive.in({0x8c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0}, 4096).good());
  CHECK(drive.in({0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0}, 8192).good());
  const CommandResult sense = drive.in({0x03, 0, 0, 0, 252, 0}, 252);
  CHECK(sense.good());

  Initiator changer = library.attach_changer();
  // Proxmox: the data length byte of this must be 23.
  const CommandResult addresses = changer.in({0x1a, 0x08, 0x1d, 0, 255, 0}, 255);
  REQUIRE(addresses.good());
  CHECK(addresses.data.at(0) == 23);
}

TEST_CASE("NOP-Out comes back with its data") {
  Library library;
  Initiator drive = library.attach_drive(1);
  CHECK(drive.nop_out("ping"));
  CHECK(drive.nop_out(std::string(4096, 'x')));
}
