// RUN: tenon-opt %s --tenon-expand-transform --canonicalize --cse | FileCheck %s

// Columns 1 and 2 are added or subtracted in both rows: their sum and difference serve both. The last lanes are masked.
// CHECK-LABEL: func @output
// CHECK: scf.for %[[C:.*]] = %c0 to %c16 step %c8
// CHECK: %[[X0:.*]] = vector.load %arg0[%c0, %[[C]]]
// CHECK: %[[X1:.*]] = vector.load %arg0[%c1, %[[C]]]
// CHECK: %[[X2:.*]] = vector.load %arg0[%c2, %[[C]]]
// CHECK: %[[X3:.*]] = vector.load %arg0[%c3, %[[C]]]
// CHECK-DAG: %[[SUM:.*]] = arith.addf %[[X1]], %[[X2]] : vector<8xf32>
// CHECK-DAG: %[[DIFFERENCE:.*]] = arith.subf %[[X1]], %[[X2]] : vector<8xf32>
// CHECK: arith.addf %[[X0]], %[[SUM]]
// CHECK: arith.addf %[[DIFFERENCE]], %[[X3]]
// CHECK: vector.maskedload
func.func @output(%a: memref<4x20xf32>, %b: memref<2x20xf32>) attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "winograd", vector_width = 8>} {
  tenon.tile_transform in(%a : memref<4x20xf32>) outs(%b : memref<2x20xf32>)
      maps [affine_map<(c, k) -> (k, c)>, affine_map<(c, i) -> (i, c)>]
      rows 2 coefficients [1.0, 1.0, 1.0, 0.0, 0.0, 1.0, -1.0, 1.0]
  return
}

// Rows 1 and 2 differ in the sign of one column: e + o and e - o. Row 0 is loaded where it is, two elements a tile on.
// CHECK-LABEL: func @input
// CHECK: scf.for %[[Y:.*]] = %c0 to %c3 step %c1
// CHECK: %[[FIRST:.*]] = arith.muli %[[Y]], %c2
// CHECK: vector.load %arg0[%[[FIRST]], %{{.*}}]
// CHECK: arith.subf
// CHECK: %[[E:.*]] = arith.addf %[[O:.*]], %[[P:.*]] : vector<8xf32>
// CHECK: arith.subf
// CHECK-COUNT-4: vector.store
func.func @input(%a: memref<8x16xf32>, %b: memref<4x3x16xf32>) attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "winograd", vector_width = 8>} {
  tenon.tile_transform in(%a : memref<8x16xf32>) outs(%b : memref<4x3x16xf32>)
      maps [affine_map<(y, c, k) -> (y * 2 + k, c)>, affine_map<(y, c, i) -> (i, y, c)>]
      rows 4 coefficients [-1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, -1.0, 0.0, 1.0]
  return
}
