// RUN: tenon-opt %s --tenon-decompose-state --canonicalize | FileCheck %s

// Two chunks of 50 tokens: 100 are more than 64. No tensor is longer than a chunk along two dims.
// CHECK-LABEL: func @chunks
// CHECK-NOT: 100x100
// CHECK: scf.for %{{.*}} = %c0 to %c2 step %c1 iter_args(%{{.*}}, %[[STATE:.*]] = %{{.*}}) -> (tensor<1x2x1x100x5xf32>, tensor<1x2x8x5xf32>)
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x2x1x50x50xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[STATE]] : tensor<1x2x1x50x8xf32>, tensor<1x2x8x5xf32>)
func.func @chunks(%q: tensor<1x2x100x8xf32>, %v: tensor<1x2x100x5xf32>) -> tensor<1x2x8x5xf32> {
  %y, %f = tenon.linear_attention linear %q, %q, %v : tensor<1x2x100x8xf32>, tensor<1x2x100x8xf32>, tensor<1x2x100x5xf32> -> tensor<1x2x100x5xf32>, tensor<1x2x8x5xf32>
  return %f : tensor<1x2x8x5xf32>
}

// A length that chunks do not divide is padded: 131 tokens make three chunks of 44. With a delta rule chunks have 32 at most.
// CHECK-LABEL: func @padded
// CHECK: tensor.pad %{{.*}} low[0, 0, 0, 0, 0] high[0, 0, 0, 1, 0]
// CHECK: scf.for %{{.*}} = %c0 to %c3
// CHECK-LABEL: func @delta
// CHECK: scf.for %{{.*}} = %c0 to %c4
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<1x2x32x32xf32>)
func.func @padded(%q: tensor<1x2x131x8xf32>) -> tensor<1x2x131x8xf32> {
  %y, %f = tenon.linear_attention linear %q, %q, %q : tensor<1x2x131x8xf32>, tensor<1x2x131x8xf32>, tensor<1x2x131x8xf32> -> tensor<1x2x131x8xf32>, tensor<1x2x8x8xf32>
  return %y : tensor<1x2x131x8xf32>
}
func.func @delta(%q: tensor<1x2x128x8xf32>, %b: tensor<1x2x128xf32>) -> tensor<1x2x128x8xf32> {
  %y, %f = tenon.linear_attention delta %q, %q, %q beta(%b : tensor<1x2x128xf32>) : tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32>, tensor<1x2x128x8xf32> -> tensor<1x2x128x8xf32>, tensor<1x2x8x8xf32>
  return %y : tensor<1x2x128x8xf32>
}

// One token is a step: no product of keys with keys.
// CHECK-LABEL: func @token
// CHECK-NOT: scf.for
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel", "parallel"]
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @token(%q: tensor<1x2x1x8xf32>) -> tensor<1x2x8x8xf32> {
  %y, %f = tenon.linear_attention linear %q, %q, %q : tensor<1x2x1x8xf32>, tensor<1x2x1x8xf32>, tensor<1x2x1x8xf32> -> tensor<1x2x1x8xf32>, tensor<1x2x8x8xf32>
  return %f : tensor<1x2x8x8xf32>
}

// An unknown number of tokens: steps where there are fewer than a quarter of a chunk.
// CHECK-LABEL: func @dynamic
// CHECK: %[[FEW:.*]] = arith.cmpi slt, %{{.*}}, %c16
// CHECK: scf.if %[[FEW]]
func.func @dynamic(%q: tensor<1x2x?x8xf32>) -> tensor<1x2x8x8xf32> {
  %y, %f = tenon.linear_attention linear %q, %q, %q : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32> -> tensor<1x2x?x8xf32>, tensor<1x2x8x8xf32>
  return %f : tensor<1x2x8x8xf32>
}

// The cell stands in a loop over the steps, here from the last one on; entries that have ended keep their state.
// CHECK-LABEL: func @recurrence
// CHECK: scf.for %[[STEP:.*]] = %c0 to %c7 step %c1 iter_args(%[[ALL:.*]] = %{{.*}}, %[[H:.*]] = %arg1)
// CHECK: %[[T:.*]] = arith.subi %c6, %[[STEP]]
// CHECK: tensor.extract_slice %arg0[%[[T]], 0]
// CHECK: math.tanh
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %arg2 : tensor<3xf32>, tensor<3xi32>)
// CHECK: tensor.insert_slice {{.*}} into %[[ALL]][%[[T]], 0]
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %arg2, %[[H]] : tensor<3xf32>, tensor<3xi32>, tensor<3xf32>)
func.func @recurrence(%x: tensor<7x3xf32>, %h: tensor<3xf32>, %l: tensor<3xi32>) -> (tensor<7x3xf32>, tensor<3xf32>) {
  %e = tensor.empty() : tensor<7x3xf32>
  %0, %1 = tenon.recurrence reverse inputs(%x : tensor<7x3xf32>) states(%h : tensor<3xf32>) lengths(%l : tensor<3xi32>) outs(%e : tensor<7x3xf32>) {
  ^bb0(%xt: tensor<3xf32>, %ht: tensor<3xf32>):
    %a = arith.addf %xt, %ht : tensor<3xf32>
    %s = math.tanh %a : tensor<3xf32>
    tenon.yield %s, %s : tensor<3xf32>, tensor<3xf32>
  } -> tensor<7x3xf32>, tensor<3xf32>
  return %0, %1 : tensor<7x3xf32>, tensor<3xf32>
}

// Nothing is sliced where there is nothing: the state stays.
// CHECK-LABEL: func @nothing
// CHECK-NOT: slice
// CHECK: return %arg1
func.func @nothing(%q: tensor<1x2x0x8xf32>, %s: tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32> {
  %y, %f = tenon.linear_attention linear %q, %q, %q state(%s : tensor<1x2x8x8xf32>) : tensor<1x2x0x8xf32>, tensor<1x2x0x8xf32>, tensor<1x2x0x8xf32> -> tensor<1x2x0x8xf32>, tensor<1x2x8x8xf32>
  return %f : tensor<1x2x8x8xf32>
}
