//===- Jobs.cpp - runs models on the reference evaluator, with .npy files for tensors -------------===//
#include "Jobs.h"
#include "tenon/Import/ONNX/Import.h"
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

static std::string getPortName(func::FuncOp function, unsigned index, bool result) {
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
  unsigned bits = getBits(type.getElementType());
  if (bits < 8 && bits > 1) { // a byte each in a file, packed in memory
    unsigned perByte = 8 / bits;
    std::vector<char> packed(llvm::divideCeil(array.bytes.size(), perByte), 0);
    for (size_t i = 0; i < array.bytes.size(); ++i)
      packed[i / perByte] |= (array.bytes[i] & ((1 << bits) - 1)) << (i % perByte * bits);
    array.bytes = std::move(packed);
  }
  tensor = Tensor::fromBytes(type.getElementType(), array.shape, array.bytes);
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

static void print(StringRef name, const Tensor &tensor) {
  raw_ostream &os = llvm::outs();
  os << name << ": ";
  for (int64_t size : tensor.shape())
    os << size << "x";
  os << tensor.element() << " [";
  int64_t shown = std::min<int64_t>(tensor.count(), 8);
  for (int64_t i = 0; i < shown; ++i) {
    os << (i ? ", " : "");
    if (isa<FloatType>(tensor.element()))
      os << llvm::format("%.9g", tensor.data()[i].f);
    else
      os << (tensor.element().isInteger(1) ? -tensor.data()[i].i : tensor.data()[i].i);
  }
  os << (shown < tensor.count() ? ", ..]\n" : "]\n");
}

static std::string writeOutput(const std::string &prefix, std::string name, StringRef portType, const Tensor &tensor) {
  std::replace(name.begin(), name.end(), '/', '_');
  NpyArray array{
      getNpyType(tensor.element(), portType), {tensor.shape().begin(), tensor.shape().end()}, tensor.toBytes()};
  if (unsigned bits = getBits(tensor.element()); bits < 8 && bits > 1) { // a byte each in a file, integers as values
    std::vector<char> packed = std::move(array.bytes);
    array.bytes.clear();
    for (int64_t i = 0; i < tensor.count(); ++i) {
      int value = static_cast<unsigned char>(packed[i * bits / 8]) >> (i * bits % 8) & ((1 << bits) - 1);
      bool isSigned = StringRef(array.dtype).starts_with("int");
      array.bytes.push_back(isSigned ? llvm::SignExtend32(value, bits) : value);
    }
  }
  std::string error;
  writeNpy(prefix + name + ".npy", array, error);
  return error;
}

std::string tenon::runJob(const Job &job) {
  DialectRegistry registry;
  registerAllDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  std::string errors;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return success();
    llvm::raw_string_ostream os(errors);
    os << (errors.empty() ? "" : "\n") << diagnostic.getLocation() << ": " << diagnostic;
    return success();
  });
  onnx::WeightBlobs blobs;
  OwningOpRef<ModuleOp> module;
  if (StringRef(job.model).ends_with(".mlir")) {
    module = parseSourceFile<ModuleOp>(job.model, &context);
  } else {
    std::string importErrors;
    module = onnx::importFile(job.model, &context, {}, blobs, importErrors);
    errors += importErrors;
  }
  if (!module)
    return errors.empty() ? "cannot read '" + job.model + "'" : errors;
  auto function = module->lookupSymbol<func::FuncOp>(job.entry);
  if (!function)
    return "'" + job.model + "' has no function '" + job.entry + "'";

  std::mt19937 engine(job.seed);
  std::vector<Tensor> inputs;
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
  if (!files.empty())
    return "no input '" + files.begin()->first + "'";

  reference::EvaluateOptions options{&blobs.blobs, nullptr};
  if (job.trace)
    options.onDispatch = [](StringRef kernel, ArrayRef<Tensor> results) {
      for (const Tensor &result : results)
        print(("@" + kernel).str(), result);
    };
  FailureOr<SmallVector<Tensor>> outputs = reference::evaluate(*module, job.entry, inputs, options);
  if (failed(outputs))
    return errors.empty() ? "evaluation failed" : errors;
  for (auto [i, output] : llvm::enumerate(*outputs)) {
    std::string name = getPortName(function, i, true);
    if (!job.quiet)
      print(name, output);
    if (job.prefix.empty())
      continue;
    std::string error = writeOutput(job.prefix, name, getPortType(function, i, true), output);
    if (!error.empty())
      return error;
  }
  return "";
}
