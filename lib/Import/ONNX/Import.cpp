//===- Import.cpp - the importer's door ----------------------------------------------===//
//
// Maps the file, parses it and runs the import.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using llvm::StringRef;

void tenon::onnx::loadDialects(MLIRContext &context) {
  context.loadDialect<TenonDialect, arith::ArithDialect, cf::ControlFlowDialect, func::FuncDialect,
                      linalg::LinalgDialect, math::MathDialect, scf::SCFDialect, tensor::TensorDialect>();
}

static OwningOpRef<ModuleOp> import(StringRef bytes, StringRef archive, StringRef baseDir, MLIRContext *context,
                                    const tenon::onnx::ImportOptions &options, tenon::onnx::WeightBlobs &blobs,
                                    std::string &error) {
  tenon::onnx::loadDialects(*context);
  tenon::onnx::proto::Model model;
  if (!tenon::onnx::proto::parse(bytes, model, error))
    return {};
  tenon::onnx::Importer importer(context, options, blobs, error);
  return importer.run(model, bytes, archive, baseDir);
}

OwningOpRef<ModuleOp> tenon::onnx::importFile(StringRef path, MLIRContext *context, const ImportOptions &options,
                                              WeightBlobs &blobs, std::string &error) {
  if (llvm::sys::fs::is_directory(path)) {
    error = ("cannot read '" + path + "': is a directory").str();
    return {};
  }
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer) {
    error = ("cannot read '" + path + "': " + buffer.getError().message()).str();
    return {};
  }
  llvm::SmallString<256> absolute(path);
  llvm::sys::fs::make_absolute(absolute);
  return import((*buffer)->getBuffer(), absolute, llvm::sys::path::parent_path(absolute), context, options, blobs,
                error);
}

OwningOpRef<ModuleOp> tenon::onnx::importBytes(StringRef bytes, StringRef baseDir, MLIRContext *context,
                                               const ImportOptions &options, WeightBlobs &blobs, std::string &error) {
  return import(bytes, "", baseDir, context, options, blobs, error);
}
