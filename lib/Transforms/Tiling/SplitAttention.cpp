//===- SplitAttention.cpp - attention by parts of the keys, joined afterwards ---------------===//
//
// Whether an attention is split, and how many keys a part has, stands in the schedule. A part is the attention over its
// keys, with the logarithm of its sum; parts are joined by ordinary ops, which become a kernel of their own.
//
//===----------------------------------------------------------------------===//
#include "tenon/Analysis/Cost.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace tenon {
#define GEN_PASS_DEF_SPLITATTENTION
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// Joins partial results: generics over [batch, head, query, part, column], of which each takes the dims that it needs.
class Joiner {
public:
  Joiner(OpBuilder &builder, Location loc, Type type) : builder(builder), loc(loc), type(type) {}

  using Body = llvm::function_ref<Value(ArrayRef<Value> inputs, Value out)>;
  struct Operand {
    Value tensor;
    SmallVector<unsigned> dims;
  };

  /// An op over as many dims as `loops` says; `reduction` is the dim that is summed over, if any.
  Value generic(ArrayRef<Operand> inputs, Operand out, unsigned loops, std::optional<unsigned> reduction, Body body) {
    auto getMap = [&](const Operand &operand) {
      return AffineMap::getMultiDimMapWithTargets(loops, operand.dims, builder.getContext());
    };
    SmallVector<AffineMap> maps = llvm::map_to_vector(inputs, getMap);
    maps.push_back(getMap(out));
    SmallVector<utils::IteratorType> iterators(loops, utils::IteratorType::parallel);
    if (reduction)
      iterators[*reduction] = utils::IteratorType::reduction;
    SmallVector<Value> tensors = llvm::map_to_vector(inputs, [](const Operand &operand) { return operand.tensor; });
    auto made =
        linalg::GenericOp::create(builder, loc, TypeRange{out.tensor.getType()}, tensors, ValueRange{out.tensor}, maps,
                                  iterators, [&](OpBuilder &inner, Location, ValueRange arguments) {
                                    OpBuilder::InsertionGuard guard(builder);
                                    builder.setInsertionPointToEnd(inner.getInsertionBlock());
                                    SmallVector<Value> values(arguments);
                                    Value result = body(ArrayRef(values).drop_back(), values.back());
                                    linalg::YieldOp::create(builder, loc, result);
                                  });
    return made.getResult(0);
  }

  Value number(double value) { return arith::ConstantOp::create(builder, loc, builder.getFloatAttr(type, value)); }
  Value fill(ArrayRef<OpFoldResult> sizes, double with) {
    Value empty = tensor::EmptyOp::create(builder, loc, sizes, type);
    return linalg::FillOp::create(builder, loc, ValueRange{number(with)}, ValueRange{empty}).getResult(0);
  }
  Value empty(ArrayRef<OpFoldResult> sizes) { return tensor::EmptyOp::create(builder, loc, sizes, type); }
  Value convert(Value value, Type to) {
    unsigned from = value.getType().getIntOrFloatBitWidth(), width = to.getIntOrFloatBitWidth();
    if (from == width && value.getType() == to)
      return value;
    if (from < width)
      return arith::ExtFOp::create(builder, loc, to, value);
    return arith::TruncFOp::create(builder, loc, to, value);
  }
  Value exp(Value value) { return math::ExpOp::create(builder, loc, value); }
  /// `value`, or 0 where it is -inf: what exponents are relative to in a row that sums nothing.
  Value finite(Value value) {
    Value lowest = number(-std::numeric_limits<double>::infinity());
    Value none = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, value, lowest);
    return arith::SelectOp::create(builder, loc, none, number(0), value);
  }

  /// The sum of parts [b, h, s, c, e], in the place of `init`.
  Value sum(Value parts, Value init, ArrayRef<OpFoldResult> rows, OpFoldResult width) {
    Value total = generic({{parts, {0, 1, 2, 3, 4}}}, {fill(append(rows, width), 0), {0, 1, 2, 4}}, 5, 3,
                          [&](ArrayRef<Value> inputs, Value out) {
                            return arith::AddFOp::create(builder, loc, inputs[0], out).getResult();
                          });
    return finish(total, init);
  }

  /// Parts of a softmax with their log-sum-exps [b, h, s, c], and a sink [h] where there is one: the result, and in the
  /// place of `lseInit`, where there is one, its log-sum-exp.
  std::pair<Value, Value> softmax(Value parts, Value lse, Value sink, Value init, Value lseInit,
                                  ArrayRef<OpFoldResult> rows, OpFoldResult count, OpFoldResult width) {
    constexpr double kLowest = -std::numeric_limits<double>::infinity();
    Value highest =
        generic({{lse, {0, 1, 2, 3}}}, {fill(rows, kLowest), {0, 1, 2}}, 4, 3, [&](ArrayRef<Value> inputs, Value out) {
          return arith::MaximumFOp::create(builder, loc, inputs[0], out).getResult();
        });
    if (sink)
      highest =
          generic({{highest, {0, 1, 2}}, {sink, {1}}}, {empty(rows), {0, 1, 2}}, 3, std::nullopt,
                  [&](ArrayRef<Value> inputs, Value) {
                    return arith::MaximumFOp::create(builder, loc, inputs[0], convert(inputs[1], type)).getResult();
                  });
    Value weights = generic({{lse, {0, 1, 2, 3}}, {highest, {0, 1, 2}}}, {empty(append(rows, count)), {0, 1, 2, 3}}, 4,
                            std::nullopt, [&](ArrayRef<Value> inputs, Value) {
                              Value base = finite(inputs[1]);
                              return exp(arith::SubFOp::create(builder, loc, inputs[0], base));
                            });
    Value sum =
        generic({{weights, {0, 1, 2, 3}}}, {fill(rows, 0), {0, 1, 2}}, 4, 3, [&](ArrayRef<Value> inputs, Value out) {
          return arith::AddFOp::create(builder, loc, inputs[0], out).getResult();
        });
    if (sink)
      sum = generic({{sum, {0, 1, 2}}, {highest, {0, 1, 2}}, {sink, {1}}}, {empty(rows), {0, 1, 2}}, 3, std::nullopt,
                    [&](ArrayRef<Value> inputs, Value) {
                      Value base = finite(inputs[1]), score = convert(inputs[2], type);
                      Value power = exp(arith::SubFOp::create(builder, loc, score, base));
                      return arith::AddFOp::create(builder, loc, inputs[0], power).getResult();
                    });
    Value factor =
        generic({{sum, {0, 1, 2}}}, {empty(rows), {0, 1, 2}}, 3, std::nullopt, [&](ArrayRef<Value> inputs, Value) {
          Value none = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OEQ, inputs[0], number(0));
          Value one = number(1);
          Value divisor = arith::SelectOp::create(builder, loc, none, one, inputs[0]);
          return arith::DivFOp::create(builder, loc, one, divisor).getResult();
        });
    // The factor belongs into the sum: without it this were a contraction, which has a kernel of its own.
    Value total = generic({{weights, {0, 1, 2, 3}}, {factor, {0, 1, 2}}, {parts, {0, 1, 2, 3, 4}}},
                          {fill(append(rows, width), 0), {0, 1, 2, 4}}, 5, 3, [&](ArrayRef<Value> inputs, Value out) {
                            Value scaled = arith::MulFOp::create(builder, loc, inputs[0], inputs[1]);
                            scaled = arith::MulFOp::create(builder, loc, scaled, inputs[2]);
                            return arith::AddFOp::create(builder, loc, scaled, out).getResult();
                          });
    Value logarithm;
    if (lseInit)
      logarithm = generic({{sum, {0, 1, 2}}, {highest, {0, 1, 2}}}, {lseInit, {0, 1, 2}}, 3, std::nullopt,
                          [&](ArrayRef<Value> inputs, Value) {
                            Value log = math::LogOp::create(builder, loc, inputs[0]);
                            return arith::AddFOp::create(builder, loc, log, inputs[1]).getResult();
                          });
    return {finish(total, init), logarithm};
  }

private:
  SmallVector<OpFoldResult> append(ArrayRef<OpFoldResult> sizes, OpFoldResult last) {
    SmallVector<OpFoldResult> all(sizes);
    all.push_back(last);
    return all;
  }
  Value finish(Value total, Value init) {
    Type element = getElementTypeOrSelf(init.getType());
    if (element == type)
      return total;
    return generic({{total, {0, 1, 2, 3}}}, {init, {0, 1, 2, 3}}, 4, std::nullopt,
                   [&](ArrayRef<Value> inputs, Value) { return convert(inputs[0], element); });
  }

  OpBuilder &builder;
  Location loc;
  Type type;
};

class SplitAttention : public tenon::impl::SplitAttentionBase<SplitAttention> {
  void runOnOperation() override {
    KernelCalls calls(getOperation());
    for (auto kernel : getOperation().getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || kernel.isExternal() || !schedule || schedule.getAlgorithm() != "attention" ||
          schedule.getParallel()[3] == 0)
        continue;
      split(kernel, *kernel.getBody().getOps<AttentionOp>().begin(), schedule, calls.getCalls(kernel));
    }
  }

  /// How many parts a call has: as many as the places of its sources fill.
  OpFoldResult countParts(OpBuilder &builder, AttentionOp op, DispatchOp call, int64_t keys) {
    Location loc = call.getLoc();
    int64_t known = 0;
    SmallVector<Value> sizes;
    auto getSize = [&](Value tensor, unsigned dim) -> OpFoldResult {
      auto type = cast<RankedTensorType>(tensor.getType());
      if (!type.isDynamicDim(dim))
        return builder.getIndexAttr(type.getDimSize(dim));
      auto argument = dyn_cast<BlockArgument>(tensor);
      if (!argument) // made in the kernel
        return builder.getIndexAttr(0);
      return tensor::DimOp::create(builder, loc, call->getOperand(argument.getArgNumber()), dim).getResult();
    };
    for (unsigned number = 0; number < op.getSources().size(); ++number) {
      KVSourceOp source = op.getSource(number);
      OpFoldResult places = getSize(source.getKeys(), 2), pages = builder.getIndexAttr(1);
      if (Value list = source.getPages())
        pages = getSize(list, cast<RankedTensorType>(list.getType()).getRank() - 1);
      auto a = getConstantIntValue(places), b = getConstantIntValue(pages);
      if (a && b)
        known += *a * *b;
      else
        sizes.push_back(arith::MulIOp::create(builder, loc, getValueOrCreateConstantIndexOp(builder, loc, places),
                                              getValueOrCreateConstantIndexOp(builder, loc, pages)));
    }
    if (sizes.empty())
      return builder.getIndexAttr(std::max<int64_t>(1, llvm::divideCeil(known, keys)));
    auto constant = [&](int64_t value) { return arith::ConstantIndexOp::create(builder, loc, value); };
    Value total = constant(known + keys - 1);
    for (Value size : sizes)
      total = arith::AddIOp::create(builder, loc, total, size);
    Value parts = arith::DivUIOp::create(builder, loc, total, constant(keys));
    return arith::MaxUIOp::create(builder, loc, parts, constant(1)).getResult();
  }

  void split(func::FuncOp kernel, AttentionOp op, ScheduleAttr schedule, ArrayRef<DispatchOp> calls) {
    bool softmax = op.getNormalizer() == Normalizer::softmax, returnsLse = op.getLse() != nullptr;
    Type type = op.getScoreType();
    SmallVector<OpFoldResult> counts;
    for (DispatchOp call : calls) {
      OpBuilder builder(call);
      counts.push_back(countParts(builder, op, call, schedule.getParallel()[3]));
    }
    auto sink = dyn_cast_if_present<BlockArgument>(op.getSink());
    std::optional<unsigned> sinkNumber = sink ? std::optional(sink.getArgNumber()) : std::nullopt;
    bool fixed = !counts.empty() && getConstantIntValue(counts.front());
    makePartial(kernel, op, fixed ? *getConstantIntValue(counts.front()) : ShapedType::kDynamic);
    bool dropsSink = sink && sink.use_empty();
    if (dropsSink)
      kernel.getBody().front().eraseArgument(*sinkNumber);
    kernel.setFunctionType(FunctionType::get(&getContext(), kernel.getBody().front().getArgumentTypes(),
                                             kernel.getBody().front().getTerminator()->getOperandTypes()));
    SmallVector<int64_t> parallel(schedule.getParallel());
    parallel.back() = 0;
    kernel->setAttr(kScheduleAttr,
                    ScheduleAttr::get(&getContext(), schedule.getVersion(), schedule.getAlgorithm(), parallel,
                                      schedule.getCache(), schedule.getOrder(), schedule.getRegister_(),
                                      schedule.getUnroll(), schedule.getPack(), schedule.getPrepack(),
                                      schedule.getVectorDim(), schedule.getVectorWidth()));
    setCostAttributes(kernel);

    for (auto [number, entry] : llvm::enumerate(calls)) {
      DispatchOp call = entry;
      OpFoldResult count = counts[number];
      OpBuilder builder(call);
      Location loc = call.getLoc();
      Value init = call.getInits()[0], lseInit = returnsLse ? call.getInits()[1] : Value();
      auto empty = init.getDefiningOp<tensor::EmptyOp>();
      SmallVector<OpFoldResult> sizes = empty ? empty.getMixedSizes() : tensor::getMixedSizes(builder, loc, init);
      SmallVector<OpFoldResult> rows(ArrayRef(sizes).drop_back()), partial(rows);
      partial.push_back(count);
      SmallVector<Value> inputs(call.getInputs()), inits;
      Value sinkValue = sinkNumber ? inputs[*sinkNumber] : Value();
      if (dropsSink)
        inputs.erase(inputs.begin() + *sinkNumber);
      if (softmax)
        inits.push_back(tensor::EmptyOp::create(builder, loc, partial, type));
      partial.push_back(sizes.back());
      inits.insert(inits.begin(), tensor::EmptyOp::create(builder, loc, partial, type));
      auto made = DispatchOp::create(builder, loc, ValueRange(inits).getTypes(), call.getKernel(), inputs, inits);
      made->setDiscardableAttrs(call->getDiscardableAttrDictionary());
      Joiner joiner(builder, loc, type);
      SmallVector<Value> joined;
      if (softmax) {
        auto [total, lse] =
            joiner.softmax(made.getResult(0), made.getResult(1), sinkValue, init, lseInit, rows, count, sizes.back());
        joined = {total};
        if (lse)
          joined.push_back(lse);
      } else {
        joined = {joiner.sum(made.getResult(0), init, rows, sizes.back())};
      }
      call->replaceAllUsesWith(joined);
      call->erase();
    }
  }

  /// Replaces the kernel's attention by that of its parts.
  void makePartial(func::FuncOp kernel, AttentionOp op, int64_t parts) {
    Block &body = kernel.getBody().front();
    OpBuilder builder(op);
    bool softmax = op.getNormalizer() == Normalizer::softmax;
    auto place = cast<BlockArgument>(op.getInit());
    auto result = cast<RankedTensorType>(place.getType());
    SmallVector<int64_t> shape(result.getShape().drop_back());
    shape.push_back(parts);
    auto lseType = RankedTensorType::get(shape, op.getScoreType());
    shape.push_back(result.getShape().back());
    auto partType = RankedTensorType::get(shape, op.getScoreType());
    for (OpOperand &use : llvm::make_early_inc_range(place.getUses()))
      if (auto dim = dyn_cast<tensor::DimOp>(use.getOwner()); dim && dim.getConstantIndex() == 3) {
        OpBuilder at(dim);
        dim.getIndexMutable().assign(arith::ConstantIndexOp::create(at, dim.getLoc(), 4));
      }
    place.setType(partType);
    Value lsePlace = op.getLseInit();
    if (lsePlace)
      lsePlace.setType(lseType);
    else if (softmax)
      lsePlace = body.addArgument(lseType, place.getLoc());
    auto made = AttentionOp::create(builder, op.getLoc(), partType, softmax ? Type(lseType) : Type(),
                                    op.getNormalizerAttr(), op.getAlphaAttr(), op.getQuery(), op.getSources(),
                                    /*sink=*/Value(), op.getRule(), op.getExtras(), place, lsePlace, op.getExtraMaps(),
                                    /*partial=*/builder.getUnitAttr(), /*probabilityCount=*/0);
    made.getScore().takeBody(op.getScore());
    body.getTerminator()->setOperands(made->getResults());
    op->erase();
  }
};

} // namespace
