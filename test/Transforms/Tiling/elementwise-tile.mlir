// RUN: tenon-opt %s --tenon-tile-generic | FileCheck %s
// RUN: tenon-opt %s --tenon-tile-generic --tenon-bufferize-kernels --tenon-check-tiled --tenon-expand-linalg --cse --canonicalize | FileCheck %s --check-prefix=LOOP

#id = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#channel = affine_map<(d0, d1, d2, d3) -> (d1)>

// Dims that all operands walk together become one, also dynamic ones; a broadcast dim stays.
// CHECK-LABEL: func.func private @bias
// CHECK: tensor.collapse_shape %{{.*}} {{\[\[}}0], [1], [2, 3]]
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) = (0, 0, 0)
// CHECK: tensor.expand_shape
// LOOP-LABEL: func.func private @bias
// LOOP: scf.forall
// LOOP: memref.load
// LOOP: scf.for
// LOOP: vector.load {{.*}} vector<16xf32>
// LOOP: arith.addf {{.*}} : vector<16xf32>
// LOOP: vector.store
// LOOP: vector.maskedload
// LOOP: vector.maskedstore
func.func private @bias(%x: tensor<?x8x?x?xf32>, %b: tensor<8xf32>, %o: tensor<?x8x?x?xf32>) -> tensor<?x8x?x?xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise", vector_width = 16>} {
  %r = linalg.generic {indexing_maps = [#id, #channel, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %b : tensor<?x8x?x?xf32>, tensor<8xf32>) outs(%o : tensor<?x8x?x?xf32>) {
  ^bb0(%a: f32, %c: f32, %d: f32):
    %s = arith.addf %a, %c : f32
    linalg.yield %s : f32
  } -> tensor<?x8x?x?xf32>
  return %r : tensor<?x8x?x?xf32>
}

// A chain is one loop over one run of memory.
// CHECK-LABEL: func.func private @chain
// CHECK: scf.forall (%{{.*}}) = (0) to (65536) step (16384)
// CHECK-COUNT-1: linalg.generic
// CHECK-NOT: linalg.generic
// LOOP-LABEL: func.func private @chain
func.func private @chain(%x: tensor<256x256xf32>, %o: tensor<256x256xf32>) -> tensor<256x256xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise", vector_width = 16>} {
  %e = tensor.empty() : tensor<256x256xf32>
  %t = linalg.exp ins(%x : tensor<256x256xf32>) outs(%e : tensor<256x256xf32>) -> tensor<256x256xf32>
  %r = linalg.negf ins(%t : tensor<256x256xf32>) outs(%o : tensor<256x256xf32>) -> tensor<256x256xf32>
  return %r : tensor<256x256xf32>
}

// Tensors without elements are one unit that does nothing.
// CHECK-LABEL: func.func private @empty
// CHECK-NOT: scf.forall
// LOOP-LABEL: func.func private @empty
func.func private @empty(%x: tensor<0x8xf32>, %o: tensor<0x8xf32>) -> tensor<0x8xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise">} {
  %r = linalg.exp ins(%x : tensor<0x8xf32>) outs(%o : tensor<0x8xf32>) -> tensor<0x8xf32>
  return %r : tensor<0x8xf32>
}
