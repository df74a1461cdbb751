//===- PackWeights.cpp - weights by panels, made once ------------------------------------===//
//
// Which factors are packed, and how wide their panels are, stands in the schedule.
//
//===----------------------------------------------------------------------===//
#include "../InitProgram.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

namespace tenon {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// How the elements of a factor are laid out: the order of its dims, the place of the vector dim in it, the width.
struct Layout {
  SmallVector<int64_t> order;
  int64_t blocked = 0; // index in `order`
  int64_t width = 1;
};

/// Parallel dims, the vector dim, reduction dims in ascending order.
Layout getLayout(TileContractOp op, unsigned factor, ScheduleAttr schedule) {
  Layout layout;
  AffineMap map = op.getMaps()[factor];
  int64_t vectorDim = schedule.getVectorDim();
  auto add = [&](auto &&wanted) {
    for (unsigned position = 0; position < map.getNumResults(); ++position)
      if (wanted(map.getDimPosition(position)))
        layout.order.push_back(position);
  };
  add([&](int64_t dim) { return !op.isReduction(dim) && dim != vectorDim; });
  layout.blocked = layout.order.size();
  add([&](int64_t dim) { return dim == vectorDim; });
  for (unsigned reduction = 0; reduction < op.getNumLoops(); ++reduction)
    add([&](int64_t dim) { return dim == reduction && op.isReduction(dim); });
  layout.width = schedule.getRegister_()[vectorDim];
  return layout;
}

/// The panels of `weight`: [parallel dims.., panels, reduction dims.., width], the last panel filled up with zeros.
Value makePanels(OpBuilder &builder, Location loc, Value weight, const Layout &layout) {
  auto type = cast<RankedTensorType>(weight.getType());
  int64_t position = layout.order[layout.blocked], extent = type.getDimSize(position);
  int64_t panels = llvm::divideCeil(extent, layout.width), missing = panels * layout.width - extent;
  SmallVector<int64_t> shape(type.getShape());
  if (missing > 0) {
    SmallVector<OpFoldResult> low(type.getRank(), builder.getIndexAttr(0)), high(low);
    high[position] = builder.getIndexAttr(missing);
    shape[position] += missing;
    Value zero = arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type.getElementType()));
    weight = tensor::PadOp::create(builder, loc, type.clone(shape), weight, low, high, zero);
  }
  // Split the vector dim, then bring the lanes to the end.
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> split, first(shape.size());
  for (auto [index, size] : llvm::enumerate(shape)) {
    first[index] = split.size();
    groups.push_back({static_cast<int64_t>(split.size())});
    if (static_cast<int64_t>(index) != position) {
      split.push_back(size);
      continue;
    }
    groups.back().push_back(split.size() + 1);
    split.append({panels, layout.width});
  }
  weight = tensor::ExpandShapeOp::create(builder, loc, type.clone(split), weight, groups);
  SmallVector<int64_t> permutation = llvm::map_to_vector(layout.order, [&](int64_t index) { return first[index]; });
  permutation.push_back(first[position] + 1);
  SmallVector<int64_t> result = llvm::map_to_vector(permutation, [&](int64_t index) { return split[index]; });
  Value empty = tensor::EmptyOp::create(builder, loc, result, type.getElementType());
  return linalg::TransposeOp::create(builder, loc, weight, empty, permutation).getResult()[0];
}

class PackWeights : public tenon::impl::PackWeightsBase<PackWeights> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    KernelCalls calls(module);
    SymbolTable symbols(module);
    bool changed = false;
    for (auto kernel : module.getOps<func::FuncOp>()) {
      auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr);
      if (!kernel->hasAttr(kKernelAttr) || kernel.isExternal() || !schedule)
        continue;
      for (int64_t factor : schedule.getPrepack())
        for (auto op : llvm::to_vector(kernel.getBody().getOps<TileContractOp>()))
          if (!op.hasPanels(factor)) {
            pack(kernel, op, factor, schedule, calls, symbols);
            changed = true;
          }
      for (auto op : llvm::to_vector(kernel.getBody().getOps<GroupedMatmulOp>()))
        if (!schedule.getPrepack().empty() && op.getPanels() == 0) {
          // [E, K, N] as [E, panels, K, width].
          Layout layout{{0, 2, 1}, 1, schedule.getRegister_()[schedule.getVectorDim()]};
          usePanels(kernel, cast<BlockArgument>(op.getWeights()), layout, calls, symbols);
          op.setPanels(layout.width);
          changed = true;
        }
    }
    if (changed)
      dropUnusedInitResults(module);
  }

  void pack(func::FuncOp kernel, TileContractOp op, unsigned factor, ScheduleAttr schedule, const KernelCalls &calls,
            SymbolTable &symbols) {
    Layout layout = getLayout(op, factor, schedule);
    usePanels(kernel, cast<BlockArgument>(op->getOperand(factor)), layout, calls, symbols);
    // The contraction reads the same elements at their new places.
    SmallVector<Attribute> maps(op.getIndexingMaps().getValue());
    AffineMap map = op.getMaps()[factor];
    maps[factor] = AffineMapAttr::get(map.getSubMap(SmallVector<unsigned>(layout.order.begin(), layout.order.end())));
    op.setIndexingMapsAttr(ArrayAttr::get(&getContext(), maps));
    SmallVector<int64_t> panels(op.getPanels());
    panels.push_back(factor);
    op.setPanels(panels);
    op.setVectorDim(schedule.getVectorDim());
    SmallVector<int64_t> nonzero; // the factor's dimensions are others now
    SmallVector<Value> starts;
    for (const NonzeroRange &range : op.getNonzeroRanges())
      if (range.factor != static_cast<int64_t>(factor)) {
        nonzero.append({range.factor, range.dimension, range.first, range.end});
        if (range.start)
          starts.push_back(range.start);
      }
    op.setNonzero(nonzero);
    op.getStartsMutable().assign(starts);
  }

  /// Gives the kernel panels in the place of the weight that it takes as `argument`.
  void usePanels(func::FuncOp kernel, BlockArgument argument, const Layout &layout, const KernelCalls &calls,
                 SymbolTable &symbols) {
    Type type;
    for (DispatchOp call : calls.getCalls(kernel)) {
      OpOperand &operand = call->getOpOperand(argument.getArgNumber());
      WeightOp panels = getPanels(operand.get(), layout, symbols);
      OpBuilder builder(call);
      Value before = operand.get();
      operand.set(LoadWeightOp::create(builder, call.getLoc(), type = panels.getType(), panels.getSymName()));
      while (Operation *dead = before.getDefiningOp()) {
        if (!isOpTriviallyDead(dead))
          break;
        before = dead->getNumOperands() > 0 ? dead->getOperand(0) : Value();
        dead->erase();
        if (!before)
          break;
      }
    }
    argument.setType(type);
    kernel.setFunctionType(FunctionType::get(&getContext(), kernel.getBody().front().getArgumentTypes(),
                                             kernel.getFunctionType().getResults()));
  }

  /// The weight that holds the panels of `value`, made by the initializer; one for all calls that agree.
  WeightOp getPanels(Value value, const Layout &layout, SymbolTable &symbols) {
    SmallVector<Operation *> views;
    LoadWeightOp load = findWeight(value, &views);
    std::string key;
    llvm::raw_string_ostream stream(key);
    stream << load.getWeight() << '|' << value.getType() << '|' << layout.blocked << '|' << layout.width;
    for (int64_t index : layout.order)
      stream << ',' << index;
    WeightOp &known = packed[key];
    if (known)
      return known;
    func::FuncOp init = getOrCreateInit(getOperation());
    Operation *terminator = init.getBody().front().getTerminator();
    OpBuilder builder(terminator);
    auto source = symbols.lookup<WeightOp>(load.getWeight());
    Value made; // what the initializer makes it does not read back
    if (source.getArchive() == "init:")
      made = terminator->getOperand(source.getOffset());
    else
      made = builder.clone(*load)->getResult(0);
    // At once: of a weight in another order, made only to be packed, one is alive at a time.
    builder.setInsertionPointAfterValue(made);
    for (Operation *view : views) {
      IRMapping mapping;
      mapping.map(view->getOperand(0), made);
      made = builder.clone(*view, mapping)->getResult(0);
    }
    return known = addInitResult(init, makePanels(builder, load.getLoc(), made, layout), symbols);
  }

  llvm::StringMap<WeightOp> packed;
};

} // namespace
