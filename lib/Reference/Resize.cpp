//===- Resize.cpp - what tenon.resize computes -----------------------------------------------===//
#include "ConvFamily.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

/// A neighbour along one dim and how much of it is taken.
struct Tap {
  int64_t index;
  float weight;
};

class Interpolation {
public:
  Interpolation(ResizeOp op, int64_t dim, int64_t size, int64_t outSize, int64_t rank)
      : op(op), dim(dim), rank(rank), size(size), outSize(outSize) {
    scaled = !op.getScales().empty();
    scale = scaled ? op.getScales()[dim] : static_cast<float>(outSize) / static_cast<float>(size);
    length = scaled ? scale * static_cast<float>(size) : static_cast<float>(outSize);
    bool cropped = !op.getRoi().empty() && (op.getRoi()[dim] != 0 || op.getRoi()[rank + dim] != 1);
    keeps = scale == 1 && size == outSize && !cropped;
  }

  float coordinate(int64_t o) const;
  bool isOutside(int64_t o) const {
    float i = keeps ? o : coordinate(o);
    return op.getCoordinates() == ResizeCoordinates::crop_and_resize && (i < 0 || i > static_cast<float>(size - 1));
  }
  SmallVector<Tap> taps(int64_t o) const;

private:
  float kernel(float distance) const;
  int64_t clamp(float i) const {
    return std::clamp<int64_t>(static_cast<int64_t>(std::clamp(i, -1e9f, 9e18f)), 0, size - 1);
  }

  mutable ResizeOp op; // accessors of ops are not const
  int64_t dim, rank, size, outSize;
  float scale, length;
  bool scaled, keeps;
};

float Interpolation::coordinate(int64_t position) const {
  float o = position, d = size, count = outSize;
  auto unscaled = [&](float x) { return scaled ? x / scale : x * d / count; };
  switch (op.getCoordinates()) {
  case ResizeCoordinates::half_pixel:
    return unscaled(o + 0.5f) - 0.5f;
  case ResizeCoordinates::half_pixel_symmetric:
    return unscaled(o + 0.5f) - 0.5f + d * 0.5f * (1 - count / length);
  case ResizeCoordinates::pytorch_half_pixel:
    return length > 1 ? unscaled(o + 0.5f) - 0.5f : 0;
  case ResizeCoordinates::align_corners:
    return length == 1 ? 0 : o * (d - 1) / (length - 1);
  case ResizeCoordinates::asymmetric:
    return unscaled(o);
  case ResizeCoordinates::crop_and_resize:
    break;
  }
  float start = op.getRoi()[dim], end = op.getRoi()[rank + dim];
  return length == 1 ? 0.5f * (start + end) * (d - 1) : start * (d - 1) + o * (end - start) * (d - 1) / (length - 1);
}

float Interpolation::kernel(float distance) const {
  float x = std::abs(distance), a = op.getCubicCoefficient().convertToFloat();
  if (op.getMode() == ResizeMode::linear)
    return std::max(0.0f, 1 - x);
  if (x <= 1)
    return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

SmallVector<Tap> Interpolation::taps(int64_t o) const {
  if (keeps)
    return {{o, 1}};
  float i = coordinate(o);
  if (op.getMode() == ResizeMode::nearest) {
    switch (op.getRounding()) {
    case ResizeRounding::round_prefer_floor:
      return {{clamp(std::ceil(i - 0.5f)), 1}};
    case ResizeRounding::round_prefer_ceil:
      return {{clamp(std::floor(i + 0.5f)), 1}};
    case ResizeRounding::floor:
      return {{clamp(std::floor(i)), 1}};
    case ResizeRounding::ceil:
      return {{clamp(std::ceil(i)), 1}};
    }
  }
  float reach = op.getMode() == ResizeMode::linear ? 1 : 2;
  float narrow = op.getAntialias() ? std::min(scale, 1.0f) : 1;
  SmallVector<Tap> result;
  float total = 0, low = std::floor(i), first = std::floor(-reach / narrow) + 1;
  for (float j = low + first; j < low + 2 - first; ++j) {
    float weight = kernel((j - i) * narrow);
    if (op.getExcludeOutside() && (j < 0 || j > static_cast<float>(size - 1)))
      weight = 0;
    total += weight;
    result.push_back({clamp(j), weight});
  }
  if (op.getAntialias() || op.getExcludeOutside())
    for (Tap &tap : result)
      tap.weight /= total;
  return result;
}

} // namespace

Numbers tenon::reference::evaluate(ResizeOp op, const Numbers &input, ArrayRef<int64_t> sizes) {
  auto type = cast<ShapedType>(op.getResult().getType());
  Type element = type.getElementType();
  SmallVector<int64_t> shape(type.getShape());
  unsigned next = 0;
  for (int64_t &size : shape)
    if (ShapedType::isDynamic(size))
      size = std::max<int64_t>(0, sizes[next++]);
  int64_t rank = shape.size();
  SmallVector<Interpolation> dims;
  for (int64_t i = 0; i < rank; ++i)
    dims.emplace_back(op, i, input.shape[i], shape[i], rank);

  Numbers result(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> out) {
    SmallVector<SmallVector<Tap>> taps;
    SmallVector<int64_t> counts;
    bool outside = false;
    for (int64_t i = 0; i < rank; ++i) {
      taps.push_back(dims[i].taps(out[i]));
      counts.push_back(taps.back().size());
      outside |= dims[i].isOutside(out[i]);
    }
    if (outside) {
      result.at(out) = roundTo(element, op.getExtrapolationValue().convertToFloat());
      return;
    }
    Number sum = 0;
    forEachIndex(counts, [&](ArrayRef<int64_t> choice) {
      SmallVector<int64_t> in;
      Number weight = 1;
      for (int64_t i = 0; i < rank; ++i) {
        in.push_back(taps[i][choice[i]].index);
        weight *= taps[i][choice[i]].weight;
      }
      if (op.getMode() == ResizeMode::nearest)
        sum = input.at(in);
      else
        sum += weight * input.at(in);
    });
    if (op.getMode() != ResizeMode::nearest && isa<IntegerType>(element)) {
      Number limit = std::ldexp(Number(1), static_cast<int>(element.getIntOrFloatBitWidth()) - 1);
      sum = std::isnan(sum) ? 0 : std::clamp<Number>(std::trunc(sum), -limit, limit - 1);
    }
    result.at(out) = roundTo(element, sum);
  });
  return result;
}
