// RUN: tenon-opt %s --split-input-file --tenon-to-tile-contract --tenon-assign-schedules | FileCheck %s

// The widest vectors run along n, which is contiguous; rows a multiple of 1 KiB apart are packed; tails are kept small.
#avx512 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                        vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #avx512} {
  // CHECK: func.func private @matmul
  // CHECK-SAME: #tenon.schedule<algorithm = "contract", parallel = [{{[1-9].*}}, {{[1-9].*}}, 0], register = [{{6, 64|8, 48}}, 1], pack = [1], vector_dim = 1, vector_width = 16, version = 1>
  func.func private @matmul(%a: tensor<1024x1024xf32>, %b: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {tenon.kernel} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    %1 = linalg.matmul ins(%a, %b : tensor<1024x1024xf32>, tensor<1024x1024xf32>) outs(%0 : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    return %1 : tensor<1024x1024xf32>
  }

  // One row times a transposed factor: sums along k in the lanes, one stream of the factor.
  // CHECK: func.func private @vector_times_transposed
  // CHECK-SAME: register = [1, 1, 16], vector_dim = 2, vector_width = 16
  func.func private @vector_times_transposed(%a: tensor<1x2048xf32>, %b: tensor<1000x2048xf32>, %o: tensor<1x1000xf32>) -> tensor<1x1000xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<1x2048xf32>) rhs(%b : tensor<1000x2048xf32>) outs(%o : tensor<1x1000xf32>)
        maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<1x1000xf32>
    return %c : tensor<1x1000xf32>
  }

  // A depthwise filter: pixels are the vector, taps that rows share are unrolled.
  // CHECK: func.func private @depthwise
  // CHECK-SAME: register = [1, 4, 64, 1, 1], unroll = [3], vector_dim = 2, vector_width = 16
  func.func private @depthwise(%w: tensor<192x7x7xf32>, %x: tensor<192x62x62xf32>, %o: tensor<192x56x56xf32>) -> tensor<192x56x56xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction"] lhs(%w : tensor<192x7x7xf32>) rhs(%x : tensor<192x62x62xf32>)
        outs(%o : tensor<192x56x56xf32>)
        maps [affine_map<(c, h, w, i, j) -> (c, i, j)>, affine_map<(c, h, w, i, j) -> (c, h + i, w + j)>, affine_map<(c, h, w, i, j) -> (c, h, w)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<192x56x56xf32>
    return %c : tensor<192x56x56xf32>
  }

  // Kernels without contractions get their algorithm and the vector width.
  // CHECK: func.func private @other
  // CHECK-SAME: #tenon.schedule<algorithm = "elementwise", vector_width = 16, version = 1>
  func.func private @other(%a: tensor<64xf32>, %o: tensor<64xf32>) -> tensor<64xf32> attributes {tenon.kernel} {
    %0 = linalg.exp ins(%a : tensor<64xf32>) outs(%o : tensor<64xf32>) -> tensor<64xf32>
    return %0 : tensor<64xf32>
  }

  // A user's schedule stays.
  // CHECK: func.func private @given
  // CHECK-SAME: #tenon.schedule<algorithm = "contract", register = [2, 8, 1], vector_dim = 1, vector_width = 8, version = 1>
  func.func private @given(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
      attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [2, 8, 1], vector_dim = 1, vector_width = 8>} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
        maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<4x8xf32>
    return %c : tensor<4x8xf32>
  }
}

// -----

#avx2 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                      vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 16777216>
module attributes {tenon.target = #avx2} {
  // CHECK: func.func private @matmul
  // CHECK-SAME: register = [6, 16, 1], pack = [1], vector_dim = 1, vector_width = 8
  func.func private @matmul(%a: tensor<1024x1024xf32>, %b: tensor<1024x1024xf32>, %o: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> attributes {tenon.kernel} {
    %zero = arith.constant 0.0 : f32
    %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    %1 = linalg.matmul ins(%a, %b : tensor<1024x1024xf32>, tensor<1024x1024xf32>) outs(%0 : tensor<1024x1024xf32>) -> tensor<1024x1024xf32>
    return %1 : tensor<1024x1024xf32>
  }
}

// -----

// A weight is packed at load; the tile leaves registers for the pixels that the unrolled taps share.
#avx512 = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                        vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #avx512} {
  tenon.weight @w from "model.onnx" at 0 length 2359296 : tensor<256x256x3x3xf32>
  func.func @main(%x: tensor<256x58x58xf32>) -> tensor<256x56x56xf32> {
    %w = tenon.load_weight @w : tensor<256x256x3x3xf32>
    %e = tensor.empty() : tensor<256x56x56xf32>
    %r = tenon.dispatch @conv ins(%w, %x : tensor<256x256x3x3xf32>, tensor<256x58x58xf32>) outs(%e : tensor<256x56x56xf32>) -> tensor<256x56x56xf32>
    return %r : tensor<256x56x56xf32>
  }
  // CHECK: func.func private @conv
  // CHECK-SAME: register = [32, {{[1-4], [3-8]}}, 1, 1, 1], unroll = [{{(4, )?}}5], prepack = [0], vector_dim = 0, vector_width = 16
  func.func private @conv(%w: tensor<256x256x3x3xf32>, %x: tensor<256x58x58xf32>, %o: tensor<256x56x56xf32>) -> tensor<256x56x56xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%w : tensor<256x256x3x3xf32>) rhs(%x : tensor<256x58x58xf32>) outs(%o : tensor<256x56x56xf32>)
        maps [affine_map<(f, h, w, c, i, j) -> (f, c, i, j)>, affine_map<(f, h, w, c, i, j) -> (c, h + i, w + j)>, affine_map<(f, h, w, c, i, j) -> (f, h, w)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } -> tensor<256x56x56xf32>
    return %c : tensor<256x56x56xf32>
  }
}

// -----

// Panels of codes are decoded once where there are many rows; how many is not known here.
#wide = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512,
                      vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #wide} {
  // CHECK: func.func private @open_rows
  // CHECK-SAME: unroll = [3], {{.*}}vector_dim = 1, vector_width = 16, decode_rows = 64, in_order = true, version = 1
  func.func private @open_rows(%a: tensor<?x64x8xf32>, %b: tensor<64x512xi32>, %o: tensor<?x512xf32>) -> tensor<?x512xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<?x64x8xf32>) rhs(%b : tensor<64x512xi32>) outs(%o : tensor<?x512xf32>)
        maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (k, n)>, affine_map<(m, n, k, t) -> (m, n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } decode {
    ^bb0(%code: i32):
      %0 = arith.sitofp %code : i32 to f32
      tenon.yield %0 : f32
    } -> tensor<?x512xf32>
    return %c : tensor<?x512xf32>
  }

  // CHECK: func.func private @few_rows
  // CHECK-NOT: decode_rows
  func.func private @few_rows(%a: tensor<8x64x8xf32>, %b: tensor<64x512xi32>, %o: tensor<8x512xf32>) -> tensor<8x512xf32> attributes {tenon.kernel} {
    %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<8x64x8xf32>) rhs(%b : tensor<64x512xi32>) outs(%o : tensor<8x512xf32>)
        maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (k, n)>, affine_map<(m, n, k, t) -> (m, n)>] {
    ^bb0(%acc: f32):
      tenon.yield %acc : f32
    } decode {
    ^bb0(%code: i32):
      %0 = arith.sitofp %code : i32 to f32
      tenon.yield %0 : f32
    } -> tensor<8x512xf32>
    return %c : tensor<8x512xf32>
  }
}
