// RUN: tenon-opt %s --split-input-file --tenon-fuse-copies --symbol-dce | FileCheck %s
// RUN: tenon-opt %s --split-input-file --tenon-fuse-copies --tenon-tile-contract --canonicalize --cse | FileCheck %s --check-prefix=TILED

// A depthwise convolution of 9 channels: the unit of two channels copies two, the last one the one that is left.
// CHECK-LABEL: func.func @main
// CHECK-NOT: @pad
// CHECK: tenon.dispatch @conv_0 ins(%{{.*}}, %arg0 : tensor<9x3x3xf32>, tensor<1x9x4x5xf32>) outs(%{{.*}}) {tenon.nodes = ["p", "c"]}
// CHECK-LABEL: func.func private @conv_0
// CHECK-SAME: tenon.bytes = [array<i64: 1764>], tenon.flops = [array<i64: 3240>]
// CHECK-SAME: tenon.nodes = ["p", "c"]
// CHECK: %[[E:.*]] = tensor.empty() : tensor<1x9x6x7xf32>
// CHECK: linalg.fill {{.*}} outs(%[[E]]
// CHECK: %[[P:.*]] = tensor.insert_slice
// CHECK: %[[V:.*]] = tensor.collapse_shape %[[P]]
// CHECK: tenon.tile_contract {{.*}} rhs(%[[V]]
// TILED-LABEL: func.func private @conv_0
// TILED: scf.forall (%[[I:.*]]) = (0) to (9) step (2)
// TILED: %[[SIZE:.*]] = affine.min
// TILED: %[[E:.*]] = tensor.empty(%[[SIZE]]) : tensor<1x?x6x7xf32>
// TILED: %[[F:.*]] = linalg.fill {{.*}} outs(%[[E]]
// TILED: %[[X:.*]] = tensor.extract_slice %arg1[0, %[[I]], 0, 0] [1, %[[SIZE]], 4, 5]
// TILED: tensor.insert_slice %[[X]] into %[[F]][0, 0, 1, 1] [1, %[[SIZE]], 4, 5]
// TILED: tenon.tile_contract
func.func @main(%x: tensor<1x9x4x5xf32>, %w: tensor<9x3x3xf32>) -> tensor<9x4x5xf32> {
  %e = tensor.empty() : tensor<1x9x6x7xf32>
  %p = tenon.dispatch @pad ins(%x : tensor<1x9x4x5xf32>) outs(%e : tensor<1x9x6x7xf32>) {tenon.nodes = ["p"]} -> tensor<1x9x6x7xf32>
  %v = tensor.collapse_shape %p [[0, 1], [2], [3]] : tensor<1x9x6x7xf32> into tensor<9x6x7xf32>
  %o = tensor.empty() : tensor<9x4x5xf32>
  %y = tenon.dispatch @conv ins(%w, %v : tensor<9x3x3xf32>, tensor<9x6x7xf32>) outs(%o : tensor<9x4x5xf32>) {tenon.nodes = ["c"]} -> tensor<9x4x5xf32>
  return %y : tensor<9x4x5xf32>
}
func.func private @pad(%x: tensor<1x9x4x5xf32>, %o: tensor<1x9x6x7xf32>) -> tensor<1x9x6x7xf32>
    attributes {tenon.kernel, tenon.algorithm = "copy", tenon.nodes = ["p"]} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<1x9x6x7xf32>) -> tensor<1x9x6x7xf32>
  %1 = tensor.insert_slice %x into %0[0, 0, 1, 1] [1, 9, 4, 5] [1, 1, 1, 1] : tensor<1x9x4x5xf32> into tensor<1x9x6x7xf32>
  return %1 : tensor<1x9x6x7xf32>
}
func.func private @conv(%w: tensor<9x3x3xf32>, %x: tensor<9x6x7xf32>, %o: tensor<9x4x5xf32>) -> tensor<9x4x5xf32>
    attributes {tenon.kernel, tenon.algorithm = "contract", tenon.nodes = ["c"], tenon.flops = [array<i64: 3240>],
                tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [2, 0, 0, 0, 0], register = [1, 2, 8, 1, 1],
                                                 vector_dim = 2, vector_width = 8>} {
  %0 = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction"]
      lhs(%w : tensor<9x3x3xf32>) rhs(%x : tensor<9x6x7xf32>) outs(%o : tensor<9x4x5xf32>)
      maps [affine_map<(c, y, x, i, j) -> (c, i, j)>, affine_map<(c, y, x, i, j) -> (c, y + i, x + j)>, affine_map<(c, y, x, i, j) -> (c, y, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<9x4x5xf32>
  return %0 : tensor<9x4x5xf32>
}

// -----

// All filters read all channels: the copy would be made by each unit again.
// CHECK-LABEL: func.func @shared
// CHECK: tenon.dispatch @pad
// CHECK: tenon.dispatch @conv ins
func.func @shared(%x: tensor<9x5xf32>, %w: tensor<16x9x3xf32>) -> tensor<16x5xf32> {
  %e = tensor.empty() : tensor<9x7xf32>
  %p = tenon.dispatch @pad ins(%x : tensor<9x5xf32>) outs(%e : tensor<9x7xf32>) -> tensor<9x7xf32>
  %o = tensor.empty() : tensor<16x5xf32>
  %y = tenon.dispatch @conv ins(%w, %p : tensor<16x9x3xf32>, tensor<9x7xf32>) outs(%o : tensor<16x5xf32>) -> tensor<16x5xf32>
  return %y : tensor<16x5xf32>
}
func.func private @pad(%x: tensor<9x5xf32>, %o: tensor<9x7xf32>) -> tensor<9x7xf32> attributes {tenon.kernel, tenon.algorithm = "copy"} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<9x7xf32>) -> tensor<9x7xf32>
  %1 = tensor.insert_slice %x into %0[0, 1] [9, 5] [1, 1] : tensor<9x5xf32> into tensor<9x7xf32>
  return %1 : tensor<9x7xf32>
}
func.func private @conv(%w: tensor<16x9x3xf32>, %x: tensor<9x7xf32>, %o: tensor<16x5xf32>) -> tensor<16x5xf32> attributes {tenon.kernel} {
  %0 = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"]
      lhs(%w : tensor<16x9x3xf32>) rhs(%x : tensor<9x7xf32>) outs(%o : tensor<16x5xf32>)
      maps [affine_map<(f, x, c, j) -> (f, c, j)>, affine_map<(f, x, c, j) -> (c, x + j)>, affine_map<(f, x, c, j) -> (f, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<16x5xf32>
  return %0 : tensor<16x5xf32>
}

// -----

// The copy has another reader.
// CHECK-LABEL: func.func @twice
// CHECK: tenon.dispatch @pad
// CHECK: tenon.dispatch @conv ins
func.func @twice(%x: tensor<9x5xf32>, %w: tensor<9x3xf32>) -> (tensor<9x5xf32>, tensor<9x7xf32>) {
  %e = tensor.empty() : tensor<9x7xf32>
  %p = tenon.dispatch @pad ins(%x : tensor<9x5xf32>) outs(%e : tensor<9x7xf32>) -> tensor<9x7xf32>
  %o = tensor.empty() : tensor<9x5xf32>
  %y = tenon.dispatch @conv ins(%w, %p : tensor<9x3xf32>, tensor<9x7xf32>) outs(%o : tensor<9x5xf32>) -> tensor<9x5xf32>
  return %y, %p : tensor<9x5xf32>, tensor<9x7xf32>
}
func.func private @pad(%x: tensor<9x5xf32>, %o: tensor<9x7xf32>) -> tensor<9x7xf32> attributes {tenon.kernel, tenon.algorithm = "copy"} {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%o : tensor<9x7xf32>) -> tensor<9x7xf32>
  %1 = tensor.insert_slice %x into %0[0, 1] [9, 5] [1, 1] : tensor<9x5xf32> into tensor<9x7xf32>
  return %1 : tensor<9x7xf32>
}
func.func private @conv(%w: tensor<9x3xf32>, %x: tensor<9x7xf32>, %o: tensor<9x5xf32>) -> tensor<9x5xf32> attributes {tenon.kernel} {
  %0 = tenon.tile_contract ["parallel", "parallel", "reduction"]
      lhs(%w : tensor<9x3xf32>) rhs(%x : tensor<9x7xf32>) outs(%o : tensor<9x5xf32>)
      maps [affine_map<(c, x, j) -> (c, j)>, affine_map<(c, x, j) -> (c, x + j)>, affine_map<(c, x, j) -> (c, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<9x5xf32>
  return %0 : tensor<9x5xf32>
}

// -----

// With a cache tile of that dim, a unit goes through its channels in a loop: the padding is filled once, for as many as
// are copied at a time, and what each turn leaves is the place of the next.
// TILED-LABEL: func.func private @loop
// TILED: scf.forall (%[[I:.*]]) = (0) to (9) step (5)
// TILED: %[[E:.*]] = tensor.empty() : tensor<1x2x6x7xf32>
// TILED: %[[F:.*]] = linalg.fill {{.*}} outs(%[[E]]
// TILED: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[PLACE:.*]] = %[[F]])
// TILED: %[[SIZE:.*]] = affine.min
// TILED: %[[AT:.*]] = affine.apply {{.*}}(%[[J]], %[[I]])
// TILED: %[[PART:.*]] = tensor.extract_slice %[[PLACE]][0, 0, 0, 0] [1, %[[SIZE]], 6, 7]
// TILED: %[[X:.*]] = tensor.extract_slice %arg1[0, %[[AT]], 0, 0] [1, %[[SIZE]], 4, 5]
// TILED: %[[Q:.*]] = tensor.insert_slice %[[X]] into %[[PART]][0, 0, 1, 1] [1, %[[SIZE]], 4, 5]
// TILED: %[[LEFT:.*]] = tensor.insert_slice %[[Q]] into %[[PLACE]]
// TILED: %[[V:.*]] = tensor.collapse_shape %[[LEFT]]
// TILED: %[[R:.*]] = tensor.extract_slice %[[V]][0, 0, 0] [%[[SIZE]], 6, 7]
// TILED: tenon.tile_contract {{.*}} rhs(%[[R]]
// TILED: scf.yield %{{.*}}, %[[LEFT]]
func.func private @loop(%w: tensor<9x3x3xf32>, %x: tensor<1x9x4x5xf32>, %o: tensor<9x4x5xf32>) -> tensor<9x4x5xf32>
    attributes {tenon.kernel, tenon.algorithm = "contract",
                tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [5, 0, 0, 0, 0], cache = [2, 0, 0, 0, 0],
                                                 register = [1, 2, 8, 1, 1], vector_dim = 2, vector_width = 8>} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x9x6x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x9x6x7xf32>) -> tensor<1x9x6x7xf32>
  %p = tensor.insert_slice %x into %f[0, 0, 1, 1] [1, 9, 4, 5] [1, 1, 1, 1] : tensor<1x9x4x5xf32> into tensor<1x9x6x7xf32>
  %v = tensor.collapse_shape %p [[0, 1], [2], [3]] : tensor<1x9x6x7xf32> into tensor<9x6x7xf32>
  %0 = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction"]
      lhs(%w : tensor<9x3x3xf32>) rhs(%v : tensor<9x6x7xf32>) outs(%o : tensor<9x4x5xf32>)
      maps [affine_map<(c, y, x, i, j) -> (c, i, j)>, affine_map<(c, y, x, i, j) -> (c, y + i, x + j)>, affine_map<(c, y, x, i, j) -> (c, y, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<9x4x5xf32>
  return %0 : tensor<9x4x5xf32>
}

// The same with units and loops that cut lines as well: the part is taken from where the unit's and the loop's lines start.
// TILED-LABEL: func.func private @lines
// TILED: scf.forall (%[[I:.*]], %[[Y:.*]]) = (0, 0) to (9, 4) step (5, 2)
// TILED: scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args
// TILED: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args
// TILED-DAG: %[[LINE:.*]] = affine.apply {{.*}}(%[[K]], %[[Y]])
// TILED-DAG: %[[AT:.*]] = affine.apply {{.*}}(%[[J]], %[[I]])
// TILED: tensor.extract_slice %arg1[0, %[[AT]], 0, 0]
// TILED: %[[V:.*]] = tensor.collapse_shape
// TILED: tensor.extract_slice %[[V]][0, %[[LINE]], 0]
// TILED: tenon.tile_contract
func.func private @lines(%w: tensor<9x3x3xf32>, %x: tensor<1x9x4x5xf32>, %o: tensor<9x4x5xf32>) -> tensor<9x4x5xf32>
    attributes {tenon.kernel, tenon.algorithm = "contract",
                tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [5, 2, 0, 0, 0], cache = [2, 1, 0, 0, 0], order = [1, 0],
                                                 register = [1, 1, 8, 1, 1], vector_dim = 2, vector_width = 8>} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x9x6x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x9x6x7xf32>) -> tensor<1x9x6x7xf32>
  %p = tensor.insert_slice %x into %f[0, 0, 1, 1] [1, 9, 4, 5] [1, 1, 1, 1] : tensor<1x9x4x5xf32> into tensor<1x9x6x7xf32>
  %v = tensor.collapse_shape %p [[0, 1], [2], [3]] : tensor<1x9x6x7xf32> into tensor<9x6x7xf32>
  %0 = tenon.tile_contract ["parallel", "parallel", "parallel", "reduction", "reduction"]
      lhs(%w : tensor<9x3x3xf32>) rhs(%v : tensor<9x6x7xf32>) outs(%o : tensor<9x4x5xf32>)
      maps [affine_map<(c, y, x, i, j) -> (c, i, j)>, affine_map<(c, y, x, i, j) -> (c, y + i, x + j)>, affine_map<(c, y, x, i, j) -> (c, y, x)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<9x4x5xf32>
  return %0 : tensor<9x4x5xf32>
}
