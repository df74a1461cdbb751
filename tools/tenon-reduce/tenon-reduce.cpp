//===- tenon-reduce.cpp - shrinks a Program that shows a fault -----------------------------------===//
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Reduce/Reductions.h"

#include "mlir/Reducer/Passes.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  tenon::registerAllDialects(registry);
  tenon::registerReductions(registry);
  tenon::registerAllPasses();
  mlir::registerReducerPasses();
  mlir::MLIRContext context(registry);
  return mlir::failed(mlir::mlirReduceMain(argc, argv, context));
}
