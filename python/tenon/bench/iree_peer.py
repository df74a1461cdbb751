"""ONNX models through IREE, to compare with: imported by its ONNX importer, compiled for this processor.

Importing and compiling run in processes of their own, so that this one's peak memory is the runtime's. Sizes that a model
leaves open are those of the inputs.
"""
import os
import subprocess
import sys

#: IREE's importer reads graphs of this opset best; older ones are converted to it.
OPSET = 17
#: Seconds that importing and compiling may take each.
LIMIT = 600
#: What IREE may put on the stack, and the stacks of its threads: its defaults refuse models that these let pass.
LOCALS, STACK = 1 << 16, 1 << 20
FLAGS = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
         "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3", "--iree-opt-data-tiling",
         f"--iree-llvmcpu-stack-allocation-limit={LOCALS}"]


class Refused(Exception):
    """What IREE says when it cannot import or compile a model."""


def _tool(module, *arguments):
    """Runs one of IREE's tools."""
    try:
        run = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise Refused(f"{module.rpartition('.')[2]} took more than {LIMIT} s") from error
    if run.returncode:
        lines = [line for line in run.stderr.splitlines() if "error:" in line or "Error" in line] or run.stderr.splitlines()[-1:]
        first = lines[0].partition("error: ")[2] or lines[0] if lines else ""
        raise Refused(f"{module.rpartition('.')[2]} ended with {run.returncode}: {first.strip()[:200]}")


def _prepare(path, sizes, output):
    """Writes the model with the inputs' sizes, in an opset that the importer knows."""
    import onnx

    model = onnx.load(path)
    for value in model.graph.input:
        if value.name in sizes:
            dims = value.type.tensor_type.shape.dim
            for dim, size in zip(dims, sizes[value.name]):
                dim.dim_value = size
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if version < OPSET:
        model = onnx.version_converter.convert_version(model, OPSET)
    onnx.save(onnx.shape_inference.infer_shapes(model, data_prop=True), output)


def load(path, arrays, threads, folder):
    """A function without arguments that runs the model on `arrays` ({name: array}) and gives its outputs in their order."""
    import iree.compiler  # noqa: F401  (says at once what is not installed)
    import iree.runtime as runtime
    import onnx

    base = os.path.join(folder, "iree")
    _prepare(path, {name: array.shape for name, array in arrays.items()}, base + ".onnx")
    _tool("iree.compiler.tools.import_onnx", base + ".onnx", "-o", base + ".mlir")
    _tool("iree.compiler.tools.scripts.iree_compile", base + ".mlir", "-o", base + ".vmfb", *FLAGS)
    runtime.flags.parse_flags(f"--task_topology_group_count={threads}", f"--task_worker_stack_size={STACK}")
    config = runtime.Config("local-sync" if threads == 1 else "local-task")  # one thread: that of the caller
    module = runtime.load_vm_module(runtime.VmModule.mmap(config.vm_instance, base + ".vmfb"), config)
    name = next(n for n in module.vm_module.function_names if not n.startswith("__") and not n.endswith("$async"))
    function = getattr(module, name)
    graph = onnx.load(path, load_external_data=False).graph
    constant = {tensor.name for tensor in graph.initializer}
    given = [runtime.asdevicearray(config.device, arrays[value.name]) for value in graph.input if value.name not in constant]

    def call():
        results = function(*given)
        return [x.to_host() for x in (results if isinstance(results, (list, tuple)) else [results])]

    return call
