// RUN: tenon-opt %s --tenon-expand-contract --verify-diagnostics

func.func @tensors(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32> {
  // expected-error @+1 {{expected buffers: contractions are expanded after bufferization}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}
