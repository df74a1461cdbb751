//===- OwnParts.h - what units of a contraction read alone ----------------------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

#include <optional>

namespace tenon {

/// The longest index of `factor` that one parallel dim moves, which moves in the other factor as well, and no other
/// dim: the channels of a depthwise convolution's image, the groups of a grouped one's. Units cut along that dim alone
/// read parts of their own, of both factors. nullopt where there is none, or a size is not known.
struct OwnIndex {
  unsigned factor, position, dim;
  int64_t size;
};
std::optional<OwnIndex> findOwnIndex(TileContractOp op, unsigned factor);

/// The same of the factor that the kernel of `op` makes itself, by copies; nullopt where it takes both as they are.
std::optional<OwnIndex> findOwnCopy(TileContractOp op);

} // namespace tenon
