//===- Passes.td - choosing schedules -----------------------------------------------------===//
#ifndef TENON_SCHEDULE_PASSES
#define TENON_SCHEDULE_PASSES

include "mlir/Pass/PassBase.td"

def AssignSchedules : Pass<"tenon-assign-schedules", "::mlir::ModuleOp"> {
  let summary = "give each kernel its schedule";
  let description = [{
    Writes `tenon.schedule` on every kernel function that has none, for the module's `tenon.target` (the host where there is
    none). A schedule that is there already is the user's: it is checked against kernel and target and kept, or refused
    with the reason. This is the only pass that chooses; the others obey.

    The user gives schedules on kernels, or by names in the module's `tenon.schedules`, a dictionary. A name is that of a
    kernel function, or of a node of the model: then the one kernel with this node whose algorithm the schedule has.
    What was found is taken out of the dictionary, since kernels that are made later may have the other names.

    Before:
    ```mlir
    func.func private @k0(...) attributes {tenon.kernel} { %0 = tenon.tile_contract ["parallel", "parallel", "reduction"] ... }
    ```
    After:
    ```mlir
    func.func private @k0(...) attributes {tenon.kernel, tenon.schedule = #tenon.schedule<algorithm = "contract",
        parallel = [128, 144, 0], register = [8, 48, 1], pack = [1], vector_dim = 1, vector_width = 16, version = 1>} { ... }
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect"];
}

def CheckSchedules : Pass<"tenon-check-schedules", "::mlir::ModuleOp"> {
  let summary = "check that each schedule that was given by name has found its kernel";
  let description = [{
    Fails for what is left of the module's `tenon.schedules`, naming the kernels and nodes that there are.
  }];
}

def PrintSpaces : Pass<"tenon-print-spaces", "::mlir::ModuleOp"> {
  let summary = "print the legal schedules of each kernel";
  let description = [{
    Prints, per kernel function, the axes of its schedule space with their values under the schedule in use (the default
    where a kernel has none yet), how many candidates there are, and the cheapest by the model that chooses defaults, where the
    kernel has one. Costs are cycles per multiply-add. The IR stays as it is. Kernels whose weights are packed already have
    only the schedule that packed them: they are left out.

    Before:
    ```mlir
    func.func private @k0(...) attributes {tenon.kernel, tenon.schedule = #tenon.schedule<...>} { ... }
    ```
    After: the same, and on standard output
    ```
    k0: 49712 candidates
      vector_dim 1 of 2: 1, 0
      vectors 3 of 4: 3, 1, 2, 4
      ...
      in use 0.0725 #tenon.schedule<...>
      best 0.0725 #tenon.schedule<...>
    ```
  }];
  let options = [
    Option<"best", "best", "int64_t", "3", "how many of the cheapest candidates to print">,
    Option<"samples", "samples", "int64_t", "0", "how many candidates to draw">,
    Option<"seed", "seed", "int64_t", "0", "of the drawing">
  ];
  let dependentDialects = ["::tenon::TenonDialect"];
}

def ChooseConvAlgorithm : Pass<"tenon-choose-conv-algorithm", "::mlir::ModuleOp"> {
  let summary = "choose how convolutions are computed";
  let description = [{
    In modules of the exactness class `fast` (`tenon.precision`): writes `algorithm` on every `tenon.conv` that has none and for
    which one of Winograd's forms, or for depthwise ones Fourier transforms, are cheaper than the direct sum, by multiplications, the
    transforms, and the transformed filter's way from memory. Filters must be made from weights alone, so that their transform runs when the model is
    loaded. An `algorithm` that is there already is the user's and stays; `direct` keeps a convolution as it is.

    Before:
    ```mlir
    module attributes {tenon.precision = "fast"} {
      ...
      %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1
          : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x56x56xf32>
    ```
    After:
    ```mlir
      %y = tenon.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1, 1, 1] groups 1 algorithm winograd4
          : tensor<1x64x56x56xf32>, tensor<64x64x3x3xf32> -> tensor<1x64x56x56xf32>
    ```
  }];
  let dependentDialects = ["::tenon::TenonDialect"];
}

#endif // TENON_SCHEDULE_PASSES
