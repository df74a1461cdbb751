//===- Conv.cpp - what tenon.conv computes ---------------------------------------------------===//
#include "ConvFamily.h"

#include "llvm/ADT/APFloat.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

Numbers::Numbers(ArrayRef<int64_t> shape, Number fill) : shape(shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  values.assign(count, fill);
}

Number &Numbers::at(ArrayRef<int64_t> index) {
  int64_t flat = 0;
  for (auto [size, i] : llvm::zip(shape, index))
    flat = flat * size + i;
  return values[flat];
}

void tenon::reference::forEachIndex(ArrayRef<int64_t> shape, llvm::function_ref<void(ArrayRef<int64_t>)> visit) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  for (bool more = true; more;) {
    visit(index);
    more = false;
    for (int64_t i = shape.size(); i-- > 0 && !more;) {
      more = ++index[i] < shape[i];
      if (!more)
        index[i] = 0;
    }
  }
}

Number tenon::reference::roundTo(Type type, Number value) {
  if (type.isF64())
    return static_cast<double>(value);
  if (type.isF32())
    return static_cast<float>(value);
  if (auto floatType = dyn_cast<FloatType>(type)) { // from f32, as sums are kept there
    APFloat number(static_cast<float>(value));
    bool inexact;
    number.convert(floatType.getFloatSemantics(), APFloat::rmNearestTiesToEven, &inexact);
    number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &inexact);
    return number.convertToFloat();
  }
  unsigned bits = type.getIntOrFloatBitWidth();
  // Beyond 2^63 only sums and products of integers come here, whose low bits count.
  auto wide = static_cast<__int128>(value);
  return llvm::SignExtend64(static_cast<uint64_t>(wide), bits);
}

/// The place in the input that tap k of result position o reads; for transposed ones, where input position o goes.
static int64_t position(int64_t o, int64_t k, int64_t stride, int64_t dilation, int64_t pad) {
  return o * stride + k * dilation - pad;
}

Numbers tenon::reference::evaluate(ConvOp op, const Numbers &input, const Numbers &filter, const Numbers *bias) {
  int64_t n = op.getSpatialRank(), groups = op.getGroups();
  bool transposed = op.getTransposed();
  Type sumType = op.getAccumulatorType(), element = cast<ShapedType>(op.getResult().getType()).getElementType();
  int64_t outer = filter.shape[op.getFilterOuterDim()], inner = filter.shape[op.getFilterChannelDim()];
  int64_t channelsPerGroup = transposed ? outer / groups : inner, filtersPerGroup = transposed ? inner : outer / groups;

  SmallVector<int64_t> shape(input.shape), taps(n);
  shape[op.getChannelDim()] = filtersPerGroup * groups;
  for (int64_t i = 0; i < n; ++i) {
    int64_t &size = shape[op.getSpatialDim(i)];
    taps[i] = filter.shape[op.getFilterSpatialDim(i)];
    int64_t reach = op.getDilations()[i] * (taps[i] - 1) + 1, pads = op.getPads()[i] + op.getPads()[n + i];
    if (transposed)
      size = op.getStrides()[i] * (size - 1) + op.getOutputPaddingAt(i) + reach - pads;
    else
      size = llvm::divideFloorSigned(size + pads - reach, op.getStrides()[i]) + 1;
    size = std::max<int64_t>(0, size);
  }

  Numbers sums(shape);
  // One index runs over the positions that the taps are counted from: those of the result, or of the input if
  // transposed.
  SmallVector<int64_t> from(transposed ? input.shape : shape);
  from[op.getChannelDim()] = 1;
  forEachIndex(from, [&](ArrayRef<int64_t> base) {
    forEachIndex(taps, [&](ArrayRef<int64_t> tap) {
      SmallVector<int64_t> reached(base);
      const Numbers &other = transposed ? sums : input;
      for (int64_t i = 0; i < n; ++i) {
        int64_t dim = op.getSpatialDim(i);
        reached[dim] = position(base[dim], tap[i], op.getStrides()[i], op.getDilations()[i], op.getPads()[i]);
        if (reached[dim] < 0 || reached[dim] >= other.shape[dim])
          return;
      }
      SmallVector<int64_t> in(transposed ? ArrayRef<int64_t>(base) : reached),
          out(transposed ? ArrayRef<int64_t>(reached) : base);
      SmallVector<int64_t> weight(filter.shape.size());
      if (op.getPerSample())
        weight[0] = base[0];
      for (int64_t i = 0; i < n; ++i)
        weight[op.getFilterSpatialDim(i)] = tap[i];
      for (int64_t g = 0; g < groups; ++g)
        for (int64_t f = 0; f < filtersPerGroup; ++f)
          for (int64_t c = 0; c < channelsPerGroup; ++c) {
            in[op.getChannelDim()] = g * channelsPerGroup + c;
            out[op.getChannelDim()] = g * filtersPerGroup + f;
            weight[op.getFilterOuterDim()] = transposed ? g * channelsPerGroup + c : g * filtersPerGroup + f;
            weight[op.getFilterChannelDim()] = transposed ? f : c;
            Number product = roundTo(sumType, input.at(in) * filter.at(weight));
            sums.at(out) = roundTo(sumType, sums.at(out) + product);
          }
    });
  });
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    Number &value = sums.at(index);
    if (bias)
      value = roundTo(sumType, value + bias->at({index[op.getChannelDim()]}));
    value = roundTo(element, value);
  });
  return sums;
}
