//===- Winograd.cpp - tenon.conv as a batch of small matmuls in Winograd's domain ----------===//
//
// Four steps: the filter's transform, which reads weights alone and so runs when the model is loaded; the input's; one
// product of matrices per place in the window, an ordinary contraction; the result's. Whether a convolution is computed
// so was decided before, by its `algorithm`.
//
//===----------------------------------------------------------------------===//
#include "Common.h"
#include "tenon/Dialect/IR/Winograd.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::tolinalg;

namespace {

/// [a * a, C, F]: G g G' for each filter g, as one sum over its nine taps. The coefficients, products of G's entries,
/// are rounded once.
Value transformFilter(TensorBuilder &build, const SmallMatrix &filter, Value taps) {
  OpBuilder &b = build.b;
  SmallVector<float> products;
  for (int64_t i = 0; i < filter.rows; ++i)
    for (int64_t j = 0; j < filter.rows; ++j)
      for (int64_t k = 0; k < filter.columns; ++k)
        for (int64_t l = 0; l < filter.columns; ++l)
          products.push_back(static_cast<float>(filter.at(i, k) * filter.at(j, l)));
  auto type = RankedTensorType::get({filter.rows * filter.rows, filter.columns * filter.columns}, b.getF32Type());
  Value coefficients = arith::ConstantOp::create(b, build.loc, DenseElementsAttr::get(type, ArrayRef<float>(products)));
  Value flat = build.collapse(taps, {{0}, {1}, {2, 3}});
  Sizes shape = build.sizesOf(flat);
  AffineExpr p = build.dim(0), c = build.dim(1), f = build.dim(2), q = build.dim(3);
  MLIRContext *context = b.getContext();
  SmallVector<AffineMap> maps{AffineMap::get(4, 0, {p, q}, context), AffineMap::get(4, 0, {f, c, q}, context),
                              AffineMap::get(4, 0, {p, c, f}, context)};
  return build.contract(coefficients, flat, maps, {build.index(type.getDimSize(0)), shape[1], shape[0]});
}

} // namespace

LogicalResult tenon::tolinalg::lowerWinograd(IRRewriter &rewriter, ConvOp op) {
  rewriter.setInsertionPoint(op);
  TensorBuilder build{rewriter, op.getLoc()};
  auto tile = static_cast<int64_t>(*op.getAlgorithm()), window = tile + 2;
  Type type = rewriter.getF32Type();
  Value input = op.getInput();
  SmallVector<int64_t> pads(op.getPads());
  // A tile sees two elements beyond the input at most: more padding, and cropping, is done before.
  if (llvm::any_of(pads, [](int64_t pad) { return pad < 0 || pad > 2; })) {
    input = build.window(input, {0, 0, pads[0], pads[1]}, ArrayRef<int64_t>{0, 0, pads[2], pads[3]},
                         build.constant(type, 0));
    pads.assign(4, 0);
  }
  Sizes result = resultSizes(rewriter, op), from = build.sizesOf(input);
  auto tiles = [&](OpFoldResult size) { return build.apply(build.sym(0).ceilDiv(tile), {size}); };
  OpFoldResult rows = build.product({result[0], tiles(result[2])}), columns = tiles(result[3]);
  Value filter = transformFilter(build, getWinogradMatrices(tile).filter, op.getFilter());

  Sizes domain{build.index(window), build.index(window), rows, columns, from[1]};
  Value transformed = build.empty(domain, type);
  transformed = WinogradInputOp::create(rewriter, op.getLoc(), transformed.getType(), rewriter.getI64IntegerAttr(tile),
                                        input, rewriter.getDenseI64ArrayAttr(pads), transformed);
  SmallVector<ReassociationIndices> groups{{0, 1}, {2, 3}, {4}};
  Value flat = build.collapse(transformed, groups);
  AffineExpr p = build.dim(0), t = build.dim(1), f = build.dim(2), c = build.dim(3);
  MLIRContext *context = rewriter.getContext();
  SmallVector<AffineMap> maps{AffineMap::get(4, 0, {p, t, c}, context), AffineMap::get(4, 0, {p, c, f}, context),
                              AffineMap::get(4, 0, {p, t, f}, context)};
  Value sums =
      build.contract(flat, filter, maps, {build.index(window * window), build.product({rows, columns}), result[1]});
  domain.back() = result[1];
  sums = build.expand(sums, groups, domain);
  // One sample goes without its dim, as in all that fuses with the result.
  Sizes sizes = result;
  bool drops = known(result[0]) == 1;
  if (drops)
    sizes.erase(sizes.begin());
  Value image = build.empty(sizes, type);
  image =
      WinogradOutputOp::create(rewriter, op.getLoc(), image.getType(), rewriter.getI64IntegerAttr(tile), sums, image);
  image = build.addBias(image, op.getBias());
  if (drops)
    image = build.expand(image, {{0, 1}, {2}, {3}}, result);
  rewriter.replaceOp(op, build.castTo(image, op.getResult().getType()));
  return success();
}
