//===- Pool.cpp - what tenon.pool computes ---------------------------------------------------===//
#include "ConvFamily.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

SmallVector<Numbers> tenon::reference::evaluate(PoolOp op, const Numbers &input) {
  int64_t n = op.getSpatialRank();
  Type element = cast<ShapedType>(op.getInput().getType()).getElementType();
  Type sumType = element.isF64() ? element : Float32Type::get(op.getContext());
  SmallVector<int64_t> shape(input.shape);
  for (int64_t i = 0; i < n; ++i) {
    int64_t size = input.shape[i + 2], stride = op.getStrides()[i], start = op.getPads()[i];
    int64_t span = size + start + op.getPads()[n + i] - op.getDilations()[i] * (op.getKernel()[i] - 1) - 1;
    int64_t count = llvm::divideFloorSigned(span, stride) + 1;
    if (op.getCeilMode()) // no window starts in the padding at the end
      count = std::min(llvm::divideCeilSigned(span, stride) + 1, llvm::divideFloorSigned(size + start - 1, stride) + 1);
    shape[i + 2] = std::max<int64_t>(0, count);
  }
  Number lowest = isa<FloatType>(element)
                      ? -std::numeric_limits<Number>::infinity()
                      : -std::ldexp(Number(1), static_cast<int>(element.getIntOrFloatBitWidth()) - 1);
  Numbers values(shape), indices(shape, -1);
  forEachIndex(shape, [&](ArrayRef<int64_t> out) {
    Number best = lowest, sum = 0;
    int64_t where = -1, count = 0;
    forEachIndex(op.getKernel(), [&](ArrayRef<int64_t> tap) {
      SmallVector<int64_t> in(out);
      bool inside = true, padded = true;
      for (int64_t i = 0; i < n; ++i) {
        in[i + 2] = out[i + 2] * op.getStrides()[i] + tap[i] * op.getDilations()[i] - op.getPads()[i];
        inside &= in[i + 2] >= 0 && in[i + 2] < input.shape[i + 2];
        padded &= in[i + 2] < input.shape[i + 2] + op.getPads()[n + i];
      }
      count += inside || (padded && op.getCountIncludePad());
      if (!inside)
        return;
      Number value = input.at(in);
      if (where < 0 || value > best || (std::isnan(value) && !std::isnan(best))) {
        best = value;
        where = in[0] * input.shape[1] + in[1];
        for (int64_t i = 0; i < n; ++i) {
          int64_t dim = op.getColumnMajor() ? n + 1 - i : i + 2;
          where = where * input.shape[dim] + in[dim];
        }
      }
      if (op.getKind() == PoolKind::lp)
        value = roundTo(sumType, std::pow(std::abs(value), static_cast<Number>(op.getP())));
      if (op.getKind() != PoolKind::max)
        sum = roundTo(sumType, sum + value);
    });
    indices.at(out) = where;
    if (op.getKind() == PoolKind::max)
      values.at(out) = best;
    else if (op.getKind() == PoolKind::average)
      values.at(out) = roundTo(element, roundTo(sumType, sum / count));
    else
      values.at(out) = roundTo(element, roundTo(sumType, std::pow(sum, 1 / static_cast<Number>(op.getP()))));
  });
  SmallVector<Numbers> results{values};
  if (op.getIndices())
    results.push_back(indices);
  return results;
}
