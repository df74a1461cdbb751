//===- Specialize.h - shapes by the names of inputs ---------------------------------------------===//
#pragma once
#include "tenon/Runtime/Specializer.h"

#include <nlohmann/json.hpp>

namespace tenon::capi {

/// {input name: shape}.
nlohmann::json nameShapes(const runtime::Model &model, const runtime::Shapes &shapes);

} // namespace tenon::capi
