// A made-up / for code that reads /proc and /sys.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace aioscope {

class FakeRoot {
 public:
  FakeRoot() {
    std::string pattern = (std::filesystem::temp_directory_path() / "aioscope_XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  FakeRoot(const FakeRoot&) = delete;
  FakeRoot& operator=(const FakeRoot&) = delete;
  ~FakeRoot() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

  void write(const std::string& name, const std::string& text) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }

  void add_cpu(int id, int core, int package) const {
    const std::string topology = "sys/devices/system/cpu/cpu" + std::to_string(id) + "/topology/";
    write(topology + "core_id", std::to_string(core) + "\n");
    write(topology + "physical_package_id", std::to_string(package) + "\n");
  }
  void set_online(const std::string& list) const {
    write("sys/devices/system/cpu/online", list + "\n");
  }
  void add_node(int id, const std::string& list) const {
    write("sys/devices/system/node/node" + std::to_string(id) + "/cpulist", list + "\n");
  }

 private:
  std::filesystem::path path_;
};

}  // namespace aioscope
