//===- FormKernels.cpp - which ops make one kernel -------------------------------------===//
//
// Groups grow backwards from a root: a producer joins when nothing outside uses it and when one schedule can tile it
// together with the group. A group so made has one exit, so that no value leaves it and comes back. How a group becomes
// a region is in KernelBuilder.cpp.
//
//===----------------------------------------------------------------------===//
#include "KernelBuilder.h"
#include "tenon/Analysis/LinalgKind.h"
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Dialect/IR/Winograd.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"

namespace tenon {
#define GEN_PASS_DEF_FORMKERNELS
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

using Group = llvm::SetVector<Operation *>;

/// A group over rows keeps what it needs of one row at hand; longer rows are split over kernels.
constexpr int64_t kMaxRowElements = 1 << 20;
/// Below this many elements a group needs no rows to run in parallel.
constexpr int64_t kSmallWork = 1 << 14;

bool isKernelWork(Operation *op) {
  if (isa<linalg::LinalgOp, linalg::PackOp, linalg::UnPackOp, linalg::SoftmaxOp, AttentionOp, GroupedMatmulOp,
          FftConvOp, WinogradInputOp, WinogradOutputOp>(op))
    return true;
  if (isa<tensor::PadOp, tensor::ConcatOp, tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::GenerateOp,
          tensor::SplatOp, tensor::InsertOp, tensor::GatherOp, tensor::ScatterOp>(op))
    return true;
  return fusion::isScalarLoop(op);
}

bool isUsedOnlyBy(Operation *op, const Group &group) {
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    while (user && user->getBlock() != op->getBlock())
      user = user->getParentOp();
    return user && group.contains(user);
  });
}

void remarkLeftOut(Operation *producer, StringRef reason) {
  remark::missed(producer->getLoc(), remark::RemarkOpts::name("NotFused").category("tenon-form-kernels"))
      << (Twine("'") + producer->getName().getStringRef() + "' starts a kernel of its own: " + reason).str();
}

/// The loop of `op` that runs along dim `position` of an operand with `map`, or -1.
int64_t getLoop(AffineMap map, unsigned position) {
  auto dim = dyn_cast<AffineDimExpr>(map.getResult(position));
  return dim ? static_cast<int64_t>(dim.getPosition()) : -1;
}

//===----------------------------------------------------------------------===//
// Contractions with epilogues
//===----------------------------------------------------------------------===//

/// Work of a contraction where it is static, to choose between two that end in one sum.
int64_t getStaticWork(linalg::LinalgOp op) {
  int64_t work = 1;
  for (int64_t range : op.getStaticLoopRanges())
    work *= ShapedType::isDynamic(range) ? 256 : std::max<int64_t>(range, 1);
  return work;
}

/// Elementwise, one result, and its result's elements in the order of the loops.
bool isEpilogueStep(linalg::LinalgOp op) {
  if (op->getNumResults() != 1 || op.hasIndexSemantics() || classify(op) != LinalgKind::Elementwise)
    return false;
  OpOperand *init = op.getDpsInitOperand(0);
  return op.getMatchingIndexingMap(init).isIdentity() && !op.payloadUsesValueFromOperand(init);
}

/// Whether the elements that are next to each other stay so: identity, or, for the last op of a chain, a transpose of
/// outer dims, which only changes the places that rows are written to.
bool keepsRows(AffineMap map, bool isLast) {
  if (map.isIdentity())
    return true;
  unsigned rank = map.getNumDims();
  return isLast && rank > 1 && map.isPermutation() && map.getDimPosition(rank - 1) == rank - 1;
}

/// Finds the contraction that `op` is an epilogue of and adds the ops in between to `chain`.
linalg::LinalgOp findContraction(linalg::LinalgOp op, SmallVectorImpl<Operation *> &chain, bool isLast = true) {
  linalg::LinalgOp best;
  SmallVector<Operation *> bestChain;
  for (OpOperand *input : op.getDpsInputOperands()) {
    auto producer = input->get().getDefiningOp<linalg::LinalgOp>();
    if (!producer || producer->getBlock() != op->getBlock() || !keepsRows(op.getMatchingIndexingMap(input), isLast))
      continue;
    if (!llvm::all_of(producer->getUsers(), [&](Operation *user) { return user == op.getOperation(); })) {
      if (isContraction(producer))
        remarkLeftOut(op, "the contraction's result is used elsewhere too");
      continue;
    }
    // The same value through another map would be read across tiles.
    bool alsoOtherwise = llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *other) {
      return other->get() == input->get() && op.getMatchingIndexingMap(other) != op.getMatchingIndexingMap(input);
    });
    if (alsoOtherwise)
      continue;
    SmallVector<Operation *> steps;
    linalg::LinalgOp found;
    if (isContraction(producer))
      found = producer;
    else if (isEpilogueStep(producer))
      found = findContraction(producer, steps, /*isLast=*/false);
    if (!found || (best && getStaticWork(best) > getStaticWork(found)))
      continue;
    best = found;
    bestChain = steps;
    bestChain.push_back(producer);
  }
  chain.append(bestChain);
  return best;
}

/// Finds the op that transforms back to the result of a convolution which `op` is an epilogue of, and adds the ops in
/// between to `chain`, itself included. Units are slices of all of the result's dims but the last.
bool findTransform(linalg::LinalgOp op, SmallVectorImpl<Operation *> &chain) {
  for (OpOperand &operand : op->getOpOperands())
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults())
      if (!isa<AffineDimExpr>(expr))
        return false;
  for (OpOperand *input : op.getDpsInputOperands()) {
    Operation *producer = input->get().getDefiningOp();
    if (!producer || producer->getBlock() != op->getBlock() || !op.getMatchingIndexingMap(input).isIdentity() ||
        !llvm::all_of(producer->getUses(), [&](OpOperand &use) { return use.getOwner() == op && &use == input; }))
      continue;
    auto step = dyn_cast<linalg::LinalgOp>(producer);
    if (isa<FftConvOp, WinogradOutputOp>(producer) || (step && isEpilogueStep(step) && findTransform(step, chain))) {
      chain.push_back(producer);
      return true;
    }
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

/// Grows a group of reductions and elementwise ops over common rows. A row dim is one parallel loop in each member,
/// tied by the values that they pass on.
class RowGroup {
public:
  explicit RowGroup(linalg::LinalgOp root) {
    members.insert(root);
    SmallVector<int64_t> &loops = loopsOf[root];
    for (auto [loop, kind] : llvm::enumerate(root.getIteratorTypesArray()))
      if (kind == utils::IteratorType::parallel)
        loops.push_back(loop);
  }

  void grow() {
    // A producer is looked at when all its users have joined: again and again until nothing changes.
    for (bool changed = true; changed;) {
      changed = false;
      for (Operation *member : llvm::to_vector(members))
        for (Value operand : member->getOperands())
          if (auto producer = operand.getDefiningOp<linalg::LinalgOp>())
            changed |= !members.contains(producer) && join(producer);
    }
  }

  bool hasReduction() const {
    return llvm::any_of(members, [](Operation *op) { return cast<linalg::LinalgOp>(op).getNumReductionLoops() > 0; });
  }

  Group members;

private:
  bool join(linalg::LinalgOp producer) {
    Operation *root = members.front();
    LinalgKind kind = classify(producer);
    if (producer->getBlock() != root->getBlock() || (kind != LinalgKind::Elementwise && kind != LinalgKind::Reduction))
      return false;
    if (!isUsedOnlyBy(producer, members))
      return false;
    for (OpOperand &init : producer.getDpsInitsMutable())
      if (!producer.getMatchingIndexingMap(&init).isProjectedPermutation() ||
          (producer.payloadUsesValueFromOperand(&init) && !init.get().getDefiningOp<linalg::FillOp>()))
        return false;
    SmallVector<Operation *> chain;
    if (isEpilogueStep(producer) && (findContraction(producer, chain) || findTransform(producer, chain)))
      return remarkLeftOut(producer, "it is the epilogue of a contraction"), false;
    // The rows that survive: those that every passed value has as a dim.
    size_t count = loopsOf[root].size();
    SmallVector<int64_t> loops(count, -1);
    SmallVector<bool> alive(count, true);
    for (OpOperand &use : producer->getUses()) {
      auto consumer = dyn_cast<linalg::LinalgOp>(use.getOwner());
      if (!consumer || consumer.isDpsInit(&use))
        return false;
      AffineMap map = consumer.getMatchingIndexingMap(&use);
      AffineMap outMap = producer.getIndexingMapMatchingResult(cast<OpResult>(use.get()));
      if (!map.isProjectedPermutation())
        return remarkLeftOut(producer, "its result is read through a window"), false;
      for (size_t row = 0; row < count; ++row) {
        int64_t loop = -1;
        for (unsigned position = 0; position < map.getNumResults(); ++position)
          if (getLoop(map, position) == loopsOf[consumer][row])
            loop = getLoop(outMap, position);
        if (loop < 0 || (loops[row] >= 0 && loops[row] != loop))
          alive[row] = false;
        loops[row] = loop;
      }
    }
    if (!isWorthwhile(producer, alive))
      return remarkLeftOut(producer, "it shares too few rows with its consumers"), false;
    loopsOf[producer] = loops;
    for (auto &[member, memberLoops] : loopsOf) {
      SmallVector<int64_t> kept;
      for (size_t row = 0; row < count; ++row)
        if (alive[row])
          kept.push_back(memberLoops[row]);
      memberLoops = kept;
    }
    members.insert(producer);
    return true;
  }

  /// Whether enough rows are left to run in parallel, and a row is short enough to stay near.
  bool isWorthwhile(linalg::LinalgOp producer, ArrayRef<bool> alive) {
    auto root = cast<linalg::LinalgOp>(members.front());
    int64_t rows = 1, all = 1;
    bool isDynamic = false, anyAlive = false;
    SmallVector<int64_t> ranges = root.getStaticLoopRanges();
    for (int64_t range : ranges) {
      isDynamic |= ShapedType::isDynamic(range);
      all *= ShapedType::isDynamic(range) ? 1 : range;
    }
    for (auto [row, isAlive] : llvm::enumerate(alive)) {
      if (!isAlive)
        continue;
      int64_t range = ranges[loopsOf[root][row]];
      anyAlive |= ShapedType::isDynamic(range) || range > 1;
      rows *= ShapedType::isDynamic(range) ? 1 : range;
    }
    if (!isDynamic && all <= kSmallWork)
      return true;
    return anyAlive && all / std::max<int64_t>(rows, 1) <= kMaxRowElements;
  }

  llvm::MapVector<Operation *, SmallVector<int64_t>> loopsOf;
};

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Whether an elementwise op only moves its one input's elements.
bool isCopy(linalg::LinalgOp op) {
  if (isa<linalg::CopyOp, linalg::TransposeOp, linalg::BroadcastOp>(op))
    return true;
  return op->getNumResults() == 1 && isa<BlockArgument>(op.getBlock()->getTerminator()->getOperand(0));
}

class FormKernels : public tenon::impl::FormKernelsBase<FormKernels> {
  void runOnOperation() override {
    isUnfused = getOperation()->hasAttr(kUnfusedAttr);
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal() || function->hasAttr(kKernelAttr))
        continue;
      lowerShapeArithmetic(function);
      if (failed(formInRegion(function.getBody())))
        return signalPassFailure();
    }
  }

  /// Hosts do arithmetic on sizes with arith ops only.
  void lowerShapeArithmetic(func::FuncOp function) {
    IRRewriter rewriter(&getContext());
    function.walk([&](affine::AffineApplyOp apply) {
      rewriter.setInsertionPoint(apply);
      AffineMap map = apply.getAffineMap();
      if (std::optional<SmallVector<Value>> values =
              affine::expandAffineMap(rewriter, apply.getLoc(), map, apply.getMapOperands()))
        rewriter.replaceOp(apply, *values);
    });
  }

  LogicalResult formInRegion(Region &region) {
    for (Block &block : region)
      if (failed(formInBlock(block)))
        return failure();
    return success();
  }

  LogicalResult formInBlock(Block &block) {
    SmallVector<Operation *> order = llvm::map_to_vector(block, [](Operation &op) { return &op; });
    IRRewriter rewriter(&getContext());
    DenseSet<Operation *> taken;
    // Last to first: when an op is reached, its users in this block are in kernels already.
    for (Operation *op : llvm::reverse(order)) {
      if (taken.contains(op))
        continue;
      if (op->use_empty() && isOpTriviallyDead(op)) {
        taken.insert(op);
        rewriter.eraseOp(op);
        continue;
      }
      if (!isKernelWork(op)) {
        for (Region &region : op->getRegions())
          if (isa<scf::SCFDialect>(op->getDialect()) && failed(formInRegion(region)))
            return failure();
        continue;
      }
      auto [group, algorithm] = makeGroup(op);
      taken.insert(group.begin(), group.end());
      if (failed(fusion::buildKernel(rewriter, op, group, algorithm)))
        return failure();
    }
    // What was only read inside kernels, which have their own.
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
      if (isOpTriviallyDead(&op))
        rewriter.eraseOp(&op);
    return success();
  }

  std::pair<Group, StringRef> makeGroup(Operation *root) {
    Group group;
    group.insert(root);
    if (auto insert = dyn_cast<tensor::InsertSliceOp>(root)) {
      // A chain of insertions fills one destination.
      while (auto previous = insert.getDest().getDefiningOp<tensor::InsertSliceOp>()) {
        if (previous->getBlock() != root->getBlock() || !previous->hasOneUse())
          break;
        group.insert(previous);
        insert = previous;
      }
      return {group, "copy"};
    }
    if (isa<AttentionOp>(root))
      return {group, "attention"};
    if (isa<GroupedMatmulOp>(root))
      return {group, "grouped"};
    if (isa<WinogradInputOp, WinogradOutputOp>(root))
      return {group, "winograd"};
    if (isa<FftConvOp>(root))
      return {group, "fft"};
    auto op = dyn_cast<linalg::LinalgOp>(root);
    if (!op || isa<linalg::FillOp>(root))
      return {group, "copy"};
    LinalgKind kind = classify(op);
    if (kind == LinalgKind::Contraction)
      return {group, "contract"};
    if (kind == LinalgKind::Gather)
      return {group, "copy"};
    if (kind == LinalgKind::Elementwise && !isUnfused && isEpilogueStep(op)) {
      SmallVector<Operation *> chain;
      if (linalg::LinalgOp contraction = findContraction(op, chain)) {
        group.insert(chain.begin(), chain.end());
        return {group, "contract"};
      }
      if (findTransform(op, chain)) {
        group.insert(chain.begin(), chain.end());
        return {group, isa<FftConvOp>(chain.front()) ? "fft" : "winograd"};
      }
    }
    RowGroup rows(op);
    if (!isUnfused)
      rows.grow();
    if (rows.hasReduction())
      return {rows.members, "rows"};
    return {group, isCopy(op) ? "copy" : "elementwise"};
  }

  bool isUnfused = false; ///< one kernel per op
};

} // namespace
