//===- Errors.h - exceptions inside, codes and messages outside ------------------------------===//
#pragma once
#include "tenon/Runtime/Model.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

namespace tenon::capi {

/// A copy for the caller, freed with tenon_free.
inline char *copy(const std::string &text) {
  auto *memory = static_cast<char *>(std::malloc(text.size() + 1));
  if (memory)
    std::memcpy(memory, text.c_str(), text.size() + 1);
  return memory;
}

/// Runs `body`; what it throws becomes a code and a message.
template <typename Body> int32_t guarded(char **error, Body &&body) {
  if (error)
    *error = nullptr;
  auto fail = [&](int32_t code, const std::string &message) {
    if (error)
      *error = copy(message);
    return code;
  };
  try {
    body();
    return TENON_OK;
  } catch (const runtime::Error &problem) {
    return fail(problem.code, problem.what());
  } catch (const std::bad_alloc &) {
    return fail(TENON_ENOMEM, "out of memory");
  } catch (const std::exception &problem) {
    return fail(TENON_EINTERNAL, problem.what());
  }
}

} // namespace tenon::capi
