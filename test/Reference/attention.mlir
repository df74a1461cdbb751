// REQUIRES: tenon-run
// RUN: tenon-run --reference --entry causal %s | FileCheck %s --check-prefix=CAUSAL
// RUN: tenon-run --reference --entry sources %s | FileCheck %s --check-prefix=SOURCES
// RUN: tenon-run --reference --entry normalizers %s | FileCheck %s --check-prefix=NORMALIZERS
// RUN: tenon-run --reference --entry storage %s | FileCheck %s --check-prefix=STORAGE
// RUN: tenon-run --reference --entry weights %s | FileCheck %s --check-prefix=WEIGHTS
// RUN: tenon-run --reference --entry masks %s | FileCheck %s --check-prefix=MASKS

// Two queries, 1 and 2, of head 0 and two of head 1, which shares keys 0 and ln 2 and values 10 and 20 with it. The
// first query sees the first key; the second one weighs both as 1 to 4 (scores 0 and 2 ln 2). In head 1 the bias of
// -ln 4 on the second key makes them equal.
// CAUSAL: 0: 1x2x2x1xf32 [10, 18, 10, 15]
func.func @causal() -> tensor<1x2x2x1xf32> {
  %q = arith.constant dense<[[[[1.0], [2.0]], [[1.0], [2.0]]]]> : tensor<1x2x2x1xf32>
  %k = arith.constant dense<[[[[0.0], [0.693147180559945]]]]> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<[[[[10.0], [20.0]]]]> : tensor<1x1x2x1xf32>
  %bias = arith.constant dense<[[0.0, 0.0], [0.0, -1.38629436111989]]> : tensor<2x2xf32>
  %e = tensor.empty() : tensor<1x2x2x1xf32>
  %s = tenon.kv_source %k, %v mask(#tenon.causal) : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
  %r = tenon.attention softmax %q sources(%s) extras(%bias : tensor<2x2xf32>) maps [affine_map<(b, h, q, k) -> (h, k)>] outs(%e : tensor<1x2x2x1xf32>) : tensor<1x2x2x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    %0 = arith.addf %x, %y : f32
    tenon.yield %0 : f32
  } -> tensor<1x2x2x1xf32>
  return %r : tensor<1x2x2x1xf32>
}

// One query of score 0 everywhere: the mean of what is seen. Source 0 has length 1 in batch 0 and none in batch 1;
// source 1 hides its first key. Batch 1 sees the last key alone.
// SOURCES: 0: 2x1x1x2xf32 [2, 3, 3, 4]
func.func @sources() -> tensor<2x1x1x2xf32> {
  %q = arith.constant dense<0.0> : tensor<2x1x1x3xf32>
  %k = arith.constant dense<1.0> : tensor<2x1x2x3xf32>
  %v = arith.constant dense<[[[[1.0, 2.0], [99.0, 99.0]]], [[[99.0, 99.0], [99.0, 99.0]]]]> : tensor<2x1x2x2xf32>
  %w = arith.constant dense<[[[[50.0, 60.0], [3.0, 4.0]]], [[[50.0, 60.0], [3.0, 4.0]]]]> : tensor<2x1x2x2xf32>
  %l = arith.constant dense<[1, 0]> : tensor<2xi64>
  %e = tensor.empty() : tensor<2x1x1x2xf32>
  %s = tenon.kv_source %k, %v lengths %l : tensor<2x1x2x3xf32>, tensor<2x1x2x2xf32>, tensor<2xi64>
  %t = tenon.kv_source %k, %w mask(#tenon.not<#tenon.prefix<1>>) : tensor<2x1x2x3xf32>, tensor<2x1x2x2xf32>
  %r = tenon.attention softmax %q sources(%s, %t) outs(%e : tensor<2x1x1x2xf32>) : tensor<2x1x1x3xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x1x1x2xf32>
  return %r : tensor<2x1x1x2xf32>
}

// Two queries of 1 and keys -1 and 2. The first query sees the first key, the second one none. Twice the score, the score
// turned round; at last a score of 0 or out of reach, of which half the value is left.
// NORMALIZERS: 0: 1x1x2x1xf32 [-2, 0]
// NORMALIZERS: 1: 1x1x2x1xf32 [1, 0]
// NORMALIZERS: 2: 1x1x2x1xf32 [0.5, -0.25]
func.func @normalizers() -> (tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>) {
  %q = arith.constant dense<[[[[1.0], [1.0]]]]> : tensor<1x1x2x1xf32>
  %k = arith.constant dense<[[[[-1.0], [2.0]]]]> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [-0.5]]]]> : tensor<1x1x2x1xf32>
  %e = tensor.empty() : tensor<1x1x2x1xf32>
  %all = tenon.kv_source %k, %v mask(#tenon.window<-1, 1, start>) : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
  %one = tenon.kv_source %k, %v mask(#tenon.any_of<#tenon.all_of<#tenon.causal, #tenon.window<0, 0, start>, #tenon.prefix<1>>, #tenon.prefix<0>>) : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
  %0 = tenon.attention none %q sources(%one) outs(%e : tensor<1x1x2x1xf32>) : tensor<1x1x2x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %y = arith.addf %x, %x : f32
    tenon.yield %y : f32
  } -> tensor<1x1x2x1xf32>
  %1 = tenon.attention relu %q sources(%one) outs(%e : tensor<1x1x2x1xf32>) : tensor<1x1x2x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %y = arith.negf %x : f32
    tenon.yield %y : f32
  } -> tensor<1x1x2x1xf32>
  %2 = tenon.attention sigmoid %q sources(%all) outs(%e : tensor<1x1x2x1xf32>) : tensor<1x1x2x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %zero = arith.constant 0.0 : f32
    %far = arith.constant -100000.0 : f32
    %same = arith.cmpi eq, %i, %j : index
    %y = arith.select %same, %zero, %far : f32
    tenon.yield %y : f32
  } -> tensor<1x1x2x1xf32>
  return %0, %1, %2 : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
}

// Sums of what is seen, in two batches of pages of two keys: pages 2 and 0 with three keys, and pages 1 and 99,
// which does not exist: the last one; two of them as a ring from place 3 on; a ring of three keys; one key of head 0 and two
// of head 1.
// STORAGE: 0: 2x1x1x1xf32 [13, 19]
// STORAGE: 1: 2x1x1x1xf32 [7, 10]
// STORAGE: 2: 2x1x1x1xf32 [1, 5]
// STORAGE: 3: 1x2x1x1xf32 [1, 7]
func.func @storage() -> (tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<1x2x1x1xf32>) {
  %q = arith.constant dense<1.0> : tensor<2x1x1x1xf32>
  %r = arith.constant dense<1.0> : tensor<1x2x1x1xf32>
  %k = arith.constant dense<1.0> : tensor<3x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [2.0]]], [[[3.0], [4.0]]], [[[5.0], [7.0]]]]> : tensor<3x1x2x1xf32>
  %pages = arith.constant dense<[[2, 0], [1, 99]]> : tensor<2x2xi32>
  %lengths = arith.constant dense<[3, 4]> : tensor<2xi64>
  %start = arith.constant dense<[3, 3]> : tensor<2xi64>
  %short = arith.constant dense<[2, 3]> : tensor<2xi64>
  %e = tensor.empty() : tensor<2x1x1x1xf32>
  %f = tensor.empty() : tensor<1x2x1x1xf32>
  %paged = tenon.kv_source %k, %v pages(%pages : tensor<2x2xi32>) lengths %lengths : tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<2xi64>
  %0 = tenon.attention none %q sources(%paged) outs(%e : tensor<2x1x1x1xf32>) : tensor<2x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x1x1x1xf32>
  // The places hold 5 7 1 2 and 3 4 5 7.
  %both = tenon.kv_source %k, %v pages(%pages : tensor<2x2xi32>) start(%start : tensor<2xi64>) lengths %short mask(#tenon.prefix<2>) : tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<2xi64>
  %1 = tenon.attention none %q sources(%both) outs(%e : tensor<2x1x1x1xf32>) : tensor<2x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x1x1x1xf32>
  %k2 = arith.constant dense<1.0> : tensor<2x1x3x1xf32>
  %v2 = arith.constant dense<[[[[1.0], [2.0], [3.0]]], [[[4.0], [5.0], [6.0]]]]> : tensor<2x1x3x1xf32>
  %turn = arith.constant dense<[0, 4]> : tensor<2xi32>
  %ring = tenon.kv_source %k2, %v2 start(%turn : tensor<2xi32>) mask(#tenon.prefix<1>) : tensor<2x1x3x1xf32>, tensor<2x1x3x1xf32>
  %2 = tenon.attention none %q sources(%ring) outs(%e : tensor<2x1x1x1xf32>) : tensor<2x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<2x1x1x1xf32>
  %k3 = arith.constant dense<1.0> : tensor<1x2x2x1xf32>
  %v3 = arith.constant dense<[[[[1.0], [2.0]], [[3.0], [4.0]]]]> : tensor<1x2x2x1xf32>
  %each = arith.constant dense<[[1, 2]]> : tensor<1x2xi64>
  %heads = tenon.kv_source %k3, %v3 lengths %each : tensor<1x2x2x1xf32>, tensor<1x2x2x1xf32>, tensor<1x2xi64>
  %3 = tenon.attention none %r sources(%heads) outs(%f : tensor<1x2x1x1xf32>) : tensor<1x2x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x1x1xf32>
  return %0, %1, %2, %3 : tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<2x1x1x1xf32>, tensor<1x2x1x1xf32>
}

// Scores 0 and ln 3 of values 1 and 5: a sink of score ln 4 leaves 1/8 and 3/8, of which half is kept; the sum of all is 8.
// Sparsemax (alpha 2) of 0 and 0.5: 1/4 and 3/4. A key of score 0 and one of -inf under a rule that counts: 1 in all. Keys
// 64 and more are the second part.
// WEIGHTS: 0: 1x1x1x1xf32 [1]
// WEIGHTS: 1: 1x1x1xf32 [2.0794
// WEIGHTS: 2: 1x1x1x1xf32 [4]
// WEIGHTS: 3: 1x1x1x1xf32 [1]
// WEIGHTS: 4: 1x1x1x2x1xf32 [64, 6]
// WEIGHTS: 5: 1x1x1x2xf32 [4.158
// WEIGHTS-SAME: , 1.791
func.func @weights() -> (tensor<1x1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x2x1xf32>, tensor<1x1x1x2xf32>) {
  %q = arith.constant dense<1.0> : tensor<1x1x1x1xf32>
  %k = arith.constant dense<[[[[0.0], [1.09861228866811]]]]> : tensor<1x1x2x1xf32>
  %k2 = arith.constant dense<[[[[0.0], [0.5]]]]> : tensor<1x1x2x1xf32>
  %v = arith.constant dense<[[[[1.0], [5.0]]]]> : tensor<1x1x2x1xf32>
  %k70 = arith.constant dense<0.0> : tensor<1x1x70x1xf32>
  %v70 = arith.constant dense<1.0> : tensor<1x1x70x1xf32>
  %sink = arith.constant dense<1.38629436111989> : tensor<1xf32>
  %half = arith.constant 0.5 : f32
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %low = arith.constant 0xFF800000 : f32
  %e = tensor.empty() : tensor<1x1x1x1xf32>
  %l = tensor.empty() : tensor<1x1x1xf32>
  %s = tenon.kv_source %k, %v : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
  %0:2 = tenon.attention softmax %q sources(%s) sink(%sink : tensor<1xf32>) outs(%e : tensor<1x1x1x1xf32>) lse(%l : tensor<1x1x1xf32>) : tensor<1x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } probability {
  ^bb0(%w: f32, %b: index, %h: index, %i: index, %j: index):
    %0 = arith.mulf %w, %half : f32
    tenon.yield %0 : f32
  } -> tensor<1x1x1x1xf32>, tensor<1x1x1xf32>
  %s2 = tenon.kv_source %k2, %v : tensor<1x1x2x1xf32>, tensor<1x1x2x1xf32>
  %1 = tenon.attention entmax alpha(2.0) %q sources(%s2) outs(%e : tensor<1x1x1x1xf32>) : tensor<1x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x1x1x1xf32>
  %n = tenon.normalizer init {
    tenon.yield %zero : f32
  } update {
  ^bb0(%count: f32, %x: f32):
    %next = arith.addf %count, %one : f32
    tenon.yield %next : f32
  } combine {
  ^bb0(%a: f32, %b: f32):
    %both = arith.addf %a, %b : f32
    tenon.yield %both : f32
  } finish {
  ^bb0(%x: f32, %count: f32):
    %w = arith.divf %one, %count : f32
    tenon.yield %w : f32
  }
  %2 = tenon.attention user %q sources(%s2) rule(%n) outs(%e : tensor<1x1x1x1xf32>) : tensor<1x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    %is = arith.cmpf ogt, %x, %zero : f32
    %y = arith.select %is, %low, %x : f32
    tenon.yield %y : f32
  } -> tensor<1x1x1x1xf32>
  %s70 = tenon.kv_source %k70, %v70 : tensor<1x1x70x1xf32>, tensor<1x1x70x1xf32>
  %p = tensor.empty() : tensor<1x1x1x2x1xf32>
  %3 = tenon.attention none partial %q sources(%s70) outs(%p : tensor<1x1x1x2x1xf32>) : tensor<1x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %one : f32
  } -> tensor<1x1x1x2x1xf32>
  %m = tensor.empty() : tensor<1x1x1x2xf32>
  %4:2 = tenon.attention softmax partial %q sources(%s70) outs(%p : tensor<1x1x1x2x1xf32>) lse(%m : tensor<1x1x1x2xf32>) : tensor<1x1x1x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x1x1x2x1xf32>, tensor<1x1x1x2xf32>
  return %0#0, %0#1, %1, %2, %3, %4#1 : tensor<1x1x1x1xf32>, tensor<1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x1xf32>, tensor<1x1x1x2x1xf32>, tensor<1x1x1x2xf32>
}

// Score 1 everywhere, summed: a digit for each key that a query sees, the first key's last. Head 0 sees documents 1 1 2 2, head 1
// two keys around a query's own, within the row. The predicate hides a query's own key where the table has 0, from query 2.
// MASKS: 0: 1x2x4x1xf32 [11, 11, 1000, 1100, 11, 11, 10, 1100]
func.func @masks() -> tensor<1x2x4x1xf32> {
  %q = arith.constant dense<0.0> : tensor<1x2x4x1xf32>
  %k = arith.constant dense<0.0> : tensor<1x1x4x1xf32>
  %v = arith.constant dense<[[[[1.0], [10.0], [100.0], [1000.0]]]]> : tensor<1x1x4x1xf32>
  %ids = arith.constant dense<[1, 1, 2, 2]> : tensor<4xi64>
  %kept = arith.constant dense<[1, 1, 0, 1]> : tensor<4xi32>
  %one = arith.constant 1.0 : f32
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<1x2x4x1xf32>
  %s = tenon.kv_source %k, %v mask_operands(%ids, %ids, %kept : tensor<4xi64>, tensor<4xi64>, tensor<4xi32>)
    maps [affine_map<(b, h, q, k) -> (q)>, affine_map<(b, h, q, k) -> (k)>, affine_map<(b, h, q, k) -> (q)>]
    mask(#tenon.per_head<#tenon.document<0, 1>, #tenon.neighborhood<grid = [4], size = [2]>>) : tensor<1x1x4x1xf32>, tensor<1x1x4x1xf32> predicate {
  ^bb0(%b: index, %h: index, %i: index, %j: index, %x: i64, %y: i64, %z: i32):
    %other = arith.cmpi ne, %i, %j : index
    %may = arith.cmpi ne, %z, %zero : i32
    %p = arith.ori %other, %may : i1
    tenon.yield %p : i1
  }
  %r = tenon.attention none %q sources(%s) outs(%e : tensor<1x2x4x1xf32>) : tensor<1x2x4x1xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %one : f32
  } -> tensor<1x2x4x1xf32>
  return %r : tensor<1x2x4x1xf32>
}
