//===- FftNetwork.cpp - Fourier transforms as straight-line code ---------------------------===//
//
// Cooley and Tukey's recursion with butterflies of 4, 2 and 3. Real elements have mirrored spectra, so half of each is
// computed and the other half read off; the inverse of a mirrored spectrum does the same from the other end.
//
//===----------------------------------------------------------------------===//
#include "FftNetwork.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include <cmath>

using namespace mlir;
using namespace tenon;

static int64_t getRadix(int64_t size) { return size % 4 == 0 ? 4 : size % 2 == 0 ? 2 : 3; }

static FftNumber conjugate(FftNumber a) { return {a.re, -a.im}; }

/// a * i, for a sign of -1: a * -i.
static FftNumber turn(FftNumber a, int sign) { return sign > 0 ? FftNumber{-a.im, a.re} : FftNumber{a.im, -a.re}; }

Value FftNetwork::splatOf(double factor, Value like) {
  Type element = getElementTypeOrSelf(like.getType());
  Value scalar = arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, factor));
  return splat(builder, loc, scalar, lanes);
}

FftPart FftNetwork::add(FftPart a, FftPart b) {
  if (!a.value)
    return b;
  if (!b.value)
    return a;
  if (a.isNegative == b.isNegative)
    return {arith::AddFOp::create(builder, loc, a.value, b.value), a.isNegative};
  if (a.isNegative)
    std::swap(a, b);
  return {arith::SubFOp::create(builder, loc, a.value, b.value), false};
}

FftPart FftNetwork::scale(FftPart a, double factor) {
  if (!a.value || factor == 0)
    return {};
  bool isNegative = a.isNegative != (factor < 0);
  if (std::abs(factor) == 1)
    return {a.value, isNegative};
  return {arith::MulFOp::create(builder, loc, a.value, splatOf(std::abs(factor), a.value)), isNegative};
}

FftPart FftNetwork::scaleAdd(FftPart a, double factor, FftPart b) {
  if (!a.value || factor == 0)
    return b;
  if (!b.value || std::abs(factor) == 1)
    return add(scale(a, factor), b);
  // b's sign is the sum's.
  double signedFactor = a.isNegative == b.isNegative ? factor : -factor;
  return {math::FmaOp::create(builder, loc, a.value, splatOf(signedFactor, a.value), b.value), b.isNegative};
}

FftNumber FftNetwork::twiddle(FftNumber a, int64_t step, int64_t size, int sign) {
  step %= size;
  if (step == 0)
    return a;
  if (4 * step == size)
    return turn(a, sign);
  if (2 * step == size)
    return {-a.re, -a.im};
  if (4 * step == 3 * size)
    return turn(a, -sign);
  constexpr double kTwoPi = 6.283185307179586476925286766559;
  double angle = kTwoPi * static_cast<double>(step) / static_cast<double>(size);
  double re = std::cos(angle), im = sign * std::sin(angle);
  return {scaleAdd(a.im, -im, scale(a.re, re)), scaleAdd(a.im, re, scale(a.re, im))};
}

FftNumber FftNetwork::multiply(FftNumber a, FftNumber b) {
  auto product = [&](FftPart x, FftPart y) -> FftPart {
    if (!x.value || !y.value)
      return {};
    return {arith::MulFOp::create(builder, loc, x.value, y.value), x.isNegative != y.isNegative};
  };
  auto productAdd = [&](FftPart x, FftPart y, FftPart sum) -> FftPart {
    if (!x.value || !y.value)
      return sum;
    if (!sum.value)
      return product(x, y);
    bool isNegative = x.isNegative != y.isNegative;
    if (isNegative == sum.isNegative)
      return {math::FmaOp::create(builder, loc, x.value, y.value, sum.value), sum.isNegative};
    Value negated = arith::NegFOp::create(builder, loc, x.value);
    return {math::FmaOp::create(builder, loc, negated, y.value, sum.value), sum.isNegative};
  };
  return {productAdd(a.im, -b.im, product(a.re, b.re)), productAdd(a.im, b.re, product(a.re, b.im))};
}

Value FftNetwork::materialize(FftPart part, Type element) {
  if (!part.value)
    return splat(builder, loc, arith::ConstantOp::create(builder, loc, builder.getFloatAttr(element, 0)), lanes);
  return part.isNegative ? arith::NegFOp::create(builder, loc, part.value).getResult() : part.value;
}

SmallVector<FftNumber> FftNetwork::butterfly(ArrayRef<FftNumber> a, int sign) {
  if (a.size() == 2)
    return {add(a[0], a[1]), subtract(a[0], a[1])};
  if (a.size() == 3) {
    double half = std::sqrt(0.75) * sign;
    FftNumber sum = add(a[1], a[2]), difference = subtract(a[1], a[2]);
    FftNumber middle{scaleAdd(sum.re, -0.5, a[0].re), scaleAdd(sum.im, -0.5, a[0].im)};
    return {add(a[0], sum),
            {scaleAdd(difference.im, -half, middle.re), scaleAdd(difference.re, half, middle.im)},
            {scaleAdd(difference.im, half, middle.re), scaleAdd(difference.re, -half, middle.im)}};
  }
  FftNumber even = add(a[0], a[2]), odd = subtract(a[0], a[2]), sum = add(a[1], a[3]);
  FftNumber turned = turn(subtract(a[1], a[3]), sign);
  return {add(even, sum), add(odd, turned), subtract(even, sum), subtract(odd, turned)};
}

SmallVector<FftNumber> FftNetwork::forward(ArrayRef<FftNumber> elements, bool isReal) {
  constexpr int sign = -1;
  auto size = static_cast<int64_t>(elements.size());
  if (size == 1)
    return SmallVector<FftNumber>(elements);
  int64_t radix = getRadix(size), part = size / radix;
  SmallVector<SmallVector<FftNumber>> parts;
  for (int64_t i = 0; i < radix; ++i) {
    SmallVector<FftNumber> every;
    for (int64_t k = i; k < size; k += radix)
      every.push_back(elements[k]);
    parts.push_back(forward(every, isReal));
  }
  SmallVector<FftNumber> results(size);
  for (int64_t k = 0; k < (isReal ? part / 2 + 1 : part); ++k) {
    SmallVector<FftNumber> factors;
    for (int64_t i = 0; i < radix; ++i)
      factors.push_back(twiddle(parts[i][k], i * k, size, sign));
    for (auto [j, value] : llvm::enumerate(butterfly(factors, sign))) {
      int64_t place = k + static_cast<int64_t>(j) * part;
      results[place] = value;
      if (isReal && place != 0)
        results[size - place] = conjugate(value);
    }
  }
  return results;
}

SmallVector<FftNumber> FftNetwork::backward(ArrayRef<FftNumber> elements, bool isMirrored) {
  constexpr int sign = 1;
  auto size = static_cast<int64_t>(elements.size());
  if (size == 1)
    return {isMirrored ? FftNumber{elements[0].re, {}} : elements[0]};
  int64_t radix = getRadix(size), part = size / radix;
  SmallVector<SmallVector<FftNumber>> parts(radix, SmallVector<FftNumber>(part));
  for (int64_t k = 0; k < (isMirrored ? part / 2 + 1 : part); ++k) {
    SmallVector<FftNumber> factors;
    for (int64_t i = 0; i < radix; ++i)
      factors.push_back(elements[k + i * part]);
    for (auto [j, value] : llvm::enumerate(butterfly(factors, sign))) {
      parts[j][k] = twiddle(value, static_cast<int64_t>(j) * k, size, sign);
      if (isMirrored && k != 0)
        parts[j][part - k] = conjugate(parts[j][k]);
    }
  }
  SmallVector<FftNumber> results(size);
  for (int64_t j = 0; j < radix; ++j)
    for (auto [m, value] : llvm::enumerate(backward(parts[j], isMirrored)))
      results[j + static_cast<int64_t>(m) * radix] = value;
  return results;
}
