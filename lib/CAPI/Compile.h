//===- Compile.h - compiling through the cache, for the C functions that need it --------------===//
#pragma once
#include "tenon-c/tenon.h"

#include <nlohmann/json.hpp>

namespace tenon::capi {

/// What tenon_compile does: request and reply are those of tenon.h. Throws Error.
nlohmann::json compileRequest(nlohmann::json options, const char *bytes, size_t size, tenon_progress_fn progress,
                              void *user);

} // namespace tenon::capi
