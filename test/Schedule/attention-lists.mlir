// RUN: tenon-opt %s --tenon-assign-schedules --split-input-file --verify-diagnostics | FileCheck %s
//
// The rows of a unit read one list.

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>

module attributes {tenon.target = #t} {
// A part of 96 queries rather than 64; of eight heads that share keys, the two that share lists.
// CHECK-LABEL: func private @parts
// CHECK-SAME: parallel = [1, 2, 32, 0]
func.func private @parts(%q: tensor<1x8x960x64xf32>, %k: tensor<1x1x512x64xf32>, %v: tensor<1x1x512x64xf32>, %b: tensor<1x4x10x3xi64>, %o: tensor<1x8x960x64xf32>) -> tensor<1x8x960x64xf32> attributes {tenon.kernel} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x4x10x3xi64>) keys 16 queries 96 : tensor<1x1x512x64xf32>, tensor<1x1x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x8x960x64xf32>) : tensor<1x8x960x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x8x960x64xf32>
  return %r : tensor<1x8x960x64xf32>
}

// One list for all queries binds no rows.
// CHECK-LABEL: func private @all
// CHECK-SAME: parallel = [1, 1, 64, 0]
func.func private @all(%q: tensor<1x2x97x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %b: tensor<1x2x1x3xi64>, %o: tensor<1x2x97x64xf32>) -> tensor<1x2x97x64xf32> attributes {tenon.kernel} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x2x1x3xi64>) keys 16 queries 97 : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x97x64xf32>) : tensor<1x2x97x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x97x64xf32>
  return %r : tensor<1x2x97x64xf32>
}

// A list per query.
// CHECK-LABEL: func private @each
// CHECK-SAME: parallel = [1, 4, 1, 0]
func.func private @each(%q: tensor<1x4x?x64xf32>, %k: tensor<1x1x512x64xf32>, %v: tensor<1x1x512x64xf32>, %b: tensor<1x1x?x3xi64>, %o: tensor<1x4x?x64xf32>) -> tensor<1x4x?x64xf32> attributes {tenon.kernel} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x1x?x3xi64>) keys 16 : tensor<1x1x512x64xf32>, tensor<1x1x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x4x?x64xf32>) : tensor<1x4x?x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x4x?x64xf32>
  return %r : tensor<1x4x?x64xf32>
}
}

// -----

#t = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v4", features = "", vector_bits = 512, vector_registers = 32, l1_bytes = 32768, l2_bytes = 1048576, l3_bytes = 33554432>

module attributes {tenon.target = #t} {
// expected-error @+1 {{expected the rows of a unit of an attention to divide the 24 queries that share a list, but got 16}}
func.func private @k(%q: tensor<1x2x48x64xf32>, %k: tensor<1x2x512x64xf32>, %v: tensor<1x2x512x64xf32>, %b: tensor<1x2x2x3xi64>, %o: tensor<1x2x48x64xf32>) -> tensor<1x2x48x64xf32> attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "attention", parallel = [1, 1, 16, 0], cache = [0, 0, 0, 128], register = [1, 1, 4, 32], vector_dim = 3, vector_width = 16>} {
  %s = tenon.kv_source %k, %v blocks(%b : tensor<1x2x2x3xi64>) keys 16 queries 24 : tensor<1x2x512x64xf32>, tensor<1x2x512x64xf32>
  %r = tenon.attention softmax %q sources(%s) outs(%o : tensor<1x2x48x64xf32>) : tensor<1x2x48x64xf32> {
  ^bb0(%x: f32, %n: index, %h: index, %i: index, %j: index):
    tenon.yield %x : f32
  } -> tensor<1x2x48x64xf32>
  return %r : tensor<1x2x48x64xf32>
}
}
