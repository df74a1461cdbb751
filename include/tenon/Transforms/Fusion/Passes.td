//===- Passes.td - passes on Programs and the making of kernels --------------------===//
#ifndef TENON_TRANSFORMS_FUSION_PASSES
#define TENON_TRANSFORMS_FUSION_PASSES

include "mlir/Pass/PassBase.td"

def Optimize : Pass<"tenon-optimize", "::mlir::ModuleOp"> {
  let summary = "simplify a Program and merge its elementwise ops";
  let description = [{
    Canonicalization, CSE, equality of dims (arguments that share a name in `tenon.dims` share one `tensor.dim`), the
    removal of unit loops, and the merging of elementwise ops into their consumers. A producer is merged when nothing
    else uses it, or when computing it again costs nothing; it is kept when the consumer would evaluate it many times,
    when it belongs to a contraction as an epilogue, or when its consumer is a contraction.

    Before:
    ```mlir
    %0 = linalg.exp ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    %1 = linalg.add ins(%0, %y : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
    ```
    After:
    ```mlir
    %1 = linalg.generic {iterator_types = ["parallel"]} ins(%x, %y : tensor<8xf32>, tensor<8xf32>) outs(%e : tensor<8xf32>) {
    ^bb0(%a: f32, %b: f32, %o: f32):
      %2 = math.exp %a : f32
      %3 = arith.addf %2, %b : f32
      linalg.yield %3 : f32
    } -> tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::affine::AffineDialect",
                           "::mlir::arith::ArithDialect"];
}

def RecognizeAttention : Pass<"tenon-recognize-attention", "::mlir::ModuleOp"> {
  let summary = "make one tenon.attention of the ops that spell it out";
  let description = [{
    A product of queries and keys, arithmetic on the scores, a softmax over the keys and the product with the values
    become `tenon.attention`, where nothing else reads what lies between. Arithmetic becomes its score region, what else
    it reads the extras; transposes of queries, keys and values become one where they are needed. A row whose scores are all
    -inf gives zeros instead of NaN.

    Before:
    ```mlir
    %s = <contraction of %q, %k>
    %m = <max of %s over keys>
    %e = <exp(%s - %m)>
    %z = <sum of %e over keys>
    %p = <%e / %z>
    %o = <contraction of %p, %v>
    ```
    After:
    ```mlir
    %source = tenon.kv_source %k, %v : tensor<2x8x64x32xf32>, tensor<2x8x64x32xf32>
    %o = tenon.attention softmax %q sources(%source) outs(%e : tensor<2x8x64x32xf32>) : tensor<2x8x64x32xf32> {
    ^bb0(%score: f32, %b: index, %h: index, %i: index, %j: index):
      tenon.yield %score : f32
    } -> tensor<2x8x64x32xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::tensor::TensorDialect"];
}

def HoistConstants : Pass<"tenon-hoist-constants", "::mlir::ModuleOp"> {
  let summary = "move what depends on weights alone to a load-time initializer";
  let description = [{
    Ops whose operands are all weights or constants run once, when the model is loaded: they move to `@tenon_init`, whose
    result N is read back as the weight `@init.N`. What is cheap to make (fills, splats) or much larger than what it is
    made from stays.

    Before:
    ```mlir
    tenon.weight @w from "model.onnx" at 0 length 32 : tensor<4x2xf32>
    func.func @main(%x: tensor<4x4xf32>) -> tensor<2x4xf32> {
      %w = tenon.load_weight @w : tensor<4x2xf32>
      %t = linalg.transpose ins(%w : tensor<4x2xf32>) outs(%e : tensor<2x4xf32>) permutation = [1, 0]
      ...
    ```
    After:
    ```mlir
    tenon.weight @init.0 from "init:" at 0 length 32 : tensor<2x4xf32>
    func.func @tenon_init() -> tensor<2x4xf32> {
      %w = tenon.load_weight @w : tensor<4x2xf32>
      %t = linalg.transpose ...
      return %t : tensor<2x4xf32>
    }
    func.func @main(%x: tensor<4x4xf32>) -> tensor<2x4xf32> {
      %t = tenon.load_weight @init.0 : tensor<2x4xf32>
      ...
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::func::FuncDialect"];
  let options = [Option<"maxGrowth", "max-growth", "int64_t", "4",
                        "the most bytes of a result per byte of what it is made from">];
}

def FormKernels : Pass<"tenon-form-kernels", "::mlir::ModuleOp"> {
  let summary = "group the ops of a Program into kernels";
  let description = [{
    Each kernel is one root op with the producers that nothing else uses and that one schedule can tile together with it: a
    contraction with its elementwise epilogue; reductions and elementwise ops over common rows; an elementwise op; a
    movement of data. Destinations are `tensor.empty` of the host. The attribute `tenon.algorithm` says which of these a
    kernel is, `tenon.nodes` lists the model's nodes in it. What stays outside: arithmetic on scalars, shapes, reshapes,
    control flow around kernels. Remarks (`--remarks-filter=tenon-form-kernels`) say why a producer was left out.

    Before:
    ```mlir
    %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    %1 = linalg.matmul ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%0 : tensor<4x8xf32>) -> tensor<4x8xf32>
    %2 = linalg.exp ins(%1 : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
    ```
    After:
    ```mlir
    %2 = tenon.kernel ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%e : tensor<4x8xf32>)
        attributes {tenon.algorithm = "contract", tenon.nodes = ["MatMul_0", "Exp_1"]} {
    ^bb0(%x: tensor<4x2xf32>, %y: tensor<2x8xf32>, %o: tensor<4x8xf32>):
      %3 = tensor.empty() : tensor<4x8xf32>
      %4 = linalg.fill ...
      %5 = linalg.matmul ...
      %6 = linalg.exp ins(%5 : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
      tenon.yield %6 : tensor<4x8xf32>
    } -> tensor<4x8xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect"];
}

def CheckKernels : Pass<"tenon-check-kernels", "::mlir::ModuleOp"> {
  let summary = "the contract of the kernels stage";
  let description = [{
    Fails when a host function holds an op that only kernels may hold. Hosts have arithmetic on scalars, shape ops,
    reshapes, small shape tensors, control flow, assertions, weights, kernels and dispatches. Changes nothing.

    Before and after: `%0 = linalg.exp ...` in `@main` is an error; `%0 = tenon.dispatch @k0 ...` is not.
  }];
}

def OutlineKernels : Pass<"tenon-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "make a function of each kernel, one for equal kernels";
  let description = [{
    A `tenon.kernel` becomes a private function and a `tenon.dispatch`. Kernels that differ only in names and locations
    share the function.

    Before:
    ```mlir
    %r = tenon.kernel ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) attributes {tenon.nodes = ["Exp_0"]} { ... } -> tensor<8xf32>
    ```
    After:
    ```mlir
    func.func private @k0_exp(%x: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel} { ... }
    ...
    %r = tenon.dispatch @k0_exp ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) {tenon.nodes = ["Exp_0"]} -> tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::func::FuncDialect"];
}

def JoinPieces : Pass<"tenon-join-pieces", "::mlir::ModuleOp"> {
  let summary = "make the pieces of concatenations where they belong";
  let description = [{
    A kernel that only puts its inputs one behind the other is no work where each of them is made by a kernel of the same function and
    goes into no other concatenation: they get their places in the result (`tenon.join`). Asked for are static sizes, pieces that
    start at a cache line, and buffers that nobody writes again, none of which is a result of the function. A module with
    `tenon.unfused` stays as it is.

    Before:
    ```mlir
    %a = tenon.dispatch @k0_conv ins(...) outs(%e0 : tensor<64x16xf32>) -> tensor<64x16xf32>
    %b = tenon.dispatch @k1_conv ins(...) outs(%e1 : tensor<32x16xf32>) -> tensor<32x16xf32>
    %c = tenon.dispatch @k2_concat ins(%a, %b : tensor<64x16xf32>, tensor<32x16xf32>) outs(%e2 : tensor<96x16xf32>) -> tensor<96x16xf32>
    ```
    After:
    ```mlir
    %a = tenon.dispatch @k0_conv ins(...) outs(%e0 : tensor<64x16xf32>) -> tensor<64x16xf32>
    %b = tenon.dispatch @k1_conv ins(...) outs(%e1 : tensor<32x16xf32>) -> tensor<32x16xf32>
    %c = tenon.join ins(%a, %b : tensor<64x16xf32>, tensor<32x16xf32>) outs(%e2 : tensor<96x16xf32>) -> tensor<96x16xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect"];
}

#endif // TENON_TRANSFORMS_FUSION_PASSES
