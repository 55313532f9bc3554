#include "vtl/cli/command.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <thread>
#include <utility>

#include "vtl/cartridge/cartridge.h"
#include "vtl/cli/progress.h"
#include "vtl/cli/table.h"
#include "vtl/config/config.h"

namespace vtl::cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

// While a job is watched, ^C, a kill or a closed terminal cancels the job and not the program: so
// nothing half made is left.
class InterruptWatch {
 public:
  InterruptWatch() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      before_[i] = std::signal(kSignals[i], [](int) { interrupted = 1; });
      // As nohup has it.
      if (before_[i] == SIG_IGN) std::signal(kSignals[i], SIG_IGN);
    }
  }
  ~InterruptWatch() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) std::signal(kSignals[i], before_[i]);
  }
  InterruptWatch(const InterruptWatch&) = delete;
  InterruptWatch& operator=(const InterruptWatch&) = delete;

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<void (*)(int), kSignals.size()> before_{};
};

// config's own spelling, and the short one people type for capacities: "100G" is 100GB.
std::optional<std::uint64_t> parse(const std::string& text) {
  if (const auto size = config::parse_size(text)) return size;
  if (text.empty()) return std::nullopt;
  switch (text.back()) {
    case 'K':
    case 'k':
      return config::parse_size(text.substr(0, text.size() - 1) + "kB");
    case 'M':
    case 'G':
    case 'T':
      return config::parse_size(text + "B");
    default:
      return std::nullopt;
  }
}

}  // namespace

void add_data_option(CLI::App& command, std::string& data) {
  command.add_option("--data", data, "The library's data directory")
      ->required()
      ->envname("VTL_DATA")
      ->check([](const std::string& text) {
        return text.empty() ? std::string("the name of a directory is expected") : std::string();
      })
      ->type_name("DIR");
}

void add_json_option(CLI::App& command, bool& as_json) {
  command.add_flag("--json", as_json, "Print JSON, for programs");
}

void print_error(const std::string& text) { fmt::print(stderr, "vtl: {}\n", printable(text)); }

void print_warning(const std::string& text) {
  fmt::print(stderr, "vtl: warning: {}\n", printable(text));
}

int report(const daemon::Problems& problems) {
  for (const std::string& warning : problems.warnings) print_warning(warning);
  for (const std::string& error : problems.errors) print_error(error);
  return problems.code;
}

void print_json(const json& value) {
  std::cout << value.dump(2, ' ', false, json::error_handler_t::replace) << "\n";
}

std::string path_part(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

Client::Client(const std::string& data) {
  daemon::Manager::Opened opened = daemon::Manager::open(data);
  code_ = report(opened.problems);
  manager_ = std::move(opened.manager);
}

std::optional<json> Client::call(const std::string& method, const std::string& path, json body) {
  auto result = manager_->call({method, path, std::move(body)});
  if (const auto* error = std::get_if<std::string>(&result)) {
    print_error(*error);
    code_ = daemon::kExitFailed;
    return std::nullopt;
  }
  daemon::Answer& answer = std::get<daemon::Answer>(result);
  if (answer.status >= 200 && answer.status < 300) return std::move(answer.body);
  print_error(answer.body.is_object() && answer.body.contains("error")
                  ? answer.body["error"].get<std::string>()
                  : fmt::format("the server answered {} {}", answer.status, answer.body.dump()));
  code_ = daemon::kExitFailed;
  return std::nullopt;
}

std::optional<json> Client::try_get(const std::string& path) {
  auto result = manager_->call({"GET", path, json::object()});
  const auto* answer = std::get_if<daemon::Answer>(&result);
  if (answer == nullptr || answer->status != 200) return std::nullopt;
  return answer->body;
}

std::optional<json> Client::run_job(const std::string& title, const std::string& path, json body) {
  const InterruptWatch watch;
  auto started = call("POST", path, std::move(body));
  if (!started) return std::nullopt;
  json job = std::move(*started);
  const std::string job_path = fmt::format("/v1/jobs/{}", job["id"].get<std::uint64_t>());
  {
    Progress progress(title);
    bool cancelled = false;
    for (auto pause = std::chrono::milliseconds(5); job["state"] == "running";
         pause = std::min(pause * 2, std::chrono::milliseconds(200))) {
      std::this_thread::sleep_for(pause);
      if (interrupted() && !cancelled) {
        cancelled = true;
        if (!call("DELETE", job_path)) return std::nullopt;
      }
      auto now = call("GET", job_path);
      if (!now) {
        print_error(title + ": its end was not seen; a server that stops cancels its jobs");
        return std::nullopt;
      }
      job = std::move(*now);
      progress.show(job["done"], job["total"], job["unit"] == "bytes");
    }
  }
  if (job["state"] == "done") return job;
  print_error(title + ": " + job["error"].get<std::string>());
  code_ = daemon::kExitFailed;
  return std::nullopt;
}

bool Client::interrupted() const { return cli::interrupted != 0; }

std::string check_size(const std::string& text) {
  if (parse(text).value_or(0) > 0) return {};
  return "found \"" + text +
         "\", allowed: a size above 0, in kB, MB, GB, TB or KiB, MiB, GiB, TiB; such as 100GB, "
         "1.5TB, 512MiB";
}

std::string check_capacity(const std::string& text) {
  if (std::string wrong = check_size(text); !wrong.empty()) return wrong;
  if (size_of(text) >= kMinCapacityBytes) return {};
  return "found \"" + text + "\", allowed: at least " + config::format_size(kMinCapacityBytes);
}

std::string check_block_size(const std::string& text) {
  if (std::string wrong = check_size(text); !wrong.empty()) return wrong;
  if (size_of(text) <= kMaxBlockBytes) return {};
  return "found \"" + text + "\", allowed: at most " + config::format_size(kMaxBlockBytes);
}

std::uint64_t size_of(const std::string& text) { return parse(text).value_or(0); }

}  // namespace vtl::cli
