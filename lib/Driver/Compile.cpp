//===- Compile.cpp - from a model to a shared object -------------------------------------===//
//
// Import, stages, one object per kernel (in parallel, from the cache where it is known), the host, the link.
//
//===----------------------------------------------------------------------===//
#include "tenon/Driver/Compile.h"
#include "FixShapes.h"
#include "MachinePeaks.h"
#include "Manifest.h"
#include "Schedules.h"
#include "tenon-c/runtime.h"
#include "tenon/Driver/BuildId.h"
#include "tenon/Driver/Cache.h"
#include "tenon/Dialect/IR/Tenon.h"
#include "tenon/Import/ONNX/Import.h"
#include "tenon/Pipelines/Pipelines.h"
#include "tenon/Schedule/Schedule.h"
#include "tenon/Schedule/Target.h"
#include "tenon/Support/Files.h"
#include "tenon/Target/CPU/CodeGen.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/Timing.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

using namespace mlir;

namespace {

/// The user's name for the place of a diagnostic: node name or file position.
std::string describe(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return "node '" + name.getName().str() + "': ";
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      if (std::string text = describe(part); !text.empty())
        return text;
  }
  if (auto file = dyn_cast<FileLineColLoc>(loc))
    return (file.getFilename().getValue() + ":" + llvm::Twine(file.getLine()) + ":" + llvm::Twine(file.getColumn()) +
            ": ")
        .str();
  if (auto call = dyn_cast<CallSiteLoc>(loc))
    return describe(call.getCallee());
  return "";
}

/// Hands on what passes say about what they left undone.
class RemarkListener : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit RemarkListener(std::function<void(const remark::detail::Remark &)> heard) : heard(std::move(heard)) {}
  void streamOptimizationRemark(const remark::detail::Remark &remark) override { heard(remark); }

private:
  std::function<void(const remark::detail::Remark &)> heard;
};

class Compilation {
public:
  explicit Compilation(const tenon::CompileRequest &request) : request(request) {}

  llvm::Expected<tenon::CompileReply> run() {
    DialectRegistry registry;
    tenon::registerAllDialects(registry);
    tenon::registerCPUTranslations(registry);
    context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    context->loadAllAvailableDialects();
    handler.emplace(context.get(), [this](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
        return success();
      std::lock_guard<std::mutex> guard(lock);
      errors += (errors.empty() ? "" : "\n") + describe(diagnostic.getLocation()) + diagnostic.str();
      return success();
    });

    // Kernel formation says what it did not fuse, and why: the manifest keeps it for `tenon explain`.
    auto listener = std::make_unique<RemarkListener>([this](const remark::detail::Remark &remark) {
      std::string node = tenon::getNodeName(remark.getLocation()), message;
      for (const remark::detail::Remark::Arg &part : remark.getArgs())
        message += part.val;
      if (remarked.insert({node, message}).second)
        remarks.push_back(llvm::json::Object{{"node", node}, {"message", message}});
    });
    if (failed(remark::enableOptimizationRemarks(*context, std::move(listener),
                                                 std::make_unique<remark::RemarkEmittingPolicyAll>(),
                                                 {{}, {}, "tenon-form-kernels", {}, {}})))
      return internal("cannot listen to remarks");

    if (request.timing) {
      timer.emplace();
      timer->setEnabled(true);
      timer->setDisplayMode(DefaultTimingManager::DisplayMode::List);
      timer->setOutput(createOutputStrategy(DefaultTimingManager::OutputFormat::Text, timingStream));
      timing = timer->getRootScope();
    }
    if (llvm::Error error = stage("import", [&] { return import(); }))
      return std::move(error);
    if (llvm::Error error = stage("optimize", [&] { return lowerProgram(); }))
      return std::move(error);
    if (llvm::Error error = stage("kernels", [&] { return compileKernels(); }))
      return std::move(error);
    if (llvm::Error error = stage("host", [&] { return compileHost(); }))
      return std::move(error);
    if (llvm::Error error = stage("link", [&] { return link(); }))
      return std::move(error);
    if (timer) {
      timing.stop();
      timer->print();
      timer->clear();
    }
    return reply;
  }

private:
  llvm::Error stage(const char *name, llvm::function_ref<llvm::Error()> body) {
    auto start = std::chrono::steady_clock::now();
    report(name, 0, 1);
    llvm::Error error = cancelled ? llvm::Error::success() : body();
    if (cancelled) {
      llvm::consumeError(std::move(error));
      return llvm::createStringError(std::errc::operation_canceled, "the compile was cancelled");
    }
    reply.seconds.emplace_back(name, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return error;
  }

  void report(const char *name, int64_t done, int64_t total) {
    if (request.progress && !request.progress(name, done, total))
      cancelled = true;
  }

  llvm::Error failure(const char *what) {
    return errors.empty() ? llvm::createStringError("%s failed", what) : llvm::createStringError("%s", errors.c_str());
  }

  /// What no model should lead to, whatever it holds.
  static llvm::Error internal(const std::string &what) {
    return llvm::createStringError(std::errc::state_not_recoverable, "%s", what.c_str());
  }

  /// After a pass failed: a module that does not verify is the compiler's mistake, any other the pass's refusal.
  llvm::Error passFailure(const char *what) {
    std::string message = errors.empty() ? std::string(what) + " failed" : errors;
    return failed(mlir::verify(*module)) ? internal(message) : llvm::createStringError("%s", message.c_str());
  }

  llvm::Error import() {
    std::string message;
    llvm::StringRef path = request.path;
    if (!request.bytes)
      reply.outside.emplace(absolute(path), tenon::stampFile(path.str()));
    if (path.ends_with(".mlir") || path.ends_with(".mlirbc")) {
      ParserConfig config(context.get());
      module = request.bytes ? parseSourceString<ModuleOp>(*request.bytes, config, path)
                             : parseSourceFile<ModuleOp>(path, config);
      if (module)
        if (llvm::Error error = tenon::fixShapes(*module, request.shapes))
          return error;
    } else {
      tenon::onnx::ImportOptions options;
      options.shapes = request.shapes;
      module = request.bytes ? tenon::onnx::importBytes(*request.bytes, llvm::sys::path::parent_path(path),
                                                        context.get(), options, blobs, message)
                             : tenon::onnx::importFile(path, context.get(), options, blobs, message);
    }
    if (!module && !message.empty() && !errors.empty()) // no message of the importer's: its Program does not verify
      return internal(message + ": " + errors);
    if (!module)
      return message.empty() ? failure("import") : llvm::createStringError("%s", message.c_str());
    reply.outside.insert(blobs.files.begin(), blobs.files.end());
    target = tenon::lookupTarget(context.get(), request.target);
    if (!target)
      return llvm::createStringError("%s", tenon::explainUnknownTarget(request.target).c_str());
    // Only the choice between algorithms looks at peaks.
    if (request.precision == tenon::kFast && target == tenon::detectHostTarget(context.get()))
      target = tenon::withMachinePeaks(target, request.cache);
    (*module)->setAttr(tenon::kTargetAttr, target);
    if (request.precision != tenon::kReorder && request.precision != tenon::kFast)
      return llvm::createStringError("expected precision 'reorder' or 'fast', but got '%s'", request.precision.c_str());
    if (request.precision == tenon::kFast)
      (*module)->setAttr(tenon::kPrecisionAttr, StringAttr::get(context.get(), tenon::kFast));
    else
      (*module)->removeAttr(tenon::kPrecisionAttr);
    if (request.sumsAsOpen)
      (*module)->setAttr(tenon::kSumsAsOpenAttr, UnitAttr::get(context.get()));
    if (!request.fusion)
      (*module)->setAttr(tenon::kUnfusedAttr, UnitAttr::get(context.get()));
    auto schedules = tenon::readSchedules(request.schedules, context.get());
    if (!schedules)
      return schedules.takeError();
    if (!schedules->empty())
      (*module)->setAttr(tenon::kSchedulesAttr, *schedules);
    dump("1-program", *module);
    return llvm::Error::success();
  }

  llvm::Error lowerProgram() {
    auto interface = tenon::describeInterface(*module);
    if (!interface)
      return interface.takeError();
    manifest = std::move(*interface);
    {
      PassManager pm(context.get());
      pm.enableVerifier(true);
      time(pm);
      tenon::buildOptimizePipeline(pm);
      if (failed(pm.run(*module)))
        return passFailure("optimization");
    }
    dump("2-optimized", *module);
    PassManager pm(context.get());
    time(pm);
    tenon::KernelsOptions options;
    if (request.spaces) {
      options.summary = *request.spaces;
      options.spaces = [&](StringRef kernel, const tenon::SpaceSummary &summary) {
        spaces.try_emplace(kernel, tenon::describeSpace(summary));
      };
    }
    tenon::buildKernelsPipeline(pm, options);
    if (failed(pm.run(*module)))
      return passFailure("kernel formation");
    dump("3-kernels", *module);
    return llvm::Error::success();
  }

  /// Moves each kernel to a module of its own and compiles these in parallel.
  llvm::Error compileKernels() {
    manifest["kernels"] = tenon::describeKernels(*module, std::move(spaces));
    manifest["graph"] = tenon::describeGraph(*module, *manifest.getArray("inputs"));
    manifest["remarks"] = std::move(remarks);
    SymbolTable symbols(*module);
    std::vector<OwningOpRef<ModuleOp>> modules;
    for (auto kernel : llvm::to_vector(module->getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(tenon::kKernelAttr))
        continue;
      OwningOpRef<ModuleOp> own = ModuleOp::create(kernel.getLoc());
      (*own)->setAttr(tenon::kTargetAttr, target);
      if (Attribute precision = (*module)->getAttr(tenon::kPrecisionAttr))
        (*own)->setAttr(tenon::kPrecisionAttr, precision);
      auto clone = cast<func::FuncOp>(kernel->clone());
      clone.setName("tenon_kernel");
      own->push_back(clone);
      // The name is the hash of the kernel's text (locations and names of nodes left out): equal kernels of all models
      // share one object.
      for (StringRef attribute : {"tenon.nodes", "tenon.hint"})
        clone->removeAttr(attribute);
      std::string text;
      llvm::raw_string_ostream stream(text);
      own->print(stream, OpPrintingFlags().enableDebugInfo(false));
      // The text holds IR, schedule, target and exactness class; no weights.
      std::string key = tenon::cache::KeyBuilder()
                            .add("kernel", text)
                            .add("compiler", request.identity)
                            .add("level", std::to_string(request.level))
                            .finish();
      std::string name = "tenon_k_" + key;
      clone.setName(name);
      kernel.getBody().getBlocks().clear();
      kernel.setPrivate();
      if (failed(symbols.rename(kernel, name)))
        return llvm::createStringError("two kernels of the model are equal: '%s'", kernel.getName().str().c_str());
      modules.push_back(std::move(own));
      keys.push_back(key);
    }
    reply.kernels = modules.size();
    objects.assign(modules.size(), "");
    std::atomic<size_t> next{0};
    size_t done = 0;
    std::atomic<int64_t> compiled{0};
    std::string firstError;
    std::error_code firstCode;
    auto worker = [&] {
      for (size_t i; !cancelled && (i = next++) < modules.size();) {
        llvm::Error error = compileKernel(*modules[i], keys[i], objects[i], compiled);
        modules[i] = nullptr;
        std::lock_guard<std::mutex> guard(lock);
        if (!firstError.empty())
          llvm::consumeError(std::move(error));
        else
          llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &problem) {
            firstError = problem.message();
            firstCode = problem.convertToErrorCode();
          });
        report("kernels", ++done, modules.size());
      }
    };
    unsigned threads = request.threads ? request.threads : std::max(1u, std::thread::hardware_concurrency());
    context->enableMultithreading(true);
    std::vector<std::thread> pool;
    for (unsigned t = 1; t < std::min<size_t>(threads, modules.size()); ++t)
      pool.emplace_back(worker);
    worker();
    for (std::thread &thread : pool)
      thread.join();
    context->disableMultithreading();
    reply.compiledKernels = compiled;
    if (!firstError.empty())
      return llvm::createStringError(firstCode, "%s", firstError.c_str());
    return llvm::Error::success();
  }

  llvm::Error compileKernel(ModuleOp kernel, const std::string &key, std::string &object,
                            std::atomic<int64_t> &compiled) {
    if (request.cache)
      if (std::optional<std::string> known = request.cache->lookup(key)) {
        object = std::move(*known);
        return llvm::Error::success();
      }
    ++compiled;
    {
      PassManager pm(context.get());
      pm.enableVerifier(false);
      time(pm);
      tenon::buildTiledPipeline(pm);
      if (failed(pm.run(kernel)))
        return kernelFailure("tiling of a kernel", kernel);
    }
    dump("4-tiled-" + key, kernel);
    PassManager pm(context.get());
    pm.enableVerifier(false);
    time(pm);
    tenon::buildLowerKernelsPipeline(pm);
    if (failed(pm.run(kernel)))
      return kernelFailure("lowering of a kernel", kernel);
    dump("5-llvm-" + key, kernel);
    TimingScope scope = timing.nest("LLVM (kernels)");
    auto bytes = tenon::emitObject(kernel, target, {request.level});
    scope.stop();
    if (!bytes)
      return internal(llvm::toString(bytes.takeError()));
    object.assign(bytes->data(), bytes->size());
    if (request.cache)
      request.cache->store(key, object);
    return llvm::Error::success();
  }

  llvm::Error kernelFailure(const char *what, ModuleOp kernel) {
    std::lock_guard<std::mutex> guard(lock);
    std::string message = errors.empty() ? describe(kernel.getLoc()) + what + " failed" : errors;
    return failed(mlir::verify(kernel)) ? internal(message) : llvm::createStringError("%s", message.c_str());
  }

  llvm::Error compileHost() {
    if (llvm::Error error = placeWeights())
      return error;
    manifest["abi"] = TENON_ABI_VERSION;
    manifest["tenon_version"] = tenon::getCompilerId();
    manifest["entry"] = "tenon_model_run";
    manifest["init"] = nullptr;
    if (module->lookupSymbol("tenon_init")) {
      manifest["init"] = "tenon_model_init";
      if (request.keepConstants)
        manifest["constants"] = llvm::sys::path::filename(request.output).str() + ".constants";
    }
    manifest["target"] = llvm::json::Object{{"triple", target.getTriple()},
                                            {"cpu", target.getCpu()},
                                            {"features", target.getFeatures()},
                                            {"vector_bits", target.getVectorBits()}};
    manifest["precision"] = request.precision;
    manifest["weights"] = tenon::describeWeights(*module);
    PassManager pm(context.get());
    time(pm);
    tenon::buildLowerHostPipeline(pm);
    if (failed(pm.run(*module)))
      return passFailure("lowering of the host program");
    dump("6-host", *module);
    TimingScope scope = timing.nest("LLVM (host)");
    auto host = tenon::emitObject(*module, target, {std::min(request.level, 1u)});
    scope.stop();
    if (!host)
      return internal(llvm::toString(host.takeError()));
    std::string text;
    llvm::raw_string_ostream stream(text);
    stream << llvm::json::Value(llvm::json::Object(manifest));
    auto glue = tenon::emitGlue(text, target);
    if (!glue)
      return glue.takeError();
    for (auto *bytes : {&*host, &*glue})
      objects.emplace_back(bytes->data(), bytes->size());
    return llvm::Error::success();
  }

  static std::string absolute(llvm::StringRef path) {
    llvm::SmallString<256> result(path);
    llvm::sys::fs::make_absolute(result);
    return result.str().str();
  }

  static llvm::Error cannotWrite(const std::string &path, const tenon::NewFile &file) {
    std::error_code code(file.error(), std::generic_category());
    return llvm::createStringError(code, "cannot write '%s': %s", path.c_str(), code.message().c_str());
  }

  /// Notes in the manifest what a file holds that the model reads when it is loaded; it must be as it was when read.
  llvm::Error referTo(const std::string &path) {
    auto [seen, fresh] = reply.outside.emplace(path, tenon::stampFile(path));
    if (!fresh && tenon::stampFile(path) != seen->second)
      return llvm::createStringError("'%s' changed while the model was compiled", path.c_str());
    if (referred.insert(path).second)
      archives.push_back(llvm::json::Object{{"path", path}, {"stamp", seen->second}, {"hash", tenon::hashFile(path)}});
    return llvm::Error::success();
  }

  /// Weights without a place in a file go to a file beside the output; names in the manifest are absolute, or relative
  /// to the shared object.
  llvm::Error placeWeights() {
    std::string relative = llvm::sys::path::filename(request.output + ".weights").str(), pieces;
    int64_t offset = 0;
    std::map<std::string, std::unique_ptr<llvm::MemoryBuffer>> files;
    for (auto weight : module->getOps<tenon::WeightOp>()) {
      llvm::StringRef archive = weight.getArchive(), bytes;
      std::string name = weight.getSymName().str();
      if (archive.starts_with("init:"))
        continue;
      if (archive.consume_front("mem:")) {
        auto found = blobs.blobs.find(archive.str());
        if (found == blobs.blobs.end())
          return llvm::createStringError("weight '%s': no bytes named '%s'", name.c_str(), archive.str().c_str());
        bytes = llvm::StringRef(found->second.data(), found->second.size());
      } else {
        std::string path = absolute(archive);
        if (!request.selfContained) {
          weight.setArchive(path);
          if (llvm::Error error = referTo(path))
            return error;
          continue;
        }
        auto &file = files[path];
        if (!file) {
          auto opened = llvm::MemoryBuffer::getFile(path, false, false);
          if (!opened)
            return llvm::createStringError("weight '%s': cannot read '%s': %s", name.c_str(), path.c_str(),
                                           opened.getError().message().c_str());
          file = std::move(*opened);
        }
        bytes = file->getBuffer();
      }
      uint64_t begin = weight.getOffset(), length = weight.getLength();
      if (length > bytes.size() || begin > bytes.size() - length)
        return llvm::createStringError("weight '%s': needs %llu bytes at %llu, but its archive has %zu", name.c_str(),
                                       static_cast<unsigned long long>(length), static_cast<unsigned long long>(begin),
                                       bytes.size());
      if (!sidecar)
        sidecar.emplace(request.output + ".weights");
      int64_t padding = llvm::alignTo(length, 64) - length;
      bytes = bytes.substr(begin, length);
      pieces += tenon::hashBytes({bytes.data(), bytes.size()});
      sidecar->write({bytes.data(), bytes.size()});
      sidecar->write(std::string(padding, '\0'));
      weight.setArchive(relative);
      weight.setOffset(offset);
      offset += length + padding;
    }
    manifest["archives"] = std::move(archives);
    if (!sidecar)
      return llvm::Error::success();
    // The shared object knows its file of weights by the name that this ends with.
    std::string identity = tenon::hashBytes(pieces);
    manifest["sidecar"] = identity;
    sidecar->write(identity);
    return sidecar->error() ? cannotWrite(request.output + ".weights", *sidecar) : llvm::Error::success();
  }

  /// Nothing appears before all is written: a failure leaves what was there.
  llvm::Error link() {
    llvm::Expected<std::string> bytes = tenon::linkSharedObject(objects);
    if (!bytes)
      return bytes.takeError();
    tenon::NewFile output(request.output, 0777);
    output.write(*bytes);
    if (!output.error() && sidecar && !sidecar->publish())
      return cannotWrite(request.output + ".weights", *sidecar);
    if (!output.publish())
      return cannotWrite(request.output, output);
    return llvm::Error::success();
  }

  void time(PassManager &pm) {
    if (timer)
      pm.enableTiming(timing);
  }

  void dump(const llvm::Twine &name, ModuleOp what) {
    if (request.dumpDirectory.empty())
      return;
    llvm::sys::fs::create_directories(request.dumpDirectory);
    std::error_code code;
    llvm::raw_fd_ostream stream((request.dumpDirectory + "/" + name + ".mlir").str(), code);
    if (!code)
      what.print(stream);
  }

  const tenon::CompileRequest &request;
  tenon::CompileReply reply;
  std::unique_ptr<MLIRContext> context;
  std::optional<ScopedDiagnosticHandler> handler;
  OwningOpRef<ModuleOp> module;
  tenon::onnx::WeightBlobs blobs;
  tenon::TargetAttr target;
  llvm::json::Object manifest;
  std::vector<std::string> keys, objects;
  std::optional<tenon::NewFile> sidecar; ///< weights without a place in a file, until all is done
  llvm::json::Array remarks;             ///< what kernel formation left apart: {"node", "message"}
  std::set<std::pair<std::string, std::string>> remarked;
  llvm::StringMap<llvm::json::Object> spaces; ///< by kernel
  llvm::json::Array archives;                 ///< files of weights that the model refers to
  std::set<std::string> referred;
  std::string errors;
  std::mutex lock;
  std::atomic<bool> cancelled{false};
  llvm::raw_string_ostream timingStream{reply.timing};
  std::optional<DefaultTimingManager> timer;
  TimingScope timing;
};

} // namespace

llvm::Expected<tenon::CompileReply> tenon::compile(const CompileRequest &request) { return Compilation(request).run(); }
