// RUN: tenon-opt %s --split-input-file --tenon-assign-schedules --verify-diagnostics
//
// A schedule that cannot be obeyed for its kernel and target is an error that says why.

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a schedule with algorithm 'contract', but got 'rows'}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows">} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected tile lists of the schedule to have 3 entries, but got 2}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [4, 8]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected reduction dim 2 not to be tiled outside of registers, but got tile 4}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [0, 0, 4]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a cache tile of reduction dim 2 only where it is not in 'unroll', 'vector_dim' is a parallel dim, no factor is in 'pack' and there are no codes, but got 4}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", cache = [0, 0, 4], register = [1, 8, 1], unroll = [2], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected 'unroll' of the schedule to list reduction dims, but got 1}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", unroll = [1]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected 'unroll' of a schedule with 'in_order' to list the last reduction dims, but reduction dim 3 is a loop}}
func.func private @k(%a: tensor<4x3x4xf32>, %b: tensor<3x4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [1, 8, 1, 1], unroll = [2], vector_dim = 1, vector_width = 8, in_order = true>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction", "reduction"] lhs(%a : tensor<4x3x4xf32>) rhs(%b : tensor<3x4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, r, k) -> (m, r, k)>, affine_map<(m, n, r, k) -> (r, k, n)>, affine_map<(m, n, r, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected 'vector_dim' of the schedule below 3, but got 5}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", vector_dim = 5, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected register tile 1 for reduction dim 2, but got 4}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [1, 1, 4]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a register tile of at most 128 vectors, but got 256}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [256, 8, 1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a parallel 'vector_dim' where factors are packed, but got -1}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", pack = [1]>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected 'tenon.schedule' to be a #tenon.schedule, but got 5 : i64}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = 5 : i64} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected factor 1 in 'prepack' to be a weight at each call of the kernel}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 8, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 44 : tensor<11xf32>
func.func @main(%a: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = tenon.load_weight @w : tensor<11xf32>
  %r = tenon.dispatch @k ins(%a, %w : tensor<4x4xf32>, tensor<11xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
// expected-error @+1 {{expected factor 1 in 'prepack' to have elements, and a map of distinct dims with 'vector_dim', but got 'tensor<11xf32>' and affine_map<(d0, d1, d2) -> (d1 + d2)>}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<11xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 8, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<11xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n + k)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 128 : tensor<4x8xf32>
func.func @main(%a: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = tenon.load_weight @w : tensor<4x8xf32>
  %r = tenon.dispatch @k ins(%a, %w : tensor<4x4xf32>, tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
// expected-error @+1 {{expected a register tile where factors are packed at load}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 128 : tensor<4x8xf32>
func.func @main(%a: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = tenon.load_weight @w : tensor<4x8xf32>
  %r = tenon.dispatch @k ins(%a, %w : tensor<4x4xf32>, tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
// expected-error @+1 {{expected a register tile of whole vectors of 8 elements along 'vector_dim', but got 4}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 4, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 128 : tensor<4x8xf32>
func.func @main(%a: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = tenon.load_weight @w : tensor<4x8xf32>
  %r = tenon.dispatch @k ins(%a, %w : tensor<4x4xf32>, tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
// expected-error @+1 {{expected a register tile of whole vectors where factors are packed at load, but got 0}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [4, 0, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
tenon.weight @w from "model.onnx" at 0 length 128 : tensor<4x8xf32>
func.func @main(%a: tensor<4x4xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %w = tenon.load_weight @w : tensor<4x8xf32>
  %r = tenon.dispatch @k ins(%a, %w : tensor<4x4xf32>, tensor<4x8xf32>) outs(%o : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}
// expected-error @+1 {{expected tiles of whole panels, of 8 elements each, but got 4}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", parallel = [0, 4, 0], register = [4, 8, 1], prepack = [1], vector_dim = 1, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}
}

// -----

// expected-error @+1 {{expected a schedule with algorithm 'attention', but got 'rows'}}
func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows">} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

// expected-error @+1 {{expected tile lists of an attention's schedule to have 4 entries, but got 0}}
func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0]>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

// Heads with masks of their own share no unit, though they share keys.
// expected-error @+1 {{expected the heads of a unit of an attention to divide the 1 that share keys, but got 2}}
func.func private @k(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x4x8x4xf32>) -> tensor<1x4x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 2, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 8],
                                                               vector_dim = 3, vector_width = 8>} {
  %s = tenon.kv_source %k, %v mask(#tenon.per_head<#tenon.causal, #tenon.prefix<2>>) : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x8x4xf32>) : tensor<1x4x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x8x4xf32>
  return %r : tensor<1x4x8x4xf32>
}

// -----

// expected-error @+1 {{expected the heads of a unit of an attention to divide the 2 that share keys, but got 4}}
func.func private @k(%q: tensor<1x4x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x4x8x4xf32>) -> tensor<1x4x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 4, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x8x4xf32>) : tensor<1x4x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x8x4xf32>
  return %r : tensor<1x4x8x4xf32>
}

// -----

// expected-error @+1 {{expected an attention's schedule to have rows of queries in 'parallel' and keys in 'cache', but got 8 and 0}}
func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 0], register = [1, 1, 4, 16], vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

// expected-error @+1 {{expected an attention's register tile to have a row and a vector, but got 4 and 8}}
func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 0], cache = [0, 0, 0, 8], register = [1, 1, 4, 8], vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

// expected-error @+1 {{expected a schedule of groups to have rows in 'cache' and columns in 'parallel' of whole register tiles of whole vectors, but got 4, 24 and 16}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 4, 16, 1], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

// expected-error @+1 {{expected tile lists of a schedule of groups to have 4 entries, but got 3}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24], cache = [0, 4, 0], register = [1, 4, 24], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

// expected-error @+1 {{expected 'vector_dim' of a schedule of groups to be 2, the columns, but got 1}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 4, 24, 1], vector_dim = 1, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

// expected-error @+1 {{expected a schedule of groups to pack the weights alone, 1, but got 0}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 4, 24, 1], pack = [0], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

// expected-error @+1 {{expected the weights of groups in 'prepack' to have elements and to be weights at each call of the kernel, but got 'tensor<2x8x24xf32>'}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 4, 24, 1], prepack = [1], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

// expected-error @+1 {{expected all keys in a unit of an attention that is of parts already, or whose weights need all scores of a row, but got 8}}
func.func private @k(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 8, 8], cache = [0, 0, 0, 8], register = [1, 1, 4, 16], vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention entmax alpha(1.5) %q sources(%s) outs(%o : tensor<1x2x8x4xf32>) : tensor<1x2x8x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x8x4xf32>
  return %r : tensor<1x2x8x4xf32>
}

// -----

// expected-error @+1 {{expected 'parallel' of a schedule of Winograd's transforms to be 1 sample, channels and rows of tiles, but got [2, 16, 1]}}
func.func private @k(%m: tensor<4x4x5x6x7xf32>, %y: tensor<7x9x11xf32>) -> tensor<7x9x11xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "winograd", parallel = [2, 16, 1]>} {
  %0 = tenon.winograd_output 2 %m outs(%y : tensor<7x9x11xf32>) : tensor<4x4x5x6x7xf32> -> tensor<7x9x11xf32>
  return %0 : tensor<7x9x11xf32>
}

// -----

// expected-error @+1 {{expected reduction loop 1 not to be cut, but got tile 8}}
func.func private @k(%x: tensor<4x64xf32>, %o: tensor<4xf32>) -> tensor<4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", parallel = [2, 8]>} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x64xf32>) outs(%o : tensor<4xf32>) {
  ^bb0(%a: f32, %s: f32):
    %1 = arith.addf %a, %s : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected the register tile of a schedule of groups to be of one group, a row or more, columns and one step of K, but got [1, 0, 8, 1]}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 0, 8, 1], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a register tile of at most 128 vectors, but got 200}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 200, 8, 1], vector_dim = 2, vector_width = 8>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a register tile of at most 128 vectors, but got 160}}
func.func private @k(%q: tensor<1x2x80x4xf32>, %k: tensor<1x2x8x4xf32>, %v: tensor<1x2x8x4xf32>, %o: tensor<1x2x80x4xf32>) -> tensor<1x2x80x4xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 80, 0], cache = [0, 0, 0, 8], register = [1, 1, 80, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v : tensor<1x2x8x4xf32>, tensor<1x2x8x4xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x80x4xf32>) : tensor<1x2x80x4xf32> {
  ^bb0(%x: f32, %b: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x80x4xf32>
  return %r : tensor<1x2x80x4xf32>
}
}

// -----

// expected-error @+1 {{expected each loop of open extent to be cut where one is, since a unit's size has a bound, but got tile 0 for loop 1}}
func.func private @k(%x: tensor<4x?xf16>, %o: tensor<4x?xf16>) -> tensor<4x?xf16>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise", parallel = [2, 0]>} {
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<4x?xf16>) outs(%o : tensor<4x?xf16>) {
  ^bb0(%a: f16, %b: f16):
    %1 = arith.addf %a, %a : f16
    linalg.yield %1 : f16
  } -> tensor<4x?xf16>
  return %0 : tensor<4x?xf16>
}

// -----

// expected-error @+1 {{expected vectors of two elements or more where factors are packed, but got 'vector_width' 1}}
func.func private @k(%a: tensor<4x4xf32>, %b: tensor<4x8xf32>, %o: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", register = [2, 8, 1], pack = [1], vector_dim = 1>} {
  %c = tenon.tile_contract ["parallel", "parallel", "reduction"] lhs(%a : tensor<4x4xf32>) rhs(%b : tensor<4x8xf32>) outs(%o : tensor<4x8xf32>)
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (k, n)>, affine_map<(m, n, k) -> (m, n)>] {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<4x8xf32>
  return %c : tensor<4x8xf32>
}

// -----

// expected-error @+1 {{expected vectors of two elements or more where factors are packed, but got 'vector_width' 1}}
func.func private @k(%x: tensor<4x8xf32>, %w: tensor<2x8x24xf32>, %o: tensor<3xi64>, %out: tensor<4x24xf32>) -> tensor<4x24xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "grouped", parallel = [1, 4, 24, 0], cache = [0, 4, 0, 0], register = [1, 2, 8, 1], pack = [1], vector_dim = 2>} {
  %r = tenon.grouped_matmul identity %x, %w offsets %o outs(%out : tensor<4x24xf32>) : tensor<4x8xf32>, tensor<2x8x24xf32>, tensor<3xi64> -> tensor<4x24xf32>
  return %r : tensor<4x24xf32>
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected 'vector_dim' of the schedule not to be a dim of the phases of a filter, but got 2}}
func.func private @k(%w: tensor<2x2xf32>, %x: tensor<2x9xf32>, %o: tensor<8xf32>) -> tensor<8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", vector_dim = 2, vector_width = 2>} {
  %c = tenon.tile_contract ["parallel", "reduction", "reduction"] lhs(%w : tensor<2x2xf32>) rhs(%x : tensor<2x9xf32>) outs(%o : tensor<8xf32>)
      maps [affine_map<(w, j, p) -> (j, p)>, affine_map<(w, j, p) -> (p, w + j)>, affine_map<(w, j, p) -> (w)>]
      attributes {phases = array<i64: 1, 2, 3>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<8xf32>
  return %c : tensor<8xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>
module attributes {tenon.target = #t} {
// expected-error @+1 {{expected a cache tile of reduction dim 1 only where it is not in 'unroll', 'vector_dim' is a parallel dim, no factor is in 'pack' and there are no codes, but got 1}}
func.func private @k(%w: tensor<2x2xf32>, %x: tensor<2x9xf32>, %o: tensor<8xf32>) -> tensor<8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract", cache = [0, 1, 0], vector_dim = 0, vector_width = 8>} {
  %c = tenon.tile_contract ["parallel", "reduction", "reduction"] lhs(%w : tensor<2x2xf32>) rhs(%x : tensor<2x9xf32>) outs(%o : tensor<8xf32>)
      maps [affine_map<(w, j, p) -> (j, p)>, affine_map<(w, j, p) -> (p, w + j)>, affine_map<(w, j, p) -> (w)>]
      attributes {phases = array<i64: 1, 2, 3>} {
  ^bb0(%acc: f32):
    tenon.yield %acc : f32
  } -> tensor<8xf32>
  return %c : tensor<8xf32>
}
}
