// Reading a map of the configuration: each access knows its line and key, and reports what is wrong
// by itself. Private to vtl/config.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "vtl/config/config.h"
#include "vtl/config/node.h"

namespace vtl::config {

// What was found wrong, in one file.
struct Report {
  std::string file;
  std::vector<Problem>* errors;
  std::vector<Problem>* warnings;
};

// A scalar, and where it stands.
struct Value {
  std::string text;
  std::string key;  // "iscsi.max_burst_length"
  int line = 0;
  Report* report = nullptr;

  void refuse(std::string_view allowed) const;  // quotes the value: not for secrets
  void error(std::string text) const;
  void warn(std::string text) const;
};

class Section {
 public:
  // `node` outlives the section. A section that is not there, or empty, has no keys.
  Section(Report& report, const Node* node, std::string path, int line);

  bool has(std::string_view name) const;
  int line() const { return line_; }
  int line_of(std::string_view name) const;  // 0: the key is not there
  std::vector<std::string> names() const;

  // Nothing when the key is not there; when it holds something else, that has been reported.
  std::optional<Value> scalar(std::string_view name);
  std::optional<Value> required(std::string_view name);  // reports when it is not there
  std::optional<std::vector<Value>> scalars(
      std::string_view name);  // a list of scalars, or one alone
  std::optional<std::vector<Section>> list(std::string_view name);  // a list of maps
  Section child(std::string_view name);

  void error(std::string text) const;                            // of the section as a whole
  void error_at(std::string_view name, std::string text) const;  // of a key, on its line
  void warn_at(std::string_view name, std::string text) const;
  // Every key has been asked for: the rest are unknown. kHide where a key may be a secret that
  // slipped: {user: backup01, first-secret-01}.
  enum class Names { kShow, kHide };
  void finish(Names names = Names::kShow) const;

 private:
  const Node::Entry* find(std::string_view name) const;
  const Node* ask(std::string_view name, std::string_view expected, Node::Kind kind);
  std::string path_of(std::string_view name) const;

  Report* report_;
  const Node* node_;
  std::string path_;
  int line_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace vtl::config
