//===- Schedules.h - schedules that are given as text ------------------------------------===//
#pragma once
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/Support/Error.h"
#include <map>
#include <string>

namespace tenon {

/// The schedules by name, or an error that says which text cannot be read, and why.
llvm::Expected<mlir::DictionaryAttr> readSchedules(const std::map<std::string, std::string> &texts,
                                                   mlir::MLIRContext *context);

} // namespace tenon
