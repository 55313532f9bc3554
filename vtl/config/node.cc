#include "vtl/config/node.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include <sstream>

namespace vtl::config {

namespace {

int line_of(const YAML::Mark& mark) { return mark.line + 1; }

// Builds the tree from events rather than from YAML::Node: duplicates and aliases stay visible, and
// an alias cannot blow a small file up into a large tree.
class Builder final : public YAML::EventHandler {
 public:
  Node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    add({Node::Kind::kNothing, line_of(mark), {}, {}, {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "an alias (*name) is not allowed here: write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& value) override {
    add({Node::Kind::kScalar, line_of(mark), value, {}, {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    open(mark, Node::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  // A map's key comes as a node of its own, its value as the next.
  struct Level {
    Node node;
    bool has_key = false;
    Node::Entry entry;
  };

  void open(const YAML::Mark& mark, Node::Kind kind) {
    if (wants_key()) throw YAML::ParserException(mark, "a key must be plain text");
    levels_.push_back({{kind, line_of(mark), {}, {}, {}}, false, {}});
  }
  void close() {
    Node node = std::move(levels_.back().node);
    levels_.pop_back();
    add(std::move(node));
  }
  bool wants_key() const {
    return !levels_.empty() && levels_.back().node.kind == Node::Kind::kMap &&
           !levels_.back().has_key;
  }
  void add(Node node) {
    if (levels_.empty()) {
      root_ = std::move(node);
      return;
    }
    Level& level = levels_.back();
    if (level.node.kind == Node::Kind::kList) {
      level.node.items.push_back(std::move(node));
    } else if (!level.has_key) {
      level.entry = {std::move(node.text), node.line, {}};
      level.has_key = true;
    } else {
      level.entry.value = std::move(node);
      level.node.entries.push_back(std::move(level.entry));
      level.has_key = false;
    }
  }

  std::vector<Level> levels_;
  Node root_;
};

// yaml-cpp's words do not lead to the commonest mistake. `line` from 1.
bool tab_indents(const std::string& text, int line) {
  std::istringstream lines(text);
  std::string found;
  for (int i = 0; i < line; ++i)
    if (!std::getline(lines, found)) return false;
  return found.substr(0, found.find_first_not_of(" \t")).find('\t') != std::string::npos;
}

}  // namespace

std::variant<Node, SyntaxError> parse_yaml(const std::string& text) {
  // yaml-cpp takes a NUL for the end of the file: what follows it would be dropped silently.
  if (const std::size_t nul = text.find('\0'); nul != std::string::npos)
    return SyntaxError{static_cast<int>(std::count(
                           text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n')) +
                           1,
                       "found a NUL byte: this is not a text file"};
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Builder builder;
    parser.HandleNextDocument(builder);
    Node root = builder.take();
    Builder second;
    if (parser.HandleNextDocument(second))
      return SyntaxError{second.take().line, "found a second YAML document (---), allowed is one"};
    return root;
  } catch (const YAML::Exception& error) {
    const int line = error.mark.is_null() ? 0 : line_of(error.mark);
    if (tab_indents(text, line))
      return SyntaxError{line, "found a tab before the key, allowed: blanks"};
    return SyntaxError{line, "not valid YAML: " + error.msg};
  }
}

}  // namespace vtl::config
