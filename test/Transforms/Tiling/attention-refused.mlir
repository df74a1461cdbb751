// RUN: tenon-opt %s --tenon-tile-attention --split-input-file --verify-diagnostics

func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  // expected-error @+1 {{attention with normalizer entmax is not compiled yet}}
  %r = tenon.attention entmax alpha(1.5) %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %n = tenon.normalizer init {
    %z = arith.constant 0.0 : f32
    tenon.yield %z : f32
  } update {
  ^bb0(%a: f32, %x: f32):
    tenon.yield %a : f32
  } combine {
  ^bb0(%a: f32, %c: f32):
    tenon.yield %a : f32
  } finish {
  ^bb0(%x: f32, %a: f32):
    tenon.yield %x : f32
  }
  // expected-error @+1 {{attention with normalizer user is not compiled yet}}
  %r = tenon.attention user %q sources(%s) rule(%n) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>, %l: tensor<1x2x8xf32>) -> (tensor<1x2x8x4xf32>, tensor<1x2x8xf32>)
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  // expected-error @+1 {{attention with 'lse' is not compiled yet}}
  %r:2 = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) lse(%l : tensor<1x2x8xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>, tensor<1x2x8xf32>
  return %r#0, %r#1 : tensor<1x2x8x4xf32>, tensor<1x2x8xf32>
}

// -----

func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  // expected-error @+1 {{attention with 'probability' is not compiled yet}}
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } probability {
  ^bb0(%w: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %w : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x2x4xf32>) -> tensor<1x2x8x2x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  // expected-error @+1 {{attention with 'partial' is not compiled yet}}
  %r = tenon.attention relu partial %q sources(%s) outs(%o : tensor<1x2x8x2x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x2x4xf32>
  return %r : tensor<1x2x8x2x4xf32>
}
