//===- Pool.cpp - tenon.pool as linalg --------------------------------------------------===//
//
// Windows of few taps are an element-wise op over shifted (and strided) slices of the padded input; larger ones are
// that along one dim after the other. Windows that cover the input are plain reductions. The rest are reductions over a
// window, whose sizes an operand without data carries.
//
//===----------------------------------------------------------------------===//
#include "Common.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// Above this many taps a window is a loop, not a chain of operations.
constexpr int64_t kMaxUnrolledTaps = 16;

class PoolLowering {
public:
  PoolLowering(IRRewriter &rewriter, PoolOp op)
      : rewriter(rewriter), op(op), build{rewriter, op.getLoc()}, n(op.getSpatialRank()), kind(op.getKind()),
        element(cast<ShapedType>(op.getResult().getType()).getElementType()) {
    bool narrow = isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32;
    sumType = kind != PoolKind::max && narrow ? Type(rewriter.getF32Type()) : element;
  }
  LogicalResult run();

private:
  TypedAttr lowest();
  /// What an element contributes, and how contributions combine.
  Value contribution(OpBuilder &b, Location loc, Value scalar);
  Value combine(OpBuilder &b, Location loc, Value sum, Value scalar);
  /// The windows along `dims`; the input is still as long as it was along the others.
  Value unrolled(Value padded, ArrayRef<int64_t> dims);
  Value separable(Value padded);
  Value windowed(Value padded);
  Value reduced();
  Value finish(Value sums);
  /// Per result position along dim i: how many taps count.
  Value counts(int64_t i);
  LogicalResult lowerWithIndices(Value padded);
  Value padInput();

  IRRewriter &rewriter;
  PoolOp op;
  TensorBuilder build;
  int64_t n;
  PoolKind kind;
  Type element, sumType;
  Sizes sizes;
  int64_t firstDim = 0; ///< the spatial dim whose taps see elements of the input; others see sums
};

TypedAttr PoolLowering::lowest() {
  if (auto type = dyn_cast<FloatType>(element))
    return rewriter.getFloatAttr(type, APFloat::getInf(type.getFloatSemantics(), /*Negative=*/true));
  return rewriter.getIntegerAttr(element, APInt::getSignedMinValue(element.getIntOrFloatBitWidth()));
}

Value PoolLowering::contribution(OpBuilder &b, Location loc, Value scalar) {
  scalar = TensorBuilder{b, loc}.convert(scalar, sumType);
  if (kind != PoolKind::lp)
    return scalar;
  int64_t p = op.getP();
  if (p == 1)
    return math::AbsFOp::create(b, loc, scalar);
  if (p == 2)
    return arith::MulFOp::create(b, loc, scalar, scalar);
  Value power = TensorBuilder{b, loc}.constant(sumType, static_cast<double>(p));
  return math::PowFOp::create(b, loc, math::AbsFOp::create(b, loc, scalar), power);
}

Value PoolLowering::combine(OpBuilder &b, Location loc, Value sum, Value scalar) {
  if (kind != PoolKind::max)
    return arith::AddFOp::create(b, loc, sum, scalar);
  if (isa<FloatType>(element))
    return arith::MaximumFOp::create(b, loc, sum, scalar);
  return arith::MaxSIOp::create(b, loc, sum, scalar);
}

/// The input with its pads, and with what windows that ceil_mode adds read beyond them.
Value PoolLowering::padInput() {
  SmallVector<int64_t> low(n + 2, 0);
  SmallVector<OpFoldResult> high(n + 2, build.index(0));
  Sizes input = build.sizesOf(op.getInput());
  for (int64_t i = 0; i < n; ++i) {
    low[i + 2] = op.getPads()[i];
    high[i + 2] = build.index(op.getPads()[n + i]);
    if (op.getCeilMode()) {
      int64_t stride = op.getStrides()[i], reach = op.getDilations()[i] * (op.getKernel()[i] - 1) + 1;
      high[i + 2] = build.max(
          build.apply((build.sym(0) - 1) * stride + (reach - low[i + 2]) - build.sym(1), {sizes[i + 2], input[i + 2]}),
          0);
    }
  }
  Value padding = kind == PoolKind::max ? arith::ConstantOp::create(rewriter, op.getLoc(), lowest()).getResult()
                                        : build.constant(element, 0);
  return build.window(op.getInput(), low, high, padding);
}

Value PoolLowering::unrolled(Value padded, ArrayRef<int64_t> dims) {
  Sizes result = build.sizesOf(padded), offsets(n + 2, build.index(0));
  SmallVector<int64_t> strides(n + 2, 1), kernel, tap(dims.size(), 0);
  for (int64_t i : dims) {
    result[i + 2] = sizes[i + 2];
    strides[i + 2] = op.getStrides()[i];
    kernel.push_back(op.getKernel()[i]);
  }
  SmallVector<Value> slices;
  for (bool more = true; more;) {
    for (auto [i, k] : llvm::zip(dims, tap))
      offsets[i + 2] = build.index(k * op.getDilations()[i]);
    slices.push_back(build.slice(padded, offsets, result, strides));
    more = false;
    for (int64_t j = dims.size() - 1; j >= 0 && !more; --j) {
      more = ++tap[j] < kernel[j];
      if (!more)
        tap[j] = 0;
    }
  }
  bool partial = cast<ShapedType>(padded.getType()).getElementType() == sumType && dims.front() != firstDim;
  auto contribute = [&](OpBuilder &b, Location loc, Value scalar) {
    return partial ? scalar : contribution(b, loc, scalar);
  };
  SmallVector<AffineMap> maps(slices.size(), rewriter.getMultiDimIdentityMap(n + 2));
  return build.elementwise(result, sumType, slices, maps, [&](OpBuilder &b, Location loc, ValueRange args) {
    Value sum = contribute(b, loc, args[0]);
    for (Value arg : args.drop_front())
      sum = combine(b, loc, sum, contribute(b, loc, arg));
    return sum;
  });
}

/// One dim after the other.
Value PoolLowering::separable(Value padded) {
  for (int64_t i = n - 1; i >= 0; --i)
    padded = unrolled(padded, {i});
  return padded;
}

/// A reduction over loops k of the input at o * stride + k * dilation.
Value PoolLowering::windowed(Value padded) {
  if (kind != PoolKind::max) // powers once, not once per window
    padded =
        build.elementwise(build.sizesOf(padded), sumType, padded, rewriter.getMultiDimIdentityMap(n + 2),
                          [&](OpBuilder &b, Location loc, ValueRange args) { return contribution(b, loc, args[0]); });
  SmallVector<AffineExpr> in, taps, out;
  SmallVector<OpFoldResult> kernel;
  SmallVector<utils::IteratorType> iterators(n + 2, utils::IteratorType::parallel);
  iterators.resize(2 * n + 2, utils::IteratorType::reduction);
  for (int64_t i = 0; i < n + 2; ++i) {
    out.push_back(build.dim(i));
    in.push_back(i < 2 ? build.dim(i)
                       : build.dim(i) * op.getStrides()[i - 2] + build.dim(i + n) * op.getDilations()[i - 2]);
  }
  for (int64_t i = 0; i < n; ++i) {
    taps.push_back(build.dim(n + 2 + i));
    kernel.push_back(build.index(op.getKernel()[i]));
  }
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(2 * n + 2, 0, exprs, rewriter.getContext()); };
  Value start = kind == PoolKind::max ? arith::ConstantOp::create(rewriter, op.getLoc(), lowest()).getResult()
                                      : build.constant(sumType, 0);
  Value init = build.filled(sizes, start);
  return linalg::GenericOp::create(rewriter, op.getLoc(), init.getType(),
                                   ValueRange{padded, build.empty(kernel, sumType)}, init,
                                   {map(in), map(taps), map(out)}, iterators,
                                   [&](OpBuilder &b, Location loc, ValueRange args) {
                                     Value sum = combine(b, loc, args[2], args[0]);
                                     linalg::YieldOp::create(b, loc, sum);
                                   })
      .getResult(0);
}

/// One window that covers the whole input.
Value PoolLowering::reduced() {
  SmallVector<ReassociationIndices> groups{{0}, {1}, {}};
  for (int64_t i = 0; i < n; ++i)
    groups[2].push_back(i + 2);
  Value flat = build.collapse(op.getInput(), groups);
  Value start = kind == PoolKind::max ? arith::ConstantOp::create(rewriter, op.getLoc(), lowest()).getResult()
                                      : build.constant(sumType, 0);
  Value init = build.filled({sizes[0], sizes[1]}, start);
  MLIRContext *context = rewriter.getContext();
  Value sums =
      linalg::GenericOp::create(
          rewriter, op.getLoc(), init.getType(), flat, init,
          {AffineMap::getMultiDimIdentityMap(3, context), AffineMap::get(3, 0, {build.dim(0), build.dim(1)}, context)},
          {utils::IteratorType::parallel, utils::IteratorType::parallel, utils::IteratorType::reduction},
          [&](OpBuilder &b, Location loc, ValueRange args) {
            linalg::YieldOp::create(b, loc, combine(b, loc, args[1], contribution(b, loc, args[0])));
          })
          .getResult(0);
  groups.pop_back();
  for (int64_t i = 0; i < n; ++i)
    groups[1].push_back(i + 2);
  return build.expand(sums, groups, sizes);
}

Value PoolLowering::counts(int64_t i) {
  int64_t kernel = op.getKernel()[i], stride = op.getStrides()[i], dilation = op.getDilations()[i],
          pad = op.getPads()[i];
  int64_t lowest = op.getCountIncludePad() ? -pad : 0;
  Value end = build.indexValue(build.apply(build.sym(0) + (op.getCountIncludePad() ? op.getPads()[n + i] : 0),
                                           {build.sizesOf(op.getInput())[i + 2]}));
  return build.elementwise({sizes[i + 2]}, sumType, {}, {}, [&](OpBuilder &b, Location loc, ValueRange) -> Value {
    auto number = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
    // Taps k with lowest <= start + k * dilation < end.
    Value start = arith::SubIOp::create(
        b, loc, arith::MulIOp::create(b, loc, linalg::IndexOp::create(b, loc, 0), number(stride)), number(pad));
    auto firstAtLeast = [&](Value bound) -> Value {
      Value k = arith::CeilDivSIOp::create(b, loc, arith::SubIOp::create(b, loc, bound, start), number(dilation));
      return arith::MinSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, k, number(0)), number(kernel));
    };
    Value count = arith::SubIOp::create(b, loc, firstAtLeast(end), firstAtLeast(number(lowest)));
    return arith::SIToFPOp::create(b, loc, sumType, arith::IndexCastOp::create(b, loc, b.getI64Type(), count));
  });
}

/// Means and roots.
Value PoolLowering::finish(Value sums) {
  if (kind == PoolKind::max)
    return sums;
  SmallVector<Value> inputs{sums};
  SmallVector<AffineMap> maps{rewriter.getMultiDimIdentityMap(n + 2)};
  double wholeWindow = 1;
  if (kind == PoolKind::average)
    for (int64_t i = 0; i < n; ++i) {
      bool padded = op.getPads()[i] != 0 || op.getPads()[n + i] != 0;
      if ((padded && !op.getCountIncludePad()) || op.getCeilMode()) {
        inputs.push_back(counts(i));
        maps.push_back(AffineMap::get(n + 2, 0, {build.dim(i + 2)}, rewriter.getContext()));
      } else {
        wholeWindow *= static_cast<double>(op.getKernel()[i]);
      }
    }
  return build.elementwise(sizes, element, inputs, maps, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    TensorBuilder body{b, loc};
    Value value = args[0];
    if (kind == PoolKind::average) {
      Value count = body.constant(sumType, wholeWindow);
      for (Value factor : args.drop_front())
        count = arith::MulFOp::create(b, loc, count, factor);
      value = arith::DivFOp::create(b, loc, value, count);
    } else if (op.getP() == 2) {
      value = math::SqrtOp::create(b, loc, value);
    } else if (op.getP() != 1) {
      value = math::PowFOp::create(b, loc, value, body.constant(sumType, 1.0 / static_cast<double>(op.getP())));
    }
    return body.convert(value, element);
  });
}

/// Maximum and its position in one reduction; position -1 says that nothing was seen yet.
LogicalResult PoolLowering::lowerWithIndices(Value padded) {
  Location loc = op.getLoc();
  SmallVector<AffineExpr> in, taps, out;
  SmallVector<OpFoldResult> kernel;
  SmallVector<utils::IteratorType> iterators(n + 2, utils::IteratorType::parallel);
  iterators.resize(2 * n + 2, utils::IteratorType::reduction);
  for (int64_t i = 0; i < n + 2; ++i) {
    out.push_back(build.dim(i));
    in.push_back(i < 2 ? build.dim(i)
                       : build.dim(i) * op.getStrides()[i - 2] + build.dim(i + n) * op.getDilations()[i - 2]);
  }
  for (int64_t i = 0; i < n; ++i) {
    taps.push_back(build.dim(n + 2 + i));
    kernel.push_back(build.index(op.getKernel()[i]));
  }
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(2 * n + 2, 0, exprs, rewriter.getContext()); };
  SmallVector<Value> extents =
      llvm::map_to_vector(build.sizesOf(op.getInput()), [&](OpFoldResult size) { return build.indexValue(size); });
  Type i64 = rewriter.getI64Type();
  Value values = build.filled(sizes, arith::ConstantOp::create(rewriter, loc, lowest()));
  Value positions = build.filled(sizes, build.constant(i64, -1));
  auto generic = linalg::GenericOp::create(
      rewriter, loc, TypeRange{values.getType(), positions.getType()}, ValueRange{padded, build.empty(kernel, element)},
      ValueRange{values, positions}, {map(in), map(taps), map(out), map(out)}, iterators,
      [&](OpBuilder &b, Location loc, ValueRange args) {
        auto number = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
        auto add = [&](Value x, Value y) -> Value { return arith::AddIOp::create(b, loc, x, y); };
        auto mul = [&](Value x, Value y) -> Value { return arith::MulIOp::create(b, loc, x, y); };
        auto loop = [&](int64_t i) -> Value { return linalg::IndexOp::create(b, loc, i); };
        SmallVector<Value> at{loop(0), loop(1)};
        Value inside = arith::ConstantIntOp::create(b, loc, 1, 1);
        for (int64_t i = 0; i < n; ++i) {
          Value position =
              add(mul(loop(i + 2), number(op.getStrides()[i])), mul(loop(n + 2 + i), number(op.getDilations()[i])));
          position = arith::SubIOp::create(b, loc, position, number(op.getPads()[i]));
          at.push_back(position);
          for (auto [predicate, bound] :
               {std::pair{arith::CmpIPredicate::sge, number(0)}, {arith::CmpIPredicate::slt, extents[i + 2]}})
            inside = arith::AndIOp::create(b, loc, inside, arith::CmpIOp::create(b, loc, predicate, position, bound));
        }
        Value flat = at[0];
        flat = add(mul(flat, extents[1]), at[1]);
        for (int64_t i = 0; i < n; ++i) {
          int64_t dim = op.getColumnMajor() ? n + 1 - i : i + 2;
          flat = add(mul(flat, extents[dim]), at[dim]);
        }
        flat = arith::IndexCastOp::create(b, loc, i64, flat);
        Value best = args[2], where = args[3], value = args[0], better;
        if (isa<FloatType>(element)) {
          better = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, value, best);
          Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, value, value);
          Value wasNumber = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::ORD, best, best);
          better = arith::OrIOp::create(b, loc, better, arith::AndIOp::create(b, loc, isNaN, wasNumber));
        } else {
          better = arith::CmpIOp::create(b, loc, arith::CmpIPredicate::sgt, value, best);
        }
        Value first =
            arith::CmpIOp::create(b, loc, arith::CmpIPredicate::slt, where, TensorBuilder{b, loc}.constant(i64, 0));
        Value take = arith::AndIOp::create(b, loc, inside, arith::OrIOp::create(b, loc, first, better));
        Value newBest = arith::SelectOp::create(b, loc, take, value, best);
        Value newWhere = arith::SelectOp::create(b, loc, take, flat, where);
        linalg::YieldOp::create(b, loc, ValueRange{newBest, newWhere});
      });
  rewriter.replaceOp(op, {build.castTo(generic.getResult(0), op.getResult().getType()),
                          build.castTo(generic.getResult(1), op.getIndices().getType())});
  return success();
}

LogicalResult PoolLowering::run() {
  rewriter.setInsertionPoint(op);
  sizes = resultSizes(rewriter, op);
  if (llvm::any_of(sizes, [](OpFoldResult size) { return known(size) == 0; })) {
    SmallVector<Value> none;
    for (Type type : op->getResultTypes())
      none.push_back(build.castTo(build.empty(sizes, cast<ShapedType>(type).getElementType()), type));
    rewriter.replaceOp(op, none);
    return success();
  }
  if (op.getIndices())
    return lowerWithIndices(padInput());

  auto input = cast<ShapedType>(op.getInput().getType());
  int64_t taps = 1;
  bool whole = true;
  for (int64_t i = 0; i < n; ++i) {
    taps = llvm::SaturatingMultiply<uint64_t>(taps, op.getKernel()[i]) > 1u << 20 ? 1 << 20 : taps * op.getKernel()[i];
    whole &= op.getPads()[i] == 0 && op.getPads()[n + i] == 0 && op.getDilations()[i] == 1 &&
             input.getDimSize(i + 2) == op.getKernel()[i];
  }
  Value sums;
  bool few = llvm::all_of(op.getKernel(), [](int64_t size) { return size <= kMaxUnrolledTaps; });
  if (whole) {
    sums = reduced();
  } else if (taps <= kMaxUnrolledTaps) {
    sums = unrolled(padInput(), llvm::to_vector(llvm::seq<int64_t>(0, n)));
  } else if (few) {
    firstDim = n - 1;
    sums = separable(padInput());
  } else {
    sums = windowed(padInput());
  }
  rewriter.replaceOp(op, build.castTo(finish(sums), op.getResult().getType()));
  return success();
}

} // namespace

LogicalResult tenon::tolinalg::lower(IRRewriter &rewriter, PoolOp op) { return PoolLowering(rewriter, op).run(); }
