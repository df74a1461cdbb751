//===- ExpandFft.cpp - tenon.tile_fft on buffers to vectors -----------------------------------===//
//
// A loop over rows or frequencies and one over vectors of channels, around a transform as straight-line code.
//
//===----------------------------------------------------------------------===//
#include "FftNetwork.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Transforms/Passes.h"
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

namespace tenon {
#define GEN_PASS_DEF_EXPANDFFT
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

class Expander {
public:
  Expander(TileFftOp op, int64_t lanes)
      : op(op), builder(op), loc(op.getLoc()), lanes(lanes), size(op.getSize()), offset(op.getOffset()),
        in(cast<MemRefType>(op.getIn().getType())), out(cast<MemRefType>(op.getOut().getType())) {}

  void run() {
    // Rows of a step along rows, frequencies of the product.
    unsigned around = op.getStep() == FftStep::backward ? 1 : 0;
    Value end = getValueOrCreateConstantIndexOp(builder, loc, memref::getMixedSize(builder, loc, op.getIn(), around));
    auto loop = scf::ForOp::create(builder, loc, constant(0), end, constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    place = loop.getInductionVar();
    OpFoldResult channels = memref::getMixedSize(builder, loc, op.getOut(), out.getRank() - 1);
    forEachVector(builder, loc, channels, lanes, [&](Value lane, OpFoldResult count) { emit(lane, count); });
    op.erase();
  }

private:
  Value constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

  void emit(Value lane, OpFoldResult count) {
    channel = lane;
    known = count;
    FftNetwork network(builder, loc, lanes);
    if (op.getStep() == FftStep::forward)
      emitForward(network);
    else if (op.getStep() == FftStep::product)
      emitProduct(network);
    else
      emitBackward(network);
  }

  void emitForward(FftNetwork &network) {
    SmallVector<FftNumber> elements(size);
    for (int64_t l = 0; l < in.getDimSize(1); ++l)
      elements[l + offset] = {{load(op.getIn(), {place, constant(l)})}, {}};
    SmallVector<FftNumber> numbers = network.forward(elements, /*isReal=*/true);
    for (int64_t f = 0; f < out.getDimSize(0); ++f)
      storeNumber(network, numbers[f], constant(f), place);
  }

  void emitProduct(FftNetwork &network) {
    SmallVector<FftNumber> elements(size);
    for (int64_t r = 0; r < in.getDimSize(1); ++r)
      elements[r + offset] = loadNumber(op.getIn(), place, constant(r));
    SmallVector<FftNumber> numbers = network.forward(elements, /*isReal=*/false);
    for (int64_t g = 0; g < size; ++g)
      numbers[g] = network.multiply(numbers[g], loadNumber(op.getSpectrum(), place, constant(g)));
    numbers = network.backward(numbers, /*isMirrored=*/false);
    for (int64_t p = 0; p < out.getDimSize(1); ++p)
      storeNumber(network, numbers[p], place, constant(p));
  }

  void emitBackward(FftNetwork &network) {
    SmallVector<FftNumber> elements(size);
    for (int64_t f = 0; f < in.getDimSize(0); ++f) {
      // Frequencies that are their own mirror images have no imaginary part.
      bool isOwn = f == 0 || 2 * f == size;
      elements[f] = isOwn ? FftNumber{{load(op.getIn(), {constant(f), place, constant(0)})}, {}}
                          : loadNumber(op.getIn(), constant(f), place);
      if (!isOwn)
        elements[size - f] = {elements[f].re, -elements[f].im};
    }
    SmallVector<FftNumber> numbers = network.backward(elements, /*isMirrored=*/true);
    for (int64_t q = 0; q < out.getDimSize(1); ++q)
      store(network.materialize(numbers[q].re, out.getElementType()), {place, constant(q)});
  }

  Value load(Value memref, SmallVector<Value> indices) {
    indices.push_back(channel);
    return loadVector(builder, loc, memref, indices, getSteps(indices), lanes, known);
  }
  FftNumber loadNumber(Value memref, Value first, Value second) {
    return {{load(memref, {first, second, constant(0)})}, {load(memref, {first, second, constant(1)})}};
  }
  void store(Value value, SmallVector<Value> indices) {
    indices.push_back(channel);
    storeVector(builder, loc, value, op.getOut(), indices, getSteps(indices), known);
  }
  void storeNumber(FftNetwork &network, FftNumber number, Value first, Value second) {
    store(network.materialize(number.re, out.getElementType()), {first, second, constant(0)});
    store(network.materialize(number.im, out.getElementType()), {first, second, constant(1)});
  }
  static SmallVector<int64_t> getSteps(ArrayRef<Value> indices) {
    SmallVector<int64_t> steps(indices.size(), 0);
    steps.back() = 1;
    return steps;
  }

  TileFftOp op;
  OpBuilder builder;
  Location loc;
  int64_t lanes, size, offset;
  MemRefType in, out;
  Value place, channel; ///< of the loops
  OpFoldResult known;   ///< channels of a last vector; null for whole ones
};

class ExpandFft : public tenon::impl::ExpandFftBase<ExpandFft> {
  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      SmallVector<TileFftOp> ops;
      kernel.walk([&](TileFftOp op) {
        if (isa<MemRefType>(op.getOut().getType()))
          ops.push_back(op);
      });
      for (TileFftOp op : ops)
        Expander(op, schedule ? schedule.getVectorWidth() : 1).run();
    }
  }
};

} // namespace
