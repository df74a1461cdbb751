// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @tensors
//       CHECK:   tenon.join ins(%{{.*}}, %{{.*}} : tensor<4x9xf32>, tensor<2x3x3xf32>) outs(%{{.*}} : tensor<6x9xf32>) -> tensor<6x9xf32>
func.func @tensors(%a: tensor<4x9xf32>, %b: tensor<2x3x3xf32>) -> tensor<6x9xf32> {
  %e = tensor.empty() : tensor<6x9xf32>
  %r = tenon.join ins(%a, %b : tensor<4x9xf32>, tensor<2x3x3xf32>) outs(%e : tensor<6x9xf32>) -> tensor<6x9xf32>
  return %r : tensor<6x9xf32>
}
// CHECK-LABEL: func.func @memrefs
//       CHECK:   tenon.join ins(%{{.*}}, %{{.*}} : memref<4xi8>, memref<2xi8>) outs(%{{.*}} : memref<6xi8>)
func.func @memrefs(%a: memref<4xi8>, %b: memref<2xi8>, %r: memref<6xi8>) {
  tenon.join ins(%a, %b : memref<4xi8>, memref<2xi8>) outs(%r : memref<6xi8>)
  return
}
