// Every field of a contraction's schedule changes the Tiled IR; the same schedule makes the same IR.
//
// RUN: tenon-opt %s --tenon-tile-kernels -o %t.base
// RUN: tenon-opt %s --tenon-tile-kernels -o %t.again
// RUN: diff %t.base %t.again
// RUN: sed 's/parallel = \[8, 64, 0, 0\]/parallel = [16, 64, 0, 0]/' %s | tenon-opt --tenon-tile-kernels -o %t.parallel
// RUN: not diff -q %t.base %t.parallel
// RUN: sed 's/cache = \[4, 32, 0, 0\]/cache = [4, 16, 0, 0]/' %s | tenon-opt --tenon-tile-kernels -o %t.cache
// RUN: not diff -q %t.base %t.cache
// RUN: sed 's/order = \[1, 0\]/order = [0, 1]/' %s | tenon-opt --tenon-tile-kernels -o %t.order
// RUN: not diff -q %t.base %t.order
// RUN: sed 's/register = \[4, 16, 1, 1\]/register = [2, 16, 1, 1]/' %s | tenon-opt --tenon-tile-kernels -o %t.register
// RUN: not diff -q %t.base %t.register
// RUN: sed 's/unroll = \[3\]/unroll = []/' %s | tenon-opt --tenon-tile-kernels -o %t.unroll
// RUN: not diff -q %t.base %t.unroll
// RUN: sed 's/pack = \[1\]/pack = []/' %s | tenon-opt --tenon-tile-kernels -o %t.pack
// RUN: not diff -q %t.base %t.pack
// RUN: sed 's/vector_dim = 1/vector_dim = 0/' %s | tenon-opt --tenon-tile-kernels -o %t.dim
// RUN: not diff -q %t.base %t.dim
// RUN: sed 's/vector_width = 8/vector_width = 4/' %s | tenon-opt --tenon-tile-kernels -o %t.width
// RUN: not diff -q %t.base %t.width
// RUN: sed 's/decode_rows = 24/decode_rows = 48/' %s | tenon-opt --tenon-tile-kernels -o %t.decode
// RUN: not diff -q %t.base %t.decode
// RUN: sed 's/vector_width = 8}/vector_width = 8, in_order = true}/; s/vector_width = 8>/vector_width = 8, in_order = true>/' %s | tenon-opt --tenon-tile-kernels -o %t.in_order
// RUN: not diff -q %t.base %t.in_order

func.func private @k(%w: tensor<32x24x3xf32>, %x: tensor<24x130xf32>, %o: tensor<32x128xf32>) -> tensor<32x128xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [8, 64, 0, 0], cache = [4, 32, 0, 0],
                order = [1, 0], register = [4, 16, 1, 1], unroll = [3], pack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%w : tensor<32x24x3xf32>) rhs(%x : tensor<24x130xf32>) outs(%o : tensor<32x128xf32>)
      maps [affine_map<(f, x, c, k) -> (f, c, k)>, affine_map<(f, x, c, k) -> (c, x + k)>, affine_map<(f, x, c, k) -> (f, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<32x128xf32>
  return %c : tensor<32x128xf32>
}

func.func private @codes(%x: tensor<?x16x2xf32>, %w: tensor<16x64xi8>, %o: tensor<?x64xf32>) -> tensor<?x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 16, 1, 1], unroll = [3], vector_dim = 1,
                vector_width = 8, decode_rows = 24>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%x : tensor<?x16x2xf32>) rhs(%w : tensor<16x64xi8>) outs(%o : tensor<?x64xf32>)
      maps [affine_map<(m, n, k, t) -> (m, k, t)>, affine_map<(m, n, k, t) -> (k, n)>, affine_map<(m, n, k, t) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } decode {
  ^bb0(%code: i8):
    %0 = arith.sitofp %code : i8 to f32
    tenon.yield %0 : f32
  } -> tensor<?x64xf32>
  return %c : tensor<?x64xf32>
}
