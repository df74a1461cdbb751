// RUN: tenon-opt %s --split-input-file --tenon-tile-contract --verify-diagnostics

func.func private @reduction(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [0, 0, 8]>} {
  // expected-error @+1 {{expected reduction dim 2 not to be tiled outside of registers, but got tile 8}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}

// -----

func.func private @rank(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [8, 8]>} {
  // expected-error @+1 {{expected tile lists of the schedule to have 3 entries, but got 2}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}

// -----

func.func private @unpacked(%a: tensor<16x24xf32>, %b: tensor<24x36xf32>, %o: tensor<16x36xf32>) -> tensor<16x36xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 8, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  // expected-error @+1 {{expected factor 1 in 'prepack' to be stored by panels: 'tenon-pack-weights' has not run}}
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x24xf32>) rhs(%b : tensor<24x36xf32>) outs(%o : tensor<16x36xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x36xf32>
  return %c : tensor<16x36xf32>
}
