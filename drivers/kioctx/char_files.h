#pragma once

#include "drivers/kioctx/file.h"

namespace aioscope::kioctx {

// /dev/null: a read is at the end of the file, a write takes all; no buffer is touched.
extern const FileOperations kNullFile;

// /dev/zero: a read fills the buffer with zeros, a write takes all. -EFAULT for a null buffer.
extern const FileOperations kZeroFile;

}  // namespace aioscope::kioctx
