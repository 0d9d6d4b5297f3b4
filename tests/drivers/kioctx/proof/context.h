// A context with its calls, at a stage or with a bug of the series put back.
#pragma once

#include <cstdint>
#include <vector>

#include "drivers/kioctx/char_files.h"
#include "drivers/kioctx/kioctx.h"
#include "drivers/kioctx/ring.h"

namespace aioscope::kioctx {

class Context {
 public:
  Context(const StageCalls& calls, std::uint32_t nr_events);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  AioContextId id() const { return id_; }
  AioRing& ring() const { return *ring_of(id_); }
  std::uint32_t nr() const { return calls_.io_describe(id_).nr_events; }

  // Submits one write of 512 bytes with `tag`. Returns whether it was accepted.
  bool submit(std::uint64_t tag) { return submit(null_, tag); }
  bool submit(std::uint32_t file, std::uint64_t tag);
  // The tags of up to `most` events that are there now.
  std::vector<std::uint64_t> reap(std::uint32_t most);
  int destroy();
  // Leaves it to itself: it is gone already.
  void abandon() { id_ = 0; }

  FileTable& files() { return files_; }

 private:
  const StageCalls& calls_;
  FileTable files_;
  const std::uint32_t null_ = files_.install(kNullFile, nullptr);
  AioContextId id_ = 0;
};

}  // namespace aioscope::kioctx
