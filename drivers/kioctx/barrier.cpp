#include "drivers/kioctx/barrier.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/kioctx/futex.h"

namespace aioscope::kioctx {

const bool kHasMembarrier =
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;

void smp_mb_rare() {
  smp_mb();
  if (!kHasMembarrier) return;
  ++system_calls;
  syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

}  // namespace aioscope::kioctx
