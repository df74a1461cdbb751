//===- VectorMemory.cpp - lanes from and to memory --------------------------------===//
#include "tenon/Transforms/Tiling/VectorMemory.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

Type tenon::getLaneType(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

Value tenon::splat(OpBuilder &builder, Location loc, Value value, int64_t lanes) {
  if (lanes == 1 || isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(builder, loc, VectorType::get({lanes}, value.getType()), value);
}

static bool lastStrideIsOne(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) && !strides.empty() && strides.back() == 1;
}

bool tenon::isContiguous(Value memref, ArrayRef<int64_t> steps) {
  return !steps.empty() && steps.back() == 1 &&
         llvm::all_of(steps.drop_back(), [](int64_t step) { return step == 0; }) && lastStrideIsOne(memref);
}

/// Elements of less than a byte take a byte each in memory, with zeros above; LLVM's vectors of them would be packed.
static bool isNarrow(Type element) { return element.isIntOrFloat() && element.getIntOrFloatBitWidth() < 8; }

/// The same memory with its narrow elements seen as the bytes they are. Both types have one descriptor in LLVM.
static Value viewBytes(OpBuilder &builder, Location loc, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  if (!isNarrow(type.getElementType()))
    return memref;
  auto bytes = MemRefType::get(type.getShape(), builder.getI8Type(), type.getLayout(), type.getMemorySpace());
  return UnrealizedConversionCastOp::create(builder, loc, bytes, memref).getResult(0);
}

/// Lanes below `count`; negative counts mean none.
static Value makeMask(OpBuilder &builder, Location loc, OpFoldResult count, int64_t lanes) {
  auto type = VectorType::get({lanes}, builder.getI1Type());
  if (auto constant = getConstantIntValue(count))
    return vector::ConstantMaskOp::create(builder, loc, type,
                                          ArrayRef<int64_t>{std::clamp<int64_t>(*constant, 0, lanes)});
  return vector::CreateMaskOp::create(builder, loc, type, cast<Value>(count));
}

static Value shift(OpBuilder &builder, Location loc, Value index, int64_t by) {
  if (by == 0)
    return index;
  return arith::AddIOp::create(builder, loc, index, arith::ConstantIndexOp::create(builder, loc, by));
}

/// count * factor + offset.
static OpFoldResult scaleCount(OpBuilder &builder, Location loc, OpFoldResult count, int64_t factor, int64_t offset) {
  if (auto constant = getConstantIntValue(count))
    return builder.getIndexAttr(*constant * factor + offset);
  Value scaled =
      arith::MulIOp::create(builder, loc, cast<Value>(count), arith::ConstantIndexOp::create(builder, loc, factor));
  return shift(builder, loc, scaled, offset);
}

/// Neighbouring elements of a memref without narrow integers.
static Value loadNeighbours(OpBuilder &builder, Location loc, Value memref, ValueRange indices, int64_t lanes,
                            OpFoldResult count) {
  auto type = VectorType::get({lanes}, cast<MemRefType>(memref.getType()).getElementType());
  auto constant = count ? getConstantIntValue(count) : std::optional<int64_t>(lanes);
  if (constant && *constant >= lanes)
    return vector::LoadOp::create(builder, loc, type, memref, indices);
  Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  if (constant && *constant <= 0)
    return zero;
  return vector::MaskedLoadOp::create(builder, loc, type, memref, indices, makeMask(builder, loc, count, lanes), zero);
}

Value tenon::loadVector(OpBuilder &builder, Location loc, Value memref, ValueRange indices, ArrayRef<int64_t> steps,
                        int64_t lanes, OpFoldResult count) {
  auto type = cast<MemRefType>(memref.getType());
  if (lanes == 1)
    return memref::LoadOp::create(builder, loc, memref, indices);
  if (llvm::all_of(steps, [](int64_t step) { return step == 0; }))
    return splat(builder, loc, memref::LoadOp::create(builder, loc, memref, indices), lanes);

  bool bits = isNarrow(type.getElementType());
  auto toBits = [&](Value bytes) -> Value {
    if (!bits)
      return bytes;
    if (Type element = type.getElementType(); !element.isInteger(1)) {
      auto integers = VectorType::get({lanes}, builder.getIntegerType(element.getIntOrFloatBitWidth()));
      Value low = arith::TruncIOp::create(builder, loc, integers, bytes);
      return element.isInteger() ? low
                                 : arith::BitcastOp::create(builder, loc, integers.clone(element), low).getResult();
    }
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(bytes.getType()));
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, bytes, zero);
  };
  if (isContiguous(memref, steps))
    return toBits(loadNeighbours(builder, loc, viewBytes(builder, loc, memref), indices, lanes, count));

  bool everySecond = lanes >= 4 && steps.back() == 2 && lastStrideIsOne(memref) &&
                     llvm::all_of(steps.drop_back(), [](int64_t step) { return step == 0; });
  if (everySecond) {
    // Lanes 0, 2, .. of the 2 * lanes - 1 elements. The second load starts one early so as to end at the last lane.
    Value bytes = viewBytes(builder, loc, memref);
    OpFoldResult low = count ? scaleCount(builder, loc, count, 2, -1) : OpFoldResult();
    OpFoldResult high = count ? scaleCount(builder, loc, count, 2, -lanes) : OpFoldResult();
    Value first = loadNeighbours(builder, loc, bytes, indices, lanes, low);
    SmallVector<Value> next(indices);
    next.back() = shift(builder, loc, next.back(), lanes - 1);
    Value second = loadNeighbours(builder, loc, bytes, next, lanes, high);
    SmallVector<int64_t> pick;
    for (int64_t lane = 0; lane < lanes; ++lane)
      pick.push_back(2 * lane < lanes ? 2 * lane : lanes + 2 * lane - (lanes - 1));
    return toBits(vector::ShuffleOp::create(builder, loc, first, second, pick));
  }

  SmallVector<Value> elements;
  std::optional<int64_t> constant = count ? getConstantIntValue(count) : std::optional<int64_t>(lanes);
  Value last = constant ? Value() : shift(builder, loc, cast<Value>(count), -1);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    if (constant && lane >= *constant) {
      elements.push_back(elements.front());
      continue;
    }
    SmallVector<Value> place(indices);
    Value number = constant
                       ? Value()
                       : arith::MinSIOp::create(builder, loc, arith::ConstantIndexOp::create(builder, loc, lane), last);
    for (auto [index, step] : llvm::zip(place, steps)) {
      if (step == 0)
        continue;
      if (constant)
        index = shift(builder, loc, index, lane * step);
      else
        index = arith::AddIOp::create(
            builder, loc, index,
            arith::MulIOp::create(builder, loc, number, arith::ConstantIndexOp::create(builder, loc, step)));
    }
    elements.push_back(memref::LoadOp::create(builder, loc, memref, place));
  }
  return vector::FromElementsOp::create(builder, loc, VectorType::get({lanes}, type.getElementType()), elements);
}

void tenon::storeVector(OpBuilder &builder, Location loc, Value vector, Value memref, ValueRange indices,
                        ArrayRef<int64_t> steps, OpFoldResult count) {
  auto type = dyn_cast<VectorType>(vector.getType());
  if (!type) {
    memref::StoreOp::create(builder, loc, vector, memref, indices);
    return;
  }
  int64_t lanes = type.getDimSize(0);
  std::optional<int64_t> constant = count ? getConstantIntValue(count) : std::optional<int64_t>(lanes);
  if (isContiguous(memref, steps)) {
    if (Type element = type.getElementType(); isNarrow(element) && isa<FloatType>(element))
      vector = arith::BitcastOp::create(
          builder, loc, VectorType::get({lanes}, builder.getIntegerType(element.getIntOrFloatBitWidth())), vector);
    if (isNarrow(type.getElementType()))
      vector = arith::ExtUIOp::create(builder, loc, VectorType::get({lanes}, builder.getI8Type()), vector);
    Value target = viewBytes(builder, loc, memref);
    auto storeOne = [&] {
      memref::StoreOp::create(builder, loc, vector::ExtractOp::create(builder, loc, vector, 0), target, indices);
    };
    auto storeSome = [&] {
      vector::MaskedStoreOp::create(builder, loc, target, indices, makeMask(builder, loc, count, lanes), vector);
    };
    // LLVM 22 widens a masked store of truncated lanes whose mask is a constant with one lane: it writes past the end.
    // A count may become that constant much later.
    bool mayTruncate = getElementTypeOrSelf(vector.getType()).getIntOrFloatBitWidth() < 32;
    if (constant && *constant >= lanes) {
      vector::StoreOp::create(builder, loc, vector, target, indices);
    } else if (constant) {
      *constant == 1 ? storeOne() : storeSome();
    } else if (mayTruncate) {
      Value one = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, cast<Value>(count),
                                        arith::ConstantIndexOp::create(builder, loc, 1));
      auto branch = scf::IfOp::create(builder, loc, one, /*withElseRegion=*/true);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(branch.thenBlock());
      storeOne();
      builder.setInsertionPointToStart(branch.elseBlock());
      storeSome();
    } else {
      storeSome();
    }
    return;
  }
  for (int64_t lane = 0; lane < lanes; ++lane) {
    if (constant && lane >= *constant)
      break;
    OpBuilder::InsertionGuard guard(builder);
    if (!constant && lane > 0) { // at least one lane is there
      Value inside = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt,
                                           arith::ConstantIndexOp::create(builder, loc, lane), cast<Value>(count));
      auto branch = scf::IfOp::create(builder, loc, inside, /*withElseRegion=*/false);
      builder.setInsertionPointToStart(&branch.getThenRegion().front());
    }
    SmallVector<Value> place(indices);
    for (auto [index, step] : llvm::zip(place, steps))
      index = shift(builder, loc, index, lane * step);
    Value element = vector::ExtractOp::create(builder, loc, vector, lane);
    memref::StoreOp::create(builder, loc, element, memref, place);
  }
}

void tenon::transposeBlocks(OpBuilder &builder, Location loc, MutableArrayRef<Value> vectors) {
  int64_t count = vectors.size(), lanes = cast<VectorType>(vectors.front().getType()).getDimSize(0);
  // Stage by stage, runs of `half` lanes change places between vectors that are `half` apart.
  for (int64_t half = 1; half < count; half *= 2) {
    SmallVector<int64_t> low, high;
    for (int64_t lane = 0; lane < lanes; ++lane) {
      bool upper = lane & half;
      low.push_back(upper ? lanes + lane - half : lane);
      high.push_back(upper ? lanes + lane : lane + half);
    }
    for (int64_t i = 0; i < count; ++i) {
      if (i & half)
        continue;
      Value a = vectors[i], b = vectors[i + half];
      vectors[i] = vector::ShuffleOp::create(builder, loc, a, b, low);
      vectors[i + half] = vector::ShuffleOp::create(builder, loc, a, b, high);
    }
  }
}

void tenon::forEachVector(OpBuilder &builder, Location loc, OpFoldResult extent, int64_t lanes,
                          llvm::function_ref<void(Value, OpFoldResult)> body) {
  auto constant = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(builder, loc, value); };
  AffineExpr size = builder.getAffineSymbolExpr(0);
  auto apply = [&](AffineExpr expr) {
    return affine::makeComposedFoldedAffineApply(builder, loc, AffineMap::get(0, 1, expr), {extent});
  };
  OpFoldResult whole = apply(size.floorDiv(lanes) * lanes), rest = apply(size % lanes);
  Value end = getValueOrCreateConstantIndexOp(builder, loc, whole);
  OpBuilder::InsertionGuard guard(builder);
  if (!isConstantIntValue(whole, 0)) {
    auto loop = scf::ForOp::create(builder, loc, constant(0), end, constant(lanes));
    OpBuilder::InsertionGuard inLoop(builder);
    builder.setInsertionPointToStart(loop.getBody());
    body(loop.getInductionVar(), {});
  }
  if (isConstantIntValue(rest, 0))
    return;
  if (auto value = dyn_cast<Value>(rest)) {
    Value any = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value, constant(0));
    builder.setInsertionPointToStart(scf::IfOp::create(builder, loc, any, /*withElse=*/false).thenBlock());
  }
  body(end, rest);
}
