//===- Verify.h - a compiled model against the reference evaluator -------------------------------===//
#pragma once
#include "Jobs.h"

#include <optional>

namespace tenon {

struct VerifyOptions {
  /// The shared object to look at; "": the model is compiled.
  std::string compiled;
  /// What it is, or was, compiled for.
  std::string target = "host";
  /// A float may differ by atol + rtol * |reference|. Where they are not given: 1e-3 and 1e-4, and at least one step of
  /// the format.
  std::optional<double> rtol, atol;
};

/// What a verification ends with; the tool's exit status.
enum class Verdict { Agrees = 0, Differs = 1, Failed = 3 };

/// Compares the stages of a model, each of its kernels, and its outputs; prints the first difference to standard
/// output, and to standard error why there was nothing to compare.
Verdict verify(const Job &job, const VerifyOptions &options);

} // namespace tenon
