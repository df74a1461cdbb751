//===- ExpandTransform.cpp - tenon.tile_transform on buffers to vectors ------------------===//
//
// Loops over the parallel dims around straight-line code: a load per tap, few multiply-adds, a store per row.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/LinearMaps.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Transforms/Passes.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDTRANSFORM
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// A sum of values with constant factors.
using Terms = SmallVector<std::pair<double, Value>>;

class Expander {
public:
  Expander(TileTransformOp op, int64_t lanes)
      : op(op), builder(op), loc(op.getLoc()), lanes(lanes), window(op.getOutMap().getNumDims() - 1),
        laneDim(cast<AffineDimExpr>(op.getOutMap().getResults().back()).getPosition()) {}

  void run() {
    ivs.assign(window, Value());
    for (AffineExpr result : op.getOutMap().getResults())
      if (unsigned dim = cast<AffineDimExpr>(result).getPosition(); dim != window && dim != laneDim)
        loops.push_back(dim);
    loopOver(loops);
    op.erase();
  }

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  OpFoldResult extentOf(unsigned dim) {
    unsigned position = *op.getOutMap().getResultPosition(getAffineDimExpr(dim, op.getContext()));
    return memref::getMixedSize(builder, loc, op.getOut(), position);
  }

  void loopOver(ArrayRef<unsigned> todo) {
    if (todo.empty())
      return forEachVector(builder, loc, extentOf(laneDim), lanes,
                           [&](Value lane, OpFoldResult count) { emit(lane, count); });
    Value end = getValueOrCreateConstantIndexOp(builder, loc, extentOf(todo.front()));
    auto loop = scf::ForOp::create(builder, loc, constant(0), end, constant(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    ivs[todo.front()] = loop.getInductionVar();
    loopOver(todo.drop_front());
  }

  SmallVector<Value> indicesOf(AffineMap map, int64_t number) {
    SmallVector<Value> dims(ivs), indices;
    dims.push_back(constant(number));
    for (AffineExpr expr : map.getResults())
      indices.push_back(affine::expandAffineExpr(builder, loc, expr, dims, {}));
    return indices;
  }

  void emit(Value lane, OpFoldResult count) {
    ivs[laneDim] = lane;
    SmallVector<int64_t> inSteps(op.getInMap().getNumResults(), 0), outSteps(op.getOutMap().getNumResults(), 0);
    inSteps.back() = outSteps.back() = 1;
    auto rows = static_cast<int64_t>(op.getRows()), taps = op.getTaps();
    SmallVector<Value> columns(taps);
    for (int64_t k = 0; k < taps; ++k)
      if (llvm::any_of(llvm::seq(rows), [&](int64_t row) { return at(row, k) != 0; }))
        columns[k] = loadVector(builder, loc, op.getIn(), indicesOf(op.getInMap(), k), inSteps, lanes, count);
    for (auto [row, value] : llvm::enumerate(computeRows(columns)))
      storeVector(builder, loc, value, op.getOut(), indicesOf(op.getOutMap(), row), outSteps, count);
  }

  double at(int64_t row, int64_t column) { return op.getCoefficients()[row * op.getTaps() + column]; }

  /// Neighbouring columns that each row adds or subtracts alike, as the powers of p and -p, are replaced by their sum
  /// and difference; then neighbouring rows that are e + o and e - o, as the polynomials of p and -p, share e and o.
  SmallVector<Value> computeRows(ArrayRef<Value> columns) {
    auto rows = static_cast<int64_t>(op.getRows()), taps = op.getTaps();
    SmallVector<Terms> terms(rows);
    for (int64_t k = 0; k < taps; ++k) {
      auto pairs = [&](int64_t row) { return std::abs(at(row, k)) == std::abs(at(row, k + 1)); };
      bool both = k + 1 < taps && llvm::all_of(llvm::seq(rows), pairs) && columns[k];
      Value sum, difference;
      for (int64_t row = 0; row < rows; ++row) {
        double factor = at(row, k);
        if (factor == 0)
          continue;
        if (!both) {
          terms[row].push_back({factor, columns[k]});
        } else if (factor == at(row, k + 1)) {
          if (!sum)
            sum = arith::AddFOp::create(builder, loc, columns[k], columns[k + 1]);
          terms[row].push_back({factor, sum});
        } else {
          if (!difference)
            difference = arith::SubFOp::create(builder, loc, columns[k], columns[k + 1]);
          terms[row].push_back({factor, difference});
        }
      }
      k += both;
    }
    SmallVector<Value> results;
    for (int64_t row = 0; row < rows; ++row) {
      Terms even, odd;
      if (row + 1 < rows && splitEvenOdd(terms[row], terms[row + 1], even, odd)) {
        Value e = sumOf(even), o = sumOf(odd);
        results.push_back(arith::AddFOp::create(builder, loc, e, o));
        results.push_back(arith::SubFOp::create(builder, loc, e, o));
        ++row;
        continue;
      }
      results.push_back(sumOf(terms[row]));
    }
    return results;
  }

  static bool splitEvenOdd(const Terms &a, const Terms &b, Terms &even, Terms &odd) {
    if (a.size() != b.size())
      return false;
    for (auto [x, y] : llvm::zip(a, b)) {
      if (x.second != y.second || std::abs(x.first) != std::abs(y.first))
        return false;
      (x.first == y.first ? even : odd).push_back(x);
    }
    return !even.empty() && !odd.empty();
  }

  /// The terms of factor 1 first: each other one is a multiply-add then.
  Value sumOf(Terms terms) {
    Type type = getElementTypeOrSelf(op.getOut().getType());
    auto splatOf = [&](double factor) {
      Value scalar = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, factor));
      return splat(builder, loc, scalar, lanes);
    };
    if (terms.empty())
      return splatOf(0);
    llvm::stable_sort(terms, [](auto &a, auto &b) { return a.first == 1 && b.first != 1; });
    Value sum;
    for (auto [factor, value] : terms) {
      if (!sum)
        sum = factor == 1 ? value : arith::MulFOp::create(builder, loc, value, splatOf(factor)).getResult();
      else if (factor == 1)
        sum = arith::AddFOp::create(builder, loc, sum, value);
      else if (factor == -1)
        sum = arith::SubFOp::create(builder, loc, sum, value);
      else
        sum = math::FmaOp::create(builder, loc, value, splatOf(factor), sum);
    }
    return sum;
  }

  TileTransformOp op;
  OpBuilder builder;
  Location loc;
  int64_t lanes;
  unsigned window, laneDim;
  SmallVector<unsigned> loops;
  SmallVector<Value> ivs; // per parallel dim
};

class ExpandTransform : public tenon::impl::ExpandTransformBase<ExpandTransform> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      SmallVector<TileTransformOp> ops;
      kernel.walk([&](TileTransformOp op) {
        if (isa<MemRefType>(op.getOut().getType()))
          ops.push_back(op);
      });
      for (TileTransformOp op : ops)
        Expander(op, schedule ? schedule.getVectorWidth() : 1).run();
    }
  }
};

} // namespace
