//===- Resize.cpp - tenon.resize as linalg ------------------------------------------------===//
//
// Interpolation is separable: one gather per resized dim, with the input coordinates of that dim's result positions in
// a small tensor of their own. Nearest with a whole-numbered scale is a broadcast.
//
//===----------------------------------------------------------------------===//
#include "Common.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// Scalar f32 arithmetic with operators, so that the formulas of the spec can be read.
struct Scalar {
  OpBuilder *b;
  Location loc;
  Value v;

  Scalar(OpBuilder &b, Location loc, Value v) : b(&b), loc(loc), v(v) {}

  Scalar with(Value value) const { return {*b, loc, value}; }
  Scalar operator+(const Scalar &o) const { return with(arith::AddFOp::create(*b, loc, v, o.v)); }
  Scalar operator-(const Scalar &o) const { return with(arith::SubFOp::create(*b, loc, v, o.v)); }
  Scalar operator*(const Scalar &o) const { return with(arith::MulFOp::create(*b, loc, v, o.v)); }
  Scalar operator/(const Scalar &o) const { return with(arith::DivFOp::create(*b, loc, v, o.v)); }
  Value compare(arith::CmpFPredicate predicate, const Scalar &o) const {
    return arith::CmpFOp::create(*b, loc, predicate, v, o.v);
  }
  Scalar number(double value) const { return with(TensorBuilder{*b, loc}.constant(v.getType(), value)); }
  Scalar select(Value condition, const Scalar &otherwise) const {
    return with(arith::SelectOp::create(*b, loc, condition, v, otherwise.v));
  }
};

class ResizeLowering {
public:
  ResizeLowering(IRRewriter &rewriter, ResizeOp op)
      : rewriter(rewriter), op(op), build{rewriter, op.getLoc()}, f32(rewriter.getF32Type()),
        i64(rewriter.getI64Type()) {}
  LogicalResult run();

private:
  bool keeps(int64_t dim);
  bool repeats(int64_t dim);
  Scalar coordinate(int64_t dim, Scalar o, Scalar size, Scalar outSize);
  float coordinate(int64_t dim, float o);
  /// f32 input coordinates of the result positions along `dim`.
  Value coordinates(int64_t dim);
  Scalar round(Scalar position);
  /// Weight of a neighbour at `distance` (in units of the kernel).
  Scalar kernel(Scalar distance);
  Value clampedIndex(OpBuilder &b, Location loc, Value position, Value size);
  Value gatherNearest();
  Value repeat(Value x, ArrayRef<int64_t> dims);
  Value interpolate(Value x, int64_t dim);
  Value interpolateWide(Value x, int64_t dim);
  Value finish(Value x);

  IRRewriter &rewriter;
  ResizeOp op;
  TensorBuilder build;
  Type f32, i64, element, sumType;
  int64_t rank;
  Sizes in, out;
  SmallVector<int64_t> dims; ///< those that change
};

bool ResizeLowering::keeps(int64_t dim) {
  if (op.getCoordinates() == ResizeCoordinates::crop_and_resize &&
      (op.getRoi()[dim] != 0 || op.getRoi()[rank + dim] != 1))
    return false;
  bool unitScale = op.getScales().empty() || op.getScales()[dim] == 1;
  return unitScale && known(in[dim]) && known(in[dim]) == known(out[dim]);
}

Scalar ResizeLowering::coordinate(int64_t dim, Scalar o, Scalar size, Scalar outSize) {
  bool given = !op.getScales().empty();
  double scale = given ? op.getScales()[dim] : 0;
  auto unscaled = [&](Scalar x) { return given ? x / o.number(scale) : x * size / outSize; };
  Scalar length = given ? o.number(scale) * size : outSize, one = o.number(1), zero = o.number(0), half = o.number(0.5);
  auto halfPixel = [&] { return unscaled(o + half) - half; };
  Value single = length.compare(arith::CmpFPredicate::OEQ, one);
  switch (op.getCoordinates()) {
  case ResizeCoordinates::half_pixel:
    return halfPixel();
  case ResizeCoordinates::half_pixel_symmetric:
    return halfPixel() + size * half * (one - outSize / length);
  case ResizeCoordinates::pytorch_half_pixel:
    return halfPixel().select(length.compare(arith::CmpFPredicate::OGT, one), zero);
  case ResizeCoordinates::align_corners:
    return zero.select(single, o * (size - one) / (length - one));
  case ResizeCoordinates::asymmetric:
    return unscaled(o);
  case ResizeCoordinates::crop_and_resize:
    break;
  }
  Scalar start = o.number(op.getRoi()[dim]), end = o.number(op.getRoi()[rank + dim]);
  Scalar middle = half * (start + end) * (size - one);
  return middle.select(single, start * (size - one) + o * (end - start) * (size - one) / (length - one));
}

/// The same for known sizes, for the question whether a scale is a whole number.
float ResizeLowering::coordinate(int64_t dim, float o) {
  float size = *known(in[dim]), outSize = *known(out[dim]);
  bool given = !op.getScales().empty();
  auto unscaled = [&](float x) { return given ? x / op.getScales()[dim] : x * size / outSize; };
  float length = given ? op.getScales()[dim] * size : outSize;
  switch (op.getCoordinates()) {
  case ResizeCoordinates::half_pixel:
    return unscaled(o + 0.5f) - 0.5f;
  case ResizeCoordinates::half_pixel_symmetric:
    return unscaled(o + 0.5f) - 0.5f + size * 0.5f * (1 - outSize / length);
  case ResizeCoordinates::pytorch_half_pixel:
    return length > 1 ? unscaled(o + 0.5f) - 0.5f : 0;
  case ResizeCoordinates::align_corners:
    return length == 1 ? 0 : o * (size - 1) / (length - 1);
  case ResizeCoordinates::asymmetric:
    return unscaled(o);
  case ResizeCoordinates::crop_and_resize:
    break;
  }
  return -1;
}

/// Whether nearest only repeats each element a whole number of times.
bool ResizeLowering::repeats(int64_t dim) {
  std::optional<int64_t> size = known(in[dim]), outSize = known(out[dim]);
  if (!size || !outSize || *size == 0 || *outSize % *size != 0 || *outSize > 65536 ||
      op.getCoordinates() == ResizeCoordinates::crop_and_resize)
    return false;
  for (int64_t o = 0; o < *outSize; ++o) {
    float i = coordinate(dim, static_cast<float>(o)), rounded = 0;
    switch (op.getRounding()) {
    case ResizeRounding::round_prefer_floor:
      rounded = std::ceil(i - 0.5f);
      break;
    case ResizeRounding::round_prefer_ceil:
      rounded = std::floor(i + 0.5f);
      break;
    case ResizeRounding::floor:
      rounded = std::floor(i);
      break;
    case ResizeRounding::ceil:
      rounded = std::ceil(i);
      break;
    }
    if (std::clamp<float>(rounded, 0, *size - 1) != static_cast<float>(o / (*outSize / *size)))
      return false;
  }
  return true;
}

Scalar ResizeLowering::round(Scalar position) {
  auto floor = [&](Scalar x) { return x.with(math::FloorOp::create(*x.b, x.loc, x.v)); };
  auto ceil = [&](Scalar x) { return x.with(math::CeilOp::create(*x.b, x.loc, x.v)); };
  switch (op.getRounding()) {
  case ResizeRounding::round_prefer_floor:
    return ceil(position - position.number(0.5));
  case ResizeRounding::round_prefer_ceil:
    return floor(position + position.number(0.5));
  case ResizeRounding::floor:
    return floor(position);
  case ResizeRounding::ceil:
    break;
  }
  return ceil(position);
}

static Scalar toFloat(OpBuilder &b, Location loc, Value index, Type type) {
  return {b, loc, arith::SIToFPOp::create(b, loc, type, arith::IndexCastOp::create(b, loc, b.getI64Type(), index))};
}

Value ResizeLowering::coordinates(int64_t dim) {
  Value size = build.indexValue(in[dim]), outSize = build.indexValue(out[dim]);
  return build.elementwise({out[dim]}, f32, {}, {}, [&](OpBuilder &b, Location loc, ValueRange) {
    Scalar o = toFloat(b, loc, linalg::IndexOp::create(b, loc, 0), f32);
    return coordinate(dim, o, toFloat(b, loc, size, f32), toFloat(b, loc, outSize, f32)).v;
  });
}

/// A whole-numbered f32 as an index in [0, size).
Value ResizeLowering::clampedIndex(OpBuilder &b, Location loc, Value position, Value size) {
  Scalar p{b, loc, position}, zero = p.number(0);
  Scalar last = toFloat(b, loc, size, f32) - p.number(1);
  p = zero.select(p.compare(arith::CmpFPredicate::ULT, zero), p);
  p = last.select(p.compare(arith::CmpFPredicate::OGT, last), p);
  Value index = arith::IndexCastOp::create(b, loc, b.getIndexType(), arith::FPToSIOp::create(b, loc, i64, p.v));
  // Sizes above 2^24 are rounded as f32.
  Value lastIndex = arith::SubIOp::create(b, loc, size, arith::ConstantIndexOp::create(b, loc, 1));
  return arith::MinSIOp::create(b, loc, index, lastIndex);
}

Value ResizeLowering::repeat(Value x, ArrayRef<int64_t> repeated) {
  Sizes sizes, from = build.sizesOf(x);
  SmallVector<AffineExpr> source;
  SmallVector<ReassociationIndices> joins;
  for (int64_t i = 0; i < rank; ++i) {
    source.push_back(build.dim(sizes.size()));
    joins.push_back({static_cast<int64_t>(sizes.size())});
    sizes.push_back(from[i]);
    if (llvm::is_contained(repeated, i)) {
      joins.back().push_back(sizes.size());
      sizes.push_back(build.index(*known(out[i]) / *known(in[i])));
    }
  }
  Value spread = build.elementwise(sizes, element, x, AffineMap::get(sizes.size(), 0, source, rewriter.getContext()),
                                   [](OpBuilder &, Location, ValueRange args) { return args[0]; });
  return build.collapse(spread, joins);
}

Value ResizeLowering::gatherNearest() {
  SmallVector<int64_t> repeated, gathered;
  for (int64_t dim : dims)
    (repeats(dim) ? repeated : gathered).push_back(dim);
  Value x = op.getInput();
  if (!gathered.empty()) {
    SmallVector<Value> indices;
    SmallVector<AffineMap> maps;
    Sizes sizes = build.sizesOf(x);
    for (int64_t dim : gathered) {
      Value size = build.indexValue(in[dim]);
      indices.push_back(build.elementwise({out[dim]}, i64, coordinates(dim), rewriter.getMultiDimIdentityMap(1),
                                          [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                            Value index = clampedIndex(b, loc, round({b, loc, args[0]}).v, size);
                                            return arith::IndexCastOp::create(b, loc, i64, index);
                                          }));
      maps.push_back(AffineMap::get(rank, 0, {build.dim(dim)}, rewriter.getContext()));
      sizes[dim] = out[dim];
    }
    Value source = x;
    x = build.elementwise(sizes, element, indices, maps, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
      SmallVector<Value> at;
      for (int64_t i = 0; i < rank; ++i)
        at.push_back(linalg::IndexOp::create(b, loc, i));
      for (auto [dim, index] : llvm::zip(gathered, args))
        at[dim] = arith::IndexCastOp::create(b, loc, b.getIndexType(), index);
      return tensor::ExtractOp::create(b, loc, source, at);
    });
  }
  return repeated.empty() ? x : repeat(x, repeated);
}

Scalar ResizeLowering::kernel(Scalar distance) {
  Scalar x = distance.with(math::AbsFOp::create(*distance.b, distance.loc, distance.v));
  Scalar one = x.number(1), two = x.number(2), zero = x.number(0);
  if (op.getMode() == ResizeMode::linear)
    return (one - x).select(x.compare(arith::CmpFPredicate::OLT, one), zero);
  double a = op.getCubicCoefficient().convertToFloat();
  Scalar inner = ((x.number(a + 2) * x - x.number(a + 3)) * x) * x + one;
  Scalar outer = ((x.number(a) * x - x.number(5 * a)) * x + x.number(8 * a)) * x - x.number(4 * a);
  return inner.select(x.compare(arith::CmpFPredicate::OLE, one),
                      outer.select(x.compare(arith::CmpFPredicate::OLT, two), zero));
}

/// Two or four neighbours, all in one element-wise op.
Value ResizeLowering::interpolate(Value x, int64_t dim) {
  int64_t reach = op.getMode() == ResizeMode::linear ? 1 : 2;
  Sizes sizes = build.sizesOf(x);
  sizes[dim] = out[dim];
  Value size = build.indexValue(in[dim]);
  return build.elementwise(sizes, sumType, coordinates(dim),
                           AffineMap::get(rank, 0, {build.dim(dim)}, rewriter.getContext()),
                           [&](OpBuilder &b, Location loc, ValueRange args) {
                             TensorBuilder body{b, loc};
                             Scalar position{b, loc, args[0]},
                                 low = position.with(math::FloorOp::create(b, loc, args[0])), zero = position.number(0);
                             Scalar last = toFloat(b, loc, size, f32) - position.number(1), total = zero;
                             SmallVector<Value> at;
                             for (int64_t i = 0; i < rank; ++i)
                               at.push_back(linalg::IndexOp::create(b, loc, i));
                             std::optional<Scalar> sum;
                             for (int64_t t = 1 - reach; t <= reach; ++t) {
                               Scalar neighbour = low + position.number(t), weight = kernel(position - neighbour);
                               if (op.getExcludeOutside()) {
                                 weight = zero.select(neighbour.compare(arith::CmpFPredicate::OLT, zero), weight);
                                 weight = zero.select(neighbour.compare(arith::CmpFPredicate::OGT, last), weight);
                                 total = total + weight;
                               }
                               at[dim] = clampedIndex(b, loc, neighbour.v, size);
                               Scalar value{b, loc, body.convert(tensor::ExtractOp::create(b, loc, x, at), sumType)};
                               Scalar term = value * value.with(body.convert(weight.v, sumType));
                               sum = sum ? *sum + term : term;
                             }
                             if (op.getExcludeOutside())
                               sum = *sum / sum->with(body.convert(total.v, sumType));
                             return sum->v;
                           });
}

/// Antialiasing: as many neighbours as 1/scale asks for, as a loop; normalised.
Value ResizeLowering::interpolateWide(Value x, int64_t dim) {
  double reach = op.getMode() == ResizeMode::linear ? 1 : 2;
  bool given = !op.getScales().empty();
  Value size = build.indexValue(in[dim]), outSize = build.indexValue(out[dim]);
  // The scale as a value, at most 1, and the first neighbour's offset: floor(-reach / scale) + 1.
  Location loc = op.getLoc();
  Scalar one{rewriter, loc, build.constant(f32, 1)};
  Scalar scale = given ? one.number(op.getScales()[dim])
                       : toFloat(rewriter, loc, outSize, f32) / toFloat(rewriter, loc, size, f32);
  scale = one.select(scale.compare(arith::CmpFPredicate::OGT, one), scale);
  Scalar first = one.with(math::FloorOp::create(rewriter, loc, (one.number(-reach) / scale).v)) + one;
  Scalar count = one.number(2) - first - first;
  OpFoldResult taps;
  if (given) {
    double s = std::min<double>(op.getScales()[dim], 1);
    float start = std::floor(static_cast<float>(-reach) / static_cast<float>(s)) + 1;
    taps = build.index(static_cast<int64_t>(2 - 2 * start));
  } else {
    Value wide = arith::FPToSIOp::create(rewriter, loc, i64, count.v);
    taps = arith::IndexCastOp::create(rewriter, loc, rewriter.getIndexType(), wide).getResult();
  }
  Value positions = coordinates(dim);
  AffineMap byRow = AffineMap::get(2, 0, {build.dim(0)}, rewriter.getContext());
  auto neighbour = [&](OpBuilder &b, Location loc, Value position) {
    Scalar low{b, loc, math::FloorOp::create(b, loc, position)};
    return low + low.with(first.v) + toFloat(b, loc, linalg::IndexOp::create(b, loc, 1), f32);
  };
  Value weights =
      build.elementwise({out[dim], taps}, f32, positions, byRow, [&](OpBuilder &b, Location loc, ValueRange args) {
        Scalar position{b, loc, args[0]}, at = neighbour(b, loc, args[0]), zero = position.number(0);
        Scalar weight = kernel((at - position) * position.with(scale.v));
        if (op.getExcludeOutside()) {
          Scalar last = toFloat(b, loc, size, f32) - position.number(1);
          weight = zero.select(at.compare(arith::CmpFPredicate::OLT, zero), weight);
          weight = zero.select(at.compare(arith::CmpFPredicate::OGT, last), weight);
        }
        return weight.v;
      });
  Value indices = build.elementwise({out[dim], taps}, i64, positions, byRow,
                                    [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
                                      Value index = clampedIndex(b, loc, neighbour(b, loc, args[0]).v, size);
                                      return arith::IndexCastOp::create(b, loc, i64, index);
                                    });
  Value totals = build.filled({out[dim]}, build.constant(f32, 0));
  totals = linalg::GenericOp::create(
               rewriter, loc, totals.getType(), weights, totals, {rewriter.getMultiDimIdentityMap(2), byRow},
               {utils::IteratorType::parallel, utils::IteratorType::reduction},
               [](OpBuilder &b, Location loc, ValueRange args) {
                 linalg::YieldOp::create(b, loc, arith::AddFOp::create(b, loc, args[0], args[1]).getResult());
               })
               .getResult(0);
  Sizes sizes = build.sizesOf(x);
  sizes[dim] = out[dim];
  Value sums = build.filled(sizes, build.constant(sumType, 0));
  auto map = [&](ArrayRef<AffineExpr> exprs) { return AffineMap::get(rank + 1, 0, exprs, rewriter.getContext()); };
  SmallVector<AffineExpr> result;
  for (int64_t i = 0; i < rank; ++i)
    result.push_back(build.dim(i));
  SmallVector<utils::IteratorType> iterators(rank, utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  AffineMap table = map({build.dim(dim), build.dim(rank)});
  return linalg::GenericOp::create(
             rewriter, loc, sums.getType(), ValueRange{weights, totals, indices}, sums,
             {table, map({build.dim(dim)}), table, map(result)}, iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               TensorBuilder body{b, loc};
               SmallVector<Value> at;
               for (int64_t i = 0; i < rank; ++i)
                 at.push_back(linalg::IndexOp::create(b, loc, i));
               at[dim] = arith::IndexCastOp::create(b, loc, b.getIndexType(), args[2]);
               Scalar value{b, loc, body.convert(tensor::ExtractOp::create(b, loc, x, at), sumType)};
               Scalar weight = Scalar{b, loc, args[0]} / Scalar{b, loc, args[1]};
               Scalar sum = value.with(args[3]) + value * value.with(body.convert(weight.v, sumType));
               linalg::YieldOp::create(b, loc, sum.v);
             })
      .getResult(0);
}

/// What is outside a crop, and the element type.
Value ResizeLowering::finish(Value x) {
  Type have = cast<ShapedType>(x.getType()).getElementType();
  SmallVector<Value> inputs{x};
  SmallVector<AffineMap> maps{rewriter.getMultiDimIdentityMap(rank)};
  SmallVector<Value> sizes;
  if (op.getCoordinates() == ResizeCoordinates::crop_and_resize)
    for (int64_t dim : dims) {
      inputs.push_back(coordinates(dim));
      maps.push_back(AffineMap::get(rank, 0, {build.dim(dim)}, rewriter.getContext()));
      sizes.push_back(build.indexValue(in[dim]));
    }
  if (have == element && inputs.size() == 1)
    return x;
  double outside = op.getExtrapolationValue().convertToFloat();
  return build.elementwise(out, element, inputs, maps, [&](OpBuilder &b, Location loc, ValueRange args) -> Value {
    TensorBuilder body{b, loc};
    Value value = args[0];
    if (have != element && isa<IntegerType>(element)) { // saturate; limits that the float type holds exactly
      unsigned bits = element.getIntOrFloatBitWidth();
      double low = -std::ldexp(1.0, bits - 1), high = std::ldexp(1.0, bits - 1) - (bits == 64 ? 1024.0 : 1.0);
      Scalar v{b, loc, value};
      v = v.number(low).select(v.compare(arith::CmpFPredicate::OLT, v.number(low)), v);
      v = v.number(high).select(v.compare(arith::CmpFPredicate::OGT, v.number(high)), v);
      v = v.number(0).select(v.compare(arith::CmpFPredicate::UNO, v), v);
      value = v.v;
    }
    value = body.convert(value, element);
    for (auto [position, size] : llvm::zip(args.drop_front(), sizes)) {
      Scalar p{b, loc, position}, last = toFloat(b, loc, size, f32) - p.number(1);
      Value isOutside = arith::OrIOp::create(b, loc, p.compare(arith::CmpFPredicate::OLT, p.number(0)),
                                             p.compare(arith::CmpFPredicate::OGT, last));
      value = arith::SelectOp::create(b, loc, isOutside, body.constant(element, outside), value);
    }
    return value;
  });
}

LogicalResult ResizeLowering::run() {
  rewriter.setInsertionPoint(op);
  auto type = cast<RankedTensorType>(op.getResult().getType());
  element = type.getElementType();
  bool wide = (isa<IntegerType>(element) && element.getIntOrFloatBitWidth() >= 32) || element.isF64();
  sumType = wide ? Type(rewriter.getF64Type()) : f32;
  rank = type.getRank();
  in = build.sizesOf(op.getInput());
  out = resultSizes(rewriter, op);
  if (llvm::is_contained(type.getShape(), 0)) {
    rewriter.replaceOp(op, build.empty(out, element));
    return success();
  }
  for (int64_t i = 0; i < rank; ++i)
    if (!keeps(i))
      dims.push_back(i);
  Value x = op.getInput();
  if (op.getMode() == ResizeMode::nearest)
    x = gatherNearest();
  else
    for (int64_t dim : dims)
      x = op.getAntialias() ? interpolateWide(x, dim) : interpolate(x, dim);
  rewriter.replaceOp(op, build.castTo(finish(x), type));
  return success();
}

} // namespace

LogicalResult tenon::tolinalg::lower(IRRewriter &rewriter, ResizeOp op) { return ResizeLowering(rewriter, op).run(); }
