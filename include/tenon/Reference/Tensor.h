//===- Tensor.h - the values that the reference evaluator computes with -----------------===//
//
// Scalars and tensors of any element type up to 64 bits, and their bytes in files. No op's meaning lives here.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/BuiltinTypes.h"

#include <memory>
#include <vector>

namespace tenon::reference {

/// A float in `f`, or an integer in `i`, sign-extended from its width (so a true i1 is -1). Which one, the type says.
union Scalar {
  double f;
  int64_t i;
};
inline Scalar makeFloat(double value) { return Scalar{.f = value}; }
inline Scalar makeInt(int64_t value) { return Scalar{.i = value}; }

/// `value` rounded to nearest even in `type`; the range is that of the type, overflow as IEEE or the format has it.
double roundFloat(mlir::Type type, double value);
/// The low bits of `value` that `type` holds, sign-extended.
int64_t wrapInt(mlir::Type type, int64_t value);
/// The bits of an integer as an unsigned number.
uint64_t asUnsigned(mlir::Type type, int64_t value);

/// True for floats, integers and index that the evaluator holds without loss.
bool isSupportedElement(mlir::Type type);

/// A tensor in row-major order. Copies share their elements until one of them is changed.
class Tensor {
public:
  Tensor() = default;
  /// All elements are zero.
  Tensor(mlir::Type element, llvm::ArrayRef<int64_t> shape);

  mlir::Type element() const { return elementType; }
  llvm::ArrayRef<int64_t> shape() const { return sizes; }
  int64_t rank() const { return sizes.size(); }
  int64_t count() const { return values ? values->size() : 0; }
  const Scalar *data() const { return values->data(); }
  /// Elements to be changed: no other tensor sees the change.
  Scalar *mutableData();
  /// The same elements under another shape of as many elements.
  Tensor reshaped(llvm::ArrayRef<int64_t> shape) const;

  /// The elements as bytes, and back. Elements of less than a byte are packed, as in files of weights, or take the low
  /// bits of a byte each, as in the memory of compiled models; i1 always takes a byte.
  std::vector<char> toBytes(bool packed = true) const;
  static Tensor fromBytes(mlir::Type element, llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<char> bytes,
                          bool packed = true);

private:
  mlir::Type elementType;
  llvm::SmallVector<int64_t> sizes;
  std::shared_ptr<std::vector<Scalar>> values;
};

/// Elements of a shape; nullopt for negative sizes and for more elements than the evaluator takes (2^31).
std::optional<int64_t> countElements(llvm::ArrayRef<int64_t> shape);

} // namespace tenon::reference
