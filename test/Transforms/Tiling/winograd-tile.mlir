// RUN: tenon-opt %s --split-input-file --tenon-assign-schedules --tenon-tile-winograd --canonicalize --cse | FileCheck %s

#target = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                        vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>
module attributes {tenon.target = #target} {

// Units of (sample, channels, row of tiles); windows' rows with channels innermost and zeros around, then both passes.
// CHECK-LABEL: func private @input
// CHECK-SAME: algorithm = "winograd", parallel = [1, 32, 1], vector_dim = 1, vector_width = 8
// CHECK: scf.forall (%[[N:.*]], %[[C:.*]], %[[Y:.*]]) = (0, 0, 0) to (2, 64, 14) step (1, 32, 1)
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : tensor<6x58x32xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<32x?x56xf32>) outs(%{{.*}} : tensor<?x56x32xf32>)
// CHECK: %[[ROWS:.*]] = tenon.tile_transform in(%{{.*}} : tensor<6x58x32xf32>) outs(%{{.*}} : tensor<6x1x58x32xf32>)
// CHECK: tenon.tile_transform in(%[[ROWS]] : tensor<6x1x58x32xf32>) outs(%{{.*}} : tensor<6x6x1x14x32xf32>)
// CHECK: tensor.parallel_insert_slice
func.func private @input(%x: tensor<2x64x56x56xf32>, %v: tensor<6x6x28x14x64xf32>) -> tensor<6x6x28x14x64xf32> attributes {tenon.kernel} {
  %0 = tenon.winograd_input 4 %x pads [1, 1, 1, 1] outs(%v : tensor<6x6x28x14x64xf32>) : tensor<2x64x56x56xf32> -> tensor<6x6x28x14x64xf32>
  return %0 : tensor<6x6x28x14x64xf32>
}

// The elementwise op behind it works on the unit's part; rows past the result's are dropped.
// CHECK-LABEL: func private @output
// CHECK: scf.forall (%[[Y:.*]]) in (5)
// CHECK: %[[ROWS:.*]] = tenon.tile_transform {{.*}} rows 2
// CHECK: tenon.tile_transform in(%[[ROWS]]
// CHECK: %[[COUNT:.*]] = affine.min #{{.*}}()[%[[Y]]]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, 0] [%[[COUNT]], 11, 7]
// CHECK: %[[PART:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<7x?x11xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[PART]], %arg1
// CHECK: arith.maximumf
// CHECK: tensor.parallel_insert_slice
func.func private @output(%m: tensor<4x4x5x6x7xf32>, %b: tensor<7xf32>, %y: tensor<7x9x11xf32>) -> tensor<7x9x11xf32> attributes {tenon.kernel} {
  %e = tensor.empty() : tensor<7x9x11xf32>
  %0 = tenon.winograd_output 2 %m outs(%e : tensor<7x9x11xf32>) : tensor<4x4x5x6x7xf32> -> tensor<7x9x11xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(f, y, x) -> (f, y, x)>, affine_map<(f, y, x) -> (f)>, affine_map<(f, y, x) -> (f, y, x)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0, %b : tensor<7x9x11xf32>, tensor<7xf32>) outs(%y : tensor<7x9x11xf32>) {
  ^bb0(%s: f32, %t: f32, %o: f32):
    %zero = arith.constant 0.0 : f32
    %2 = arith.addf %s, %t : f32
    %3 = arith.maximumf %2, %zero : f32
    linalg.yield %3 : f32
  } -> tensor<7x9x11xf32>
  return %1 : tensor<7x9x11xf32>
}
}
