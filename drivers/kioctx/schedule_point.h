// A marked place in a concurrent algorithm, where a test may make a thread lose the CPU: what is
// rare then happens often. Nothing at all unless built with AIOSCOPE_SCHEDULE_POINTS.
#pragma once

namespace aioscope::kioctx {

#if defined(AIOSCOPE_SCHEDULE_POINTS)
// Set by a test before its threads start. Called with the place's name; may yield or sleep.
inline void (*schedule_point_hook)(const char* place) = nullptr;
inline void schedule_point(const char* place) {
  if (schedule_point_hook != nullptr) schedule_point_hook(place);
}
#else
inline void schedule_point(const char*) {}
#endif

}  // namespace aioscope::kioctx
