// A copy of a model for fixed shapes adds up as the model does with open dims: one chain for each sum, lanes along the
// reduction only where they would run along it with open rows, and keys in parts only for a step of decoding.
//
// RUN: tenon-opt %s --tenon-assign-schedules | FileCheck %s --check-prefixes=CHECK,OPEN
// RUN: sed 's/tenon.sums_as_open, //' %s | tenon-opt --tenon-assign-schedules | FileCheck %s --check-prefixes=CHECK,FIXED

#wide = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                      vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.sums_as_open, tenon.target = #wide} {
  // Three rows of dots.
  // CHECK: @few_rows
  // OPEN-SAME: vector_dim = 1, vector_width = 16, in_order = true
  // FIXED-SAME: vector_dim = 2, vector_width = 16, version
  func.func private @few_rows(%a: tensor<3x64xf32>, %b: tensor<5x64xf32>, %o: tensor<3x5xf32>) -> tensor<3x5xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<3x64xf32>) rhs(%b : tensor<5x64xf32>) outs(%o : tensor<3x5xf32>)
        maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<3x5xf32>
    return %c : tensor<3x5xf32>
  }

  // A row that is no dim any more: it was one with open dims.
  // CHECK: @one_row
  // OPEN-SAME: vector_dim = 0, vector_width = 16, in_order = true
  // FIXED-SAME: vector_dim = 1, vector_width = 16, version
  func.func private @one_row(%a: tensor<64xf32>, %b: tensor<5x64xf32>, %o: tensor<5xf32>) -> tensor<5xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "reduction"] lhs(%a : tensor<64xf32>) rhs(%b : tensor<5x64xf32>) outs(%o : tensor<5xf32>)
        maps [affine_map<(n, k) -> (k)>, affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<5xf32>
    return %c : tensor<5xf32>
  }
}
