//===- Polynomial.h - integer polynomials in the dims of a kernel's arguments ---------===//
#pragma once
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include <map>
#include <vector>

namespace tenon {

/// A sum of products of symbols with integer coefficients. A symbol is a dim of a kernel's argument, or, with dim -1,
/// the argument itself, an index. Coefficients that overflow saturate: a count is a report, never an address.
class Polynomial {
public:
  using Symbol = std::pair<int64_t, int64_t>; ///< (argument, dim)

  explicit Polynomial(int64_t constant = 0) {
    if (constant != 0)
      terms[{}] = constant;
  }
  static Polynomial symbol(int64_t argument, int64_t dim);

  Polynomial operator+(const Polynomial &other) const;
  Polynomial operator*(const Polynomial &other) const;

  /// The value when it does not depend on any symbol.
  std::optional<int64_t> getConstant() const;

  /// One array [coefficient, argument, dim, argument, dim, ...] per term.
  mlir::ArrayAttr toAttribute(mlir::MLIRContext *context) const;
  static std::optional<Polynomial> fromAttribute(mlir::ArrayAttr attribute);

  /// The value as index arithmetic; `arguments` are tensors, memrefs and index scalars.
  mlir::Value build(mlir::OpBuilder &builder, mlir::Location loc, mlir::ValueRange arguments) const;

private:
  std::map<std::vector<Symbol>, int64_t> terms;
};

} // namespace tenon
