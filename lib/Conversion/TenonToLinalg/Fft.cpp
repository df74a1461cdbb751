//===- Fft.cpp - tenon.conv with long filters as products of spectra -----------------------===//
//
// The filter's spectrum reads weights alone and so is made when the model is loaded, by two products with constant
// matrices; the rest is one op. Whether a convolution is computed so was decided before, by its `algorithm`.
//
//===----------------------------------------------------------------------===//
#include "Common.h"
#include "tenon/Dialect/IR/Fft.h"

#include <cmath>

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

Value makeMatrix(TensorBuilder &build, int64_t rows, ArrayRef<float> values) {
  auto type = RankedTensorType::get({rows, static_cast<int64_t>(values.size()) / rows}, build.b.getF32Type());
  return arith::ConstantOp::create(build.b, build.loc, DenseElementsAttr::get(type, values));
}

/// [NW / 2 + 1, NH, 2, C]: the conjugate spectrum of each filter over NH * NW. Along columns first, then along rows.
Value makeSpectrum(TensorBuilder &build, Value taps, int64_t channels, int64_t height, int64_t width, int64_t rows,
                   int64_t columns) {
  int64_t frequencies = columns / 2 + 1;
  MLIRContext *context = build.b.getContext();
  AffineExpr d[4] = {build.dim(0), build.dim(1), build.dim(2), build.dim(3)};
  auto map = [&](ArrayRef<AffineExpr> results) { return AffineMap::get(4, 0, results, context); };
  auto at = [&](int64_t size, int64_t product) {
    double angle = kTwoPi * static_cast<double>(product % size) / static_cast<double>(size);
    return std::pair(std::cos(angle), std::sin(angle));
  };
  // [part and frequency, column]
  SmallVector<float> first;
  for (int64_t part = 0; part < 2; ++part)
    for (int64_t f = 0; f < frequencies; ++f)
      for (int64_t l = 0; l < width; ++l) {
        auto [re, im] = at(columns, f * l);
        first.push_back(static_cast<float>(part ? im : re));
      }
  Value filter = build.collapse(taps, {{0, 1}, {2}, {3}});
  Value lines = build.contract(makeMatrix(build, 2 * frequencies, first), filter,
                               {map({d[1], d[3]}), map({d[2], d[0], d[3]}), map({d[0], d[1], d[2]})},
                               {build.index(height), build.index(2 * frequencies), build.index(channels)});
  lines = build.expand(lines, {{0}, {1, 2}, {3}},
                       {build.index(height), build.index(2), build.index(frequencies), build.index(channels)});
  lines = build.collapse(lines, {{0, 1}, {2}, {3}});
  // [frequency and part, row and part]
  SmallVector<float> second;
  double scale = 1.0 / static_cast<double>(rows * columns);
  for (int64_t g = 0; g < rows; ++g)
    for (int64_t part = 0; part < 2; ++part)
      for (int64_t k = 0; k < height; ++k) {
        auto [re, im] = at(rows, g * k);
        // (a + ib)(re + i im)
        second.push_back(static_cast<float>(scale * (part ? im : re)));
        second.push_back(static_cast<float>(scale * (part ? re : -im)));
      }
  Value both = build.contract(makeMatrix(build, 2 * rows, second), lines,
                              {map({d[1], d[3]}), map({d[3], d[0], d[2]}), map({d[0], d[1], d[2]})},
                              {build.index(frequencies), build.index(2 * rows), build.index(channels)});
  return build.expand(both, {{0}, {1, 2}, {3}},
                      {build.index(frequencies), build.index(rows), build.index(2), build.index(channels)});
}

} // namespace

LogicalResult tenon::tolinalg::lowerFft(IRRewriter &rewriter, ConvOp op) {
  rewriter.setInsertionPoint(op);
  TensorBuilder build{rewriter, op.getLoc()};
  ArrayRef<int64_t> pads = op.getPads(), input = cast<ShapedType>(op.getInput().getType()).getShape(),
                    taps = cast<ShapedType>(op.getFilter().getType()).getShape();
  SmallVector<int64_t> shape = op.inferShape();
  FftPlan rows = planFft(input[2], pads[0], taps[2], shape[2]), columns = planFft(input[3], pads[1], taps[3], shape[3]);
  Value spectrum = makeSpectrum(build, op.getFilter(), input[1], taps[2], taps[3], rows.size, columns.size);
  // One sample goes without its dim, as in all that fuses with the result.
  Sizes result = resultSizes(rewriter, op), sizes = result;
  bool drops = known(result[0]) == 1;
  if (drops)
    sizes.erase(sizes.begin());
  Value image = build.empty(sizes, rewriter.getF32Type());
  image = FftConvOp::create(rewriter, op.getLoc(), image.getType(), op.getInput(), spectrum,
                            rewriter.getDenseI64ArrayAttr({rows.size, columns.size}),
                            rewriter.getDenseI64ArrayAttr({rows.tile, columns.tile}),
                            rewriter.getDenseI64ArrayAttr({pads[0], pads[1]}), image);
  image = build.addBias(image, op.getBias());
  if (drops)
    image = build.expand(image, {{0, 1}, {2}, {3}}, result);
  rewriter.replaceOp(op, build.castTo(image, op.getResult().getType()));
  return success();
}
