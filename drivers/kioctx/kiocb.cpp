#include "drivers/kioctx/kiocb.h"

#include <algorithm>
#include <functional>

namespace aioscope::kioctx {

// Requests of one kind of context lie next to each other then.
void aio_complete_batch(std::span<CompletedKiocb> completed) {
  const auto operations = [](const CompletedKiocb& done) { return done.req->ki_ops; };
  std::ranges::stable_sort(completed, std::less<>(), operations);
  while (!completed.empty()) {
    const KiocbOperations* first = completed.front().req->ki_ops;
    const auto end = std::ranges::find_if(
        completed, [&](const CompletedKiocb& done) { return done.req->ki_ops != first; });
    const auto count = std::size_t(end - completed.begin());
    first->complete_batch(completed.first(count));
    completed = completed.subspan(count);
  }
}

}  // namespace aioscope::kioctx
