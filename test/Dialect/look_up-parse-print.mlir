// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func.func @f
func.func @f(%c: i32, %d: vector<8xi32>) -> (f32, vector<8xf32>) {
  // CHECK: tenon.look_up %{{.*}} in [-1.000000e+00, 0.000000e+00, 1.000000e+00, 0.000000e+00] : i32 -> f32
  %v = tenon.look_up %c in [-1.0, 0.0, 1.0, 0.0] : i32 -> f32
  // CHECK: tenon.look_up %{{.*}} in [0.000000e+00, 5.000000e-01] : vector<8xi32> -> vector<8xf32>
  %w = tenon.look_up %d in [0.0, 0.5] : vector<8xi32> -> vector<8xf32>
  return %v, %w : f32, vector<8xf32>
}
