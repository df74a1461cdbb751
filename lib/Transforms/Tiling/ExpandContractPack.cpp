//===- ExpandContractPack.cpp - copies of one factor's panel --------------------------===//
//
// A panel is as wide as the vector dim's register tile and holds the factor's elements in the order in which the
// micro-kernel reads them: rows far apart would fight for the same cache sets, and a factor that is contiguous
// along a reduction dim is transposed on the way, block by block in registers.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

namespace {

class Packer {
public:
  Packer(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, unsigned factor, Value panel)
      : builder(builder), contraction(contraction), tile(tile), factor(factor), panel(panel),
        source(contraction.op->getOperand(factor)), loc(contraction.op.getLoc()) {}

  void run() {
    place.assign(tile.base.begin(), tile.base.end());
    if (flatten())
      return;
    // A reduction dim that is unit-stride in the factor, alone in the last index: blocks are transposed along it.
    ArrayRef<int64_t> last = contraction.coefficients[factor].back();
    for (unsigned dim : contraction.panelDims[factor])
      if (last[dim] == 1 && last[contraction.vectorDim] == 0 && canTranspose(dim))
        along = dim;
    emitLoops(0);
  }

private:
  /// A factor whose last dims are just its reduction dims, whole and contiguous (the filter of a convolution), is one
  /// long row per lane: rows and panel are seen with one reduction dim, whatever their number. Returns false where it
  /// isn't.
  bool flatten() {
    ArrayRef<unsigned> dims = contraction.panelDims[factor];
    const auto &rows = contraction.coefficients[factor];
    auto type = cast<MemRefType>(source.getType()), panelType = cast<MemRefType>(panel.getType());
    size_t count = dims.size(), front = rows.size() - count;
    if (count < 2 || front == 0 || !panelType.hasStaticShape())
      return false;
    SmallVector<int64_t> strides;
    int64_t offset, expected = 1;
    if (failed(type.getStridesAndOffset(strides, offset)))
      return false;
    for (int64_t i = count - 1; i >= 0; --i) {
      ArrayRef<int64_t> row = rows[front + i];
      for (auto [dim, coefficient] : llvm::enumerate(row))
        if (coefficient != (dim == dims[i] ? 1 : 0))
          return false;
      if (type.getDimSize(front + i) != panelType.getDimSize(i) || strides[front + i] != expected)
        return false;
      expected *= type.getDimSize(front + i);
    }
    SmallVector<ReassociationIndices> sourceGroups, panelGroups(2);
    for (size_t i = 0; i < front; ++i)
      sourceGroups.push_back({static_cast<int64_t>(i)});
    sourceGroups.emplace_back();
    for (size_t i = 0; i < count; ++i) {
      sourceGroups.back().push_back(front + i);
      panelGroups[0].push_back(i);
    }
    panelGroups[1].push_back(count);
    // The same contraction with one reduction dim in the place of the first.
    Contraction flat = contraction;
    flat.panelDims[factor] = {dims[0]};
    flat.coefficients[factor].resize(front + 1);
    flat.extents[dims[0]] = builder.getIndexAttr(expected);
    Packer packer(builder, flat, tile, factor, memref::CollapseShapeOp::create(builder, loc, panel, panelGroups));
    packer.source = memref::CollapseShapeOp::create(builder, loc, source, sourceGroups);
    packer.run();
    return true;
  }

  /// Blocks need vectors of one width, whose lanes all exist.
  bool canTranspose(unsigned dim) {
    SmallVector<int64_t> steps = getSteps(dim);
    return isContiguous(source, steps) && llvm::isPowerOf2_64(contraction.width) &&
           !getElementTypeOrSelf(source).isInteger(1) && llvm::all_of(tile.lanes, [&](const Lanes &lanes) {
             return lanes.width == contraction.width && (!lanes.count || getConstantIntValue(lanes.count));
           });
  }

  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }
  Value add(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(loc, a, b); }

  SmallVector<int64_t> getSteps(unsigned dim) {
    SmallVector<int64_t> steps;
    for (ArrayRef<int64_t> coefficients : contraction.coefficients[factor])
      steps.push_back(coefficients[dim]);
    return steps;
  }

  /// Where in the factor: the loops' places plus `lane` along the vector dim.
  SmallVector<Value> getSource(int64_t lane) {
    SmallVector<Value> indices;
    for (ArrayRef<int64_t> coefficients : contraction.coefficients[factor]) {
      Value index = constant(coefficients[contraction.vectorDim] * lane);
      for (auto [dim, coefficient] : llvm::enumerate(coefficients))
        if (coefficient != 0 && place[dim])
          index = add(builder.createOrFold<arith::MulIOp>(loc, place[dim], constant(coefficient)), index);
      indices.push_back(index);
    }
    return indices;
  }

  SmallVector<Value> getTarget(int64_t lane, int64_t step) {
    SmallVector<Value> indices;
    for (unsigned dim : contraction.panelDims[factor])
      indices.push_back(along && dim == *along ? add(place[dim], constant(step)) : place[dim]);
    indices.push_back(constant(lane));
    return indices;
  }

  SmallVector<int64_t> getPanelSteps() {
    SmallVector<int64_t> steps(contraction.panelDims[factor].size() + 1, 0);
    steps.back() = 1;
    return steps;
  }

  void emitLoops(unsigned depth) {
    ArrayRef<unsigned> dims = contraction.panelDims[factor];
    if (depth == dims.size())
      return along ? emitBlock(contraction.width) : emitRow();
    unsigned dim = dims[depth];
    Value end = getValueOrCreateConstantIndexOp(builder, loc, contraction.extents[dim]);
    auto loop = [&](Value from, Value to, int64_t step, function_ref<void()> body) {
      auto op = scf::ForOp::create(builder, loc, from, to, constant(step));
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(op.getBody());
      place[dim] = op.getInductionVar();
      body();
      place[dim] = Value();
    };
    if (!along || dim != *along)
      return loop(constant(0), end, 1, [&] { emitLoops(depth + 1); });
    Value rest = arith::RemUIOp::create(builder, loc, end, constant(contraction.width));
    Value mainEnd = arith::SubIOp::create(builder, loc, end, rest);
    loop(constant(0), mainEnd, contraction.width, [&] { emitLoops(depth + 1); });
    std::optional<unsigned> transposed = std::exchange(along, std::nullopt);
    loop(mainEnd, end, 1, [&] { emitLoops(depth + 1); });
    along = transposed;
  }

  /// Asks for the row some steps ahead: rows are far apart, which no hardware prefetcher follows.
  void emitPrefetch(const Lanes &lanes) {
    if (contraction.panelDims[factor].empty() || !isContiguous(source, getSteps(contraction.vectorDim)))
      return;
    constexpr int64_t kAhead = 16;
    unsigned dim = contraction.panelDims[factor].back();
    Value end = getValueOrCreateConstantIndexOp(builder, loc, contraction.extents[dim]);
    Value last = builder.createOrFold<arith::SubIOp>(loc, end, constant(1)), here = place[dim];
    place[dim] = arith::MinSIOp::create(builder, loc, add(here, constant(kAhead)), last);
    memref::PrefetchOp::create(builder, loc, source, getSource(lanes.offset), /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
    place[dim] = here;
  }

  void emitRow() {
    for (const Lanes &lanes : tile.lanes) {
      emitPrefetch(lanes);
      Value row = loadVector(builder, loc, source, getSource(lanes.offset), getSteps(contraction.vectorDim),
                             lanes.width, lanes.count);
      storeVector(builder, loc, row, panel, getTarget(lanes.offset, 0), getPanelSteps());
    }
  }

  /// width x width elements: loaded along the reduction dim, stored along the lanes.
  void emitBlock(int64_t width) {
    for (const Lanes &lanes : tile.lanes) {
      int64_t count = lanes.count ? *getConstantIntValue(lanes.count) : width;
      SmallVector<Value> rows;
      for (int64_t lane = 0; lane < width; ++lane) {
        if (lane >= count) {
          rows.push_back(rows.front());
          continue;
        }
        rows.push_back(loadVector(builder, loc, source, getSource(lanes.offset + lane), getSteps(*along), width));
      }
      transposeBlocks(builder, loc, rows);
      for (int64_t step = 0; step < width; ++step)
        storeVector(builder, loc, rows[step], panel, getTarget(lanes.offset, step), getPanelSteps());
    }
  }

  OpBuilder &builder;
  const Contraction &contraction;
  const MicroTile &tile;
  unsigned factor;
  Value panel, source; // source: the factor, or a flat view of it
  Location loc;
  SmallVector<Value> place;
  std::optional<unsigned> along;
};

} // namespace

void contract::emitPack(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile, unsigned factor,
                        Value panel) {
  Packer(builder, contraction, tile, factor, panel).run();
}
