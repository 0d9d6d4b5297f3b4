#include "bench/text_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>

namespace aioscope {

std::optional<std::string> read_text_file(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
  if (std::filesystem::file_size(path, error) == 0 || error) return std::nullopt;
  std::ifstream file(path);
  std::ostringstream text;
  if (!file || !(text << file.rdbuf())) return std::nullopt;
  return text.str();
}

}  // namespace aioscope
