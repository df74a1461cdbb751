// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// tile_contract_c1
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected one indexing map per operand, 3, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c1
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indexing map 1 to be an affine map, but got 5 : i64}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, 5, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// iterators are named
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected iterators to be "parallel" or "reduction", but got "window"}}
  %c = tenon.tile_contract ["parallel", "parallel", "window"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c2
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indexing map 0 to have 3 dims, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c2
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indexing map 1 to have the operand's rank, 2, of results, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c2
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indexing map 0 to hold sums of dims with positive coefficients, but got}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m + 1, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c2
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indexing map 0 to hold sums of dims with positive coefficients, but got}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m floordiv 2, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c3
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected the out map to be a permutation of the parallel dims}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, k)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c3
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected the out map to be a permutation of the parallel dims}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, 2 * n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c3
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4xf32>) {
  // expected-error @+1 {{expected the out map to hold parallel dim 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4xf32>
  return
}

// -----

// tile_contract_c4
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %e: tensor<8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 2 region arguments, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) extras(%e : tensor<8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c4
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected the accumulator to be a float or an integer, but got 'index'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: index):
    %z = arith.constant 0.0 : f32
    tenon.yield %z : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c4
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %e: tensor<8xf16>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected a region argument of the extra's element type 'f16', but got 'f32'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) extras(%e : tensor<8xf16>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32, %x: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c4
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf16>) {
  // expected-error @+1 {{expected the region to yield one value of out's element type 'f16'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf16>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf16>
  return
}

// -----

// tile_contract_c4
func.func @f(%a: tensor<4x2xf64>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected an accumulator that holds the factors' element type 'f64', but got 'f32'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf64>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c5
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %e: tensor<2xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected maps of extras to use parallel dims only}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) extras(%e : tensor<2xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (k)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32, %x: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c6
func.func @f(%a: memref<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected operands to be all tensors or all memrefs}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : memref<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c6
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected a result of out's type on tensors and none on memrefs}}
  tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  }
  return
}

// -----

// tile_contract_c6
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected a result of out's type on tensors and none on memrefs}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<8x4xf32>
  return
}

// -----

// tile_contract_c7
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected reduction dim 2 to stand alone in a result of the lhs or rhs map}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, n + k)>, affine_map<(m, n, k) -> (m + k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'register_' to have 3 entries, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {register_ = array<i64: 8, 16>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected register tile of dim 2 to be positive, and 1 for reductions, but got 4}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {register_ = array<i64: 8, 16, 4>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected register tile of dim 0 to be positive, and 1 for reductions, but got 0}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {register_ = array<i64: 0, 16, 1>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'vector_dim' to be -1 or a dim, but got 3}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {vector_dim = 3 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'vector_width' of at least 1, but got 0}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {vector_width = 0 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c8
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'unroll' to list reduction dims, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {unroll = array<i64: 1>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c9
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'tails' to have 3 entries, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {tails = array<i64: 0>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c9
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected tail of dim 0 to be below the register tile 8, but got 8}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {register_ = array<i64: 8, 16, 1>, tails = array<i64: 8, 0, 0>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c10
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'pack' to list 0 (lhs) or 1 (rhs) at most once, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {pack = array<i64: 2>, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c10
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected a parallel 'vector_dim' where factors are packed, but got -1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {pack = array<i64: 1>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c11
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x2x4xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'panels' to list 0 (lhs) or 1 (rhs) at most once and none of 'pack', but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x2x4xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] attributes {pack = array<i64: 1>, panels = array<i64: 1>, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c11
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x2x4xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected the map of a factor in panels to hold parallel dims, 'vector_dim' and ascending reduction dims, in this order, but got affine_map<(d0, d1, d2) -> (d2, d1)>}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x2x4xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] attributes {panels = array<i64: 1>, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c11
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x2x4xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected panels as wide as the register tile of 'vector_dim', 8, but got 'tensor<2x2x4xf32>'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x2x4xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] attributes {panels = array<i64: 1>, register_ = array<i64: 1, 8, 1>, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c12
func.func @f(%a: tensor<4x2x2xf32>, %b: tensor<2x2x8xi8>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected indices of 2 reduction dims in 'decode', or none, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<4x2x2xf32>) rhs(%b : tensor<2x2x8xi8>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, g, k) -> (m, g, k)>, affine_map<(m, n, g, k) -> (g, k, n)>, affine_map<(m, n, g, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8, %g: index):
    %0 = arith.sitofp %code : i8 to f32
    tenon.yield %0 : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c12
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xi8>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected at most 1 arguments of 'decode', and one, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xi8>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8, %scale: f32):
    tenon.yield %scale : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c12
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xi8>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected an argument of 'decode' of the element type 'i8', but got 'i16'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xi8>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i16):
    %0 = arith.sitofp %code : i16 to f32
    tenon.yield %0 : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c12
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xi8>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'decode' to yield one value of the accumulator's type 'f32'}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xi8>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8):
    tenon.yield %code : i8
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c13
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'decode_rows' of at least 0, and 0 without a 'decode' region and a parallel 'vector_dim', but got 4 and 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {decode_rows = 4 : i64, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c13
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'decode_rows' of at least 0, and 0 without a 'decode' region and a parallel 'vector_dim', but got -1 and 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {decode_rows = -1 : i64, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c14
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'nonzero' to list fours of factor, dimension, first and end, but got 3 numbers}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {nonzero = array<i64: 0, 1, 2>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c14
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'nonzero' to name a factor, one of its dimensions, and a range, but got 1, 2, 0, 4}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {nonzero = array<i64: 1, 2, 0, 4>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c14
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>, %s: index) {
  // expected-error @+1 {{expected one of 'starts' for each range of 'nonzero', 1, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>) starts(%s, %s)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {nonzero = array<i64: 1, 0, 0, 4>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c16
func.func @f(%a: tensor<4x3x2x2xf32>, %b: tensor<8x2x9xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'phases' to list threes of two reduction dims and a number of taps, but got 2 numbers}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%a : tensor<4x3x2x2xf32>) rhs(%b : tensor<8x2x9xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k, p) -> (m, r, k, p)>, affine_map<(m, n, r, k, p) -> (r, p, n + k)>, affine_map<(m, n, r, k, p) -> (m, n)>]
      attributes {phases = array<i64: 3, 4>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c16
func.func @f(%a: tensor<4x3x2x2xf32>, %b: tensor<8x2x9xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'phases' to name reduction dims of known extents other than 'vector_dim', but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%a : tensor<4x3x2x2xf32>) rhs(%b : tensor<8x2x9xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k, p) -> (m, r, k, p)>, affine_map<(m, n, r, k, p) -> (r, p, n + k)>, affine_map<(m, n, r, k, p) -> (m, n)>]
      attributes {phases = array<i64: 3, 1, 3>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c16
func.func @f(%a: tensor<4x3x2x2xf32>, %b: tensor<8x2x9xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'phases' to name reduction dims of known extents other than 'vector_dim', but got 4}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%a : tensor<4x3x2x2xf32>) rhs(%b : tensor<8x2x9xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k, p) -> (m, r, k, p)>, affine_map<(m, n, r, k, p) -> (r, p, n + k)>, affine_map<(m, n, r, k, p) -> (m, n)>]
      attributes {phases = array<i64: 3, 4, 3>, vector_dim = 4 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c16
func.func @f(%a: tensor<4x3x2x2xf32>, %b: tensor<8x2x9xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected from 1 to 4 taps in 'phases', but got 5}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%a : tensor<4x3x2x2xf32>) rhs(%b : tensor<8x2x9xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k, p) -> (m, r, k, p)>, affine_map<(m, n, r, k, p) -> (r, p, n + k)>, affine_map<(m, n, r, k, p) -> (m, n)>]
      attributes {phases = array<i64: 3, 4, 5>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c16
func.func @f(%a: tensor<4x3x2x2xf32>, %b: tensor<8x2x9xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'chunk' only with a first reduction dim that is neither in 'unroll' nor in 'phases', a parallel 'vector_dim', no factor in 'pack' and no 'decode' region, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%a : tensor<4x3x2x2xf32>) rhs(%b : tensor<8x2x9xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k, p) -> (m, r, k, p)>, affine_map<(m, n, r, k, p) -> (r, p, n + k)>, affine_map<(m, n, r, k, p) -> (m, n)>]
      attributes {phases = array<i64: 2, 4, 5>, chunk = 2 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}
