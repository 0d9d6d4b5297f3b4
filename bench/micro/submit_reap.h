#pragma once

namespace aioscope {

// Registers "submit_reap/DRIVER/1" and "submit_reap/DRIVER/32" for every driver of the registry. A
// driver that cannot run here is registered too, and fails with its reason.
void register_submit_reap_benchmarks();

}  // namespace aioscope
