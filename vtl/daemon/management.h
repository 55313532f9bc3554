// The management operations, as requests and answers in JSON: what the control socket of a server
// serves, and what the command line does itself when no server runs. README.md describes the
// resources.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scsi/done.h"
#include "vtl/cartridge/trash.h"
#include "vtl/config/config.h"
#include "vtl/config/edit.h"
#include "vtl/daemon/alerts.h"
#include "vtl/daemon/jobs.h"
#include "vtl/daemon/scrub_log.h"
#include "vtl/library/library.h"

namespace vtl::daemon {

struct Request {
  std::string method;  // "GET"
  std::string path;    // "/v1/cartridges/VTL001L8"
  nlohmann::json body = nlohmann::json::object();
};

// Errors have {"error": "a sentence for people"}.
struct Answer {
  int status = 200;  // HTTP's
  nlohmann::json body;
};
Answer failure(int status, std::string text);
Answer no_cartridge(std::string_view barcode);

// Where operations work. References outlive the Management.
struct ManagementParts {
  const config::Config& config;
  Library& library;
  FileSystem& files;
  Executor& executor;
  Trash& trash;
  Alerts& alerts;
  ScrubLog& scrub_log;
  std::string pool_directory;
  // More slots and drives: in the configuration, in `config` and in the library. One at a time.
  std::function<void(config::Growth, scsi::Done<Outcome>)> grow;
  // Given by a server; empty without one.
  std::function<void(scsi::Done<nlohmann::json>)> server;  // GET /v1/server
  // What each drive says of itself, in their order.
  std::function<void(scsi::Done<std::vector<nlohmann::json>>)> drives;
  std::function<nlohmann::json()> scrub;                   // what the scrubber does
  std::function<void(const std::string& barcode)> wanted;  // somebody is about to work on it
};

// Loop thread.
class Management {
 public:
  explicit Management(ManagementParts parts);
  ~Management();
  Management(const Management&) = delete;
  Management& operator=(const Management&) = delete;

  // `done` exactly once, maybe from inside the call. Anything may be asked; nothing of it is
  // trusted.
  void handle(Request request, scsi::Done<Answer> done);
  // Whether a job works on this cartridge.
  bool works_on(const std::string& barcode) const;
  // Refuses what comes from now on, cancels jobs; `done` when nothing is under way any more.
  void close(scsi::Callback done);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace vtl::daemon
