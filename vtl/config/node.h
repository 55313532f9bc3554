// A YAML document as a tree with line numbers; the only thing that the rest of the folder sees of
// YAML. Private to vtl/config.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace vtl::config {

struct Node {
  enum class Kind { kNothing, kScalar, kList, kMap } kind = Kind::kNothing;
  int line = 0;             // from 1
  std::string text;         // kScalar
  std::vector<Node> items;  // kList
  struct Entry;
  std::vector<Entry> entries;  // kMap, in the order of the file, duplicates included
};
struct Node::Entry {
  std::string name;
  int line = 0;
  Node value;
};

struct SyntaxError {
  int line = 0;
  std::string text;
};

// One document; aliases, several documents and keys that are not plain text are errors.
std::variant<Node, SyntaxError> parse_yaml(const std::string& text);

}  // namespace vtl::config
