//===- Manifest.cpp - what a model's shared object says about itself ----------------------===//
#include "Manifest.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Schedule/Space.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SetVector.h"
#include <set>

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

std::string tenon::getDefaultName(StringRef role, unsigned number) { return (role + Twine(number)).str(); }

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
  return json::Object{{"name", name ? name.str() : tenon::getDefaultName(fallback, index)},
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

json::Array tenon::describeKernels(ModuleOp module, llvm::StringMap<json::Object> spaces) {
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
    llvm::SmallSetVector<StringRef, 8> names;
    for (Operation &op : kernel.getBody().front())
      if (!op.hasTrait<OpTrait::IsTerminator>() && !op.hasTrait<OpTrait::ConstantLike>() && op.getNumRegions())
        names.insert(op.getName().getStringRef());
    json::Array ops;
    for (StringRef name : names)
      ops.push_back(name);
    json::Object described{{"name", kernel.getName()},
                           {"nodes", std::move(nodes)},
                           {"ops", std::move(ops)},
                           {"algorithm", algorithm},
                           {"schedule", text}};
    if (auto space = spaces.find(kernel.getName()); space != spaces.end())
      described["space"] = std::move(space->second);
    kernels.push_back(std::move(described));
  }
  return kernels;
}

json::Object tenon::describeSpace(const SpaceSummary &summary) {
  auto print = [](ScheduleAttr schedule) {
    std::string text;
    llvm::raw_string_ostream(text) << schedule;
    return text;
  };
  auto describe = [&](ScheduleAttr schedule, std::optional<double> cost) {
    json::Object entry{{"schedule", print(schedule)}, {"cost", nullptr}};
    if (cost)
      entry["cost"] = *cost;
    return entry;
  };
  auto list = [&](const std::vector<ScheduleCandidate> &candidates) {
    json::Array entries;
    for (const ScheduleCandidate &candidate : candidates)
      entries.push_back(describe(candidate.schedule, candidate.cost));
    return entries;
  };
  json::Array axes;
  for (const SpaceSummary::Axis &axis : summary.axes) {
    json::Array values;
    for (const AxisValue &value : axis.values)
      values.push_back(json::Array(value));
    axes.push_back(json::Object{{"name", axis.name}, {"used", json::Array(axis.used)}, {"values", std::move(values)}});
  }
  json::Object used = describe(summary.used, summary.usedCost);
  used["held"] = summary.holdsUsed;
  return json::Object{{"axes", std::move(axes)},      {"candidates", summary.count.count},
                      {"exact", summary.count.exact}, {"used", std::move(used)},
                      {"best", list(summary.best)},   {"samples", list(summary.samples)}};
}

std::string tenon::getNodeName(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc)) // "node (Operator)"
    return name.getName().getValue().rsplit(" (").first.str();
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      if (std::string text = getNodeName(part); !text.empty())
        return text;
  }
  if (auto file = dyn_cast<FileLineColLoc>(loc))
    return (file.getFilename().getValue() + ":" + Twine(file.getLine())).str();
  if (auto call = dyn_cast<CallSiteLoc>(loc))
    return getNodeName(call.getCallee());
  return "";
}

namespace {
/// Follows values back to the dispatches and inputs that they are made of.
class Origins {
public:
  Origins(ModuleOp module, const json::Array &inputs)
      : inputs(inputs), main(module.lookupSymbol<func::FuncOp>("main")) {
    for (auto function : module.getOps<func::FuncOp>())
      if (!function->hasAttr(tenon::kKernelAttr))
        function.walk([&](tenon::DispatchOp dispatch) {
          numbers.try_emplace(dispatch, static_cast<int64_t>(dispatches.size()));
          dispatches.push_back(dispatch);
        });
  }

  json::Array of(ValueRange values) {
    std::set<int64_t> found, arguments;
    llvm::SmallPtrSet<Value, 16> seen;
    SmallVector<Value> open(values);
    while (!open.empty()) {
      Value value = open.pop_back_val();
      if (!seen.insert(value).second)
        continue;
      if (auto argument = dyn_cast<BlockArgument>(value)) {
        Operation *parent = argument.getOwner()->getParentOp();
        if (parent == main.getOperation())
          arguments.insert(argument.getArgNumber());
        else if (!isa<func::FuncOp>(parent))
          take(parent, open);
        continue;
      }
      Operation *op = value.getDefiningOp();
      if (auto number = numbers.find(op); number != numbers.end())
        found.insert(number->second);
      else if (!isa<tensor::EmptyOp, tensor::DimOp>(op)) // sizes are no data
        take(op, open);
    }
    json::Array from;
    for (int64_t argument : arguments)
      from.push_back(*inputs[argument].getAsObject()->getString("name"));
    for (int64_t number : found)
      from.push_back(number);
    return from;
  }

  SmallVector<tenon::DispatchOp> dispatches;

private:
  /// What an op between kernels reads: its operands and what its regions yield.
  static void take(Operation *op, SmallVectorImpl<Value> &open) {
    llvm::append_range(open, op->getOperands());
    for (Region &region : op->getRegions())
      for (Block &block : region)
        if (block.mightHaveTerminator())
          llvm::append_range(open, block.getTerminator()->getOperands());
  }

  const json::Array &inputs;
  func::FuncOp main;
  llvm::DenseMap<Operation *, int64_t> numbers;
};
} // namespace

json::Object tenon::describeGraph(ModuleOp module, const json::Array &inputs) {
  Origins origins(module, inputs);
  json::Array dispatches, outputs;
  for (DispatchOp dispatch : origins.dispatches) {
    json::Array nodes, results;
    if (auto names = dispatch->getAttrOfType<ArrayAttr>("tenon.nodes"))
      for (auto name : names.getAsRange<StringAttr>())
        nodes.push_back(name.getValue());
    for (Type type : dispatch->getResultTypes()) {
      std::string text;
      llvm::raw_string_ostream(text) << type;
      results.push_back(std::move(text));
    }
    SmallVector<Value> operands(dispatch.getInputs());
    llvm::append_range(operands, dispatch.getInits());
    dispatches.push_back(json::Object{{"kernel", dispatch.getKernel()},
                                      {"nodes", std::move(nodes)},
                                      {"results", std::move(results)},
                                      {"at_load", dispatch->getParentOfType<func::FuncOp>().getName() != "main"},
                                      {"from", origins.of(operands)}});
  }
  auto main = module.lookupSymbol<func::FuncOp>("main");
  for (Value result : main.getBody().back().getTerminator()->getOperands())
    outputs.push_back(origins.of(result));
  return json::Object{{"dispatches", std::move(dispatches)}, {"outputs", std::move(outputs)}};
}
