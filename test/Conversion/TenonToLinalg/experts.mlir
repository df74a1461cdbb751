// RUN: tenon-opt %s --tenon-decompose-experts --canonicalize | FileCheck %s

// A mixture is a route and three matmuls of groups: up, gate with the activation times up, and down, which adds to the
// tokens' rows.
// CHECK-LABEL: func @mixture
// CHECK: %[[LISTS:.*]]:4 = scf.for
// CHECK: %[[UP:.*]] = tenon.grouped_matmul identity %arg0, %arg3 offsets %[[LISTS]]#0 rows %[[LISTS]]#1
// CHECK: %[[H:.*]] = tenon.grouped_matmul silu %arg0, %arg2 offsets %[[LISTS]]#0 rows %[[LISTS]]#1 : tensor<32xi64> factors %[[UP]]
// CHECK: tenon.grouped_matmul identity %[[H]], %arg4 offsets %[[LISTS]]#0 scatter %[[LISTS]]#1 : tensor<32xi64> scales %[[LISTS]]#2
func.func @mixture(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %g: tensor<8x48x64xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>) -> tensor<16x48xf32> {
  %y = tenon.moe silu %x, %l route softmax top_k 2 normalize gate %g : tensor<8x48x64xf32> up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return %y : tensor<16x48xf32>
}

// The shared expert is one group of all tokens, and the destination of the others; sums are kept in f32.
// CHECK-LABEL: func @shared
// CHECK: %[[ALL:.*]] = arith.constant dense<[0, 16]> : tensor<2xi64>
// CHECK: %[[H:.*]] = tenon.grouped_matmul relu %arg0, %{{.*}} offsets %[[ALL]] outs(%{{.*}} : tensor<16x32xf16>)
// CHECK: %[[S:.*]] = tenon.grouped_matmul identity %[[H]], %{{.*}} offsets %[[ALL]] outs(%{{.*}} : tensor<16x48xf32>)
// CHECK: tenon.grouped_matmul identity {{.*}} scatter {{.*}} outs(%[[S]] : tensor<16x48xf32>)
// CHECK: arith.truncf
func.func @shared(%x: tensor<16x48xf16>, %l: tensor<16x8xf16>, %u: tensor<8x48x64xf16>, %d: tensor<8x64x48xf16>, %s: tensor<48x32xf16>, %t: tensor<32x48xf16>) -> tensor<16x48xf16> {
  %y = tenon.moe relu %x, %l route relu threshold 0.0 up %u : tensor<8x48x64xf16> down %d : tensor<8x64x48xf16> shared_up %s : tensor<48x32xf16> shared_down %t : tensor<32x48xf16> : tensor<16x48xf16>, tensor<16x8xf16> -> tensor<16x48xf16>
  return %y : tensor<16x48xf16>
}

// Long lines are read once, with the first elements in a list.
// CHECK-LABEL: func @long
// CHECK-NOT: linalg.generic
// CHECK: scf.for %{{.*}} = %c0 to %c4
// CHECK: scf.for %{{.*}} = %c0 to %c900
// CHECK: scf.for %{{.*}} = %c0 to %[[STEPS:.*]] step
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @long(%x: tensor<4x900xf32>) -> tensor<4x3xi64> {
  %v, %i = tenon.top_k %x axis 1 : tensor<4x900xf32> -> tensor<4x3xf32>, tensor<4x3xi64>
  return %i : tensor<4x3xi64>
}

// Places by counting, then the indices whose place it is, then the values. A k that is not known is checked.
// CHECK-LABEL: func @top_k
// CHECK: cf.assert %{{.*}}, "{{.*}}experts.mlir:[[#@LINE+6]]: expected 'k' from 0 to the size along 'axis'"
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%arg0, %arg0
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]}
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]}
// CHECK: tensor.extract %arg0
func.func @top_k(%x: tensor<9xf32>, %k: index) -> tensor<?xf32> {
  %v, %i = tenon.top_k %x k %k axis 0 : tensor<9xf32> -> tensor<?xf32>, tensor<?xi64>
  return %v : tensor<?xf32>
}
