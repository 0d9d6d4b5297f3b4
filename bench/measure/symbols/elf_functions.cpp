#include "bench/measure/symbols/elf_functions.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gelf.h>
#include <libelf.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace aioscope {

// Fills an ElfFunctions from open ELF handles.
class ElfFunctions::Reader {
 public:
  explicit Reader(Elf* elf) : elf_(elf) {}

  void read_segments(ElfFunctions& to) const {
    std::size_t count = 0;
    if (elf_getphdrnum(elf_, &count) != 0) return;
    for (std::size_t i = 0; i < count; ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf_, int(i), &header) == nullptr || header.p_type != PT_LOAD) continue;
      to.segments_.push_back(
          {.offset = header.p_offset, .size = header.p_filesz, .address = header.p_vaddr});
    }
  }

  // True when the file has a table of `type` with functions in it.
  bool read_functions(GElf_Word type, ElfFunctions& to) const {
    for (Elf_Scn* section = elf_nextscn(elf_, nullptr); section != nullptr;
         section = elf_nextscn(elf_, section)) {
      GElf_Shdr header;
      if (gelf_getshdr(section, &header) != nullptr && header.sh_type == type) {
        read_table(section, header, to);
      }
    }
    // Of several names for one function the public one, which sorts first.
    std::ranges::stable_sort(to.functions_, {}, &Entry::begin);
    const auto twin = [](const Entry& a, const Entry& b) { return a.begin == b.begin; };
    to.functions_.erase(std::unique(to.functions_.begin(), to.functions_.end(), twin),
                        to.functions_.end());
    return !to.functions_.empty();
  }

  // Where Debian's debug packages put what was stripped; "" without a build id.
  std::string debug_path() const {
    const void* bytes = nullptr;
    const ssize_t size = dwelf_elf_gnu_build_id(elf_, &bytes);
    if (size < 2) return {};
    std::string path = "/usr/lib/debug/.build-id/";
    for (ssize_t i = 0; i < size; ++i) {
      path += fmt::format("{:02x}", static_cast<const unsigned char*>(bytes)[i]);
      if (i == 0) path += '/';
    }
    return path + ".debug";
  }

 private:
  void read_table(Elf_Scn* section, const GElf_Shdr& header, ElfFunctions& to) const {
    Elf_Data* data = elf_getdata(section, nullptr);
    if (data == nullptr || header.sh_entsize == 0) return;
    const std::size_t count = data->d_size / header.sh_entsize;
    for (const bool weak : {false, true}) {
      for (std::size_t i = 0; i < count; ++i) {
        GElf_Sym symbol;
        if (gelf_getsym(data, int(i), &symbol) == nullptr) break;
        const int type = GELF_ST_TYPE(symbol.st_info);
        const bool function = type == STT_FUNC || type == STT_GNU_IFUNC;
        const bool defined = symbol.st_shndx != SHN_UNDEF && symbol.st_size > 0;
        if (!function || !defined || (GELF_ST_BIND(symbol.st_info) == STB_WEAK) != weak) continue;
        const char* name = elf_strptr(elf_, header.sh_link, symbol.st_name);
        const std::uint64_t end = symbol.st_value + symbol.st_size;
        if (name == nullptr || *name == '\0' || end < symbol.st_value) continue;
        to.functions_.push_back({.begin = symbol.st_value, .end = end, .name = name});
      }
    }
  }

  Elf* elf_;
};

namespace {

// An ELF handle and the file behind it.
class ElfFile {
 public:
  explicit ElfFile(const std::filesystem::path& path) {
    elf_version(EV_CURRENT);
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
      reason_ = fmt::format("{}: {}", path.string(), std::strerror(errno));
      return;
    }
    elf_ = elf_begin(descriptor_, ELF_C_READ_MMAP, nullptr);
    check(path.string());
  }
  explicit ElfFile(std::span<const std::byte> image) {
    elf_version(EV_CURRENT);
    // libelf does not write to an image that it only reads.
    elf_ = elf_memory(reinterpret_cast<char*>(const_cast<std::byte*>(image.data())), image.size());
    check("an image in memory");
  }
  ~ElfFile() {
    elf_end(elf_);
    if (descriptor_ >= 0) close(descriptor_);
  }
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;

  Elf* get() const { return elf_; }  // nullptr: see reason()
  const std::string& reason() const { return reason_; }

 private:
  void check(const std::string& name) {
    if (elf_ != nullptr && elf_kind(elf_) == ELF_K_ELF) return;
    reason_ =
        fmt::format("{}: {}", name, elf_ == nullptr ? elf_errmsg(elf_errno()) : "not an ELF file");
    elf_end(elf_);
    elf_ = nullptr;
  }

  int descriptor_ = -1;
  Elf* elf_ = nullptr;
  std::string reason_;
};

}  // namespace

ElfFunctions ElfFunctions::read(const std::filesystem::path& path) {
  ElfFunctions result;
  const ElfFile file(path);
  if (file.get() == nullptr) {
    result.reason_ = file.reason();
    return result;
  }
  const Reader reader(file.get());
  reader.read_segments(result);
  if (reader.read_functions(SHT_SYMTAB, result)) return result;
  if (const std::string debug = reader.debug_path(); !debug.empty()) {
    const ElfFile debug_file(debug);
    if (debug_file.get() != nullptr &&
        Reader(debug_file.get()).read_functions(SHT_SYMTAB, result)) {
      return result;
    }
  }
  if (!reader.read_functions(SHT_DYNSYM, result)) {
    result.reason_ = fmt::format("{}: has no symbols; install its debug symbols", path.string());
  }
  return result;
}

ElfFunctions ElfFunctions::parse(std::span<const std::byte> image) {
  ElfFunctions result;
  const ElfFile file(image);
  result.reason_ = file.reason();
  if (file.get() == nullptr) return result;
  const Reader reader(file.get());
  reader.read_segments(result);
  if (!reader.read_functions(SHT_SYMTAB, result) && !reader.read_functions(SHT_DYNSYM, result)) {
    result.reason_ = "an image in memory: has no symbols";
  }
  return result;
}

ElfFunctions ElfFunctions::without(std::string reason) {
  ElfFunctions result;
  result.reason_ = std::move(reason);
  return result;
}

ElfFunctions::Function ElfFunctions::find(std::uint64_t offset) const {
  for (const Segment& segment : segments_) {
    if (offset < segment.offset || offset - segment.offset >= segment.size) continue;
    const std::uint64_t address = offset - segment.offset + segment.address;
    const auto above = std::ranges::upper_bound(functions_, address, {}, &Entry::begin);
    if (above == functions_.begin()) continue;
    const Entry& entry = *std::prev(above);
    if (address < entry.end) return {.name = entry.name, .offset = address - entry.begin};
  }
  return {};
}

}  // namespace aioscope
