//===- Jobs.h - a model, its inputs, and where the outputs go ------------------------------------===//
#pragma once
#include "tenon/Import/ONNX/Import.h"
#include "tenon/Reference/Evaluator.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"

#include <map>
#include <string>
#include <vector>

namespace tenon {

/// One run of a model on the reference evaluator.
struct Job {
  std::string model;
  /// Input name, or its number, to a .npy file; inputs without one are drawn from `seed`.
  std::map<std::string, std::string> inputs;
  /// Outputs are written as `prefix` + name + ".npy"; nothing is written where it is empty.
  std::string prefix;
  unsigned seed = 0;
  /// The size that drawn inputs get for dims the model leaves open.
  int64_t openSize = 2;
  /// How often the bodies of all loops together may run.
  int64_t maxSteps = reference::EvaluateOptions().maxSteps;
  /// Print a line per dispatched kernel.
  bool trace = false;
  /// Print nothing.
  bool quiet = false;
  /// The function to run.
  std::string entry = "main";
};

/// The Program of a job's model, and what is said about it.
class Program {
public:
  Program();
  /// Reads the model; returns what went wrong, or "".
  std::string open(const Job &job);
  /// The job's inputs: read, or drawn.
  std::string makeInputs(const Job &job, std::vector<reference::Tensor> &inputs);
  /// What was reported since the last call, or `fallback` where that is nothing.
  std::string takeErrors(llvm::StringRef fallback);

  mlir::MLIRContext context;
  onnx::WeightBlobs blobs;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::func::FuncOp function;

private:
  std::string errors;
  mlir::ScopedDiagnosticHandler handler;
};

/// The name of an input or output of the model; its number where it has none.
std::string getPortName(mlir::func::FuncOp function, unsigned index, bool result);

/// An element as it is printed.
std::string formatElement(mlir::Type type, reference::Scalar value);

/// Runs a job; prints names, types and values of the outputs to standard output. Returns what went wrong, or "".
std::string runJob(const Job &job);

} // namespace tenon
