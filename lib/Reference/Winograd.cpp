//===- Winograd.cpp - what Winograd's transforms compute -------------------------------------===//
//
// As the descriptions in Winograd.td have it; the sums of one element are kept in double.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Winograd.h"
#include "Interpreter.h"
#include "tenon/Dialect/IR/LinearMaps.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

namespace {

LogicalResult checkShape(Operation *op, ArrayRef<int64_t> got, ArrayRef<int64_t> want) {
  if (got == want)
    return success();
  return op->emitError("expected numbers in Winograd's domain of shape [") << want << "], but got [" << got << "]";
}

LogicalResult run(Interpreter &in, WinogradInputOp op) {
  const Tensor input = in.tensor(op.getInput());
  Tensor result = in.tensor(op.getInit());
  auto tile = static_cast<int64_t>(op.getTile()), window = op.getWindow();
  int64_t height = input.shape()[2], width = input.shape()[3], top = op.getPads()[0], left = op.getPads()[1];
  int64_t rows = std::max<int64_t>(0, height + top + op.getPads()[2] - 2);
  int64_t columns = std::max<int64_t>(0, width + left + op.getPads()[3] - 2);
  int64_t tileRows = (rows + tile - 1) / tile, tileColumns = (columns + tile - 1) / tile;
  if (failed(
          checkShape(op, result.shape(), {window, window, input.shape()[0] * tileRows, tileColumns, input.shape()[1]})))
    return failure();
  SmallMatrix matrix = getWinogradMatrices(tile).input;
  Scalar *out = result.mutableData();
  LogicalResult done = forEach(result.shape(), [&](ArrayRef<int64_t> at) {
    int64_t n = at[2] / tileRows, y = at[2] % tileRows;
    double sum = 0;
    for (int64_t k = 0; k < window; ++k)
      for (int64_t l = 0; l < window; ++l) {
        int64_t row = y * tile + k - top, column = at[3] * tile + l - left;
        if (row >= 0 && row < height && column >= 0 && column < width)
          sum += matrix.at(at[0], k) * matrix.at(at[1], l) *
                 input.data()[flatten(input.shape(), {n, at[4], row, column})].f;
      }
    (out++)->f = roundFloat(result.element(), sum);
    return success();
  });
  in.set(op.getResult(), result);
  return done;
}

LogicalResult run(Interpreter &in, WinogradOutputOp op) {
  const Tensor sums = in.tensor(op.getSums());
  Tensor result = in.tensor(op.getInit());
  auto tile = static_cast<int64_t>(op.getTile()), window = op.getWindow();
  ArrayRef<int64_t> image = result.shape().take_back(3);
  int64_t tileRows = (image[1] + tile - 1) / tile, tileColumns = (image[2] + tile - 1) / tile;
  int64_t samples = result.rank() == 4 ? result.shape()[0] : 1;
  if (failed(checkShape(op, sums.shape(), {window, window, samples * tileRows, tileColumns, image[0]})))
    return failure();
  SmallMatrix matrix = getWinogradMatrices(tile).output;
  Scalar *out = result.mutableData();
  LogicalResult done = forEach(result.shape(), [&](ArrayRef<int64_t> at) {
    double sum = 0;
    int64_t n = at.size() == 4 ? at[0] : 0, f = at[at.size() - 3], row = at[at.size() - 2], column = at.back();
    for (int64_t i = 0; i < window; ++i)
      for (int64_t j = 0; j < window; ++j)
        sum += matrix.at(row % tile, i) * matrix.at(column % tile, j) *
               sums.data()[flatten(sums.shape(), {i, j, n * tileRows + row / tile, column / tile, f})].f;
    (out++)->f = roundFloat(result.element(), sum);
    return success();
  });
  in.set(op.getResult(), result);
  return done;
}

LogicalResult run(Interpreter &in, TileTransformOp op) {
  const Tensor from = in.tensor(op.getIn());
  Tensor result = in.tensor(op.getOut());
  auto inMap = *getLinearCoefficients(op.getInMap());
  unsigned window = op.getOutMap().getNumDims() - 1;
  Scalar *out = result.mutableData();
  LogicalResult done = forEach(result.shape(), [&](ArrayRef<int64_t> at) -> LogicalResult {
    SmallVector<int64_t> dims(window + 1);
    for (auto [expr, place] : llvm::zip(op.getOutMap().getResults(), at))
      dims[cast<AffineDimExpr>(expr).getPosition()] = place;
    int64_t row = dims[window];
    double sum = 0;
    for (int64_t k = 0; k < op.getTaps(); ++k) {
      dims[window] = k;
      SmallVector<int64_t> index;
      for (auto [coefficients, size] : llvm::zip(inMap, from.shape())) {
        index.push_back(0);
        for (auto [coefficient, dim] : llvm::zip(coefficients, dims))
          index.back() += coefficient * dim;
        if (index.back() >= size)
          return op.emitError("expected windows inside of 'in', but got index ") << index.back() << " of " << size;
      }
      sum += op.getCoefficients()[row * op.getTaps() + k] * from.data()[flatten(from.shape(), index)].f;
    }
    (out++)->f = roundFloat(result.element(), sum);
    return success();
  });
  in.set(op.getResult(), result);
  return done;
}

} // namespace

Interpreter::Handled Interpreter::runWinograd(Operation *op) {
  if (auto input = dyn_cast<WinogradInputOp>(op))
    return ::run(*this, input);
  if (auto output = dyn_cast<WinogradOutputOp>(op))
    return ::run(*this, output);
  if (auto transform = dyn_cast<TileTransformOp>(op); transform && transform.getResult())
    return ::run(*this, transform);
  return std::nullopt;
}
