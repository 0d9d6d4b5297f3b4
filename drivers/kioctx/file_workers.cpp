#include "drivers/kioctx/file_workers.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "drivers/kioctx/futex.h"
#include "drivers/kioctx/kiocb.h"
#include "drivers/kioctx/plug.h"

namespace aioscope::kioctx {

struct FileWorkers::OpenFile {
  FileWorkers* workers;
  int fd;
};

namespace {

std::int64_t transfer(const Kiocb& req, int fd) {
  const iovec part{req.ki_buf, req.ki_nbytes};
  const auto at = [&](off_t offset) {
    return req.ki_write ? pwritev2(fd, &part, 1, offset, 0) : preadv2(fd, &part, 1, offset, 0);
  };
  ssize_t bytes = at(off_t(req.ki_pos));
  if (bytes < 0 && errno == ESPIPE) bytes = at(-1);  // a pipe has no offsets: none is looked at
  return bytes >= 0 ? bytes : -errno;
}

FileAccess access_of(int fd) {
  switch (fcntl(fd, F_GETFL) & O_ACCMODE) {
    case O_RDONLY:
      return FileAccess::kRead;
    case O_WRONLY:
      return FileAccess::kWrite;
    default:
      return FileAccess::kReadWrite;
  }
}

}  // namespace

constinit const FileOperations FileWorkers::kOperations{queue_request, queue_request};

FileWorkers::FileWorkers(unsigned threads) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

FileWorkers::~FileWorkers() {
  {
    const SpinLockGuard guard(lock_, LockSite::kFileQueue);
    stopping_ = true;
    count_shared_rmw();
    issued_.fetch_add(1, std::memory_order_relaxed);
  }
  futex_wake(&issued_, INT_MAX);
  for (std::thread& thread : threads_) thread.join();
  for (const OpenFile* file : files_) delete file;
}

std::uint32_t FileWorkers::install(FileTable& table, int fd) {
  files_.push_back(new OpenFile{this, fd});
  return table.install(kOperations, files_.back(), access_of(fd));
}

std::int64_t FileWorkers::queue_request(Kiocb* req) {
  Plug::plug_or_issue(req, issue);
  return -kEIocbQueued;
}

void FileWorkers::issue(File* file, ListNode& requests) {
  FileWorkers& self = *static_cast<OpenFile*>(file->private_data)->workers;
  unsigned count = 0;
  unsigned wake = 0;
  {
    const SpinLockGuard guard(self.lock_, LockSite::kFileQueue);
    while (!requests.empty()) {
      ListNode* node = requests.get_next();
      node->remove();
      node->insert_before(&self.queue_);
      kiocb_set_cancel_fn(kiocb_of_file_node(node),
                          cancel);  // under the lock: from here on it may be called
      ++count;
    }
    wake = std::min(count, self.idle_);
    count_shared_rmw();
    self.issued_.fetch_add(1, std::memory_order_relaxed);
  }
  if (wake > 0) futex_wake(&self.issued_, int(wake));
}

// The request is in the queue, or a worker took it out and found it being cancelled. Both are
// decided under the lock.
void FileWorkers::cancel(Kiocb* req) {
  FileWorkers& self = *static_cast<OpenFile*>(req->ki_filp->private_data)->workers;
  {
    const SpinLockGuard guard(self.lock_, LockSite::kFileQueue);
    req->ki_file_node.remove();
  }
  aio_complete(req, -ECANCELED);
}

// The next request that is ours to work on; nullptr when the workers are to stop.
Kiocb* FileWorkers::take() {
  for (;;) {
    lock_.lock(LockSite::kFileQueue);
    while (!queue_.empty()) {
      Kiocb* req = kiocb_of_file_node(queue_.get_next());
      req->ki_file_node.remove();
      if (!kiocb_clear_cancel_fn(req)) continue;
      lock_.unlock();
      return req;
    }
    if (stopping_) break;
    const std::uint32_t seen = issued_.load(std::memory_order_relaxed);
    ++idle_;
    lock_.unlock();
    futex_wait(&issued_, seen, kForever);
    lock_.lock(LockSite::kFileQueue);
    --idle_;
    lock_.unlock();
  }
  lock_.unlock();
  return nullptr;
}

void FileWorkers::serve() {
  pthread_setname_np(pthread_self(), "kioctx file");
  const ServiceThread counted;
  while (Kiocb* req = take()) {
    aio_complete(req, transfer(*req, static_cast<OpenFile*>(req->ki_filp->private_data)->fd));
  }
}

}  // namespace aioscope::kioctx
