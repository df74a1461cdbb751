//===- TileGeneric.cpp - one parallel loop around a kernel without contractions -------===//
//
// The tile of each value follows from the classes of its dims: a tiled class is a part, everything else is whole. So
// the body is cloned once, op by op, into the loop; nothing is computed twice.
//
//===----------------------------------------------------------------------===//
#include "DimClasses.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"
#include "tenon/Transforms/Tiling/Normalize.h"

#include "mlir/Dialect/Affine/Transforms/Transforms.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "mlir/Transforms/Passes.h"
#include "mlir/Transforms/RegionUtils.h"

namespace tenon {
#define GEN_PASS_DEF_TILEGENERIC
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using tenon::DimClasses;

namespace {

/// Elements that one unit of work should at least have when the schedule does not say.
constexpr int64_t kUnitElements = 16384;

struct TiledClass {
  unsigned id;
  OpFoldResult extent, tile; // of the whole dim and of a full unit
  OpFoldResult offset, size; // of the unit at hand
};

class Tiler {
public:
  Tiler(func::FuncOp kernel, tenon::ScheduleAttr schedule,
        DenseMap<Operation *, SmallVector<ReassociationIndices>> loopGroups)
      : kernel(kernel), schedule(schedule), loopGroups(std::move(loopGroups)), body(kernel.getBody().front()) {}

  /// Returns failure with a remark where the kernel stays one unit.
  LogicalResult run() {
    for (Operation &op : body.without_terminator())
      if (failed(visit(op)))
        return failure();
    if (failed(findResults()) || failed(chooseTiles()))
      return failure();
    return rewrite();
  }

private:
  int64_t rankOf(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    return type ? type.getRank() : 0;
  }
  bool isTensor(Value value) { return isa<RankedTensorType>(value.getType()); }
  /// Arguments and reshapes of them exist before the loop; every use takes the slice that it wants.
  bool isOutside(Value value) { return !isTensor(value) || isa<BlockArgument>(value) || outside.contains(value); }

  void forbidValue(Value value) {
    for (int64_t dim = 0; dim < rankOf(value); ++dim)
      classes.forbid(classes.of(value, dim));
  }

  void addDims(Value value) {
    for (int64_t dim = 0; dim < rankOf(value); ++dim)
      classes.of(value, dim);
  }

  LogicalResult visit(Operation &op) {
    for (Value result : op.getResults())
      addDims(result);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegions(), captured);
    for (Value value : captured)
      if (!isOutside(value))
        forbidValue(value); // read at places that only the data knows
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return visitGeneric(generic);
    if (isa<tensor::EmptyOp>(op))
      return success();
    if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
      return visitExtract(slice), success();
    if (auto slice = dyn_cast<tensor::InsertSliceOp>(op))
      return visitInsert(slice), success();
    if (auto cast = dyn_cast<tensor::CastOp>(op)) {
      if (isOutside(cast.getSource()))
        return outside.insert(cast.getResult()), success();
      for (int64_t dim = 0; dim < rankOf(cast); ++dim)
        classes.link(classes.of(cast.getResult(), dim), classes.of(cast.getSource(), dim));
      return success();
    }
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
      if (isOutside(op.getOperand(0)))
        return outside.insert(op.getResult(0)), success();
      views.insert(&op); // legal behind the loop only
      return success();
    }
    if (isa<tensor::DimOp>(op))
      return success(isOutside(op.getOperand(0)));
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      if (!isOutside(extract.getTensor()))
        forbidValue(extract.getTensor());
      return success();
    }
    // Scalars are recomputed by every unit. Anything else with tensors makes the kernel one unit.
    return success(op.getNumRegions() == 0 && isMemoryEffectFree(&op) &&
                   llvm::none_of(op.getOperandTypes(), llvm::IsaPred<TensorType>) &&
                   llvm::none_of(op.getResultTypes(), llvm::IsaPred<TensorType>));
  }

  LogicalResult visitGeneric(linalg::GenericOp op) {
    if (!op.hasPureTensorSemantics())
      return failure();
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      unsigned node = classes.of(op, loop);
      if (op.getIteratorTypesArray()[loop] != utils::IteratorType::parallel)
        classes.forbid(node);
    }
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isTensor(operand.get()))
        continue;
      bool init = op.isDpsInit(&operand);
      Value result = init ? op.getTiedOpResult(&operand) : Value();
      for (auto [dim, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        if (init) {
          if (!loop)
            return failure();
          classes.link(classes.of(result, dim), classes.of(op, loop.getPosition()));
        }
        if (isOutside(operand.get()))
          continue;
        if (loop)
          classes.link(classes.of(operand.get(), dim), classes.of(op, loop.getPosition()));
        else
          classes.forbid(classes.of(operand.get(), dim));
      }
    }
    // A loop whose extent is that of an outside operand's slice only is fine: it is sliced by the loop's tile.
    return success();
  }

  /// Whether offset, size and stride along `dim` cover all of `value`.
  bool covers(Value value, int64_t dim, OpFoldResult offset, OpFoldResult size, OpFoldResult stride) {
    if (!isConstantIntValue(offset, 0) || !isConstantIntValue(stride, 1))
      return false;
    int64_t extent = cast<RankedTensorType>(value.getType()).getDimSize(dim);
    if (auto constant = getConstantIntValue(size))
      return *constant == extent;
    if (!ShapedType::isDynamic(extent))
      return false;
    FailureOr<bool> equal = ValueBoundsConstraintSet::areEqual(ValueBoundsConstraintSet::Variable(size),
                                                               ValueBoundsConstraintSet::Variable(value, dim));
    return succeeded(equal) && *equal;
  }

  /// Calls `visitDim(sliceDim, fullDim)` for dims that the slice keeps, with -1 for a dropped one.
  template <typename OpTy> void forEachDim(OpTy op, llvm::function_ref<void(int64_t, int64_t)> visitDim) {
    llvm::SmallBitVector dropped = op.getDroppedDims();
    int64_t next = 0;
    for (int64_t dim = 0, end = op.getMixedSizes().size(); dim < end; ++dim)
      visitDim(dropped.test(dim) ? -1 : next++, dim);
  }

  void visitExtract(tensor::ExtractSliceOp op) {
    bool free = isOutside(op.getSource());
    forEachDim(op, [&](int64_t resultDim, int64_t dim) {
      if (free)
        return; // its result may be tiled as it likes: offsets add up
      if (resultDim >= 0 &&
          covers(op.getSource(), dim, op.getMixedOffsets()[dim], op.getMixedSizes()[dim], op.getMixedStrides()[dim]))
        return classes.link(classes.of(op.getResult(), resultDim), classes.of(op.getSource(), dim));
      classes.forbid(classes.of(op.getSource(), dim));
    });
  }

  void visitInsert(tensor::InsertSliceOp op) {
    forEachDim(op, [&](int64_t sourceDim, int64_t dim) {
      unsigned result = classes.of(op.getResult(), dim);
      if (!isOutside(op.getDest()))
        classes.link(result, classes.of(op.getDest(), dim));
      bool whole = sourceDim >= 0 && covers(op.getDest(), dim, op.getMixedOffsets()[dim], op.getMixedSizes()[dim],
                                            op.getMixedStrides()[dim]);
      if (!whole)
        classes.forbid(result);
      if (sourceDim < 0 || isOutside(op.getSource()))
        return;
      if (whole)
        classes.link(result, classes.of(op.getSource(), sourceDim));
      else
        classes.forbid(classes.of(op.getSource(), sourceDim));
    });
  }

  /// Strips reshapes off the returned values and finds the destination of each in the stripped shape.
  LogicalResult findResults() {
    auto terminator = cast<func::ReturnOp>(body.getTerminator());
    unsigned first = body.getNumArguments() - terminator.getNumOperands();
    for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
      BlockArgument argument = body.getArgument(first + index);
      Operation *view = nullptr;
      while (value.getDefiningOp() && views.contains(value.getDefiningOp())) {
        if (view)
          return failure();
        view = value.getDefiningOp();
        trailing.insert(view);
        value = view->getOperand(0);
      }
      if (isOutside(value) || llvm::is_contained(roots, value))
        return failure();
      Value destination = argument;
      if (view) {
        destination = Value();
        for (Operation *user : argument.getUsers())
          if (outside.contains(user->getResult(0)) && user->getResult(0).getType() == value.getType())
            destination = user->getResult(0);
        if (!destination) {
          auto expand = dyn_cast<tensor::ExpandShapeOp>(view);
          if (!expand)
            return failure();
          OpBuilder builder = OpBuilder::atBlockBegin(&body);
          destination = tensor::CollapseShapeOp::create(builder, argument.getLoc(), value.getType(), argument,
                                                        expand.getReassociationIndices());
          outside.insert(destination);
        }
      }
      roots.push_back(value);
      destinations.push_back(destination);
    }
    for (Operation *view : views)
      if (!trailing.contains(view))
        return failure();
    // A root behind a view must not be needed by anything but views and the loop.
    return success(!roots.empty());
  }

  bool isClassAllowed(unsigned id) {
    if (classes.isForbidden(id))
      return false;
    auto countIn = [&](Value value) {
      unsigned count = 0;
      for (int64_t dim = 0; dim < rankOf(value); ++dim)
        count += classes.find(classes.of(value, dim)) == id;
      return count;
    };
    for (Value root : roots)
      if (countIn(root) != 1)
        return false;
    for (Operation &op : body) {
      for (Value result : op.getResults())
        if (isTensor(result) && countIn(result) > 1)
          return false;
      if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        unsigned count = 0;
        for (unsigned loop = 0; loop < generic.getNumLoops(); ++loop)
          count += classes.find(classes.of(generic, loop)) == id;
        if (count > 1 || (count == 0 && isHeavy(generic)))
          return false;
      }
    }
    return true;
  }

  /// Whether every part of a dim that `op` does not have would run it again at a cost that shows.
  bool isHeavy(linalg::GenericOp op) {
    int64_t work = 1;
    for (int64_t size : op.getStaticLoopRanges())
      work = ShapedType::isDynamic(size) ? kUnitElements : std::min(kUnitElements, work * std::max<int64_t>(1, size));
    bool reduces = op.getNumReductionLoops() > 0;
    return work > (reduces ? kUnitElements / 256 : kUnitElements / 8);
  }

  LogicalResult chooseTiles() {
    // Nothing to do is one unit: slices of empty tensors do not verify.
    for (Value value : roots)
      if (llvm::is_contained(cast<RankedTensorType>(value.getType()).getShape(), 0))
        return failure();
    // Dims of the first result, outermost first, and the loops of the last op, which the schedule speaks of.
    linalg::GenericOp rootOp;
    for (Operation &op : body)
      if (auto generic = dyn_cast<linalg::GenericOp>(op))
        if (llvm::any_of(generic.getResults(), [&](Value value) { return llvm::is_contained(roots, value); }))
          rootOp = generic;
    Value root = roots.front();
    auto type = cast<RankedTensorType>(root.getType());
    OpBuilder builder(kernel.getContext());
    builder.setInsertionPointAfterValue(destinations.front());
    if (isa<BlockArgument>(destinations.front()))
      builder.setInsertionPointToStart(&body);
    Location loc = kernel.getLoc();
    SmallVector<OpFoldResult> extents;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      extents.push_back(type.isDynamicDim(dim)
                            ? OpFoldResult(tensor::DimOp::create(builder, loc, destinations.front(), dim).getResult())
                            : OpFoldResult(builder.getIndexAttr(type.getDimSize(dim))));
    SmallVector<bool> allowed;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      allowed.push_back(isClassAllowed(classes.find(classes.of(root, dim))));

    SmallVector<OpFoldResult> tiles = scheduledTiles(builder, loc, root, rootOp, extents);
    if (tiles.empty())
      tiles = defaultTiles(builder, extents, allowed, rootOp);
    for (int64_t dim = 0; dim < type.getRank(); ++dim) {
      if (!allowed[dim] || !tiles[dim])
        continue;
      auto extent = getConstantIntValue(extents[dim]), tile = getConstantIntValue(tiles[dim]);
      if (extent && tile && *tile >= *extent)
        continue;
      tiled.push_back({classes.find(classes.of(root, dim)), extents[dim], tiles[dim], {}, {}});
    }
    return success(!tiled.empty());
  }

  /// Entry per dim of the root; empty when the schedule does not say.
  SmallVector<OpFoldResult> scheduledTiles(OpBuilder &builder, Location loc, Value root, linalg::GenericOp rootOp,
                                           ArrayRef<OpFoldResult> extents) {
    ArrayRef<int64_t> parallel = schedule ? schedule.getParallel() : ArrayRef<int64_t>();
    if (parallel.empty())
      return {};
    SmallVector<ReassociationIndices> groups;
    unsigned loops = rootOp ? rootOp.getNumLoops() : extents.size();
    if (auto it = rootOp ? loopGroups.find(rootOp) : loopGroups.end(); it != loopGroups.end())
      groups = it->second;
    else
      for (unsigned loop = 0; loop < loops; ++loop)
        groups.push_back({static_cast<int64_t>(loop)});
    if (groups.empty() || groups.back().back() + 1 != static_cast<int64_t>(parallel.size()))
      return {};
    SmallVector<OpFoldResult> tiles(extents.size());
    for (auto [dim, extent] : llvm::enumerate(extents)) {
      unsigned loop = dim;
      if (rootOp) {
        unsigned id = classes.find(classes.of(root, dim));
        loop = loops;
        for (unsigned candidate = 0; candidate < loops; ++candidate)
          if (classes.find(classes.of(rootOp, candidate)) == id)
            loop = candidate;
        if (loop == loops)
          continue;
      }
      // A group's tile is that of its last tiled dim times the whole dims behind it. Their sizes are known where the
      // group was made from the destination's dims.
      const ReassociationIndices &group = groups[loop];
      int64_t last = -1;
      for (unsigned i = 0; i < group.size(); ++i)
        if (parallel[group[i]] > 0)
          last = i;
      if (last < 0)
        continue;
      OpFoldResult tile = builder.getIndexAttr(parallel[group[last]]);
      if (last + 1 < static_cast<int64_t>(group.size())) {
        OpFoldResult inner = sizeBehind(builder, loc, dim, group.size() - 1 - last);
        if (!inner)
          continue;
        AffineExpr a = builder.getAffineDimExpr(0), b = builder.getAffineSymbolExpr(0);
        tile = affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(1, 1, a * b), {tile, inner});
      }
      tiles[dim] = tile;
    }
    return tiles;
  }

  /// Product of the last `count` dims that were collapsed into dim `dim` of the first destination.
  OpFoldResult sizeBehind(OpBuilder &builder, Location loc, int64_t dim, int64_t count) {
    auto collapse = destinations.front().getDefiningOp<tensor::CollapseShapeOp>();
    if (!collapse)
      return {};
    ReassociationIndices group = collapse.getReassociationIndices()[dim];
    auto type = collapse.getSrcType();
    int64_t product = 1;
    for (int64_t old : ArrayRef<int64_t>(group).take_back(count)) {
      if (type.isDynamicDim(old))
        return {};
      product *= type.getDimSize(old);
    }
    return builder.getIndexAttr(std::max<int64_t>(1, product));
  }

  SmallVector<OpFoldResult> defaultTiles(OpBuilder &builder, ArrayRef<OpFoldResult> extents, ArrayRef<bool> allowed,
                                         linalg::GenericOp rootOp) {
    // Work that every unit has whatever its tile: the loops that cannot be tiled.
    int64_t fixed = 1;
    bool unknown = false;
    for (Operation &op : body)
      if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        int64_t work = 1;
        for (auto [loop, size] : llvm::enumerate(generic.getStaticLoopRanges())) {
          bool parallel = false;
          for (auto [dim, ok] : llvm::enumerate(allowed))
            parallel |= ok && classes.find(classes.of(roots.front(), dim)) == classes.find(classes.of(generic, loop));
          if (parallel)
            continue;
          if (ShapedType::isDynamic(size))
            unknown = true;
          else
            work = std::min(kUnitElements, work * std::max<int64_t>(1, size));
        }
        fixed = std::max(fixed, work);
      }
    // Of what is inserted in place, only the slice is written.
    auto inserted = roots.front().getDefiningOp<tensor::InsertSliceOp>();
    bool inPlace = inserted && isOutside(inserted.getDest());
    int64_t rootWork = 1;
    for (auto [dim, extent] : llvm::enumerate(extents))
      if (std::optional<int64_t> size = getConstantIntValue(inPlace ? inserted.getMixedSizes()[dim] : extent);
          !allowed[dim] && size)
        rootWork = std::min(kUnitElements, rootWork * std::max<int64_t>(1, *size));
    fixed = std::max(fixed, rootWork);
    // Rows are walked several times and should stay in the first cache level between the walks.
    int64_t elements = schedule && schedule.getAlgorithm() == "rows" ? kUnitElements / 4 : kUnitElements;
    int64_t wanted = unknown ? 1 : std::max<int64_t>(1, elements / fixed);
    SmallVector<OpFoldResult> tiles(extents.size());
    int64_t crossed = crossedDim(rootOp);
    for (int64_t dim = extents.size() - 1; dim >= 0; --dim) {
      if (!allowed[dim])
        continue;
      if (crossed >= 0 && allowed[crossed] && allowed.back() &&
          (dim == crossed || dim + 1 == static_cast<int64_t>(extents.size()))) {
        tiles[dim] =
            builder.getIndexAttr(dim == crossed ? 64 : 256); // squares, so that both sides use their cache lines
        wanted = dim == crossed ? 1 : wanted;
        continue;
      }
      std::optional<int64_t> extent = getConstantIntValue(extents[dim]);
      if (extent && *extent <= wanted) {
        wanted /= std::max<int64_t>(1, *extent);
        continue;
      }
      // Runs of memory stay long even where each element is much work.
      int64_t tile = dim + 1 == static_cast<int64_t>(extents.size()) ? std::max<int64_t>(wanted, 128) : wanted;
      if (extent && *extent <= tile) {
        wanted = 1;
        continue;
      }
      if (extent) // a divisor keeps tiles of one static size
        for (int64_t divisor = tile; divisor > std::max<int64_t>(1, tile / 2); --divisor)
          if (*extent % divisor == 0) {
            tile = divisor;
            break;
          }
      tiles[dim] = builder.getIndexAttr(tile);
      wanted = 1;
    }
    return tiles;
  }

  /// The dim of the root along which an input of `rootOp` is contiguous where it is not along the root's last dim; -1
  /// if none.
  int64_t crossedDim(linalg::GenericOp rootOp) {
    if (!rootOp)
      return -1;
    Value root = roots.front();
    unsigned last = rankOf(root) ? classes.find(classes.of(root, rankOf(root) - 1)) : 0;
    for (OpOperand *input : rootOp.getDpsInputOperands()) {
      AffineMap map = rootOp.getMatchingIndexingMap(input);
      auto inner = map.getNumResults() ? dyn_cast<AffineDimExpr>(map.getResults().back()) : AffineDimExpr(nullptr);
      if (!inner || classes.find(classes.of(rootOp, inner.getPosition())) == last)
        continue;
      bool uses = llvm::any_of(map.getResults(), [&](AffineExpr expr) {
        auto loop = dyn_cast<AffineDimExpr>(expr);
        return loop && classes.find(classes.of(rootOp, loop.getPosition())) == last;
      });
      if (!uses)
        continue;
      for (int64_t dim = 0; dim < rankOf(root); ++dim)
        if (classes.find(classes.of(root, dim)) == classes.find(classes.of(rootOp, inner.getPosition())))
          return dim;
    }
    return -1;
  }

  TiledClass *find(unsigned node) {
    unsigned id = classes.find(node);
    for (TiledClass &candidate : tiled)
      if (candidate.id == id)
        return &candidate;
    return nullptr;
  }

  LogicalResult rewrite();
  void cloneInto(OpBuilder &builder, Operation &op);
  void cloneGeneric(OpBuilder &builder, linalg::GenericOp op);
  void cloneEmpty(OpBuilder &builder, tensor::EmptyOp op);
  void cloneExtract(OpBuilder &builder, tensor::ExtractSliceOp op);
  void cloneInsert(OpBuilder &builder, tensor::InsertSliceOp op);
  Value operandTile(OpBuilder &builder, linalg::GenericOp op, OpOperand &operand);
  Value whole(Value value) { return mapping.lookupOrDefault(value); }

  func::FuncOp kernel;
  tenon::ScheduleAttr schedule;
  DenseMap<Operation *, SmallVector<ReassociationIndices>> loopGroups;
  Block &body;
  DimClasses classes;
  llvm::DenseSet<Value> outside;
  llvm::SetVector<Operation *> views;
  llvm::DenseSet<Operation *> trailing;
  SmallVector<Value> roots, destinations;
  SmallVector<TiledClass> tiled;
  IRMapping mapping;
};

OpFoldResult apply(OpBuilder &builder, Location loc, AffineExpr expr, ArrayRef<OpFoldResult> operands) {
  return affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(operands.size(), 0, expr), operands);
}

/// A slice, or the value itself where the slice is all of it.
Value sliceOf(OpBuilder &builder, Location loc, Value value, ArrayRef<OpFoldResult> offsets,
              ArrayRef<OpFoldResult> sizes, bool partial) {
  if (!partial)
    return value;
  SmallVector<OpFoldResult> strides(offsets.size(), builder.getIndexAttr(1));
  return tensor::ExtractSliceOp::create(builder, loc, value, offsets, sizes, strides);
}

Value Tiler::operandTile(OpBuilder &builder, linalg::GenericOp op, OpOperand &operand) {
  Value original = operand.get(), value = whole(original);
  if (!isTensor(original))
    return value;
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> loopOffsets(op.getNumLoops(), builder.getIndexAttr(0)),
      loopLast(op.getNumLoops(), builder.getIndexAttr(0));
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (TiledClass *tile = find(classes.of(op, loop))) {
      loopOffsets[loop] = tile->offset;
      loopLast[loop] = apply(builder, loc, builder.getAffineDimExpr(0) - 1, {tile->size});
    }
  SmallVector<OpFoldResult> offsets, sizes;
  bool partial = false;
  for (auto [dim, expr] : llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
    offsets.push_back(builder.getIndexAttr(0));
    sizes.push_back(tensor::getMixedSize(builder, loc, value, dim));
    bool moves = false;
    expr.walk([&](AffineExpr inner) {
      if (auto loop = dyn_cast<AffineDimExpr>(inner))
        moves |= find(classes.of(op, loop.getPosition())) != nullptr;
    });
    if (!moves)
      continue;
    if (isa<AffineDimExpr>(expr)) {
      if (!isOutside(original))
        continue; // a tile already
      TiledClass *tile = find(classes.of(op, cast<AffineDimExpr>(expr).getPosition()));
      offsets.back() = tile->offset;
      sizes.back() = tile->size;
    } else {
      // Loops that are not tiled add their whole reach: it is what the dim has beyond the tiled loops' part.
      SmallVector<OpFoldResult> full(op.getNumLoops());
      SmallVector<int64_t> ranges = op.getStaticLoopRanges();
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        full[loop] =
            find(classes.of(op, loop))
                ? loopLast[loop]
                : OpFoldResult(builder.getIndexAttr(ShapedType::isDynamic(ranges[loop]) ? 0 : ranges[loop] - 1));
      AffineMap map = AffineMap::get(op.getNumLoops(), 0, expr);
      offsets.back() = affine::makeComposedFoldedAffineApply(builder, loc, map, loopOffsets);
      bool unknown = false;
      expr.walk([&](AffineExpr inner) {
        if (auto loop = dyn_cast<AffineDimExpr>(inner))
          unknown |= !find(classes.of(op, loop.getPosition())) && ShapedType::isDynamic(ranges[loop.getPosition()]);
      });
      AffineExpr a = builder.getAffineDimExpr(0), b = builder.getAffineDimExpr(1);
      sizes.back() = unknown
                         ? apply(builder, loc, a - b, {sizes.back(), offsets.back()})
                         : apply(builder, loc, a + 1, {affine::makeComposedFoldedAffineApply(builder, loc, map, full)});
    }
    partial = true;
  }
  return sliceOf(builder, loc, value, offsets, sizes, partial);
}

void Tiler::cloneGeneric(OpBuilder &builder, linalg::GenericOp op) {
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands())
    operands.push_back(operandTile(builder, op, operand));
  SmallVector<Type> types;
  for (Value init : ValueRange(operands).drop_front(op.getNumDpsInputs()))
    types.push_back(init.getType());
  for (Region &region : op->getRegions()) {
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(region, captured);
    (void)captured; // cloning maps them: whole values or outside ones
  }
  Operation *created = builder.clone(*op, mapping);
  created->setOperands(operands);
  for (auto [result, type] : llvm::zip(created->getResults(), types))
    result.setType(type);
  SmallVector<linalg::IndexOp> indices;
  created->walk([&](linalg::IndexOp index) { indices.push_back(index); });
  for (linalg::IndexOp index : indices)
    if (TiledClass *tile = find(classes.of(op, index.getDim()))) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointAfter(index);
      Value offset = getValueOrCreateConstantIndexOp(builder, op.getLoc(), tile->offset);
      auto sum = arith::AddIOp::create(builder, op.getLoc(), index, offset);
      index.getResult().replaceAllUsesExcept(sum, sum);
    }
  for (auto [old, now] : llvm::zip(op.getResults(), created->getResults()))
    mapping.map(old, now);
}

void Tiler::cloneEmpty(OpBuilder &builder, tensor::EmptyOp op) {
  SmallVector<OpFoldResult> sizes;
  for (auto [dim, size] : llvm::enumerate(op.getMixedSizes())) {
    TiledClass *tile = find(classes.of(op.getResult(), dim));
    if (tile)
      sizes.push_back(tile->size);
    else if (auto value = dyn_cast<Value>(size))
      sizes.push_back(getAsOpFoldResult(whole(value)));
    else
      sizes.push_back(size);
  }
  mapping.map(op.getResult(),
              tensor::EmptyOp::create(builder, op.getLoc(), sizes, op.getType().getElementType()).getResult());
}

SmallVector<OpFoldResult> mapped(IRMapping &mapping, ArrayRef<OpFoldResult> values) {
  SmallVector<OpFoldResult> result;
  for (OpFoldResult value : values)
    result.push_back(isa<Value>(value) ? getAsOpFoldResult(mapping.lookupOrDefault(cast<Value>(value))) : value);
  return result;
}

RankedTensorType sliceType(RankedTensorType original, ArrayRef<OpFoldResult> sizes,
                           const llvm::SmallBitVector &dropped) {
  SmallVector<int64_t> shape;
  for (auto [dim, size] : llvm::enumerate(sizes))
    if (!dropped.test(dim))
      shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, original.getElementType());
}

void Tiler::cloneExtract(OpBuilder &builder, tensor::ExtractSliceOp op) {
  Location loc = op.getLoc();
  Value source = whole(op.getSource());
  SmallVector<OpFoldResult> offsets = mapped(mapping, op.getMixedOffsets()),
                            sizes = mapped(mapping, op.getMixedSizes()),
                            strides = mapped(mapping, op.getMixedStrides());
  bool free = isOutside(op.getSource());
  forEachDim(op, [&](int64_t resultDim, int64_t dim) {
    TiledClass *tile = resultDim < 0 ? nullptr : find(classes.of(op.getResult(), resultDim));
    if (!tile)
      return;
    AffineExpr a = builder.getAffineDimExpr(0), b = builder.getAffineDimExpr(1), s = builder.getAffineSymbolExpr(0);
    if (free || !find(classes.of(op.getSource(), dim))) { // the source is whole along this dim
      OpFoldResult moved = affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(2, 1, a + b * s),
                                                                 {offsets[dim], tile->offset, strides[dim]});
      offsets[dim] = moved;
    }
    sizes[dim] = tile->size;
  });
  RankedTensorType type = sliceType(op.getType(), sizes, op.getDroppedDims());
  mapping.map(op.getResult(),
              tensor::ExtractSliceOp::create(builder, loc, type, source, offsets, sizes, strides).getResult());
}

/// `source` with the unit dims that an insertion drops. On buffers a dropped dim is told by its stride; of several unit
/// dims with unknown strides upstream takes the first one, and every stride after it is another's.
Value addUnitDims(OpBuilder &builder, Location loc, Value source, ArrayRef<OpFoldResult> sizes,
                  const llvm::SmallBitVector &dropped) {
  auto type = cast<RankedTensorType>(source.getType());
  if (dropped.none())
    return source;
  SmallVector<ReassociationIndices> groups(type.getRank());
  SmallVector<int64_t> shape;
  int64_t next = 0;
  for (auto [dim, size] : llvm::enumerate(sizes)) {
    if (!groups.empty()) // a dropped dim goes with the one before it, at the front with the first one
      groups[dropped.test(dim) ? std::max<int64_t>(next - 1, 0) : next].push_back(dim);
    next += !dropped.test(dim);
    shape.push_back(getConstantIntValue(size).value_or(ShapedType::kDynamic));
  }
  auto expanded = RankedTensorType::get(shape, type.getElementType());
  return tensor::ExpandShapeOp::create(builder, loc, expanded, source, groups, sizes);
}

void Tiler::cloneInsert(OpBuilder &builder, tensor::InsertSliceOp op) {
  Location loc = op.getLoc();
  Value source = whole(op.getSource()), destination = whole(op.getDest());
  SmallVector<OpFoldResult> offsets = mapped(mapping, op.getMixedOffsets()),
                            sizes = mapped(mapping, op.getMixedSizes()),
                            strides = mapped(mapping, op.getMixedStrides());
  SmallVector<OpFoldResult> sourceOffsets, sourceSizes, destinationOffsets, destinationSizes;
  bool sliceSource = false, sliceDestination = false;
  forEachDim(op, [&](int64_t sourceDim, int64_t dim) {
    TiledClass *tile = find(classes.of(op.getResult(), dim));
    destinationOffsets.push_back(tile ? tile->offset : builder.getIndexAttr(0));
    destinationSizes.push_back(tile ? tile->size : tensor::getMixedSize(builder, loc, destination, dim));
    sliceDestination |= tile && isOutside(op.getDest());
    if (tile)
      sizes[dim] = tile->size;
    if (sourceDim < 0)
      return;
    sourceOffsets.push_back(tile ? tile->offset : builder.getIndexAttr(0));
    sourceSizes.push_back(tile ? tile->size : tensor::getMixedSize(builder, loc, source, sourceDim));
    sliceSource |= tile && isOutside(op.getSource());
  });
  source = sliceOf(builder, loc, source, sourceOffsets, sourceSizes, sliceSource);
  destination = sliceOf(builder, loc, destination, destinationOffsets, destinationSizes, sliceDestination);
  source = addUnitDims(builder, loc, source, sizes, op.getDroppedDims());
  mapping.map(op.getResult(),
              tensor::InsertSliceOp::create(builder, loc, source, destination, offsets, sizes, strides).getResult());
}

void Tiler::cloneInto(OpBuilder &builder, Operation &op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return cloneGeneric(builder, generic);
  if (auto empty = dyn_cast<tensor::EmptyOp>(op))
    return cloneEmpty(builder, empty);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return cloneExtract(builder, slice);
  if (auto slice = dyn_cast<tensor::InsertSliceOp>(op))
    return cloneInsert(builder, slice);
  if (auto cast = dyn_cast<tensor::CastOp>(op)) {
    Value source = whole(cast.getSource());
    mapping.map(cast.getResult(), source);
    return;
  }
  builder.clone(op, mapping);
}

LogicalResult Tiler::rewrite() {
  Location loc = kernel.getLoc();
  auto terminator = cast<func::ReturnOp>(body.getTerminator());
  SmallVector<Operation *> old;
  for (Operation &op : body.without_terminator()) {
    bool keep = trailing.contains(&op) || (op.getNumResults() == 1 && outside.contains(op.getResult(0))) ||
                isa<tensor::DimOp>(op) ||
                (isMemoryEffectFree(&op) && op.getNumRegions() == 0 && !isa<tensor::ExtractOp>(op) &&
                 llvm::none_of(op.getResultTypes(), llvm::IsaPred<TensorType>) &&
                 llvm::all_of(op.getOperands(), [&](Value operand) {
                   return !operand.getDefiningOp() || !llvm::is_contained(old, operand.getDefiningOp());
                 }));
    if (!keep)
      old.push_back(&op);
  }
  // Views and scalars stay in front; a view that needs a scalar of a unit cannot be.
  for (Operation &op : body.without_terminator())
    if (!trailing.contains(&op) && !llvm::is_contained(old, &op))
      for (Value operand : op.getOperands())
        if (operand.getDefiningOp() && llvm::is_contained(old, operand.getDefiningOp()))
          return failure();

  // The loop goes where everything in front of it is known: behind all that is kept, before what it replaces leaves.
  OpBuilder builder(terminator);
  for (Operation *view : trailing)
    view->moveBefore(terminator);
  if (!trailing.empty()) {
    Operation *first = terminator;
    while (first->getPrevNode() && trailing.contains(first->getPrevNode()))
      first = first->getPrevNode();
    builder.setInsertionPoint(first);
  }
  SmallVector<OpFoldResult> lower(tiled.size(), builder.getIndexAttr(0)), upper, steps;
  for (TiledClass &tile : tiled) {
    upper.push_back(tile.extent);
    steps.push_back(tile.tile);
  }
  auto forall = scf::ForallOp::create(builder, loc, lower, upper, steps, destinations, std::nullopt);
  builder.setInsertionPointToStart(forall.getBody());
  for (auto [index, tile] : llvm::enumerate(tiled)) {
    tile.offset = forall.getInductionVars()[index];
    auto extent = getConstantIntValue(tile.extent), step = getConstantIntValue(tile.tile);
    AffineExpr iv = builder.getAffineDimExpr(0), end = builder.getAffineSymbolExpr(0),
               width = builder.getAffineSymbolExpr(1);
    if (step && *step == 1)
      tile.size = builder.getIndexAttr(1);
    else if (extent && step && *extent % *step == 0)
      tile.size = tile.tile;
    else
      tile.size = affine::makeComposedFoldedAffineMin(builder, loc,
                                                      AffineMap::get(1, 2, {width, end - iv}, builder.getContext()),
                                                      {tile.offset, tile.extent, tile.tile});
  }
  for (auto [destination, shared] : llvm::zip(destinations, forall.getRegionIterArgs())) {
    mapping.map(destination, shared);
    outside.insert(shared);
  }
  for (Operation *op : old)
    cloneInto(builder, *op);
  builder.setInsertionPointToStart(forall.getTerminator().getBody());
  for (auto [root, shared] : llvm::zip(roots, forall.getRegionIterArgs())) {
    SmallVector<OpFoldResult> offsets, sizes, strides;
    OpBuilder outer(forall.getTerminator());
    for (int64_t dim = 0; dim < rankOf(root); ++dim) {
      TiledClass *tile = find(classes.of(root, dim));
      offsets.push_back(tile ? tile->offset : builder.getIndexAttr(0));
      sizes.push_back(tile ? tile->size : tensor::getMixedSize(outer, loc, shared, dim));
      strides.push_back(builder.getIndexAttr(1));
    }
    tensor::ParallelInsertSliceOp::create(builder, loc, mapping.lookup(root), shared, offsets, sizes, strides);
  }
  for (auto [root, result] : llvm::zip(roots, forall.getResults()))
    root.replaceUsesWithIf(
        result, [&](OpOperand &use) { return use.getOwner() == terminator || trailing.contains(use.getOwner()); });
  for (Operation *op : llvm::reverse(old))
    op->erase();
  return success();
}

class TileGeneric : public tenon::impl::TileGenericBase<TileGeneric> {
  void runOnOperation() override {
    OpPassManager cleanup("func.func");
    cleanup.addPass(createCanonicalizerPass());
    cleanup.addPass(createCSEPass());
    OpPassManager cse("func.func");
    cse.addPass(createCSEPass());
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      auto schedule = kernel->getAttrOfType<tenon::ScheduleAttr>(tenon::kScheduleAttr);
      if (!kernel->hasAttr(tenon::kKernelAttr) || kernel.isExternal() ||
          (schedule && llvm::is_contained({"contract", "fft", "winograd"}, schedule.getAlgorithm())))
        continue;
      bool contracts = kernel.walk([](tenon::TileContractOp) { return WalkResult::interrupt(); }).wasInterrupted();
      if (contracts || !kernel.getBody().hasOneBlock() || kernel.getNumResults() == 0)
        continue;
      if (failed(tenon::normalizeKernel(kernel)) || failed(runPipeline(cleanup, kernel)))
        return signalPassFailure();
      auto groups = tenon::collapseKernelDims(kernel);
      if (failed(runPipeline(cse, kernel)))
        return signalPassFailure();
      (void)Tiler(kernel, schedule, std::move(groups)).run();
      if (failed(runPipeline(cleanup, kernel)))
        return signalPassFailure();
    }
  }
};

} // namespace
