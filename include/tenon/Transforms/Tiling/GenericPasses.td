//===- GenericPasses.td - tiling and expanding everything but contractions -------===//
#ifndef TENON_TRANSFORMS_TILING_GENERICPASSES
#define TENON_TRANSFORMS_TILING_GENERICPASSES

include "mlir/Pass/PassBase.td"

def TileGeneric : Pass<"tenon-tile-generic", "::mlir::ModuleOp"> {
  let summary = "tile row, element-wise and copy kernels to one parallel loop";
  let description = [{
    Works on kernel functions whose schedule's algorithm is `rows`, `elementwise` or `copy`. Named ops become generic, concat,
    generate and the like become destination-passing pieces, element-wise producers are fused into their consumers, and
    neighbouring dims that all ops walk together become one. Then the whole body moves into one `scf.forall` over tiles of
    those dims of the results along which no op reduces, gathers, pads or joins. A kernel
    without such dims stays as it is: one unit of work.

    Before:
    ```mlir
    func.func private @k(%x: tensor<64x256xf32>, %o: tensor<64xf32>) -> tensor<64xf32>
        attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", parallel = [8, 0]>} {
      %r = linalg.reduce { arith.maximumf } ins(%x : tensor<64x256xf32>) outs(%o : tensor<64xf32>) dimensions = [1]
      return %r : tensor<64xf32>
    }
    ```
    After:
    ```mlir
      %r = scf.forall (%i) = (0) to (64) step (8) shared_outs(%s = %o) -> (tensor<64xf32>) {
        %xt = tensor.extract_slice %x[%i, 0] [8, 256] [1, 1] : tensor<64x256xf32> to tensor<8x256xf32>
        %st = tensor.extract_slice %s[%i] [8] [1] : tensor<64xf32> to tensor<8xf32>
        %m = linalg.generic ... ins(%xt : tensor<8x256xf32>) outs(%st : tensor<8xf32>)
        scf.forall.in_parallel { tensor.parallel_insert_slice %m into %s[%i] [8] [1] ... }
      }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def BufferizeKernels : Pass<"tenon-bufferize-kernels", "::mlir::ModuleOp"> {
  let summary = "put kernel functions on buffers";
  let description = [{
    Arguments become contiguous memrefs, the last ones (as many as there are results) are written in place, and the results vanish.
    One-shot bufferization decides in between; `tensor.empty` values are replaced by the destination they end in.

    Before: `func.func private @k(%a: tensor<8xf32>, %o: tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}`
    After:  `func.func private @k(%a: memref<8xf32>, %o: memref<8xf32>) attributes {tenon.kernel}`
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect", "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect",
                           "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect"];
}

def CheckTiled : Pass<"tenon-check-tiled", "::mlir::ModuleOp"> {
  let summary = "check that kernel functions are tiled and on buffers";
  let description = [{
    The contract of the Tiled stage: a kernel function has one block, no results and no tensors, its memref arguments are
    contiguous, and parallel loops are not nested. Counts copies and allocations, and leaves the copies as the
    attribute `tenon.copies` on the function, so that a test can pin them.

    Before: `func.func private @k(%a: memref<8xf32>) attributes {tenon.kernel}`
    After:  `func.func private @k(%a: memref<8xf32>) attributes {tenon.copies = 0 : i64, tenon.kernel}`
  }];
  let statistics = [Statistic<"copies", "copies", "memref.copy ops in kernels">,
                    Statistic<"allocations", "allocations", "buffers allocated in kernels">];
}

def ExpandLinalg : Pass<"tenon-expand-linalg", "::mlir::ModuleOp"> {
  let summary = "expand linalg ops and copies on buffers to loops over vector registers";
  let description = [{
    Every `linalg` op and `memref.copy` of a kernel becomes `scf` loops. The vector dim is one along which outputs (or, for
    reductions, inputs) are contiguous; other operands are broadcast, transposed in registers in square blocks or gathered. Remainders
    are masked. Reductions keep several vector accumulators as loop-carried values, in an order that is fixed by the shape and the
    schedule. What cannot be a vector becomes scalar loops.

    Before:
    ```mlir
    linalg.generic {...} ins(%a : memref<64xf32>) outs(%b : memref<64xf32>) { ^bb0(%x: f32, %y: f32): ... }
    ```
    After:
    ```mlir
    scf.for %i = %c0 to %c64 step %c16 {
      %v = vector.load %a[%i] : memref<64xf32>, vector<16xf32>
      ...
      vector.store %r, %b[%i] : memref<64xf32>, vector<16xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
}

def ExpandMath : Pass<"tenon-expand-math", "::mlir::ModuleOp"> {
  let summary = "expand math functions and narrow floats to plain arithmetic";
  let description = [{
    Transcendental functions on scalars and vectors become polynomials (f32 within 2 ulp: exp, tanh and erf in f32, the others through f64);
    arithmetic on f16, bf16 and f8 is done in f32, and conversions from and to bf16 and f8 become integer arithmetic.
    Look-ups become permutations of registers where the module's target has them. Nothing that is left calls a library.

    Before: `%y = math.exp %x : vector<16xf32>`
    After:  `%n = math.roundeven ...`, a chain of `math.fma`, and an exponent put together with `arith.shli`
  }];
  let dependentDialects = ["::mlir::math::MathDialect", "::mlir::vector::VectorDialect", "::mlir::arith::ArithDialect",
                           "::mlir::LLVM::LLVMDialect"];
}

#endif // TENON_TRANSFORMS_TILING_GENERICPASSES
