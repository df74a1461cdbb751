//===- Manifest.h - what a model's shared object says about itself ------------------------===//
#pragma once
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace mlir {
class Location;
class ModuleOp;
} // namespace mlir

namespace tenon {
struct SpaceSummary;

/// The manifest's "inputs" and "outputs" of the entry function `main`; before bufferization.
llvm::Expected<llvm::json::Object> describeInterface(mlir::ModuleOp module);

/// The name of a port that has none: role and number.
std::string getDefaultName(llvm::StringRef role, unsigned number);

/// The manifest's "weights": one object per tenon.weight, in the order of the module.
llvm::json::Array describeWeights(mlir::ModuleOp module);

/// The manifest's "kernels": one object per kernel function, in the order of the module, with its entry of `spaces`.
llvm::json::Array describeKernels(mlir::ModuleOp module, llvm::StringMap<llvm::json::Object> spaces);

/// A kernel's "space": its "axes" with their "values" under the choices of the schedule in use and what that has,
/// "used"; how many "candidates" there are, and whether that is "exact"; the schedule in use, "used", with its "cost"
/// (null where there is no model) and whether it is "held" by the space; the "best" by cost, and "samples".
llvm::json::Object describeSpace(const SpaceSummary &summary);

/// The manifest's "graph": its "dispatches" in the order of the program, each with the kernel's name, the model's
/// nodes, the results' types, whether it runs when the model is loaded, and "from": where its operands come from, as
/// indices of dispatches or names of inputs; and for each of the model's "outputs" such a list. What lies between
/// kernels (views, scalars, control flow) is passed through.
llvm::json::Object describeGraph(mlir::ModuleOp module, const llvm::json::Array &inputs);

/// The name of the model's node that a location stands for, or else its place in a file; may be empty.
std::string getNodeName(mlir::Location loc);

} // namespace tenon
