"""say what was found on this machine, what is missing, and how to get it"""
import importlib.util
import os
import platform


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


def _checks():
    """(what, state, detail, how to get it); state: True, False, or None for what is optional and missing."""
    from .. import model
    from . import cache

    name, flags = _cpu()
    wide = "avx512f" in flags and "avx512vl" in flags
    yield "processor", "avx2" in flags and "fma" in flags, \
        f"{name}, {len(os.sched_getaffinity(0))} usable cores, {'AVX-512' if wide else 'AVX2' if 'avx2' in flags else ''}", \
        "Tenon needs AVX2 and FMA"
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
        flops, bandwidth = model.measure_peaks(1)
        yield "one thread", True, f"{flops / 1e9:.0f} GFLOP/s (f32), {bandwidth / 1e9:.1f} GB/s read", ""
    folder = cache.directory()
    probe = folder
    while not os.path.exists(probe):
        probe = os.path.dirname(probe) or "."
    yield "cache", os.access(probe, os.W_OK), folder, "make it writeable, or set TENON_CACHE_DIR"
    for package, why in (("numpy", None), ("onnx", "ModelProto input, tenon.onnx_backend"),
                         ("onnxruntime", "tenon bench --against onnxruntime"),
                         ("openvino", "tenon bench --against openvino")):
        found = importlib.util.find_spec(package) is not None
        detail = importlib.import_module("importlib.metadata").version(package) if found else f"not installed ({why})"
        yield package, found or (None if why else False), detail, f"pip install {package}"


def main(options):
    from . import common

    shown = common.table(None, ["", "what", "found"])
    missing = 0
    for what, state, detail, remedy in _checks():
        mark = {True: "[green]ok[/]", None: "[yellow]--[/]", False: "[red]no[/]"}[state]
        missing += state is False
        shown.add_row(mark, what, detail if state else f"{detail}\n-> {remedy}")
    common.console().print(shown)
    return 1 if missing else 0
