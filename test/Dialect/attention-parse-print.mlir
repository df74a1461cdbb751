// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func @one
// CHECK: %[[S:.*]] = tenon.kv_source %arg1, %arg2 mask(#tenon.causal) : tensor<1x2x8x4xf16>, tensor<1x2x8x6xf16>
// CHECK: tenon.attention softmax %arg0 sources(%[[S]]) outs(%arg3 : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf16> {
// CHECK: ^bb0(%[[X:.*]]: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index):
func.func @one(%q: tensor<1x4x3x4xf16>, %k: tensor<1x2x8x4xf16>, %v: tensor<1x2x8x6xf16>, %o: tensor<1x4x3x6xf32>) -> tensor<1x4x3x6xf32> {
  %s = tenon.kv_source %k, %v mask(#tenon.causal) : tensor<1x2x8x4xf16>, tensor<1x2x8x6xf16>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf16> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return %r : tensor<1x4x3x6xf32>
}

// Two sources, lengths, a bias per head and pair, and every mask.
// CHECK-LABEL: func @two
// CHECK: tenon.kv_source %{{.*}}, %{{.*}} lengths %{{.*}} mask(#tenon.all_of<#tenon.causal<start>, #tenon.not<#tenon.prefix<2>>>)
// CHECK: tenon.kv_source %{{.*}}, %{{.*}} mask(#tenon.any_of<#tenon.window<4, 0>, #tenon.window<1, -1, start>>)
// CHECK: tenon.attention sigmoid %{{.*}} sources(%{{.*}}, %{{.*}}) extras(%{{.*}} : tensor<4x?x?xf32>) maps [#{{.*}}]
func.func @two(%q: tensor<?x4x?x4xf32>, %k: tensor<?x2x?x4xf32>, %v: tensor<?x2x?x6xf32>, %l: tensor<?xi64>, %e: tensor<4x?x?xf32>, %o: tensor<?x4x?x6xf32>) -> tensor<?x4x?x6xf32> {
  %s = tenon.kv_source %k, %v lengths %l mask(#tenon.all_of<#tenon.causal<start>, #tenon.not<#tenon.prefix<2>>>) : tensor<?x2x?x4xf32>, tensor<?x2x?x6xf32>, tensor<?xi64>
  %t = tenon.kv_source %k, %v mask(#tenon.any_of<#tenon.window<4, 0>, #tenon.window<1, -1, start>>) : tensor<?x2x?x4xf32>, tensor<?x2x?x6xf32>
  %r = tenon.attention sigmoid %q sources(%s, %t) extras(%e : tensor<4x?x?xf32>) maps [affine_map<(b, h, q, k) -> (h, q, k)>] outs(%o : tensor<?x4x?x6xf32>) : tensor<?x4x?x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    %0 = arith.addf %x, %y : f32
    tenon.yield %0 : f32
  } -> tensor<?x4x?x6xf32>
  return %r : tensor<?x4x?x6xf32>
}

// Pages, a ring, lengths of each head.
// CHECK-LABEL: func @storage
// CHECK: tenon.kv_source %arg0, %arg1 pages(%arg2 : tensor<?x8xi32>) start(%arg3 : tensor<?xi64>) lengths %arg4 mask(#tenon.causal) : tensor<9x2x16x4xf32>, tensor<9x2x16x6xf32>, tensor<?x2xi64>
// CHECK: tenon.kv_source %arg0, %arg1 start(%arg5 : tensor<9xi32>) : tensor<9x2x16x4xf32>, tensor<9x2x16x6xf32>
func.func @storage(%k: tensor<9x2x16x4xf32>, %v: tensor<9x2x16x6xf32>, %p: tensor<?x8xi32>, %t: tensor<?xi64>, %l: tensor<?x2xi64>, %u: tensor<9xi32>) {
  %s = tenon.kv_source %k, %v pages(%p : tensor<?x8xi32>) start(%t : tensor<?xi64>) lengths %l mask(#tenon.causal) : tensor<9x2x16x4xf32>, tensor<9x2x16x6xf32>, tensor<?x2xi64>
  %r = tenon.kv_source %k, %v start(%u : tensor<9xi32>) : tensor<9x2x16x4xf32>, tensor<9x2x16x6xf32>
  return
}

// A sink, its log-sum-exp, a region on weights; entmax; parts of keys; a rule of one's own.
// CHECK-LABEL: func @normalizers
// CHECK: %{{.*}}, %{{.*}} = tenon.attention softmax %arg0 sources(%{{.*}}) sink(%arg4 : tensor<4xf32>) outs(%arg3 : tensor<1x4x3x6xf32>) lse(%arg5 : tensor<1x4x3xf32>) : tensor<1x4x3x4xf32> {
// CHECK: } probability {
// CHECK: } -> tensor<1x4x3x6xf32>, tensor<1x4x3xf32>
// CHECK: tenon.attention entmax alpha(1.500000e+00) %arg0 sources
// CHECK: tenon.attention relu partial %arg0 sources
// CHECK: %[[RULE:.*]] = tenon.normalizer init {
// CHECK: } update {
// CHECK: } combine {
// CHECK: } finish {
// CHECK: tenon.attention user %arg0 sources(%{{.*}}) rule(%[[RULE]]) outs
func.func @normalizers(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf16>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %z: tensor<4xf32>, %l: tensor<1x4x3xf32>, %p: tensor<1x4x3x2x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf16>, tensor<1x2x8x6xf32>
  %0:2 = tenon.attention softmax %q sources(%s) sink(%z : tensor<4xf32>) outs(%o : tensor<1x4x3x6xf32>) lse(%l : tensor<1x4x3xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } probability {
  ^bb0(%w: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %w : f32
  } -> tensor<1x4x3x6xf32>, tensor<1x4x3xf32>
  %1 = tenon.attention entmax alpha(1.5) %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  %2 = tenon.attention relu partial %q sources(%s) outs(%p : tensor<1x4x3x2x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x2x6xf32>
  %zero = arith.constant 0.0 : f32
  %n = tenon.normalizer init {
    tenon.yield %zero : f32
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
  %3 = tenon.attention user %q sources(%s) rule(%n) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// Masks of operands, of heads and of grids, and a predicate.
// CHECK-LABEL: func @masks
// CHECK: tenon.kv_source %arg0, %arg1 mask_operands(%arg2, %arg3 : tensor<2x?xi32>, tensor<8xi64>) maps [#{{.*}}, #{{.*}}] mask(#tenon.per_head<#tenon.document<0, 1>, #tenon.key_interval<0, 0>>) : tensor<2x2x8x4xf32>, tensor<2x2x8x6xf32> predicate {
// CHECK: ^bb0(%{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: i32, %{{.*}}: i64):
// CHECK: tenon.yield %{{.*}} : i1
// CHECK: tenon.kv_source %arg0, %arg1 mask(#tenon.any_of<#tenon.dilated<3, 0, 4>, #tenon.strided<4, 1, 2>, #tenon.dilated<1, -1, 2, start>>)
// CHECK: tenon.kv_source %arg0, %arg1 mask(#tenon.neighborhood<grid = [2, 4], size = [1, 3]>)
// CHECK: tenon.kv_source %arg0, %arg1 mask(#tenon.neighborhood<grid = [2, 6], size = [2, 3], stride = [1, 2], dilation = [1, 2], causal = [1, 0], align = start>)
func.func @masks(%k: tensor<2x2x8x4xf32>, %v: tensor<2x2x8x6xf32>, %a: tensor<2x?xi32>, %c: tensor<8xi64>) {
  %s = tenon.kv_source %k, %v mask_operands(%a, %c : tensor<2x?xi32>, tensor<8xi64>) maps [affine_map<(b, h, q, k) -> (b, q)>, affine_map<(b, h, q, k) -> (k)>]
    mask(#tenon.per_head<#tenon.document<0, 1>, #tenon.key_interval<0, 0>>) : tensor<2x2x8x4xf32>, tensor<2x2x8x6xf32> predicate {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: i32, %y: i64):
    %p = arith.cmpi ne, %i, %j : index
    tenon.yield %p : i1
  }
  %t = tenon.kv_source %k, %v mask(#tenon.any_of<#tenon.dilated<3, 0, 4>, #tenon.strided<4, 1, 2>, #tenon.dilated<1, -1, 2, start>>) : tensor<2x2x8x4xf32>, tensor<2x2x8x6xf32>
  %u = tenon.kv_source %k, %v mask(#tenon.neighborhood<grid = [2, 4], size = [1, 3], stride = [1, 1]>) : tensor<2x2x8x4xf32>, tensor<2x2x8x6xf32>
  %w = tenon.kv_source %k, %v mask(#tenon.neighborhood<align = start, causal = [1, 0], grid = [2, 6], size = [2, 3], stride = [1, 2], dilation = [1, 2]>) : tensor<2x2x8x4xf32>, tensor<2x2x8x6xf32>
  return
}
