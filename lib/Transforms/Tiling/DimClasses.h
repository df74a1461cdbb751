//===- DimClasses.h - which dims of a kernel's values walk together ------------------===//
//
// A union-find over tensor dims and op loops. Shared by collapsing and by tiling, which forbid different things.
//
//===----------------------------------------------------------------------===//
#pragma once
#include "mlir/IR/Operation.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"

namespace tenon {

class DimClasses {
public:
  /// The node of dim `dim` of tensor `value`, or of loop `dim` of `op`.
  unsigned of(mlir::Value value, unsigned dim) { return node({value.getAsOpaquePointer(), dim}); }
  unsigned of(mlir::Operation *op, unsigned dim) { return node({op, dim}); }

  unsigned find(unsigned n) {
    while (parents[n] != n)
      n = parents[n] = parents[parents[n]];
    return n;
  }
  void link(unsigned a, unsigned b) {
    a = find(a);
    b = find(b);
    if (a == b)
      return;
    parents[b] = a;
    forbiddenFlags[a] = forbiddenFlags[a] || forbiddenFlags[b];
  }
  void forbid(unsigned n) { forbiddenFlags[find(n)] = true; }
  bool isForbidden(unsigned n) { return forbiddenFlags[find(n)]; }

private:
  unsigned node(std::pair<void *, unsigned> key) {
    auto [it, inserted] = nodes.try_emplace(key, parents.size());
    if (inserted) {
      parents.push_back(it->second);
      forbiddenFlags.push_back(false);
    }
    return it->second;
  }
  llvm::DenseMap<std::pair<void *, unsigned>, unsigned> nodes;
  llvm::SmallVector<unsigned> parents;
  llvm::SmallVector<bool> forbiddenFlags;
};

} // namespace tenon
