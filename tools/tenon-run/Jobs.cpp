//===- Jobs.cpp - runs models on the reference evaluator, with .npy files for tensors -------------===//
#include "Jobs.h"
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Support/Npy.h"

#include "mlir/Parser/Parser.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <random>

using namespace mlir;
using namespace tenon;
using reference::Tensor;

static unsigned getBits(Type element) { return element.isIndex() ? 64 : element.getIntOrFloatBitWidth(); }

/// NumPy's name of a port's elements; types that NumPy lacks travel as their bits.
static std::string getNpyType(Type element, StringRef portType) {
  if (element.isInteger(1))
    return "bool";
  unsigned bits = std::max(8u, getBits(element));
  if (element.isF16() || element.isF32() || element.isF64())
    return "float" + std::to_string(bits);
  if (isa<FloatType>(element))
    return "uint" + std::to_string(bits);
  return (portType.starts_with("uint") ? "uint" : "int") + std::to_string(bits);
}

std::string tenon::getPortName(func::FuncOp function, unsigned index, bool result) {
  auto name = result ? function.getResultAttrOfType<StringAttr>(index, kNameAttr)
                     : function.getArgAttrOfType<StringAttr>(index, kNameAttr);
  return name ? name.str() : std::to_string(index);
}

static std::string getPortType(func::FuncOp function, unsigned index, bool result) {
  auto name = result ? function.getResultAttrOfType<StringAttr>(index, kDTypeAttr)
                     : function.getArgAttrOfType<StringAttr>(index, kDTypeAttr);
  return name ? name.str() : "";
}

static std::string readInput(const std::string &path, RankedTensorType type, StringRef portType, Tensor &tensor) {
  NpyArray array;
  std::string error;
  if (!readNpy(path, array, error))
    return error;
  std::string wanted = getNpyType(type.getElementType(), portType);
  auto bitsOf = [](StringRef name) { return name.drop_while([](char c) { return !llvm::isDigit(c); }); };
  bool bothInts = array.dtype.find("int") != std::string::npos && wanted.find("int") != std::string::npos;
  if (array.dtype != wanted && !(bothInts && bitsOf(array.dtype) == bitsOf(wanted)))
    return "'" + path + "': expected elements of type " + wanted + ", but got " + array.dtype;
  if (!reference::countElements(array.shape))
    return "'" + path + "': too many elements";
  tensor = Tensor::fromBytes(type.getElementType(), array.shape, array.bytes, /*packed=*/false);
  return "";
}

/// Normal floats, small integers and coin flips; equal seeds draw equal numbers.
static Tensor drawInput(RankedTensorType type, int64_t openSize, std::mt19937 &engine) {
  SmallVector<int64_t> shape(type.getShape());
  for (int64_t &size : shape)
    size = ShapedType::isDynamic(size) ? openSize : size;
  Tensor tensor(type.getElementType(), shape);
  std::normal_distribution<double> normal;
  reference::Scalar *values = tensor.mutableData();
  for (int64_t i = 0; i < tensor.count(); ++i)
    values[i] = isa<FloatType>(type.getElementType())
                    ? reference::makeFloat(reference::roundFloat(type.getElementType(), normal(engine)))
                    : reference::makeInt(reference::wrapInt(type.getElementType(), engine() % 2));
  return tensor;
}

std::string tenon::formatElement(Type type, reference::Scalar value) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (isa<FloatType>(type))
    os << llvm::format("%.9g", value.f);
  else
    os << (type.isInteger(1) ? -value.i : value.i);
  return text;
}

static void print(StringRef name, const Tensor &tensor) {
  raw_ostream &os = llvm::outs();
  os << name << ": ";
  for (int64_t size : tensor.shape())
    os << size << "x";
  os << tensor.element() << " [";
  int64_t shown = std::min<int64_t>(tensor.count(), 8);
  for (int64_t i = 0; i < shown; ++i)
    os << (i ? ", " : "") << formatElement(tensor.element(), tensor.data()[i]);
  os << (shown < tensor.count() ? ", ..]\n" : "]\n");
}

static std::string writeOutput(const std::string &prefix, std::string name, StringRef portType, const Tensor &tensor) {
  std::replace(name.begin(), name.end(), '/', '_');
  NpyArray array{
      getNpyType(tensor.element(), portType), {tensor.shape().begin(), tensor.shape().end()}, tensor.toBytes(false)};
  if (unsigned bits = getBits(tensor.element()); bits < 8 && array.dtype == "int8") // as values
    for (char &byte : array.bytes)
      byte = static_cast<char>(llvm::SignExtend32(byte, bits));
  std::string error;
  writeNpy(prefix + name + ".npy", array, error);
  return error;
}

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  registerAllDialects(registry);
  return registry;
}

Program::Program()
    : context(makeRegistry(), MLIRContext::Threading::DISABLED), handler(&context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return success();
        llvm::raw_string_ostream os(errors);
        os << (errors.empty() ? "" : "\n") << diagnostic.getLocation() << ": " << diagnostic;
        return success();
      }) {}

std::string Program::takeErrors(StringRef fallback) {
  std::string taken = errors.empty() ? fallback.str() : std::move(errors);
  errors.clear();
  return taken;
}

std::string Program::open(const Job &job) {
  if (StringRef(job.model).ends_with(".mlir"))
    module = parseSourceFile<ModuleOp>(job.model, &context);
  else
    module = onnx::importFile(job.model, &context, {}, blobs, errors);
  if (!module)
    return takeErrors("cannot read '" + job.model + "'");
  function = module->lookupSymbol<func::FuncOp>(job.entry);
  return function ? "" : "'" + job.model + "' has no function '" + job.entry + "'";
}

std::string Program::makeInputs(const Job &job, std::vector<Tensor> &inputs) {
  std::mt19937 engine(job.seed);
  std::map<std::string, std::string> files = job.inputs;
  for (auto [i, argument] : llvm::enumerate(function.getArgumentTypes())) {
    auto type = dyn_cast<RankedTensorType>(argument);
    if (!type || !reference::isSupportedElement(type.getElementType()))
      return "input " + std::to_string(i) + " is no tensor of numbers";
    std::string name = getPortName(function, i, false);
    auto file = files.find(name);
    if (file == files.end())
      file = files.find(std::to_string(i));
    inputs.emplace_back();
    if (file == files.end()) {
      inputs.back() = drawInput(type, job.openSize, engine);
      continue;
    }
    std::string error = readInput(file->second, type, getPortType(function, i, false), inputs.back());
    if (!error.empty())
      return error;
    files.erase(file);
  }
  return files.empty() ? "" : "no input '" + files.begin()->first + "'";
}

std::string tenon::runJob(const Job &job) {
  Program program;
  std::vector<Tensor> inputs;
  if (std::string error = program.open(job); !error.empty())
    return error;
  if (std::string error = program.makeInputs(job, inputs); !error.empty())
    return error;

  reference::EvaluateOptions options{&program.blobs.blobs, nullptr, job.maxSteps};
  if (job.trace)
    options.onDispatch = [](Operation *dispatch, ArrayRef<reference::Datum>, ArrayRef<Tensor> results) {
      for (const Tensor &result : results)
        print(("@" + cast<DispatchOp>(dispatch).getKernel()).str(), result);
    };
  FailureOr<SmallVector<Tensor>> outputs = reference::evaluate(*program.module, job.entry, inputs, options);
  if (failed(outputs))
    return program.takeErrors("evaluation failed");
  for (auto [i, output] : llvm::enumerate(*outputs)) {
    std::string name = getPortName(program.function, i, true);
    if (!job.quiet)
      print(name, output);
    if (job.prefix.empty())
      continue;
    std::string error = writeOutput(job.prefix, name, getPortType(program.function, i, true), output);
    if (!error.empty())
      return error;
  }
  return "";
}
