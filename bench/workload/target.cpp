#include "bench/workload/target.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "bench/runner.h"
#include "bench/workload/pattern.h"

namespace aioscope {
namespace {

// Marks a file as made by aioscope: "pattern" while it holds the pattern everywhere, "scratch"
// after something else was written to it. The size stands behind it: the attribute stays when
// somebody copies a file of his own over ours.
constexpr const char* kOwnAttribute = "user.aioscope";

std::string mark_text(int fd, std::string_view value) {
  struct stat status {};
  return fstat(fd, &status) != 0 ? std::string() : fmt::format("{} {}", value, status.st_size);
}

// "" of a file that is not ours.
std::string own_mark(int fd) {
  char text[64];
  const ssize_t size = fgetxattr(fd, kOwnAttribute, text, sizeof text);
  if (size < 0) return "";
  const std::string_view found(text, std::size_t(size));
  for (const char* value : {"pattern", "scratch"}) {
    if (found == mark_text(fd, value)) return value;
  }
  return "";
}

bool set_own_mark(int fd, std::string_view value) {
  const std::string text = mark_text(fd, value);
  return fsetxattr(fd, kOwnAttribute, text.data(), text.size(), 0) == 0;
}

bool writes(const Row& row) {
  return row.operation == Operation::kWrite || row.operation == Operation::kMixed;
}

[[noreturn]] void fail(const std::string& path, std::string_view call, int error,
                       std::string_view cure) {
  throw RunError(fmt::format("{}: {}: {}; {}", path, call, std::strerror(error), cure));
}

std::string_view cure_of_open(int error) {
  switch (error) {
    case ENOENT:
      return "make it with --create SIZE (for example --create 256M)";
    case EACCES:
    case EPERM:
      return "choose a file that this user may read (and write, for rows that write)";
    case EISDIR:
      return "name a file in it";
    case EINVAL:
      return "its file system has no O_DIRECT: add --buffered or choose another place";
    case EMFILE:
      return "each submitter opens the file once: raise ulimit -n";
    default:
      return "choose another file";
  }
}

Descriptor open_file(const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0644);
  if (fd < 0) fail(path, "open", errno, cure_of_open(errno));
  return Descriptor(fd);
}

std::uint64_t size_of(int fd, const std::string& path) {
  struct stat status {};
  if (fstat(fd, &status) != 0) fail(path, "fstat", errno, "choose another file");
  if (S_ISBLK(status.st_mode)) {
    std::uint64_t size = 0;
    if (ioctl(fd, BLKGETSIZE64, &size) != 0) {
      fail(path, "ioctl(BLKGETSIZE64)", errno, "choose another device");
    }
    return size;
  }
  return std::uint64_t(status.st_size);
}

bool is_block_device(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISBLK(status.st_mode);
}

void write_pattern(int fd, const std::string& path, std::uint64_t size) {
  constexpr std::size_t kChunk = 1 << 20;
  std::vector<std::byte> chunk(kChunk);
  for (std::uint64_t offset = 0; offset < size; offset += kChunk) {
    const std::size_t length = std::size_t(std::min<std::uint64_t>(kChunk, size - offset));
    fill_pattern(chunk, offset, 0);
    for (std::size_t done = 0; done < length;) {
      const ssize_t written = pwrite(fd, chunk.data() + done, length - done, off_t(offset + done));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        fail(path, "pwrite", written == 0 ? ENOSPC : errno, "free space or choose a smaller size");
      }
      done += std::size_t(written);
    }
  }
  // The blocks must be on the device before they are measured, and out of the page cache.
  if (fsync(fd) != 0) fail(path, "fsync", errno, "free space or choose another file system");
  posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

// Before it is opened: to open a FIFO is to wait for somebody at its other end.
void refuse_what_has_no_blocks(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    throw RunError(fmt::format("{}: is a directory; name a file in it", path));
  }
  if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
    throw RunError(fmt::format("{}: neither a regular file nor a block device; choose one", path));
  }
}

// Whether there is nothing to make. Throws when what is there must not be replaced.
bool is_made_already(const std::string& path, std::uint64_t size, bool allow_destructive) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return false;
  if (!S_ISREG(status.st_mode)) {
    throw RunError(fmt::format("{}: exists and is not a regular file; --create makes files", path));
  }
  const std::uint64_t existing_size = std::uint64_t(status.st_size);
  const Descriptor existing = open_file(path, O_RDONLY);
  const bool own = !own_mark(existing.get()).empty();
  if (existing_size == size || (!own && existing_size > size)) return true;
  if (own || allow_destructive) return false;
  throw RunError(
      fmt::format("{}: exists with {} bytes and was not made by aioscope; growing it to {} needs "
                  "--allow-destructive",
                  path, existing_size, size));
}

// Reads and writes that are verified never meet in a block (Lane::claim), which takes blocks.
void check_verified_blocks(const Row& row, std::uint64_t size) {
  if (!row.verify || row.operation != Operation::kMixed) return;
  const std::uint64_t needed = std::uint64_t{row.submitters} * row.depth;
  if (size / row.block_size >= needed) return;
  throw RunError(fmt::format(
      "{}: its {} blocks of {} are too few to verify reads and writes at once with {} requests in "
      "flight; choose a larger file or a smaller --depth",
      row.target.path, size / row.block_size, row.block_size, needed));
}

}  // namespace

Descriptor open_target(const Row& row) {
  switch (row.target.kind) {
    case FileKind::kNull:
      return open_file("/dev/null", O_RDWR);
    case FileKind::kZero:
      return open_file("/dev/zero", O_RDWR);
    case FileKind::kDevice:
      return Descriptor();
    case FileKind::kFile:
      break;
  }
  refuse_what_has_no_blocks(row.target.path);
  return open_file(row.target.path,
                   (writes(row) ? O_RDWR : O_RDONLY) | (row.buffered ? 0 : O_DIRECT));
}

std::uint64_t target_size(const Row& row) {
  if (row.target.kind != FileKind::kFile) return 0;
  return size_of(open_target(row).get(), row.target.path);
}

void check_target(const Row& row, bool allow_destructive) {
  if (row.target.kind != FileKind::kFile || row.operation == Operation::kNop) return;
  const std::string& path = row.target.path;
  const Descriptor file = open_target(row);
  const std::uint64_t size = size_of(file.get(), path);
  if (size < row.block_size) {
    throw RunError(
        fmt::format("{}: its {} bytes are too few for a block of {}; choose a larger file, or make "
                    "one with --create SIZE",
                    path, size, row.block_size));
  }
  if ((!row.buffered || row.verify) && row.block_size % kPatternSector != 0) {
    throw RunError(
        fmt::format("{}: {} needs a block size that is a multiple of {}, not {}; change "
                    "--block-size{}",
                    path, row.buffered ? "--verify" : "O_DIRECT", kPatternSector, row.block_size,
                    row.buffered ? "" : " or add --buffered"));
  }
  check_verified_blocks(row, size);
  const std::string mark = own_mark(file.get());
  if (writes(row) && !allow_destructive && mark.empty()) {
    throw RunError(fmt::format(
        "{}: {}; writing would destroy its contents: choose a file made with --create, or add "
        "--allow-destructive",
        path, is_block_device(file.get()) ? "is a block device" : "was not made by aioscope"));
  }
  if (row.verify && mark.empty()) {
    throw RunError(
        fmt::format("{}: does not hold the pattern that --verify checks; use a file made with "
                    "--create SIZE",
                    path));
  }
}

void make_target_file(const std::string& path, std::uint64_t size, bool allow_destructive) {
  if (is_made_already(path, size, allow_destructive)) return;
  // Under another name until it is whole, so that an interrupted make leaves no short file.
  // A name that nobody has: whatever is there already is somebody else's.
  const std::string partial = fmt::format("{}.{}.partial", path, getpid());
  const int fd = open(partial.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) fail(partial, "open", errno, "choose a directory that exists and may be written");
  const Descriptor file(fd);
  try {
    write_pattern(file.get(), partial, size);
    if (!set_own_mark(file.get(), "pattern")) {
      fail(partial, "fsetxattr", errno,
           "files that may be written are marked by a user attribute: choose a file system that "
           "has them");
    }
    if (rename(partial.c_str(), path.c_str()) != 0) {
      fail(path, "rename", errno, "choose another path");
    }
  } catch (const RunError&) {
    unlink(partial.c_str());
    throw;
  }
}

void prepare_target_contents(const Row& row) {
  if (row.target.kind != FileKind::kFile || (!row.verify && !writes(row))) return;
  const std::string& path = row.target.path;
  const Descriptor file = open_file(path, O_RDWR);
  const std::string mark = own_mark(file.get());
  if (row.verify && mark == "scratch") {
    write_pattern(file.get(), path, size_of(file.get(), path));
    set_own_mark(file.get(), "pattern");
  }
  if (!row.verify && mark == "pattern") set_own_mark(file.get(), "scratch");
}

}  // namespace aioscope
