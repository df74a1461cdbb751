//===- FuseElementwise.h - merging elementwise ops into consumers --------------------===//
#pragma once

namespace mlir {
class RewritePatternSet;
}

namespace tenon::fusion {
/// Merges elementwise producers into consumers where no work is repeated that costs more than the memory traffic that
/// it saves, and no contraction loses its epilogue.
void populateElementwiseFusionPatterns(mlir::RewritePatternSet &patterns);
} // namespace tenon::fusion
