//===- Pipelines.h - the stages of the road as pass pipelines ---------------------------===//
//
// One function a stage. Each is registered in tenon-opt under the name in its comment and ends with the passes that
// check the stage's contract.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "tenon/Schedule/Passes.h"
#include "tenon/Schedule/Space.h"

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace tenon {

/// `--tenon-optimize-program`: Program to Optimized; convolutions become contractions, chains fuse, constant work moves
/// to `tenon_init`.
void buildOptimizePipeline(mlir::OpPassManager &pm);

/// What is to be told of the kernels' schedule spaces, and to whom; to nobody where `spaces` is null. A kernel of the
/// model is heard of before its weights are packed.
struct KernelsOptions {
  SummaryOptions summary;
  SpaceListener spaces;
};

/// `--tenon-make-kernels`: Optimized to Kernels, outlined, deduplicated and scheduled. Reads the module's
/// `tenon.target` and `tenon.schedules`.
void buildKernelsPipeline(mlir::OpPassManager &pm);
void buildKernelsPipeline(mlir::OpPassManager &pm, const KernelsOptions &options);

/// `--tenon-tile-kernels`: Scheduled to Tiled, on a module of kernels: tiled, bufferized, expanded to vectors.
void buildTiledPipeline(mlir::OpPassManager &pm);

/// `--tenon-lower-kernels`: Tiled to the LLVM dialect with the run time's calling convention.
void buildLowerKernelsPipeline(mlir::OpPassManager &pm);

/// `--tenon-lower-host`: the host program (kernels are declarations) to the LLVM dialect.
void buildLowerHostPipeline(mlir::OpPassManager &pm);

/// Registers all passes of all rooms, and the pipelines above.
void registerAllPasses();

/// Registers the dialects that Programs use, with the interface implementations that the passes need.
void registerAllDialects(mlir::DialectRegistry &registry);

} // namespace tenon
