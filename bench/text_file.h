// Files of text that a user names.
#pragma once

#include <optional>
#include <string>

namespace aioscope {

// nullopt: it cannot be read, is empty, or is no regular file: a pipe or a device would keep the
// reader waiting, as would some files of /proc, which are those that claim to be empty.
std::optional<std::string> read_text_file(const std::string& path);

}  // namespace aioscope
