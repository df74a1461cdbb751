// RUN: tenon-opt %s --tenon-print-spaces=best=2 -o /dev/null | FileCheck %s
// RUN: tenon-opt %s --tenon-print-spaces="best=0 samples=2 seed=3" -o /dev/null | FileCheck %s --check-prefix=SAMPLES
//
// Of a kernel's space: the axes with their values under the schedule in use, the number of candidates, the cheapest.

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 589824 : tensor<64x256x3x3xf32>
func.func @main(%x: tensor<256x30x30xf32>) -> tensor<64x28x28xf32> {
  %w = tenon.load_weight @w : tensor<64x256x3x3xf32>
  %e = tensor.empty() : tensor<64x28x28xf32>
  %r = tenon.dispatch @conv ins(%w, %x : tensor<64x256x3x3xf32>, tensor<256x30x30xf32>) outs(%e : tensor<64x28x28xf32>) -> tensor<64x28x28xf32>
  return %r : tensor<64x28x28xf32>
}

// CHECK: matmul: 1796 candidates
// CHECK-NEXT:   vector_dim 1 of 2: 1, 0
// CHECK-NEXT:   vectors 4 of 4: 4, 1, 2, 3
// CHECK-NEXT:   rows [6, 1, 1] of 6: [6, 1, 1], [1, 1, 1], [2, 1, 1], [3, 1, 1], [4, 1, 1], [5, 1, 1]
// CHECK-NEXT:   pack [] of 2: [], 1
// CHECK-NEXT:   prepack [] of 1: []
// CHECK-NEXT:   chunk 0 of 2: 0, 20
// CHECK-NEXT:   unroll [] of 1: []
// CHECK-NEXT:   parallel [0, 0, 0] of 3: [0, 0, 0], [12, 0, 0], [6, 0, 0]
// CHECK-NEXT:   decode_rows 0 of 1: 0
// CHECK-NEXT:   in use 0.0361 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [6, 64, 1], vector_dim = 1, vector_width = 16, version = 1>
// CHECK-NEXT:   best 0.0361 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [6, 64, 1], vector_dim = 1, vector_width = 16, version = 1>
// CHECK-NEXT:   best 0.0369 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [5, 64, 1], vector_dim = 1, vector_width = 16, version = 1>
// SAMPLES: matmul: 1796 candidates
// SAMPLES:   sample 0.0931 #tenon.schedule<algorithm = "contract", parallel = [4, 32, 0], register = [2, 32, 1], unroll = [2], vector_dim = 1, vector_width = 16, version = 1>
// SAMPLES:   sample 0.0558 #tenon.schedule<algorithm = "contract", parallel = [0, 48, 0], register = [5, 48, 1], pack = [1], vector_dim = 1, vector_width = 16, version = 1>
func.func private @matmul(%a: tensor<24x40xf32>, %b: tensor<40x64xf32>, %o: tensor<24x64xf32>) -> tensor<24x64xf32> attributes {tenon.kernel} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<24x40xf32>) rhs(%b : tensor<40x64xf32>) outs(%o : tensor<24x64xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<24x64xf32>
  return %c : tensor<24x64xf32>
}

// CHECK: conv: 111320 candidates
// CHECK-NEXT:   vector_dim 0 of 4: 0, 1, 2, 5
// CHECK-NEXT:   vectors 2 of 4: 2, 1, 3, 4
// CHECK-NEXT:   rows [1, 2, 4, 1, 1, 1] of 27: [1, 2, 4, 1, 1, 1], [1, 1, 1, 1, 1, 1], [1, 2, 1, 1, 1, 1], [1, 3, 1, 1, 1, 1], [1, 4, 1, 1, 1, 1], [1, 5, 1, 1, 1, 1], [1, 6, 1, 1, 1, 1], [1, 7, 1, 1, 1, 1], ...
// CHECK-NEXT:   pack [] of 2: [], 0
// CHECK-NEXT:   prepack 0 of 2: 0, []
// CHECK-NEXT:   chunk 15 of 9: 15, 0, 128, 64, 32, 16, 8, 4, ...
// CHECK-NEXT:   unroll 5 of 3: 5, [], [4, 5]
// CHECK-NEXT:   parallel [32, 4, 0, 0, 0, 0] of 10: [32, 4, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0, 14, 0, 0, 0, 0], [32, 14, 0, 0, 0, 0], [32, 8, 0, 0, 0, 0], [0, 8, 0, 0, 0, 0], [0, 4, 0, 0, 0, 0], [0, 2, 0, 0, 0, 0], ...
// CHECK-NEXT:   decode_rows 0 of 1: 0
// CHECK-NEXT:   in use 0.0383 #tenon.schedule<algorithm = "contract", parallel = [32, 4, 0, 0, 0, 0], cache = [0, 0, 0, 15, 0, 0], register = [32, 2, 4, 1, 1, 1], unroll = [5], prepack = [0], vector_dim = 0, vector_width = 16, version = 1>
// CHECK-NEXT:   best 0.0382 #tenon.schedule<algorithm = "contract", parallel = [32, 4, 0, 0, 0, 0], cache = [0, 0, 0, 16, 0, 0], register = [32, 2, 4, 1, 1, 1], unroll = [5], prepack = [0], vector_dim = 0, vector_width = 16, version = 1>
// CHECK-NEXT:   best 0.0383 #tenon.schedule<algorithm = "contract", parallel = [32, 4, 0, 0, 0, 0], cache = [0, 0, 0, 15, 0, 0], register = [32, 2, 4, 1, 1, 1], unroll = [5], prepack = [0], vector_dim = 0, vector_width = 16, version = 1>
// SAMPLES: conv: 111320 candidates
// SAMPLES:   sample 0.6080 #tenon.schedule<algorithm = "contract", parallel = [0, 1, 10, 0, 0, 0], register = [7, 1, 1, 1, 1, 16], vector_dim = 5, vector_width = 16, version = 1>
// SAMPLES:   sample 0.3340 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0, 0, 0, 0], register = [3, 5, 1, 1, 1, 16], vector_dim = 5, vector_width = 16, version = 1>
func.func private @conv(%w: tensor<64x256x3x3xf32>, %x: tensor<256x30x30xf32>, %o: tensor<64x28x28xf32>) -> tensor<64x28x28xf32> attributes {tenon.kernel} {
  %c = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%w : tensor<64x256x3x3xf32>) rhs(%x : tensor<256x30x30xf32>) outs(%o : tensor<64x28x28xf32>)
      maps [affine_map<(f, h, w, c, i, j) -> (f, c, i, j)>, affine_map<(f, h, w, c, i, j) -> (c, h + i, w + j)>, affine_map<(f, h, w, c, i, j) -> (f, h, w)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<64x28x28xf32>
  return %c : tensor<64x28x28xf32>
}

// The schedule in use is a user's, of which the space does not hold the vectors' width.
// CHECK: given: 108 candidates
// CHECK-NEXT:   vector_dim 1 of 2: 1, 0
// CHECK-NEXT:   vectors 1 of 1: 1
// CHECK-NEXT:   rows [4, 1, 1] of 4: [4, 1, 1], [1, 1, 1], [2, 1, 1], [3, 1, 1]
// CHECK-NEXT:   pack [] of 2: [], 1
// CHECK-NEXT:   prepack [] of 1: []
// CHECK-NEXT:   chunk 0 of 1: 0
// CHECK-NEXT:   unroll 2 of 2: 2, []
// CHECK-NEXT:   parallel [0, 0, 0] of 1: [0, 0, 0]
// CHECK-NEXT:   decode_rows 0 of 1: 0
// CHECK-NEXT:   in use, not in the space #tenon.schedule<algorithm = "contract", register = [2, 8, 1], vector_dim = 1, vector_width = 8, version = 1>
// CHECK-NEXT:   best 0.1998 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [4, 16, 1], unroll = [2], vector_dim = 1, vector_width = 16, version = 1>
// CHECK-NEXT:   best 0.2811 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [4, 16, 1], unroll = [2], pack = [1], vector_dim = 1, vector_width = 16, version = 1>
// SAMPLES: given: 108 candidates
// SAMPLES:   sample 4.4648 #tenon.schedule<algorithm = "contract", parallel = [0, 6, 0], register = [16, 3, 1], pack = [0], vector_dim = 0, vector_width = 16, version = 1>
// SAMPLES:   sample 4.0370 #tenon.schedule<algorithm = "contract", parallel = [0, 0, 0], register = [16, 7, 1], pack = [0], vector_dim = 0, vector_width = 16, version = 1>
func.func private @given(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [2, 8, 1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// CHECK: attention: 4466 candidates
// CHECK-NEXT:   heads 4 of 3: 4, 2, 1
// CHECK-NEXT:   rows 32 of 7: 32, 1, 2, 4, 8, 16, 64
// CHECK-NEXT:   keys 256 of 7: 256, 32, 64, 128, 512, 1024, 2048
// CHECK-NEXT:   keys_per_unit 0 of 1: 0
// CHECK-NEXT:   head_tile 1 of 3: 1, 2, 4
// CHECK-NEXT:   row_tile 6 of 8: 6, 1, 2, 3, 4, 5, 7, 8
// CHECK-NEXT:   vectors 4 of 3: 4, 1, 2
// CHECK-NEXT:   in use #tenon.schedule<algorithm = "attention", parallel = [1, 4, 32, 0], cache = [0, 0, 0, 256], register = [1, 1, 6, 64], vector_dim = 3, vector_width = 16, version = 1>
// CHECK-NEXT:   best #tenon.schedule<algorithm = "attention", parallel = [1, 4, 32, 0], cache = [0, 0, 0, 256], register = [1, 1, 6, 64], vector_dim = 3, vector_width = 16, version = 1>
// SAMPLES: attention: 4466 candidates
// SAMPLES:   sample #tenon.schedule<algorithm = "attention", parallel = [1, 1, 4, 0], cache = [0, 0, 0, 1024], register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16, version = 1>
// SAMPLES:   sample #tenon.schedule<algorithm = "attention", parallel = [1, 4, 1, 0], cache = [0, 0, 0, 128], register = [1, 4, 1, 64], vector_dim = 3, vector_width = 16, version = 1>
func.func private @attention(%q: tensor<1x8x97x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %o: tensor<1x8x97x64xf32>) -> tensor<1x8x97x64xf32> attributes {tenon.kernel} {
  %s = tenon.kv_source %k, %v : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x8x97x64xf32>) : tensor<1x8x97x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x8x97x64xf32>
  return %r : tensor<1x8x97x64xf32>
}

// CHECK: rows: 4 candidates
// CHECK-NEXT:   vector_width 16 of 4: 16, 4, 8, 32
// CHECK-NEXT:   parallel [] of 1: []
// CHECK-NEXT:   in use #tenon.schedule<algorithm = "rows", vector_width = 16, version = 1>
// CHECK-NEXT:   best #tenon.schedule<algorithm = "rows", vector_width = 16, version = 1>
// SAMPLES: rows: 4 candidates
// SAMPLES:   sample #tenon.schedule<algorithm = "rows", vector_width = 32, version = 1>
// SAMPLES:   sample #tenon.schedule<algorithm = "rows", vector_width = 8, version = 1>
func.func private @rows(%x: tensor<40x300xf32>, %o: tensor<40x300xf32>) -> tensor<40x300xf32> attributes {tenon.kernel} {
  %0 = linalg.softmax dimension(1) ins(%x : tensor<40x300xf32>) outs(%o : tensor<40x300xf32>) -> tensor<40x300xf32>
  return %0 : tensor<40x300xf32>
}

// CHECK: turned: 48 candidates
// CHECK-NEXT:   vector_width 16 of 4: 16, 4, 8, 32
// CHECK-NEXT:   parallel [] of 12: [], [20, 0], [10, 0], [5, 0], [3, 0], [2, 0], [0, 150], [0, 75], ...
// CHECK-NEXT:   in use #tenon.schedule<algorithm = "elementwise", vector_width = 16, version = 1>
// CHECK-NEXT:   best #tenon.schedule<algorithm = "elementwise", vector_width = 16, version = 1>
// SAMPLES: turned: 48 candidates
// SAMPLES:   sample #tenon.schedule<algorithm = "elementwise", parallel = [0, 5], vector_width = 16, version = 1>
// SAMPLES:   sample #tenon.schedule<algorithm = "elementwise", parallel = [20, 0], vector_width = 8, version = 1>
func.func private @turned(%x: tensor<300x40xf32>, %o: tensor<40x300xf32>) -> tensor<40x300xf32> attributes {tenon.kernel} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<300x40xf32>) outs(%o : tensor<40x300xf32>) {
  ^bb0(%a: f32, %b: f32):
    linalg.yield %a : f32
  } -> tensor<40x300xf32>
  return %0 : tensor<40x300xf32>
}
}
