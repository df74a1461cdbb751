//===- FftPasses.td - convolutions by Fourier transforms: to units, to vectors --------------===//
#ifndef TENON_TRANSFORMS_TILING_FFT
#define TENON_TRANSFORMS_TILING_FFT

include "mlir/Pass/PassBase.td"

def TileFft : Pass<"tenon-tile-fft", "::mlir::ModuleOp"> {
  let summary = "tile convolutions by Fourier transforms by their kernel's schedule";
  let description = [{
    In kernel functions whose schedule has the algorithm `fft`: one `scf.forall` over samples, channels (`parallel`) and tiles of
    rows and columns. A unit copies its window of the input to scratch memory with channels innermost, with zeros around where
    there are several tiles, transforms it in three steps, and turns the result to channels first for the elementwise ops
    behind it.

    Before:
    ```mlir
    %y = tenon.fft_conv %x, %s sizes [48, 48] tile [28, 28] pads [15, 15] outs(%o : tensor<256x28x28xf32>)
        : tensor<1x256x28x28xf32>, tensor<25x48x2x256xf32> -> tensor<256x28x28xf32>
    ```
    After:
    ```mlir
    %y = scf.forall (%n, %c, %y, %x) = (0, 0, 0, 0) to (1, 256, 28, 28) step (1, 16, 28, 28) shared_outs(%out = %o) -> (tensor<256x28x28xf32>) {
      %window = ... : tensor<28x28x16xf32>
      %lines = tenon.tile_fft forward 48 offset 15 in(%window : tensor<28x28x16xf32>) outs(...) -> tensor<25x28x2x16xf32>
      %both = tenon.tile_fft product 48 offset 15 in(%lines : tensor<25x28x2x16xf32>) spectrum(...) outs(...) -> tensor<25x28x2x16xf32>
      %tile = tenon.tile_fft backward 48 offset 0 in(%both : tensor<25x28x2x16xf32>) outs(...) -> tensor<28x28x16xf32>
      scf.forall.in_parallel { tensor.parallel_insert_slice ... }
    }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect", "::mlir::scf::SCFDialect", "::mlir::affine::AffineDialect",
                           "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect", "::mlir::arith::ArithDialect"];
}

def ExpandFft : Pass<"tenon-expand-fft", "::mlir::ModuleOp"> {
  let summary = "expand tenon.tile_fft on buffers to vectors";
  let description = [{
    A loop over the rows of a step, or the frequencies of a product, and one over vectors of channels, around the transform as
    straight-line code: butterflies of 4, 2 and 3, without what is zero or mirrored.

    Before:
    ```mlir
    tenon.tile_fft forward 2 offset 0 in(%a : memref<5x2x16xf32>) outs(%b : memref<2x5x2x16xf32>)
    ```
    After:
    ```mlir
    scf.for %r = %c0 to %c5 step %c1 {
      %0 = vector.load %a[%r, %c0, %c0] : memref<5x2x16xf32>, vector<16xf32>
      %1 = vector.load %a[%r, %c1, %c0] : memref<5x2x16xf32>, vector<16xf32>
      %2 = arith.addf %0, %1 : vector<16xf32>
      %3 = arith.subf %0, %1 : vector<16xf32>
      vector.store %2, %b[%c0, %r, %c0, %c0] : memref<2x5x2x16xf32>, vector<16xf32>
      ...
    }
    ```
  }];
  let dependentDialects = ["::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect", "::mlir::memref::MemRefDialect",
                           "::mlir::math::MathDialect", "::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect"];
}

#endif // TENON_TRANSFORMS_TILING_FFT
