// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// linear_attention_c1
func.func @f(%q: tensor<4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected query [B, Hq, T, K], keys [B, H, T, K] and values [B, H, T, V], but got 'tensor<4x16x8xf32>'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c1
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x3x16x5xf32>) {
  // expected-error @+1 {{expected keys and values that agree with the query in B, T and K and with each other in H, but got 'tensor<1x4x16x8xf32>', 'tensor<1x2x16x8xf32>' and 'tensor<1x3x16x5xf32>'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x3x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c1
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected a result [B, Hq, T, V] for 'tensor<1x4x16x8xf32>' and 'tensor<1x2x16x5xf32>', but got 'tensor<1x4x16x8xf32>'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x8xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c2
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x3x16x8xf32>, %v: tensor<1x3x16x5xf32>) {
  // expected-error @+1 {{expected static head counts, that of 'keys' dividing that of 'query', but got 'tensor<1x3x16x8xf32>' and 'tensor<1x4x16x8xf32>'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x3x16x8xf32>, tensor<1x3x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c3
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf16>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected one float type of query, keys, values, decay, beta and result, but keys has 'f16' and the query 'f32'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf16>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c3
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>, %s: tensor<1x2x8x5xf16>) {
  // expected-error @+1 {{expected one float type of 'state' and 'final', but got 'f16' and 'f32'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v state(%s : tensor<1x2x8x5xf16>) : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c4
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected a 'decay' with the rules gated and gated_delta alone, but got none with gated}}
  %y, %f = tenon.linear_attention gated %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c4
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected 'decay' [B, H, T] or [B, H, T, K] with the sizes of 'keys', 'tensor<1x2x16x8xf32>', but got 'tensor<1x2x16x5xf32>'}}
  %y, %f = tenon.linear_attention gated %q, %k, %v decay(%v : tensor<1x2x16x5xf32>) : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c5
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>, %b: tensor<1x2x16xf32>) {
  // expected-error @+1 {{expected a 'beta' with the rules delta and gated_delta alone, but got one with linear}}
  %y, %f = tenon.linear_attention linear %q, %k, %v beta(%b : tensor<1x2x16xf32>) : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c5
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>, %b: tensor<1x4x16xf32>) {
  // expected-error @+1 {{expected 'beta' [B, H, T] with the sizes of 'keys', 'tensor<1x2x16x8xf32>', but got 'tensor<1x4x16xf32>'}}
  %y, %f = tenon.linear_attention delta %q, %k, %v beta(%b : tensor<1x4x16xf32>) : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// linear_attention_c6
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected states [B, H, K, V] with the sizes of 'keys' and 'values', 'tensor<1x2x16x8xf32>' and 'tensor<1x2x16x5xf32>', but got 'tensor<1x2x5x8xf32>'}}
  %y, %f = tenon.linear_attention linear %q, %k, %v : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x5x8xf32>
  return
}

// -----

// linear_attention_c7
func.func @f(%q: tensor<1x4x16x8xf32>, %k: tensor<1x2x16x8xf32>, %v: tensor<1x2x16x5xf32>) {
  // expected-error @+1 {{expected 'chunk' of at least 1, but got 0}}
  %y, %f = tenon.linear_attention linear %q, %k, %v chunk 0 : tensor<1x4x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x5xf32> -> tensor<1x4x16x5xf32>, tensor<1x2x8x5xf32>
  return
}

// -----

// recurrence_c1
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected at least one input, but got none}}
  %s = tenon.recurrence states(%h : tensor<3x4xf32>) {
  ^bb0(%ht: tensor<3x4xf32>):
    tenon.yield %ht : tensor<3x4xf32>
  } -> tensor<3x4xf32>
  return
}

// -----

// recurrence_c1
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected inputs and outs with a first dim of one size, but got outs 'tensor<3x4xf32>' for steps 7}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) outs(%h : tensor<3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<3x4xf32>, tensor<3x4xf32>
  return
}

// -----

// recurrence_c2
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected a cell with arguments 'tensor<3x4xf32>', 'tensor<3x4xf32>', but got 'tensor<3x4xf32>'}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) outs(%x : tensor<7x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>):
    tenon.yield %xt, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<7x3x4xf32>, tensor<3x4xf32>
  return
}

// -----

// recurrence_c3
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected a cell that yields 'tensor<3x4xf32>', 'tensor<3x4xf32>', but got 'tensor<3x4xf32>'}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) outs(%x : tensor<7x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht : tensor<3x4xf32>
  } -> tensor<7x3x4xf32>, tensor<3x4xf32>
  return
}

// -----

// recurrence_c4
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected 'lengths' of rank 1 and integers, but got 'tensor<3x4xf32>'}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) lengths(%h : tensor<3x4xf32>) outs(%x : tensor<7x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<7x3x4xf32>, tensor<3x4xf32>
  return
}

// -----

// recurrence_c4
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>, %l: tensor<4xi32>) {
  // expected-error @+1 {{expected states and outputs with the first dim of 'lengths', 'tensor<4xi32>', but got 'tensor<3x4xf32>'}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) lengths(%l : tensor<4xi32>) outs(%x : tensor<7x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<7x3x4xf32>, tensor<3x4xf32>
  return
}

// -----

// recurrence_c5
func.func @f(%x: tensor<7x3x4xf32>, %h: tensor<3x4xf32>) {
  // expected-error @+1 {{expected results of the types of outs and states, 'tensor<7x3x4xf32>', 'tensor<3x4xf32>', but got 'tensor<3x4xf32>', 'tensor<7x3x4xf32>'}}
  %y, %s = tenon.recurrence inputs(%x : tensor<7x3x4xf32>) states(%h : tensor<3x4xf32>) outs(%x : tensor<7x3x4xf32>) {
  ^bb0(%xt: tensor<3x4xf32>, %ht: tensor<3x4xf32>):
    tenon.yield %ht, %xt : tensor<3x4xf32>, tensor<3x4xf32>
  } -> tensor<3x4xf32>, tensor<7x3x4xf32>
  return
}
