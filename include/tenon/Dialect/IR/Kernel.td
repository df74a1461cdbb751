//===- Kernel.td - kernels while fusing, and calls of outlined ones --------------===//
#ifndef TENON_KERNEL
#define TENON_KERNEL

include "tenon/Dialect/IR/TenonBase.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Tenon_KernelOp : Tenon_Op<"kernel",
    [IsolatedFromAbove, RecursiveMemoryEffects, SingleBlockImplicitTerminator<"::tenon::YieldOp">,
     DestinationStyleOpInterface, AttrSizedOperandSegments]> {
  let summary = "what one schedule tiles together";
  let description = [{
    An isolated region of tensor ops in destination-passing style: block arguments stand for `inputs` and then for
    `inits`; the terminator yields one tensor per init, of the init's type. While kernels are formed they stand in place;
    the outlining pass turns each into a function with a `tenon.kernel` attribute and a `tenon.dispatch`.

    - (C1) block arguments match inputs and inits in number and type.
    - (C2) there is one result per init that is a tensor, and its type is the init's.
    - (C3) the yielded values have the types of the results.
    - (C4) the body holds no other `tenon.kernel` and no `tenon.dispatch`.

    Example:
    ```mlir
    %r = tenon.kernel ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%x: tensor<8xf32>, %o: tensor<8xf32>):
      %y = linalg.exp ins(%x : tensor<8xf32>) outs(%o : tensor<8xf32>) -> tensor<8xf32>
      tenon.yield %y : tensor<8xf32>
    } -> tensor<8xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyType>:$inputs, Variadic<AnyRankedTensor>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? (`outs` `(` $inits^ `:` type($inits) `)`)?
    attr-dict-with-keyword $body (`->` type($results)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
}

def Tenon_YieldOp : Tenon_Op<"yield", [Pure, ReturnLike, Terminator,
    ParentOneOf<["::tenon::KernelOp", "::tenon::TileContractOp", "::tenon::AttentionOp",
                 "::tenon::KVSourceOp", "::tenon::NormalizerOp", "::tenon::RecurrenceOp"]>]> {
  let summary = "ends a region of a tenon.kernel, tenon.tile_contract, tenon.attention, tenon.kv_source, tenon.normalizer or tenon.recurrence";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ build($_builder, $_state, ::mlir::ValueRange()); }]>];
}

def Tenon_DispatchOp : Tenon_Op<"dispatch",
    [DestinationStyleOpInterface, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
     DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "runs an outlined kernel";
  let description = [{
    Calls the function `kernel` (which carries the attribute `tenon.kernel`) with the inputs and then the inits. On
    tensors the results are the inits' new values; on memrefs the inits are written in place and there are no results.

    - (C1) the symbol names a function with the attribute `tenon.kernel`.
    - (C2) operand types match the function's argument types (tensors may stand for memrefs of the same shape and
      element type).
    - (C3) there is one result per tensor init, of the init's type.

    Example:
    ```mlir
    %r = tenon.dispatch @k0 ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyType>:$inputs, Variadic<AnyShaped>:$inits);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)? (`outs` `(` $inits^ `:` type($inits) `)`)?
    attr-dict (`->` type($results)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitsMutable(); }
  }];
}

def Tenon_JoinOp : Tenon_Op<"join",
    [DestinationStyleOpInterface, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "arrays one behind the other";
  let description = [{
    The elements of the inputs, each in row-major order, one input behind the other, are those of `init` in its order: a concatenation
    along dims that no longer dims come before. The memory planner gives the inputs their places in the result, and nothing is
    copied; where it cannot, they are copied.

    - (C1) all types have static shapes and one element type of whole bytes.
    - (C2) the inputs have as many elements as `init`, all together.
    - (C3) there is one result, of init's type, on tensors, and none on memrefs.

    Example:
    ```mlir
    %r = tenon.join ins(%a, %b : tensor<4x9xf32>, tensor<2x3x3xf32>) outs(%e : tensor<6x9xf32>) -> tensor<6x9xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyShaped>:$inputs, AnyShaped:$init);
  let results = (outs Optional<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $inputs `:` type($inputs) `)` `outs` `(` $init `:` type($init) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getInitMutable(); }
  }];
}

#endif // TENON_KERNEL
