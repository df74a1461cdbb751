//===- Bufferization.h - BufferizableOpInterface for tenon's ops ------------------===//
#pragma once

namespace mlir {
class DialectRegistry;
}

namespace tenon {
/// Makes tenon.dispatch and tenon.tile_contract bufferizable: each init's buffer is written in place.
void registerBufferizableModels(mlir::DialectRegistry &registry);
} // namespace tenon
