//===- Importer.cpp - walks the graph ---------------------------------------------===//
//
// Scopes, nodes, model-local functions and subgraphs. Initializers are in Initializers.cpp, the door in Import.cpp.
//
//===----------------------------------------------------------------------===//
#include "ImportContext.h"

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace tenon::onnx;
using llvm::StringRef;
using llvm::Twine;

static std::string quoted(StringRef s) { return ("'" + s + "'").str(); }
static StringRef domainOf(StringRef d) { return d == "ai.onnx" ? "" : d; }
static std::string functionKey(StringRef domain, StringRef name, StringRef overload) {
  return (domainOf(domain) + ":" + name + ":" + overload).str();
}

Importer::Importer(MLIRContext *context, const ImportOptions &options, WeightBlobs &blobs, std::string &error)
    : context(context), b(UnknownLoc::get(context), context), options(options), blobs(blobs), error(error) {}

void Importer::report(const Twine &message) {
  std::string text = message.str();
  if (!llvm::is_contained(errors, text))
    errors.push_back(text);
}

int64_t Importer::versionOf(StringRef domain) {
  auto it = opsets.find(domainOf(domain).str());
  return it == opsets.end() ? -1 : it->second;
}

V Importer::lookup(StringRef name) {
  for (Scope &scope : llvm::reverse(scopes))
    if (auto it = scope.find(name); it != scope.end())
      return it->second;
  return {};
}

bool Importer::nodes(const std::vector<proto::Node> &list) {
  size_t before = errors.size();
  for (const proto::Node &n : list)
    node(n);
  return errors.size() == before;
}

void Importer::node(const proto::Node &p) {
  std::string name = p.name.str();
  if (name.empty() && !p.outputs.empty())
    name = p.outputs[0].str();
  std::string label =
      "node '" + name + "' (" + (domainOf(p.domain).empty() ? "" : p.domain.str() + ".") + p.opType.str() + ")";
  std::string previous = std::exchange(current, label);
  Location previousLoc = b.getLoc();
  auto restore = llvm::scope_exit([&] {
    current = previous;
    b.setLoc(previousLoc);
  });
  b.setLoc(NameLoc::get(b.getStringAttr(name + " (" + p.opType.str() + ")")));

  auto poison = [&] {
    for (StringRef o : p.outputs)
      if (!o.empty())
        define(o, nullptr);
  };
  StringRef domain = domainOf(p.domain);
  auto function = functions.find(functionKey(p.domain, p.opType, p.overload));
  int64_t version = versionOf(domain);
  const Handler *handler = nullptr;
  if (function == functions.end()) {
    const Registry &registry = Registry::get();
    if (version < 0 && domain.empty()) {
      report(label + ": the model imports no opset of the default domain");
      return poison();
    }
    if (version < 0)
      version = 1;
    handler = registry.find(domain, p.opType, version);
    if (!handler) {
      if (domain.starts_with("ai.onnx.ml") || domain.starts_with("ai.onnx.preview.training"))
        report(label + ": operators of domain '" + domain + "' are not supported");
      else if (registry.hasName(domain, p.opType))
        report(label + ": not supported in opset " + Twine(version));
      else
        report(label + ": the operator is not supported" + (domain.empty() ? "" : " (domain '" + domain.str() + "')"));
      return poison();
    }
  }
  Node n(*this, b, p, version, label);
  n.outputs.resize(p.outputs.size());
  for (StringRef in : p.inputs) {
    if (in.empty()) {
      n.inputs.push_back(nullptr);
      continue;
    }
    bool found = false, isNull = false;
    for (Scope &scope : llvm::reverse(scopes))
      if (auto it = scope.find(in); it != scope.end()) {
        found = true;
        isNull = !it->second;
        n.inputs.push_back(it->second);
        break;
      }
    if (!found) {
      report(label + ": input " + quoted(in) +
             " is not produced by an earlier node (the graph has a cycle, is not sorted, or lacks an input)");
      return poison();
    }
    if (isNull)
      return poison(); // follows from an error that is reported already
  }
  if (function != functions.end()) {
    if (!callFunction(*function->second, n))
      return poison();
  } else {
    unsigned required = requiredInputs(p.opType, version);
    for (unsigned i = 0; i < required; ++i)
      if (!n.has(i)) {
        report(label + ": expected at least " + Twine(required) + " inputs, but input " + Twine(i) + " is missing");
        return poison();
      }
    size_t before = errors.size();
    if (failed((*handler)(n))) {
      if (errors.size() == before)
        report(label + ": could not be imported");
      return poison();
    }
  }
  for (auto [name, v] : llvm::zip(p.outputs, n.outputs))
    if (!name.empty()) {
      if (!v)
        report(label + ": output " + quoted(name) + " is not supported");
      define(name, v);
    }
}

/// Replaces attributes that refer to the function's by those of the call, in nodes and their subgraphs.
static bool bind(proto::Node &n, const proto::Function &f, const proto::Node &call) {
  for (auto it = n.attributes.begin(); it != n.attributes.end();) {
    proto::Attribute &a = *it;
    if (a.graph) {
      a.graph = std::make_shared<proto::Graph>(*a.graph);
      for (proto::Node &inner : a.graph->nodes)
        bind(inner, f, call);
    }
    if (a.refAttrName.empty()) {
      ++it;
      continue;
    }
    const proto::Attribute *found = nullptr;
    for (const proto::Attribute &c : call.attributes)
      if (c.name == a.refAttrName)
        found = &c;
    if (!found)
      for (const proto::Attribute &d : f.defaults)
        if (d.name == a.refAttrName)
          found = &d;
    if (!found) {
      it = n.attributes.erase(it);
      continue;
    }
    StringRef name = a.name;
    a = *found;
    a.name = name;
    a.refAttrName = "";
    ++it;
  }
  return true;
}

bool Importer::callFunction(const proto::Function &f, Node &n) {
  if (functionDepth > 50) {
    report(n.label + ": model-local functions call each other without end");
    return false;
  }
  if (n.inputs.size() > f.inputs.size()) {
    report(n.label + ": expected at most " + Twine(f.inputs.size()) + " inputs of the model-local function, but got " +
           Twine(n.inputs.size()));
    return false;
  }
  auto outerScopes = std::move(scopes);
  auto outerOpsets = opsets;
  scopes.clear();
  scopes.emplace_back();
  for (const proto::Opset &o : f.opsets)
    opsets[domainOf(o.domain).str()] = o.version;
  for (auto [i, name] : llvm::enumerate(f.inputs))
    if (i < n.inputs.size() && n.inputs[i])
      define(name, n.inputs[i]);
  ++functionDepth;
  std::string label = current;
  size_t before = errors.size();
  for (const proto::Node &inner : f.nodes) {
    auto bound = std::make_unique<proto::Node>(inner);
    bind(*bound, f, n.proto);
    // Missing optional inputs of the function are missing inputs of its nodes.
    for (StringRef &in : bound->inputs)
      if (!in.empty() && llvm::is_contained(f.inputs, in) && !scopes.back().count(in))
        in = "";
    boundNodes.push_back(std::move(bound));
    node(*boundNodes.back());
  }
  --functionDepth;
  current = label;
  bool ok = errors.size() == before;
  for (auto [i, name] : llvm::enumerate(f.outputs))
    if (i < n.outputs.size() && ok) {
      n.outputs[i] = lookup(name);
    }
  scopes = std::move(outerScopes);
  opsets = outerOpsets;
  return ok;
}

FailureOr<SmallVector<V>> Importer::subgraph(const proto::Graph &graph, ArrayRef<V> parameters) {
  if (scopes.size() > 60) {
    report(current + ": subgraphs nested too deeply");
    return failure();
  }
  if (parameters.size() > graph.inputs.size()) {
    report(current + ": the subgraph has " + Twine(graph.inputs.size()) + " inputs, expected " +
           Twine(parameters.size()));
    return failure();
  }
  scopes.emplace_back();
  auto pop = llvm::scope_exit([&] { scopes.pop_back(); });
  std::string label = current;
  for (auto [i, v] : llvm::enumerate(parameters))
    define(graph.inputs[i].name, v);
  for (const proto::Tensor &t : graph.initializers)
    define(t.name, initializer(t, "initializer " + quoted(t.name)));
  if (!nodes(graph.nodes))
    return failure();
  SmallVector<V> results;
  for (const proto::ValueInfo &o : graph.outputs) {
    V v = lookup(o.name);
    if (!v) {
      report(label + ": the subgraph's output " + quoted(o.name) + " is not produced");
      return failure();
    }
    results.push_back(v);
  }
  return results;
}

bool Importer::inputs(const proto::Graph &graph) {
  llvm::StringSet<> initialized;
  for (const proto::Tensor &t : graph.initializers)
    initialized.insert(t.name);
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> argAttrs;
  struct Port {
    const proto::ValueInfo *info;
    Ints shape;
    SmallVector<StringRef> names;
  };
  SmallVector<Port> ports;
  llvm::StringSet<> seen;
  for (const proto::ValueInfo &in : graph.inputs) {
    if (initialized.contains(in.name))
      continue;
    std::string what = "input " + quoted(in.name);
    if (!seen.insert(in.name).second) {
      report(what + ": the name is used twice");
      continue;
    }
    if (in.kind != 1) {
      report(what + ": " +
             (in.kind == 0 ? "has no type" : "sequences, maps, optionals and sparse tensors are not supported"));
      continue;
    }
    Type element = elementType(context, in.elemType);
    if (!element) {
      report(what + ": element type " + dtypeName(in.elemType) + " is not supported");
      continue;
    }
    auto option = options.shapes.find(in.name.str());
    if (!in.hasShape && option == options.shapes.end()) {
      report(what + ": has no rank; give its shape");
      continue;
    }
    Port port{&in, {}, {}};
    for (const proto::Dim &d : in.dims) {
      if (d.value < -1) {
        report(what + ": has a negative dim");
        return false;
      }
      // A dim without value and name is unknown; so is a value of -1.
      port.shape.push_back(d.value < 0 ? ShapedType::kDynamic : d.value);
      port.names.push_back(d.value < 0 ? d.param : StringRef());
    }
    if (option != options.shapes.end()) {
      const std::vector<int64_t> &given = option->second;
      if (in.hasShape && given.size() != in.dims.size()) {
        report(what + ": the given shape has rank " + Twine(given.size()) + ", but the model's has " +
               Twine(in.dims.size()));
        continue;
      }
      if (!in.hasShape) {
        port.shape.assign(given.size(), ShapedType::kDynamic);
        port.names.assign(given.size(), StringRef());
      }
      for (auto [i, g] : llvm::enumerate(given)) {
        if (g < 0)
          continue;
        if (port.shape[i] != ShapedType::kDynamic && port.shape[i] != g)
          report(what + ": dim " + Twine(i) + " is " + Twine(port.shape[i]) + " in the model, but " + Twine(g) +
                 " is asked for");
        port.shape[i] = g;
      }
    }
    int64_t count = 1;
    for (int64_t d : port.shape)
      if (d > 0 && llvm::MulOverflow(count, d, count))
        report(what + ": the number of elements does not fit 64 bits");
    types.push_back(RankedTensorType::get(port.shape, element));
    ports.push_back(port);
  }
  if (!errors.empty())
    return false;
  // A name that the options fix somewhere is fixed everywhere.
  llvm::StringMap<int64_t> fixed;
  for (Port &p : ports)
    for (auto [i, name] : llvm::enumerate(p.info->dims))
      if (!name.param.empty() && p.shape[i] != ShapedType::kDynamic)
        fixed[name.param] = p.shape[i];
  for (auto [p, type] : llvm::zip(ports, types)) {
    for (auto [i, name] : llvm::enumerate(p.names))
      if (!name.empty() && p.shape[i] == ShapedType::kDynamic && fixed.count(name))
        p.shape[i] = fixed[name];
    type = RankedTensorType::get(p.shape, cast<RankedTensorType>(type).getElementType());
  }
  OpBuilder mb = OpBuilder::atBlockEnd(module.getBody());
  main = func::FuncOp::create(mb, b.getLoc(), "main", FunctionType::get(context, types, {}));
  Block *entry = main.addEntryBlock();
  b.setInsertionPointToEnd(entry);
  static const proto::Node nothing;
  Node n(*this, b, nothing, 0, "inputs");
  llvm::StringMap<OpFoldResult> symbols;
  for (auto [i, p] : llvm::enumerate(ports)) {
    Value arg = entry->getArgument(i);
    Dims dims;
    SmallVector<Attribute> names;
    for (auto [d, size] : llvm::enumerate(p.shape)) {
      names.push_back(b.getStringAttr(size == ShapedType::kDynamic ? p.names[d] : StringRef()));
      if (size != ShapedType::kDynamic) {
        dims.push_back(n.idx(size));
        continue;
      }
      Value dim = b.createOrFold<tensor::DimOp>(arg, d);
      OpFoldResult known = dim;
      if (!p.names[d].empty()) {
        auto [it, isNew] = symbols.try_emplace(p.names[d], known);
        if (!isNew) {
          current = "input " + quoted(p.info->name);
          n.checkEqual(it->second, known, "dim '" + p.names[d] + "' differs from that of an earlier input");
          known = it->second;
        }
      }
      dims.push_back(known);
    }
    main.setArgAttr(i, kNameAttr, b.getStringAttr(p.info->name));
    main.setArgAttr(i, kDTypeAttr, b.getStringAttr(dtypeName(p.info->elemType)));
    main.setArgAttr(i, kDimsAttr, b.getArrayAttr(names));
    define(p.info->name, n.value(p.info->elemType, arg, dims));
  }
  return true;
}

OwningOpRef<ModuleOp> Importer::run(const proto::Model &model, StringRef bytes, StringRef archivePath, StringRef dir) {
  modelBytes = bytes;
  archive = archivePath;
  baseDir = dir;
  auto finish = [&]() -> OwningOpRef<ModuleOp> {
    error = llvm::join(errors, "\n");
    if (module)
      module->erase();
    return {};
  };
  for (const proto::Opset &o : model.opsets)
    opsets[domainOf(o.domain).str()] = o.version;
  if (model.opsets.empty())
    opsets[""] = 1; // models of IR version 1 and 2 have none
  if (int64_t v = versionOf(""); v > 28)
    report("the model uses opset " + Twine(v) + "; Tenon knows opsets up to 28");
  if (model.hasTraining)
    report("the model holds training information, which is not supported");
  if (model.graph.hasSparse)
    report("the model holds sparse initializers, which are not supported");
  if (!errors.empty())
    return finish();
  for (const proto::Function &f : model.functions)
    functions[functionKey(f.domain, f.name, f.overload)] = &f;
  module = ModuleOp::create(b.getLoc(), "model");
  scopes.emplace_back();
  if (!inputs(model.graph))
    return finish();
  for (const proto::Tensor &t : model.graph.initializers)
    define(t.name, initializer(t, "initializer " + quoted(t.name)));

  std::string diagnostics;
  ScopedDiagnosticHandler collect(context, [&](Diagnostic &d) {
    if (d.getSeverity() == DiagnosticSeverity::Error) {
      std::string where;
      if (auto named = d.getLocation()->findInstanceOf<NameLoc>())
        where = "node '" + named.getName().str() + "': ";
      report(where + d.str());
    }
    return success();
  });
  nodes(model.graph.nodes);

  // Results.
  SmallVector<Value> results;
  SmallVector<const proto::ValueInfo *> resultInfos;
  static const proto::Node nothing;
  Node n(*this, b, nothing, 0, "outputs");
  llvm::DenseMap<Value, StringRef> argNames;
  for (const proto::ValueInfo &o : model.graph.outputs) {
    auto it = scopes[0].find(o.name);
    if (it == scopes[0].end()) {
      report("output " + quoted(o.name) + ": no node produces it");
      continue;
    }
    if (!it->second)
      continue; // reported
    V v = it->second;
    if (o.kind == 1 && o.elemType && o.elemType != v->dtype)
      report("output " + quoted(o.name) + ": is declared as " + dtypeName(o.elemType) + ", but the graph computes " +
             dtypeName(v->dtype));
    if (o.kind > 1)
      report("output " + quoted(o.name) + ": sequences, maps and optionals are not supported");
    results.push_back(n.tensor(v));
    resultInfos.push_back(&o);
  }
  if (model.graph.outputs.empty())
    report("the graph has no outputs");
  if (!errors.empty())
    return finish();
  func::ReturnOp::create(b, results);
  main.setFunctionType(FunctionType::get(context, main.getArgumentTypes(), ValueRange(results).getTypes()));
  for (auto [i, info] : llvm::enumerate(resultInfos)) {
    main.setResultAttr(i, kNameAttr, b.getStringAttr(info->name));
    main.setResultAttr(i, kDTypeAttr, b.getStringAttr(dtypeName(scopes[0][info->name]->dtype)));
    SmallVector<Attribute> names;
    auto type = cast<RankedTensorType>(results[i].getType());
    for (int64_t d = 0; d < type.getRank(); ++d) {
      bool named = type.isDynamicDim(d) && info->hasShape && d < (int64_t)info->dims.size();
      names.push_back(b.getStringAttr(named ? info->dims[d].param : StringRef()));
    }
    main.setResultAttr(i, kDimsAttr, b.getArrayAttr(names));
  }
  // What folding left behind.
  bool changed = true;
  while (changed) {
    changed = false;
    main.walk<WalkOrder::PostOrder, ReverseIterator>([&](Operation *op) {
      if (isOpTriviallyDead(op)) {
        op->erase();
        changed = true;
      }
    });
  }
  if (failed(verify(module)) || !errors.empty()) {
    if (errors.empty())
      report("the imported program does not verify");
    return finish();
  }
  return OwningOpRef<ModuleOp>(std::exchange(module, nullptr));
}
