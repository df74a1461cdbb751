//===- Weights.h - which values are weights ---------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"

namespace mlir::func {
class FuncOp;
}

namespace tenon {

/// The function that runs once, when a model is loaded; its results are the weights "from init:".
inline constexpr llvm::StringLiteral kInitFunction = "tenon_init";

/// The weight that `value` is, seen through reshapes; `views`, where given, receives these from the weight on. A null
/// op for any other value.
LoadWeightOp findWeight(mlir::Value value, llvm::SmallVectorImpl<mlir::Operation *> *views = nullptr);

/// Where kernels are called, and which of their arguments are weights at all of these places.
class KernelCalls {
public:
  explicit KernelCalls(mlir::ModuleOp module);
  llvm::ArrayRef<DispatchOp> getCalls(mlir::func::FuncOp kernel) const;
  /// Whether `value` is an argument of `kernel`, and a weight wherever that is called outside of the initializer. False
  /// for a kernel that is not called.
  bool isWeight(mlir::func::FuncOp kernel, mlir::Value value) const;

private:
  llvm::DenseMap<mlir::Operation *, llvm::SmallVector<DispatchOp>> calls;
  llvm::DenseMap<mlir::Operation *, llvm::BitVector> weights;
};

} // namespace tenon
