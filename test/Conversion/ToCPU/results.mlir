// REQUIRES: tenon-run
// Results that are no kernel's: constants, inputs, and one value twice.
// RUN: tenon-run --verify %s | FileCheck %s
// RUN: sed "s/.x, .c, .c, .d/%%c, %%c, %%c, %%d/" %s > %t.mlir
// RUN: tenon-run --verify %t.mlir | FileCheck %s
// CHECK: all 0 kernels (0 dispatches) and 4 outputs agree with the reference
func.func @main(%x: tensor<2xf32>) -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<0xi8>) {
  %c = arith.constant dense<[1., 2.]> : tensor<2xf32>
  %d = arith.constant dense<> : tensor<0xi8>
  return %x, %c, %c, %d : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<0xi8>
}
