// RUN: tenon-opt %s --tenon-tile-generic | FileCheck %s

// A tile moves each slice along the dims whose source is whole there: the outer one along its rows, the inner one along the
// dim that it cuts.
// CHECK: #[[ADD:.*]] = affine_map<(d0)[s0] -> (d0 + s0)>
// CHECK-LABEL: func.func private @slices
// CHECK: scf.forall (%[[I:[a-z0-9]+]], %[[J:[a-z0-9]+]], %[[K:[a-z0-9]+]])
// CHECK: tensor.extract_slice %arg0[%[[I]], %[[J]], 0] [1, 1, %arg2]
// CHECK: %[[AT:.*]] = affine.apply #[[ADD]](%[[K]])[%arg1]
// CHECK: tensor.extract_slice %{{.*}}[0, 0, %[[AT]]]
#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
func.func private @slices(%x: tensor<?x258x?xf32>, %at: index, %n: index, %o: tensor<?x129x?xf32>) -> tensor<?x129x?xf32>
    attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "elementwise", vector_width = 16>} {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %d0 = tensor.dim %o, %c0 : tensor<?x129x?xf32>
  %d2 = tensor.dim %o, %c2 : tensor<?x129x?xf32>
  %a = tensor.extract_slice %x[0, 0, 0] [%d0, 129, %n] [1, 1, 1] : tensor<?x258x?xf32> to tensor<?x129x?xf32>
  %b = tensor.extract_slice %a[0, 0, %at] [%d0, 129, %d2] [1, 1, 1] : tensor<?x129x?xf32> to tensor<?x129x?xf32>
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%b : tensor<?x129x?xf32>) outs(%o : tensor<?x129x?xf32>) {
  ^bb0(%in: f32, %out: f32):
    %m = arith.mulf %in, %in : f32
    linalg.yield %m : f32
  } -> tensor<?x129x?xf32>
  return %y : tensor<?x129x?xf32>
}
