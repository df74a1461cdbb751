//===- TileAttentionScores.cpp - products of queries and keys, and the score's region ------===//
#include "TileAttention.h"

using namespace mlir;
using namespace tenon;

Value AttentionTiler::contract(Value left, Value right, ArrayRef<unsigned> rightDims, OpFoldResult columns,
                               ArrayRef<Value> extras, ArrayRef<AffineMap> extraMaps, Block *region) {
  MLIRContext *context = rewriter.getContext();
  SmallVector<AffineMap> maps{AffineMap::getMultiDimMapWithTargets(3, {0, 2}, context),
                              AffineMap::getMultiDimMapWithTargets(3, rightDims, context)};
  llvm::append_range(maps, extraMaps);
  maps.push_back(AffineMap::getMultiDimMapWithTargets(3, {0, 1}, context));
  SmallVector<Attribute> iterators{rewriter.getStringAttr("parallel"), rewriter.getStringAttr("parallel"),
                                   rewriter.getStringAttr("reduction")};
  Value out = empty({rows, columns}, type);
  auto made = TileContractOp::create(rewriter, loc, out.getType(), left, right, extras, out,
                                     rewriter.getAffineMapArrayAttr(maps), rewriter.getArrayAttr(iterators));
  // One row: sums along the reduction where that is what lies contiguous.
  int64_t rowTile = schedule.getRegister_()[2], lanes = schedule.getRegister_()[3];
  bool dot = rowTile == 1 && rightDims[1] == 2;
  int64_t vectors = std::max<int64_t>(1, lanes / schedule.getVectorWidth());
  made.setRegister_(dot ? SmallVector<int64_t>{1, vectors, schedule.getVectorWidth()}
                        : SmallVector<int64_t>{rowTile, lanes, 1});
  made.setVectorDim(dot ? 2 : 1);
  made.setVectorWidth(schedule.getVectorWidth());
  if (!dot && rightDims[1] == 2)
    made.setPack({1});
  Block &epilogue = made.getEpilogue().emplaceBlock();
  Value sum = epilogue.addArgument(type, loc);
  OpBuilder::InsertionGuard guard(rewriter);
  rewriter.setInsertionPointToStart(&epilogue);
  if (!region) {
    YieldOp::create(rewriter, loc, sum);
    return made.getResult();
  }
  SmallVector<Value> arguments{sum};
  for (Value extra : extras)
    arguments.push_back(epilogue.addArgument(getElementTypeOrSelf(extra.getType()), loc));
  YieldOp::create(rewriter, loc, cloneScore(sum, {}, ArrayRef(arguments).drop_front()));
  return made.getResult();
}

Value AttentionTiler::cloneScore(Value sum, ArrayRef<Value> indices, ArrayRef<Value> extras) {
  Block &region = op.getScore().front();
  IRMapping mapping;
  mapping.map(region.getArgument(0), sum);
  for (auto [argument, index] : llvm::zip(region.getArguments().drop_front(1), indices))
    mapping.map(argument, index);
  for (auto [argument, extra] : llvm::zip(region.getArguments().drop_front(5), extras))
    mapping.map(argument, extra);
  for (Operation &inner : region.without_terminator())
    rewriter.clone(inner, mapping);
  return mapping.lookupOrDefault(region.getTerminator()->getOperand(0));
}

Value AttentionTiler::makeScores(Value keys, Value first, OpFoldResult columns) {
  SmallVector<Value> extras;
  SmallVector<AffineMap> maps;
  for (auto [extra, map] : llvm::zip(op.getExtras(), op.getMaps())) {
    SmallVector<OpFoldResult> offsets, sizes, ones(map.getNumResults(), index(1));
    SmallVector<int64_t> shape;
    SmallVector<unsigned> dims;
    for (AffineExpr expr : map.getResults()) {
      auto dim = dyn_cast<AffineDimExpr>(expr);
      unsigned position = dim ? dim.getPosition() : 0;
      bool kept = dim && position >= 2;
      offsets.push_back(!dim            ? index(0)
                        : position == 0 ? OpFoldResult(batch)
                        : position == 1 ? OpFoldResult(head)
                        : position == 2 ? OpFoldResult(firstRow)
                                        : OpFoldResult(first));
      sizes.push_back(!kept ? index(1) : position == 2 ? rows : columns);
      if (!kept)
        continue;
      shape.push_back(getConstantIntValue(sizes.back()).value_or(ShapedType::kDynamic));
      dims.push_back(position - 2);
    }
    auto result = RankedTensorType::get(shape, getElementTypeOrSelf(extra.getType()));
    extras.push_back(tensor::ExtractSliceOp::create(rewriter, loc, result, extra, offsets, sizes, ones));
    maps.push_back(AffineMap::getMultiDimMapWithTargets(3, dims, rewriter.getContext()));
  }
  bool indexed = false;
  for (unsigned number = 0; number < 4; ++number)
    indexed |= op.readsIndex(number);
  if (!indexed)
    return contract(query, keys, {1, 2}, columns, extras, maps, &op.getScore().front());
  Value scores = contract(query, keys, {1, 2}, columns, {}, {}, nullptr);
  SmallVector<AffineMap> flat;
  for (AffineMap map : maps)
    flat.push_back(AffineMap::get(2, 0, map.getResults(), rewriter.getContext()));
  flat.push_back(rewriter.getMultiDimIdentityMap(2));
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  auto made = linalg::GenericOp::create(
      rewriter, loc, TypeRange{scores.getType()}, extras, ValueRange{scores}, flat, iterators,
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        OpBuilder::InsertionGuard guard(rewriter);
        rewriter.setInsertionPointToEnd(builder.getInsertionBlock());
        Value row = add(linalg::IndexOp::create(rewriter, loc, 0), firstRow);
        Value column = add(linalg::IndexOp::create(rewriter, loc, 1), first);
        SmallVector<Value> values(arguments);
        linalg::YieldOp::create(rewriter, loc,
                                cloneScore(values.back(), {batch, head, row, column}, ArrayRef(values).drop_back()));
      });
  return made.getResult(0);
}
