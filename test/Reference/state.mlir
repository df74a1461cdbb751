// REQUIRES: tenon-run
// RUN: tenon-run --reference --entry rules %s | FileCheck %s --check-prefix=RULES
// RUN: tenon-run --reference --entry heads %s | FileCheck %s --check-prefix=HEADS
// RUN: tenon-run --reference --entry sums %s | FileCheck %s --check-prefix=SUMS

// Keys 1, 2, 1 and values 3, 4, 5 of one head of one number, read by queries 1, 1, 2. The state is the sum of products: 3, 11, 16.
// RULES: 0: 1x1x3x1xf32 [3, 11, 32]
// RULES: 1: 1x1x1x1xf32 [16]
// With a decay of a half before each product, from 4: 2 + 3, 2.5 + 8, 5.25 + 5; read times 2.
// RULES: 2: 1x1x3x1xf32 [10, 21, 41]
// RULES: 3: 1x1x1x1xf32 [10.25]
// The delta rule with beta 1, 0.5, 1: 1 * (3 - 0) = 3; 3 + 2 * 0.5 * (4 - 2 * 3) = 1; 1 + (5 - 1) = 5.
// RULES: 4: 1x1x3x1xf32 [3, 1, 10]
// RULES: 5: 1x1x1x1xf32 [5]
// Both, from 4: 2 + (3 - 2) = 3; 1.5 + 2 * 0.5 * (4 - 2 * 1.5) = 2.5; 1.25 + (5 - 1.25) = 5.
// RULES: 6: 1x1x3x1xf32 [3, 2.5, 10]
// RULES: 7: 1x1x1x1xf32 [5]
func.func @rules() -> (tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>,
                       tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>) {
  %q = arith.constant dense<[[[[1.0], [1.0], [2.0]]]]> : tensor<1x1x3x1xf32>
  %k = arith.constant dense<[[[[1.0], [2.0], [1.0]]]]> : tensor<1x1x3x1xf32>
  %v = arith.constant dense<[[[[3.0], [4.0], [5.0]]]]> : tensor<1x1x3x1xf32>
  %g = arith.constant dense<-0.69314718246459961> : tensor<1x1x3xf32>
  %b = arith.constant dense<[[[1.0, 0.5, 1.0]]]> : tensor<1x1x3xf32>
  %s = arith.constant dense<4.0> : tensor<1x1x1x1xf32>
  %0, %1 = tenon.linear_attention linear %q, %k, %v : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32> -> tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>
  %2, %3 = tenon.linear_attention gated %q, %k, %v decay(%g : tensor<1x1x3xf32>) state(%s : tensor<1x1x1x1xf32>) scale 2.0 : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32> -> tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>
  %4, %5 = tenon.linear_attention delta %q, %k, %v beta(%b : tensor<1x1x3xf32>) : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32> -> tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>
  %6, %7 = tenon.linear_attention gated_delta %q, %k, %v decay(%g : tensor<1x1x3xf32>) beta(%b : tensor<1x1x3xf32>) state(%s : tensor<1x1x1x1xf32>) : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32> -> tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7 : tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x3x1xf32>, tensor<1x1x1x1xf32>
}

// Two query heads read one state of two keys: rows (1, 2) and (10, 20) after the first token; then the first row is halved,
// the second one kept, and (1, 1) is added to the first.
// HEADS: 0: 1x2x2x2xf32 [1, 2, 1.5, 2, 10, 20, 10, 20]
// HEADS: 1: 1x1x2x2xf16 [1.5, 2, 10, 20]
func.func @heads() -> (tensor<1x2x2x2xf32>, tensor<1x1x2x2xf16>) {
  %q = arith.constant dense<[[[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 1.0]]]]> : tensor<1x2x2x2xf32>
  %k = arith.constant dense<[[[[1.0, 10.0], [1.0, 0.0]]]]> : tensor<1x1x2x2xf32>
  %v = arith.constant dense<[[[[1.0, 2.0], [1.0, 1.0]]]]> : tensor<1x1x2x2xf32>
  %g = arith.constant dense<[[[[0.0, 0.0], [-0.69314718246459961, 0.0]]]]> : tensor<1x1x2x2xf32>
  %y, %f = tenon.linear_attention gated %q, %k, %v decay(%g : tensor<1x1x2x2xf32>) : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf32>, tensor<1x1x2x2xf32> -> tensor<1x2x2x2xf32>, tensor<1x1x2x2xf16>
  return %y, %f : tensor<1x2x2x2xf32>, tensor<1x1x2x2xf16>
}

// Running sums of 1, 2, 3 and 4, 5, 6 from 10; the second entry has one step. Then from the last step to the first.
// SUMS: 0: 3x2xf32 [11, 14, 13, 0, 16, 0]
// SUMS: 1: 2xf32 [16, 14]
// SUMS: 2: 3x2xf32 [16, 14, 15, 0, 13, 0]
// SUMS: 3: 2xf32 [16, 14]
func.func @sums() -> (tensor<3x2xf32>, tensor<2xf32>, tensor<3x2xf32>, tensor<2xf32>) {
  %x = arith.constant dense<[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]> : tensor<3x2xf32>
  %h = arith.constant dense<10.0> : tensor<2xf32>
  %l = arith.constant dense<[3, 1]> : tensor<2xi64>
  %e = tensor.empty() : tensor<3x2xf32>
  %0, %1 = tenon.recurrence inputs(%x : tensor<3x2xf32>) states(%h : tensor<2xf32>) lengths(%l : tensor<2xi64>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%xt: tensor<2xf32>, %ht: tensor<2xf32>):
    %s = arith.addf %xt, %ht : tensor<2xf32>
    tenon.yield %s, %s : tensor<2xf32>, tensor<2xf32>
  } -> tensor<3x2xf32>, tensor<2xf32>
  %2, %3 = tenon.recurrence reverse inputs(%x : tensor<3x2xf32>) states(%h : tensor<2xf32>) lengths(%l : tensor<2xi64>) outs(%e : tensor<3x2xf32>) {
  ^bb0(%xt: tensor<2xf32>, %ht: tensor<2xf32>):
    %s = arith.addf %xt, %ht : tensor<2xf32>
    tenon.yield %s, %s : tensor<2xf32>, tensor<2xf32>
  } -> tensor<3x2xf32>, tensor<2xf32>
  return %0, %1, %2, %3 : tensor<3x2xf32>, tensor<2xf32>, tensor<3x2xf32>, tensor<2xf32>
}
