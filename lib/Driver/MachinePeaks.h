//===- MachinePeaks.h - a target with what was measured on this machine ---------------------===//
#pragma once
#include "tenon/Dialect/IR/Tenon.h"

namespace tenon {

class ObjectCache;

/// `host` with the peaks of one core, as `cache` knows them, or measured now (about 0.15 s) and stored there. Without a
/// cache they are measured once per process. Two significant digits: they are a part of the keys of kernels.
TargetAttr withMachinePeaks(TargetAttr host, ObjectCache *cache);

} // namespace tenon
