//===- Manifest.h - what a model's shared object says about itself ------------------------===//
#pragma once
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace mlir {
class ModuleOp;
}

namespace tenon {

/// The manifest's "inputs" and "outputs" of the entry function `main`; before bufferization.
llvm::Expected<llvm::json::Object> describeInterface(mlir::ModuleOp module);

/// The manifest's "weights": one object per tenon.weight, in the order of the module.
llvm::json::Array describeWeights(mlir::ModuleOp module);

/// The manifest's "kernels": one object per kernel function, in the order of the module.
llvm::json::Array describeKernels(mlir::ModuleOp module);

} // namespace tenon
