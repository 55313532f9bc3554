// vtl library show - once, or once a second - and vtl library alerts.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <sstream>
#include <thread>

#include "vtl/cli/library.h"
#include "vtl/cli/table.h"

namespace vtl::cli {
namespace {

constexpr std::chrono::seconds kWatchEvery{1};

std::string text_or(const json& value, const char* otherwise) {
  return value.is_string() ? value.get<std::string>() : otherwise;
}

std::string drive_note(const json& drive) {
  if (!drive.contains("state")) return {};  // no server runs
  auto note = drive["state"].get<std::string>();
  if (note == "refused") note = "CANNOT USE ITS CARTRIDGE: see vtl library alerts";
  if (drive["loaded"])
    note += fmt::format(", at object {} (file {})", drive["position"].get<std::uint64_t>(),
                        drive["file"].is_null() ? "?" : drive["file"].dump());
  if (drive["prevented"]) note += ", removal prevented";
  if (drive["append_failed"]) note += ", WRITE FAILED: unload and load it again";
  return note;
}

// Accepted and not durable. A filemark has no bytes, and is something to lose all the same.
std::string dirty_note(const json& drive) {
  if (!drive.contains("dirty_bytes")) return "-";
  const auto bytes = drive["dirty_bytes"].get<std::uint64_t>();
  const auto objects = drive["dirty_objects"].get<std::uint64_t>();
  return bytes == 0 && objects != 0 ? fmt::format("{} filemarks", objects) : short_size(bytes);
}

void print_drives(std::ostream& out, const json& library) {
  Table drives({{"DRIVE", {}},
                {"ADDRESS", Table::Align::kRight},
                {"MODEL", {}},
                {"SERIAL", {}},
                {"CARTRIDGE", {}},
                {"DIRTY", Table::Align::kRight},
                {"STATE", {}}});
  for (const json& element : library["elements"]) {
    if (!element.contains("drive")) continue;
    const json& drive = element["drive"];
    drives.add({element["name"], element["address"].dump(),
                fmt::format("LTO-{}", drive["generation"].get<int>()), drive["serial"],
                text_or(element["barcode"], "-"), dirty_note(drive), drive_note(drive)});
  }
  drives.print(out);
}

void print_places(std::ostream& out, const json& library, bool all) {
  Table places({{"ELEMENT", {}}, {"ADDRESS", Table::Align::kRight}, {"CARTRIDGE", {}}});
  std::size_t empty_slots = 0;
  std::size_t empty_doors = 0;
  for (const json& element : library["elements"]) {
    if (element.contains("drive") || element["type"] == "transport") continue;
    if (!all && element["barcode"].is_null())
      ++(element["type"] == "storage" ? empty_slots : empty_doors);
    else
      places.add({element["name"], element["address"].dump(), text_or(element["barcode"], "-")});
  }
  if (!places.empty()) places.print(out);
  if (empty_slots + empty_doors > 0)
    out << fmt::format("and {} empty slots, {} empty import/export slots (--all shows them)\n",
                       empty_slots, empty_doors);
}

void print_alerts(std::ostream& out, const json& alerts) {
  Table table({{"SINCE", {}},
               {"TIMES", Table::Align::kRight},
               {"CARTRIDGE", {}},
               {"WHERE", {}},
               {"ALERT", {}}});
  for (const json& alert : alerts)
    table.add({alert["first"], alert["count"].dump(), text_or(alert["barcode"], "-"),
               text_or(alert["place"], "-"), alert["text"]});
  table.print(out);
}

void print_scrub(std::ostream& out, const json& scrub) {
  if (scrub.is_null()) return;  // no server runs
  out << "scrub: ";
  if (scrub["days"] == 0)
    out << "off";
  else if (scrub["cartridge"].is_null())
    out << "nothing is due";
  else
    out << scrub["cartridge"].get<std::string>() << " is being read";
  if (!scrub["oldest"].is_null())
    out << ", the longest unread since " << scrub["oldest"].get<std::string>();
  if (scrub["never"] != 0)
    out << fmt::format(", {} cartridges never read", scrub["never"].get<std::uint64_t>());
  if (scrub["damaged"] != 0)
    out << fmt::format(", {} DAMAGED", scrub["damaged"].get<std::uint64_t>());
  out << '\n';
}

struct Show {
  std::string data;
  bool as_json = false;
  bool all = false;
  bool watch = false;
};

void print_head(std::ostream& out, const json& library) {
  out << fmt::format("{}: {} (serial {}), target {}\n\n", library["name"].get<std::string>(),
                     library["profile"].get<std::string>(), library["serial"].get<std::string>(),
                     library["target"].get<std::string>());
}

void print_library(std::ostream& out, const json& library, const Show& show) {
  if (show.as_json && show.watch) {
    // One line a second, for programs.
    out << library.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    return;
  }
  if (show.as_json) return print_json(library);
  print_head(out, library);
  print_drives(out, library);
  out << '\n';
  if (!library["alerts"].empty()) {
    print_alerts(out, library["alerts"]);
    out << '\n';
  }
  if (!show.watch) {
    print_places(out, library, show.all);
    out << '\n';
  }
  print_scrub(out, library["scrub"]);
}

// On a terminal the picture stands still and is painted over.
std::string painted(const std::string& text) {
  std::string out = "\x1b[H";
  for (const char c : text) out += c == '\n' ? std::string("\x1b[K\n") : std::string(1, c);
  return out + "\x1b[J";
}

// Until the server goes, or the user does (^C). Each time the server is asked anew, so that
// watching keeps nothing.
int watch(const Show& show) {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1 && !show.as_json;
  for (;; std::this_thread::sleep_for(kWatchEvery)) {
    Client client(show.data);
    if (!client.ok()) return client.code();
    if (!client.try_get("/v1/server")) {
      print_error("no server runs on " + show.data + ": nothing would change; leave out --watch");
      return daemon::kExitFailed;
    }
    const auto library = client.call("GET", "/v1/library");
    if (!library) return client.code();
    std::ostringstream text;
    print_library(text, *library, show);
    std::cout << (terminal ? painted(text.str()) : text.str()) << std::flush;
    if (!std::cout) return daemon::kExitFailed;
  }
}

}  // namespace

void add_library_show(CLI::App& group, Result& result) {
  auto show = std::make_shared<Show>();
  CLI::App* command = group.add_subcommand(
      "show", "Show drives and slots, what is in them, and how much of it is not yet on disk");
  add_data_option(*command, show->data);
  add_json_option(*command, show->as_json);
  CLI::Option* all = command->add_flag("--all", show->all, "Show empty slots too");
  command->add_flag("--watch", show->watch, "Show the drives again every second, until ^C")
      ->excludes(all);
  command->callback([show, &result] {
    if (show->watch) {
      result.code = watch(*show);
      return;
    }
    Client client(show->data);
    if (client.ok()) {
      if (const auto library = client.call("GET", "/v1/library"))
        print_library(std::cout, *library, *show);
    }
    result.code = client.code();
  });
}

void add_library_alerts(CLI::App& group, Result& result) {
  struct Options {
    std::string data;
    bool as_json = false;
    bool clear = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "alerts", "Show what went wrong and is not settled; most goes when its cause has gone");
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  command->add_flag("--clear", options->clear, "Take them all away, as seen");
  command->callback([options, &result] {
    Client client(options->data);
    if (client.ok()) {
      const auto body = client.call(options->clear ? "DELETE" : "GET", "/v1/alerts");
      if (body && options->as_json)
        print_json(*body);
      else if (body && options->clear)
        std::cout << fmt::format("{} alerts cleared\n", (*body)["cleared"].get<std::uint64_t>());
      else if (body && (*body)["alerts"].empty())
        std::cout << "no alerts\n";
      else if (body)
        print_alerts(std::cout, (*body)["alerts"]);
    }
    result.code = client.code();
  });
}

}  // namespace vtl::cli
