// RUN: tenon-opt %s --tenon-bufferize-host | FileCheck %s --check-prefix=BUF
// RUN: tenon-opt %s --tenon-bufferize-host --tenon-plan-memory | FileCheck %s --check-prefix=PLAN
// RUN: tenon-opt %s --tenon-bufferize-host --tenon-plan-memory --tenon-host-abi | FileCheck %s --check-prefix=ABI

// Dispatches work on buffers; nothing is copied.
// BUF-LABEL: func.func @main(
// BUF-SAME: memref<?xf32>
// BUF: %[[W:.*]] = tenon.load_weight @w : memref<16xf32>
// BUF: %[[T:.*]] = memref.alloc
// BUF: tenon.dispatch @k ins(%{{.*}}, %[[W]] : memref<?xf32>, memref<16xf32>) outs(%[[T]] : memref<?xf32>)
// BUF-NOT: memref.copy

// The buffer in between lives in the arena, whose size is computed from the input's dim; the result is where the caller wants
// it; weights come from the run time.
// PLAN-LABEL: func.func @main(
// PLAN-SAME: %[[CALL:.*]]: !llvm.ptr, %{{.*}}: !llvm.ptr) -> i32
// PLAN: llvm.call @tenon_rt_arena(%[[CALL]]
// PLAN: cf.assert %{{.*}}, "out of memory"
// PLAN: llvm.call @tenon_rt_weight(%[[CALL]]
// PLAN: tenon.dispatch @k
// PLAN: llvm.call @tenon_rt_output(%[[CALL]]
// PLAN-NOT: memref.copy
// PLAN: tenon.dispatch @k

// A dispatch becomes a call with one array of words; after an error the host returns its status.
// ABI-LABEL: func.func @tenon_model_run(
// ABI-NOT: tenon.dispatch
// ABI: %[[STATUS:.*]] = llvm.call @tenon_rt_dispatch(
// ABI: cf.cond_br %{{.*}}, ^{{.*}}, ^{{.*}}(%[[STATUS]] : i32)
// ABI: llvm.call @tenon_rt_error(
module {
  tenon.weight @w from "model.onnx" at 0 length 64 : tensor<16xf32>
  func.func private @k(%a: memref<?xf32>, %b: memref<16xf32>, %c: memref<?xf32>) attributes {tenon.kernel}
  func.func @main(%x: tensor<?xf32> {tenon.name = "x"}) -> (tensor<?xf32> {tenon.name = "y"}) {
    %c0 = arith.constant 0 : index
    %w = tenon.load_weight @w : tensor<16xf32>
    %n = tensor.dim %x, %c0 : tensor<?xf32>
    %e = tensor.empty(%n) : tensor<?xf32>
    %t = tenon.dispatch @k ins(%x, %w : tensor<?xf32>, tensor<16xf32>) outs(%e : tensor<?xf32>) -> tensor<?xf32>
    %f = tensor.empty(%n) : tensor<?xf32>
    %y = tenon.dispatch @k ins(%t, %w : tensor<?xf32>, tensor<16xf32>) outs(%f : tensor<?xf32>) -> tensor<?xf32>
    return %y : tensor<?xf32>
  }
}
