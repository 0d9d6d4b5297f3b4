# Writes OUTPUT with what was built, and only when it has changed. Run at every build:
# cmake -DSOURCE=... -DOUTPUT=... -DBUILD_TYPE=... -DSANITIZERS=... -DCOMPILER=...
#       -P build_info.cmake
execute_process(COMMAND git -C ${SOURCE} rev-parse --short=12 HEAD
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
                OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(dirty false)
if(changes)
  set(dirty true)
endif()
file(WRITE ${OUTPUT}.new "#pragma once

namespace aioscope {
inline constexpr const char* kBuildCommit = \"${commit}\";  // \"\": not from a checkout
inline constexpr bool kBuildDirty = ${dirty};
inline constexpr const char* kBuildType = \"${BUILD_TYPE}\";
inline constexpr const char* kBuildSanitizers = \"${SANITIZERS}\";
inline constexpr const char* kBuildCompiler = \"${COMPILER}\";
}  // namespace aioscope
")
execute_process(COMMAND ${CMAKE_COMMAND} -E copy_if_different ${OUTPUT}.new ${OUTPUT})
file(REMOVE ${OUTPUT}.new)
