//===- Contract.cpp - tenon.tile_contract -----------------------------------------===//
//
// Verification, effects and tiling of the register tile. How it is expanded to vectors is Transforms/Tiling's business.
//
//===----------------------------------------------------------------------===//
#include "Effects.h"
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tenon;

//===----------------------------------------------------------------------===//
// Linear maps
//===----------------------------------------------------------------------===//

static bool addTerms(AffineExpr expr, int64_t factor, SmallVectorImpl<int64_t> &coefficients) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr)) {
    if (dim.getPosition() >= coefficients.size() || factor < 0)
      return false;
    coefficients[dim.getPosition()] += factor;
    return true;
  }
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return constant.getValue() == 0;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return false;
  if (expr.getKind() == AffineExprKind::Add)
    return addTerms(binary.getLHS(), factor, coefficients) && addTerms(binary.getRHS(), factor, coefficients);
  if (expr.getKind() != AffineExprKind::Mul)
    return false;
  auto constant = dyn_cast<AffineConstantExpr>(binary.getRHS());
  return constant && addTerms(binary.getLHS(), factor * constant.getValue(), coefficients);
}

std::optional<SmallVector<int64_t>> tenon::getLinearCoefficients(AffineExpr expr, unsigned numDims) {
  SmallVector<int64_t> coefficients(numDims, 0);
  if (!addTerms(expr, 1, coefficients))
    return std::nullopt;
  return coefficients;
}

std::optional<SmallVector<SmallVector<int64_t>>> tenon::getLinearCoefficients(AffineMap map) {
  if (map.getNumSymbols() != 0)
    return std::nullopt;
  SmallVector<SmallVector<int64_t>> rows;
  for (AffineExpr expr : map.getResults()) {
    auto row = getLinearCoefficients(expr, map.getNumDims());
    if (!row)
      return std::nullopt;
    rows.push_back(std::move(*row));
  }
  return rows;
}

//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

SmallVector<AffineMap> TileContractOp::getMaps() {
  return llvm::map_to_vector(getIndexingMaps(), [](Attribute map) { return cast<AffineMapAttr>(map).getValue(); });
}

AffineMap TileContractOp::getOutMap() {
  return cast<AffineMapAttr>(getIndexingMaps()[getIndexingMaps().size() - 1]).getValue();
}

bool TileContractOp::isReduction(unsigned dim) {
  return cast<StringAttr>(getIterators()[dim]).getValue() == "reduction";
}

SmallVector<unsigned> TileContractOp::getReductionDims() {
  return llvm::to_vector(
      llvm::make_filter_range(llvm::seq<unsigned>(0, getNumLoops()), [&](unsigned dim) { return isReduction(dim); }));
}

int64_t TileContractOp::getRegisterTile(unsigned dim) { return getRegister_().empty() ? 1 : getRegister_()[dim]; }

int64_t TileContractOp::getPanelWidth(unsigned number) {
  return cast<ShapedType>(getOperand(number).getType()).getShape().back();
}

std::pair<Value, unsigned> TileContractOp::getExtentSource(unsigned dim) {
  AffineExpr wanted = getAffineDimExpr(dim, getContext());
  SmallVector<AffineMap> maps = getMaps();
  auto find = [&](AffineMap map) -> std::optional<unsigned> {
    for (auto [position, expr] : llvm::enumerate(map.getResults()))
      if (expr == wanted)
        return position;
    return std::nullopt;
  };
  if (auto position = find(maps.back()))
    return {getOut(), *position};
  // Of both factors' sizes a static one says more.
  auto left = find(maps[0]), right = find(maps[1]);
  if (right && (!left || !cast<ShapedType>(getRhs().getType()).isDynamicDim(*right)))
    return {getRhs(), *right};
  if (left)
    return {getLhs(), *left};
  return {Value(), 0};
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static LogicalResult verifyIterators(TileContractOp op) {
  for (Attribute iterator : op.getIterators()) {
    auto name = dyn_cast<StringAttr>(iterator);
    if (!name || (name.getValue() != "parallel" && name.getValue() != "reduction"))
      return op.emitOpError("expected iterators to be \"parallel\" or \"reduction\", but got ") << iterator;
  }
  return success();
}

static LogicalResult verifyMaps(TileContractOp op) {
  unsigned loops = op.getNumLoops();
  size_t mapped = op->getNumOperands() - op.getStarts().size();
  if (op.getIndexingMaps().size() != mapped) // (C1)
    return op.emitOpError("expected one indexing map per operand, ")
           << mapped << ", but got " << op.getIndexingMaps().size();
  for (auto [index, attribute] : llvm::enumerate(op.getIndexingMaps())) {
    auto map = dyn_cast<AffineMapAttr>(attribute);
    if (!map) // (C1)
      return op.emitOpError("expected indexing map ") << index << " to be an affine map, but got " << attribute;
    int64_t rank = cast<ShapedType>(op->getOperand(index).getType()).getRank() - (op.hasPanels(index) ? 1 : 0);
    if (map.getValue().getNumDims() != loops) // (C2)
      return op.emitOpError("expected indexing map ")
             << index << " to have " << loops << " dims, but got " << map.getValue().getNumDims();
    if (static_cast<int64_t>(map.getValue().getNumResults()) != rank) // (C2)
      return op.emitOpError("expected indexing map ") << index << " to have the operand's rank, " << rank
                                                      << ", of results, but got " << map.getValue().getNumResults();
    if (!getLinearCoefficients(map.getValue())) // (C2)
      return op.emitOpError("expected indexing map ")
             << index << " to hold sums of dims with positive coefficients, but got " << map;
  }
  SmallVector<AffineMap> maps = op.getMaps();
  llvm::SmallBitVector seen(loops);
  for (AffineExpr expr : maps.back().getResults()) {
    auto dim = dyn_cast<AffineDimExpr>(expr);
    if (!dim || op.isReduction(dim.getPosition()) || seen.test(dim.getPosition())) // (C3)
      return op.emitOpError("expected the out map to be a permutation of the parallel dims, but got ")
             << AffineMapAttr::get(maps.back());
    seen.set(dim.getPosition());
  }
  for (unsigned dim = 0; dim < loops; ++dim)
    if (!op.isReduction(dim) && !seen.test(dim)) // (C3)
      return op.emitOpError("expected the out map to hold parallel dim ")
             << dim << ", but got " << AffineMapAttr::get(maps.back());
  for (AffineMap map : ArrayRef(maps).drop_front(2).take_front(op.getEpilogueExtras().size()))
    for (unsigned dim = 0; dim < loops; ++dim)
      if (op.isReduction(dim) && map.isFunctionOfDim(dim)) // (C5)
        return op.emitOpError("expected maps of extras to use parallel dims only, but got ") << AffineMapAttr::get(map);
  for (unsigned dim = 0; dim < loops; ++dim)
    if (op.isReduction(dim) && !op.getExtentSource(dim).first) // (C7)
      return op.emitOpError("expected reduction dim ") << dim << " to stand alone in a result of the lhs or rhs map";
  return success();
}

static LogicalResult verifyEpilogue(TileContractOp op) {
  Block &block = op.getEpilogue().front();
  ValueRange extras = op.getEpilogueExtras();
  if (block.getNumArguments() != extras.size() + 1) // (C4)
    return op.emitOpError("expected ") << extras.size() + 1 << " region arguments, but got " << block.getNumArguments();
  if (!block.getArgument(0).getType().isIntOrFloat()) // (C4)
    return op.emitOpError("expected the accumulator to be a float or an integer, but got ")
           << block.getArgument(0).getType();
  for (auto [extra, argument] : llvm::zip(extras, block.getArguments().drop_front()))
    if (getElementTypeOrSelf(extra.getType()) != argument.getType()) // (C4)
      return op.emitOpError("expected a region argument of the extra's element type ")
             << getElementTypeOrSelf(extra.getType()) << ", but got " << argument.getType();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  Type element = getElementTypeOrSelf(op.getOut().getType());
  if (!yield || yield.getValues().size() != 1 || yield.getValues()[0].getType() != element) // (C4)
    return op.emitOpError("expected the region to yield one value of out's element type ") << element;
  for (Value factor : {op.getLhs(), op.hasDecode() ? op.getLhs() : op.getRhs()}) {
    Type type = getElementTypeOrSelf(factor.getType()), accumulator = op.getAccumulatorType();
    bool extends = type == accumulator || (isa<FloatType>(type) == isa<FloatType>(accumulator) && type.isIntOrFloat() &&
                                           type.getIntOrFloatBitWidth() < accumulator.getIntOrFloatBitWidth());
    if (!extends) // (C4)
      return op.emitOpError("expected an accumulator that holds the factors' element type ")
             << type << ", but got " << accumulator;
  }
  return success();
}

static LogicalResult verifyDecode(TileContractOp op) {
  if (!op.hasDecode())
    return success();
  Block &block = op.getDecode().front().front();
  SmallVector<Value> read{op.getRhs()};
  llvm::append_range(read, op.getDecodeExtras());
  size_t indices = op.getDecodeIndices().size();
  if (block.getNumArguments() - indices != read.size()) // (C12)
    return op.emitOpError("expected at most ")
           << op.getExtras().size() + 1 << " arguments of 'decode', and one, but got "
           << block.getNumArguments() - indices;
  if (indices != 0 && indices != op.getReductionDims().size()) // (C12)
    return op.emitOpError("expected indices of ")
           << op.getReductionDims().size() << " reduction dims in 'decode', or none, but got " << indices;
  for (auto [value, argument] : llvm::zip(read, block.getArguments()))
    if (getElementTypeOrSelf(value.getType()) != argument.getType()) // (C12)
      return op.emitOpError("expected an argument of 'decode' of the element type ")
             << getElementTypeOrSelf(value.getType()) << ", but got " << argument.getType();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().size() != 1 || yield.getValues()[0].getType() != op.getAccumulatorType()) // (C12)
    return op.emitOpError("expected 'decode' to yield one value of the accumulator's type ") << op.getAccumulatorType();
  return success();
}

/// `panels`, and the maps and types of the factors that it lists. Runs after the maps are known to be linear.
static LogicalResult verifyPanels(TileContractOp op) {
  int64_t vectorDim = op.getVectorDim();
  for (auto [index, factor] : llvm::enumerate(op.getPanels())) {
    if (factor < 0 || factor > 1 || (index > 0 && factor == op.getPanels()[0]) ||
        llvm::is_contained(op.getPack(), factor)) // (C11)
      return op.emitOpError("expected 'panels' to list 0 (lhs) or 1 (rhs) at most once and none of 'pack', but got ")
             << factor;
    // Ranks of the order: parallel dims, the vector dim, reductions.
    AffineMap map = op.getMaps()[factor];
    int64_t last = 0;
    bool sorted = map.isProjectedPermutation() && vectorDim >= 0 && map.isFunctionOfDim(vectorDim);
    for (AffineExpr expr : sorted ? map.getResults() : ArrayRef<AffineExpr>()) {
      unsigned dim = cast<AffineDimExpr>(expr).getPosition();
      int64_t rank = op.isReduction(dim) ? 2 + dim : dim == vectorDim ? 1 : 0;
      sorted &= rank >= last;
      last = rank;
    }
    if (!sorted || op.isReduction(vectorDim)) // (C11)
      return op.emitOpError("expected the map of a factor in panels to hold parallel dims, 'vector_dim' and ascending "
                            "reduction dims, in this order, but got ")
             << AffineMapAttr::get(map);
    int64_t width = op.getPanelWidth(factor);
    if (ShapedType::isDynamic(width) || width < 1 ||
        (!op.getRegister_().empty() && op.getRegisterTile(vectorDim) != width)) // (C11)
      return op.emitOpError("expected panels as wide as the register tile of 'vector_dim', ")
             << op.getRegisterTile(vectorDim) << ", but got " << op->getOperand(factor).getType();
  }
  return success();
}

static int64_t getStaticExtent(TileContractOp op, unsigned dim) {
  auto [source, position] = op.getExtentSource(dim);
  return cast<ShapedType>(source.getType()).getDimSize(position);
}

static LogicalResult verifyPhases(TileContractOp op) {
  if (op.getPhases().size() % 3 != 0) // (C16)
    return op.emitOpError("expected 'phases' to list threes of two reduction dims and a number of taps, but got ")
           << op.getPhases().size() << " numbers";
  for (ArrayRef<int64_t> rest = op.getPhases(); rest.size() >= 3; rest = rest.drop_front(3)) {
    for (int64_t dim : rest.take_front(2))
      if (dim < 0 || dim >= op.getNumLoops() || !op.isReduction(dim) || dim == op.getVectorDim() ||
          ShapedType::isDynamic(getStaticExtent(op, dim))) // (C16)
        return op.emitOpError("expected 'phases' to name reduction dims of known extents other than 'vector_dim', but "
                              "got ")
               << dim;
    if (int64_t points = getStaticExtent(op, rest[0]) * getStaticExtent(op, rest[1]);
        rest[2] < 1 || rest[2] > points) // (C16)
      return op.emitOpError("expected from 1 to ") << points << " taps in 'phases', but got " << rest[2];
  }
  return success();
}

LogicalResult TileContractOp::verify() {
  if (failed(verifyIterators(*this)) || failed(verifyMaps(*this)))
    return failure();
  bool tensors = isa<RankedTensorType>(getOut().getType());
  for (Value operand : getOperands().drop_back(getStarts().size()))
    if (tensors ? !isa<RankedTensorType>(operand.getType()) : !isa<MemRefType>(operand.getType())) // (C6)
      return emitOpError("expected operands to be all tensors or all memrefs, but got ")
             << operand.getType() << " and " << getOut().getType();
  if (tensors ? !getResult() || getResult().getType() != getOut().getType() : getResult() != nullptr) // (C6)
    return emitOpError("expected a result of out's type on tensors and none on memrefs");
  if (failed(verifyEpilogue(*this)) || failed(verifyDecode(*this)))
    return failure();

  int64_t loops = getNumLoops(), vectorDim = getVectorDim();
  if (!getRegister_().empty() && static_cast<int64_t>(getRegister_().size()) != loops) // (C8)
    return emitOpError("expected 'register_' to have ") << loops << " entries, but got " << getRegister_().size();
  for (auto [dim, tile] : llvm::enumerate(getRegister_())) {
    bool lanes = static_cast<int64_t>(dim) == vectorDim;
    if (tile < 1 || (tile != 1 && isReduction(dim) && !lanes)) // (C8)
      return emitOpError("expected register tile of dim ")
             << dim << " to be positive, and 1 for reductions, but got " << tile;
  }
  if (vectorDim < -1 || vectorDim >= loops) // (C8)
    return emitOpError("expected 'vector_dim' to be -1 or a dim, but got ") << vectorDim;
  if (static_cast<int64_t>(getVectorWidth()) < 1)
    return emitOpError("expected 'vector_width' of at least 1, but got ") << getVectorWidth();
  for (int64_t dim : getUnroll())
    if (dim < 0 || dim >= loops || !isReduction(dim)) // (C8)
      return emitOpError("expected 'unroll' to list reduction dims, but got ") << dim;
  if (!getTails().empty() && static_cast<int64_t>(getTails().size()) != loops) // (C9)
    return emitOpError("expected 'tails' to have ") << loops << " entries, but got " << getTails().size();
  for (auto [dim, tail] : llvm::enumerate(getTails()))
    if (tail < -1 || tail >= getRegisterTile(dim)) // (C9)
      return emitOpError("expected tail of dim ")
             << dim << " to be below the register tile " << getRegisterTile(dim) << ", but got " << tail;
  for (auto [index, factor] : llvm::enumerate(getPack()))
    if (factor < 0 || factor > 1 || (index > 0 && factor == getPack()[0])) // (C10)
      return emitOpError("expected 'pack' to list 0 (lhs) or 1 (rhs) at most once, but got ") << factor;
  if (!getPack().empty() && (vectorDim < 0 || isReduction(vectorDim))) // (C10)
    return emitOpError("expected a parallel 'vector_dim' where factors are packed, but got ") << vectorDim;
  if (static_cast<int64_t>(getDecodeRows()) < 0 ||
      (getDecodeRows() > 0 && (!hasDecode() || vectorDim < 0 || isReduction(vectorDim)))) // (C13)
    return emitOpError("expected 'decode_rows' of at least 0, and 0 without a 'decode' region and a parallel "
                       "'vector_dim', but got ")
           << static_cast<int64_t>(getDecodeRows()) << " and " << vectorDim;
  if (getChunk() != 0) { // (C15)
    SmallVector<unsigned> reductions = getReductionDims();
    if (static_cast<int64_t>(getChunk()) < 0)
      return emitOpError("expected 'chunk' of at least 0, but got ") << static_cast<int64_t>(getChunk());
    if (reductions.empty() || llvm::is_contained(getUnroll(), static_cast<int64_t>(reductions[0])) ||
        isOfPhases(reductions[0]) || (vectorDim >= 0 && isReduction(vectorDim)) || !getPack().empty() || hasDecode())
      return emitOpError(
                 "expected 'chunk' only with a first reduction dim that is neither in 'unroll' nor in 'phases', "
                 "a parallel 'vector_dim', no factor in 'pack' and no 'decode' region, but got ")
             << getChunk();
  }
  if (getNonzero().size() % 4 != 0) // (C14)
    return emitOpError("expected 'nonzero' to list fours of factor, dimension, first and end, but got ")
           << getNonzero().size() << " numbers";
  for (const NonzeroRange &range : getNonzeroRanges())
    if (range.factor < 0 || range.factor > 1 || range.dimension < 0 || range.first < 0 || range.end < range.first ||
        range.dimension >= cast<ShapedType>(getOperand(range.factor).getType()).getRank()) // (C14)
      return emitOpError("expected 'nonzero' to name a factor, one of its dimensions, and a range, but got ")
             << range.factor << ", " << range.dimension << ", " << range.first << ", " << range.end;
  if (!getStarts().empty() && getStarts().size() * 4 != getNonzero().size()) // (C14)
    return emitOpError("expected one of 'starts' for each range of 'nonzero', ")
           << getNonzero().size() / 4 << ", but got " << getStarts().size();
  return success(succeeded(verifyPhases(*this)) && succeeded(verifyPanels(*this)));
}

bool TileContractOp::isOfPhases(unsigned dim) {
  for (ArrayRef<int64_t> rest = getPhases(); rest.size() >= 3; rest = rest.drop_front(3))
    if (rest[0] == static_cast<int64_t>(dim) || rest[1] == static_cast<int64_t>(dim))
      return true;
  return false;
}

bool TileContractOp::countsPoint(ArrayRef<int64_t> point) {
  for (ArrayRef<int64_t> rest = getPhases(); rest.size() >= 3; rest = rest.drop_front(3))
    if (point[rest[0]] * getStaticExtent(*this, rest[1]) + point[rest[1]] >= rest[2])
      return false;
  return true;
}

SmallVector<NonzeroRange> TileContractOp::getNonzeroRanges() {
  SmallVector<NonzeroRange> ranges;
  for (ArrayRef<int64_t> rest = getNonzero(); rest.size() >= 4; rest = rest.drop_front(4))
    ranges.push_back({rest[0], rest[1], rest[2], rest[3]});
  for (auto [range, start] : llvm::zip(ranges, getStarts()))
    range.start = start;
  return ranges;
}

void TileContractOp::getEffects(SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
  addDestinationEffects(*this, effects);
}

//===----------------------------------------------------------------------===//
// Tiling
//===----------------------------------------------------------------------===//

static OpFoldResult getSize(OpBuilder &builder, Location loc, Value value, unsigned dim) {
  auto type = cast<ShapedType>(value.getType());
  if (!type.isDynamicDim(dim))
    return builder.getIndexAttr(type.getDimSize(dim));
  if (isa<MemRefType>(type))
    return memref::DimOp::create(builder, loc, value, dim).getResult();
  return tensor::DimOp::create(builder, loc, value, dim).getResult();
}

/// offset = sum of coefficient * offset, size = sum of coefficient * (size - 1), + 1: what a tile reads along one
/// dimension of an operand.
static void getDimSlice(OpBuilder &builder, Location loc, ArrayRef<int64_t> coefficients,
                        ArrayRef<OpFoldResult> offsets, ArrayRef<OpFoldResult> sizes, OpFoldResult &offset,
                        OpFoldResult &size) {
  AffineExpr offsetExpr = builder.getAffineConstantExpr(0), sizeExpr = builder.getAffineConstantExpr(1);
  SmallVector<OpFoldResult> offsetOperands, sizeOperands;
  for (auto [dim, coefficient] : llvm::enumerate(coefficients)) {
    if (coefficient == 0)
      continue;
    offsetExpr = offsetExpr + builder.getAffineSymbolExpr(offsetOperands.size()) * coefficient;
    sizeExpr = sizeExpr + (builder.getAffineSymbolExpr(sizeOperands.size()) - 1) * coefficient;
    offsetOperands.push_back(offsets[dim]);
    sizeOperands.push_back(sizes[dim]);
  }
  offset = affine::makeComposedFoldedAffineApply(builder, loc, offsetExpr, offsetOperands);
  size = affine::makeComposedFoldedAffineApply(builder, loc, sizeExpr, sizeOperands);
  if (auto constant = getConstantIntValue(size); constant && *constant < 0)
    size = builder.getIndexAttr(0);
}

/// What a tile reads or writes of operand `number`.
static Operation *getSlice(OpBuilder &builder, TileContractOp op, unsigned number, ArrayRef<OpFoldResult> offsets,
                           ArrayRef<OpFoldResult> sizes) {
  Location loc = op.getLoc();
  Value operand = op->getOperand(number);
  AffineMap map = op.getMaps()[number];
  SmallVector<OpFoldResult> sliceOffsets, sliceSizes;
  for (AffineExpr expr : map.getResults())
    getDimSlice(builder, loc, *getLinearCoefficients(expr, map.getNumDims()), offsets, sizes,
                sliceOffsets.emplace_back(), sliceSizes.emplace_back());
  if (op.hasPanels(number)) {
    int64_t width = op.getPanelWidth(number);
    for (auto [index, expr] : llvm::enumerate(map.getResults()))
      if (cast<AffineDimExpr>(expr).getPosition() == op.getVectorDim()) {
        AffineExpr symbol = builder.getAffineSymbolExpr(0);
        sliceOffsets[index] =
            affine::makeComposedFoldedAffineApply(builder, loc, symbol.floorDiv(width), {sliceOffsets[index]});
        sliceSizes[index] =
            affine::makeComposedFoldedAffineApply(builder, loc, symbol.ceilDiv(width), {sliceSizes[index]});
      }
    sliceOffsets.push_back(builder.getIndexAttr(0));
    sliceSizes.push_back(builder.getIndexAttr(width));
  }
  SmallVector<OpFoldResult> strides(sliceSizes.size(), builder.getIndexAttr(1));
  if (isa<MemRefType>(operand.getType()))
    return memref::SubViewOp::create(builder, loc, operand, sliceOffsets, sliceSizes, strides);
  return tensor::ExtractSliceOp::create(builder, loc, operand, sliceOffsets, sliceSizes, strides);
}

/// Where a tile's factors start in those that the ranges of `nonzero` speak of; none where all start at 0.
static SmallVector<Value> getStartsOfTile(OpBuilder &builder, TileContractOp op, ArrayRef<OpFoldResult> offsets,
                                          ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> starts;
  AffineExpr a = builder.getAffineDimExpr(0), b = builder.getAffineDimExpr(1);
  for (const NonzeroRange &range : op.getNonzeroRanges()) {
    OpFoldResult start, size;
    AffineMap map = op.getMaps()[range.factor];
    getDimSlice(builder, op.getLoc(), *getLinearCoefficients(map.getResult(range.dimension), map.getNumDims()), offsets,
                sizes, start, size);
    if (range.start)
      start = affine::makeComposedFoldedAffineApply(builder, op.getLoc(), a + b, {start, range.start});
    starts.push_back(start);
  }
  if (llvm::all_of(starts, [](OpFoldResult start) { return isConstantIntValue(start, 0); }))
    return {};
  return getValueOrCreateConstantIndexOp(builder, op.getLoc(), starts);
}

SmallVector<utils::IteratorType> TileContractOp::getLoopIteratorTypes() {
  SmallVector<utils::IteratorType> types;
  for (unsigned dim = 0; dim < getNumLoops(); ++dim)
    types.push_back(isReduction(dim) ? utils::IteratorType::reduction : utils::IteratorType::parallel);
  return types;
}

SmallVector<Range> TileContractOp::getIterationDomain(OpBuilder &builder) {
  SmallVector<Range> domain;
  for (unsigned dim = 0; dim < getNumLoops(); ++dim) {
    auto [source, position] = getExtentSource(dim);
    domain.push_back({builder.getIndexAttr(0), getSize(builder, getLoc(), source, position), builder.getIndexAttr(1)});
  }
  return domain;
}

FailureOr<TilingResult> TileContractOp::getTiledImplementation(OpBuilder &builder, ArrayRef<OpFoldResult> offsets,
                                                               ArrayRef<OpFoldResult> sizes) {
  TilingResult tiled;
  SmallVector<Value> operands;
  for (unsigned number = 0; number < getIndexingMaps().size(); ++number) {
    Operation *slice = getSlice(builder, *this, number, offsets, sizes);
    tiled.generatedSlices.push_back(slice);
    operands.push_back(slice->getResult(0));
  }
  SmallVector<Type> types;
  if (getResult())
    types.push_back(operands.back().getType());
  SmallVector<Value> starts = getStartsOfTile(builder, *this, offsets, sizes);
  llvm::append_range(operands, starts);
  auto op = cast<TileContractOp>(mlir::clone(builder, getOperation(), types, operands));
  op.getProperties().operandSegmentSizes.back() = starts.size();
  tiled.tiledOps.push_back(op);
  llvm::append_range(tiled.tiledValues, op->getResults());
  return tiled;
}

LogicalResult TileContractOp::getResultTilePosition(OpBuilder &builder, unsigned, ArrayRef<OpFoldResult> offsets,
                                                    ArrayRef<OpFoldResult> sizes,
                                                    SmallVector<OpFoldResult> &resultOffsets,
                                                    SmallVector<OpFoldResult> &resultSizes) {
  for (AffineExpr expr : getOutMap().getResults()) {
    unsigned dim = cast<AffineDimExpr>(expr).getPosition();
    resultOffsets.push_back(offsets[dim]);
    resultSizes.push_back(sizes[dim]);
  }
  return success();
}

FailureOr<TilingResult> TileContractOp::generateResultTileValue(OpBuilder &builder, unsigned,
                                                                ArrayRef<OpFoldResult> offsets,
                                                                ArrayRef<OpFoldResult> sizes) {
  SmallVector<OpFoldResult> loopOffsets, loopSizes;
  for (Range range : getIterationDomain(builder)) {
    loopOffsets.push_back(range.offset);
    loopSizes.push_back(range.size);
  }
  for (auto [position, expr] : llvm::enumerate(getOutMap().getResults())) {
    unsigned dim = cast<AffineDimExpr>(expr).getPosition();
    loopOffsets[dim] = offsets[position];
    loopSizes[dim] = sizes[position];
  }
  return getTiledImplementation(builder, loopOffsets, loopSizes);
}
