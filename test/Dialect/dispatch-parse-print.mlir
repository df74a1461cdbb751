// RUN: tenon-opt %s | tenon-opt | FileCheck %s

func.func private @k(tensor<8xf32>, index, tensor<8xf32>) -> tensor<8xf32> attributes {tenon.kernel}
// CHECK-LABEL: func.func @tensors
//       CHECK:   tenon.dispatch @k ins(%{{.*}}, %{{.*}} : tensor<8xf32>, index) outs(%{{.*}} : tensor<8xf32>) {tenon.nodes = ["Exp_0"]} -> tensor<8xf32>
func.func @tensors(%a: tensor<8xf32>, %i: index) -> tensor<8xf32> {
  %r = tenon.dispatch @k ins(%a, %i : tensor<8xf32>, index) outs(%a : tensor<8xf32>) {tenon.nodes = ["Exp_0"]} -> tensor<8xf32>
  return %r : tensor<8xf32>
}
// CHECK-LABEL: func.func @memrefs
//       CHECK:   tenon.dispatch @k ins(%{{.*}}, %{{.*}} : memref<8xf32>, index) outs(%{{.*}} : memref<8xf32>)
func.func @memrefs(%a: memref<8xf32>, %i: index) {
  tenon.dispatch @k ins(%a, %i : memref<8xf32>, index) outs(%a : memref<8xf32>)
  return
}
