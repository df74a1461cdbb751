//===- Verify.cpp - a compiled model against the reference evaluator -----------------------------===//
//
// The evaluator runs the Program and, to see what the passes did, the kernels that were made of it. Then the compiled
// model runs, step by step beside what was recorded: each kernel reads exactly what the reference has, because the
// reference's results take the place of its own. So nothing adds up, and the first kernel that differs is wrong itself.
//
//===----------------------------------------------------------------------===//
#include "Verify.h"
#include "Compiled.h"
#include "tenon/Analysis/Weights.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Driver/Compile.h"
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Schedule/Target.h"

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cmath>
#include <cstring>
#include <set>

using namespace mlir;
using namespace tenon;
using reference::Datum;
using reference::Scalar;
using reference::Tensor;

namespace {

/// A dispatch as the evaluator ran it.
struct Record {
  DispatchOp dispatch;
  SmallVector<Datum> operands;
  SmallVector<Tensor> results;
};

/// Elements that are too far apart.
struct Difference {
  int64_t first = -1, count = 0;
};

class Tolerance {
public:
  explicit Tolerance(const VerifyOptions &options) : options(options) {}

  double relative(Type element) const {
    double step = std::ldexp(1.0, 1 - static_cast<int>(llvm::APFloat::semanticsPrecision(semantics(element))));
    return options.rtol.value_or(std::max(1e-3, step));
  }
  double absolute(Type element) const {
    return options.atol.value_or(std::max(1e-4, llvm::APFloat::getSmallest(semantics(element)).convertToDouble()));
  }

  /// Integers must be equal; a NaN is equal to a NaN.
  Difference compare(const Tensor &compiled, const Tensor &reference) const {
    Difference difference;
    Type element = reference.element();
    bool isFloat = isa<FloatType>(element);
    double rtol = isFloat ? relative(element) : 0, atol = isFloat ? absolute(element) : 0;
    for (int64_t i = 0; i < reference.count(); ++i) {
      Scalar a = compiled.data()[i], b = reference.data()[i];
      bool equal = a.i == b.i;
      if (isFloat)
        equal = a.f == b.f || (std::isnan(a.f) && std::isnan(b.f)) ||
                (std::isfinite(b.f) && std::abs(a.f - b.f) <= atol + rtol * std::abs(b.f));
      if (equal)
        continue;
      difference.first = difference.count++ == 0 ? i : difference.first;
    }
    return difference;
  }

  /// "at [0, 3]: compiled 1.5, reference 1; ..." with another word for what is not the reference.
  std::string describe(const Difference &difference, const Tensor &compiled, const Tensor &reference,
                       StringRef label = "compiled") const {
    SmallVector<int64_t> index(reference.rank());
    int64_t rest = difference.first;
    for (int64_t dim = reference.rank(); dim-- > 0; rest /= reference.shape()[dim])
      index[dim] = rest % reference.shape()[dim];
    std::string text;
    llvm::raw_string_ostream os(text);
    Type element = reference.element();
    Scalar a = compiled.data()[difference.first], b = reference.data()[difference.first];
    os << "at [";
    llvm::interleaveComma(index, os);
    os << "]: " << label << " " << formatElement(element, a) << ", reference " << formatElement(element, b);
    if (isa<FloatType>(element))
      os << llvm::format("; the difference is %.3g, the tolerance %.3g (atol %.3g + rtol %.3g * |reference|)",
                         std::abs(a.f - b.f), absolute(element) + relative(element) * std::abs(b.f), absolute(element),
                         relative(element));
    else
      os << "; integers must be equal";
    os << "\n  " << difference.count << " of " << reference.count() << " elements differ\n";
    return text;
  }

private:
  static const llvm::fltSemantics &semantics(Type element) { return cast<FloatType>(element).getFloatSemantics(); }
  const VerifyOptions &options;
};

using Places = llvm::SetVector<std::string, std::vector<std::string>, std::set<std::string>>;

/// The places in the model that a location stands for.
void collectPlaces(Location loc, Places &places) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    places.insert("'" + name.getName().str() + "'");
  } else if (auto file = dyn_cast<FileLineColLoc>(loc)) {
    places.insert(
        (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) + ":" + llvm::Twine(file.getColumn()))
            .str());
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      collectPlaces(part, places);
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    collectPlaces(call.getCallee(), places);
  }
}

/// Compares the kernels of a compiled model with what the evaluator recorded.
class Checker : public KernelWatcher {
public:
  Checker(ModuleOp module, const Tolerance &tolerance) : symbols(module), tolerance(tolerance) {
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr(kKernelAttr))
        kernels.push_back(function.getName().str());
  }

  void record(Operation *op, ArrayRef<Datum> operands, ArrayRef<Tensor> results) {
    bool isInit = op->getParentOfType<func::FuncOp>().getName() == kInitFunction;
    (isInit ? init : main).push_back({cast<DispatchOp>(op), llvm::to_vector(operands), llvm::to_vector(results)});
  }

  /// From now on it is `main` that runs.
  void enterMain() { current = &main, next = 0; }

  int32_t onKernel(const std::vector<std::string> &names, int64_t index, void *const *args,
                   const std::function<int32_t()> &run) override {
    // Kernels of one name are taken to have one signature.
    if (names != kernels)
      return strange("its kernels are others");
    const std::string &name = names[index];
    if (next >= current->size())
      return strange("it runs '@" + name + "' where the reference runs nothing");
    Record &record = (*current)[next++];
    if (record.dispatch.getKernel() != name)
      return strange("it runs '@" + name + "' where the reference runs '@" + record.dispatch.getKernel().str() + "'");
    seen.insert(record.dispatch.getKernel());
    ++dispatches;
    std::vector<Argument> arguments;
    if (!readArguments(record, args, arguments))
      return TENON_ECANCELLED;
    for (Argument &argument : arguments)
      if (!prepare(record, argument, arguments))
        return TENON_ECANCELLED;
    if (int32_t status = run())
      return status;
    unsigned result = 0;
    for (Argument &argument : arguments) {
      if (!argument.isInit)
        continue;
      const Tensor &wanted = record.results[result];
      Tensor got = argument.load(wanted);
      if (Difference difference = tolerance.compare(got, wanted); difference.count > 0) {
        finding =
            describe(record) + "  result " + std::to_string(result) + " " + tolerance.describe(difference, got, wanted);
        return TENON_ECANCELLED;
      }
      argument.store(wanted);
      ++result;
    }
    return TENON_OK;
  }

  /// What was found, or "".
  std::string finding;
  /// Whether what was found says that the two programs are not the same.
  bool mismatch = false;
  llvm::StringSet<> seen;
  int64_t dispatches = 0;
  bool ended() const { return next == current->size(); }

private:
  struct Argument {
    char *data = nullptr;
    size_t bytes = 0;
    unsigned index = 0;
    bool isInit = false;

    Tensor load(const Tensor &like) const {
      return Tensor::fromBytes(like.element(), like.shape(), ArrayRef<char>(data, bytes), /*packed=*/false);
    }
    void store(const Tensor &tensor) const {
      if (bytes)
        std::memcpy(data, tensor.toBytes(/*packed=*/false).data(), bytes);
    }
    bool overlaps(const Argument &other) const { return data < other.data + other.bytes && other.data < data + bytes; }
  };

  int32_t strange(std::string what) {
    finding = std::move(what);
    mismatch = true;
    return TENON_ECANCELLED;
  }

  /// The tensors among the argument words; scalars and sizes must be the reference's.
  bool readArguments(Record &record, void *const *args, std::vector<Argument> &arguments) {
    auto size = [&](int64_t got, int64_t wanted, unsigned index, const llvm::Twine &what) {
      if (got == wanted)
        return true;
      finding = describe(record, /*kernelIsWrong=*/false) + "  " +
                (what + " of operand " + llvm::Twine(index) + ": compiled " + llvm::Twine(got) + ", reference " +
                 llvm::Twine(wanted) + "\n")
                    .str();
      return false;
    };
    for (OpOperand &operand : record.dispatch->getOpOperands()) {
      unsigned index = operand.getOperandNumber();
      const Datum &datum = record.operands[index];
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      if (!type) {
        Tensor scalar(operand.get().getType(), {});
        *scalar.mutableData() = datum.scalar;
        std::vector<char> bytes = scalar.toBytes(/*packed=*/false);
        int64_t wanted = 0, got = 0;
        std::memcpy(&wanted, bytes.data(), bytes.size());
        std::memcpy(&got, args++, bytes.size());
        if (!size(got, wanted, index, "bits"))
          return false;
        continue;
      }
      Argument argument;
      argument.index = index;
      argument.isInit = record.dispatch.isDpsInit(&operand);
      argument.data = static_cast<char *>(*args++);
      argument.bytes = datum.tensor->toBytes(/*packed=*/false).size();
      for (int64_t dim = 0; dim < type.getRank(); ++dim)
        if (type.isDynamicDim(dim) && !size(reinterpret_cast<int64_t>(*args++), datum.tensor->shape()[dim], index,
                                            "size of dim " + llvm::Twine(dim)))
          return false;
      arguments.push_back(argument);
    }
    return true;
  }

  /// Checks what the kernel is to read; destinations without contents get some that nobody wants.
  bool prepare(Record &record, Argument &argument, ArrayRef<Argument> all) {
    const Tensor &wanted = *record.operands[argument.index].tensor;
    Value value = record.dispatch->getOperand(argument.index);
    if (argument.isInit && value.getDefiningOp<tensor::EmptyOp>()) {
      if (llvm::none_of(all, [&](const Argument &other) { return !other.isInit && argument.overlaps(other); }))
        std::fill_n(argument.data, argument.bytes, isa<FloatType>(wanted.element()) ? '\xff' : '\x5a');
      return true;
    }
    Tensor got = argument.load(wanted);
    Difference difference = tolerance.compare(got, wanted);
    // Destinations may come, through loops and views, from tensors that nobody filled.
    if (argument.isInit) {
      argument.store(wanted);
      return true;
    }
    if (difference.count == 0)
      return true;
    finding = describe(record, /*kernelIsWrong=*/false) + "  operand " + std::to_string(argument.index) + " " +
              tolerance.describe(difference, got, wanted);
    return false;
  }

  std::string describe(Record &record, bool kernelIsWrong = true) {
    auto kernel = symbols.lookup<func::FuncOp>(record.dispatch.getKernel());
    std::string text;
    llvm::raw_string_ostream os(text);
    os << "@" << record.dispatch.getKernel() << " (dispatch " << next << " of " << current->size()
       << (current == &init ? " of the initializer" : "") << ")";
    if (kernelIsWrong)
      os << " differs from the reference\n";
    else
      os << " does not get what the reference passes: not this kernel, but the program around it is wrong (memory "
            "plan, views, scalars), or an earlier kernel wrote where it must not\n";
    Places places;
    collectPlaces(record.dispatch.getLoc(), places);
    if (!places.empty()) {
      os << "  from: ";
      llvm::interleaveComma(llvm::ArrayRef(places.getArrayRef()).take_front(8), os);
      os << (places.size() > 8 ? ", ...\n" : "\n");
    }
    llvm::SetVector<StringRef> ops;
    for (Operation &op : kernel.getBody().front().without_terminator())
      if (!op.hasTrait<OpTrait::ConstantLike>())
        ops.insert(op.getName().getStringRef());
    os << "  ops: ";
    llvm::interleaveComma(ops, os);
    os << "\n";
    if (Attribute schedule = kernel->getAttr(kScheduleAttr))
      os << "  schedule: " << schedule << "\n";
    return text;
  }

  SymbolTable symbols;
  const Tolerance &tolerance;
  std::vector<std::string> kernels;
  std::vector<Record> init, main, *current = &init;
  size_t next = 0;
};

/// A new folder for what is compiled, gone with this.
class Folder {
public:
  Folder() { code = llvm::sys::fs::createUniqueDirectory("tenon-verify", path); }
  ~Folder() { llvm::sys::fs::remove_directories(path); }
  std::error_code code;
  llvm::SmallString<128> path;
};

class Verification {
public:
  Verification(const Job &job, const VerifyOptions &options) : job(job), options(options), tolerance(options) {}

  Verdict run() {
    if (std::string error = program.open(job); !error.empty())
      return fail(error);
    if (std::string error = program.makeInputs(job, inputs); !error.empty())
      return fail(error);
    program.context.getOrLoadDialect<TenonDialect>(); // a Program may have no op of ours
    TargetAttr target = lookupTarget(&program.context, options.target);
    if (!target)
      return fail(explainUnknownTarget(options.target));
    (*program.module)->setAttr(kTargetAttr, target);

    FailureOr<SmallVector<Tensor>> wanted = evaluate(*program.module, nullptr);
    if (failed(wanted))
      return fail(program.takeErrors("the evaluation failed"));
    OwningOpRef<ModuleOp> kernels = program.module->clone();
    for (auto [name, build] :
         {Stage{"tenon-optimize-program", buildOptimizePipeline}, Stage{"tenon-make-kernels", buildKernelsPipeline}}) {
      PassManager passes(&program.context);
      build(passes);
      if (failed(passes.run(*kernels)))
        return fail(program.takeErrors((llvm::Twine("'") + name + "' failed").str()));
      bool last = name == StringRef("tenon-make-kernels");
      if (last)
        checker.emplace(*kernels, tolerance);
      FailureOr<SmallVector<Tensor>> results = evaluate(*kernels, last ? &*checker : nullptr);
      if (failed(results))
        return fail(program.takeErrors("the evaluation failed") + "\n(after '" + name + "')");
      if (!compareOutputs(*results, *wanted, (llvm::Twine("the passes of '") + name + "' are wrong").str(),
                          "transformed"))
        return Verdict::Differs;
      if (last)
        wanted = results; // what the compiled model must come to
    }
    return runCompiled(*wanted);
  }

private:
  struct Stage {
    const char *name;
    void (*build)(OpPassManager &);
  };

  Verdict fail(const llvm::Twine &message) {
    llvm::errs() << "tenon-run: error: " << message << "\n";
    return Verdict::Failed;
  }

  FailureOr<SmallVector<Tensor>> evaluate(ModuleOp module, Checker *recorder) {
    reference::EvaluateOptions evaluation{&program.blobs.blobs, nullptr, job.maxSteps};
    if (recorder)
      evaluation.onDispatch = [recorder](Operation *dispatch, ArrayRef<Datum> operands, ArrayRef<Tensor> results) {
        recorder->record(dispatch, operands, results);
      };
    return reference::evaluate(module, job.entry, inputs, evaluation);
  }

  bool compareOutputs(ArrayRef<Tensor> got, ArrayRef<Tensor> wanted, const std::string &who, StringRef label) {
    for (auto [i, pair] : llvm::enumerate(llvm::zip_equal(got, wanted))) {
      auto &[a, b] = pair;
      std::string name = getPortName(program.function, i, /*result=*/true);
      if (a.shape() != b.shape()) {
        llvm::outs() << who << "\n  output '" << name << "': " << label << " shape [";
        llvm::interleaveComma(a.shape(), llvm::outs());
        llvm::outs() << "], reference [";
        llvm::interleaveComma(b.shape(), llvm::outs());
        llvm::outs() << "]\n";
        return false;
      }
      if (Difference difference = tolerance.compare(a, b); difference.count > 0) {
        llvm::outs() << who << "\n  output '" << name << "' " << tolerance.describe(difference, a, b, label);
        return false;
      }
    }
    return true;
  }

  Verdict runCompiled(ArrayRef<Tensor> wanted) {
    Folder folder;
    std::string path = options.compiled;
    if (path.empty()) {
      if (folder.code)
        return fail("cannot make a folder for the compiled model: " + folder.code.message());
      CompileRequest request;
      request.path = job.model;
      request.target = options.target;
      request.output = path = (folder.path + "/model.so").str();
      if (llvm::Expected<CompileReply> reply = compile(request); !reply)
        return fail(llvm::toString(reply.takeError()));
    }
    std::string error;
    std::unique_ptr<CompiledModel> model = CompiledModel::load(path, *checker, error);
    std::vector<CompiledTensor> given, outputs;
    for (const Tensor &input : inputs)
      given.push_back({{input.shape().begin(), input.shape().end()}, input.toBytes(/*packed=*/false)});
    if (model) {
      checker->enterMain();
      model->run(given, outputs, error);
    }
    if (checker->mismatch)
      return fail("'" + path + "' is not what this model compiles to: " + checker->finding);
    if (!checker->finding.empty()) {
      llvm::outs() << checker->finding;
      return Verdict::Differs;
    }
    if (!error.empty())
      return fail(error);
    if (!checker->ended())
      return fail("'" + path + "' is not what this model compiles to: it runs fewer kernels than the reference");
    if (outputs.size() != wanted.size())
      return fail("'" + path + "' is not what this model compiles to: it has " + llvm::Twine(outputs.size()) +
                  " outputs instead of " + llvm::Twine(wanted.size()));
    SmallVector<Tensor> got;
    for (auto [output, tensor] : llvm::zip_equal(outputs, wanted)) {
      if (ArrayRef<int64_t>(output.shape) != tensor.shape())
        got.push_back(Tensor(tensor.element(), output.shape));
      else
        got.push_back(Tensor::fromBytes(tensor.element(), output.shape, output.bytes, /*packed=*/false));
    }
    if (!compareOutputs(got, wanted, "all kernels agree, but the program around them is wrong", "compiled"))
      return Verdict::Differs;
    llvm::outs() << "all " << checker->seen.size() << " kernels (" << checker->dispatches << " dispatches) and "
                 << wanted.size() << " outputs agree with the reference\n";
    return Verdict::Agrees;
  }

  const Job &job;
  const VerifyOptions &options;
  Tolerance tolerance;
  Program program;
  std::vector<Tensor> inputs;
  std::optional<Checker> checker;
};

} // namespace

Verdict tenon::verify(const Job &job, const VerifyOptions &options) { return Verification(job, options).run(); }
