// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// kv_source_c1
func.func @f(%k: tensor<8x4xf32>, %v: tensor<1x2x8x6xf32>) {
  // expected-error @+1 {{expected keys and values of rank 4, but got 'tensor<8x4xf32>' and 'tensor<1x2x8x6xf32>'}}
  %s = tenon.kv_source %k, %v : tensor<8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c2
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x7x6xf32>) {
  // expected-error @+1 {{expected dim 2 of keys and values to agree, but got 8 and 7}}
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x7x6xf32>
  return
}

// -----

// kv_source_c3
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>) {
  // expected-error @+1 {{expected 'mask' to be a mask, but got 5 : i64}}
  %s = tenon.kv_source %k, %v mask(5 : i64) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c4
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<2xi64>) {
  // expected-error @+1 {{expected 'lengths' to be [1 batches] or [1 batches, 2 heads], of an integer type of 32 or 64 bits, but got 'tensor<2xi64>'}}
  %s = tenon.kv_source %k, %v lengths %l : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>, tensor<2xi64>
  return
}

// -----

// kv_source_c4
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x4xi32>) {
  // expected-error @+1 {{expected 'lengths' to be [1 batches] or [1 batches, 2 heads], of an integer type of 32 or 64 bits, but got 'tensor<1x4xi32>'}}
  %s = tenon.kv_source %k, %v lengths %l : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>, tensor<1x4xi32>
  return
}

// -----

// kv_source_c5
func.func @f(%k: tensor<9x2x8x4xf32>, %v: tensor<9x2x8x6xf32>, %p: tensor<1x3x5xi32>) {
  // expected-error @+1 {{expected 'pages' to be [batches, pages] or [batches, 2 heads, pages], of an integer type of 32 or 64 bits, but got 'tensor<1x3x5xi32>'}}
  %s = tenon.kv_source %k, %v pages(%p : tensor<1x3x5xi32>) : tensor<9x2x8x4xf32>, tensor<9x2x8x6xf32>
  return
}

// -----

// kv_source_c6
func.func @f(%k: tensor<9x2x8x4xf32>, %v: tensor<9x2x8x6xf32>, %p: tensor<2x5xi32>, %t: tensor<9xi32>) {
  // expected-error @+1 {{expected 'start' to be [2 batches], of an integer type of 32 or 64 bits, but got 'tensor<9xi32>'}}
  %s = tenon.kv_source %k, %v pages(%p : tensor<2x5xi32>) start(%t : tensor<9xi32>) : tensor<9x2x8x4xf32>, tensor<9x2x8x6xf32>
  return
}

// -----

// attention_c1
func.func @f(%q: tensor<4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected query, init and result of rank 4 (5 for partial results), but got 'tensor<4x3x4xf32>', 'tensor<1x4x3x6xf32>' and 'tensor<1x4x3x6xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c1
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x5x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected dim 1 of query and init to agree, but got 4 and 5}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x5x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x5x3x6xf32>
  return
}

// -----

// attention_c2
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected at least one source, but got none}}
  %r = tenon.attention softmax %q sources() outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c2
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %t: !tenon.kv_source) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected source 0 to be the result of a tenon.kv_source}}
  %r = tenon.attention softmax %q sources(%t) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c3
func.func @f(%q: tensor<1x4x3x5xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected keys and values of source 0 to fit query 'tensor<1x4x3x5xf32>' and result 'tensor<1x4x3x6xf32>', but got 'tensor<1x2x8x4xf32>' and 'tensor<1x2x8x6xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x5xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c3
func.func @f(%q: tensor<1x5x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x5x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the heads of source 0 to divide the query's 5, but got 2}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x5x3x6xf32>) : tensor<1x5x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x5x3x6xf32>
  return
}

// -----

// attention_c4
func.func @f(%q: tensor<1x4x3x4xi32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected query and init of float types, but got 'tensor<1x4x3x4xi32>' and 'tensor<1x4x3x6xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xi32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c4
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf64>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf64>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected keys and values of float types no wider than 'f32', but got 'tensor<1x2x8x4xf64>' and 'tensor<1x2x8x6xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c5
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected region arguments 'f32', 'index', 'index', 'index', 'index', but got 'f32', 'index'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c5
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the region to yield one value of the score's type 'f32'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %b : index
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c6
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %e: tensor<4x8xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected one map per extra, 1, but got 0}}
  %r = tenon.attention softmax %q sources(%s) extras(%e : tensor<4x8xf32>) maps [] outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c6
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %e: tensor<4x8xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the map of an extra to be of (b, h, q, k), with a dim or 0 per dimension of 'tensor<4x8xf32>', but got affine_map<(d0, d1, d2, d3) -> (d1 + d2, d3)>}}
  %r = tenon.attention softmax %q sources(%s) extras(%e : tensor<4x8xf32>) maps [affine_map<(b, h, q, k) -> (h + q, k)>] outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index, %y: f32):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c5
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected region arguments 'f32', 'index', 'index', 'index', 'index', but got 'f32'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } probability {
  ^bb0(%y: f32):
    tenon.yield %y : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c7
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %z: tensor<4xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'sink' to go with softmax and to be [4 heads] of a float type, but got relu and 'tensor<4xf32>'}}
  %r = tenon.attention relu %q sources(%s) sink(%z : tensor<4xf32>) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c7
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %z: tensor<2xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'sink' to go with softmax and to be [4 heads] of a float type, but got softmax and 'tensor<2xf32>'}}
  %r = tenon.attention softmax %q sources(%s) sink(%z : tensor<2xf32>) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c8
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'alpha' to go with entmax, above 1 and at most 2, but got entmax and 0.000000e+00}}
  %r = tenon.attention entmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c8
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'alpha' to go with entmax, above 1 and at most 2, but got softmax and 1.500000e+00}}
  %r = tenon.attention softmax alpha(1.5) %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c9
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'rule', a tenon.normalizer of 'f32', where the normalizer is user and nowhere else, but the normalizer is user}}
  %r = tenon.attention user %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c9
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %n: !tenon.normalizer) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'rule', a tenon.normalizer of 'f32', where the normalizer is user and nowhere else, but the normalizer is none}}
  %r = tenon.attention none %q sources(%s) rule(%n) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c10
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %l: tensor<1x4x3xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'lse' to go with softmax, with an init and a result of type 'tensor<1x4x3xf32>', but the normalizer is none and there is 'tensor<1x4x3xf32>'}}
  %r:2 = tenon.attention none %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) lse(%l : tensor<1x4x3xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>, tensor<1x4x3xf32>
  return
}

// -----

// attention_c10
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %l: tensor<1x4x3xf16>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'lse' to go with softmax, with an init and a result of type 'tensor<1x4x3xf32>', but the normalizer is softmax and there is 'tensor<1x4x3xf16>'}}
  %r:2 = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) lse(%l : tensor<1x4x3xf16>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>, tensor<1x4x3xf16>
  return
}

// -----

// attention_c11
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %p: tensor<1x4x3x2x6xf32>) {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected 'partial' to go with 'lse' or with sigmoid, relu or none, without 'sink' and 'probability', and with results of 'f32', but got softmax and 'tensor<1x4x3x2x6xf32>'}}
  %r = tenon.attention softmax partial %q sources(%s) outs(%p : tensor<1x4x3x2x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x2x6xf32>
  return
}

// -----

// normalizer_c1
func.func @f() {
  // expected-error @+1 {{expected 'update' (state, score), 'combine' (state, state) and 'finish' (score, state) of the float type of the state that 'init' yields, but got 'f32', ('f32', 'f32'), ('f32') and ('f32', 'f32')}}
  %n = tenon.normalizer init {
    %z = arith.constant 0.0 : f32
    tenon.yield %z : f32
  } update {
  ^bb0(%s: f32, %x: f32):
    tenon.yield %s : f32
  } combine {
  ^bb0(%a: f32):
    tenon.yield %a : f32
  } finish {
  ^bb0(%x: f32, %s: f32):
    tenon.yield %x : f32
  }
  return
}

// -----

// kv_source_c7
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<8xi32>) {
  // expected-error @+1 {{expected one map per mask operand, 1, but got 0}}
  %s = tenon.kv_source %k, %v mask_operands(%a : tensor<8xi32>) maps [] : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c7
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<8xi32>) {
  // expected-error @+1 {{expected the map of a mask operand to be of (b, h, q, k), with a dim or 0 per dimension of 'tensor<8xi32>', but got affine_map<(d0, d1, d2, d3) -> (d0, d3)>}}
  %s = tenon.kv_source %k, %v mask_operands(%a : tensor<8xi32>) maps [affine_map<(b, h, q, k) -> (b, k)>] : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c7
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<7xi32>) {
  // expected-error @+1 {{expected mask operands for 1 batches and 8 keys, but got 'tensor<7xi32>' by affine_map<(d0, d1, d2, d3) -> (d3)>}}
  %s = tenon.kv_source %k, %v mask_operands(%a : tensor<7xi32>) maps [affine_map<(b, h, q, k) -> (k)>] : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c8
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<3xi32>) {
  // expected-error @+1 {{expected mask operand 1 to be integers of 32 or 64 bits for keys, read by these alone, but got 'none' among 1}}
  %s = tenon.kv_source %k, %v mask_operands(%a : tensor<3xi32>) maps [affine_map<(b, h, q, k) -> (q)>] mask(#tenon.document<0, 1>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c8
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<3xi32>, %c: tensor<8xi32>) {
  // expected-error @+1 {{expected mask operand 1 to be integers of 32 or 64 bits for queries, read by these alone, but got 'tensor<8xi32>' among 2}}
  %s = tenon.kv_source %k, %v mask_operands(%a, %c : tensor<3xi32>, tensor<8xi32>) maps [affine_map<(b, h, q, k) -> (q)>, affine_map<(b, h, q, k) -> (k)>] mask(#tenon.not<#tenon.key_interval<0, 1>>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c9
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %a: tensor<8xf32>) {
  // expected-error @+1 {{expected 'predicate' with arguments 'index', 'index', 'index', 'index', 'f32' to yield one i1, but got arguments 'index', 'index', 'index', 'index'}}
  %s = tenon.kv_source %k, %v mask_operands(%a : tensor<8xf32>) maps [affine_map<(b, h, q, k) -> (k)>] : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32> predicate {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %p = arith.cmpi ne, %i, %j : index
    tenon.yield %p : i1
  }
  return
}

// -----

// attention_c12
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %o: tensor<1x4x3x6xf32>, %a: tensor<2xi32>) {
  %s = tenon.kv_source %k, %v mask_operands(%a, %a : tensor<2xi32>, tensor<2xi32>) maps [affine_map<(b, h, q, k) -> (q)>, affine_map<(b, h, q, k) -> (q)>]
    mask(#tenon.key_interval<0, 1>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected mask operands of source 0 for 4 heads and 3 queries, but got 'tensor<2xi32>' by affine_map<(d0, d1, d2, d3) -> (d2)>}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}
