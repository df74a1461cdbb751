// RUN: tenon-opt %s --tenon-assign-schedules --tenon-tile-grouped | FileCheck %s

#target = #tenon.target<triple = "x86_64-unknown-linux-gnu", cpu = "x86-64-v3", features = "", vector_bits = 256,
                        vector_registers = 16, l1_bytes = 32768, l2_bytes = 524288, l3_bytes = 33554432>
module attributes {tenon.target = #target} {

// Units of (group, rows, columns); four rows a group on average: weights are read where they are.
// CHECK-LABEL: func private @gathered
// CHECK-SAME: algorithm = "grouped", parallel = [1, 32, 256, 0], cache = [0, 32, 0, 0], register = [1, 6, 16, 1], vector_dim = 2, vector_width = 8
// CHECK: scf.forall (%[[E:.*]], %[[I:.*]], %[[N:.*]]) = (0, 0, 0) to (8, 32, 512) step (1, 32, 256)
// CHECK: tensor.extract %arg2[%[[E]]]
// CHECK: %[[ROWS:.*]] = scf.for
// CHECK: linalg.copy
// CHECK: %[[A:.*]] = tensor.extract_slice %[[ROWS]][0, 0] [%[[COUNT:.*]], 48] [1, 1]
// CHECK: %[[B:.*]] = tensor.extract_slice %arg1[%[[E]], 0, %[[N]]] [1, 48, 256] [1, 1, 1] : tensor<8x48x512xf32> to tensor<48x256xf32>
// CHECK: tenon.tile_contract {{.*}} lhs(%[[A]] : tensor<?x48xf32>) rhs(%[[B]] : tensor<48x256xf32>) outs(
// CHECK-NOT: pack
// CHECK: arith.maximumf
func.func private @gathered(%x: tensor<16x48xf32>, %w: tensor<8x48x512xf32>, %o: tensor<9xi64>, %r: tensor<32xi64>, %out: tensor<32x512xf32>) -> tensor<32x512xf32> attributes {tenon.kernel} {
  %0 = tenon.grouped_matmul relu %x, %w offsets %o rows %r : tensor<32xi64> outs(%out : tensor<32x512xf32>) : tensor<16x48xf32>, tensor<8x48x512xf32>, tensor<9xi64> -> tensor<32x512xf32>
  return %0 : tensor<32x512xf32>
}

// Rows that add to rows of the result: units of columns, which start from the fill; many rows a group: panels are copied.
// CHECK-LABEL: func private @scattered
// CHECK-SAME: parallel = [0, 0, 48, 0], cache = [0, 128, 0, 0], register = [1, 6, 16, 1], pack = [1]
// CHECK-NOT: linalg.fill
// CHECK: scf.forall (%{{.*}}) = (0) to (48) step (48)
// CHECK: linalg.fill
// CHECK: scf.for
// CHECK: scf.for %[[FIRST:[a-z0-9]+]] = %{{.*}} to %{{.*}} step
// CHECK: %[[Y:.*]] = tenon.tile_contract {{.*}} attributes {pack = array<i64: 1>
// CHECK: scf.for %[[I:[a-z0-9]+]] =
// CHECK: %[[ENTRY:.*]] = arith.addi %[[FIRST]], %[[I]]
// CHECK: tensor.extract %arg3[%[[ENTRY]]]
// CHECK: tensor.extract_slice %[[Y]][%[[I]], 0] [1, 48]
// CHECK: tensor.insert_slice
func.func private @scattered(%h: tensor<256x64xf32>, %w: tensor<8x64x48xf32>, %o: tensor<9xi64>, %t: tensor<256xi64>, %s: tensor<256xf32>, %out: tensor<16x48xf32>) -> tensor<16x48xf32> attributes {tenon.kernel} {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%out : tensor<16x48xf32>) -> tensor<16x48xf32>
  %0 = tenon.grouped_matmul identity %h, %w offsets %o scatter %t : tensor<256xi64> scales %s : tensor<256xf32> outs(%z : tensor<16x48xf32>) : tensor<256x64xf32>, tensor<8x64x48xf32>, tensor<9xi64> -> tensor<16x48xf32>
  return %0 : tensor<16x48xf32>
}
}
