// RUN: tenon-opt %s | tenon-opt | FileCheck %s

// CHECK-LABEL: func @selection
// CHECK: tenon.top_k %arg0 axis 1 : tensor<4x9xf32> -> tensor<4x2xf32>, tensor<4x2xi64>
// CHECK: tenon.top_k smallest %arg0 k %arg1 axis 1 : tensor<4x9xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
// CHECK: tenon.sort descending %arg0 axis 0 : tensor<4x9xf32> -> tensor<4x9xf32>, tensor<4x9xi64>
// CHECK: tenon.segment_reduce mean %arg0 offsets %arg2 : tensor<4x9xf32>, tensor<?xi32> -> tensor<?x9xf32>
func.func @selection(%x: tensor<4x9xf32>, %k: index, %o: tensor<?xi32>) {
  %v, %i = tenon.top_k %x axis 1 : tensor<4x9xf32> -> tensor<4x2xf32>, tensor<4x2xi64>
  %w, %j = tenon.top_k smallest %x k %k axis 1 : tensor<4x9xf32> -> tensor<4x?xf32>, tensor<4x?xi64>
  %s, %l = tenon.sort descending %x axis 0 : tensor<4x9xf32> -> tensor<4x9xf32>, tensor<4x9xi64>
  %r = tenon.segment_reduce mean %x offsets %o : tensor<4x9xf32>, tensor<?xi32> -> tensor<?x9xf32>
  return
}

// CHECK-LABEL: func @routes
// CHECK: tenon.route softmax %arg0 top_k 2 normalize : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
// CHECK: tenon.route sigmoid %arg0 biases %arg1 : tensor<8xf32> top_k 3 threshold 1.000000e-01 groups 4 top_groups 2 group_top 2 normalize scale 2.500000e+00 : tensor<16x8xf32> -> tensor<9xi64>, tensor<48xi64>, tensor<48xf32>
// CHECK: tenon.route relu %arg2 threshold 0.000000e+00 : tensor<?x8xf16> -> tensor<9xi64>, tensor<?xi64>, tensor<?xf16>
func.func @routes(%l: tensor<16x8xf32>, %b: tensor<8xf32>, %d: tensor<?x8xf16>) {
  %o, %t, %w = tenon.route softmax %l top_k 2 normalize : tensor<16x8xf32> -> tensor<9xi64>, tensor<32xi64>, tensor<32xf32>
  %p, %u, %x = tenon.route sigmoid %l biases %b : tensor<8xf32> top_k 3 threshold 0.1 groups 4 top_groups 2 group_top 2 normalize scale 2.5 : tensor<16x8xf32> -> tensor<9xi64>, tensor<48xi64>, tensor<48xf32>
  %q, %v, %y = tenon.route relu %d threshold 0.0 : tensor<?x8xf16> -> tensor<9xi64>, tensor<?xi64>, tensor<?xf16>
  return
}

// CHECK-LABEL: func @experts
// CHECK: tenon.grouped_matmul silu %arg0, %arg2 offsets %arg5 rows %arg6 : tensor<32xi64> factors %arg7 : tensor<32x64xf32> outs(%arg7 : tensor<32x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<32x64xf32>
// CHECK: tenon.grouped_matmul identity %{{.*}}, %arg4 offsets %arg5 biases %arg9 : tensor<8x48xf32> scatter %arg6 : tensor<32xi64> scales %arg8 : tensor<32xf32> outs(%arg0 : tensor<16x48xf32>) : tensor<32x64xf32>, tensor<8x64x48xf32>, tensor<9xi64> -> tensor<16x48xf32>
// CHECK: tenon.moe gelu_tanh %arg0, %arg1 route relu threshold 0.000000e+00 gate %arg2 : tensor<8x48x64xf32> up %arg3 : tensor<8x48x64xf32> down %arg4 : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
func.func @experts(%x: tensor<16x48xf32>, %l: tensor<16x8xf32>, %g: tensor<8x48x64xf32>, %u: tensor<8x48x64xf32>,
                   %d: tensor<8x64x48xf32>, %o: tensor<9xi64>, %t: tensor<32xi64>, %e: tensor<32x64xf32>, %w: tensor<32xf32>,
                   %b: tensor<8x48xf32>) {
  %h = tenon.grouped_matmul silu %x, %g offsets %o rows %t : tensor<32xi64> factors %e : tensor<32x64xf32> outs(%e : tensor<32x64xf32>) : tensor<16x48xf32>, tensor<8x48x64xf32>, tensor<9xi64> -> tensor<32x64xf32>
  %y = tenon.grouped_matmul identity %h, %d offsets %o biases %b : tensor<8x48xf32> scatter %t : tensor<32xi64> scales %w : tensor<32xf32> outs(%x : tensor<16x48xf32>) : tensor<32x64xf32>, tensor<8x64x48xf32>, tensor<9xi64> -> tensor<16x48xf32>
  %m = tenon.moe gelu_tanh %x, %l route relu threshold 0.0 gate %g : tensor<8x48x64xf32> up %u : tensor<8x48x64xf32> down %d : tensor<8x64x48xf32> : tensor<16x48xf32>, tensor<16x8xf32> -> tensor<16x48xf32>
  return
}
