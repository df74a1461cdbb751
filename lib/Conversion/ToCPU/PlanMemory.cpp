//===- PlanMemory.cpp - a place for every buffer of the host program -------------------===//
//
// Runs on bufferized host functions while control flow is still structured. Decides where each buffer lives: in the
// caller's output, in the arena, or in run-time memory. Kernel-internal buffers are the kernel ABI's business.
//
//===----------------------------------------------------------------------===//
#include "ABI.h"
#include "tenon/Conversion/ToCPU/Passes.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Bufferization/Transforms/BufferViewFlowAnalysis.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Dominance.h"

namespace tenon {
#define GEN_PASS_DEF_PLANMEMORY
#include "tenon/Conversion/ToCPU/Passes.h.inc"
} // namespace tenon

using namespace mlir;

namespace {

/// A buffer with its life, in positions of the entry block's ops (both ends included).
struct Buffer {
  memref::AllocOp alloc;
  Buffer *whole = nullptr; ///< the one that it is a piece of,
  int64_t at = 0;          ///< from this byte on
  int64_t start = 0, end = 0;
  bool escapes = false; ///< leaves the loop or branch that allocates it
  int64_t output = -1;  ///< index of the result it is, or -1
  Operation *lastUser = nullptr;
};

/// Where a buffer of static size stands in the arena.
struct Placed {
  int64_t start, end, offset, bytes;
};

class FunctionPlanner {
public:
  FunctionPlanner(func::FuncOp function, ModuleOp module, const llvm::StringMap<int64_t> &weightIndex)
      : function(function), module(module), weightIndex(weightIndex), entry(function.getBody().front()),
        loc(function.getLoc()) {}

  LogicalResult run() {
    collect();
    makeSignature();
    replaceWeights();
    if (failed(placeOutputs()))
      return failure();
    placePieces();
    placeArena();
    placeRest();
    return success();
  }

private:
  /// The buffer that `value` is a reshaped view of.
  static Value getRoot(Value value) {
    while (Operation *view = value.getDefiningOp()) {
      if (!isa<memref::ExpandShapeOp, memref::CollapseShapeOp, memref::CastOp, memref::ReshapeOp>(view))
        break;
      value = view->getOperand(0);
    }
    return value;
  }

  /// Finds the buffers, their lives and those that results are made of.
  void collect() {
    for (auto [position, op] : llvm::enumerate(entry))
      positions[&op] = position;
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      if (auto donated = function.getArgAttrOfType<IntegerAttr>(i, tenon::kDonatedAttr))
        donors[donated.getInt()] = i;
    BufferViewFlowAnalysis aliases(function);
    Operation *terminator = entry.getTerminator();
    llvm::SmallDenseMap<Value, int64_t, 8> taken;
    for (auto [index, result] : llvm::enumerate(terminator->getOperands())) {
      Value root = getRoot(result);
      auto alloc = root.getDefiningOp<memref::AllocOp>();
      if (alloc && alloc->getBlock() == &entry)
        taken.try_emplace(root, index);
    }
    function.walk([&](memref::AllocOp alloc) {
      Buffer buffer{alloc};
      Operation *home = entry.findAncestorOpInBlock(*alloc);
      buffer.start = buffer.end = positions[home];
      for (Value alias : aliases.resolve(alloc.getResult())) {
        Region *region = alias.getParentRegion();
        if (region != alloc->getParentRegion() && !alloc->getParentRegion()->isAncestor(region))
          buffer.escapes = true;
        for (Operation *user : alias.getUsers()) {
          Operation *top = entry.findAncestorOpInBlock(*user);
          if (positions[top] >= buffer.end) {
            buffer.end = positions[top];
            buffer.lastUser = top == terminator ? nullptr : top; // the run time frees what results are copied from
          }
        }
      }
      if (auto found = taken.find(alloc.getResult()); found != taken.end() && !donors.contains(found->second))
        buffer.output = found->second;
      buffers.push_back(buffer);
    });
    function.walk([](memref::DeallocOp dealloc) { dealloc.erase(); });
  }

  /// (memrefs...) -> memrefs becomes (call, args) -> status.
  void makeSignature() {
    OpBuilder builder = OpBuilder::atBlockBegin(&entry);
    Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
    unsigned count = entry.getNumArguments();
    call = entry.addArgument(pointer, loc);
    Value args = entry.addArgument(pointer, loc);
    unsigned word = 0;
    for (unsigned i = 0; i < count; ++i) {
      Value loaded = tenon::abi::loadArgument(builder, loc, args, entry.getArgument(i).getType(), word);
      entry.getArgument(i).replaceAllUsesWith(loaded);
      arguments.push_back(loaded);
    }
    // An op of its own, so that every op of the function may be hoisted before it.
    prologueEnd = LLVM::ZeroOp::create(builder, loc, pointer);
    entry.eraseArguments(0, count);
    oldReturn = entry.getTerminator(); // stays until the outputs are placed
    OpBuilder end = OpBuilder::atBlockEnd(&entry);
    func::ReturnOp::create(end, loc, arith::ConstantIntOp::create(end, loc, 0, 32).getResult());
    function->removeAttr(function.getArgAttrsAttrName());
    function->removeAttr(function.getResAttrsAttrName());
    function.setType(builder.getFunctionType({pointer, pointer}, {builder.getI32Type()}));
  }

  void replaceWeights() {
    function.walk([&](tenon::LoadWeightOp load) {
      OpBuilder builder(load);
      Value index = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(),
                                             builder.getI64IntegerAttr(weightIndex.lookup(load.getWeight())));
      auto address = LLVM::CallOp::create(builder, load.getLoc(), tenon::abi::getRuntimeFunction(module, "weight"),
                                          ValueRange{call, index});
      load.getResult().replaceAllUsesWith(
          tenon::abi::makeMemRef(builder, load.getLoc(), address.getResult(), cast<MemRefType>(load.getType()), {}));
      load.erase();
    });
  }

  /// Makes `value` dominate `anchor` by moving the pure ops that compute it; false if it depends on anything else.
  bool hoist(Value value, Operation *anchor, DominanceInfo &dominance) {
    if (dominance.properlyDominates(value, anchor))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || op->getNumRegions() != 0 || !isMemoryEffectFree(op))
      return false;
    for (Value operand : op->getOperands())
      if (!hoist(operand, anchor, dominance))
        return false;
    op->moveBefore(anchor);
    dominance.invalidate();
    return true;
  }

  /// Calls tenon_rt_output for result `index` of type `type` and returns the buffer.
  Value makeOutput(OpBuilder &builder, int64_t index, MemRefType type, ValueRange dynamicSizes) {
    Type pointer = LLVM::LLVMPointerType::get(builder.getContext()), i64 = builder.getI64Type();
    auto constant = [&](int64_t v) -> Value {
      return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(v));
    };
    OpBuilder top = OpBuilder::atBlockBegin(&entry);
    Value count = LLVM::ConstantOp::create(top, loc, i64, top.getI64IntegerAttr(std::max<int64_t>(1, type.getRank())));
    Value dims = LLVM::AllocaOp::create(top, loc, pointer, i64, count);
    unsigned next = 0;
    for (auto [dim, size] : llvm::enumerate(type.getShape())) {
      Value value = ShapedType::isDynamic(size)
                        ? arith::IndexCastOp::create(builder, loc, i64, dynamicSizes[next++]).getResult()
                        : constant(size);
      LLVM::StoreOp::create(
          builder, loc, value,
          LLVM::GEPOp::create(builder, loc, pointer, i64, dims, ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(dim)}));
    }
    auto address = LLVM::CallOp::create(builder, loc, tenon::abi::getRuntimeFunction(module, "output"),
                                        ValueRange{call, constant(index), dims, constant(type.getRank())});
    assertMemory(builder, address.getResult());
    return tenon::abi::makeMemRef(builder, loc, address.getResult(), type, dynamicSizes);
  }

  void assertMemory(OpBuilder &builder, Value address) {
    Value null = LLVM::ZeroOp::create(builder, loc, address.getType());
    Value ok = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne, address, null);
    auto check = cf::AssertOp::create(builder, loc, ok, "out of memory");
    check->setAttr("tenon.memory", builder.getUnitAttr());
  }

  /// Results are written in place where their buffer is made here, and copied at the end otherwise.
  LogicalResult placeOutputs() {
    results = llvm::to_vector(oldReturn->getOperands()); // arguments and weights have got new values
    DominanceInfo dominance(function);
    SmallVector<bool> done(results.size());
    for (Buffer &buffer : buffers) {
      if (buffer.output < 0)
        continue;
      Value result = results[buffer.output];
      auto type = cast<MemRefType>(result.getType());
      auto own = buffer.alloc.getType();
      SmallVector<Value> sizes(buffer.alloc.getDynamicSizes());
      if (result != buffer.alloc.getResult() && type.getNumDynamicDims() > 0) {
        // The result is a view with dims of its own: they must be known where the buffer is made.
        auto expand = result.getDefiningOp<memref::ExpandShapeOp>();
        if (!expand ||
            !llvm::all_of(expand.getOutputShape(), [&](Value size) { return hoist(size, buffer.alloc, dominance); })) {
          buffer.output = -1;
          continue;
        }
        sizes.assign(expand.getOutputShape().begin(), expand.getOutputShape().end());
      }
      OpBuilder builder(buffer.alloc);
      Value output = makeOutput(builder, buffer.output, type, sizes);
      if (result != buffer.alloc.getResult()) { // the same bytes under the shape that they were allocated with
        Value address = tenon::abi::getAddress(builder, loc, output);
        output = tenon::abi::makeMemRef(builder, loc, address, own, buffer.alloc.getDynamicSizes());
      }
      buffer.alloc.getResult().replaceAllUsesWith(output);
      for (Value &other : results) // one value may be several results
        if (other == buffer.alloc.getResult())
          other = output;
      done[buffer.output] = true;
    }
    OpBuilder builder(oldReturn);
    for (auto [index, result] : llvm::enumerate(results)) {
      if (done[index])
        continue;
      auto type = cast<MemRefType>(result.getType());
      Value root = getRoot(result), donor;
      if (auto found = donors.find(index); found != donors.end()) {
        donor = arguments[found->second];
        for (auto [other, argument] : donors)
          if (root == arguments[argument] && root != donor)
            return function.emitError("result ") << index << " takes over the memory of argument " << found->second
                                                 << ", but is the donated argument " << argument;
      }
      if (!type.getLayout().isIdentity())
        return function.emitError("result ") << index << " has no contiguous buffer";
      SmallVector<Value> sizes;
      for (auto [dim, size] : llvm::enumerate(type.getShape()))
        if (ShapedType::isDynamic(size))
          sizes.push_back(memref::DimOp::create(builder, loc, result, dim));
      Value output = makeOutput(builder, index, type, sizes);
      if (!donor || root != donor)
        memref::CopyOp::create(builder, loc, result, output);
    }
    oldReturn->erase();
    for (Buffer &buffer : buffers)
      if (buffer.output >= 0)
        buffer.alloc.erase();
    llvm::erase_if(buffers, [](Buffer &buffer) { return buffer.output >= 0; });
    return success();
  }

  /// Buffers that are joined become pieces of the result, and what cannot is copied to it.
  void placePieces() {
    llvm::DenseMap<Operation *, Buffer *> byAlloc;
    for (Buffer &buffer : buffers)
      byAlloc[buffer.alloc] = &buffer;
    auto find = [&](Value value) -> Buffer * {
      auto alloc = getRoot(value).getDefiningOp<memref::AllocOp>();
      Buffer *buffer = alloc ? byAlloc.lookup(alloc) : nullptr;
      bool isPlaced = buffer && !buffer->escapes && !buffer->whole && alloc->getBlock() == &entry &&
                      buffer->alloc.getDynamicSizes().empty();
      return isPlaced ? buffer : nullptr;
    };
    function.walk([&](tenon::JoinOp join) {
      Buffer *whole = join->getBlock() == &entry ? find(join.getInit()) : nullptr;
      int64_t at = 0;
      for (Value input : join.getInputs()) {
        auto type = cast<MemRefType>(input.getType());
        int64_t bytes = type.getNumElements() * (type.getElementTypeBitWidth() / 8);
        if (Buffer *piece = find(input); whole && piece && piece != whole) {
          piece->whole = whole;
          piece->at = at;
          whole->start = std::min(whole->start, piece->start);
          whole->end = std::max(whole->end, piece->end);
        } else {
          copyTo(join, input, at, bytes);
        }
        at += bytes;
      }
      join.erase();
    });
  }

  /// Copies `input` to the result of `join`, from byte `at` on.
  void copyTo(tenon::JoinOp join, Value input, int64_t at, int64_t bytes) {
    OpBuilder builder(join);
    Type i64 = builder.getI64Type(), pointer = LLVM::LLVMPointerType::get(builder.getContext());
    auto number = [&](int64_t value) -> Value {
      return LLVM::ConstantOp::create(builder, loc, i64, builder.getI64IntegerAttr(value));
    };
    Value target =
        LLVM::GEPOp::create(builder, loc, pointer, builder.getI8Type(),
                            tenon::abi::getAddress(builder, loc, join.getInit()), ArrayRef<LLVM::GEPArg>{number(at)});
    LLVM::MemcpyOp::create(builder, loc, target, tenon::abi::getAddress(builder, loc, input), number(bytes), false);
  }

  /// Buffers whose size is a function of the inputs' dims share one arena.
  void placeArena() {
    DominanceInfo dominance(function);
    SmallVector<Buffer *> fixed, dynamic;
    for (Buffer &buffer : buffers) {
      if (buffer.escapes || buffer.whole)
        continue;
      if (buffer.alloc.getDynamicSizes().empty())
        fixed.push_back(&buffer);
      else if (llvm::all_of(buffer.alloc.getDynamicSizes(),
                            [&](Value size) { return hoist(size, prologueEnd, dominance); }))
        dynamic.push_back(&buffer);
    }
    if (fixed.empty() && dynamic.empty())
      return;

    // Static sizes: the largest first, each at the lowest offset that is free during its life.
    auto bytesOf = [](Buffer *buffer) {
      MemRefType type = buffer->alloc.getType();
      int64_t bits = type.getElementType().isIndex() ? 64 : type.getElementType().getIntOrFloatBitWidth();
      return llvm::alignTo(
          std::max<int64_t>(1, type.getNumElements() * static_cast<int64_t>(llvm::divideCeil(bits, 8))), 64);
    };
    llvm::stable_sort(fixed, [&](Buffer *a, Buffer *b) { return bytesOf(a) > bytesOf(b); });
    SmallVector<Placed> placed;
    int64_t arenaBytes = 0;
    llvm::DenseMap<Operation *, int64_t> offsets;
    for (Buffer *buffer : fixed) {
      int64_t bytes = bytesOf(buffer), offset = 0;
      for (Placed &other : placed) // sorted by offset
        if (other.start <= buffer->end && buffer->start <= other.end && other.offset < offset + bytes)
          offset = std::max(offset, other.offset + other.bytes);
      Placed mine{buffer->start, buffer->end, offset, bytes};
      placed.insert(
          llvm::upper_bound(placed, mine, [](const Placed &a, const Placed &b) { return a.offset < b.offset; }), mine);
      offsets[buffer->alloc] = offset;
      arenaBytes = std::max(arenaBytes, offset + bytes);
    }

    for (Buffer &buffer : buffers) {
      if (!buffer.whole)
        continue;
      Buffer *whole = &buffer;
      int64_t offset = 0;
      for (; whole->whole; whole = whole->whole)
        offset += whole->at;
      offsets[buffer.alloc] = offset + offsets.lookup(whole->alloc);
      fixed.push_back(&buffer);
    }

    // Dynamic sizes: slots behind them, each as large as the largest buffer that lives in it.
    OpBuilder builder(prologueEnd);
    struct Slot {
      SmallVector<Buffer *> members;
      Value bytes;
    };
    SmallVector<Slot> slots;
    for (Buffer *buffer : dynamic) {
      Value bytes = tenon::abi::alignTo64(
          builder, loc,
          tenon::abi::getByteSize(builder, loc, buffer->alloc.getType(), buffer->alloc.getDynamicSizes()));
      Slot *slot = llvm::find_if(slots, [&](Slot &candidate) {
        return llvm::none_of(candidate.members,
                             [&](Buffer *other) { return other->start <= buffer->end && buffer->start <= other->end; });
      });
      if (slot == slots.end()) {
        slots.push_back({{buffer}, bytes});
        continue;
      }
      slot->members.push_back(buffer);
      slot->bytes = arith::MaxSIOp::create(builder, loc, slot->bytes, bytes);
    }
    Value total = arith::ConstantIndexOp::create(builder, loc, arenaBytes);
    llvm::DenseMap<Operation *, Value> slotOffsets;
    for (Slot &slot : slots) {
      for (Buffer *buffer : slot.members)
        slotOffsets[buffer->alloc] = total;
      total = arith::AddIOp::create(builder, loc, total, slot.bytes);
    }
    Type i64 = builder.getI64Type(), pointer = LLVM::LLVMPointerType::get(builder.getContext());
    auto arena = LLVM::CallOp::create(builder, loc, tenon::abi::getRuntimeFunction(module, "arena"),
                                      ValueRange{call, arith::IndexCastOp::create(builder, loc, i64, total)});
    assertMemory(builder, arena.getResult());
    function->setAttr("tenon.arena", builder.getI64IntegerAttr(arenaBytes));
    for (SmallVector<Buffer *> *group : {&fixed, &dynamic})
      for (Buffer *buffer : *group) {
        OpBuilder at(buffer->alloc);
        Value offset = slotOffsets.lookup(buffer->alloc);
        offset = offset
                     ? arith::IndexCastOp::create(at, loc, i64, offset).getResult()
                     : LLVM::ConstantOp::create(at, loc, i64, at.getI64IntegerAttr(offsets[buffer->alloc])).getResult();
        Value address =
            LLVM::GEPOp::create(at, loc, pointer, at.getI8Type(), arena.getResult(), ArrayRef<LLVM::GEPArg>{offset});
        replace(*buffer, at, address);
      }
    llvm::erase_if(buffers, [](Buffer &buffer) { return !buffer.alloc; });
  }

  /// What is left has a size that depends on data, or outlives its loop: run-time memory.
  void placeRest() {
    for (Buffer &buffer : buffers) {
      OpBuilder at(buffer.alloc);
      Value bytes = tenon::abi::getByteSize(at, loc, buffer.alloc.getType(), buffer.alloc.getDynamicSizes());
      auto address =
          LLVM::CallOp::create(at, loc, tenon::abi::getRuntimeFunction(module, "alloc"),
                               ValueRange{call, arith::IndexCastOp::create(at, loc, at.getI64Type(), bytes)});
      assertMemory(at, address.getResult());
      bool local = buffer.alloc->getBlock() == &entry;
      replace(buffer, at, address.getResult());
      if (local && buffer.lastUser && buffer.lastUser->getNextNode()) {
        at.setInsertionPointAfter(buffer.lastUser);
        LLVM::CallOp::create(at, loc, tenon::abi::getRuntimeFunction(module, "free"),
                             ValueRange{call, address.getResult()});
      }
    }
  }

  void replace(Buffer &buffer, OpBuilder &builder, Value address) {
    buffer.alloc.getResult().replaceAllUsesWith(
        tenon::abi::makeMemRef(builder, loc, address, buffer.alloc.getType(), buffer.alloc.getDynamicSizes()));
    buffer.alloc.erase();
    buffer.alloc = nullptr;
  }

  func::FuncOp function;
  ModuleOp module;
  const llvm::StringMap<int64_t> &weightIndex;
  Block &entry;
  Location loc;
  Value call;
  Operation *prologueEnd = nullptr, *oldReturn = nullptr;
  SmallVector<Value> arguments;             ///< of the function, as it reads them
  llvm::DenseMap<int64_t, unsigned> donors; ///< result -> argument whose memory it takes over
  SmallVector<Value> results;
  SmallVector<Buffer> buffers;
  llvm::DenseMap<Operation *, int64_t> positions;
};

/// Host tensors are contiguous whatever their type says; a copy between types that do not say so would be lowered to a
/// call of a library. Both types have one descriptor in LLVM.
void copyContiguously(func::FuncOp function) {
  function.walk([](memref::CopyOp copy) {
    OpBuilder builder(copy);
    for (OpOperand &operand : copy->getOpOperands()) {
      auto type = cast<MemRefType>(operand.get().getType());
      auto plain = MemRefType::get(type.getShape(), type.getElementType());
      if (type != plain)
        operand.set(UnrealizedConversionCastOp::create(builder, copy.getLoc(), plain, operand.get()).getResult(0));
    }
  });
}

class PlanMemory : public tenon::impl::PlanMemoryBase<PlanMemory> {
  void runOnOperation() override {
    llvm::StringMap<int64_t> weightIndex;
    for (auto weight : getOperation().getOps<tenon::WeightOp>())
      weightIndex.try_emplace(weight.getSymName(), weightIndex.size());
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(tenon::kKernelAttr))
        copyContiguously(function);
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.isExternal() && failed(FunctionPlanner(function, getOperation(), weightIndex).run()))
        return signalPassFailure();
  }
};

} // namespace
