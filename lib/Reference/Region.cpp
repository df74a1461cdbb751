//===- Region.cpp - regions on scalars, as a flat list of steps --------------------------------===//
#include "Interpreter.h"

using namespace mlir;
using namespace tenon::reference;

CompiledRegion::CompiledRegion(Interpreter &interpreter, Block &block) : interpreter(interpreter), block(block) {
  flat = compile();
}

/// False where the body holds an op that is not a step.
bool CompiledRegion::compile() {
  llvm::DenseMap<Value, unsigned> slotOf;
  auto addSlot = [&](Value value) {
    slots.push_back(makeInt(0));
    return slotOf[value] = slots.size() - 1;
  };
  for (BlockArgument argument : block.getArguments()) {
    if (!isSupportedElement(argument.getType()))
      return false;
    addSlot(argument);
  }
  auto slotFor = [&](Value value) -> unsigned {
    auto found = slotOf.find(value);
    if (found != slotOf.end())
      return found->second;
    unsigned slot = addSlot(value);
    slots[slot] = interpreter.get(value).scalar; // from outside of the region
    return slot;
  };
  for (Operation &op : block.without_terminator()) {
    if (isa<arith::ConstantOp>(op) && isSupportedElement(op.getResult(0).getType())) {
      std::optional<Datum> value = getConstant(cast<arith::ConstantOp>(op).getValue());
      if (!value)
        return false;
      slots[addSlot(op.getResult(0))] = value->scalar;
      continue;
    }
    if (op.getNumRegions() || op.getNumResults() == 0)
      return false;
    Step step{&op, {}, nullptr, -1, {}, 0};
    if (auto index = dyn_cast<linalg::IndexOp>(op)) {
      step.dim = index.getDim();
      step.result = addSlot(index);
      steps.push_back(std::move(step));
      continue;
    }
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      const Datum &source = interpreter.get(extract.getTensor());
      if (extract.getTensor().getParentBlock() == &block || !source.tensor)
        return false;
      captured.push_back(std::make_unique<Tensor>(*source.tensor));
      step.tensor = captured.back().get();
      for (Value index : extract.getIndices())
        step.operands.push_back(slotFor(index));
      step.result = addSlot(extract);
      steps.push_back(std::move(step));
      continue;
    }
    if (llvm::any_of(op.getOperandTypes(), [](Type type) { return !isSupportedElement(type); }))
      return false;
    SmallVector<ScalarFn> fns = getScalarFns(&op);
    if (fns.size() != op.getNumResults())
      return false;
    for (Value operand : op.getOperands())
      step.operands.push_back(slotFor(operand));
    for (auto [fn, result] : llvm::zip(fns, op.getResults())) {
      step.fn = fn;
      step.result = addSlot(result);
      steps.push_back(step);
    }
  }
  for (Value value : block.getTerminator()->getOperands()) {
    if (!isSupportedElement(value.getType()))
      return false;
    yields.push_back(slotFor(value));
  }
  return true;
}

LogicalResult CompiledRegion::operator()(ArrayRef<Scalar> arguments, ArrayRef<int64_t> position,
                                         SmallVectorImpl<Scalar> &results) {
  results.clear();
  if (!flat) {
    SmallVector<int64_t> before = interpreter.enter(position);
    SmallVector<Datum> data(arguments.begin(), arguments.end());
    FailureOr<SmallVector<Datum>> yielded = interpreter.runBlock(block, data);
    interpreter.enter(before);
    if (failed(yielded))
      return failure();
    for (const Datum &datum : *yielded)
      results.push_back(datum.scalar);
    return success();
  }
  std::copy(arguments.begin(), arguments.end(), slots.begin());
  for (const Step &step : steps) {
    if (step.dim >= 0) {
      slots[step.result] = makeInt(position[step.dim]);
    } else if (step.tensor) {
      int64_t flat = 0;
      for (auto [slot, size] : llvm::zip(step.operands, step.tensor->shape())) {
        if (slots[slot].i < 0 || slots[slot].i >= size)
          return step.op->emitError() << "index out of bounds: " << slots[slot].i << " of " << size;
        flat = flat * size + slots[slot].i;
      }
      slots[step.result] = step.tensor->data()[flat];
    } else {
      operands.clear();
      for (unsigned slot : step.operands)
        operands.push_back(slots[slot]);
      operands.resize(3, makeInt(0)); // functions of two operands may be called on one
      const char *fault = nullptr;
      slots[step.result] = step.fn(operands.data(), fault);
      if (fault)
        return step.op->emitError(fault);
    }
  }
  for (unsigned slot : yields)
    results.push_back(slots[slot]);
  return success();
}
