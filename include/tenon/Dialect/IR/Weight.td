//===- Weight.td - weights as symbols into an archive ---------------------------===//
#ifndef TENON_WEIGHT
#define TENON_WEIGHT

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_WeightOp : Tenon_Op<"weight", [Symbol]> {
  let summary = "a constant tensor that lives in a file, not in the IR";
  let description = [{
    Declares a constant tensor by the place of its bytes: `length` bytes at byte `offset` of the file `archive`, in
    row-major order, little-endian. An `archive` that starts with `mem:` names a blob of the weight archive object that
    accompanies the module in memory (initializers without contiguous bytes in the file, models given as bytes).

    - (C1) the type is a ranked tensor of static shape.
    - (C2) the element type is an integer or float of 1, 2, 4, 8, 16, 32 or 64 bits.
    - (C3) `length` is the byte size of the tensor: elements times the element's bytes (i1 takes one byte; 4- and 2-bit
      elements are packed, low bits first, and the last byte is padded).
    - (C4) `offset` is not negative.

    Example:
    ```mlir
    tenon.weight @conv1.weight from "model.onnx" at 1024 length 37632 : tensor<64x3x7x7xf32>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrAttr:$archive, I64Attr:$offset, I64Attr:$length,
                       TypeAttr:$type, OptionalAttr<StrAttr>:$sym_visibility);
  let assemblyFormat = [{ $sym_name `from` $archive `at` $offset `length` $length attr-dict `:` $type }];
  let hasVerifier = 1;
}

def Tenon_LoadWeightOp : Tenon_Op<"load_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the tensor that a tenon.weight names";
  let description = [{
    - (C1) the symbol names a `tenon.weight` of the enclosing module.
    - (C2) the result has the weight's shape and element type; after bufferization it is a memref, which must not be
      written.

    Example:
    ```mlir
    %w = tenon.load_weight @conv1.weight : tensor<64x3x7x7xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyTypeOf<[AnyRankedTensor, AnyMemRef]>:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

#endif // TENON_WEIGHT
