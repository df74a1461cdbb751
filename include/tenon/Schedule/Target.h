//===- Target.h - which machine code is generated for ----------------------------------===//
#pragma once
#include "llvm/ADT/StringRef.h"
#include <string>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace tenon {
class TargetAttr;

/// The machine that this process runs on, with what its operating system lets programs use.
TargetAttr detectHostTarget(mlir::MLIRContext *context);

/// A target by name: "host", or a row of the table in Target.cpp ("x86-64-v3": AVX2, "x86-64-v4": AVX-512). The
/// environment variable TENON_TARGET replaces "host". A null attribute if the name is unknown.
TargetAttr lookupTarget(mlir::MLIRContext *context, llvm::StringRef name);

/// The target that `module` names, or the host where it names none. Null, after an error, if the host's is unknown.
TargetAttr getTarget(mlir::ModuleOp module);

/// The message for a name that lookupTarget does not know: which it is, and which there are.
std::string explainUnknownTarget(llvm::StringRef name);

} // namespace tenon
