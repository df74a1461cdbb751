// RUN: tenon-opt %s --tenon-tile-attention | FileCheck %s

// Scores of the unit's rows are kept while the highest is found; then steps of the threshold while one is long; then the
// weights. The rule's and the threshold's scratch is rows x keys, never all queries x keys.
// CHECK-LABEL: func private @entmax
// CHECK: scf.forall {{.*}} step (1, 1, 16)
// CHECK: tensor.empty() : tensor<16x256xf32>
// CHECK: scf.for {{.*}} -> (tensor<16xf32>, tensor<16x256xf32>)
// CHECK: tenon.tile_contract
// CHECK: arith.maximumf
// CHECK: scf.for {{.*}} -> (tensor<16xf32>, i1)
// CHECK: scf.if
// CHECK: scf.for {{.*}} -> (tensor<16xf32>, tensor<16xf32>)
// CHECK: math.sqrt
// CHECK: scf.for {{.*}} -> (tensor<16xf32>, tensor<16xf32>)
// CHECK: scf.for {{.*}} -> (tensor<16x64xf32>)
// CHECK-NOT: math.exp
// CHECK: tenon.tile_contract
func.func private @entmax(%q: tensor<2x8x64x64xf32>, %k: tensor<2x8x256x64xf32>, %v: tensor<2x8x256x64xf32>, %o: tensor<2x8x64x64xf32>) -> tensor<2x8x64x64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 16, 0], cache = [0, 0, 0, 128],
                                                               register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<2x8x256x64xf32>, tensor<2x8x256x64xf32>
  %r = tenon.attention entmax alpha(1.5) %q sources(%s) outs(%o : tensor<2x8x64x64xf32>) : tensor<2x8x64x64xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x8x64x64xf32>
  return %r : tensor<2x8x64x64xf32>
}

// A rule's state per lane of a tile; lanes are joined by halves.
// CHECK-LABEL: func private @user
// CHECK: scf.for {{.*}} -> (tensor<8x128xf32>, tensor<8x100xf32>)
// CHECK: math.absf
// CHECK: tensor<8x64xf32>
// CHECK: tensor<8x32xf32>
// CHECK: tensor.extract_slice {{.*}} to tensor<8xf32>
// CHECK: scf.for
// CHECK: arith.divf
// CHECK: tenon.tile_contract
func.func private @user(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x100x4xf32>, %v: tensor<1x2x100x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 128], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x100x4xf32>, tensor<1x2x100x4xf32>
  %n = tenon.normalizer init {
    %z = arith.constant 0.0 : f32
    tenon.yield %z : f32
  } update {
  ^bb0(%sum: f32, %score: f32):
    %size = math.absf %score : f32
    %next = arith.addf %sum, %size : f32
    tenon.yield %next : f32
  } combine {
  ^bb0(%a: f32, %b: f32):
    %both = arith.addf %a, %b : f32
    tenon.yield %both : f32
  } finish {
  ^bb0(%score: f32, %sum: f32):
    %weight = arith.divf %score, %sum : f32
    tenon.yield %weight : f32
  }
  %r = tenon.attention user %q sources(%s) rule(%n) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// A region on weights needs the whole sum first; the logarithm of the sum is a second result.
// CHECK-LABEL: func private @probability
// CHECK: scf.forall {{.*}} shared_outs({{.*}}) -> (tensor<1x2x8x4xf32>, tensor<1x2x8xf32>)
// CHECK: scf.for
// CHECK: scf.for
// CHECK: arith.divf
// CHECK: tenon.tile_contract
// CHECK: math.log
// CHECK-COUNT-2: tensor.parallel_insert_slice
func.func private @probability(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>, %l: tensor<1x2x8xf32>) -> (tensor<1x2x8x4xf32>, tensor<1x2x8xf32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r:2 = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) lse(%l : tensor<1x2x8xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } probability {
  ^bb0(%w: f32, %b: index, %h: index, %i: index, %j: index):
    %d = arith.addf %w, %w : f32
    tenon.yield %d : f32
  } -> tensor<1x2x8x4xf32>, tensor<1x2x8xf32>
  return %r#0, %r#1 : tensor<1x2x8x4xf32>, tensor<1x2x8xf32>
}

// Parts of the keys are units.
// CHECK-LABEL: func private @partial
// CHECK: scf.forall {{.*}} to (1, 2, 8, 2) step (1, 1, 8, 1)
// CHECK: arith.ceildivui
// CHECK: scf.for
// CHECK: tensor.parallel_insert_slice {{.*}} into {{.*}} : tensor<8x4xf32> into tensor<1x2x8x2x4xf32>
func.func private @partial(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x?x4xf32>, %v: tensor<1x2x?x4xf32>, %o: tensor<1x2x8x2x4xf32>) -> tensor<1x2x8x2x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x?x4xf32>, tensor<1x2x?x4xf32>
  %r = tenon.attention relu partial %q sources(%s) outs(%o : tensor<1x2x8x2x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x2x4xf32>
  return %r : tensor<1x2x8x2x4xf32>
}
