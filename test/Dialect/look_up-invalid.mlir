// RUN: tenon-opt %s --split-input-file --verify-diagnostics

// look_up_c1
func.func @f(%c: i32) -> f32 {
  // expected-error @+1 {{expected 2, 4, 8 or 16 values, but got 3}}
  %v = tenon.look_up %c in [-1.0, 0.0, 1.0] : i32 -> f32
  return %v : f32
}

// -----

// look_up_c2 by type
func.func @f(%c: i8) -> f32 {
  // expected-error @+1 {{operand #0 must be i32, or vectors or tensors of it, but got 'i8'}}
  %v = tenon.look_up %c in [-1.0, 1.0] : i8 -> f32
  return %v : f32
}
