//===- Import.h - from an ONNX model to a Program --------------------------------===//
//
// The front door of the ONNX importer. The result is a Program: a module with `func.func @main` on tensors and
// `tenon.weight` symbols; see the design's table of stages.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tenon::onnx {

struct ImportOptions {
  /// Input name -> its shape; -1 keeps a dim as the model has it.
  std::map<std::string, std::vector<int64_t>> shapes;
};

/// Bytes that the module's weights name as archive "mem:<symbol>": initializers that have no contiguous bytes in the
/// file, and every large initializer of a model that was given as bytes.
struct WeightBlobs {
  std::map<std::string, std::vector<char>> blobs;
  /// Files of external data that were read, with their stampFile at that time: what they held is part of the module.
  std::map<std::string, std::string> files;
};

/// Imports a model file. The file is mapped, large initializers stay in it: they become `tenon.weight` with an absolute
/// path and an offset. External data must lie in the model's folder. Returns null and sets `error` (one line per
/// offending node) when the model is malformed or uses what Tenon lacks.
mlir::OwningOpRef<mlir::ModuleOp> importFile(llvm::StringRef path, mlir::MLIRContext *context,
                                             const ImportOptions &options, WeightBlobs &blobs, std::string &error);

/// The same for a model in memory; `baseDir` (may be empty) is where external data is looked for.
mlir::OwningOpRef<mlir::ModuleOp> importBytes(llvm::StringRef bytes, llvm::StringRef baseDir,
                                              mlir::MLIRContext *context, const ImportOptions &options,
                                              WeightBlobs &blobs, std::string &error);

/// One row of the registry: an operator and the opset versions that have a handler of their own.
struct SupportedOp {
  std::string domain, name;
  std::vector<int64_t> sinceVersions;
};
std::vector<SupportedOp> listSupportedOps();

/// Loads the dialects that imported Programs use.
void loadDialects(mlir::MLIRContext &context);

} // namespace tenon::onnx
