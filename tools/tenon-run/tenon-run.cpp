//===- tenon-run.cpp - runs a model on the reference evaluator, or compares it with that ---------===//
#include "Verify.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

namespace cl = llvm::cl;

static cl::OptionCategory category("tenon-run options");
static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL.(onnx|mlir)"), cl::cat(category));
static cl::opt<bool> reference("reference", cl::cat(category),
                               cl::desc("interpret the Program op by op (compiled runs: `tenon run`)"));
static cl::opt<bool> verify("verify", cl::cat(category),
                            cl::desc("run the compiled model beside the evaluator and name the first kernel, or the "
                                     "first stage before kernels, whose results differ"));
static cl::opt<std::string> compiled("compiled", cl::value_desc("FILE.so"), cl::cat(category),
                                     cl::desc("with --verify: the compiled model (default: compile it now)"));
static cl::opt<std::string> target("target", cl::init("host"), cl::cat(category),
                                   cl::desc("with --verify: what it is compiled for"));
static cl::opt<double>
    relative("rtol", cl::cat(category),
             cl::desc("with --verify: floats may differ by atol + rtol * |reference| (default 1e-3, or a "
                      "step of the format where that is more); integers must be equal"));
static cl::opt<double> absolute("atol", cl::cat(category),
                                cl::desc("with --verify (default 1e-4, or the format's smallest number)"));
static cl::list<std::string> inputs("input", cl::value_desc("NAME=FILE.npy"), cl::cat(category),
                                    cl::desc("an input by name or number; the others are drawn"));
static cl::opt<std::string> outputDir("output-dir", cl::value_desc("DIR"), cl::cat(category),
                                      cl::desc("write each output as DIR/NAME.npy"));
static cl::opt<std::string> entry("entry", cl::init("main"), cl::cat(category), cl::desc("the function to run"));
static cl::opt<unsigned> seed("seed", cl::init(0), cl::cat(category), cl::desc("of drawn inputs"));
static cl::opt<int64_t> openSize("open-size", cl::init(2), cl::cat(category),
                                 cl::desc("the size of drawn inputs along dims that the model leaves open"));
static cl::opt<int64_t> maxSteps("max-steps", cl::init(tenon::Job().maxSteps), cl::cat(category),
                                 cl::desc("how often the bodies of all loops together may run on the evaluator"));
static cl::opt<bool> trace("trace", cl::cat(category), cl::desc("print what each dispatched kernel gives"));
static cl::opt<std::string>
    jobs("jobs", cl::value_desc("FILE"), cl::cat(category),
         cl::desc("run many jobs: a line of JSON each, {\"model\": .., \"inputs\": {name: file}, "
                  "\"prefix\": ..}; prints a line of JSON per job"));

/// Runs the jobs of a file; a job that fails does not end the others.
static int runJobs() {
  auto file = llvm::MemoryBuffer::getFile(jobs);
  if (!file) {
    llvm::errs() << "tenon-run: cannot read '" << jobs << "': " << file.getError().message() << "\n";
    return 1;
  }
  llvm::SmallVector<llvm::StringRef> lines;
  (*file)->getBuffer().split(lines, '\n', -1, false);
  for (llvm::StringRef line : lines) {
    tenon::Job job;
    job.quiet = true;
    job.maxSteps = maxSteps;
    std::string error;
    llvm::Expected<llvm::json::Value> value = llvm::json::parse(line);
    llvm::json::Object *object = value ? value->getAsObject() : nullptr;
    if (!value)
      llvm::consumeError(value.takeError());
    if (!object) {
      error = "no JSON object on this line";
    } else {
      job.model = object->getString("model").value_or("").str();
      job.prefix = object->getString("prefix").value_or("").str();
      if (llvm::json::Object *given = object->getObject("inputs"))
        for (auto &[name, path] : *given)
          job.inputs[llvm::StringRef(name).str()] = path.getAsString().value_or("").str();
      error = tenon::runJob(job);
    }
    llvm::outs() << llvm::json::Value(llvm::json::Object{
                        {"model", job.model}, {"ok", error.empty()}, {"error", llvm::json::fixUTF8(error)}})
                 << "\n";
    llvm::outs().flush();
  }
  return 0;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(
      argc, argv,
      "Runs a model on the reference evaluator (--reference): slow, and right by reading; or\n"
      "compares the compiled model with it, kernel by kernel (--verify).\n\n"
      "Exit status: 0 if it ran and nothing differs; 1 if it did not run or, with --verify, if\n"
      "something differs; 2 for a usage error; 3 if there was nothing to verify: the model is\n"
      "refused, or fails by itself.\n");
  if (reference == verify) {
    llvm::errs() << "tenon-run: give --reference or --verify; compiled models run by `tenon run`\n";
    return 2;
  }
  if (verify && (!jobs.empty() || !outputDir.empty() || trace || entry != "main")) {
    llvm::errs() << "tenon-run: --jobs, --output-dir, --trace and --entry go with --reference\n";
    return 2;
  }
  if (!verify && (!compiled.empty() || relative.getNumOccurrences() || absolute.getNumOccurrences() ||
                  target.getNumOccurrences())) {
    llvm::errs() << "tenon-run: --compiled, --target, --rtol and --atol go with --verify\n";
    return 2;
  }
  if (!jobs.empty())
    return runJobs();
  if (model.empty()) {
    llvm::errs() << "tenon-run: no model given; see --help\n";
    return 2;
  }
  tenon::Job job;
  job.model = model;
  job.seed = seed;
  job.openSize = openSize;
  job.trace = trace;
  job.entry = entry;
  job.maxSteps = maxSteps;
  for (llvm::StringRef input : inputs) {
    auto [name, path] = input.rsplit('=');
    if (name.empty() || path.empty()) {
      llvm::errs() << "tenon-run: expected --input NAME=FILE.npy, but got '" << input << "'\n";
      return 2;
    }
    job.inputs[name.str()] = path.str();
  }
  if (verify) {
    tenon::VerifyOptions options{compiled, target, {}, {}};
    if (relative.getNumOccurrences())
      options.rtol = relative;
    if (absolute.getNumOccurrences())
      options.atol = absolute;
    return static_cast<int>(tenon::verify(job, options));
  }
  if (!outputDir.empty()) {
    if (std::error_code code = llvm::sys::fs::create_directories(outputDir)) {
      llvm::errs() << "tenon-run: cannot make '" << outputDir << "': " << code.message() << "\n";
      return 1;
    }
    job.prefix = outputDir + "/";
  }
  std::string error = tenon::runJob(job);
  if (!error.empty())
    llvm::errs() << "tenon-run: error: " << error << "\n";
  return error.empty() ? 0 : 1;
}
