// RUN: tenon-opt %s --tenon-hoist-constants | FileCheck %s

//       CHECK: tenon.weight @init.0 from "init:" at 0 length 32 : tensor<2x4xf32>
//       CHECK: tenon.weight @w from "model.onnx"
//       CHECK: func.func @tenon_init() -> tensor<2x4xf32>
//       CHECK:   %[[W:.*]] = tenon.load_weight @w
//       CHECK:   %[[T:.*]] = linalg.transpose ins(%[[W]]
//       CHECK:   return %[[T]]
// CHECK-LABEL: func.func @main
//       CHECK:   %[[T:.*]] = tenon.load_weight @init.0 : tensor<2x4xf32>
//       CHECK:   linalg.fill
//       CHECK:   linalg.matmul ins(%[[T]], %arg0
tenon.weight @w from "model.onnx" at 0 length 32 : tensor<4x2xf32>
func.func @main(%x: tensor<4x4xf32>) -> tensor<2x4xf32> {
  %zero = arith.constant 0.0 : f32
  %w = tenon.load_weight @w : tensor<4x2xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %t = linalg.transpose ins(%w : tensor<4x2xf32>) outs(%e : tensor<2x4xf32>) permutation = [1, 0]
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.matmul ins(%t, %x : tensor<2x4xf32>, tensor<4x4xf32>) outs(%f : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// Much larger than what it is made from: stays.
// CHECK-LABEL: func.func @broadcast
//       CHECK:   tenon.load_weight @w
//       CHECK:   linalg.broadcast
func.func @broadcast() -> tensor<1000x4x2xf32> {
  %w = tenon.load_weight @w : tensor<4x2xf32>
  %e = tensor.empty() : tensor<1000x4x2xf32>
  %b = linalg.broadcast ins(%w : tensor<4x2xf32>) outs(%e : tensor<1000x4x2xf32>) dimensions = [0]
  return %b : tensor<1000x4x2xf32>
}
