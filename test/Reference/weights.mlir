// REQUIRES: tenon-run
// Weights come from files at an offset, and from the results of the initializer.
// RUN: rm -rf %t && mkdir -p %t && cd %t
// RUN: %python -c "import numpy as np; (np.arange(4, dtype=np.float32)).tofile('w.bin')"
// RUN: tenon-run --reference %s | FileCheck %s
// RUN: not tenon-run --reference --entry short %s 2>&1 | FileCheck %s --check-prefix=SHORT
// CHECK: 0: 2xf32 [6, 9]
// SHORT: expected 8 bytes at 12 of 'w.bin', but it has 16
tenon.weight @w from "w.bin" at 8 length 8 : tensor<2xf32>
tenon.weight @cut from "w.bin" at 12 length 8 : tensor<2xf32>
tenon.weight @twice from "init:" at 0 length 8 : tensor<2xf32>
func.func @tenon_init() -> tensor<2xf32> {
  %w = tenon.load_weight @w : tensor<2xf32>
  %t = arith.addf %w, %w : tensor<2xf32>
  return %t : tensor<2xf32>
}
func.func @main() -> tensor<2xf32> {
  %w = tenon.load_weight @w : tensor<2xf32>
  %t = tenon.load_weight @twice : tensor<2xf32>
  %r = arith.addf %w, %t : tensor<2xf32>
  return %r : tensor<2xf32>
}
func.func @short() -> tensor<2xf32> {
  %w = tenon.load_weight @cut : tensor<2xf32>
  return %w : tensor<2xf32>
}
