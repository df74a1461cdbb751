//===- ABI.cpp - the argument words of include/tenon-c/runtime.h, as IR -------------===//
#include "ABI.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;

namespace tenon::abi {

std::optional<unsigned> getWordCount(Type type) {
  if (auto memref = dyn_cast<MemRefType>(type))
    return 1 + memref.getNumDynamicDims();
  if (type.isIntOrIndexOrFloat() && (type.isIndex() || type.getIntOrFloatBitWidth() <= 64))
    return 1;
  return std::nullopt;
}

static Value wordAddress(OpBuilder &builder, Location loc, Value args, unsigned word) {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  return LLVM::GEPOp::create(builder, loc, pointer, builder.getI64Type(), args,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(word)});
}

/// The integer type that carries a scalar of `type` in memory.
static Type carrier(OpBuilder &builder, Type type) {
  return builder.getIntegerType(type.isIndex() ? 64 : std::max(8u, type.getIntOrFloatBitWidth()));
}

static Value loadWord(OpBuilder &builder, Location loc, Value args, unsigned word, Type type) {
  Value address = wordAddress(builder, loc, args, word);
  if (isa<LLVM::LLVMPointerType>(type))
    return LLVM::LoadOp::create(builder, loc, type, address);
  Value bits = LLVM::LoadOp::create(builder, loc, carrier(builder, type), address);
  if (type.isIndex())
    return arith::IndexCastOp::create(builder, loc, type, bits);
  if (isa<FloatType>(type)) {
    if (bits.getType().getIntOrFloatBitWidth() != type.getIntOrFloatBitWidth())
      bits = arith::TruncIOp::create(builder, loc, builder.getIntegerType(type.getIntOrFloatBitWidth()), bits);
    return arith::BitcastOp::create(builder, loc, type, bits);
  }
  return bits.getType() == type ? bits : arith::TruncIOp::create(builder, loc, type, bits).getResult();
}

Value loadArgument(OpBuilder &builder, Location loc, Value args, Type type, unsigned &word) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref)
    return loadWord(builder, loc, args, word++, type);
  Value pointer = loadWord(builder, loc, args, word++, LLVM::LLVMPointerType::get(builder.getContext()));
  SmallVector<Value> sizes;
  for (int64_t i = 0; i < memref.getNumDynamicDims(); ++i)
    sizes.push_back(loadWord(builder, loc, args, word++, builder.getIndexType()));
  return makeMemRef(builder, loc, pointer, memref, sizes);
}

void storeArgument(OpBuilder &builder, Location loc, Value args, Value value, unsigned &word) {
  auto store = [&](Value bits) { LLVM::StoreOp::create(builder, loc, bits, wordAddress(builder, loc, args, word++)); };
  Type type = value.getType();
  if (auto memref = dyn_cast<MemRefType>(type)) {
    store(getAddress(builder, loc, value));
    for (auto [dim, size] : llvm::enumerate(memref.getShape()))
      if (ShapedType::isDynamic(size))
        store(arith::IndexCastOp::create(builder, loc, builder.getI64Type(),
                                         memref::DimOp::create(builder, loc, value, dim)));
    return;
  }
  if (type.isIndex())
    return store(arith::IndexCastOp::create(builder, loc, builder.getI64Type(), value));
  unsigned width = type.getIntOrFloatBitWidth();
  if (isa<FloatType>(type))
    value = arith::BitcastOp::create(builder, loc, builder.getIntegerType(width), value);
  if (width < 8)
    value = arith::ExtUIOp::create(builder, loc, builder.getI8Type(), value);
  store(value);
}

Value makeMemRef(OpBuilder &builder, Location loc, Value pointer, MemRefType type, ValueRange dynamicSizes) {
  LLVMTypeConverter converter(builder.getContext());
  MemRefDescriptor descriptor = MemRefDescriptor::poison(builder, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(builder, loc, pointer);
  descriptor.setAlignedPtr(builder, loc, pointer);
  descriptor.setConstantOffset(builder, loc, 0);
  unsigned next = 0;
  SmallVector<Value> sizes;
  for (int64_t size : type.getShape()) {
    Value value =
        ShapedType::isDynamic(size)
            ? arith::IndexCastOp::create(builder, loc, builder.getI64Type(), dynamicSizes[next++]).getResult()
            : LLVM::ConstantOp::create(builder, loc, builder.getI64Type(), builder.getI64IntegerAttr(size)).getResult();
    sizes.push_back(value);
  }
  Value stride = LLVM::ConstantOp::create(builder, loc, builder.getI64Type(), builder.getI64IntegerAttr(1));
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    descriptor.setSize(builder, loc, dim, sizes[dim]);
    descriptor.setStride(builder, loc, dim, stride);
    if (dim > 0)
      stride = LLVM::MulOp::create(builder, loc, stride, sizes[dim]);
  }
  return UnrealizedConversionCastOp::create(builder, loc, type, Value(descriptor)).getResult(0);
}

Value getAddress(OpBuilder &builder, Location loc, Value memref) {
  Value index = memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, memref);
  Value bits = arith::IndexCastOp::create(builder, loc, builder.getI64Type(), index);
  return LLVM::IntToPtrOp::create(builder, loc, LLVM::LLVMPointerType::get(builder.getContext()), bits);
}

Value getByteSize(OpBuilder &builder, Location loc, MemRefType type, ValueRange dynamicSizes) {
  Type element = type.getElementType();
  int64_t bytes = element.isIndex() ? 8 : llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
  for (int64_t size : type.getShape())
    if (!ShapedType::isDynamic(size))
      bytes *= size;
  Value total = arith::ConstantIndexOp::create(builder, loc, bytes);
  for (Value size : dynamicSizes)
    total = arith::MulIOp::create(builder, loc, total, size);
  return total;
}

Value alignTo64(OpBuilder &builder, Location loc, Value size) {
  Value c63 = arith::ConstantIndexOp::create(builder, loc, 63),
        mask = arith::ConstantIndexOp::create(builder, loc, -64);
  return arith::AndIOp::create(builder, loc, arith::AddIOp::create(builder, loc, size, c63), mask);
}

LLVM::LLVMFuncOp getRuntimeFunction(ModuleOp module, StringRef name) {
  std::string symbol = ("tenon_rt_" + name).str();
  if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>(symbol))
    return found;
  MLIRContext *context = module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context), i64 = IntegerType::get(context, 64),
       i32 = IntegerType::get(context, 32);
  Type nothing = LLVM::LLVMVoidType::get(context);
  // The signatures of include/tenon-c/runtime.h.
  auto [result, arguments] = [&]() -> std::pair<Type, SmallVector<Type>> {
    if (name == "parallel_for")
      return {i32, {pointer, pointer, pointer, i64, i64}};
    if (name == "dispatch")
      return {i32, {pointer, i64, pointer, pointer, i64, i64}};
    if (name == "arena" || name == "alloc" || name == "weight")
      return {pointer, {pointer, i64}};
    if (name == "free")
      return {nothing, {pointer, pointer}};
    if (name == "output")
      return {pointer, {pointer, i64, pointer, i64}};
    return {i32, {pointer, i32, pointer}}; // error
  }();
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  return LLVM::LLVMFuncOp::create(builder, module.getLoc(), symbol, LLVM::LLVMFunctionType::get(result, arguments));
}

} // namespace tenon::abi
