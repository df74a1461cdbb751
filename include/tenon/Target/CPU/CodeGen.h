//===- CodeGen.h - from the LLVM dialect to objects and shared objects -----------------===//
//
// The last step of the CPU road: translation to LLVM IR, LLVM's passes, an object, a linked shared object.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace mlir {
class DialectRegistry;
class ModuleOp;
} // namespace mlir

namespace tenon {
class TargetAttr;

struct CodeGenOptions {
  /// How much LLVM optimises: 0, 1 and 3 are its own levels, 2 the passes that kernels need. Loop unrolling is always
  /// off: kernels are unrolled where it pays already.
  unsigned level = 2;
};

/// Registers the dialects' translations to LLVM IR.
void registerCPUTranslations(mlir::DialectRegistry &registry);

/// Translates a module of the LLVM dialect to a position-independent object for `target`.
llvm::Expected<llvm::SmallVector<char, 0>> emitObject(mlir::ModuleOp module, TargetAttr target,
                                                      const CodeGenOptions &options);

/// The LLVM IR text of a module of the LLVM dialect, before LLVM's passes.
llvm::Expected<std::string> emitLLVMText(mlir::ModuleOp module, TargetAttr target);

/// An object that defines the run-time functions as jumps through the table given to tenon_model_bind, and the
/// constant tenon_model_manifest.
llvm::Expected<llvm::SmallVector<char, 0>> emitGlue(llvm::StringRef manifest, TargetAttr target);

/// Links objects (their bytes) to a shared object, in memory, that exports the tenon_model_* symbols only.
llvm::Expected<std::string> linkSharedObject(llvm::ArrayRef<std::string> objects);

} // namespace tenon
