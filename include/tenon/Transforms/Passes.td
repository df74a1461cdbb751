//===- Passes.td - from Programs to tiled kernels --------------------------------===//
#ifndef TENON_TRANSFORMS_PASSES
#define TENON_TRANSFORMS_PASSES

include "mlir/Pass/PassBase.td"

// Passes on Programs: lib/Transforms/Fusion.
include "tenon/Transforms/Fusion/Passes.td"

// Tiling and expanding everything but contractions: lib/Transforms/Tiling.
include "tenon/Transforms/Tiling/GenericPasses.td"

// Contractions: lib/Transforms/Tiling/*Contract*.
include "tenon/Transforms/Tiling/ContractPasses.td"

// Attention: lib/Transforms/Tiling/TileAttention.cpp.
include "tenon/Transforms/Tiling/AttentionPasses.td"

// Matmuls of groups: lib/Transforms/Tiling/TileGrouped.cpp.
include "tenon/Transforms/Tiling/ExpertsPasses.td"

// Winograd's transforms: lib/Transforms/Tiling/TileWinograd.cpp, ExpandTransform.cpp.
include "tenon/Transforms/Tiling/WinogradPasses.td"

// Convolutions by Fourier transforms: lib/Transforms/Tiling/TileFft.cpp, ExpandFft.cpp.
include "tenon/Transforms/Tiling/FftPasses.td"

#endif // TENON_TRANSFORMS_PASSES
