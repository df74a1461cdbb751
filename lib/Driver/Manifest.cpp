//===- Manifest.cpp - what a model's shared object says about itself ----------------------===//
#include "Manifest.h"
#include "tenon/Dialect/IR/Tenon.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
namespace json = llvm::json;

static std::string numpyName(Type type) {
  if (type.isInteger(1))
    return "bool";
  if (auto integer = dyn_cast<IntegerType>(type))
    return (integer.isUnsigned() ? "uint" : "int") + std::to_string(integer.getWidth());
  if (type.isF16() || type.isF32() || type.isF64())
    return "float" + std::to_string(type.getIntOrFloatBitWidth());
  if (type.isBF16())
    return "bfloat16";
  std::string text;
  llvm::raw_string_ostream(text) << type;
  for (auto [mlirName, name] : {std::pair("f8E4M3FN", "float8_e4m3fn"),
                                {"f8E4M3FNUZ", "float8_e4m3fnuz"},
                                {"f8E5M2", "float8_e5m2"},
                                {"f8E5M2FNUZ", "float8_e5m2fnuz"},
                                {"f8E8M0FNU", "float8_e8m0fnu"},
                                {"f4E2M1FN", "float4_e2m1fn"}})
    if (text == mlirName)
      return name;
  return text;
}

static llvm::Expected<json::Object> describePort(unsigned index, Type type, DictionaryAttr attributes,
                                                 StringRef fallback) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return llvm::createStringError("%s %u is no ranked tensor", fallback.str().c_str(), index);
  auto text = [&](StringRef name) { return attributes ? attributes.getAs<StringAttr>(name) : StringAttr(); };
  StringAttr name = text(tenon::kNameAttr), dtype = text(tenon::kDTypeAttr);
  auto dims = attributes ? attributes.getAs<ArrayAttr>(tenon::kDimsAttr) : ArrayAttr();
  json::Array shape;
  for (auto [dim, size] : llvm::enumerate(tensor.getShape())) {
    StringAttr symbol = dims && dim < dims.size() ? dyn_cast<StringAttr>(dims[dim]) : StringAttr();
    if (!ShapedType::isDynamic(size))
      shape.push_back(size);
    else if (symbol && !symbol.empty())
      shape.push_back(symbol.str());
    else
      shape.push_back(nullptr);
  }
  return json::Object{{"name", name ? name.str() : (fallback + llvm::Twine(index)).str()},
                      {"dtype", dtype ? dtype.str() : numpyName(tensor.getElementType())},
                      {"shape", std::move(shape)}};
}

llvm::Expected<json::Object> tenon::describeInterface(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal())
    return llvm::createStringError("the module has no function 'main'");
  json::Array inputs, outputs;
  for (auto [index, type] : llvm::enumerate(main.getArgumentTypes())) {
    auto port = describePort(index, type, main.getArgAttrDict(index), "input");
    if (!port)
      return port.takeError();
    if (auto donated = main.getArgAttrOfType<IntegerAttr>(index, kDonatedAttr)) {
      int64_t result = donated.getInt();
      if (result < 0 || result >= main.getNumResults() || main.getResultTypes()[result] != type)
        return llvm::createStringError("input '%s' is given to result %lld, which is none of its type",
                                       port->getString("name")->str().c_str(), static_cast<long long>(result));
      (*port)["donated"] = result;
    }
    inputs.push_back(std::move(*port));
  }
  for (auto [index, type] : llvm::enumerate(main.getResultTypes())) {
    auto port = describePort(index, type, main.getResultAttrDict(index), "output");
    if (!port)
      return port.takeError();
    outputs.push_back(std::move(*port));
  }
  return json::Object{{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

json::Array tenon::describeWeights(ModuleOp module) {
  json::Array weights;
  for (auto weight : module.getOps<WeightOp>())
    weights.push_back(json::Object{{"name", weight.getSymName()},
                                   {"archive", weight.getArchive()},
                                   {"offset", static_cast<int64_t>(weight.getOffset())},
                                   {"length", static_cast<int64_t>(weight.getLength())}});
  return weights;
}

json::Array tenon::describeKernels(ModuleOp module) {
  json::Array kernels;
  for (auto kernel : module.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr(kKernelAttr))
      continue;
    json::Array nodes;
    if (auto names = kernel->getAttrOfType<ArrayAttr>("tenon.nodes"))
      for (Attribute name : names)
        if (auto text = dyn_cast<StringAttr>(name))
          nodes.push_back(text.getValue());
    std::string algorithm, text;
    if (auto schedule = kernel->getAttrOfType<ScheduleAttr>(kScheduleAttr)) {
      algorithm = schedule.getAlgorithm().str();
      llvm::raw_string_ostream(text) << schedule;
    }
    kernels.push_back(json::Object{
        {"name", kernel.getName()}, {"nodes", std::move(nodes)}, {"algorithm", algorithm}, {"schedule", text}});
  }
  return kernels;
}
