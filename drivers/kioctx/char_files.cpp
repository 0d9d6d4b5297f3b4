#include "drivers/kioctx/char_files.h"

#include <cerrno>
#include <cstring>

#include "drivers/kioctx/kiocb.h"

namespace aioscope::kioctx {
namespace {

std::int64_t aio_read_null(Kiocb*) { return 0; }
std::int64_t aio_write_null(Kiocb* req) { return req->ki_nbytes; }

std::int64_t aio_read_zero(Kiocb* req) {
  if (req->ki_nbytes == 0) return 0;
  if (req->ki_buf == nullptr) return -EFAULT;
  std::memset(req->ki_buf, 0, req->ki_nbytes);
  return req->ki_nbytes;
}

}  // namespace

constinit const FileOperations kNullFile{aio_read_null, aio_write_null};
constinit const FileOperations kZeroFile{aio_read_zero, aio_write_null};

}  // namespace aioscope::kioctx
