// RUN: tenon-opt %s --tenon-to-tile-contract --tenon-assign-schedules --tenon-tile-contract --canonicalize | FileCheck %s

// A 3x3 window over 7x7 pixels: of the rows of taps a tenth is padding, so they are a loop.
#avx512 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                        vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #avx512} {
  // CHECK-LABEL: func.func private @conv
  // CHECK-SAME: register = [{{[0-9]+}}, 1, {{[67]}}, 1, 1, 1], unroll = [5]
  // CHECK: scf.forall (%{{.*}}, %[[LINE:.*]]) = (0, 0) to (512, 7) step (96, 1)
  // CHECK: tenon.tile_contract
  // CHECK-SAME: starts(%[[LINE]], %c0) maps
  // CHECK-SAME: nonzero = array<i64: 1, 1, 1, 8, 1, 2, 1, 8>
  func.func private @conv(%w: tensor<512x64x3x3xf32>, %x: tensor<64x9x9xf32>, %o: tensor<512x7x7xf32>) -> tensor<512x7x7xf32> attributes {tenon.kernel} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<512x7x7xf32>) -> tensor<512x7x7xf32>
    %1 = linalg.generic {indexing_maps = [affine_map<(f, h, w, c, i, j) -> (f, c, i, j)>, affine_map<(f, h, w, c, i, j) -> (c, h + i, w + j)>, affine_map<(f, h, w, c, i, j) -> (f, h, w)>],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%w, %x : tensor<512x64x3x3xf32>, tensor<64x9x9xf32>) outs(%0 : tensor<512x7x7xf32>)
        attrs = {tenon.nonzero = array<i64: 1, 1, 1, 8, 9, 1, 2, 1, 8, 9>} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %p = arith.mulf %a, %b : f32
      %t = arith.addf %s, %p : f32
      linalg.yield %t : f32
    } -> tensor<512x7x7xf32>
    return %1 : tensor<512x7x7xf32>
  }

  // A unit of a few rows says where it starts in what the padding is counted in.
  // CHECK-LABEL: func.func private @cut
  // CHECK: scf.forall (%[[ROW:.*]]) = (0) to (7) step (2)
  // CHECK: tenon.tile_contract
  // CHECK-SAME: starts(%[[ROW]]) maps
  // CHECK-SAME: nonzero = array<i64: 1, 0, 1, 8>
  // CHECK: return
  func.func private @cut(%w: tensor<3x3xf32>, %x: tensor<9x10xf32>, %o: tensor<7x8xf32>) -> tensor<7x8xf32>
      attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [2, 0, 0, 0], register = [1, 8, 1, 1], vector_dim = 1, vector_width = 8>} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : tensor<3x3xf32>) rhs(%x : tensor<9x10xf32>) outs(%o : tensor<7x8xf32>)
        maps [affine_map<(h, w, i, j) -> (i, j)>, affine_map<(h, w, i, j) -> (h + i, w + j)>, affine_map<(h, w, i, j) -> (h, w)>]
        attributes {nonzero = array<i64: 1, 0, 1, 8>} {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<7x8xf32>
    return %c : tensor<7x8xf32>
  }

  // Three taps of stride 2 in two phases: what the filter is filled up with is left out. The dims of the taps are unrolled
  // in any case; the schedule speaks of the others.
  // CHECK-LABEL: func.func private @phases
  // CHECK-SAME: cache = [{{[0-9]+}}, 0, 0, 0, 0, 0], register = {{.*}}, unroll = [3]
  // CHECK: tenon.tile_contract
  // CHECK-SAME: phases = array<i64: 4, 5, 3>
  func.func private @phases(%w: tensor<96x3x2x2xf32>, %x: tensor<96x56x56xf32>, %o: tensor<96x28x28xf32>) -> tensor<96x28x28xf32> attributes {tenon.kernel} {
    %zero = arith.constant 0.0 : f32
    %e = tensor.empty() : tensor<96x57x2x29xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<96x57x2x29xf32>) -> tensor<96x57x2x29xf32>
    %odd = tensor.extract_slice %x[0, 0, 1] [96, 56, 28] [1, 1, 2] : tensor<96x56x56xf32> to tensor<96x56x28xf32>
    %q = tensor.insert_slice %odd into %f[0, 1, 0, 1] [96, 56, 1, 28] [1, 1, 1, 1] : tensor<96x56x28xf32> into tensor<96x57x2x29xf32>
    %even = tensor.extract_slice %x[0, 0, 0] [96, 56, 28] [1, 1, 2] : tensor<96x56x56xf32> to tensor<96x56x28xf32>
    %p = tensor.insert_slice %even into %q[0, 1, 1, 0] [96, 56, 1, 28] [1, 1, 1, 1] : tensor<96x56x28xf32> into tensor<96x57x2x29xf32>
    %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<96x28x28xf32>) -> tensor<96x28x28xf32>
    %1 = linalg.generic {indexing_maps = [affine_map<(c, h, w, i, j, p) -> (c, i, j, p)>, affine_map<(c, h, w, i, j, p) -> (c, 2 * h + i, p, w + j)>, affine_map<(c, h, w, i, j, p) -> (c, h, w)>],
                         iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
        ins(%w, %p : tensor<96x3x2x2xf32>, tensor<96x57x2x29xf32>) outs(%0 : tensor<96x28x28xf32>)
        attrs = {tenon.phases = array<i64: 0, 2, 3, 2, 2>} {
    ^bb0(%a: f32, %b: f32, %s: f32):
      %m = arith.mulf %a, %b : f32
      %t = arith.addf %s, %m : f32
      linalg.yield %t : f32
    } -> tensor<96x28x28xf32>
    return %1 : tensor<96x28x28xf32>
  }
}
