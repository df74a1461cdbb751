//===- InitProgram.cpp - the function that makes weights from weights ---------------------===//
#include "InitProgram.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace tenon;

static void updateType(func::FuncOp init) {
  Operation *terminator = init.getBody().front().getTerminator();
  init.setFunctionType(FunctionType::get(init.getContext(), {}, terminator->getOperandTypes()));
}

func::FuncOp tenon::getOrCreateInit(ModuleOp module) {
  if (auto known = module.lookupSymbol<func::FuncOp>(kInitFunction))
    return known;
  OpBuilder builder(module.getContext());
  auto functions = module.getOps<func::FuncOp>();
  if (functions.empty())
    builder.setInsertionPointToEnd(module.getBody());
  else
    builder.setInsertionPoint(*functions.begin());
  auto init = func::FuncOp::create(builder, module.getLoc(), kInitFunction, builder.getFunctionType({}, {}));
  builder.setInsertionPointToStart(init.addEntryBlock());
  func::ReturnOp::create(builder, module.getLoc());
  return init;
}

WeightOp tenon::addInitResult(func::FuncOp init, Value value, SymbolTable &symbols) {
  Operation *terminator = init.getBody().front().getTerminator();
  int64_t index = terminator->getNumOperands();
  terminator->insertOperands(index, value);
  updateType(init);
  auto type = cast<RankedTensorType>(value.getType());
  std::optional<int64_t> bytes = getStorageBytes(type.getElementType(), type.getNumElements());
  OpBuilder builder(cast<ModuleOp>(symbols.getOp()).getBodyRegion());
  auto weight = WeightOp::create(builder, value.getLoc(), "init." + std::to_string(index), "init:", index,
                                 bytes.value_or(-1), type, StringAttr());
  symbols.insert(weight);
  return weight;
}

void tenon::dropUnusedInitResults(ModuleOp module) {
  auto init = module.lookupSymbol<func::FuncOp>(kInitFunction);
  if (!init)
    return;
  Operation *terminator = init.getBody().front().getTerminator();
  llvm::StringSet<> loaded;
  module.walk([&](LoadWeightOp load) { loaded.insert(load.getWeight()); });
  SmallVector<WeightOp> used(terminator->getNumOperands());
  for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>())) {
    if (weight.getArchive() != "init:")
      continue;
    if (!loaded.contains(weight.getSymName()))
      weight.erase();
    else
      used[weight.getOffset()] = weight;
  }
  SmallVector<Value> kept;
  for (auto [weight, value] : llvm::zip(used, terminator->getOperands()))
    if (weight) {
      weight.setOffset(kept.size());
      kept.push_back(value);
    }
  terminator->setOperands(kept);
  updateType(init);
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(init.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
}
