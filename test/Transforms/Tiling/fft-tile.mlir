// RUN: tenon-opt %s --tenon-assign-schedules --tenon-tile-fft --canonicalize --cse | FileCheck %s

#target = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                        vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>
module attributes {tenon.target = #target} {

// One window: it is not padded, transforms know where it lies. The elementwise op behind works on the unit's part.
// CHECK-LABEL: func private @one
// CHECK-SAME: algorithm = "fft", parallel = [1, 16, 0, 0], vector_dim = 1, vector_width = 8
// CHECK: scf.forall (%[[C:.*]]) = (0) to (40) step (16)
// CHECK-NOT: linalg.fill
// CHECK: %[[WINDOW:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<28x20x?xf32>) {
// CHECK: %[[LINES:.*]] = tenon.tile_fft forward 48 offset 10 in(%[[WINDOW]] : {{.*}}) outs(%{{.*}} : tensor<25x28x2x?xf32>)
// CHECK: %[[BOTH:.*]] = tenon.tile_fft product 48 offset 15 in(%[[LINES]] : {{.*}}) spectrum(%{{.*}} : tensor<25x48x2x?xf32>) outs(%{{.*}} : tensor<25x28x2x?xf32>)
// CHECK: %[[TILE:.*]] = tenon.tile_fft backward 48 offset 0 in(%[[BOTH]] : {{.*}}) outs(%{{.*}} : tensor<28x20x?xf32>)
// CHECK: %[[WHOLE:.*]] = tensor.extract_slice %[[TILE]]
// CHECK: %[[PART:.*]] = linalg.generic {{.*}} ins(%[[WHOLE]] : {{.*}}) outs(%{{.*}} : tensor<?x28x20xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[PART]]
// CHECK: arith.maximumf
func.func private @one(%x: tensor<1x40x28x20xf32>, %s: tensor<25x48x2x40xf32>, %o: tensor<40x28x20xf32>) -> tensor<40x28x20xf32> attributes {tenon.kernel} {
  %e = tensor.empty() : tensor<40x28x20xf32>
  %0 = tenon.fft_conv %x, %s sizes [48, 48] tile [28, 20] pads [15, 10] outs(%e : tensor<40x28x20xf32>) : tensor<1x40x28x20xf32>, tensor<25x48x2x40xf32> -> tensor<40x28x20xf32>
  %zero = arith.constant 0.0 : f32
  %1 = linalg.generic {indexing_maps = [affine_map<(c, y, x) -> (c, y, x)>, affine_map<(c, y, x) -> (c, y, x)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%0 : tensor<40x28x20xf32>) outs(%o : tensor<40x28x20xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %zero : f32
    linalg.yield %m : f32
  } -> tensor<40x28x20xf32>
  return %1 : tensor<40x28x20xf32>
}

// Several: each is padded; the last tiles are cut.
// CHECK-LABEL: func private @several
// CHECK: scf.forall (%[[N:.*]], %[[Y:.*]], %[[X:.*]]) = (0, 0, 0) to (2, 30, 30) step (1, 12, 12)
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : tensor<16x16x8xf32>)
// CHECK: tenon.tile_fft forward 16 offset 0 in(%{{.*}} : tensor<16x16x8xf32>)
// CHECK: tenon.tile_fft product 16 offset 0 {{.*}} outs(%{{.*}} : tensor<9x12x2x8xf32>)
// CHECK: %[[TILE:.*]] = tenon.tile_fft backward 16 offset 0 {{.*}} outs(%{{.*}} : tensor<12x12x8xf32>)
// CHECK: tensor.extract_slice %[[TILE]][0, 0, 0] [%{{.*}}, %{{.*}}, 8]
func.func private @several(%x: tensor<2x8x30x30xf32>, %s: tensor<9x16x2x8xf32>, %o: tensor<2x8x30x30xf32>) -> tensor<2x8x30x30xf32> attributes {tenon.kernel} {
  %0 = tenon.fft_conv %x, %s sizes [16, 16] tile [12, 12] pads [2, 2] outs(%o : tensor<2x8x30x30xf32>) : tensor<2x8x30x30xf32>, tensor<9x16x2x8xf32> -> tensor<2x8x30x30xf32>
  return %0 : tensor<2x8x30x30xf32>
}
}
