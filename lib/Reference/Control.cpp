//===- Control.cpp - functions, blocks, scf, cf.assert, affine and elementwise arith -----------===//
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tenon::reference;

SmallVector<int64_t> Interpreter::integers(ValueRange range) {
  return llvm::map_to_vector(range, [&](Value value) { return integer(value); });
}

SmallVector<int64_t> Interpreter::mixed(ArrayRef<OpFoldResult> entries) {
  return llvm::map_to_vector(entries, [&](OpFoldResult entry) {
    if (auto value = dyn_cast<Value>(entry))
      return integer(value);
    return cast<IntegerAttr>(cast<Attribute>(entry)).getInt();
  });
}

FailureOr<SmallVector<Datum>> Interpreter::call(Operation *site, StringRef name, ArrayRef<Datum> arguments) {
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function || function.isExternal())
    return site->emitError() << "no function '" << name << "' with a body";
  if (arguments.size() != function.getNumArguments())
    return site->emitError() << "expected " << function.getNumArguments() << " inputs of '" << name << "', but got "
                             << arguments.size();
  if (!function.getBody().hasOneBlock())
    return function.emitError("branches between blocks are not in the reference evaluator");
  if (depth >= 200)
    return site->emitError("calls are nested deeper than 200");
  // Functions see nothing of their callers.
  llvm::DenseMap<Value, Datum> callers;
  std::swap(callers, values);
  ++depth;
  FailureOr<SmallVector<Datum>> results = runBlock(function.getBody().front(), arguments);
  --depth;
  std::swap(callers, values);
  return results;
}

FailureOr<SmallVector<Datum>> Interpreter::runBlock(Block &block, ArrayRef<Datum> arguments) {
  for (auto [argument, datum] : llvm::zip(block.getArguments(), arguments))
    set(argument, datum);
  for (Operation &op : block.without_terminator())
    if (failed(run(&op)))
      return failure();
  Operation *terminator = block.getTerminator();
  if (!terminator->hasTrait<OpTrait::ReturnLike>() && !isa<scf::ConditionOp, scf::YieldOp>(terminator))
    return terminator->emitError() << "'" << terminator->getName() << "' is not in the reference evaluator";
  SmallVector<Datum> results;
  for (Value value : terminator->getOperands())
    results.push_back(get(value));
  return results;
}

LogicalResult Interpreter::run(Operation *op) {
  for (auto family :
       {&Interpreter::runScalar, &Interpreter::runTensor, &Interpreter::runLinalg, &Interpreter::runControl,
        &Interpreter::runTenon, &Interpreter::runFormats, &Interpreter::runExperts, &Interpreter::runState,
        &Interpreter::runLists, &Interpreter::runWinograd, &Interpreter::runFft})
    if (Handled handled = (this->*family)(op))
      return *handled;
  return op->emitError() << "'" << op->getName() << "' is not in the reference evaluator";
}

/// Ops on scalars; on tensors of one shape they work element by element.
Interpreter::Handled Interpreter::runScalar(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>()) {
    Attribute attr = op->getAttr("value");
    std::optional<Datum> constant = attr ? getConstant(attr) : std::nullopt;
    if (!constant)
      return op->emitError("this constant is not in the reference evaluator");
    set(op->getResult(0), *constant);
    return success();
  }
  SmallVector<ScalarFn> fns = getScalarFns(op);
  if (fns.empty())
    return std::nullopt;
  const char *fault = nullptr;
  SmallVector<Scalar> operands(std::max<size_t>(3, op->getNumOperands()), makeInt(0));
  std::optional<SmallVector<int64_t>> shape;
  SmallVector<const Scalar *> tensors(op->getNumOperands(), nullptr);
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    const Datum &datum = get(operand);
    operands[i] = datum.scalar;
    if (!datum.tensor)
      continue;
    tensors[i] = datum.tensor->data();
    if (shape && ArrayRef<int64_t>(*shape) != datum.tensor->shape())
      return op->emitError("expected operands of one shape");
    shape = SmallVector<int64_t>(datum.tensor->shape());
  }
  for (auto [fn, result] : llvm::zip(fns, op->getResults())) {
    if (!shape) {
      Scalar value = fn(operands.data(), fault);
      if (!fault)
        set(result, value);
    } else {
      Tensor out(getElementTypeOrSelf(result.getType()), *shape);
      Scalar *data = out.mutableData();
      for (int64_t e = 0; e < out.count(); ++e) {
        for (auto [i, source] : llvm::enumerate(tensors))
          if (source)
            operands[i] = source[e];
        data[e] = fn(operands.data(), fault);
      }
      if (!fault)
        set(result, out);
    }
    if (fault)
      return op->emitError(fault);
  }
  return success();
}

static void setAll(Interpreter &in, ValueRange results, ArrayRef<Datum> data) {
  for (auto [result, datum] : llvm::zip(results, data))
    in.set(result, datum);
}

static SmallVector<Datum> getAll(Interpreter &in, ValueRange values) {
  return llvm::map_to_vector(values, [&](Value value) { return in.get(value); });
}

/// Runs the region's block, if there is one, and takes its results as the op's.
static LogicalResult runBranch(Interpreter &in, Operation *op, Region &region) {
  if (region.empty())
    return success();
  FailureOr<SmallVector<Datum>> results = in.runBlock(region.front(), {});
  if (failed(results))
    return failure();
  setAll(in, op->getResults(), *results);
  return success();
}

LogicalResult Interpreter::step(Operation *loop) {
  if (++steps > options.maxSteps)
    return loop->emitError() << "loops ran for more than " << options.maxSteps
                             << " steps in the reference evaluator (--max-steps)";
  return success();
}

static LogicalResult runFor(Interpreter &in, scf::ForOp op) {
  int64_t lower = in.integer(op.getLowerBound()), upper = in.integer(op.getUpperBound()),
          step = in.integer(op.getStep());
  if (step <= 0)
    return op.emitError() << "expected a positive step, but got " << step;
  SmallVector<Datum> carried = getAll(in, op.getInitArgs());
  for (int64_t i = lower; i < upper;) {
    if (failed(in.step(op)))
      return failure();
    SmallVector<Datum> arguments{Datum(makeInt(i))};
    llvm::append_range(arguments, carried);
    FailureOr<SmallVector<Datum>> results = in.runBlock(*op.getBody(), arguments);
    if (failed(results))
      return failure();
    carried = *results;
    if (llvm::AddOverflow(i, step, i))
      break;
  }
  setAll(in, op.getResults(), carried);
  return success();
}

static LogicalResult runWhile(Interpreter &in, scf::WhileOp op) {
  SmallVector<Datum> carried = getAll(in, op.getInits());
  while (true) {
    if (failed(in.step(op)))
      return failure();
    FailureOr<SmallVector<Datum>> before = in.runBlock(op.getBefore().front(), carried);
    if (failed(before))
      return failure();
    ArrayRef<Datum> passed = ArrayRef<Datum>(*before).drop_front();
    if (!before->front().scalar.i) {
      setAll(in, op.getResults(), passed);
      return success();
    }
    FailureOr<SmallVector<Datum>> after = in.runBlock(op.getAfter().front(), passed);
    if (failed(after))
      return failure();
    carried = *after;
  }
}

/// The results of an affine map at operands (dims, then symbols); fails where it divides by nothing positive.
static FailureOr<SmallVector<int64_t>> applyMap(Interpreter &in, Operation *op, AffineMap map) {
  SmallVector<Attribute> constants;
  for (Value operand : op->getOperands())
    constants.push_back(IntegerAttr::get(IndexType::get(op->getContext()), in.integer(operand)));
  SmallVector<Attribute> results;
  bool poison = false;
  if (failed(map.constantFold(constants, results, &poison)) || poison)
    return op->emitError("division by zero");
  return llvm::map_to_vector(results, [](Attribute attr) { return cast<IntegerAttr>(attr).getInt(); });
}

Interpreter::Handled Interpreter::runControl(Operation *op) {
  return llvm::TypeSwitch<Operation *, Handled>(op)
      .Case<scf::IfOp>([&](scf::IfOp branch) -> Handled {
        return runBranch(*this, op, integer(branch.getCondition()) ? branch.getThenRegion() : branch.getElseRegion());
      })
      .Case<scf::IndexSwitchOp>([&](scf::IndexSwitchOp branch) -> Handled {
        for (auto [value, region] : llvm::zip(branch.getCases(), branch.getCaseRegions()))
          if (value == integer(branch.getArg()))
            return runBranch(*this, op, region);
        return runBranch(*this, op, branch.getDefaultRegion());
      })
      .Case<scf::ExecuteRegionOp>([&](scf::ExecuteRegionOp region) -> Handled {
        if (!region.getRegion().hasOneBlock())
          return op->emitError("branches between blocks are not in the reference evaluator");
        return runBranch(*this, op, region.getRegion());
      })
      .Case<scf::ForOp>([&](scf::ForOp loop) -> Handled { return runFor(*this, loop); })
      .Case<scf::WhileOp>([&](scf::WhileOp loop) -> Handled { return runWhile(*this, loop); })
      .Case<cf::AssertOp>([&](cf::AssertOp check) -> Handled {
        if (!integer(check.getArg()))
          return op->emitError(check.getMsg());
        return success();
      })
      .Case<func::CallOp>([&](func::CallOp callOp) -> Handled {
        FailureOr<SmallVector<Datum>> results = call(op, callOp.getCallee(), getAll(*this, callOp.getOperands()));
        if (failed(results))
          return failure();
        setAll(*this, callOp.getResults(), *results);
        return success();
      })
      .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>([&](auto apply) -> Handled {
        FailureOr<SmallVector<int64_t>> results = applyMap(*this, op, apply.getAffineMap());
        if (failed(results))
          return failure();
        bool least = !isa<affine::AffineMaxOp>(op);
        set(op->getResult(0), makeInt(least ? *llvm::min_element(*results) : *llvm::max_element(*results)));
        return success();
      })
      .Default([](Operation *) -> Handled { return std::nullopt; });
}
