//===- Polynomial.cpp - integer polynomials in the dims of a kernel's arguments -------===//
#include "Polynomial.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tenon;

Polynomial Polynomial::symbol(int64_t argument, int64_t dim) {
  Polynomial result;
  result.terms[{{argument, dim}}] = 1;
  return result;
}

static int64_t saturatingAdd(int64_t a, int64_t b) {
  int64_t sum;
  return llvm::AddOverflow(a, b, sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static int64_t saturatingMul(int64_t a, int64_t b) {
  int64_t product;
  return llvm::MulOverflow(a, b, product) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : product;
}

Polynomial Polynomial::operator+(const Polynomial &other) const {
  Polynomial result = *this;
  for (const auto &[symbols, coefficient] : other.terms) {
    int64_t &value = result.terms[symbols];
    value = saturatingAdd(value, coefficient);
    if (value == 0)
      result.terms.erase(symbols);
  }
  return result;
}

Polynomial Polynomial::operator*(const Polynomial &other) const {
  Polynomial result;
  for (const auto &[left, a] : terms)
    for (const auto &[right, b] : other.terms) {
      std::vector<Symbol> symbols = left;
      symbols.insert(symbols.end(), right.begin(), right.end());
      llvm::sort(symbols);
      Polynomial term;
      term.terms[symbols] = saturatingMul(a, b);
      result = result + term;
    }
  return result;
}

std::optional<int64_t> Polynomial::getConstant() const {
  if (terms.empty())
    return 0;
  if (terms.size() == 1 && terms.begin()->first.empty())
    return terms.begin()->second;
  return std::nullopt;
}

ArrayAttr Polynomial::toAttribute(MLIRContext *context) const {
  SmallVector<Attribute> rows;
  for (const auto &[symbols, coefficient] : terms) {
    SmallVector<int64_t> row{coefficient};
    for (auto [argument, dim] : symbols)
      row.append({argument, dim});
    rows.push_back(DenseI64ArrayAttr::get(context, row));
  }
  return ArrayAttr::get(context, rows);
}

std::optional<Polynomial> Polynomial::fromAttribute(ArrayAttr attribute) {
  Polynomial result;
  for (Attribute row : attribute) {
    auto values = dyn_cast<DenseI64ArrayAttr>(row);
    if (!values || values.size() % 2 != 1)
      return std::nullopt;
    std::vector<Symbol> symbols;
    for (int64_t i = 1; i < values.size(); i += 2)
      symbols.emplace_back(values[i], values[i + 1]);
    result.terms[symbols] = values[0];
  }
  return result;
}

Value Polynomial::build(OpBuilder &builder, Location loc, ValueRange arguments) const {
  Value total;
  for (const auto &[symbols, coefficient] : terms) {
    Value product;
    auto multiply = [&](Value factor) {
      product = product ? Value(arith::MulIOp::create(builder, loc, product, factor)) : factor;
    };
    if (coefficient != 1 || symbols.empty())
      multiply(arith::ConstantIndexOp::create(builder, loc, coefficient));
    for (auto [argument, dim] : symbols) {
      Value operand = arguments[argument];
      if (dim < 0)
        multiply(operand);
      else if (isa<MemRefType>(operand.getType()))
        multiply(memref::DimOp::create(builder, loc, operand, dim));
      else
        multiply(tensor::DimOp::create(builder, loc, operand, dim));
    }
    total = total ? Value(arith::AddIOp::create(builder, loc, total, product)) : product;
  }
  return total ? total : Value(arith::ConstantIndexOp::create(builder, loc, 0));
}
