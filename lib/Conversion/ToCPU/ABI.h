//===- ABI.h - the argument words of include/tenon-c/runtime.h, as IR ---------------===//
//
// Shared by the kernel side (which reads words) and the host side (which writes them).
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Builders.h"

namespace mlir {
class MemRefType;
class ModuleOp;
namespace LLVM {
class LLVMFuncOp;
}
} // namespace mlir

namespace tenon::abi {

/// Number of argument words of a value of `type`: a pointer and the dynamic dims of a memref, one word of a scalar;
/// nullopt for types that cannot be passed.
std::optional<unsigned> getWordCount(mlir::Type type);

/// Reads a value of `type` from the words of `args` (!llvm.ptr), starting at `word`, which is advanced.
mlir::Value loadArgument(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value args, mlir::Type type,
                         unsigned &word);

/// Writes `value` to the words of `args`, starting at `word`, which is advanced.
void storeArgument(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value args, mlir::Value value, unsigned &word);

/// A memref of identity layout over the memory at `pointer` (!llvm.ptr); `dynamicSizes` are index values.
mlir::Value makeMemRef(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value pointer, mlir::MemRefType type,
                       mlir::ValueRange dynamicSizes);

/// The address of a memref's first element, as !llvm.ptr.
mlir::Value getAddress(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref);

/// The bytes that an identity memref of `type` takes, as index; at least 1.
mlir::Value getByteSize(mlir::OpBuilder &builder, mlir::Location loc, mlir::MemRefType type,
                        mlir::ValueRange dynamicSizes);

/// `size` rounded up to a multiple of 64.
mlir::Value alignTo64(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value size);

/// The declaration of a function of runtime.h ("parallel_for", "dispatch", ...); made when missing.
mlir::LLVM::LLVMFuncOp getRuntimeFunction(mlir::ModuleOp module, llvm::StringRef name);

} // namespace tenon::abi
