// REQUIRES: tenon-run
// tenon.tile_transform on the evaluator, by hand: windows of three, two further on each time.
// RUN: tenon-run --reference %s | FileCheck %s

// CHECK: 0: 2x2x1xf32 [8, 16, -1, -1]
func.func @main() -> tensor<2x2x1xf32> {
  %x = arith.constant dense<[[1.], [2.], [3.], [4.], [5.]]> : tensor<5x1xf32>
  %e = tensor.empty() : tensor<2x2x1xf32>
  %y = tenon.tile_transform in(%x : tensor<5x1xf32>) outs(%e : tensor<2x2x1xf32>)
      maps [affine_map<(y, c, k) -> (y * 2 + k, c)>, affine_map<(y, c, i) -> (i, y, c)>]
      rows 2 coefficients [1.0, 2.0, 1.0, 1.0, -1.0, 0.0] -> tensor<2x2x1xf32>
  return %y : tensor<2x2x1xf32>
}
