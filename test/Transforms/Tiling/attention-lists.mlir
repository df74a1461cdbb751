// RUN: tenon-opt %s --tenon-tile-attention --canonicalize | FileCheck %s

// Blocks of at least a tile: entry by entry, where they lie; numbers without a block make an empty loop.
// CHECK-LABEL: func private @large
// CHECK: scf.for %[[E:[^ ]+]] = %c0 to %c3
// CHECK: %[[BLOCK:.*]] = tensor.extract %arg3[%{{.*}}, %{{.*}}, %{{.*}}, %[[E]]]
// CHECK: %[[AT:.*]] = arith.index_cast %[[BLOCK]] : i64 to index
// CHECK: %[[EXISTS:.*]] = arith.cmpi ult, %[[AT]], %c4
// CHECK: arith.minsi
// CHECK: %[[HIGH:.*]] = arith.select %[[EXISTS]], %{{.*}}, %c0
// CHECK: scf.for %[[J:[^ ]+]] = %{{.*}} to %[[HIGH]] step %c64
// CHECK: tensor.extract_slice %arg1[0, %{{.*}}, %[[J]], 0]
func.func private @large(%q: tensor<1x2x64x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %b: tensor<1x2x1x3xi64>, %o: tensor<1x2x64x64xf32>) -> tensor<1x2x64x64xf32> attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 64, 0], cache = [0, 0, 0, 64], register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x2x1x3xi64>) keys 128 queries 64 : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x64x64xf32>) : tensor<1x2x64x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x64x64xf32>
  return %r : tensor<1x2x64x64xf32>
}

// Short blocks: entries that hold keys first, then tiles of as many as fill one, gathered.
// CHECK-LABEL: func private @short
// CHECK: %[[KEPT:.*]]:2 = scf.for %{{.*}} = %c0 to %c9
// CHECK: tensor.insert
// CHECK: scf.for %[[FROM:[^ ]+]] = %c0 to %[[KEPT]]#1 step %c4
// CHECK: scf.for
// CHECK: linalg.copy
// CHECK: tenon.tile_contract
func.func private @short(%q: tensor<1x2x64x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %b: tensor<1x2x1x9xi64>, %o: tensor<1x2x64x64xf32>) -> tensor<1x2x64x64xf32> attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 64, 0], cache = [0, 0, 0, 64], register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x2x1x9xi64>) keys 16 queries 64 : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x64x64xf32>) : tensor<1x2x64x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x64x64xf32>
  return %r : tensor<1x2x64x64xf32>
}

// A few queries read each block where it lies.
// CHECK-LABEL: func private @few
// CHECK: %[[KEPT:.*]]:2 = scf.for
// CHECK: scf.for %[[FROM:[^ ]+]] = %c0 to %[[KEPT]]#1 step %c4
// CHECK-NOT: linalg.copy ins(%{{.*}} : tensor<?x64xf32>)
// CHECK: tenon.tile_contract {{.*}} vector_dim = 2
func.func private @few(%q: tensor<1x2x1x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %b: tensor<1x2x1x9xi64>, %o: tensor<1x2x1x64xf32>) -> tensor<1x2x1x64xf32> attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 1, 0], cache = [0, 0, 0, 64], register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x2x1x9xi64>) keys 16 : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x1x64xf32>) : tensor<1x2x1x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x1x64xf32>
  return %r : tensor<1x2x1x64xf32>
}
