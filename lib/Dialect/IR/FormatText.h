//===- FormatText.h - the text of #tenon.format, for the dialect's parser ----------===//
#pragma once
#include "mlir/IR/DialectImplementation.h"

namespace tenon {

inline constexpr llvm::StringLiteral kFormatMnemonic = "format";
/// Parses what follows the mnemonic.
mlir::Attribute parseFormat(mlir::AsmParser &parser);
/// Prints mnemonic and fields of a #tenon.format.
void printFormat(mlir::Attribute attribute, mlir::AsmPrinter &printer);

} // namespace tenon
