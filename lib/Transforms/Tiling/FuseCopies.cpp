//===- FuseCopies.cpp - padded copies made by the contraction that reads them -------------===//
//
// Kernels are functions already, so that a kernel which several calls share keeps its form for those that have nothing
// to move into it.
//
//===----------------------------------------------------------------------===//
#include "SliceCopies.h"
#include "tenon/Analysis/Cost.h"
#include "tenon/Analysis/OwnParts.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"

#include <map>

namespace tenon {
#define GEN_PASS_DEF_FUSECOPIES
#include "tenon/Transforms/Passes.h.inc"
} // namespace tenon

using namespace mlir;
using namespace tenon;

namespace {

/// Units of work, at least.
constexpr int64_t kLeastUnits = 8;

/// A kernel that copies, and where the contraction takes what it makes.
struct Site {
  DispatchOp copy;
  tensor::CollapseShapeOp view; ///< in between, or null
  func::FuncOp copier;
  unsigned input;
};

Value getCopied(func::FuncOp copier) { return copier.getBody().front().getTerminator()->getOperand(0); }

class FuseCopies : public tenon::impl::FuseCopiesBase<FuseCopies> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    if (module->hasAttr(kUnfusedAttr))
      return;
    SymbolTable symbols(module);
    std::map<std::tuple<Operation *, Operation *, unsigned, bool>, func::FuncOp> known;
    SmallVector<DispatchOp> calls;
    module.walk([&](DispatchOp call) { calls.push_back(call); });
    DenseSet<Operation *> gone;
    for (DispatchOp call : calls) {
      if (gone.contains(call))
        continue;
      auto reader = symbols.lookup<func::FuncOp>(call.getKernel());
      while (std::optional<Site> site = findSite(call, reader, symbols)) {
        func::FuncOp &fused = known[{reader, site->copier, site->input, !site->view}];
        if (!fused) {
          fused = fuse(reader, *site);
          symbols.insert(fused);
        }
        gone.insert(site->copy);
        call = replace(call, *site, fused);
        reader = fused;
      }
    }
  }

  static std::optional<Site> findSite(DispatchOp call, func::FuncOp reader, SymbolTable &symbols) {
    if (!reader || reader.isExternal() || !llvm::hasSingleElement(reader.getBody().getOps<TileContractOp>()))
      return std::nullopt;
    TileContractOp op = *reader.getBody().getOps<TileContractOp>().begin();
    std::optional<Site> site;
    for (unsigned factor = 0; factor < 2; ++factor) {
      std::optional<OwnIndex> own = findOwnIndex(op, factor);
      if (!own || own->size < kLeastUnits || !canSliceCopies(op->getOperand(factor), own->position))
        continue;
      // Also what an earlier copy reads.
      visitSlicedArguments(op->getOperand(factor), own->position, [&](BlockArgument argument, int64_t dim) {
        if (!site)
          site = findCopy(call, argument, dim, symbols);
      });
    }
    return site;
  }

  /// The kernel that copies to `argument` for this call alone, if parts along `dim` can be made.
  static std::optional<Site> findCopy(DispatchOp call, BlockArgument argument, int64_t dim, SymbolTable &symbols) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!argument.hasOneUse() || argument.getArgNumber() >= call.getInputs().size() || !type || !type.hasStaticShape())
      return std::nullopt;
    Value value = call.getInputs()[argument.getArgNumber()];
    auto view = value.getDefiningOp<tensor::CollapseShapeOp>();
    if (view && view->hasOneUse())
      value = view.getSrc();
    auto copy = value.getDefiningOp<DispatchOp>();
    if (!copy || !copy->hasOneUse() || copy->getNumResults() != 1 || copy->getBlock() != call->getBlock() ||
        !copy.getInits()[0].getDefiningOp<tensor::EmptyOp>())
      return std::nullopt;
    auto copier = symbols.lookup<func::FuncOp>(copy.getKernel());
    if (!copier || copier.isExternal() ||
        copier->getAttrOfType<StringAttr>("tenon.algorithm") != StringAttr::get(call.getContext(), "copy") ||
        !canSlice(getCopied(copier), view, dim))
      return std::nullopt;
    return Site{copy, view, copier, argument.getArgNumber()};
  }

  /// Whether parts of what `view`, where there is one, makes of `copied` can be made.
  static bool canSlice(Value copied, tensor::CollapseShapeOp view, int64_t dim) {
    if (view)
      dim = findUncollapsed(view, dim);
    return dim >= 0 && canSliceCopies(copied, dim);
  }

  /// A kernel that takes what the copier does in the place of its result.
  func::FuncOp fuse(func::FuncOp reader, const Site &site) {
    func::FuncOp fused = reader.clone();
    func::FuncOp copier = site.copier;
    Block &body = fused.getBody().front(), &from = copier.getBody().front();
    unsigned inputs = from.getNumArguments() - 1;
    IRMapping mapping;
    for (unsigned number = 0; number < inputs; ++number)
      mapping.map(from.getArgument(number),
                  body.insertArgument(site.input + 1 + number, from.getArgument(number).getType(), copier.getLoc()));
    OpBuilder builder = OpBuilder::atBlockBegin(&body);
    auto type = cast<RankedTensorType>(from.getArgument(inputs).getType());
    mapping.map(from.getArgument(inputs),
                tensor::EmptyOp::create(builder, copier.getLoc(), type.getShape(), type.getElementType()));
    for (Operation &op : from.without_terminator())
      builder.clone(op, mapping);
    Value copied = mapping.lookupOrDefault(getCopied(copier));
    if (tensor::CollapseShapeOp view = site.view)
      copied = tensor::CollapseShapeOp::create(builder, view.getLoc(), view.getResultType(), copied,
                                               view.getReassociationIndices());
    body.getArgument(site.input).replaceAllUsesWith(copied);
    body.eraseArgument(site.input);
    fused.setFunctionType(builder.getFunctionType(body.getArgumentTypes(), reader.getResultTypes()));
    fused->setAttr("tenon.nodes", joinNodes(copier, reader));
    Attribute flops = reader->getAttr(kFlopsAttr); // all of them, and none depends on a size that is open
    setCostAttributes(fused);
    if (flops)
      fused->setAttr(kFlopsAttr, flops);
    return fused;
  }

  static DispatchOp replace(DispatchOp call, const Site &site, func::FuncOp fused) {
    SmallVector<Value> inputs(call.getInputs());
    inputs.erase(inputs.begin() + site.input);
    DispatchOp copy = site.copy;
    inputs.insert(inputs.begin() + site.input, copy.getInputs().begin(), copy.getInputs().end());
    OpBuilder builder(call);
    auto made =
        DispatchOp::create(builder, call.getLoc(), call.getResultTypes(), fused.getSymName(), inputs, call.getInits());
    made->setAttr("tenon.nodes", joinNodes(copy, call));
    call->replaceAllUsesWith(made);
    call->erase();
    if (tensor::CollapseShapeOp view = site.view)
      view->erase();
    copy->erase();
    return made;
  }

  static ArrayAttr joinNodes(Operation *first, Operation *second) {
    llvm::SetVector<Attribute> nodes;
    for (Operation *op : {first, second})
      if (auto names = op->getAttrOfType<ArrayAttr>("tenon.nodes"))
        nodes.insert(names.begin(), names.end());
    return ArrayAttr::get(first->getContext(), nodes.getArrayRef());
  }
};

} // namespace
