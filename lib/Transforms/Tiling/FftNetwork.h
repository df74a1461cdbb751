//===- FftNetwork.h - Fourier transforms as straight-line code -----------------------------===//
#pragma once
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Builders.h"

namespace tenon {

/// A number, perhaps negated, or zero: what costs nothing is no code.
struct FftPart {
  mlir::Value value; ///< null: zero
  bool isNegative = false;
  FftPart operator-() const { return {value, !isNegative}; }
};
struct FftNumber {
  FftPart re, im;
};

/// Builds transforms of lists of 2^a * 3^b vectors (or scalars) of complex numbers with roots exp(sign * 2 pi i / N).
class FftNetwork {
public:
  FftNetwork(mlir::OpBuilder &builder, mlir::Location loc, int64_t lanes) : builder(builder), loc(loc), lanes(lanes) {}

  /// The transform by decimation in time. `isReal`: no element has an imaginary part; half of the work.
  llvm::SmallVector<FftNumber> forward(llvm::ArrayRef<FftNumber> elements, bool isReal);
  /// The inverse, but for its scale, by decimation in frequency. `isMirrored`: element -k is the conjugate of element
  /// k, so that the results are real; half of the work.
  llvm::SmallVector<FftNumber> backward(llvm::ArrayRef<FftNumber> elements, bool isMirrored);
  FftNumber multiply(FftNumber a, FftNumber b);
  /// The value of a part, zeros and negated ones included.
  mlir::Value materialize(FftPart part, mlir::Type element);

private:
  /// The transform of 2, 3 or 4 elements.
  llvm::SmallVector<FftNumber> butterfly(llvm::ArrayRef<FftNumber> a, int sign);
  /// a * exp(sign * 2 pi i * step / size)
  FftNumber twiddle(FftNumber a, int64_t step, int64_t size, int sign);
  FftPart add(FftPart a, FftPart b);
  FftPart scale(FftPart a, double factor);
  /// a * factor + b
  FftPart scaleAdd(FftPart a, double factor, FftPart b);
  FftNumber add(FftNumber a, FftNumber b) { return {add(a.re, b.re), add(a.im, b.im)}; }
  FftNumber subtract(FftNumber a, FftNumber b) { return {add(a.re, -b.re), add(a.im, -b.im)}; }
  mlir::Value splatOf(double factor, mlir::Value like);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  int64_t lanes;
};

} // namespace tenon
