// RUN: tenon-opt %s --split-input-file --tenon-join-pieces --symbol-dce | FileCheck %s

// A chain, as of a dense block, and views in between: both concatenations are joins, and their kernels are gone.
// CHECK-LABEL: func.func @chain
// CHECK: %[[A:.*]] = tenon.dispatch @make
// CHECK: %[[B:.*]] = tenon.dispatch @make
// CHECK: %[[V:.*]] = tensor.expand_shape %[[B]]
// CHECK: %[[E:.*]] = tensor.empty() : tensor<1x2x16xf32>
// CHECK: %[[C:.*]] = tenon.join ins(%{{.*}}, %[[V]] : tensor<1x1x16xf32>, tensor<1x1x16xf32>) outs(%[[E]]
// CHECK: %[[D:.*]] = tenon.join ins(%[[C]], %{{.*}} : tensor<1x2x16xf32>, tensor<1x1x16xf32>)
// CHECK: tenon.dispatch @use
// CHECK-NOT: @concat
func.func @chain(%x: tensor<16xf32>) -> tensor<1x3x16xf32> {
  %e = tensor.empty() : tensor<16xf32>
  %a = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %b = tenon.dispatch @make ins(%a : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %c = tenon.dispatch @make ins(%b : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %va = tensor.expand_shape %a [[0, 1, 2]] output_shape [1, 1, 16] : tensor<16xf32> into tensor<1x1x16xf32>
  %vb = tensor.expand_shape %b [[0, 1, 2]] output_shape [1, 1, 16] : tensor<16xf32> into tensor<1x1x16xf32>
  %vc = tensor.expand_shape %c [[0, 1, 2]] output_shape [1, 1, 16] : tensor<16xf32> into tensor<1x1x16xf32>
  %e2 = tensor.empty() : tensor<1x2x16xf32>
  %d = tenon.dispatch @concat ins(%va, %vb : tensor<1x1x16xf32>, tensor<1x1x16xf32>) outs(%e2 : tensor<1x2x16xf32>) -> tensor<1x2x16xf32>
  %e3 = tensor.empty() : tensor<1x3x16xf32>
  %g = tenon.dispatch @concat3 ins(%vc, %d : tensor<1x1x16xf32>, tensor<1x2x16xf32>) outs(%e3 : tensor<1x3x16xf32>) -> tensor<1x3x16xf32>
  %h = tenon.dispatch @use ins(%g : tensor<1x3x16xf32>) outs(%e3 : tensor<1x3x16xf32>) -> tensor<1x3x16xf32>
  return %h : tensor<1x3x16xf32>
}
func.func private @make(tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32> attributes {tenon.kernel}
func.func private @use(tensor<1x3x16xf32>, tensor<1x3x16xf32>) -> tensor<1x3x16xf32> attributes {tenon.kernel}
func.func private @concat(%a: tensor<1x1x16xf32>, %b: tensor<1x1x16xf32>, %o: tensor<1x2x16xf32>) -> tensor<1x2x16xf32> attributes {tenon.kernel} {
  %0 = tensor.insert_slice %a into %o[0, 0, 0] [1, 1, 16] [1, 1, 1] : tensor<1x1x16xf32> into tensor<1x2x16xf32>
  %1 = tensor.insert_slice %b into %0[0, 1, 0] [1, 1, 16] [1, 1, 1] : tensor<1x1x16xf32> into tensor<1x2x16xf32>
  return %1 : tensor<1x2x16xf32>
}
// The arguments are in another order than the pieces.
func.func private @concat3(%c: tensor<1x1x16xf32>, %d: tensor<1x2x16xf32>, %o: tensor<1x3x16xf32>) -> tensor<1x3x16xf32> attributes {tenon.kernel} {
  %0 = tensor.insert_slice %c into %o[0, 2, 0] [1, 1, 16] [1, 1, 1] : tensor<1x1x16xf32> into tensor<1x3x16xf32>
  %1 = tensor.insert_slice %d into %0[0, 0, 0] [1, 2, 16] [1, 1, 1] : tensor<1x2x16xf32> into tensor<1x3x16xf32>
  return %1 : tensor<1x3x16xf32>
}

// -----

// Copied: an argument of the function; a piece that is there twice; a second concatenation of a piece; a buffer that is written
// again; a result of the function.
// CHECK-LABEL: func.func @copied
// CHECK: %[[A:.*]] = tenon.dispatch @make
// CHECK: %[[B:.*]] = tenon.dispatch @make
// CHECK: %[[W:.*]] = tenon.dispatch @make
// CHECK: tenon.dispatch @concat ins(%[[A]], %arg0
// CHECK: tenon.dispatch @concat ins(%[[A]], %[[A]]
// CHECK: tenon.join ins(%[[A]], %[[B]]
// CHECK: tenon.dispatch @concat ins(%[[B]], %[[A]]
// CHECK: tenon.dispatch @concat ins(%[[W]], %{{.*}}
// CHECK: %[[R:.*]] = tenon.dispatch @concat
// CHECK: return %[[R]]
func.func @copied(%x: tensor<16xf32>) -> tensor<32xf32> {
  %e = tensor.empty() : tensor<16xf32>
  %e2 = tensor.empty() : tensor<32xf32>
  %a = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %b = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %w = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %c = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %d = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<16xf32>) -> tensor<16xf32>
  %0 = tenon.dispatch @concat ins(%a, %x : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  %1 = tenon.dispatch @concat ins(%a, %a : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  %2 = tenon.dispatch @concat ins(%a, %b : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  %3 = tenon.dispatch @concat ins(%b, %a : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  %4 = tenon.dispatch @concat ins(%w, %c : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  %5 = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%w : tensor<16xf32>) -> tensor<16xf32>
  tenon.dispatch @keep ins(%0, %1, %2, %3, %4, %5 : tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<16xf32>)
  %6 = tenon.dispatch @concat ins(%c, %d : tensor<16xf32>, tensor<16xf32>) outs(%e2 : tensor<32xf32>) -> tensor<32xf32>
  return %6 : tensor<32xf32>
}
func.func private @make(tensor<16xf32>, tensor<16xf32>) -> tensor<16xf32> attributes {tenon.kernel}
func.func private @keep(tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<32xf32>, tensor<16xf32>) attributes {tenon.kernel}
func.func private @concat(%a: tensor<16xf32>, %b: tensor<16xf32>, %o: tensor<32xf32>) -> tensor<32xf32> attributes {tenon.kernel} {
  %0 = tensor.insert_slice %a into %o[0] [16] [1] : tensor<16xf32> into tensor<32xf32>
  %1 = tensor.insert_slice %b into %0[16] [16] [1] : tensor<16xf32> into tensor<32xf32>
  return %1 : tensor<32xf32>
}

// -----

// Copied: columns, which are no runs, a piece that starts within a cache line, and a kernel that computes as well.
// CHECK-LABEL: func.func @shapes
// CHECK: tenon.dispatch @columns
// CHECK: tenon.dispatch @odd
// CHECK: tenon.dispatch @more
func.func @shapes(%x: tensor<16xf32>) {
  %e = tensor.empty() : tensor<4x4xf32>
  %a = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %b = tenon.dispatch @make ins(%x : tensor<16xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %e0 = tensor.empty() : tensor<4x8xf32>
  %0 = tenon.dispatch @columns ins(%a, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e0 : tensor<4x8xf32>) -> tensor<4x8xf32>
  %e1 = tensor.empty() : tensor<3x4xf32>
  %c = tenon.dispatch @made ins(%x : tensor<16xf32>) outs(%e1 : tensor<3x4xf32>) -> tensor<3x4xf32>
  %e2 = tensor.empty() : tensor<7x4xf32>
  %1 = tenon.dispatch @odd ins(%c, %a : tensor<3x4xf32>, tensor<4x4xf32>) outs(%e2 : tensor<7x4xf32>) -> tensor<7x4xf32>
  %e3 = tensor.empty() : tensor<8x4xf32>
  %2 = tenon.dispatch @more ins(%a, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e3 : tensor<8x4xf32>) -> tensor<8x4xf32>
  tenon.dispatch @keep ins(%0, %1, %2 : tensor<4x8xf32>, tensor<7x4xf32>, tensor<8x4xf32>)
  return
}
func.func private @make(tensor<16xf32>, tensor<4x4xf32>) -> tensor<4x4xf32> attributes {tenon.kernel}
func.func private @made(tensor<16xf32>, tensor<3x4xf32>) -> tensor<3x4xf32> attributes {tenon.kernel}
func.func private @keep(tensor<4x8xf32>, tensor<7x4xf32>, tensor<8x4xf32>) attributes {tenon.kernel}
func.func private @columns(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> attributes {tenon.kernel} {
  %0 = tensor.insert_slice %a into %o[0, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  %1 = tensor.insert_slice %b into %0[0, 4] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<4x8xf32>
  return %1 : tensor<4x8xf32>
}
func.func private @odd(%a: tensor<3x4xf32>, %b: tensor<4x4xf32>, %o: tensor<7x4xf32>) -> tensor<7x4xf32> attributes {tenon.kernel} {
  %0 = tensor.insert_slice %a into %o[0, 0] [3, 4] [1, 1] : tensor<3x4xf32> into tensor<7x4xf32>
  %1 = tensor.insert_slice %b into %0[3, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<7x4xf32>
  return %1 : tensor<7x4xf32>
}
func.func private @more(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>, %o: tensor<8x4xf32>) -> tensor<8x4xf32> attributes {tenon.kernel} {
  %e = tensor.empty() : tensor<4x4xf32>
  %s = linalg.exp ins(%b : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = tensor.insert_slice %a into %o[0, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<8x4xf32>
  %1 = tensor.insert_slice %s into %0[4, 0] [4, 4] [1, 1] : tensor<4x4xf32> into tensor<8x4xf32>
  return %1 : tensor<8x4xf32>
}
