//===- TenonBase.td - the dialect itself ---------------------------------------===//
//
// What every other .td of the dialect includes: the dialect, and the base classes of its ops and attributes.
//
//===----------------------------------------------------------------------===//
#ifndef TENON_BASE
#define TENON_BASE

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Tenon_Dialect : Dialect {
  let name = "tenon";
  let cppNamespace = "::tenon";
  let summary = "Irregular tensor programs: weights, kernels, contractions, convolutions";
  let description = [{
    The dialect holds what upstream has no word for. Contractions are `linalg` ops, shapes are `tensor` ops, control flow
    is `scf`. Op families: weights (`tenon.weight`, `tenon.load_weight`), kernels (`tenon.kernel`, `tenon.dispatch`),
    the register tile (`tenon.tile_contract`), convolutions (`tenon.conv`, `tenon.pool`, `tenon.resize`), attention
    (`tenon.kv_source`, `tenon.attention`), states along a sequence (`tenon.linear_attention`, `tenon.recurrence`) and numbers in few bits (`tenon.dequantize`, `tenon.quantize`).

    Each op lists its constraints with numbers, `(C1)`, `(C2)`, ...; the verifier and the negative tests use the same
    numbers.
  }];
  let useDefaultAttributePrinterParser = 0; // attributes come from several files: Schedule.cpp has the dispatch
  let useDefaultTypePrinterParser = 1;
  let extraClassDeclaration = [{
    /// Adds the attributes; defined where their storage is known, in Schedule.cpp.
    void registerAttributes();
    /// Adds #tenon.format and its ops; defined in Formats.cpp.
    void registerFormats();
    ::mlir::Attribute parseAttribute(::mlir::DialectAsmParser &parser, ::mlir::Type type) const override;
    void printAttribute(::mlir::Attribute attribute, ::mlir::DialectAsmPrinter &printer) const override;
    /// Adds the types; defined in TenonDialect.cpp.
    void registerTypes();
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"
  ];
}

class Tenon_Op<string mnemonic, list<Trait> traits = []> : Op<Tenon_Dialect, mnemonic, traits>;

class Tenon_Attr<string name, string mnemonic_, list<Trait> traits = []> : AttrDef<Tenon_Dialect, name, traits> {
  let mnemonic = mnemonic_;
}

class Tenon_I64Enum<string name, string summary, list<I64EnumAttrCase> cases> : I64EnumAttr<name, summary, cases> {
  let cppNamespace = "::tenon";
}

#endif // TENON_BASE
