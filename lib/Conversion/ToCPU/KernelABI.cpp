//===- KernelABI.cpp - kernel functions in the run time's calling convention ---------===//
//
// Bufferized kernel -> entry + range function. What runs inside a work item is not touched here.
//
//===----------------------------------------------------------------------===//
#include "ABI.h"
#include "tenon/Conversion/ToCPU/Passes.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Affine/Transforms/Transforms.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Dominance.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace tenon {
#define GEN_PASS_DEF_KERNELABI
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

/// The parts of a kernel function: the pure ops in front, and the forall, or null when all is one work item.
struct Shape {
  scf::ForallOp forall;
};

bool isPureView(Operation &op) { return isMemoryEffectFree(&op) && !isa<memref::AllocOp, memref::AllocaOp>(op); }

Shape analyse(func::FuncOp kernel) {
  scf::ForallOp forall;
  for (Operation &op : kernel.getBody().front().without_terminator()) {
    if (forall)
      return {}; // something follows the loop: run all as one item
    if (auto candidate = dyn_cast<scf::ForallOp>(op))
      forall = candidate;
    else if (!isPureView(op))
      return {};
  }
  return {forall};
}

/// An upper bound of `size` made of values that dominate `anchor`; new ops go before it.
FailureOr<Value> hoistBound(Value size, Operation *anchor, DominanceInfo &dominance) {
  if (dominance.properlyDominates(size, anchor))
    return size;
  OpBuilder builder(anchor);
  if (auto constant = getConstantIntValue(size))
    return arith::ConstantIndexOp::create(builder, size.getLoc(), *constant).getResult();
  FailureOr<OpFoldResult> bound = affine::reifyIndexValueBound(
      builder, size.getLoc(), presburger::BoundType::UB, size,
      [&](Value value, std::optional<int64_t>, ValueBoundsConstraintSet &) {
        return dominance.properlyDominates(value, anchor);
      },
      /*closedUB=*/true);
  if (failed(bound))
    return failure();
  return getValueOrCreateConstantIndexOp(builder, size.getLoc(), *bound);
}

class KernelABI : public tenon::impl::KernelABIBase<KernelABI> {
  void runOnOperation() override {
    for (auto kernel : llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (kernel->hasAttr(tenon::kKernelAttr) && !kernel.isExternal() && failed(convert(kernel)))
        return signalPassFailure();
  }

  LogicalResult convert(func::FuncOp kernel) {
    Location loc = kernel.getLoc();
    if (!kernel.getBody().hasOneBlock() || kernel.getNumResults() != 0)
      return kernel.emitError("expected a bufferized kernel of one block without results");
    for (Type type : kernel.getArgumentTypes()) {
      auto memref = dyn_cast<MemRefType>(type);
      if (!tenon::abi::getWordCount(type) || (memref && !memref.getLayout().isIdentity()))
        return kernel.emitError("kernel argument of type ") << type << " cannot be passed";
    }
    Block &body = kernel.getBody().front();
    scf::ForallOp forall = analyse(kernel).forall;

    // Scratch: a place for each buffer of a work item, sized before the items start.
    Operation *anchor = forall ? forall.getOperation() : &body.front();
    OpBuilder builder(anchor);
    DominanceInfo dominance(kernel);
    SmallVector<std::pair<Operation *, Value>> places;
    Value total = arith::ConstantIndexOp::create(builder, loc, 0);
    WalkResult walk = kernel.walk([&](Operation *op) -> WalkResult {
      if (isa<memref::DeallocOp>(op)) {
        op->erase();
        return WalkResult::advance();
      }
      if (!isa<memref::AllocOp, memref::AllocaOp>(op))
        return WalkResult::advance();
      auto type = cast<MemRefType>(op->getResult(0).getType());
      // A buffer has one place: of two iterations only the last one's contents are there.
      for (Operation *user : op->getResult(0).getUsers())
        if (isa<scf::YieldOp>(user) && isa<scf::ForOp, scf::WhileOp>(user->getParentOp()))
          return op->emitError("a buffer made inside a loop of a kernel cannot be carried to the next iteration"),
                 WalkResult::interrupt();
      SmallVector<Value> bounds;
      for (Value size : op->getOperands()) {
        FailureOr<Value> bound = hoistBound(size, anchor, dominance);
        if (failed(bound))
          return op->emitError("the size of a buffer inside a kernel has no bound that is known at its start"),
                 WalkResult::interrupt();
        bounds.push_back(*bound);
      }
      builder.setInsertionPoint(anchor);
      places.emplace_back(op, total);
      Value bytes = tenon::abi::alignTo64(builder, loc, tenon::abi::getByteSize(builder, loc, type, bounds));
      total = arith::AddIOp::create(builder, loc, total, bytes);
      return WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return failure();
    builder.setInsertionPoint(anchor);

    // The range function.
    MLIRContext *context = kernel.getContext();
    Type pointer = LLVM::LLVMPointerType::get(context), i64 = builder.getI64Type(), i32 = builder.getI32Type();
    std::string name = kernel.getName().str(), rangeName = name + "_range";
    OpBuilder top(kernel);
    auto range = func::FuncOp::create(top, loc, rangeName, builder.getFunctionType({pointer, i64, i64, pointer}, {}));
    auto entry = func::FuncOp::create(top, loc, name + "_entry", builder.getFunctionType({pointer, pointer}, {i32}));
    range.setPrivate();

    auto loadArguments = [&](OpBuilder &b, Value args, IRMapping &mapping) {
      unsigned word = 0;
      for (BlockArgument argument : body.getArguments())
        mapping.map(argument, tenon::abi::loadArgument(b, loc, args, argument.getType(), word));
    };
    auto clonePrefix = [&](OpBuilder &b, IRMapping &mapping) {
      for (Operation &op : body) {
        if (&op == anchor)
          break;
        b.clone(op, mapping);
      }
    };

    { // Entry: number of items and scratch bytes, then one parallel_for.
      Block *block = entry.addEntryBlock();
      OpBuilder b = OpBuilder::atBlockBegin(block);
      IRMapping mapping;
      loadArguments(b, block->getArgument(1), mapping);
      clonePrefix(b, mapping);
      Value items = arith::ConstantIndexOp::create(b, loc, 1);
      if (forall)
        for (auto [lower, upper, step] :
             llvm::zip(forall.getMixedLowerBound(), forall.getMixedUpperBound(), forall.getMixedStep())) {
          auto value = [&](OpFoldResult v) {
            return mapping.lookupOrDefault(getValueOrCreateConstantIndexOp(b, loc, v));
          };
          Value span = arith::SubIOp::create(b, loc, value(upper), value(lower));
          Value zero = arith::ConstantIndexOp::create(b, loc, 0);
          Value trips = arith::CeilDivSIOp::create(b, loc, arith::MaxSIOp::create(b, loc, span, zero), value(step));
          items = arith::MulIOp::create(b, loc, items, trips);
        }
      Value function = func::ConstantOp::create(b, loc, range.getFunctionType(), rangeName);
      Value address = UnrealizedConversionCastOp::create(b, loc, pointer, function).getResult(0);
      Value bytes = mapping.lookupOrDefault(total);
      auto call = LLVM::CallOp::create(b, loc, tenon::abi::getRuntimeFunction(getOperation(), "parallel_for"),
                                       ValueRange{block->getArgument(0), address, block->getArgument(1),
                                                  arith::IndexCastOp::create(b, loc, i64, items),
                                                  arith::IndexCastOp::create(b, loc, i64, bytes)});
      func::ReturnOp::create(b, loc, call.getResult());
    }

    { // Range: the loop over items around the body.
      Block *block = range.addEntryBlock();
      OpBuilder b = OpBuilder::atBlockBegin(block);
      IRMapping mapping;
      loadArguments(b, block->getArgument(0), mapping);
      clonePrefix(b, mapping);
      Value lo = arith::IndexCastOp::create(b, loc, b.getIndexType(), block->getArgument(1));
      Value hi = arith::IndexCastOp::create(b, loc, b.getIndexType(), block->getArgument(2));
      Value one = arith::ConstantIndexOp::create(b, loc, 1);
      SmallVector<Value> lowers, steps, trips;
      if (forall)
        for (auto [lower, upper, step] :
             llvm::zip(forall.getMixedLowerBound(), forall.getMixedUpperBound(), forall.getMixedStep())) {
          auto value = [&](OpFoldResult v) {
            return mapping.lookupOrDefault(getValueOrCreateConstantIndexOp(b, loc, v));
          };
          lowers.push_back(value(lower));
          steps.push_back(value(step));
          trips.push_back(arith::CeilDivSIOp::create(b, loc, arith::SubIOp::create(b, loc, value(upper), lowers.back()),
                                                     steps.back()));
        }
      auto loop = scf::ForOp::create(b, loc, lo, hi, one);
      func::ReturnOp::create(b, loc);
      b.setInsertionPointToStart(loop.getBody());
      Value rest = loop.getInductionVar();
      if (forall) {
        SmallVector<Value> ivs(trips.size());
        for (int64_t dim = trips.size() - 1; dim >= 0; --dim) {
          Value index = dim == 0 ? rest : arith::RemUIOp::create(b, loc, rest, trips[dim]).getResult();
          if (dim != 0)
            rest = arith::DivUIOp::create(b, loc, rest, trips[dim]);
          ivs[dim] = arith::AddIOp::create(b, loc, lowers[dim], arith::MulIOp::create(b, loc, index, steps[dim]));
        }
        mapping.map(forall.getInductionVars(), ivs);
      }
      Block &items = forall ? *forall.getBody() : body;
      bool started = forall != nullptr;
      for (Operation &op : items.without_terminator()) {
        started |= &op == anchor;
        if (started)
          b.clone(op, mapping);
      }
      for (auto [alloc, offset] : places) {
        // The buffer's clone is found through its result.
        Operation *clone = mapping.lookup(alloc->getResult(0)).getDefiningOp();
        OpBuilder at(clone);
        Value bytes = arith::IndexCastOp::create(at, loc, i64, mapping.lookupOrDefault(offset));
        Value address =
            LLVM::GEPOp::create(at, loc, pointer, at.getI8Type(), block->getArgument(3), ArrayRef<LLVM::GEPArg>{bytes});
        Value buffer = tenon::abi::makeMemRef(at, loc, address, cast<MemRefType>(clone->getResult(0).getType()),
                                              clone->getOperands());
        clone->getResult(0).replaceAllUsesWith(buffer);
        clone->erase();
      }
    }
    // Nested foralls run in order inside their item.
    range.walk([&](scf::ForallOp nested) {
      IRRewriter rewriter(nested);
      (void)scf::forallToForLoop(rewriter, nested);
    });
    kernel.erase();
    entry.setName(name);
    return success();
  }
};

} // namespace
