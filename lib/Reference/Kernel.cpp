//===- Kernel.cpp - tenon's own ops: kernels, weights, and the convolution family ------------===//
#include "ConvFamily.h"
#include "Interpreter.h"

#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;
using namespace tenon;
using namespace tenon::reference;

static Numbers toNumbers(const Tensor &tensor) {
  Numbers numbers(tensor.shape());
  bool isFloat = isa<FloatType>(tensor.element());
  for (int64_t i = 0; i < tensor.count(); ++i)
    numbers.values[i] = isFloat ? Number(tensor.data()[i].f) : Number(tensor.data()[i].i);
  return numbers;
}

static Tensor fromNumbers(Type element, const Numbers &numbers) {
  Tensor tensor(element, numbers.shape);
  Scalar *out = tensor.mutableData();
  for (Number value : numbers.values)
    *out++ = isa<FloatType>(element) ? makeFloat(value) : makeInt(static_cast<int64_t>(value));
  return tensor;
}

/// The functions of the convolution family expect operands that agree; dynamic ones may not.
static LogicalResult checkConv(ConvOp op, const Tensor &input, const Tensor &filter, const Tensor *bias) {
  int64_t channels = input.shape()[op.getChannelDim()], outer = filter.shape()[op.getFilterOuterDim()];
  int64_t inner = filter.shape()[op.getFilterChannelDim()], groups = op.getGroups();
  int64_t wanted = op.getTransposed() ? outer : inner * groups;
  int64_t results = op.getTransposed() ? inner * groups : outer;
  if (channels != wanted)
    return op.emitError() << "expected the input's channels to be " << wanted << ", but got " << channels;
  if (outer % groups)
    return op.emitError() << "expected groups to divide the filter's outer size, but got " << groups << " and "
                          << outer;
  if (bias && bias->shape()[0] != results)
    return op.emitError() << "expected the bias to have " << results << " elements, but got " << bias->shape()[0];
  if (op.getPerSample() && filter.shape()[0] != input.shape()[0])
    return op.emitError() << "expected a filter per sample, but got " << filter.shape()[0] << " and "
                          << input.shape()[0];
  return success();
}

LogicalResult Interpreter::loadWeight(LoadWeightOp op) {
  auto weight = module.lookupSymbol<WeightOp>(op.getWeight());
  if (!weight)
    return op.emitError() << "no weight '" << op.getWeight() << "'";
  StringRef archive = weight.getArchive();
  int64_t offset = weight.getOffset(), length = weight.getLength();
  if (archive == "init:") {
    if (!initialized) {
      initialized.emplace(); // also keeps the initializer from waiting for itself
      FailureOr<SmallVector<Datum>> results = call(op, "tenon_init", {});
      if (failed(results))
        return failure();
      initialized = *results;
    }
    if (offset < 0 || offset >= static_cast<int64_t>(initialized->size()) || !(*initialized)[offset].tensor)
      return op.emitError() << "'tenon_init' has no result " << offset;
    set(op, (*initialized)[offset]);
    return success();
  }
  std::string name = op.getWeight().str();
  if (auto known = weights.find(name); known != weights.end()) {
    set(op, known->second);
    return success();
  }
  auto type = cast<RankedTensorType>(op.getType());
  std::unique_ptr<llvm::MemoryBuffer> file;
  ArrayRef<char> bytes;
  StringRef key = archive;
  if (key.consume_front("mem:")) {
    if (!options.blobs || !options.blobs->count(key.str()))
      return op.emitError() << "no bytes for '" << archive << "'";
    bytes = options.blobs->at(key.str());
  } else {
    auto opened = llvm::MemoryBuffer::getFile(archive, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!opened)
      return op.emitError() << "cannot read '" << archive << "': " << opened.getError().message();
    file = std::move(*opened);
    bytes = ArrayRef<char>(file->getBufferStart(), file->getBufferSize());
  }
  int64_t available = bytes.size();
  if (offset < 0 || length < 0 || offset > available || length > available - offset)
    return op.emitError() << "expected " << length << " bytes at " << offset << " of '" << archive << "', but it has "
                          << available;
  if (!makeTensor(op, type.getElementType(), type.getShape()))
    return failure();
  Tensor tensor = Tensor::fromBytes(type.getElementType(), type.getShape(), bytes.slice(offset, length));
  weights.emplace(name, tensor);
  set(op, tensor);
  return success();
}

Interpreter::Handled Interpreter::runTenon(Operation *op) {
  auto data = [&](ValueRange range) { return llvm::map_to_vector(range, [&](Value v) { return get(v); }); };
  auto element = [&](Value value) { return getElementTypeOrSelf(value.getType()); };
  return llvm::TypeSwitch<Operation *, Handled>(op)
      .Case<LoadWeightOp>([&](LoadWeightOp load) -> Handled { return loadWeight(load); })
      .Case<WeightOp>([&](WeightOp) -> Handled { return success(); })
      .Case<KVSourceOp, NormalizerOp>([&](auto) -> Handled { return success(); }) // read where they are used
      .Case<AttentionOp>([&](AttentionOp attention) -> Handled { return runAttention(attention); })
      .Case<KernelOp>([&](KernelOp kernel) -> Handled {
        FailureOr<SmallVector<Datum>> results = runBlock(kernel.getBody().front(), data(op->getOperands()));
        if (failed(results))
          return failure();
        for (auto [result, datum] : llvm::zip(op->getResults(), *results))
          set(result, datum);
        return success();
      })
      .Case<DispatchOp>([&](DispatchOp dispatch) -> Handled {
        SmallVector<Datum> operands = data(op->getOperands());
        FailureOr<SmallVector<Datum>> results = call(op, dispatch.getKernel(), operands);
        if (failed(results))
          return failure();
        SmallVector<Tensor> tensors;
        for (auto [result, datum] : llvm::zip(op->getResults(), *results)) {
          set(result, datum);
          tensors.push_back(*datum.tensor);
        }
        if (options.onDispatch)
          options.onDispatch(op, operands, tensors);
        return success();
      })
      .Case<JoinOp>([&](JoinOp join) -> Handled {
        auto type = cast<RankedTensorType>(join.getInit().getType());
        Tensor joined(type.getElementType(), type.getShape());
        Scalar *next = joined.mutableData();
        for (Value input : join.getInputs()) {
          Tensor part = tensor(input);
          next = std::copy_n(part.data(), part.count(), next);
        }
        set(join.getResult(), joined);
        return success();
      })
      .Case<ConvOp>([&](ConvOp conv) -> Handled {
        Tensor input = tensor(conv.getInput()), filter = tensor(conv.getFilter());
        std::optional<Tensor> bias;
        if (conv.getBias())
          bias = tensor(conv.getBias());
        if (failed(checkConv(conv, input, filter, bias ? &*bias : nullptr)))
          return failure();
        std::optional<Numbers> biasNumbers;
        if (bias)
          biasNumbers = toNumbers(*bias);
        Numbers result = tenon::reference::evaluate(conv, toNumbers(input), toNumbers(filter),
                                                    biasNumbers ? &*biasNumbers : nullptr);
        set(conv.getResult(), fromNumbers(element(conv.getResult()), result));
        return success();
      })
      .Case<PoolOp>([&](PoolOp pool) -> Handled {
        SmallVector<Numbers> results = tenon::reference::evaluate(pool, toNumbers(tensor(pool.getInput())));
        for (auto [result, numbers] : llvm::zip(op->getResults(), results))
          set(result, fromNumbers(element(result), numbers));
        return success();
      })
      .Case<ResizeOp>([&](ResizeOp resize) -> Handled {
        SmallVector<int64_t> sizes = integers(resize.getSizes());
        Numbers result = tenon::reference::evaluate(resize, toNumbers(tensor(resize.getInput())), sizes);
        set(resize.getResult(), fromNumbers(element(resize.getResult()), result));
        return success();
      })
      .Default([](Operation *) -> Handled { return std::nullopt; });
}

/// An input must be what the function's argument says.
static LogicalResult checkInput(func::FuncOp function, unsigned index, const Tensor &input) {
  auto type = dyn_cast<RankedTensorType>(function.getArgumentTypes()[index]);
  if (!type)
    return function.emitError() << "argument " << index << " is no tensor";
  if (type.getElementType() != input.element() || type.getRank() != input.rank())
    return function.emitError() << "expected input " << index << " to be " << type << ", but got rank " << input.rank()
                                << " of " << input.element();
  for (auto [size, wanted] : llvm::zip(input.shape(), type.getShape()))
    if (!ShapedType::isDynamic(wanted) && size != wanted)
      return function.emitError() << "expected input " << index << " to be " << type << ", but got a size of " << size;
  return success();
}

FailureOr<SmallVector<Tensor>> tenon::reference::evaluate(ModuleOp module, StringRef name, ArrayRef<Tensor> inputs,
                                                          const EvaluateOptions &options) {
  Interpreter interpreter(module, options);
  if (auto function = module.lookupSymbol<func::FuncOp>(name); function && inputs.size() == function.getNumArguments())
    for (auto [i, input] : llvm::enumerate(inputs))
      if (failed(checkInput(function, i, input)))
        return failure();
  SmallVector<Datum> arguments(inputs.begin(), inputs.end());
  FailureOr<SmallVector<Datum>> results = interpreter.call(module, name, arguments);
  if (failed(results))
    return failure();
  SmallVector<Tensor> tensors;
  for (const Datum &datum : *results) {
    if (!datum.tensor)
      return module.emitError() << "a result of '" << name << "' is no tensor";
    tensors.push_back(*datum.tensor);
  }
  return tensors;
}
