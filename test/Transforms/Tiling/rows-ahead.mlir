// RUN: tenon-opt %s --tenon-tile-generic --tenon-bufferize-kernels --cse --canonicalize --tenon-expand-linalg --canonicalize --cse | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Two passes over a row: the second asks for the same place of the next row, a line for every two vectors.
// CHECK-LABEL: func.func private @twice
// CHECK: scf.forall (%[[UNIT:.*]]) in (64)
// CHECK: arith.maximumf
// CHECK-NOT: memref.prefetch
// CHECK: scf.for %[[AT:.*]] = %c0 to %c1024 step %c32
// CHECK: %[[NEXT:.*]] = arith.addi %[[AT]], %c1024
// CHECK: memref.prefetch %{{.*}}[%c0, %[[NEXT]]], read
// CHECK: memref.prefetch
// CHECK-NOT: memref.prefetch
// CHECK: arith.subf
func.func private @twice(%x: tensor<64x1024xf32>, %o: tensor<64xf32>) -> tensor<64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", parallel = [1, 0], vector_width = 8>} {
  %lowest = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64xf32>
  %f = linalg.fill ins(%lowest : f32) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  %m = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x1024xf32>) outs(%f : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.maximumf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  %z = linalg.fill ins(%zero : f32) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  %s = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]} ins(%x, %m : tensor<64x1024xf32>, tensor<64xf32>) outs(%z : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.subf %a, %b : f32
    %1 = arith.addf %0, %c : f32
    linalg.yield %1 : f32
  } -> tensor<64xf32>
  return %s : tensor<64xf32>
}

// One pass is a stream that hardware follows.
// CHECK-LABEL: func.func private @once
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func private @once(%x: tensor<64x1024xf32>, %o: tensor<64xf32>) -> tensor<64xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "rows", parallel = [1, 0], vector_width = 8>} {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%o : tensor<64xf32>) -> tensor<64xf32>
  %s = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]} ins(%x : tensor<64x1024xf32>) outs(%z : tensor<64xf32>) {
  ^bb0(%a: f32, %b: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<64xf32>
  return %s : tensor<64xf32>
}
