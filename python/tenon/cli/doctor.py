"""say what was found on this machine, what is missing, and how to get it

The last column says how to get what is missing. The exit status is 1 when something that is needed is missing.
"""
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path


def add_arguments(parser):
    pass


def _cpu():
    name, flags = platform.processor() or platform.machine(), ()
    try:
        with open("/proc/cpuinfo") as info:
            for line in info:
                if line.startswith("model name"):
                    name = line.split(":", 1)[1].strip()
                elif line.startswith("flags"):
                    flags = line.split(":", 1)[1].split()
                    break
    except OSError:
        pass
    return name, flags


PROBE = """
func.func @main(%x: tensor<64xf32>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<64xf32>
  %y = linalg.add ins(%x, %x : tensor<64xf32>, tensor<64xf32>) outs(%e : tensor<64xf32>) -> tensor<64xf32>
  return %y : tensor<64xf32>
}
"""


def _try_compiler():
    """Compiles something small and runs it: (whether that worked, what happened)."""
    import numpy as np

    from .. import errors, model

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "probe.mlir")
        Path(path).write_text(PROBE)
        try:
            start = time.perf_counter()
            result = model.compile(path, cache=False)(np.ones(64, np.float32))
            if (result != 2).any():
                return False, "a kernel computes 1 + 1 wrongly"
            return True, f"compiled and ran a kernel in {time.perf_counter() - start:.2f} s"
        except errors.Error as error:
            return False, str(error)


def _cache():
    from . import cache
    from .. import model

    folder = probe = model.cache_folder()
    while not os.path.exists(probe):
        probe = os.path.dirname(probe) or "."
    if not os.path.isdir(probe) or not os.access(probe, os.W_OK):
        return "cache", False, f"{folder} cannot be written", "make it writeable, or set TENON_CACHE_DIR"
    count, size = cache.measure(folder)
    limit = int(os.environ.get("TENON_CACHE_LIMIT") or 4 << 30)
    free = shutil.disk_usage(probe).free
    detail = f"{folder}: {count} files, {size / 2**20:.0f} of at most {limit / 2**20:.0f} MiB; {free / 2**30:.1f} GiB free"
    return "cache", free > 16 << 20, detail, "free some space, or set TENON_CACHE_DIR"


def _source_tree():
    """In a source tree: the Debian packages that building needs."""
    listed = Path(__file__).resolve().parents[3] / "tools" / "dev" / "packages.txt"
    if not listed.is_file() or not shutil.which("dpkg-query"):
        return
    wanted = [line for line in listed.read_text().split("\n") if line and not line.startswith("#")]
    found = subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Status}\n", *wanted], capture_output=True, text=True)
    there = {line.split()[0] for line in found.stdout.splitlines() if line.endswith("install ok installed")}
    missing = [name for name in wanted if name not in there]
    yield "to build", None if missing else True, \
        f"{len(there)} of {len(wanted)} packages" + (f"; not installed: {', '.join(missing)}" if missing else ""), "make setup"


def _checks():
    """(what, state, detail, how to get it); state: True, False, or None for what is optional and missing."""
    from .. import model

    name, flags = _cpu()
    wide = "avx512f" in flags and "avx512vl" in flags
    yield "processor", "avx2" in flags and "fma" in flags, \
        f"{name}, {'AVX-512' if wide else 'AVX2' if 'avx2' in flags else 'neither AVX2 nor AVX-512'}", \
        "none: Tenon needs AVX2 and FMA"
    yield "cores", True, f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} may be used", ""
    if os.environ.get("TENON_TARGET"):
        yield "TENON_TARGET", True, os.environ["TENON_TARGET"], ""
    native = None
    try:
        native = model.extension()
        yield "extension module", True, native.__file__, ""
        yield "libtenon", True, native.version(), ""
    except ImportError as error:
        yield "extension module", False, str(error), "make build, or pip install ."
    if native is not None:
        compiler = native.compiler_path()
        yield "compiler", bool(compiler), compiler or "libtenon_compiler.so not found: only compiled models load", \
            "make build, or pip install ."
        if compiler:
            works, detail = _try_compiler()
            yield "a trial", works, detail, "pip install --force-reinstall ., or in a source tree make build"
        flops, bandwidth = model.measure_peaks(1)
        yield "one thread", True, f"{flops / 1e9:.0f} GFLOP/s (f32), {bandwidth / 1e9:.1f} GB/s read", ""
    yield _cache()
    for module, package, why in (("numpy", "numpy", None), ("rich", "rich", None), ("ml_dtypes", "ml_dtypes", "bfloat16, float8 and 4-bit arrays"),
                                 ("onnx", "onnx", "ModelProto input, tenon.onnx_backend"),
                                 ("matplotlib", "matplotlib", "tenon bench --plot"),
                                 ("onnxruntime", "onnxruntime", "tenon bench --against onnxruntime"),
                                 ("openvino", "openvino", "tenon bench --against openvino"),
                                 ("jax", "jax", "tenon bench --against jax"),
                                 ("iree", "iree-base-compiler", "tenon bench --against iree"),
                                 ("iree", "iree-base-runtime", "tenon bench --against iree")):
        try:
            found = importlib.util.find_spec(module) is not None
            detail = importlib.import_module("importlib.metadata").version(package) if found else ""
        except ImportError:  # PackageNotFoundError too: another package of the same namespace
            found = False
        yield package, found or (None if why else False), detail if found else f"not installed{f' ({why})' if why else ''}", \
            "pip install 'jax[cpu]'" if package == "jax" else f"pip install {package}"
    yield from _source_tree()


def main(options):
    from . import common

    shown = common.table(None, ["", "what", "found", "how to get it"])
    missing = 0
    for what, state, detail, remedy in _checks():
        mark = {True: "[green]ok[/]", None: "[yellow]--[/]", False: "[red]no[/]"}[state]
        missing += state is False
        shown.add_row(mark, what, detail, "" if state else remedy)
    common.console().print(shown)
    return 1 if missing else 0
