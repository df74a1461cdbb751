// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func @linear_attention
// CHECK: tenon.linear_attention linear %arg0, %arg1, %arg2 : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
// CHECK: tenon.linear_attention gated_delta %arg3, %arg3, %arg3 decay(%arg4 : tensor<?x2x?xf16>) beta(%arg4 : tensor<?x2x?xf16>) state(%arg5 : tensor<?x2x8x8xf32>) scale 1.250000e-01 chunk 1 : tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16> -> tensor<?x2x?x8xf16>, tensor<?x2x8x8xf32>
func.func @linear_attention(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>, %x: tensor<?x2x?x8xf16>,
                            %g: tensor<?x2x?xf16>, %s: tensor<?x2x8x8xf32>) {
  %y, %f = tenon.linear_attention linear %q, %k, %v
      : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  %z, %h = tenon.linear_attention gated_delta %x, %x, %x decay(%g : tensor<?x2x?xf16>) beta(%g : tensor<?x2x?xf16>)
      state(%s : tensor<?x2x8x8xf32>) scale 0.125 chunk 1
      : tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16>, tensor<?x2x?x8xf16> -> tensor<?x2x?x8xf16>, tensor<?x2x8x8xf32>
  return
}

// CHECK-LABEL: func @recurrence
// CHECK: %[[R:.*]]:2 = tenon.recurrence reverse inputs(%arg0 : tensor<?x3x4xf32>) states(%arg1 : tensor<3x4xf32>) lengths(%arg2 : tensor<3xi32>) outs(%arg0 : tensor<?x3x4xf32>) {
// CHECK-NEXT: ^bb0(%[[X:.*]]: tensor<3x4xf32>, %[[H:.*]]: tensor<3x4xf32>):
// CHECK-NEXT:   tenon.yield %[[H]], %[[X]] : tensor<3x4xf32>, tensor<3x4xf32>
// CHECK-NEXT: } -> tensor<?x3x4xf32>, tensor<3x4xf32>
// CHECK: tenon.recurrence inputs(%arg0 : tensor<?x3x4xf32>) {
func.func @recurrence(%x: tensor<?x3x4xf32>, %h: tensor<3x4xf32>, %l: tensor<3xi32>) -> tensor<?x3x4xf32> {
  %y, %s = tenon.recurrence reverse inputs(%x : tensor<?x3x4xf32>) states(%h : tensor<3x4xf32>) lengths(%l : tensor<3xi32>)
      outs(%x : tensor<?x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<?x3x4xf32>, tensor<3x4xf32>
  tenon.recurrence inputs(%x : tensor<?x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>):
    tenon.yield
  }
  return %y : tensor<?x3x4xf32>
}
