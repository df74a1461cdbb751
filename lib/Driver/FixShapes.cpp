//===- FixShapes.cpp - a Program whose inputs have given shapes ----------------------------------===//
#include "FixShapes.h"
#include "Manifest.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace {

/// The symbol of dim `dim` of an argument, or "".
StringRef getSymbol(func::FuncOp main, unsigned argument, unsigned dim) {
  auto dims = main.getArgAttrOfType<ArrayAttr>(argument, tenon::kDimsAttr);
  auto symbol = dims && dim < dims.size() ? dyn_cast<StringAttr>(dims[dim]) : StringAttr();
  return symbol ? symbol.getValue() : StringRef();
}

/// The shape that an input gets, from what is asked for.
llvm::Expected<SmallVector<int64_t>> refine(StringRef name, RankedTensorType type, ArrayRef<int64_t> given) {
  SmallVector<int64_t> shape(type.getShape());
  if (given.size() != shape.size())
    return llvm::createStringError("input '%s': the given shape has rank %zu, but the model's has %zu",
                                   name.str().c_str(), given.size(), shape.size());
  int64_t count = 1;
  for (auto [dim, size] : llvm::enumerate(given)) {
    if (size >= 0 && !ShapedType::isDynamic(shape[dim]) && shape[dim] != size)
      return llvm::createStringError("input '%s': dim %zu is %lld in the model, but %lld is asked for",
                                     name.str().c_str(), dim, static_cast<long long>(shape[dim]),
                                     static_cast<long long>(size));
    if (size >= 0)
      shape[dim] = size;
    if (shape[dim] > 0 && llvm::MulOverflow(count, shape[dim], count))
      return llvm::createStringError("input '%s': the number of elements does not fit 64 bits", name.str().c_str());
  }
  return shape;
}

/// The argument gets another type, its uses a value of the old one.
void retype(func::FuncOp main, unsigned number, RankedTensorType type) {
  BlockArgument argument = main.getArgument(number);
  Type old = argument.getType();
  if (old == type)
    return;
  auto builder = OpBuilder::atBlockBegin(&main.getBody().front());
  argument.setType(type);
  auto cast = tensor::CastOp::create(builder, argument.getLoc(), old, argument);
  argument.replaceAllUsesExcept(cast, cast);
  SmallVector<Type> results(main.getResultTypes());
  // What takes over the argument's memory has its shape.
  if (auto donated = main.getArgAttrOfType<IntegerAttr>(number, tenon::kDonatedAttr)) {
    int64_t result = donated.getInt();
    if (result >= 0 && result < static_cast<int64_t>(results.size()) && results[result] == old) {
      results[result] = type;
      main.walk([&](func::ReturnOp op) {
        builder.setInsertionPoint(op);
        op->setOperand(result, tensor::CastOp::create(builder, op.getLoc(), type, op.getOperand(result)));
      });
    }
  }
  main.setFunctionType(FunctionType::get(main.getContext(), main.getBody().front().getArgumentTypes(), results));
}

} // namespace

llvm::Error tenon::fixShapes(ModuleOp module, const std::map<std::string, std::vector<int64_t>> &shapes) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal())
    return llvm::Error::success(); // refused by name later
  llvm::StringMap<int64_t> fixed;
  SmallVector<RankedTensorType> types;
  for (auto [number, type] : llvm::enumerate(main.getArgumentTypes())) {
    types.push_back(dyn_cast<RankedTensorType>(type));
    auto name = main.getArgAttrOfType<StringAttr>(number, kNameAttr);
    auto given = shapes.find(name ? name.str() : getDefaultName("input", number));
    if (!types.back() || given == shapes.end())
      continue;
    auto shape = refine(given->first, types.back(), given->second);
    if (!shape)
      return shape.takeError();
    for (auto [dim, size] : llvm::enumerate(*shape))
      if (StringRef symbol = getSymbol(main, number, dim); !symbol.empty() && !ShapedType::isDynamic(size))
        if (auto [known, fresh] = fixed.try_emplace(symbol, size); !fresh && known->second != size)
          return llvm::createStringError("input '%s': dim '%s' is %lld, but an earlier input has %lld",
                                         given->first.c_str(), symbol.str().c_str(), static_cast<long long>(size),
                                         static_cast<long long>(known->second));
    types.back() = types.back().clone(*shape);
  }
  for (auto [number, type] : llvm::enumerate(types)) {
    if (!type)
      continue;
    SmallVector<int64_t> shape(type.getShape());
    for (auto [dim, size] : llvm::enumerate(shape))
      if (auto known = fixed.find(getSymbol(main, number, dim)); ShapedType::isDynamic(size) && known != fixed.end())
        size = known->second;
    retype(main, number, type.clone(shape));
  }
  return llvm::Error::success();
}
