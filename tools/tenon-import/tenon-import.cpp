//===- tenon-import.cpp - an ONNX model as a Program ---------------------------------===//
#include "tenon/Import/ONNX/Import.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/ToolOutputFile.h"

namespace cl = llvm::cl;

static cl::OptionCategory category("tenon-import options");
static cl::opt<std::string> model(cl::Positional, cl::desc("MODEL.onnx"), cl::cat(category));
static cl::list<std::string> models("batch", cl::CommaSeparated, cl::value_desc("MODEL,MODEL.."), cl::cat(category),
                                    cl::desc("import each model and print one line of JSON per model"));
static cl::opt<std::string> output("o", cl::init("-"), cl::value_desc("FILE"), cl::cat(category),
                                   cl::desc("where the Program goes (default: standard output)"));
static cl::list<std::string> shapes("shape", cl::value_desc("NAME=1x3x224x224"), cl::cat(category),
                                    cl::desc("fix the shape of an input; ? keeps a dim dynamic; may be repeated"));
static cl::opt<bool> generic("generic", cl::desc("print in generic form, with locations"), cl::cat(category));
static cl::opt<bool> listOps("list-ops", cl::cat(category),
                             cl::desc("print the supported operators and their since-versions"));
static cl::opt<bool> json("json", cl::desc("print --list-ops as JSON"), cl::cat(category));

static int printOps() {
  if (!json)
    llvm::outs() << "| operator | since |\n|---|---|\n";
  llvm::json::Array rows;
  for (const tenon::onnx::SupportedOp &op : tenon::onnx::listSupportedOps()) {
    if (json) {
      rows.push_back(
          llvm::json::Object{{"domain", op.domain}, {"name", op.name}, {"since", llvm::json::Array(op.sinceVersions)}});
      continue;
    }
    llvm::outs() << "| " << (op.domain.empty() ? "" : op.domain + ".") << op.name << " | ";
    for (size_t i = 0; i < op.sinceVersions.size(); ++i)
      llvm::outs() << (i ? ", " : "") << op.sinceVersions[i];
    llvm::outs() << " |\n";
  }
  if (json)
    llvm::outs() << llvm::json::Value(std::move(rows)) << "\n";
  return 0;
}

static bool parseShape(llvm::StringRef text, tenon::onnx::ImportOptions &options) {
  auto [name, dims] = text.rsplit('=');
  std::vector<int64_t> shape;
  llvm::SmallVector<llvm::StringRef> parts;
  if (!dims.empty())
    dims.split(parts, 'x');
  for (llvm::StringRef part : parts) {
    int64_t size = -1;
    if (part != "?" && (part.getAsInteger(10, size) || size < 0))
      return false;
    shape.push_back(size);
  }
  options.shapes[name.str()] = shape;
  return !name.empty() && text.contains('=');
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::HideUnrelatedOptions(category);
  cl::ParseCommandLineOptions(argc, argv,
                              "Imports an ONNX model and prints it as a Program (MLIR).\n\n"
                              "Large initializers stay in the model file; the Program names them by offset.\n"
                              "Exit status: 0 if the model was imported, 1 if it was refused, 2 for a usage error.\n");
  if (listOps)
    return printOps();
  tenon::onnx::ImportOptions options;
  for (const std::string &shape : shapes)
    if (!parseShape(shape, options)) {
      llvm::errs() << "tenon-import: expected --shape NAME=1x3x224x224, but got '" << shape << "'\n";
      return 2;
    }
  if (!models.empty()) {
    for (const std::string &path : models) {
      mlir::MLIRContext context;
      tenon::onnx::WeightBlobs blobs;
      std::string error;
      auto module = tenon::onnx::importFile(path, &context, options, blobs, error);
      llvm::outs() << llvm::json::Value(llvm::json::Object{
                          {"model", path}, {"ok", bool(module)}, {"error", llvm::json::fixUTF8(error)}})
                   << "\n";
      llvm::outs().flush();
    }
    return 0;
  }
  if (model.empty()) {
    llvm::errs() << "tenon-import: no model given; see --help\n";
    return 2;
  }
  mlir::MLIRContext context;
  tenon::onnx::WeightBlobs blobs;
  std::string error;
  auto module = tenon::onnx::importFile(model, &context, options, blobs, error);
  if (!module) {
    llvm::SmallVector<llvm::StringRef> lines;
    llvm::StringRef(error).split(lines, '\n');
    for (llvm::StringRef line : lines)
      llvm::errs() << model << ": error: " << line << "\n";
    return 1;
  }
  std::string message;
  auto file = mlir::openOutputFile(output, &message);
  if (!file) {
    llvm::errs() << "tenon-import: " << message << "\n";
    return 1;
  }
  mlir::OpPrintingFlags flags;
  if (generic)
    flags.printGenericOpForm().enableDebugInfo();
  module->print(file->os(), flags);
  file->keep();
  return 0;
}
