//===- Passes.td - from bufferized kernels and hosts to LLVM -----------------------===//
#ifndef TENON_CONVERSION_TOCPU_PASSES
#define TENON_CONVERSION_TOCPU_PASSES

include "mlir/Pass/PassBase.td"

def KernelABI : Pass<"tenon-kernel-abi", "::mlir::ModuleOp"> {
  let summary = "give kernel functions the run time's calling convention";
  let description = [{
    Splits each bufferized kernel function (attribute `tenon.kernel`) into an entry, which computes the number of work
    items and the scratch size, and a range function, which runs items `lo` to `hi`. The work items are the iterations of the one
    top-level `scf.forall`; a function without one (or with side effects around it) is a single item. Buffers allocated
    inside an item become parts of the worker's scratch memory. See `include/tenon-c/runtime.h` for the convention.

    Before:
    ```mlir
    func.func private @k(%a: memref<64xf32>, %b: memref<64xf32>) attributes {tenon.kernel} {
      scf.forall (%i) in (4) { ... }
      return
    }
    ```
    After:
    ```mlir
    func.func @k(%call: !llvm.ptr, %args: !llvm.ptr) -> i32 {
      ...
      %status = llvm.call @tenon_rt_parallel_for(%call, %range, %args, %n, %bytes)
      return %status : i32
    }
    func.func private @k_range(%args: !llvm.ptr, %lo: i64, %hi: i64, %scratch: !llvm.ptr) {
      scf.for %u = %lo to %hi { ... }
      return
    }
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect", "::mlir::arith::ArithDialect",
                           "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
}

def BufferizeHost : Pass<"tenon-bufferize-host", "::mlir::ModuleOp"> {
  let summary = "put the host program on buffers";
  let description = [{
    One-shot bufferization of the host functions. Kernels are declarations by now; a `tenon.dispatch` writes its inits in
    place. Function inputs and weights are read-only.

    Before: `%r = tenon.dispatch @k ins(%a : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>`
    After:  `tenon.dispatch @k ins(%a : memref<8xf32>) outs(%e : memref<8xf32>)`
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect", "::mlir::memref::MemRefDialect"];
}

def PlanMemory : Pass<"tenon-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer of the host program its place";
  let description = [{
    Results that are returned are written into the caller's buffers. Every other buffer whose size is a function of the input
    dims becomes a part of one arena; buffers that are never alive at the same time share bytes. Buffers whose size
    depends on data stay `memref.alloc` and are freed after their last use. The pass leaves the attribute
    `tenon.arena` (bytes, where static) on the function and reports how much sharing saved.

    Before:
    ```mlir
    %0 = memref.alloc() : memref<8xf32>
    tenon.dispatch @k ins(%a : memref<8xf32>) outs(%0 : memref<8xf32>)
    return %0 : memref<8xf32>
    ```
    After:
    ```mlir
    %0 = call @tenon.output(%c0) ...
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect", "::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

def HostABI : Pass<"tenon-host-abi", "::mlir::ModuleOp"> {
  let summary = "lower host functions to calls of the run time";
  let description = [{
    Runs on host functions in control-flow form (no `scf`). `tenon.dispatch` becomes a word array and
    `tenon_rt_dispatch`, whose status is checked; `cf.assert` becomes `tenon_rt_error`; weights, arena and allocations become
    run-time calls; `main` becomes `tenon_model_run`, `tenon_init` becomes `tenon_model_init`.

    Before: `cf.assert %ok, "node 'Gather_3': index out of range"`
    After:  `cf.cond_br %ok, ^next, ^fail` and, in `^fail`, `llvm.call @tenon_rt_error`
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::cf::ControlFlowDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

def ExpandShapes : Pass<"tenon-expand-shapes"> {
  let summary = "reshapes of buffers that split a dim into several dynamic ones";
  let description = [{
    Upstream's `expand-strided-metadata` fails on `memref.expand_shape` with two dynamic sizes in one group. This pass, which runs
    before it, turns those into `memref.reinterpret_cast` with the sizes that the op carries; buffers are contiguous.

    Before: `%1 = memref.expand_shape %0 [[0, 1]] output_shape [%h, %w] : memref<?xf32> into memref<?x?xf32>`
    After:  `%1 = memref.reinterpret_cast %0 to offset: [0], sizes: [%h, %w], strides: [%w, 1]`
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect", "::mlir::arith::ArithDialect"];
}

#endif // TENON_CONVERSION_TOCPU_PASSES
