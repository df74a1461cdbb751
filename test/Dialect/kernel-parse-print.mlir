// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @two_results
//       CHECK:   tenon.kernel ins(%{{.*}}, %{{.*}} : tensor<8xf32>, index) outs(%{{.*}}, %{{.*}} : tensor<8xf32>, tensor<i64>) attributes {tenon.algorithm = "copy"} {
//       CHECK:   ^bb0(%{{.*}}: tensor<8xf32>, %{{.*}}: index, %[[O:.*]]: tensor<8xf32>, %[[P:.*]]: tensor<i64>):
//       CHECK:     tenon.yield %[[O]], %[[P]] : tensor<8xf32>, tensor<i64>
//       CHECK:   } -> tensor<8xf32>, tensor<i64>
func.func @two_results(%a: tensor<8xf32>, %n: index, %b: tensor<i64>) -> (tensor<8xf32>, tensor<i64>) {
  %r:2 = tenon.kernel ins(%a, %n : tensor<8xf32>, index) outs(%a, %b : tensor<8xf32>, tensor<i64>) attributes {tenon.algorithm = "copy"} {
  ^bb0(%x: tensor<8xf32>, %i: index, %o: tensor<8xf32>, %p: tensor<i64>):
    tenon.yield %o, %p : tensor<8xf32>, tensor<i64>
  } -> tensor<8xf32>, tensor<i64>
  return %r#0, %r#1 : tensor<8xf32>, tensor<i64>
}
