//===- ExpandContractPlaces.cpp - where a register tile's elements lie --------------------===//
#include "ExpandContract.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::contract;

TilePlaces::TilePlaces(OpBuilder &builder, const Contraction &contraction, const MicroTile &tile)
    : builder(builder), contraction(contraction), tile(tile), op(contraction.op), loc(contraction.op.getLoc()) {
  place.assign(op.getNumLoops(), Value());
  for (unsigned dim = 0; dim < op.getNumLoops(); ++dim)
    if (!op.isReduction(dim))
      place[dim] = tile.base[dim];
}

Value TilePlaces::constant(int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); }

Value TilePlaces::add(Value a, Value b) { return builder.createOrFold<arith::AddIOp>(loc, a, b); }

SmallVector<Value> TilePlaces::getBase(unsigned number) {
  SmallVector<Value> indices;
  if (isPacked(number)) {
    for (unsigned dim : contraction.panelDims[number])
      indices.push_back(place[dim] ? place[dim] : constant(0));
    indices.push_back(constant(0));
    return indices;
  }
  for (ArrayRef<int64_t> coefficients : contraction.coefficients[number]) {
    Value index;
    for (auto [dim, coefficient] : llvm::enumerate(coefficients)) {
      if (coefficient == 0 || !place[dim])
        continue;
      Value term =
          coefficient == 1 ? place[dim] : builder.createOrFold<arith::MulIOp>(loc, place[dim], constant(coefficient));
      index = index ? add(index, term) : term;
    }
    indices.push_back(index ? index : constant(0));
  }
  return indices;
}

TilePlaces::Key TilePlaces::getOffsets(unsigned number, const Key &row, const Key &tap, int64_t lane) {
  Key offsets;
  if (isPacked(number)) {
    for (unsigned dim : contraction.panelDims[number])
      offsets.push_back(tap.empty() ? 0 : tap[dim]);
    offsets.push_back(lane);
    return offsets;
  }
  for (ArrayRef<int64_t> coefficients : contraction.coefficients[number]) {
    int64_t offset = 0;
    for (auto [dim, coefficient] : llvm::enumerate(coefficients)) {
      offset += coefficient * ((row.empty() ? 0 : row[dim]) + (tap.empty() ? 0 : tap[dim]));
      if (static_cast<int64_t>(dim) == contraction.vectorDim)
        offset += coefficient * lane;
    }
    offsets.push_back(offset);
  }
  return offsets;
}

TilePlaces::Key TilePlaces::getSteps(unsigned number) {
  Key steps;
  if (isPacked(number)) {
    steps.assign(contraction.panelDims[number].size() + 1, 0);
    steps.back() = 1;
    return steps;
  }
  for (ArrayRef<int64_t> coefficients : contraction.coefficients[number])
    steps.push_back(contraction.vectorDim < 0 ? 0 : coefficients[contraction.vectorDim]);
  return steps;
}

SmallVector<Value> TilePlaces::getIndices(ArrayRef<Value> base, ArrayRef<int64_t> offsets) {
  SmallVector<Value> indices;
  for (auto [index, offset] : llvm::zip(base, offsets))
    indices.push_back(offset == 0 ? index : add(index, constant(offset)));
  return indices;
}
