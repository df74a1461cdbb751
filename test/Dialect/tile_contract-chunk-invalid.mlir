// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// tile_contract_c15
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'chunk' of at least 0, but got -1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {chunk = -1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c15
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'chunk' only with a first reduction dim that is neither in 'unroll' nor in 'phases', a parallel 'vector_dim', no factor in 'pack' and no 'decode' region, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {chunk = 1 : i64, unroll = array<i64: 2>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c15
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'chunk' only with a first reduction dim that is neither in 'unroll' nor in 'phases', a parallel 'vector_dim', no factor in 'pack' and no 'decode' region, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {chunk = 1 : i64, vector_dim = 2 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}

// -----

// tile_contract_c15
func.func @f(%a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %o: tensor<4x8xf32>) {
  // expected-error @+1 {{expected 'chunk' only with a first reduction dim that is neither in 'unroll' nor in 'phases', a parallel 'vector_dim', no factor in 'pack' and no 'decode' region, but got 1}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x2xf32>) rhs(%b : tensor<2x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>]
      attributes {chunk = 1 : i64, pack = array<i64: 1>, vector_dim = 1 : i64} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return
}
