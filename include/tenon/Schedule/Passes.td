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

#endif // TENON_SCHEDULE_PASSES
