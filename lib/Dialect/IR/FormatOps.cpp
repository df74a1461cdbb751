//===- FormatOps.cpp - tenon.dequantize, tenon.quantize, tenon.look_up ------------------===//
//
// Verification, shapes and canonicalization. The numbers of the constraints are those of Formats.td.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Formats.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace tenon;

/// Codes and integer parts: signless, as wide as the format's type or a byte; floats as they are.
static bool isStoredAs(Type stored, Type type) {
  if (!isa<IntegerType>(type))
    return stored == type;
  return stored.isSignlessInteger() && (stored.isInteger(8) || stored.isInteger(type.getIntOrFloatBitWidth()));
}

static bool agree(int64_t a, int64_t b) { return ShapedType::isDynamic(a) || ShapedType::isDynamic(b) || a == b; }

namespace {

struct Part {
  StringRef name;
  Value value;
  Type type;     ///< by the format
  bool expected; ///< whether it is an operand
  int64_t group;
};

} // namespace

template <typename OpTy> static SmallVector<Part, 4> getParts(OpTy op) {
  FormatAttr format = op.getFormat();
  return {{"scales", op.getScales(), format.getScale(), format.hasScaleOperand(), format.getGroup()},
          {"zeros", op.getZeros(), format.getZero(), format.getZero() != nullptr, format.getGroup()},
          {"minimums", op.getMinimums(), format.getMinimum(), format.hasMinimumOperand(), format.getGroup()},
          {"supers", op.getSupers(), format.getSuperScale(), format.hasSuperOperand(), format.getSuperGroup()}};
}

/// What both ops say of parts; `values` is the tensor of values.
template <typename OpTy> static LogicalResult verifyParts(OpTy op, ShapedType values) {
  int64_t axis = op.getAxis();
  for (const Part &part : getParts(op)) {
    if ((part.value != nullptr) != part.expected) // dequantize_c4, quantize_c4
      return op.emitOpError("expected ") << (part.expected ? "an operand '" : "no operand '") << part.name
                                         << "' by the format, but got " << (part.expected ? "none" : "one");
    if (!part.value)
      continue;
    auto type = cast<ShapedType>(part.value.getType());
    if (type.getRank() != values.getRank()) // dequantize_c5, quantize_c5
      return op.emitOpError("expected '")
             << part.name << "' of rank " << values.getRank() << ", but got " << type.getRank();
    for (int64_t dim = 0; dim < values.getRank(); ++dim) {
      int64_t size = values.getDimSize(dim), got = type.getDimSize(dim);
      if (dim == axis && !ShapedType::isDynamic(size))
        size = FormatAttr::countGroups(size, part.group);
      if (dim == axis && part.group == 0)
        size = 1;
      if (!agree(size, got) && (dim == axis || got != 1)) // dequantize_c5, quantize_c5
        return op.emitOpError("expected '")
               << part.name << "' to have size " << size << " along dim " << dim << ", but got " << got;
    }
    if (!isStoredAs(type.getElementType(), part.type)) // dequantize_c6, quantize_c6
      return op.emitOpError("expected elements of '")
             << part.name << "' for " << part.type << ", but got " << type.getElementType();
  }
  return success();
}

template <typename OpTy> static LogicalResult verifyAxis(OpTy op, int64_t rank) {
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= rank) // dequantize_c1, quantize_c1
    return op.emitOpError("expected 'axis' to be a dim of ") << rank << ", but got " << axis;
  return success();
}

static LogicalResult verifyValues(Operation *op, StringRef what, Type element) {
  if (!isa<Float32Type, Float16Type, BFloat16Type>(element)) // dequantize_c7, quantize_c7
    return op->emitOpError("expected ") << what << " elements of f32, f16 or bf16, but got " << element;
  return success();
}

/// Sizes that the type leaves open are those of `source`, which has the same shape.
static SmallVector<OpFoldResult> reifyLike(OpBuilder &builder, Location loc, Value result, Value source) {
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(cast<ShapedType>(result.getType()).getShape()))
    sizes.push_back(ShapedType::isDynamic(size) ? OpFoldResult(getValueOrCreateConstantIndexOp(
                                                      builder, loc, tensor::getMixedSize(builder, loc, source, dim)))
                                                : OpFoldResult(builder.getIndexAttr(size)));
  return sizes;
}

//===----------------------------------------------------------------------===//
// tenon.dequantize
//===----------------------------------------------------------------------===//

LogicalResult DequantizeOp::verify() {
  FormatAttr format = getFormat();
  auto codes = cast<ShapedType>(getCodes().getType()), result = cast<ShapedType>(getResult().getType());
  int64_t rank = codes.getRank(), axis = getAxis();
  if (failed(verifyAxis(*this, rank))) // (C1)
    return failure();
  if (format.hasRecords() && axis != rank - 1) // (C1)
    return emitOpError("expected 'axis' to be the last dim, ") << rank - 1 << ", of records, but got " << axis;
  Type code = codes.getElementType();
  if (format.hasRecords() ? !code.isInteger(8) : !isStoredAs(code, format.getElement())) // (C2)
    return emitOpError("expected codes for ")
           << format.getElement() << (format.hasRecords() ? " in records of i8" : "") << ", but got " << code;
  if (result.getRank() != rank) // (C3)
    return emitOpError("expected a result of rank ") << rank << ", but got " << result.getRank();
  for (int64_t dim = 0; dim < rank; ++dim) {
    int64_t size = codes.getDimSize(dim), got = result.getDimSize(dim);
    if (format.hasRecords() && dim == axis) {
      if (ShapedType::isDynamic(got)) // (C3)
        return emitOpError("expected a static last dim of the result where there are records, but got ") << result;
      got = (got + format.getBlock() - 1) / format.getBlock() * format.getBytes();
    }
    if (!agree(size, got)) // (C3)
      return emitOpError("expected codes of size ") << got << " along dim " << dim << ", but got " << size;
  }
  if (failed(verifyParts(*this, result))) // (C4) (C5) (C6)
    return failure();
  return verifyValues(*this, "result", result.getElementType()); // (C7)
}

LogicalResult DequantizeOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyLike(builder, getLoc(), getResult(), getCodes()));
  return success();
}

namespace {

/// Zero points that are one constant everywhere are an offset.
struct FoldConstantZeros : OpRewritePattern<DequantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(DequantizeOp op, PatternRewriter &rewriter) const override {
    SplatElementsAttr zeros;
    if (!op.getZeros() || !matchPattern(op.getZeros(), m_Constant(&zeros)))
      return rewriter.notifyMatchFailure(op, "no zero points, or not one constant");
    FormatAttr format = op.getFormat();
    if (format.getGroup() != 0 && !format.getScale() && !format.getMinimum())
      return rewriter.notifyMatchFailure(op, "the zero points are the only part of the groups");
    APInt bits = zeros.getSplatValue<APInt>().trunc(format.getZero().getIntOrFloatBitWidth());
    int64_t zero = format.getZero().isSignedInteger() ? bits.getSExtValue() : bits.getZExtValue();
    rewriter.modifyOpInPlace(op, [&] {
      op.setFormatAttr(format.withOffset(format.getOffset() + zero));
      op.getZerosMutable().clear();
    });
    return success();
  }
};

} // namespace

void DequantizeOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FoldConstantZeros>(context);
}

//===----------------------------------------------------------------------===//
// tenon.quantize
//===----------------------------------------------------------------------===//

LogicalResult QuantizeOp::verify() {
  FormatAttr format = getFormat();
  auto input = cast<ShapedType>(getInput().getType()), result = cast<ShapedType>(getResult().getType());
  if (failed(verifyAxis(*this, input.getRank()))) // (C1)
    return failure();
  if (format.hasRecords()) // (C2)
    return emitOpError("expected a format without records, but got blocks of ") << format.getBlock();
  bool same = result.getRank() == input.getRank();
  for (int64_t dim = 0; same && dim < input.getRank(); ++dim)
    same &= agree(input.getDimSize(dim), result.getDimSize(dim));
  if (!same) // (C3)
    return emitOpError("expected a result of the input's shape, ") << input << ", but got " << result;
  if (!isStoredAs(result.getElementType(), format.getElement())) // (C3)
    return emitOpError("expected a result of codes for ")
           << format.getElement() << ", but got " << result.getElementType();
  if (failed(verifyParts(*this, input))) // (C4) (C5) (C6)
    return failure();
  return verifyValues(*this, "input", input.getElementType()); // (C7)
}

LogicalResult QuantizeOp::reifyResultShapes(OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes.push_back(reifyLike(builder, getLoc(), getResult(), getInput()));
  return success();
}

//===----------------------------------------------------------------------===//
// tenon.look_up
//===----------------------------------------------------------------------===//

LogicalResult LookUpOp::verify() {
  if (!llvm::is_contained({2, 4, 8, 16}, getValues().size())) // (C1)
    return emitOpError("expected 2, 4, 8 or 16 values, but got ") << getValues().size();
  return success();
}

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/FormatsOps.cpp.inc"
