//===- ExpandContract.cpp - tenon.tile_contract on buffers to loops over register tiles ---===//
//
// What is known of a contraction, and which versions of its loops are made: with factors packed or read in place, codes
// decoded once or by each tile.
//
//===----------------------------------------------------------------------===//
#include "ExpandContract.h"
#include "tenon/Transforms/Passes.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDCONTRACT
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

Contraction::Contraction(TileContractOp op)
    : op(op), vectorDim(op.getVectorDim()), width(op.getVectorWidth()), decodes(op.hasDecode()) {
  for (AffineMap map : op.getMaps())
    coefficients.push_back(*getLinearCoefficients(map));
  if (vectorDim < 0 || width <= 1) {
    vectorDim = -1;
    width = 1;
  }
  for (unsigned factor = 0; factor < 2; ++factor)
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
      if (op.isReduction(dim) && op.getMaps()[factor].isFunctionOfDim(dim))
        panelDims[factor].push_back(dim);
}

bool Contraction::hasChunks() const {
  if (op.getChunk() == 0)
    return false;
  std::optional<int64_t> extent = getConstantIntValue(extents[op.getReductionDims().front()]);
  return !extent || *extent > static_cast<int64_t>(op.getChunk());
}

Contraction Contraction::withDecodedPanels() const {
  Contraction decoded = *this;
  decoded.panelDims[1] = op.getReductionDims();
  decoded.decodes = false;
  return decoded;
}

OpFoldResult contract::countRows(OpBuilder &builder, const Contraction &contraction, unsigned factor) {
  TileContractOp op = contraction.op;
  Location loc = op.getLoc();
  int64_t fixed = 1;
  Value rows;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    if (op.isReduction(dim) || op.getMaps()[factor].isFunctionOfDim(dim))
      continue;
    if (std::optional<int64_t> extent = getConstantIntValue(contraction.extents[dim])) {
      fixed *= *extent;
      continue;
    }
    Value extent = cast<Value>(contraction.extents[dim]);
    rows = rows ? arith::MulIOp::create(builder, loc, rows, extent).getResult() : extent;
  }
  if (!rows)
    return builder.getIndexAttr(fixed);
  return arith::MulIOp::create(builder, loc, rows, arith::ConstantIndexOp::create(builder, loc, fixed)).getResult();
}

namespace {

/// Whether what is decoded for one tile serves all others of the same lanes.
bool canDecodePanels(const Contraction &contraction) {
  TileContractOp op = contraction.op;
  SmallVector<AffineMap> maps = op.getMaps();
  if (op.getDecodeRows() == 0 || contraction.vectorDim < 0 || !maps[1].isFunctionOfDim(contraction.vectorDim))
    return false;
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
    if (op.isReduction(dim) || static_cast<int64_t>(dim) == contraction.vectorDim)
      continue;
    bool moves = maps[1].isFunctionOfDim(dim);
    if (moves && op.getRegisterTile(dim) > 1)
      return false;
    for (unsigned number = op.getFirstDecodeExtra(); number < contraction.getOutIndex(); ++number)
      if (!moves && maps[number].isFunctionOfDim(dim))
        return false;
  }
  return true;
}

/// Packing pays by its rows. Where their number is not known before run time, and the factor can be read in place as
/// well, both are made.
void expandPacked(OpBuilder &builder, const Contraction &contraction, const Contraction *coded) {
  // Below this many rows a panel is not read often enough.
  constexpr int64_t kRowsThatPay = 24;
  TileContractOp op = contraction.op;
  Location loc = op.getLoc();
  Value rows;
  bool contiguous = contraction.vectorDim >= 0;
  for (int64_t factor : op.getPack()) {
    SmallVector<int64_t> steps;
    for (ArrayRef<int64_t> coefficients : contraction.coefficients[factor])
      steps.push_back(contiguous ? coefficients[contraction.vectorDim] : 0);
    contiguous &= isContiguous(op->getOperand(factor), steps);
    bool known = true;
    for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
      if (!op.isReduction(dim) && !op.getMaps()[factor].isFunctionOfDim(dim))
        known &= getConstantIntValue(contraction.extents[dim]).has_value();
    if (known)
      continue;
    Value count = cast<Value>(countRows(builder, contraction, factor));
    rows = rows ? arith::MulIOp::create(builder, loc, rows, count).getResult() : count;
  }
  if (!rows || !contiguous) {
    emitTileLoops(builder, contraction, coded, /*packs=*/true);
    return;
  }
  Value many = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, rows,
                                     arith::ConstantIndexOp::create(builder, loc, kRowsThatPay));
  auto branch = scf::IfOp::create(builder, loc, many, /*withElseRegion=*/true);
  for (bool packed : {true, false}) {
    OpBuilder inside = OpBuilder::atBlockBegin(packed ? branch.thenBlock() : branch.elseBlock());
    emitTileLoops(inside, contraction, coded, /*packs=*/packed || coded);
  }
}

/// Codes are decoded once for all rows where these are many enough.
void expand(OpBuilder &builder, const Contraction &contraction) {
  if (!canDecodePanels(contraction))
    return expandPacked(builder, contraction, nullptr);
  TileContractOp op = contraction.op;
  Contraction decoded = contraction.withDecodedPanels();
  int64_t least = op.getDecodeRows();
  OpFoldResult rows = countRows(builder, contraction, 1);
  std::optional<int64_t> fixed = getConstantIntValue(rows);
  if (least <= 1 || (fixed && *fixed >= least))
    return expandPacked(builder, decoded, &contraction);
  if (fixed)
    return expandPacked(builder, contraction, nullptr);
  Location loc = op.getLoc();
  Value many = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge, cast<Value>(rows),
                                     arith::ConstantIndexOp::create(builder, loc, least));
  auto branch = scf::IfOp::create(builder, loc, many, /*withElseRegion=*/true);
  OpBuilder inside = OpBuilder::atBlockBegin(branch.thenBlock());
  expandPacked(inside, decoded, &contraction);
  inside.setInsertionPointToStart(branch.elseBlock());
  expandPacked(inside, contraction, nullptr);
}

class ExpandContract : public tenon::impl::ExpandContractBase<ExpandContract> {
  void runOnOperation() override {
    SmallVector<TileContractOp> ops;
    getOperation()->walk([&](TileContractOp op) { ops.push_back(op); });
    for (TileContractOp op : ops) {
      if (op.getResult()) {
        op.emitOpError("expected buffers: contractions are expanded after bufferization");
        return signalPassFailure();
      }
      OpBuilder builder(op);
      Contraction contraction(op);
      for (unsigned dim = 0; dim < op.getNumLoops(); ++dim) {
        auto [source, position] = op.getExtentSource(dim);
        auto type = cast<MemRefType>(source.getType());
        contraction.extents.push_back(
            type.isDynamicDim(position)
                ? OpFoldResult(builder.createOrFold<memref::DimOp>(op.getLoc(), source, position))
                : OpFoldResult(builder.getIndexAttr(type.getDimSize(position))));
      }
      for (OpFoldResult &extent : contraction.extents)
        if (auto fixed = getConstantIntValue(extent))
          extent = builder.getIndexAttr(*fixed);
      expand(builder, contraction);
      op.erase();
    }
  }
};

} // namespace
