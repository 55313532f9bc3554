// What the commands share: the data directory, the way results and errors are shown, and the exit
// code.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "vtl/daemon/manager.h"

namespace vtl::cli {

using nlohmann::json;

inline constexpr const char* kVersion = VTL_VERSION;

// Where a command leaves its exit code: callbacks of CLI11 return nothing.
struct Result {
  int code = daemon::kExitDone;
};

// --data DIR, also $VTL_DATA; required.
void add_data_option(CLI::App& command, std::string& data);
void add_json_option(CLI::App& command, bool& as_json);

// "vtl: <text>" on standard error.
void print_error(const std::string& text);
void print_warning(const std::string& text);
int report(const daemon::Problems& problems);  // prints them, returns their code
// On standard output, indented.
void print_json(const json& value);

// A text as an element of a path: what is not of A-Z a-z 0-9 - . _ ~ is percent-encoded.
std::string path_part(const std::string& text);

// The answers of a directory's manager; failures are printed.
class Client {
 public:
  // Check ok() first.
  explicit Client(const std::string& data);
  bool ok() const { return manager_ != nullptr; }
  int code() const { return code_; }

  // The body of a successful answer. Otherwise prints why, and code() says what to exit with.
  std::optional<json> call(const std::string& method, const std::string& path,
                           json body = json::object());
  // The same for what may be missing: nothing is printed on 404.
  std::optional<json> try_get(const std::string& path);
  // Starts a job, shows how far it is, and gives its last description. An interrupt cancels it.
  std::optional<json> run_job(const std::string& title, const std::string& path, json body);
  // Whether a job was: what would come after it is not wanted any more.
  bool interrupted() const;

 private:
  std::unique_ptr<daemon::Manager> manager_;
  int code_ = daemon::kExitDone;
};

void add_init(CLI::App& app, Result& result);
void add_profile(CLI::App& app, Result& result);
void add_serve(CLI::App& app, Result& result);
void add_config(CLI::App& app, Result& result);
void add_cartridge(CLI::App& app, Result& result);
void add_library(CLI::App& app, Result& result);

void add_auth(CLI::App& app, Result& result);
void add_reload(CLI::App& app, Result& result);
void add_iscsi(CLI::App& app, Result& result);

// Asks the server on `data` to read its configuration again, and prints what comes of it.
int reload_server(const std::string& data, bool end_sessions, bool as_json);

// CLI11 checks: an error text or nothing.
std::string check_size(const std::string& text);
std::string check_capacity(const std::string& text);    // a size that a cartridge can have
std::string check_block_size(const std::string& text);  // a size that a block can have
// Of a text that passed one of them.
std::uint64_t size_of(const std::string& text);

}  // namespace vtl::cli
