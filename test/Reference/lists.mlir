// REQUIRES: tenon-run
// RUN: tenon-run --reference --entry blocks %s | FileCheck %s --check-prefix=BLOCKS
// RUN: tenon-run --reference --entry tokens %s | FileCheck %s --check-prefix=TOKENS
// RUN: tenon-run --reference --entry select %s | FileCheck %s --check-prefix=SELECT

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

// One query of 1 and blocks of two keys, whose means are 0, 2, 1 and, of a single key, 3; their masses about 0.03, 0.24, 0.09
// and 0.64. The two largest; what makes up 0.8; the first one always, then the largest; with four keys and
// three queries of which two share a list, what each run sees: the keys up to its last query's place, 2 and 3.
// SELECT: 0: 1x1x1x2xi64 [1, 3]
// SELECT: 1: 1x1x1xi64 [2]
// SELECT: 2: 1x1x1x4xi64 [1, 3, -1, -1]
// SELECT: 3: 1x1x1x2xi64 [0, 3]
// SELECT: 4: 1x1x2x4xi64 [0, 1, -1, -1, 0, 1, -1, -1]
// SELECT: 5: 1x1x1x1xi64 [0]
func.func @select() -> (tensor<1x1x1x2xi64>, tensor<1x1x1xi64>, tensor<1x1x1x4xi64>, tensor<1x1x1x2xi64>, tensor<1x1x2x4xi64>, tensor<1x1x1x1xi64>) {
  %q = arith.constant dense<1.0> : tensor<1x1x1x1xf32>
  %q3 = arith.constant dense<1.0> : tensor<1x1x3x1xf32>
  %k = arith.constant dense<[[[[1.0], [-1.0], [2.0], [2.0], [0.0], [2.0], [3.0]]]]> : tensor<1x1x7x1xf32>
  %length = arith.constant dense<4> : tensor<1xi64>
  %b0, %c0 = tenon.select_blocks mean %q, %k keys 2 queries 1 : tensor<1x1x1x1xf32>, tensor<1x1x7x1xf32> -> tensor<1x1x1x2xi64>, tensor<1x1x1xi64>
  %b1, %c1 = tenon.select_blocks mean %q, %k keys 2 queries 1 mass 0.8 : tensor<1x1x1x1xf32>, tensor<1x1x7x1xf32> -> tensor<1x1x1x4xi64>, tensor<1x1x1xi64>
  %b2, %c2 = tenon.select_blocks max %q, %k keys 2 queries 1 sink 1 : tensor<1x1x1x1xf32>, tensor<1x1x7x1xf32> -> tensor<1x1x1x2xi64>, tensor<1x1x1xi64>
  %b3, %c3 = tenon.select_blocks bound %q3, %k lengths(%length : tensor<1xi64>) keys 2 queries 2 causal : tensor<1x1x3x1xf32>, tensor<1x1x7x1xf32> -> tensor<1x1x2x4xi64>, tensor<1x1x2xi64>
  // Antidiagonals of runs of one query behind the last: query 2 times key i + 1 alone. Lower blocks first where they are equal.
  %same = arith.constant dense<1.0> : tensor<1x1x8x1xf32>
  %b4, %c4 = tenon.select_blocks antidiagonal %q, %same keys 4 queries 2 stride 2 : tensor<1x1x1x1xf32>, tensor<1x1x8x1xf32> -> tensor<1x1x1x1xi64>, tensor<1x1x1xi64>
  return %b0, %c0, %b1, %b2, %b3, %b4 : tensor<1x1x1x2xi64>, tensor<1x1x1xi64>, tensor<1x1x1x4xi64>, tensor<1x1x1x2xi64>, tensor<1x1x2x4xi64>, tensor<1x1x1x1xi64>
}
