//===- Weight.cpp - tenon.weight and tenon.load_weight ---------------------------===//
#include "tenon/Dialect/IR/Tenon.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

LogicalResult WeightOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getType());
  if (!type || !type.hasStaticShape()) // (C1)
    return emitOpError("expected a ranked tensor type of static shape, but got ") << getType();
  Type element = type.getElementType();
  if (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() > 64 ||
      !llvm::isPowerOf2_32(element.getIntOrFloatBitWidth())) // (C2)
    return emitOpError("expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got ") << element;
  int64_t count = 1;
  for (int64_t dim : type.getShape())
    if (llvm::MulOverflow(count, dim, count))
      return emitOpError("the number of elements of ") << type << " does not fit 64 bits"; // (C3)
  std::optional<int64_t> bytes = getStorageBytes(element, count);
  if (!bytes || *bytes != static_cast<int64_t>(getLength())) // (C3)
    return emitOpError("expected 'length' to be ")
           << bytes.value_or(-1) << " bytes for " << type << ", but got " << getLength();
  if (static_cast<int64_t>(getOffset()) < 0) // (C4)
    return emitOpError("expected 'offset' of at least 0, but got ") << static_cast<int64_t>(getOffset());
  return success();
}

LogicalResult LoadWeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(*this, getWeightAttr());
  if (!weight) // (C1)
    return emitOpError("expected a tenon.weight, but ") << getWeightAttr() << " names none";
  auto want = cast<ShapedType>(weight.getType()), got = cast<ShapedType>(getType());
  if (want.getShape() != got.getShape() || want.getElementType() != got.getElementType()) // (C2)
    return emitOpError("expected the type of the weight, ") << weight.getType() << ", but got " << getType();
  return success();
}
