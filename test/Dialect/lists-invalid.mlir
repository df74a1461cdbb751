// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// kv_source_c10
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<2x2x3xi64>) {
  // expected-error @+1 {{expected 'blocks' to be [1 batches, heads, lists, entries] with a static number of heads, of an integer type of 32 or 64 bits, but got 'tensor<2x2x3xi64>'}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<2x2x3xi64>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c10
func.func @f(%k: tensor<9x2x8x4xf32>, %v: tensor<9x2x8x6xf32>, %p: tensor<2x5xi32>, %l: tensor<9x2x1x3xi64>) {
  // expected-error @+1 {{expected 'blocks' to be [2 batches, heads, lists, entries] with a static number of heads, of an integer type of 32 or 64 bits, but got 'tensor<9x2x1x3xi64>'}}
  %s = tenon.kv_source %k, %v pages(%p : tensor<2x5xi32>) blocks(%l : tensor<9x2x1x3xi64>) : tensor<9x2x8x4xf32>, tensor<9x2x8x6xf32>
  return
}

// -----

// kv_source_c10
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x2x1x3xf32>) {
  // expected-error @+1 {{expected 'blocks' to be [1 batches, heads, lists, entries] with a static number of heads, of an integer type of 32 or 64 bits, but got 'tensor<1x2x1x3xf32>'}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x2x1x3xf32>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c10
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x?x1x3xi64>) {
  // expected-error @+1 {{expected 'blocks' to be [1 batches, heads, lists, entries] with a static number of heads, of an integer type of 32 or 64 bits, but got 'tensor<1x?x1x3xi64>'}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x?x1x3xi64>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c11
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x2x1x3xi64>, %w: tensor<1x2x1x4xf32>) {
  // expected-error @+1 {{expected 'weights' to be floats of the shape of 'blocks', but got 'tensor<1x2x1x4xf32>' and 'tensor<1x2x1x3xi64>'}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x2x1x3xi64>) weights(%w : tensor<1x2x1x4xf32>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c11
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %w: tensor<1x2x1x4xf32>) {
  // expected-error @+1 {{expected 'weights' to be floats of the shape of 'blocks', but got 'tensor<1x2x1x4xf32>' and 'none'}}
  %s = tenon.kv_source %k, %v weights(%w : tensor<1x2x1x4xf32>) : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c12
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x2x1x3xi64>) {
  // expected-error @+1 {{expected 'keys' and 'queries' of blocks to be at least 1, and 1 without 'blocks', but got 0 and 4}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x2x1x3xi64>) keys 0 queries 4 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c12
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x2x1x3xi64>) {
  // expected-error @+1 {{expected 'keys' and 'queries' of blocks to be at least 1, and 1 without 'blocks', but got 2 and -4}}
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x2x1x3xi64>) keys 2 queries -4 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// kv_source_c12
func.func @f(%k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>) {
  // expected-error @+1 {{expected 'keys' and 'queries' of blocks to be at least 1, and 1 without 'blocks', but got 4 and 1}}
  %s = tenon.kv_source %k, %v keys 4 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  return
}

// -----

// attention_c13: heads
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x3x2x3xi64>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x3x2x3xi64>) keys 4 queries 2 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the blocks of source 0 to have heads that divide the query's, a list per 2 queries and weights no wider than 'f32', but got 'tensor<1x3x2x3xi64>' for query 'tensor<1x4x3x4xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c13: lists
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x1x3x3xi64>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x1x3x3xi64>) keys 4 queries 2 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the blocks of source 0 to have heads that divide the query's, a list per 2 queries and weights no wider than 'f32', but got 'tensor<1x1x3x3xi64>' for query 'tensor<1x4x3x4xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// attention_c13: weights
func.func @f(%q: tensor<1x4x3x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x6xf32>, %l: tensor<1x1x2x3xi64>, %w: tensor<1x1x2x3xf64>, %o: tensor<1x4x3x6xf32>) {
  %s = tenon.kv_source %k, %v blocks(%l : tensor<1x1x2x3xi64>) weights(%w : tensor<1x1x2x3xf64>) keys 4 queries 2 : tensor<1x2x8x4xf32>, tensor<1x2x8x6xf32>
  // expected-error @+1 {{expected the blocks of source 0 to have heads that divide the query's, a list per 2 queries and weights no wider than 'f32', but got 'tensor<1x1x2x3xi64>' for query 'tensor<1x4x3x4xf32>'}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x3x6xf32>) : tensor<1x4x3x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x3x6xf32>
  return
}

// -----

// select_blocks_c1
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x3x9x4xf32>) {
  // expected-error @+1 {{expected queries [B, H, S, D] and keys [B, G, T, D] of one float type, of static sizes but for the batches, where G divides H, but got 'tensor<1x4x8x4xf32>' and 'tensor<1x3x9x4xf32>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x3x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c1
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x?x4xf32>) {
  // expected-error @+1 {{expected queries [B, H, S, D] and keys [B, G, T, D] of one float type, of static sizes but for the batches, where G divides H, but got 'tensor<1x4x8x4xf32>' and 'tensor<1x2x?x4xf32>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x?x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c1
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<2x2x9x4xf32>) {
  // expected-error @+1 {{expected queries [B, H, S, D] and keys [B, G, T, D] of one float type, of static sizes but for the batches, where G divides H, but got 'tensor<1x4x8x4xf32>' and 'tensor<2x2x9x4xf32>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<2x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c1
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf16>) {
  // expected-error @+1 {{expected queries [B, H, S, D] and keys [B, G, T, D] of one float type, of static sizes but for the batches, where G divides H, but got 'tensor<1x4x8x4xf32>' and 'tensor<1x2x9x4xf16>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf16> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c2
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected positive 'keys' and 'queries' and a 'stride' that divides them and goes with antidiagonal scores, but got 0, 2 and 1}}
  %b, %c = tenon.select_blocks mean %q, %k keys 0 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c2
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected positive 'keys' and 'queries' and a 'stride' that divides them and goes with antidiagonal scores, but got 4, 2 and 2}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 stride 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c2
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected positive 'keys' and 'queries' and a 'stride' that divides them and goes with antidiagonal scores, but got 4, 2 and 4}}
  %b, %c = tenon.select_blocks antidiagonal %q, %k keys 4 queries 2 stride 4 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c3
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>, %l: tensor<2xi64>) {
  // expected-error @+1 {{expected 'lengths' to be [1 batches], of an integer type of 32 or 64 bits, but got 'tensor<2xi64>'}}
  %b, %c = tenon.select_blocks mean %q, %k lengths(%l : tensor<2xi64>) keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c4
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected 'threshold' and 'mass' from 0 to 1, 'sink' and 'local' of at least 0, but got 0.000000e+00, 1.500000e+00, 0 and 0}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 mass 1.5 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c4
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected 'threshold' and 'mass' from 0 to 1, 'sink' and 'local' of at least 0, but got 0.000000e+00, 0.000000e+00, -1 and 0}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 sink -1 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c5
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected 'blocks' and 'counts' of i64 for lists of 4 heads, 4 runs and at most 3 blocks, but got 'tensor<1x2x4x5xi64>' and 'tensor<1x2x4xi64>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x5xi64>, tensor<1x2x4xi64>
  return
}

// -----

// select_blocks_c5
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected 'blocks' and 'counts' of i64 for lists of 4 heads, 4 runs and at most 3 blocks, but got 'tensor<1x3x4x3xi64>' and 'tensor<1x3x4xi64>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x3x4x3xi64>, tensor<1x3x4xi64>
  return
}

// -----

// select_blocks_c5
func.func @f(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x9x4xf32>) {
  // expected-error @+1 {{expected 'blocks' and 'counts' of i64 for lists of 4 heads, 4 runs and at most 3 blocks, but got 'tensor<1x2x4x3xi64>' and 'tensor<1x2x3xi64>'}}
  %b, %c = tenon.select_blocks mean %q, %k keys 4 queries 2 : tensor<1x4x8x4xf32>, tensor<1x2x9x4xf32> -> tensor<1x2x4x3xi64>, tensor<1x2x3xi64>
  return
}
