// RUN: tenon-opt %s --tenon-tile-attention | FileCheck %s
// RUN: tenon-opt %s --tenon-tile-kernels -o %t.base
// RUN: sed 's/parallel = \[1, 1, 32, 0\]/parallel = [1, 1, 16, 0]/' %s | tenon-opt --tenon-tile-kernels -o %t.rows
// RUN: not diff -q %t.base %t.rows
// RUN: sed 's/cache = \[0, 0, 0, 128\]/cache = [0, 0, 0, 64]/' %s | tenon-opt --tenon-tile-kernels -o %t.keys
// RUN: not diff -q %t.base %t.keys
// RUN: sed 's/register = \[1, 1, 4, 32\]/register = [1, 1, 4, 16]/' %s | tenon-opt --tenon-tile-kernels -o %t.register
// RUN: not diff -q %t.base %t.register
// RUN: sed 's/vector_width = 16/vector_width = 8/' %s | tenon-opt --tenon-tile-kernels -o %t.width
// RUN: not diff -q %t.base %t.width

// Rows of one head; keys up to the last row's place; the score's region is the first product's epilogue; tiles that all
// rows see whole are not masked.
// CHECK-LABEL: func private @causal
// CHECK: scf.forall (%[[B:.*]], %[[H:.*]], %[[I:.*]]) = (0, 0, 0) to (2, 8, 128) step (1, 1, 32) shared_outs
// CHECK: %[[GROUP:.*]] = arith.divui %[[H]]
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %c128{{.*}} iter_args
// CHECK: tensor.extract_slice %arg1[%[[B]], %[[GROUP]], %[[J]], 0]
// CHECK: tenon.tile_contract {{.*}} attributes {pack = array<i64: 1>, register_ = array<i64: 4, 32, 1>, vector_dim = 1 : i64, vector_width = 16 : i64}
// CHECK: arith.mulf
// CHECK: scf.if
// CHECK: linalg.index 0
// CHECK: arith.cmpi sle
// CHECK: math.exp
// CHECK: tenon.tile_contract {{.*}} attributes {register_ = array<i64: 4, 32, 1>, vector_dim = 1 : i64, vector_width = 16 : i64}
// CHECK: arith.divf
// CHECK: tensor.parallel_insert_slice
func.func private @causal(%q: tensor<2x8x128x64xf32>, %k: tensor<2x4x256x64xf32>, %v: tensor<2x4x256x64xf32>, %o: tensor<2x8x128x64xf32>) -> tensor<2x8x128x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 32, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %eighth = arith.constant 0.125 : f32
  %s = tenon.kv_source %k, %v mask(#tenon.causal) : tensor<2x4x256x64xf32>, tensor<2x4x256x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<2x8x128x64xf32>) : tensor<2x8x128x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %0 = arith.mulf %x, %eighth : f32
    tenon.yield %0 : f32
  } -> tensor<2x8x128x64xf32>
  return %r : tensor<2x8x128x64xf32>
}

// One query: sums along the depth. A region that reads an index runs on the tile of scores. Without a mask and with
// keys that fill their tiles nothing is hidden.
// CHECK-LABEL: func private @one_query
// CHECK: tenon.tile_contract {{.*}} attributes {register_ = array<i64: 1, 1, 16>, vector_dim = 2 : i64, vector_width = 16 : i64}
// CHECK: linalg.generic
// CHECK: linalg.index 1
// CHECK-NOT: scf.if
// CHECK-NOT: math.exp
// CHECK: arith.maximumf
// CHECK: tenon.tile_contract
func.func private @one_query(%q: tensor<1x8x1x64xf32>, %k: tensor<1x8x256x64xf32>, %v: tensor<1x8x256x64xf32>, %o: tensor<1x8x1x64xf32>) -> tensor<1x8x1x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 1, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 1, 64], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x8x256x64xf32>, tensor<1x8x256x64xf32>
  %r = tenon.attention relu %q sources(%s) outs(%o : tensor<1x8x1x64xf32>) : tensor<1x8x1x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %n = arith.index_cast %j : index to i32
    %f = arith.sitofp %n : i32 to f32
    %0 = arith.addf %x, %f : f32
    tenon.yield %0 : f32
  } -> tensor<1x8x1x64xf32>
  return %r : tensor<1x8x1x64xf32>
}

// Pages, and three heads that share keys: few rows read each page where it is; the numbers of pages are held within the pool.
// CHECK-LABEL: func private @pages
// CHECK: scf.forall {{.*}} to (2, 6, 1) step (1, 3, 1)
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %{{.*}} step %c128
// CHECK: scf.for %[[PAGE:[^ ]+]] =
// CHECK: %[[NUMBER:.*]] = tensor.extract %arg3[%{{.*}}, %[[PAGE]]]
// CHECK: arith.maxsi
// CHECK: %[[AT:.*]] = arith.minsi
// CHECK: tensor.extract_slice %arg1[%[[AT]], %{{.*}}, %{{.*}}, 0]
// CHECK: tenon.tile_contract {{.*}} attributes {register_ = array<i64: 3, 1, 1, 16>, vector_dim = 3 : i64, vector_width = 16 : i64}
// CHECK: scf.for
// CHECK: tensor.extract_slice %arg2[
// CHECK: tenon.tile_contract {{.*}} attributes {register_ = array<i64: 3, 1, 64, 1>, vector_dim = 2 : i64, vector_width = 16 : i64}
func.func private @pages(%q: tensor<2x6x1x64xf32>, %k: tensor<9x2x16x64xf32>, %v: tensor<9x2x16x64xf32>, %p: tensor<2x8xi32>, %l: tensor<2xi64>, %o: tensor<2x6x1x64xf32>) -> tensor<2x6x1x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 3, 1, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 3, 1, 64], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v pages(%p : tensor<2x8xi32>) lengths %l : tensor<9x2x16x64xf32>, tensor<9x2x16x64xf32>, tensor<2xi64>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<2x6x1x64xf32>) : tensor<2x6x1x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x6x1x64xf32>
  return %r : tensor<2x6x1x64xf32>
}

// As many queries as there are: few and many each have their products.
// CHECK-LABEL: func private @any_number
// CHECK: %[[FEW:.*]] = arith.cmpi sle
// CHECK: scf.if %[[FEW]]
// CHECK: vector_dim = 2
// CHECK: else
// CHECK: pack = array<i64: 1>
func.func private @any_number(%q: tensor<1x2x?x64xf32>, %k: tensor<1x2x16x64xf32>, %v: tensor<1x2x16x64xf32>, %t: tensor<1xi64>, %o: tensor<1x2x?x64xf32>) -> tensor<1x2x?x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 64, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 6, 64], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v start(%t : tensor<1xi64>) : tensor<1x2x16x64xf32>, tensor<1x2x16x64xf32>
  %r = tenon.attention relu %q sources(%s) outs(%o : tensor<1x2x?x64xf32>) : tensor<1x2x?x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x?x64xf32>
  return %r : tensor<1x2x?x64xf32>
}

// A mask with holes: a tile that no row of the unit sees is left out, one that all rows see is not masked. What the test of a pair
// needs of its query or its key alone is computed once for rows, and once for columns.
// CHECK-LABEL: func private @holes
// CHECK: scf.for {{.*}} iter_args(%[[HIGHEST:.*]] = %{{.*}}, %[[SUM:.*]] = %{{.*}}, %[[RESULT:.*]] = %{{.*}})
// CHECK: scf.if %{{.*}} -> (tensor<32xf32>, tensor<32xf32>, tensor<32x64xf32>)
// CHECK-NEXT: scf.yield %[[HIGHEST]], %[[SUM]], %[[RESULT]]
// CHECK: else
// CHECK: tenon.tile_contract
// CHECK: scf.if
// CHECK: else
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<32xi64>)
// CHECK: arith.remsi
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<?xi64>)
// CHECK: arith.remsi
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<32xi64>, tensor<?xi64>)
// CHECK-NOT: arith.remsi
// CHECK: math.exp
func.func private @holes(%q: tensor<2x8x128x64xf32>, %k: tensor<2x8x256x64xf32>, %v: tensor<2x8x256x64xf32>, %o: tensor<2x8x128x64xf32>) -> tensor<2x8x128x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 32, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v mask(#tenon.any_of<#tenon.prefix<8>, #tenon.dilated<4, 0, 8>>) : tensor<2x8x256x64xf32>, tensor<2x8x256x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<2x8x128x64xf32>) : tensor<2x8x128x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x8x128x64xf32>
  return %r : tensor<2x8x128x64xf32>
}

// Heads with masks of their own: the test is that of the unit's head. A predicate is asked of every pair.
// CHECK-LABEL: func private @heads
// CHECK: scf.forall (%{{.*}}, %[[H:.*]], %{{.*}}) =
// CHECK: %[[WHICH:.*]] = arith.remui %[[H]], %c2
// CHECK: scf.index_switch %[[WHICH]]
// CHECK: case 0
// CHECK: arith.cmpi sle
// CHECK: default
// CHECK: arith.cmpi ne
func.func private @heads(%q: tensor<2x8x128x64xf32>, %k: tensor<2x2x256x64xf32>, %v: tensor<2x2x256x64xf32>, %o: tensor<2x8x128x64xf32>) -> tensor<2x8x128x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 32, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v mask(#tenon.per_head<#tenon.causal, #tenon.prefix<100>>) : tensor<2x2x256x64xf32>, tensor<2x2x256x64xf32> predicate {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %p = arith.cmpi ne, %i, %j : index
    tenon.yield %p : i1
  }
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<2x8x128x64xf32>) : tensor<2x8x128x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x8x128x64xf32>
  return %r : tensor<2x8x128x64xf32>
}
