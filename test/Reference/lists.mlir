// REQUIRES: tenon-run
// RUN: tenon-run --reference --entry blocks %s | FileCheck %s --check-prefix=BLOCKS
// RUN: tenon-run --reference --entry tokens %s | FileCheck %s --check-prefix=TOKENS

// Sums of what is seen of values 1, 2, 4, 8, 16 in blocks of two keys, of which the last has one. Two queries share a
// list and the third has its own. A block listed twice counts twice; numbers without a block count nothing. The mask hides
// key 4 from the first query. The other head has its own lists: none, and all in falling order.
// BLOCKS: 0: 1x2x3x1xf32 [6, 22, 12, 0, 0, 31]
func.func @blocks() -> tensor<1x2x3x1xf32> {
  %q = arith.constant dense<1.0> : tensor<1x2x3x1xf32>
  %k = arith.constant dense<1.0> : tensor<1x1x5x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0], [4.0], [8.0], [16.0]]]]> : tensor<1x1x5x1xf32>
  %lists = arith.constant dense<[[[[0, 2, 0, -1], [1, 3, -7, 9000000000000000000]], [[-1, -1, -1, -1], [2, 1, 0, -1]]]]> : tensor<1x2x2x4xi64>
  %e = tensor.empty() : tensor<1x2x3x1xf32>
  %s = tenon.kv_source %k, %v blocks(%lists : tensor<1x2x2x4xi64>) keys 2 queries 2 mask(#tenon.window<-1, 1>) : tensor<1x1x5x1xf32>, tensor<1x1x5x1xf32>
  %r = tenon.attention none %q sources(%s) outs(%e : tensor<1x2x3x1xf32>) : tensor<1x2x3x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x3x1xf32>
  return %r : tensor<1x2x3x1xf32>
}

// Single keys of a ring that starts at place 1: 2, 4 and 1, of which two exist. Weights are added to scores of 1. A query
// beyond the lists sees nothing.
// TOKENS: 0: 1x1x2x1xf32 [22, 0]
func.func @tokens() -> tensor<1x1x?x1xf32> {
  %two = arith.constant 2 : index
  %one = arith.constant 1.0 : f32
  %0 = tensor.empty(%two) : tensor<1x1x?x1xf32>
  %q = linalg.fill ins(%one : f32) outs(%0 : tensor<1x1x?x1xf32>) -> tensor<1x1x?x1xf32>
  %k = arith.constant dense<1.0> : tensor<1x1x3x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0], [4.0]]]]> : tensor<1x1x3x1xf32>
  %start = arith.constant dense<1> : tensor<1xi64>
  %length = arith.constant dense<2> : tensor<1xi64>
  %lists = arith.constant dense<[[[[1, 2, 0, 1]]]]> : tensor<1x1x1x4xi32>
  %weights = arith.constant dense<[[[[1.0, 9.0, 0.0, 2.0]]]]> : tensor<1x1x1x4xf32>
  %s = tenon.kv_source %k, %v start(%start : tensor<1xi64>) blocks(%lists : tensor<1x1x1x4xi32>) weights(%weights : tensor<1x1x1x4xf32>) lengths %length : tensor<1x1x3x1xf32>, tensor<1x1x3x1xf32>, tensor<1xi64>
  %r = tenon.attention none %q sources(%s) outs(%0 : tensor<1x1x?x1xf32>) : tensor<1x1x?x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x1x?x1xf32>
  return %r : tensor<1x1x?x1xf32>
}
