//===- tenon-run.cpp - runs a model on the reference evaluator ---------------------------------===//
#include "Jobs.h"

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
static cl::list<std::string> inputs("input", cl::value_desc("NAME=FILE.npy"), cl::cat(category),
                                    cl::desc("an input by name or number; the others are drawn"));
static cl::opt<std::string> outputDir("output-dir", cl::value_desc("DIR"), cl::cat(category),
                                      cl::desc("write each output as DIR/NAME.npy"));
static cl::opt<std::string> entry("entry", cl::init("main"), cl::cat(category), cl::desc("the function to run"));
static cl::opt<unsigned> seed("seed", cl::init(0), cl::cat(category), cl::desc("of drawn inputs"));
static cl::opt<int64_t> openSize("open-size", cl::init(2), cl::cat(category),
                                 cl::desc("the size of drawn inputs along dims that the model leaves open"));
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
  cl::ParseCommandLineOptions(argc, argv,
                              "Runs a model on the reference evaluator: slow, and right by reading.\n\n"
                              "Exit status: 0 if it ran, 1 if not, 2 for a usage error.\n");
  if (!reference) {
    llvm::errs() << "tenon-run: give --reference; compiled models run by `tenon run`\n";
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
  for (llvm::StringRef input : inputs) {
    auto [name, path] = input.rsplit('=');
    if (name.empty() || path.empty()) {
      llvm::errs() << "tenon-run: expected --input NAME=FILE.npy, but got '" << input << "'\n";
      return 2;
    }
    job.inputs[name.str()] = path.str();
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
