//===- OwnParts.h - what units of a contraction read alone ----------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include <optional>

namespace tenon {

/// Where all parallel dims of `op` move in `factor`, as those of a depthwise convolution in its image: the longest
/// index of it that one parallel dim moves, and no other dim. Units cut along that dim alone read parts of their own.
/// nullopt where there is none, or a size is not known.
struct OwnIndex {
  unsigned position, dim;
  int64_t size;
};
std::optional<OwnIndex> findOwnIndex(TileContractOp op, unsigned factor);

/// The factor that the kernel of `op` makes itself, by copies; nullopt where it takes both as they are.
std::optional<unsigned> findCopiedFactor(TileContractOp op);

} // namespace tenon
