//===- HoistConstants.cpp - what depends on weights alone runs at load time -----------------===//
#include "../InitProgram.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tenon {
#define GEN_PASS_DEF_HOISTCONSTANTS
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

int64_t getBytes(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 8;
  if (!type.hasStaticShape())
    return -1;
  return getStorageBytes(type.getElementType(), type.getNumElements()).value_or(-1);
}

class HoistConstants : public tenon::impl::HoistConstantsBase<HoistConstants> {
  using HoistConstantsBase::HoistConstantsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!function.isExternal() && !function->hasAttr(kKernelAttr) && function.getName() != kInitFunction)
        hoistFrom(function);
  }

  /// Values that every op outside of the constant part reads from it, in program order.
  void hoistFrom(func::FuncOp function) {
    constants.clear();
    for (Operation &op : function.getBody().getOps())
      if (isConstant(&op))
        constants.insert(&op);
    SmallVector<Value> exits;
    for (Operation *op : constants)
      for (Value result : op->getResults())
        if (isExit(result) && isWorthwhile(result))
          exits.push_back(result);
    if (exits.empty())
      return;

    ModuleOp module = getOperation();
    func::FuncOp init = getOrCreateInit(module);
    OpBuilder builder(init.getBody().front().getTerminator());
    IRMapping mapping;
    SmallVector<Value> copies;
    SymbolTable symbols(module);
    // All slices are cloned before any use changes: what the initializer makes is not read back by it.
    for (Value exit : exits)
      copies.push_back(cloneSlice(builder, exit, mapping));
    for (auto [exit, copy] : llvm::zip(exits, copies)) {
      WeightOp weight = addInitResult(init, copy, symbols);
      OpBuilder local(exit.getContext());
      local.setInsertionPointAfterValue(exit);
      Value load = LoadWeightOp::create(local, exit.getLoc(), exit.getType(), weight.getSymName());
      exit.replaceAllUsesWith(load);
    }
    for (Operation *op : llvm::reverse(constants.getArrayRef()))
      if (isOpTriviallyDead(op))
        op->erase();
  }

  /// Pure, and everything that it reads is constant.
  bool isConstant(Operation *op) {
    if (!isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>() || op->getNumResults() == 0 ||
        !isa<func::FuncOp>(op->getParentOp()))
      return false;
    if (auto load = dyn_cast<LoadWeightOp>(op)) {
      // What the initializer makes cannot be read by it.
      auto weight = getOperation().lookupSymbol<WeightOp>(load.getWeight());
      return weight && !weight.getArchive().starts_with("init:");
    }
    bool all = true;
    op->walk([&](Operation *inner) {
      if (!isMemoryEffectFree(inner))
        all = false;
      for (Value operand : inner->getOperands()) {
        Operation *producer = operand.getDefiningOp();
        bool isInside = op->isAncestor(operand.getParentRegion()->getParentOp());
        if (!isInside && (!producer || !constants.contains(producer)))
          all = false;
      }
    });
    return all;
  }

  bool isExit(Value value) {
    return llvm::any_of(value.getUsers(), [&](Operation *user) {
      while (user && !isa<func::FuncOp>(user->getParentOp()))
        user = user->getParentOp();
      return !constants.contains(user);
    });
  }

  /// Real work on real data, whose result is not out of proportion.
  bool isWorthwhile(Value value) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    Operation *op = value.getDefiningOp();
    // Elements of two or four bits are made from bytes where they are read: weights of such types are packed.
    if (!type || !type.hasStaticShape() || !type.getElementType().isIntOrFloat() ||
        (type.getElementTypeBitWidth() < 8 && !type.getElementType().isInteger(1)) ||
        isa<arith::ConstantOp, LoadWeightOp, tensor::EmptyOp, linalg::FillOp, tensor::SplatOp, tensor::FromElementsOp>(
            op))
      return false;
    if (isView(op))
      return isWorthwhileSource(op->getOperand(0));
    int64_t inputs = 0;
    bool readsWeights = false;
    SetVector<Operation *> slice;
    collect(op, slice);
    for (Operation *member : slice)
      if (isa<LoadWeightOp>(member) ||
          (isa<arith::ConstantOp>(member) && isa<RankedTensorType>(member->getResult(0).getType()))) {
        readsWeights = true;
        inputs += getBytes(member->getResult(0));
      }
    return readsWeights && getBytes(value) <= std::max<int64_t>(inputs * maxGrowth, 4096);
  }

  /// Reshapes cost nothing where they are.
  static bool isView(Operation *op) { return isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, tensor::CastOp>(op); }
  bool isWorthwhileSource(Value source) {
    Operation *op = source.getDefiningOp();
    return op && constants.contains(op) && !isExit(source) && isWorthwhile(source);
  }

  /// The constant ops that `op` is made from, itself last.
  void collect(Operation *op, SetVector<Operation *> &slice) {
    if (slice.contains(op))
      return;
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (!op->isAncestor(operand.getParentRegion()->getParentOp()))
          collect(operand.getDefiningOp(), slice);
    });
    slice.insert(op);
  }

  Value cloneSlice(OpBuilder &builder, Value value, IRMapping &mapping) {
    SetVector<Operation *> slice;
    collect(value.getDefiningOp(), slice);
    for (Operation *op : slice)
      if (!mapping.contains(op->getResult(0)))
        builder.clone(*op, mapping);
    return mapping.lookup(value);
  }

  SetVector<Operation *> constants;
};

} // namespace
