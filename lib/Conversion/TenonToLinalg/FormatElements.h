//===- FormatElements.h - codes and parts of groups as scalar arithmetic --------------------===//
#pragma once
#include "Common.h"
#include "tenon/Dialect/IR/Formats.h"

namespace tenon::tolinalg {

/// The parts of one element's group in f32; null where the format lacks them. The zero point holds the offset.
struct GroupParts {
  Value scale, zero, minimum;
};

/// Stored numbers of a tenon.dequantize, or the operands of a tenon.quantize.
struct FormatSource {
  explicit FormatSource(DequantizeOp op);
  explicit FormatSource(QuantizeOp op);

  FormatAttr format;
  Value main; ///< codes, or the input of tenon.quantize
  Value scales, zeros, minimums, supers;
  int64_t axis;
};

/// Scalar arithmetic at one place.
class FormatElements {
public:
  FormatElements(mlir::OpBuilder &b, mlir::Location loc) : b(b), loc(loc) {}

  /// The number that an i32's low bits are in `type`, as f32.
  Value toFloat(mlir::Type type, Value bits);
  /// An element of a part's tensor, which stands for a number of `type`, as f32.
  Value toPart(mlir::Type type, Value stored);
  /// An element of a tensor of codes as an i32 whose upper bits are zero.
  Value toBits(FormatAttr format, Value stored);
  /// The code of the element at `place`, as such an i32; records are taken apart.
  Value readCode(const FormatSource &source, mlir::ValueRange place);
  /// The parts of the group of the element at `place`.
  GroupParts readParts(const FormatSource &source, mlir::ValueRange place);
  Value readScale(const FormatSource &source, mlir::ValueRange place);
  Value readZero(const FormatSource &source, mlir::ValueRange place);
  Value readMinimum(const FormatSource &source, mlir::ValueRange place);
  /// Whether numbers come from a list: a codebook, or all numbers of a type of few bits.
  static bool isLookedUp(FormatAttr format);
  /// The number that the low bits of a code stand for, which count from 0 where integers are signed.
  Value decode(FormatAttr format, Value bits);
  /// The number that a code stands for without its group: an entry of the codebook, or itself.
  Value toNumber(FormatAttr format, Value bits);
  /// scale * (number - zero) + minimum. `fused`: in fewer operations, with the same result where products of two of
  /// these have at most 24 bits.
  Value apply(Value number, const GroupParts &parts, bool fused = false);
  /// The code nearest to an f32, as the element of a tensor of `type`.
  Value encode(FormatAttr format, Value value, const GroupParts &parts, mlir::Type type);
  /// From an f32 to `type`.
  Value round(Value value, mlir::Type type);

  Value integer(int64_t value, unsigned width = 32);
  Value number(double value);
  Value index(int64_t value);

private:
  Value lookUp(llvm::ArrayRef<float> values, Value bits);
  Value readPart(const FormatSource &source, Value operand, mlir::Type type, int64_t group, int64_t at,
                 mlir::ValueRange place);
  Value readByte(const FormatSource &source, mlir::ValueRange place, Value byte);

  mlir::OpBuilder &b;
  mlir::Location loc;
};

/// A contraction that reads `op`'s result as a factor, with the codes decoded in its body: one op in the place of both.
/// False where the form does not fit (codes that are no weight, groups along a dim that is not summed over, open
/// sizes).
bool fuseIntoContraction(mlir::IRRewriter &rewriter, DequantizeOp op, mlir::linalg::LinalgOp contraction);

/// Loads of weights of two and four bits, which are packed in files, as loads of bytes and what takes these apart.
void unpackWeights(mlir::IRRewriter &rewriter, mlir::ModuleOp module);

void lower(mlir::IRRewriter &rewriter, DequantizeOp op);
void lower(mlir::IRRewriter &rewriter, QuantizeOp op);

} // namespace tenon::tolinalg
