//===- ConvFamily.h - what tenon.conv, tenon.pool and tenon.resize compute -----------------===//
//
// The meaning of the convolution family as plain loops over plain tensors, straight from the ops' descriptions. Knows
// nothing of how the evaluator stores tensors.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include <vector>

namespace tenon::reference {

/// Holds every element of at most 64 bits, float or integer, without rounding.
using Number = long double;

/// A tensor in row-major order.
struct Numbers {
  llvm::SmallVector<int64_t> shape;
  std::vector<Number> values;

  explicit Numbers(llvm::ArrayRef<int64_t> shape, Number fill = 0);
  Number &at(llvm::ArrayRef<int64_t> index);
  Number at(llvm::ArrayRef<int64_t> index) const { return const_cast<Numbers *>(this)->at(index); }
};

/// `value` as an element of `type`: floats rounded, integers wrapped.
Number roundTo(mlir::Type type, Number value);

/// Calls `visit` with every index into `shape`, in row-major order.
void forEachIndex(llvm::ArrayRef<int64_t> shape, llvm::function_ref<void(llvm::ArrayRef<int64_t>)> visit);

/// The results of the ops. `bias` may be null.
Numbers evaluate(ConvOp op, const Numbers &input, const Numbers &filter, const Numbers *bias);
/// One tensor, or two with indices.
llvm::SmallVector<Numbers> evaluate(PoolOp op, const Numbers &input);
/// `sizes` are the operands of that name.
Numbers evaluate(ResizeOp op, const Numbers &input, llvm::ArrayRef<int64_t> sizes);

} // namespace tenon::reference
