// What a context does I/O on: files with their operations, and the table that numbers them.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "drivers/kioctx/cacheline.h"
#include "drivers/kioctx/percpu.h"

namespace aioscope::kioctx {

struct Kiocb;

// What a file operation answers, when not bytes or -errno.
inline constexpr std::int64_t kEIocbQueued = 529;  // -kEIocbQueued: aio_complete() will be called
inline constexpr std::int64_t kEIocbRetry = 530;   // -kEIocbRetry: call again after kick_iocb()

struct FileOperations {
  // Bytes transferred, -errno, -kEIocbQueued, or (v3.7 only) -kEIocbRetry. Called by the submitting
  // thread, or by the retry worker.
  std::int64_t (*aio_read)(Kiocb*);
  std::int64_t (*aio_write)(Kiocb*);
};

// What a file was opened for, in bits.
enum class FileAccess : std::uint8_t { kRead = 1, kWrite = 2, kReadWrite = 3 };

// One line per file: its count is written by every request that uses it, from every CPU, except
// in percpu-rings, where references are counted on the CPU that takes or drops them.
struct alignas(kCacheline) File {
  File(const FileOperations& operations, void* data, FileAccess access)
      : f_op(&operations), private_data(data), f_percpu_count(alloc_percpu()), f_mode(access) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { free_percpu(f_percpu_count); }

  bool allows(FileAccess access) const {
    return (std::uint8_t(f_mode) & std::uint8_t(access)) != 0;
  }

  std::atomic<std::int64_t> f_count{1};
  const FileOperations* f_op;
  void* private_data;
  PercpuSlot* const f_percpu_count;
  FileAccess f_mode;
};

// The files of one process, by number. Filled before use; fget() is thread-safe.
class FileTable {
 public:
  FileTable() = default;
  FileTable(const FileTable&) = delete;
  FileTable& operator=(const FileTable&) = delete;

  // Returns the number of the new file. `operations` must outlive the table.
  std::uint32_t install(const FileOperations& operations, void* private_data,
                        FileAccess access = FileAccess::kReadWrite) {
    files_.emplace_back(operations, private_data, access);
    return std::uint32_t(files_.size() - 1);
  }

  // Takes a reference; nullptr when there is no such file. As in the kernel, this writes a line
  // that all users of one file share.
  File* fget(std::uint32_t number) const {
    if (number >= files_.size()) return nullptr;
    File& file = files_[number];
    file.f_count.fetch_add(1, std::memory_order_relaxed);
    return &file;
  }

  // The same for fput_percpu(): writes no line that another CPU writes.
  File* fget_percpu(std::uint32_t number) const {
    if (number >= files_.size()) return nullptr;
    File& file = files_[number];
    percpu_add(file.f_percpu_count, 1);
    return &file;
  }

  // References held by requests, over all files. While none is taken any more it is never less than
  // those that are left: a CPU's count that is read early is too high, if anything.
  std::int64_t references() const {
    std::int64_t sum = 0;
    for (const File& file : files_) {
      sum += file.f_count.load(std::memory_order_acquire) - 1;  // pairs with fput()
      sum += std::int32_t(percpu_sum(file.f_percpu_count));
    }
    return sum;
  }

 private:
  mutable std::deque<File> files_;
};

// The table holds the last reference, so that this never closes.
inline void fput(File* file) {
  file->f_count.fetch_sub(1, std::memory_order_release);  // pairs with FileTable::references
}

inline void fput_percpu(File* file) { percpu_add(file->f_percpu_count, std::uint32_t(-1)); }

}  // namespace aioscope::kioctx
