// Without a target on the module, the one that TENON_TARGET names is scheduled for; unknown names are errors.
//
// RUN: env TENON_TARGET=x86-64-v2 tenon-opt %s --tenon-assign-schedules | FileCheck %s --check-prefix=V2
// RUN: env TENON_TARGET=x86-64-v3 tenon-opt %s --tenon-assign-schedules | FileCheck %s --check-prefix=V3
// RUN: env TENON_TARGET=x86-64-v4 tenon-opt %s --tenon-assign-schedules | FileCheck %s --check-prefix=V4
// RUN: env TENON_TARGET=host tenon-opt %s --tenon-assign-schedules | FileCheck %s --check-prefix=HOST
// RUN: env TENON_TARGET=pdp-11 not tenon-opt %s --tenon-assign-schedules 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// V2: vector_dim = 1, vector_width = 4
// V3: vector_dim = 1, vector_width = 8
// V4: vector_dim = 1, vector_width = 16
// HOST: vector_dim = 1, vector_width = {{4|8|16}}
// UNKNOWN: error: TENON_TARGET is the unknown target 'pdp-11'; there are: host, x86-64-v2, x86-64-v3
func.func private @k(%a: tensor<64x64xf32>, %b: tensor<64x64xf32>, %o: tensor<64x64xf32>) -> tensor<64x64xf32> attributes {tenon.kernel} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<64x64xf32>) rhs(%b : tensor<64x64xf32>) outs(%o : tensor<64x64xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<64x64xf32>
  return %c : tensor<64x64xf32>
}
