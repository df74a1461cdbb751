//===- LinalgKind.h - what sort of work an op is -----------------------------------===//
//
// The words in which fusion, scheduling and cost counting talk about structured ops.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace mlir {
class Operation;
class AffineMap;
namespace linalg {
class LinalgOp;
}
} // namespace mlir

namespace tenon {

enum class LinalgKind {
  Elementwise, ///< all loops parallel, and every element is a pure function of elements at mapped places
  Contraction, ///< sums of products of two operands: matmul, convolution
  Reduction,   ///< any other op with reduction loops
  Gather,      ///< all loops parallel, but the body reads tensors at computed places
  Fill,        ///< every element is one scalar
  Other
};

LinalgKind classify(mlir::linalg::LinalgOp op);

/// A sum of products of (extensions of) the elements of two inputs, whose maps may be linear (convolution); the sum is
/// over the op's reduction loops, the output map is a projected permutation.
bool isContraction(mlir::Operation *op);

/// Whether the factors of a sum of products are one tensor, each element of which is read once: no contraction, as
/// there is nothing that a register tile could keep, and whoever asks for the sum of a row reads the row again.
bool isSumOfSquares(mlir::linalg::LinalgOp op, mlir::OpOperand &left, mlir::OpOperand &right);

/// A contraction whose second factor is decoded: out += ext(lhs) * f(codes, parts...), where codes are integers and f
/// is arithmetic on scalars.
struct DecodedContraction {
  mlir::OpOperand *lhs = nullptr, *codes = nullptr;
  llvm::SmallVector<mlir::OpOperand *> parts;
  mlir::Value decoded; ///< in the body
};
std::optional<DecodedContraction> matchDecodedContraction(mlir::linalg::LinalgOp op);

/// A tensor of which only the shape matters: tensor.empty.
bool isUndefined(mlir::Value value);

/// A tensor with one value everywhere (fill, splat, splat constant) whose scalar is known here; null when it is none.
mlir::Value getFillValue(mlir::Value value);
/// Whether `value` is a tensor of zeros everywhere (positive or negative zero).
bool isZeroFilled(mlir::Value value);

/// Scalar arithmetic ops in the body of `op` weighted by what they cost: 1 for an addition, 10 for exp.
int64_t getBodyCost(mlir::linalg::LinalgOp op);

} // namespace tenon
