#include "tests/drivers/kioctx/proof/context.h"

#include <stdexcept>

namespace aioscope::kioctx {

Context::Context(const StageCalls& calls, std::uint32_t nr_events) : calls_(calls) {
  if (calls_.io_setup(nr_events, &id_) != 0) throw std::runtime_error("io_setup was refused");
}

Context::~Context() {
  if (id_ != 0) destroy();
}

bool Context::submit(std::uint32_t file, std::uint64_t tag) {
  const Iocb iocb{.data = tag, .nbytes = 512, .fildes = file, .opcode = IocbCommand::kPwrite};
  return calls_.io_submit(id_, files_, {&iocb, 1}).submitted == 1;
}

std::vector<std::uint64_t> Context::reap(std::uint32_t most) {
  std::vector<IoEvent> events(most);
  const std::int64_t got = calls_.io_getevents(id_, 0, events, 0);
  std::vector<std::uint64_t> tags;
  for (std::int64_t i = 0; i < got; ++i) tags.push_back(events[std::size_t(i)].data);
  return tags;
}

int Context::destroy() {
  const AioContextId id = id_;
  id_ = 0;
  return calls_.io_destroy(id);
}

}  // namespace aioscope::kioctx
