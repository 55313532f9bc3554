// What only a running server can be asked: vtl reload, vtl iscsi show.
#include <fmt/format.h>

#include <iostream>
#include <memory>

#include "vtl/cli/command.h"
#include "vtl/cli/table.h"
#include "vtl/daemon/control.h"

namespace vtl::cli {
namespace {

// The answer's body; or prints why there is none.
std::optional<json> ask_server(const std::string& data, daemon::Request request, int& code) {
  code = daemon::kExitFailed;
  const auto client = daemon::ControlClient::connect(data);
  if (client == nullptr) {
    print_error("no server runs on " + data + "; start one with: vtl serve --data " + data);
    return std::nullopt;
  }
  auto result = client->call(request);
  if (const auto* error = std::get_if<std::string>(&result)) {
    print_error(*error);
    return std::nullopt;
  }
  daemon::Answer& answer = std::get<daemon::Answer>(result);
  if (answer.status == 200) {
    code = daemon::kExitDone;
    return std::move(answer.body);
  }
  for (const json& problem : answer.body.value("problems", json::array()))
    print_error(problem.get<std::string>());
  print_error(answer.body.value("error", fmt::format("the server answered {}", answer.status)));
  if (answer.body.contains("problems")) code = daemon::kExitConfig;
  return std::nullopt;
}

void print_reloaded(const json& told) {
  std::string names;
  for (const json& name : told["changed"])
    names += (names.empty() ? "" : ", ") + name.get<std::string>();
  std::cout << (names.empty() ? std::string("Nothing is different.") : "Changed: " + names) << '\n';
  for (const json& line : told["restart"]) print_warning(line.get<std::string>());
  for (const json& line : told["warnings"]) print_warning(line.get<std::string>());
  const bool ended = told["ended"].get<bool>();
  for (const json& session : told["refused_sessions"])
    print_warning(fmt::format(
        "{} at {} is logged in to {} and would not be let in any more{}",
        session["initiator"].get<std::string>(), session["address"].get<std::string>(),
        session["target"].get<std::string>(),
        ended ? ": it is asked to log out" : "; its session goes on (--end-sessions ends it)"));
}

void print_iscsi(const json& server) {
  for (const json& address : server["listening"])
    std::cout << "Listening on " << address.get<std::string>() << '\n';
  Table sessions({{"TARGET"}, {"INITIATOR"}, {"ADDRESS"}});
  for (const json& session : server["sessions"])
    sessions.add({printable(session["target"].get<std::string>()),
                  printable(session["initiator"].get<std::string>()),
                  printable(session["address"].get<std::string>())});
  std::cout << '\n';
  if (sessions.empty())
    std::cout << "Nobody is logged in.\n";
  else
    sessions.print(std::cout);
  Table limits({{"LIMIT"}, {"SET TO"}, {"PAST IT"}, {"REACHED", Table::Align::kRight}});
  for (const json& limit : server["limits"])
    limits.add({limit["name"].get<std::string>(),
                limit["value"].is_null() ? "-" : limit["value"].get<std::string>(),
                limit["answer"].get<std::string>(),
                std::to_string(limit["reached"].get<std::uint64_t>())});
  std::cout << '\n';
  limits.print(std::cout);
}

}  // namespace

int reload_server(const std::string& data, bool end_sessions, bool as_json) {
  int code = daemon::kExitDone;
  const auto told =
      ask_server(data, {"POST", "/v1/reload", {{"end_sessions", end_sessions}}}, code);
  if (told && as_json) print_json(*told);
  if (told && !as_json) print_reloaded(*told);
  return code;
}

void add_reload(CLI::App& app, Result& result) {
  struct Options {
    std::string data;
    bool end_sessions = false, as_json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand(
      "reload",
      "Have the server read its configuration again: access, listen, log. Sessions go on; with an "
      "error nothing changes");
  add_data_option(*command, options->data);
  add_json_option(*command, options->as_json);
  command->add_flag("--end-sessions", options->end_sessions,
                    "Ask those to log out that the new rules would not let in");
  command->callback([options, &result] {
    result.code = reload_server(options->data, options->end_sessions, options->as_json);
  });
}

void add_iscsi(CLI::App& app, Result& result) {
  auto data = std::make_shared<std::string>();
  auto as_json = std::make_shared<bool>(false);
  CLI::App* group = app.add_subcommand("iscsi", "The iSCSI side of a running server");
  group->require_subcommand(1);
  CLI::App* show = group->add_subcommand(
      "show", "Addresses, sessions, and the limits with how often they were reached");
  add_data_option(*show, *data);
  add_json_option(*show, *as_json);
  show->callback([data, as_json, &result] {
    const auto server = ask_server(*data, {"GET", "/v1/server", json::object()}, result.code);
    if (server && *as_json) print_json(*server);
    if (server && !*as_json) print_iscsi(*server);
  });
}

}  // namespace vtl::cli
