//===- Pipelines.cpp - the stages of the road as pass pipelines --------------------------===//
//
// The order of passes lives here and nowhere else. Where an order binds, the reason stands beside it.
//
//===----------------------------------------------------------------------===//
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Conversion/TenonToLinalg/Passes.h"
#include "tenon/Conversion/ToCPU/Passes.h"
#include "tenon/Schedule/Passes.h"
#include "tenon/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void tenon::buildOptimizePipeline(OpPassManager &pm) {
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  // Before all others: cells may hold any of them.
  pm.addPass(createDecomposeState());
  // Before fusion: routing is made of generics that fuse like everything else.
  pm.addPass(createDecomposeExperts());
  // Before convolutions become what they are computed as.
  pm.addPass(createChooseConvAlgorithm());
  // Before fusion: a convolution's bias and activation are generics that fuse like everything else.
  pm.addPass(createConvertConvToLinalg());
  // After convolutions have become contractions, which take in the weights that they decode.
  pm.addPass(createConvertFormatsToLinalg());
  pm.addPass(createOptimize());
  // After merging: the arithmetic on scores is one expression.
  pm.addPass(createRecognizeAttention());
  pm.addPass(createHoistConstants());
  pm.addPass(createCSEPass());
  pm.addPass(createSymbolDCEPass());
}

/// Kernels of all work that is in none yet.
static void addFormKernels(OpPassManager &pm) {
  pm.addPass(tenon::createFormKernels());
  pm.addPass(tenon::createCheckKernels());
  pm.addPass(tenon::createOutlineKernels());
}

void tenon::buildKernelsPipeline(OpPassManager &pm) { buildKernelsPipeline(pm, KernelsOptions()); }

void tenon::buildKernelsPipeline(OpPassManager &pm, const KernelsOptions &options) {
  auto addSpaces = [&] {
    if (options.spaces)
      pm.addPass(createPrintSpaces(options.summary, options.spaces));
  };
  addFormKernels(pm);
  // Schedules are written for the form that lowering tiles, so contractions take it first.
  pm.addPass(createToTileContract());
  pm.addPass(createFuseCopies());
  pm.addPass(createAssignSchedules());
  addSpaces(); // while weights lie as the model has them
  // How many keys a unit works on is a schedule's decision too; what joins parts of them is work for more kernels.
  pm.addPass(createSplitAttention());
  // Which panels a weight is stored by is a schedule's decision; making them is work for more kernels.
  pm.addPass(createPackWeights());
  addFormKernels(pm);
  pm.addPass(createAssignSchedules());
  pm.addPass(createCheckSchedules());
  pm.addPass(createJoinPieces());
  pm.addPass(createSymbolDCEPass());
}

void tenon::buildTiledPipeline(OpPassManager &pm) {
  // Before TileGeneric, which leaves kernels alone that hold contractions.
  pm.addPass(createTileAttention());
  pm.addPass(createTileGrouped());
  pm.addPass(createTileFft());
  pm.addPass(createTileWinograd());
  pm.addPass(createTileContract());
  pm.addPass(createTileGeneric());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createBufferizeKernels());
  // Copies of a view to itself fold only after equal subviews have become one.
  pm.addPass(createCSEPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createCheckTiled());
  pm.addPass(createExpandContract());
  pm.addPass(createExpandFft());
  pm.addPass(createExpandTransform());
  pm.addPass(createExpandLinalg());
  pm.addPass(createExpandMath());
}

/// What kernels and hosts have in common below scf: everything left becomes the LLVM dialect.
static void addLowerToLLVM(OpPassManager &pm) {
  pm.addPass(tenon::createExpandShapes());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(arith::createArithExpandOpsPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createConvertMathToLibmPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void tenon::buildLowerKernelsPipeline(OpPassManager &pm) {
  pm.addPass(createKernelABI());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createConvertVectorToSCFPass());
  pm.addPass(tenon::createExpandShapes());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createSCFToControlFlowPass());
  addLowerToLLVM(pm);
}

void tenon::buildLowerHostPipeline(OpPassManager &pm) {
  pm.addPass(createBufferizeHost());
  pm.addPass(createCSEPass());
  // Sizes must be functions of the arguments' dims where they can be, or the planner cannot hoist them.
  pm.addPass(memref::createResolveShapedTypeResultDimsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(createPlanMemory());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createHostABI());
  pm.addPass(createCanonicalizerPass());
  addLowerToLLVM(pm);
}
