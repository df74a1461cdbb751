//===- Reductions.h - how Programs shrink -----------------------------------------------------------===//
#pragma once

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace tenon {

/// Gives the tenon dialect the patterns with which tenon-reduce makes Programs smaller.
void registerReductions(mlir::DialectRegistry &registry);

} // namespace tenon
