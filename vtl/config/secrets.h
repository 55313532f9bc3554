// The secrets file as `vtl auth` keeps it: read, changed, and proved to be right before anybody
// writes it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "vtl/config/config.h"

namespace vtl::config {

struct EditedSecrets {
  std::vector<std::string> errors;  // the rest holds when there are none
  std::string path, text;           // of the file as it is to be; mode 0600
};

// `change` works on all accounts there are and gives "" or why it does not; what is `apart`
// afterwards is written. Comments in the file are not kept. Nothing is written here: the
// configuration at `config_path` has been read with the new file and is right.
EditedSecrets with_secrets(const std::string& config_path,
                           const std::function<std::string(AccessConfig&)>& change,
                           const ReadFile& read = read_from_disk());

}  // namespace vtl::config
