// RUN: tenon-opt %s --tenon-tile-contract --tenon-bufferize-kernels --cse --canonicalize --tenon-expand-contract --canonicalize --cse | FileCheck %s

#window = affine_map<(f, h, w, c, i, j) -> (c, h + i, w + j)>

// Pixels are the vector and are read in place: the lines of the image, of three rows each, come one after the other, and
// each turn of the loop over filter rows asks for the row of the next tile that this one does not have.
// CHECK-LABEL: func.func private @window
// CHECK: scf.for %[[ROW:.*]] = %c0 to %c30 step %c3
// CHECK: scf.for %[[PIXEL:.*]] = %c0 to %c32 step %c16
// CHECK: scf.for %[[CHANNEL:.*]] = %c0 to %c16
// CHECK: scf.for %[[TAP:.*]] = %c0 to %c3
// CHECK-COUNT-2: memref.prefetch %arg1[%[[CHANNEL]], %{{.*}}, %{{.*}}], read, locality<2>, data : memref<16x32x34xf32>
// CHECK-NOT: memref.prefetch
// CHECK: vector.fma
func.func private @window(%w: tensor<8x16x3x3xf32>, %x: tensor<16x32x34xf32>, %o: tensor<8x30x32xf32>) -> tensor<8x30x32xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [8, 3, 16, 1, 1, 1], unroll = [5], vector_dim = 2, vector_width = 16>} {
  %c = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction", "reduction"] lhs(%w : tensor<8x16x3x3xf32>) rhs(%x : tensor<16x32x34xf32>) outs(%o : tensor<8x30x32xf32>)
      maps [affine_map<(f, h, w, c, i, j) -> (f, c, i, j)>, #window, affine_map<(f, h, w, c, i, j) -> (f, h, w)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<8x30x32xf32>
  return %c : tensor<8x30x32xf32>
}

// Rows of a matrix read in place are far apart: the two tiles that read the same ones ask for a line of the next each.
// CHECK-LABEL: func.func private @rows
// CHECK: scf.for %[[COLUMN:.*]] = %c0 to %c1024 step %c32
// CHECK: scf.for %[[M:.*]] = %c0 to %c16 step %c8
// CHECK: scf.for %[[K:.*]] = %c0 to %c64
// CHECK-COUNT-1: memref.prefetch %arg1[%[[K]], %{{.*}}]
// CHECK-NOT: memref.prefetch
// CHECK: vector.fma
func.func private @rows(%a: tensor<16x64xf32>, %b: tensor<64x1024xf32>, %o: tensor<16x1024xf32>) -> tensor<16x1024xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [8, 32, 1], vector_dim = 1, vector_width = 16>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x64xf32>) rhs(%b : tensor<64x1024xf32>) outs(%o : tensor<16x1024xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x1024xf32>
  return %c : tensor<16x1024xf32>
}

// What the first cache level holds is not asked for.
// CHECK-LABEL: func.func private @small
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func private @small(%a: tensor<16x64xf32>, %b: tensor<64x64xf32>, %o: tensor<16x64xf32>) -> tensor<16x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [8, 32, 1], vector_dim = 1, vector_width = 16>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<16x64xf32>) rhs(%b : tensor<64x64xf32>) outs(%o : tensor<16x64xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x64xf32>
  return %c : tensor<16x64xf32>
}

// A page of keys for one query is asked for whole, line by line, before the first of it is used.
// CHECK-LABEL: func.func private @page
// CHECK: scf.for %[[KEY:.*]] = %c0 to %c16
// CHECK-COUNT-4: memref.prefetch %arg1[%[[KEY]], %{{.*}}]
// CHECK-NOT: memref.prefetch
// CHECK: vector.reduction
func.func private @page(%q: tensor<1x64xf32>, %k: tensor<16x64xf32>, %o: tensor<1x16xf32>) -> tensor<1x16xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [1, 1, 16], vector_dim = 2, vector_width = 16>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%q : tensor<1x64xf32>) rhs(%k : tensor<16x64xf32>) outs(%o : tensor<1x16xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<1x16xf32>
  return %c : tensor<1x16xf32>
}
