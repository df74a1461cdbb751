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
