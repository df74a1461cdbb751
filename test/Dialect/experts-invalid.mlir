// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// top_k_c1
func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{expected 'axis' to be a dim of 'tensor<4x9xf32>', but got 2}}
  %v, %i = tenon.top_k %x axis 2 : tensor<4x9xf32> -> tensor<4x2xf32>, tensor<4x2xi64>
  return
}

// -----

// top_k_c2
func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{expected values and indices of the input's shape with at most its size along 'axis', [4, 9], but got 'tensor<4x10xf32>' and 'tensor<4x10xi64>'}}
  %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x10xf32>, tensor<4x10xi64>
  return
}

// -----

// top_k_c2
func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{but got 'tensor<4x2xf32>' and 'tensor<4x3xi64>'}}
  %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x2xf32>, tensor<4x3xi64>
  return
}

// -----

// top_k_c3
func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{expected values of the input's type, a float or integer, and indices of i64, but got 'f32', 'f16' and 'i64'}}
  %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x2xf16>, tensor<4x2xi64>
  return
}

// -----

// top_k_c4
func.func @f(%x: tensor<4x9xf32>) {
  // expected-error @+1 {{expected a 'k' where the results have size [?] along 'axis', but got none}}
  %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
  return
}

// -----

// sort_c1
func.func @f(%x: tensor<9xf32>) {
  // expected-error @+1 {{expected 'axis' to be a dim of 'tensor<9xf32>', but got -1}}
  %v, %i = tenon.sort %x axis -1 : tensor<9xf32> -> tensor<9xf32>, tensor<9xi64>
  return
}

// -----

// sort_c2
func.func @f(%x: tensor<9xf32>) {
  // expected-error @+1 {{expected values and indices of the input's shape [9], but got 'tensor<9xf32>' and 'tensor<8xi64>'}}
  %v, %i = tenon.sort %x axis 0 : tensor<9xf32> -> tensor<9xf32>, tensor<8xi64>
  return
}

// -----

// sort_c3
func.func @f(%x: tensor<9xf32>) {
  // expected-error @+1 {{and indices of i64, but got 'f32', 'f32' and 'i32'}}
  %v, %i = tenon.sort %x axis 0 : tensor<9xf32> -> tensor<9xf32>, tensor<9xi32>
  return
}

// -----

// segment_reduce_c1
func.func @f(%x: tensor<12x8xf32>, %o: tensor<4xi64>) {
  // expected-error @+1 {{expected 'offsets' of rank 1 and i32 or i64, with one element more than the result has rows, [4], but got 'tensor<4xi64>'}}
  %y = tenon.segment_reduce sum %x offsets %o : tensor<12x8xf32>, tensor<4xi64> -> tensor<4x8xf32>
  return
}

// -----

// segment_reduce_c2
func.func @f(%x: tensor<12x8xi32>, %o: tensor<5xi64>) {
  // expected-error @+1 {{expected input and result that agree in their type, which fits 'mean', and in all dims but the first, but got 'tensor<12x8xi32>' and 'tensor<4x8xi32>'}}
  %y = tenon.segment_reduce mean %x offsets %o : tensor<12x8xi32>, tensor<5xi64> -> tensor<4x8xi32>
  return
}

// -----

// segment_reduce_c2
func.func @f(%x: tensor<12x8xf32>, %o: tensor<5xi64>) {
  // expected-error @+1 {{and in all dims but the first, but got 'tensor<12x8xf32>' and 'tensor<4x7xf32>'}}
  %y = tenon.segment_reduce sum %x offsets %o : tensor<12x8xf32>, tensor<5xi64> -> tensor<4x7xf32>
  return
}

// -----

// route_c1
func.func @f(%l: tensor<16xf32>) {
  // expected-error @+1 {{expected 'logits' of rank 2 and float elements, but got 'tensor<16xf32>'}}
  %o, %t, %w = tenon.route softmax %l top_k 2 : tensor<16xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// route_c1
func.func @f(%l: tensor<16x8xf32>, %b: tensor<7xf32>) {
  // expected-error @+1 {{expected 'biases' of [8] elements of 'f32', but got 'tensor<7xf32>'}}
  %o, %t, %w = tenon.route softmax %l biases %b : tensor<7xf32> top_k 2 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// route_c2
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'top_k' from 0 to the number of experts, [8], but got 9}}
  %o, %t, %w = tenon.route softmax %l top_k 9 : tensor<16x8xf32> -> tensor<9xi64>, tensor<144xi64>, tensor<144xf32>
  return
}

// -----

// route_c2
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected a 'top_k' or a 'threshold', but got neither}}
  %o, %t, %w = tenon.route relu %l : tensor<16x8xf32> -> tensor<9xi64>, tensor<128xi64>, tensor<128xf32>
  return
}

// -----

// route_c3
func.func @f(%l: tensor<16x?xf32>) {
  // expected-error @+1 {{expected a static number of experts with 'groups' 1 and 'top_k' 0, but got 'tensor<16x?xf32>'}}
  %o, %t, %w = tenon.route relu %l threshold 0.0 : tensor<16x?xf32> -> tensor<?xi64>, tensor<?xi64>, tensor<?xf32>
  return
}

// -----

// route_c3
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'groups' to divide the number of experts, [8], but got 3}}
  %o, %t, %w = tenon.route softmax %l top_k 2 groups 3 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// route_c3
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'top_groups' from 1 to 'groups', 4, but got 5}}
  %o, %t, %w = tenon.route softmax %l top_k 2 groups 4 top_groups 5 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// route_c3
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected 'group_top' from 1 to the experts of a group, 2, but got 3}}
  %o, %t, %w = tenon.route softmax %l top_k 2 groups 4 group_top 3 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// route_c4
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected offsets and tokens of rank 1 and i64, and weights of the logits' type, but got 'tensor<9xi64>', 'tensor<32xi64>' and 'tensor<32xf16>'}}
  %o, %t, %w = tenon.route softmax %l top_k 2 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf16>
  return
}

// -----

// route_c5
func.func @f(%l: tensor<16x8xf32>) {
  // expected-error @+1 {{expected [9] offsets and room for [128] pairs, but got 'tensor<9xi64>' and 'tensor<32xi64>'}}
  %o, %t, %w = tenon.route relu %l threshold 0.0 : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  return
}

// -----

// grouped_matmul_c1
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x47x64xf32>, %o: tensor<9xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected input [M, K], weights [E, K, N] and outs [P, N], but got 'tensor<16x48xf32>', 'tensor<8x47x64xf32>' and 'tensor<16x64xf32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x47x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c2
func.func @f(%x: tensor<16x48xf16>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected float elements, of input and weights alike, but got 'f16', 'f32' and 'f32'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) : tensor<16x48xf16>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c3
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<8xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'offsets' of [9] i64, but got 'tensor<8xi64>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<8xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c3
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %t: tensor<16xi32>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'rows' of rank 1 and i64, but got 'tensor<16xi32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o rows %t : tensor<16xi32> outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c4
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %b: tensor<8x63xf32>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'biases' of [8, 64] floats no wider than 'f32', but got 'tensor<8x63xf32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o biases %b : tensor<8x63xf32> outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c5
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %t: tensor<32xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'outs' of the list's 32 entries, but got 16}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o rows %t : tensor<32xi64> outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c6
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %s: tensor<16xf32>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'scatter' where there are 'scales', but got none}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o scales %s : tensor<16xf32> outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c7
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected the result to have the type of 'outs', 'tensor<16x64xf32>', but got 'tensor<?x64xf32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<?x64xf32>
  return
}

// -----

// grouped_matmul_c8
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x48x64xf32>, %o: tensor<9xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected 'panels' not to be negative, and weights of rank 4 with them, but got 16 and 'tensor<8x48x64xf32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) {panels = 16} : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// grouped_matmul_c8
func.func @f(%x: tensor<16x48xf32>, %w: tensor<8x3x48x16xf32>, %o: tensor<9xi64>, %e: tensor<16x64xf32>) {
  // expected-error @+1 {{expected weights in [4] panels of 16 columns, but got 'tensor<8x3x48x16xf32>'}}
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%e : tensor<16x64xf32>) {panels = 16} : tensor<16x48xf32>, tensor<8x3x48x16xf32>, tensor<9xi64> -> tensor<16x64xf32>
  return
}

// -----

// moe_c1
func.func @f(%x: tensor<16x48xf32>, %l: tensor<15x8xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>) {
  // expected-error @+1 {{expected tokens and result of one type, of rank 2 and floats, and as many rows of logits, but got 'tensor<16x48xf32>', 'tensor<16x48xf32>' and 'tensor<15x8xf32>'}}
  %y = tenon.moe silu %x, %l route softmax top_k 2 up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<15x8xf32> -> tensor<16x48xf32>
  return
}

// -----

// moe_c2
func.func @f(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x63x48xf32>) {
  // expected-error @+1 {{expected 'down' of [8, 64, 48] and 'f32', but got 'tensor<8x63x48xf32>'}}
  %y = tenon.moe silu %x, %l route softmax top_k 2 up %u : tensor<8x48x64xf32> down %d : tensor<8x63x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return
}

// -----

// moe_c3
func.func @f(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>, %s: tensor<48x32xf32>) {
  // expected-error @+1 {{expected 'shared_up' and 'shared_down' together, with 'shared_gate' where there is a 'gate', but got no gate, an up and no down}}
  %y = tenon.moe silu %x, %l route softmax top_k 2 up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> shared_up %s : tensor<48x32xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return
}

// -----

// moe_c3
func.func @f(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>, %s: tensor<48x32xf32>, %t: tensor<31x48xf32>) {
  // expected-error @+1 {{expected 'shared_down' of [32, 48] and 'f32', but got 'tensor<31x48xf32>'}}
  %y = tenon.moe silu %x, %l route softmax top_k 2 up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> shared_up %s : tensor<48x32xf32> shared_down %t : tensor<31x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return
}

// -----

// moe_c4
func.func @f(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %u: tensor<8x48x64xf32>, %d: tensor<8x64x48xf32>) {
  // expected-error @+1 {{expected 'top_k' from 0 to the number of experts, [8], but got 9}}
  %y = tenon.moe silu %x, %l route softmax top_k 9 up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return
}
