// RUN: tenon-opt %s --tenon-convert-formats-to-linalg | FileCheck %s

// Packed elements come as bytes; three elements of four bits leave half a byte over.
// CHECK: tenon.weight @w from "w" at 0 length 2 : tensor<2xi8>
// CHECK-LABEL: func.func @main
// CHECK: %[[B:.*]] = tenon.load_weight @w : tensor<2xi8>
// CHECK: linalg.generic {{.*}} ins(%[[B]] : tensor<2xi8>) outs(%{{.*}} : tensor<2x2xi8>)
// CHECK: arith.shrui
// CHECK: arith.andi
// CHECK: tensor.collapse_shape
// CHECK: tensor.extract_slice {{.*}} tensor<4xi8> to tensor<3xi8>
// CHECK: tensor.expand_shape {{.*}} tensor<3xi8> into tensor<3x1xi8>
// CHECK: arith.trunci %{{.*}} : i8 to i4
tenon.weight @w from "w" at 0 length 2 : tensor<3x1xi4>
func.func @main() -> tensor<3x1xi4> {
  %w = tenon.load_weight @w : tensor<3x1xi4>
  return %w : tensor<3x1xi4>
}
