//===- Lists.cpp - tenon.select_blocks ----------------------------------------------------===//
#include "tenon/Dialect/IR/Lists.h"

using namespace mlir;
using namespace tenon;

#include "tenon/Dialect/IR/ListsEnums.cpp.inc"

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/ListsOps.cpp.inc"

static bool differ(int64_t a, int64_t b) { return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b; }

/// Whether `part` divides `whole`; of nothing there is one part or none.
static bool divides(int64_t part, int64_t whole) { return part == 0 ? whole == 0 : whole % part == 0; }

LogicalResult SelectBlocksOp::verify() {
  auto query = cast<RankedTensorType>(getQuery().getType()), keys = cast<RankedTensorType>(getKeys().getType());
  auto isStatic = [](RankedTensorType type) {
    return type.getRank() == 4 && llvm::none_of(type.getShape().drop_front(), ShapedType::isDynamic);
  };
  if (!isStatic(query) || !isStatic(keys) || !isa<FloatType>(query.getElementType()) ||
      query.getElementType() != keys.getElementType() || differ(query.getDimSize(0), keys.getDimSize(0)) ||
      query.getDimSize(3) != keys.getDimSize(3) || !divides(keys.getDimSize(1), query.getDimSize(1))) // (C1)
    return emitOpError("expected queries [B, H, S, D] and keys [B, G, T, D] of one float type, of static sizes but for "
                       "the batches, where G divides H, but got ")
           << query << " and " << keys;
  int64_t stride = getStride(), length = getBlockKeys(), run = getBlockQueries();
  if (length < 1 || run < 1 || stride < 1 || length % stride != 0 || run % stride != 0 ||
      (stride != 1 && getScore() != BlockScore::antidiagonal)) // (C2)
    return emitOpError("expected positive 'keys' and 'queries' and a 'stride' that divides them and goes with "
                       "antidiagonal scores, but got ")
           << length << ", " << run << " and " << stride;
  int64_t batches = query.getDimSize(0);
  if (getLengths()) {
    auto lengths = cast<RankedTensorType>(getLengths().getType());
    if (lengths.getRank() != 1 || differ(lengths.getDimSize(0), batches) ||
        !(lengths.getElementType().isInteger(32) || lengths.getElementType().isInteger(64))) // (C3)
      return emitOpError("expected 'lengths' to be [")
             << batches << " batches], of an integer type of 32 or 64 bits, but got " << lengths;
  }
  auto isPart = [](std::optional<APFloat> number) {
    return !number || (number->convertToDouble() >= 0 && number->convertToDouble() <= 1);
  };
  int64_t sink = getSink(), local = getLocal();
  if (!isPart(getThreshold()) || !isPart(getMass()) || sink < 0 || local < 0) // (C4)
    return emitOpError("expected 'threshold' and 'mass' from 0 to 1, 'sink' and 'local' of at least 0, but got ")
           << (getThreshold() ? getThreshold()->convertToDouble() : 0) << ", "
           << (getMass() ? getMass()->convertToDouble() : 0) << ", " << sink << " and " << local;
  auto blocks = cast<RankedTensorType>(getBlocks().getType()), counts = cast<RankedTensorType>(getCounts().getType());
  int64_t runs = llvm::divideCeil(query.getDimSize(2), getBlockQueries());
  if (!isStatic(blocks) || differ(blocks.getDimSize(0), batches) ||
      !divides(blocks.getDimSize(1), query.getDimSize(1)) || blocks.getDimSize(2) != runs ||
      blocks.getDimSize(3) > countBlocks() || !blocks.getElementType().isInteger(64) ||
      counts != RankedTensorType::get(blocks.getShape().drop_back(), blocks.getElementType())) // (C5)
    return emitOpError("expected 'blocks' and 'counts' of i64 for lists of ")
           << query.getDimSize(1) << " heads, " << runs << " runs and at most " << countBlocks() << " blocks, but got "
           << blocks << " and " << counts;
  return success();
}
