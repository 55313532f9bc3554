#include "library.h"

#include <stdexcept>

Library::Library(const std::vector<std::string>& init_options,
                 const std::function<void(std::string&)>& edit)
    : daemon(dir / "library") {
  std::vector<std::string> arguments = {"init", "--data", daemon.data()};
  arguments.insert(arguments.end(), init_options.begin(), init_options.end());
  const Ended made = run_vtl(arguments);
  if (made.code != 0) throw std::runtime_error("init: " + made.err);
  if (edit) {
    std::string yaml = read_text(daemon.data() + "/vtl.yaml");
    edit(yaml);
    write_text(daemon.data() + "/vtl.yaml", yaml);
  }
  daemon.start();
}

Initiator Library::load(int number, LoginOptions options) {
  {
    Initiator changer = attach_changer();
    const CommandResult moved =
        move_medium(changer, kFirstSlot + number - 1, kFirstDrive + number - 1);
    if (!moved.good()) {
      throw std::runtime_error("MOVE MEDIUM: " + moved.sense_code() + moved.transport_error);
    }
    changer.logout();
  }
  Initiator drive = attach_drive(number, std::move(options));
  const CommandResult ready = drive.wait_ready();
  if (!ready.good()) throw std::runtime_error("drive is not ready: " + ready.sense_code());
  return drive;
}

void replace_in(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
    throw std::runtime_error("not exactly once in the file: " + from);
  }
  text.replace(at, from.size(), to);
}
