//===- TenonDialect.cpp - registration of the dialect's ops and attributes ------===//
//
// Only registration lives here; each op family has a file of its own.
//
//===----------------------------------------------------------------------===//
#include "tenon/Dialect/IR/Experts.h"
#include "tenon/Dialect/IR/Lists.h"
#include "tenon/Dialect/IR/State.h"
#include "tenon/Dialect/IR/Fft.h"
#include "tenon/Dialect/IR/Winograd.h"

#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

#include "tenon/Dialect/IR/TenonDialect.cpp.inc"
#include "tenon/Dialect/IR/TenonEnums.cpp.inc"

void tenon::TenonDialect::initialize() {
  registerAttributes();
  registerFormats();
  registerTypes();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/TenonOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/ExpertsOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/StateOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/ListsOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/WinogradOps.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "tenon/Dialect/IR/FftOps.cpp.inc"
      >();
}

bool tenon::hasSumsAsOpen(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  return module && module->hasAttr(kSumsAsOpenAttr);
}

bool tenon::isFast(ModuleOp module) {
  auto precision = module->getAttrOfType<StringAttr>(kPrecisionAttr);
  return precision && precision.getValue() == kFast;
}

std::optional<int64_t> tenon::getStorageBytes(Type type, int64_t count) {
  if (!type.isIntOrFloat() || count < 0)
    return std::nullopt;
  int64_t bits = type.getIntOrFloatBitWidth();
  if (bits == 1)
    bits = 8;
  int64_t total;
  if (llvm::MulOverflow(count, bits, total))
    return std::nullopt;
  return total / 8 + (total % 8 != 0);
}

#define GET_TYPEDEF_CLASSES
#include "tenon/Dialect/IR/TenonTypes.cpp.inc"

void tenon::TenonDialect::registerTypes() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "tenon/Dialect/IR/TenonTypes.cpp.inc"
      >();
}

#define GET_OP_CLASSES
#include "tenon/Dialect/IR/TenonOps.cpp.inc"
