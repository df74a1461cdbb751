//===- TileFft.cpp - convolutions by Fourier transforms as units of channels and tiles ---------===//
//
// Reads the schedule and obeys. A unit turns its window of the input so that channels are neighbours, transforms it
// along rows, multiplies along columns in the domain of frequencies, transforms it back, and turns its tile of the
// result, followed by what kernel formation put behind it.
//
//===----------------------------------------------------------------------===//
#include "TransformTiler.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Transforms/Passes.h"

namespace tenon {
#define GEN_PASS_DEF_TILEFFT
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class Tiler : TransformTiler {
public:
  Tiler(IRRewriter &rewriter, FftConvOp op, ScheduleAttr schedule)
      : TransformTiler(rewriter, op.getLoc()), op(op), schedule(schedule) {}

  /// `chain` are the elementwise ops behind it, each the only reader of the one before.
  LogicalResult run(ArrayRef<linalg::LinalgOp> chain);

private:
  Value step(FftStep step, int64_t size, int64_t offset, Value in, Value spectrum, const Sizes &sizes) {
    Value out = empty(sizes);
    return TileFftOp::create(rewriter, loc, out.getType(), step, size, offset, in, spectrum, out).getResult();
  }
  /// The window's elements with channels innermost, and how many zeros lie before them in rows and columns.
  std::tuple<Value, int64_t, int64_t> makeWindow();

  FftConvOp op;
  ScheduleAttr schedule;
  OpFoldResult sample, firstChannel, channels; ///< of the unit
  OpFoldResult places[2];                      ///< its tile's first row and column
};

std::tuple<Value, int64_t, int64_t> Tiler::makeWindow() {
  ArrayRef<int64_t> sizes = op.getSizes(), pads = op.getPads();
  int64_t extents[2];
  OpFoldResult from[2], counts[2], before[2];
  bool isWhole = true;
  for (unsigned dim = 0; dim < 2; ++dim) {
    extents[dim] = cast<ShapedType>(op.getInput().getType()).getDimSize(2 + dim);
    isWhole &= op.getTileCounts()[dim] == 1 && pads[dim] + extents[dim] <= sizes[dim];
    // Where the window starts in the input, what of it is inside, and how far from its start.
    OpFoldResult first = apply(sym(0) - pads[dim], {places[dim]});
    AffineExpr zero = rewriter.getAffineConstantExpr(0), extent = rewriter.getAffineConstantExpr(extents[dim]);
    from[dim] = least({sym(0), extent}, {most({sym(0), zero}, {first})});
    OpFoldResult end = least({sym(0) + sizes[dim], extent}, {first});
    counts[dim] = most({sym(0) - sym(1), zero}, {end, from[dim]});
    before[dim] = least({sym(0) - sym(1), rewriter.getAffineConstantExpr(sizes[dim])}, {from[dim], first});
  }
  if (isWhole)
    for (unsigned dim = 0; dim < 2; ++dim)
      from[dim] = index(0), counts[dim] = index(extents[dim]);
  Value part = sliceImage(op.getInput(), {sample, firstChannel, from[0], from[1]}, channels, counts[0], counts[1]);
  AffineMap turn = map({dim(2), dim(0), dim(1)}, 3);
  Sizes inside{counts[0], counts[1], channels};
  if (isWhole)
    return {copy(part, empty(inside), turn), pads[0], pads[1]};
  Value padded = zeros({index(sizes[0]), index(sizes[1]), channels});
  Sizes offsets{before[0], before[1], index(0)};
  Value turned = copy(part, slice(padded, offsets, inside), turn);
  return {tensor::InsertSliceOp::create(rewriter, loc, turned, padded, offsets, inside, ones(3)), 0, 0};
}

LogicalResult Tiler::run(ArrayRef<linalg::LinalgOp> chain) {
  Value init = begin(op, chain);
  // Without the dim of samples there is one.
  unsigned rank = cast<RankedTensorType>(init.getType()).getRank(), one = 4 - rank;
  ArrayRef<int64_t> tile = op.getTile(), sizes = op.getSizes();
  auto image = cast<RankedTensorType>(init.getType()).getShape().take_back(2);
  Sizes upper{one ? index(1) : size(init, 0), size(init, 1 - one)}, steps{index(1), index(schedule.getParallel()[1])};
  for (unsigned dim = 0; dim < 2; ++dim) {
    upper.push_back(index(image[dim]));
    steps.push_back(index(tile[dim]));
  }
  auto forall = scf::ForallOp::create(rewriter, loc, Sizes(4, index(0)), upper, steps, ValueRange{init}, std::nullopt);
  rewriter.setInsertionPointToStart(forall.getBody());
  sample = forall.getInductionVar(0);
  firstChannel = forall.getInductionVar(1);
  channels = getPart(upper[1], schedule.getParallel()[1], forall.getInductionVar(1));
  OpFoldResult counts[2];
  for (unsigned dim = 0; dim < 2; ++dim) {
    bool isOne = tile[dim] >= image[dim];
    places[dim] = isOne ? index(0) : OpFoldResult(forall.getInductionVar(2 + dim));
    counts[dim] = isOne ? index(image[dim]) : getPart(upper[2 + dim], tile[dim], forall.getInductionVar(2 + dim));
  }

  auto [window, top, left] = makeWindow();
  int64_t frequencies = sizes[1] / 2 + 1;
  OpFoldResult f = index(frequencies), two = index(2);
  Value spectrum =
      slice(op.getSpectrum(), {index(0), index(0), index(0), firstChannel}, {f, index(sizes[0]), two, channels});
  Value lines = step(FftStep::forward, sizes[1], left, window, {}, {f, size(window, 0), two, channels});
  lines = step(FftStep::product, sizes[0], top, lines, spectrum, {f, index(tile[0]), two, channels});
  Value results = step(FftStep::backward, sizes[1], 0, lines, {}, {index(tile[0]), index(tile[1]), channels});
  results = slice(results, Sizes(3, index(0)), {counts[0], counts[1], channels});

  Sizes offsets{sample, firstChannel, places[0], places[1]}, extents{index(1), channels, counts[0], counts[1]};
  return finish(forall, op, chain, results, offsets, extents);
}

class TileFft : public tenon::impl::TileFftBase<TileFft> {
  void runOnOperation() override {
    for (func::FuncOp kernel : findTransformKernels(getOperation(), "fft")) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      IRRewriter rewriter(&getContext());
      for (auto op : llvm::to_vector(kernel.getBody().getOps<FftConvOp>()))
        if (failed(Tiler(rewriter, op, schedule).run(findChain(op))))
          return signalPassFailure();
      eraseDead(rewriter, kernel);
    }
  }
};

} // namespace
