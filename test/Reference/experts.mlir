// REQUIRES: tenon-run
// RUN: tenon-run --reference --entry selection %s | FileCheck %s --check-prefix=SELECTION
// RUN: tenon-run --reference --entry segments %s | FileCheck %s --check-prefix=SEGMENTS
// RUN: tenon-run --reference --entry routes %s | FileCheck %s --check-prefix=ROUTES
// RUN: tenon-run --reference --entry groups %s | FileCheck %s --check-prefix=GROUPS
// RUN: tenon-run --reference --entry mixture %s | FileCheck %s --check-prefix=MIXTURE
// RUN: not tenon-run --reference --entry too_many %s 2>&1 | FileCheck %s --check-prefix=MANY

// Of 3, NaN, 1, 3 the largest are NaN and the first 3; the smallest are 1 and the first 3. Sorted down: NaN, both 3, 1.
// SELECTION: 0: 1x2xf32 [nan, 3]
// SELECTION: 1: 1x2xi64 [1, 0]
// SELECTION: 2: 1x2xf32 [1, 3]
// SELECTION: 3: 1x2xi64 [2, 0]
// SELECTION: 4: 1x4xf32 [nan, 3, 3, 1]
// SELECTION: 5: 1x4xi64 [1, 0, 3, 2]
// SELECTION: 6: 3x2xi8 [-2, -1, 0, 1, 5, 1]
// SELECTION: 7: 3x2xi64 [1, 0, 2, 1, 0, 2]
func.func @selection() -> (tensor<1x2xf32>, tensor<1x2xi64>, tensor<1x2xf32>, tensor<1x2xi64>, tensor<1x4xf32>, tensor<1x4xi64>,
                           tensor<3x2xi8>, tensor<3x2xi64>) {
  %x = arith.constant dense<[[3.0, 0x7FC00000, 1.0, 3.0]]> : tensor<1x4xf32>
  %v, %i = tenon.top_k %x axis 1 : tensor<1x4xf32> -> tensor<1x2xf32>, tensor<1x2xi64>
  %w, %j = tenon.top_k smallest %x axis 1 : tensor<1x4xf32> -> tensor<1x2xf32>, tensor<1x2xi64>
  %s, %l = tenon.sort descending %x axis 1 : tensor<1x4xf32> -> tensor<1x4xf32>, tensor<1x4xi64>
  %y = arith.constant dense<[[5, -1], [-2, 1], [0, 1]]> : tensor<3x2xi8>
  %t, %m = tenon.sort %y axis 0 : tensor<3x2xi8> -> tensor<3x2xi8>, tensor<3x2xi64>
  return %v, %i, %w, %j, %s, %l, %t, %m : tensor<1x2xf32>, tensor<1x2xi64>, tensor<1x2xf32>, tensor<1x2xi64>, tensor<1x4xf32>, tensor<1x4xi64>, tensor<3x2xi8>, tensor<3x2xi64>
}

// MANY: expected 'k' from 0 to the size along 'axis', 3, but got 4
func.func @too_many() -> tensor<?xf32> {
  %x = arith.constant dense<0.0> : tensor<3xf32>
  %k = arith.constant 4 : index
  %v, %i = tenon.top_k %x k %k axis 0 : tensor<3xf32> -> tensor<?xf32>, tensor<?xi64>
  return %v : tensor<?xf32>
}

// Segments of rows (1, 8), (2, 2) and (3, -4); of none; and of (9, 0) alone, whose end lies beyond the last row.
// SEGMENTS: 0: 3x2xf32 [6, 6, 0, 0, 9, 0]
// SEGMENTS: 1: 3x2xf32 [3, 8, -inf, -inf, 9, 0]
// SEGMENTS: 2: 3x2xf32 [2, 2, 0, 0, 9, 0]
// SEGMENTS: 3: 3xi8 [1, 127, -9]
func.func @segments() -> (tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi8>) {
  %x = arith.constant dense<[[1.0, 8.0], [2.0, 2.0], [3.0, -4.0], [9.0, 0.0]]> : tensor<4x2xf32>
  %o = arith.constant dense<[0, 3, 3, 7]> : tensor<4xi64>
  %0 = tenon.segment_reduce sum %x offsets %o : tensor<4x2xf32>, tensor<4xi64> -> tensor<3x2xf32>
  %1 = tenon.segment_reduce max %x offsets %o : tensor<4x2xf32>, tensor<4xi64> -> tensor<3x2xf32>
  %2 = tenon.segment_reduce mean %x offsets %o : tensor<4x2xf32>, tensor<4xi64> -> tensor<3x2xf32>
  %y = arith.constant dense<[5, 1, 3, -9]> : tensor<4xi8>
  %3 = tenon.segment_reduce min %y offsets %o : tensor<4xi8>, tensor<4xi64> -> tensor<3xi8>
  return %0, %1, %2, %3 : tensor<3x2xf32>, tensor<3x2xf32>, tensor<3x2xf32>, tensor<3xi8>
}

// Relu scores of two tokens over four experts: (1, 3, 0, 4) and (0, 0, 2, 0). All above 0: expert 0 gets token 0, expert
// 1 token 0, expert 2 token 1, expert 3 token 0; by the sums 8 and 2 the weights are 1/8, 3/8, 1 and 1/2.
// ROUTES: 0: 5xi64 [0, 1, 2, 3, 4]
// ROUTES: 1: 8xi64 [0, 0, 1, 0, 0, 0, 0, 0]
// ROUTES: 2: 8xf32 [0.125, 0.375, 1, 0.5, 0, 0, 0, 0]
// The bias makes expert 0 the first choice of both; the other one is the largest score, of equals the lowest. Expert 0
// weighs 2 * 1 and 2 * 0.
// ROUTES: 3: 5xi64 [0, 2, 2, 3, 4]
// ROUTES: 4: 4xi64 [0, 1, 1, 0]
// ROUTES: 5: 4xf32 [2, 0, 4, 8]
// Groups of two, the one with the larger sum: 4 against 4, so the first; 0 against 2, so the second.
// ROUTES: 6: 5xi64 [0, 0, 1, 2, 2]
// ROUTES: 7: 2xi64 [0, 1]
// ROUTES: 8: 2xf32 [3, 2]
func.func @routes() -> (tensor<5xi64>, tensor<8xi64>, tensor<8xf32>, tensor<5xi64>, tensor<4xi64>, tensor<4xf32>,
                        tensor<5xi64>, tensor<2xi64>, tensor<2xf32>) {
  %x = arith.constant dense<[[1.0, 3.0, -1.0, 4.0], [-5.0, 0.0, 2.0, 0.0]]> : tensor<2x4xf32>
  %b = arith.constant dense<[9.0, 0.0, 0.0, 0.0]> : tensor<4xf32>
  %o, %t, %w = tenon.route relu %x threshold 0.0 normalize : tensor<2x4xf32> -> tensor<5xi64>, tensor<8xi64>, tensor<8xf32>
  %p, %u, %v = tenon.route relu %x biases %b : tensor<4xf32> top_k 2 scale 2.0 : tensor<2x4xf32> -> tensor<5xi64>, tensor<4xi64>, tensor<4xf32>
  %q, %s, %y = tenon.route relu %x top_k 1 groups 2 group_top 2 : tensor<2x4xf32> -> tensor<5xi64>, tensor<2xi64>, tensor<2xf32>
  return %o, %t, %w, %p, %u, %v, %q, %s, %y : tensor<5xi64>, tensor<8xi64>, tensor<8xf32>, tensor<5xi64>, tensor<4xi64>, tensor<4xf32>, tensor<5xi64>, tensor<2xi64>, tensor<2xf32>
}

// Three experts, of which the second gets nothing: times 1, times 10, times 2. Rows 2, 0 and 1 of the input go to
// experts 0, 2 and 2. Biases 0, 0, -1; squared; times 1, 2, 3.
// GROUPS: 0: 3x1xf32 [9, 2, 27]
// Scattered to rows 1, 1 and 0, scaled by 1, 10 and 100; the second row of the destination held 5.
// GROUPS: 1: 2x1xf32 [400, 28]
func.func @groups() -> (tensor<3x1xf32>, tensor<2x1xf32>) {
  %x = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %w = arith.constant dense<[[[1.0]], [[10.0]], [[2.0]]]> : tensor<3x1x1xf32>
  %o = arith.constant dense<[0, 1, 1, 3]> : tensor<4xi64>
  %r = arith.constant dense<[2, 0, 1]> : tensor<3xi64>
  %b = arith.constant dense<[[0.0], [0.0], [-1.0]]> : tensor<3x1xf32>
  %f = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %e = tensor.empty() : tensor<3x1xf32>
  %0 = tenon.grouped_matmul relu_squared %x, %w offsets %o rows %r : tensor<3xi64> biases %b : tensor<3x1xf32> factors %f : tensor<3x1xf32> outs(%e : tensor<3x1xf32>) : tensor<3x1xf32>, tensor<3x1x1xf32>, tensor<4xi64> -> tensor<3x1xf32>
  %t = arith.constant dense<[1, 1, 0]> : tensor<3xi64>
  %s = arith.constant dense<[1.0, 10.0, 100.0]> : tensor<3xf32>
  %i = arith.constant dense<[[0.0], [5.0]]> : tensor<2x1xf32>
  %1 = tenon.grouped_matmul identity %x, %w offsets %o rows %r : tensor<3xi64> scatter %t : tensor<3xi64> scales %s : tensor<3xf32> outs(%i : tensor<2x1xf32>) : tensor<3x1xf32>, tensor<3x1x1xf32>, tensor<4xi64> -> tensor<2x1xf32>
  return %0, %1 : tensor<3x1xf32>, tensor<2x1xf32>
}

// Two tokens, 1 and 2; expert 0 halves (gate 1, up 1, down 1/2 of the square), expert 1 is down * relu(x) * 3 x. Token 0
// scores (3, 1), token 1 (0, 2). Experts give token 0 0.5 and 3, token 1 2 and 12; the shared one x * x * 10.
// MIXTURE: 0: 2x1xf32 [4.5, 24]
// MIXTURE: 1: 2x1xf32 [14.5, 64]
func.func @mixture() -> (tensor<2x1xf32>, tensor<2x1xf32>) {
  %x = arith.constant dense<[[1.0], [2.0]]> : tensor<2x1xf32>
  %l = arith.constant dense<[[3.0, 1.0], [0.0, 2.0]]> : tensor<2x2xf32>
  %g = arith.constant dense<[[[1.0]], [[1.0]]]> : tensor<2x1x1xf32>
  %u = arith.constant dense<[[[1.0]], [[3.0]]]> : tensor<2x1x1xf32>
  %d = arith.constant dense<[[[0.5]], [[1.0]]]> : tensor<2x1x1xf32>
  %one = arith.constant dense<1.0> : tensor<1x1xf32>
  %ten = arith.constant dense<10.0> : tensor<1x1xf32>
  %0 = tenon.moe relu %x, %l route relu threshold 0.0 gate %g : tensor<2x1x1xf32> up %u : tensor<2x1x1xf32> down %d : tensor<2x1x1xf32> : tensor<2x1xf32>, tensor<2x2xf32> -> tensor<2x1xf32>
  %1 = tenon.moe relu %x, %l route relu top_k 2 gate %g : tensor<2x1x1xf32> up %u : tensor<2x1x1xf32> down %d : tensor<2x1x1xf32> shared_gate %one : tensor<1x1xf32> shared_up %one : tensor<1x1xf32> shared_down %ten : tensor<1x1xf32> : tensor<2x1xf32>, tensor<2x2xf32> -> tensor<2x1xf32>
  return %0, %1 : tensor<2x1xf32>, tensor<2x1xf32>
}
