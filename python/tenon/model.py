"""Compiling, loading and calling models. What computes is the compiled code; here arrays are only checked and passed.

Must not import onnx: a ModelProto is recognised by its method SerializeToString.
"""
import atexit
import json
import os
import shutil
import time
import warnings
import weakref
from typing import NamedTuple, Tuple, Union

import numpy as np

from . import errors

_extension = None
#: Models that compile in the background, which ends before the interpreter does.
_specialized = weakref.WeakSet()


def extension():
    """The compiled module `_tenon`, with a message that helps when it is missing."""
    global _extension
    if _extension is None:
        try:
            from . import _tenon
        except ImportError as error:
            raise ImportError("tenon's extension module is not built for this Python: in a source tree run "
                              f"'make build', elsewhere 'pip install .' ({error})") from error
        _extension = _tenon
    return _extension


class Value(NamedTuple):
    """An input or output: a dim is a number, the name of a symbol, or None when nothing is known of it."""
    name: str
    shape: Tuple[Union[int, str, None], ...]
    dtype: str

    def __str__(self):
        return f"{self.name}: {self.dtype}[{', '.join('?' if dim is None else str(dim) for dim in self.shape)}]"


def _numpy_dtype(name):
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes  # bfloat16, the float8s, int4

        return np.dtype(getattr(ml_dtypes, name))


def _as_array(value):
    """A NumPy view of an array, through the buffer or DLPack protocols where there is one."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack__") and not isinstance(value, np.generic):
        return np.from_dlpack(value)
    return np.asarray(value)


class Model:
    """A compiled model. Calls from several threads are legal; the interpreter lock is released while it runs."""

    def __init__(self, handle, info):
        self._handle = handle
        manifest = json.loads(handle.manifest())
        self._info = {**info, "kernels": len(manifest["kernels"])}
        self.inputs, self._inputs = _interface(manifest["inputs"])
        self.outputs, self._outputs = _interface(manifest["outputs"])
        self._donated = [(position, entry["donated"]) for position, entry in enumerate(manifest["inputs"]) if "donated" in entry]
        self._positions = {value.name: position for position, value in enumerate(self.inputs)}

    def __repr__(self):
        return f"<tenon.Model ({', '.join(map(str, self.inputs))}) -> ({', '.join(map(str, self.outputs))})>"

    def __call__(self, *arrays, out=None, **named):
        """Runs the model on arrays in the order of `inputs`, or by name; gives one array, or a tuple of several.

        `out`: an array (or one per output, None for those to be made) that the results are written into.
        """
        if named or len(arrays) != len(self.inputs):
            arrays = self._bind(arrays, named)
        results = self._run(arrays, out)
        return results[0] if len(results) == 1 else tuple(results)

    def run(self, feeds, out=None):
        """Runs the model on {input name: array}; gives {output name: array}. `out`: {output name: array}."""
        outs = [out.get(value.name) for value in self.outputs] if out else None
        if out and (unknown := set(out) - {value.name for value in self.outputs}):
            raise errors.InvalidArgument(f"no output named {sorted(unknown)[0]!r}; the outputs are "
                                         f"{', '.join(value.name for value in self.outputs)}")
        results = self._run(self._bind((), feeds), outs)
        return {value.name: result for value, result in zip(self.outputs, results)}

    def _bind(self, arrays, named):
        if len(arrays) > len(self.inputs):
            raise errors.InvalidArgument(f"expected {len(self.inputs)} inputs, but got {len(arrays)}")
        bound = list(arrays) + [None] * (len(self.inputs) - len(arrays))
        for name, array in named.items():
            if name not in self._positions:
                raise errors.InvalidArgument(f"no input named {name!r}; the inputs are "
                                             f"{', '.join(map(str, self.inputs)) or 'none'}")
            if bound[self._positions[name]] is not None:
                raise errors.InvalidArgument(f"input {name!r} is given twice")
            bound[self._positions[name]] = array
        for value, array in zip(self.inputs, bound):
            if array is None:
                raise errors.InvalidArgument(f"input {value} is missing")
        return bound

    def _run(self, arrays, out):
        entries = []
        symbols = {}
        for value, dtype, array in zip(self.inputs, self._inputs, arrays):
            array = _as_array(array)
            if array.dtype != dtype.numpy:
                raise errors.InvalidArgument(f"expected input {value}, but got dtype {array.dtype}")
            self._check_shape("input", value, array.shape, symbols)
            entries.append((dtype.encode(array), dtype.code, array.shape))
        outs = self._check_outs(out)
        for position, number in self._donated:
            outs[number] = self._donate(arrays[position], self.inputs[position], outs[number])
        made = self._handle.run(entries, [None if item is None else dtype.carry(item)
                                          for item, dtype in zip(outs, self._outputs)])
        results = []
        for value, dtype, given, (array, _, shape) in zip(self.outputs, self._outputs, outs, made):
            if given is None:
                array = dtype.decode(array)
            elif given.shape != shape:
                raise errors.InvalidArgument(f"expected 'out' for {value} to have shape {list(shape)}, but got "
                                             f"{list(given.shape)}")
            results.append(array if given is None else given)
        return results

    @staticmethod
    def _donate(array, value, out):
        """The array that an input becomes when its result is written over it."""
        if out is not None:
            raise errors.InvalidArgument(f"input {value} is updated in place: expected no 'out' for its result")
        if not isinstance(array, np.ndarray) or not array.flags.c_contiguous or not array.flags.writeable:
            raise errors.InvalidArgument(f"input {value} is updated in place: expected a NumPy array that is contiguous and "
                                         "writeable")
        return array

    def _check_shape(self, role, value, shape, symbols):
        wrong = len(shape) != len(value.shape)
        for dim, size in zip(value.shape, shape):
            if isinstance(dim, str):
                wrong |= symbols.setdefault(dim, size) != size
            elif dim is not None:
                wrong |= dim != size
        if wrong:
            known = {name: size for name, size in symbols.items() if name in value.shape}
            where = f" (with {', '.join(f'{name} = {size}' for name, size in known.items())})" if known else ""
            raise errors.InvalidArgument(f"expected {role} {value}{where}, but got shape {list(shape)}")

    def _check_outs(self, out):
        if out is None:
            return [None] * len(self.outputs)
        if not isinstance(out, (list, tuple)):
            out = [out]
        if len(out) != len(self.outputs):
            raise errors.InvalidArgument(f"expected {len(self.outputs)} arrays in 'out', but got {len(out)}")
        for value, dtype, array in zip(self.outputs, self._outputs, out):
            if array is None:
                continue
            if not isinstance(array, np.ndarray) or array.dtype != dtype.numpy:
                raise errors.InvalidArgument(f"expected 'out' for {value} to be a NumPy array of that dtype, but got "
                                             f"{getattr(array, 'dtype', type(array).__name__)}")
            if not array.flags.c_contiguous or not array.flags.writeable:
                raise errors.InvalidArgument(f"expected 'out' for {value} to be contiguous and writeable")
        return list(out)

    def profile(self, *arrays, runs=10, peaks=None, **named):
        """Runs the model; gives one dict per kernel, of one run: name, nodes, calls, ms, flops, bytes, gflops, roofline.

        `roofline` is the share reached of what this machine's peaks allow for the kernel's flops and bytes: `peaks` as from
        `measure_peaks`, or measured now. Without arrays the inputs are random (open dims are 1). Kernels of a copy for fixed
        shapes (`specializations`) say so in `shapes`.
        """
        arrays = self._bind(arrays, named) if arrays or named else self.random_inputs()
        self._run(arrays, None)
        self._handle.set_profiling(True)
        try:
            for _ in range(runs):
                self._run(arrays, None)
            rows = json.loads(self._handle.profile())
        finally:
            self._handle.set_profiling(False)
        flops, bandwidth = peaks or measure_peaks(self._info.get("threads"))
        for row in rows:
            row["ms"] = row.pop("ns") / runs / 1e6
            for key in ("calls", "flops", "bytes"):
                row[key] = row[key] / runs
            seconds = max(row["ms"] / 1e3, 1e-9)
            row["gflops"] = row["flops"] / seconds / 1e9
            row["roofline"] = max(row["flops"] / flops, row["bytes"] / bandwidth) / seconds
        return rows

    def explain(self):
        """What the compiler decided: the manifest of the compiled model, with each kernel's schedule."""
        return json.loads(self._handle.manifest())

    @property
    def specializations(self):
        """What is known of the shapes that this model has run with, those used last first; empty unless it is specialised.
        Dicts of `shapes` {input: shape}, `state` ("counting", "waiting", "compiling", "checking" that it gives the same bits,
        "ready", "failed"), `runs` on generic code, `hits` of the copy, `seconds` to make it, and `reason` of a failure."""
        return json.loads(self._handle.specializations())["shapes"]

    @property
    def info(self):
        """How this model came to be: `path` of the shared object (None where there is no cache), `cached`, `seconds` to
        get it, `kernels`, `compiled_kernels` (those that the cache did not have), `stages` with their seconds, `specialize` (why
        there are no copies for fixed shapes; "" where there may be)."""
        return {**self._info, "specialize": json.loads(self._handle.specializations()).get("note", "")}

    def random_inputs(self, seed=0, **symbols):
        """Inputs to try the model with: normal numbers, small integers; symbols are 1 unless given by name."""
        rng = np.random.default_rng(seed)
        arrays = []
        for value, dtype in zip(self.inputs, self._inputs):
            shape = [dim if isinstance(dim, int) else int(symbols.get(dim, 1)) for dim in value.shape]
            if dtype.numpy.kind == "b":
                arrays.append(rng.random(shape) < 0.5)
            elif dtype.numpy.kind in "iu" or "int" in value.dtype:
                arrays.append(np.asarray(rng.integers(0, 2, shape)).astype(dtype.numpy))
            else:
                arrays.append(np.asarray(rng.standard_normal(shape)).astype(dtype.numpy))
        return arrays


class _Dtype:
    """How arrays of an element type cross the boundary: as themselves, or as integers of their width.

    Types narrower than a byte take one byte an element with the value in the low bits, as in ml_dtypes.
    """

    MASKS = {"int4": 15, "uint4": 15, "float4_e2m1fn": 15, "int2": 3, "uint2": 3}

    def __init__(self, name):
        self.code = extension().dtype_code(name)
        self.numpy = _numpy_dtype(name)
        self.mask = self.MASKS.get(name)
        plain = self.numpy.isbuiltin == 1 and self.numpy != np.float16
        self.carrier = self.numpy if plain else np.dtype(f"uint{8 * self.numpy.itemsize}")

    def carry(self, array):
        return array if array.dtype == self.carrier else array.view(self.carrier)

    def encode(self, array):
        array = self.carry(np.ascontiguousarray(array) if array.ndim else array)
        return array if self.mask is None else array & self.mask

    def decode(self, array):
        return array if array.dtype == self.numpy else array.view(self.numpy)


def _interface(entries):
    values = tuple(Value(entry["name"], tuple(entry["shape"]), entry["dtype"]) for entry in entries)
    return values, [_Dtype(value.dtype) for value in values]


#: Copies that `specialize=True` stands for.
DEFAULT_COPIES = 4


@atexit.register
def _end_specializing():
    for model in list(_specialized):
        model._handle.specialize("", None, 0, 0)


def measure_peaks(threads=None):
    """(float32 flops per second, bytes read per second) of `threads` threads, measured now."""
    peaks = json.loads(extension().measure_peaks(threads or len(os.sched_getaffinity(0))))
    return peaks["flops"], peaks["bytes_per_second"]


def compile(model, target="host", threads=None, precision="reorder", shapes=None, *, output=None, cache=True,
            timing=False, progress=None, fusion=True, schedules=None, specialize=None):
    """Compiles a model, or finds it in the cache, and loads it.

    model      path of a .onnx or .mlir file, its bytes, or an onnx.ModelProto
    target     "host" (this machine), or a name such as "x86-64-v3"
    threads    used by calls; None: all that affinity and the cgroup allow
    precision  "reorder": the same operations in another order, functions within 2 ulp; "fast": results within stated error
               bounds (docs/rationale/precision.md), as of Winograd's algorithm for 3x3 convolutions,
               Fourier transforms for long depthwise ones, and shorter exponentials
    shapes     {input name: shape} fixes dims that the model leaves open; None keeps a dim open
    output     where the shared object is written (default: into the cache)
    cache      False compiles even what the cache has
    timing     True compiles even what the cache has, and keeps a table of passes by time in `info["timing"]`
    progress   called with (stage, done, total); what it raises ends the compile
    fusion     False makes a kernel of every op: to see what fusion is worth, or whether it is at fault
    schedules  {name: "#tenon.schedule<...>"} gives kernels schedules of yours, by the names of kernels or of the model's
               nodes; equal kernels share one (docs/guides/schedules.md)
    specialize for models with open dims: how many copies for shapes that come often may be compiled in the background, with
               these shapes fixed and the same bits as results; True: 4, None or 0: none (`Model.specializations`)
    """
    return _compile_model(model, target, threads, precision, shapes, output, cache, timing, progress, fusion, schedules,
                          specialize=specialize)


def schedule_spaces(model, target="host", precision="reorder", shapes=None, *, best=3, samples=0, seed=0, fusion=True,
                    schedules=None, progress=None):
    """The schedules that each kernel of a model may have: {name of the kernel: its space}.

    A space has the model's "nodes" in the kernel, "axes" (each with its "name", its "values" under the choices of the schedule in use, and what that has, "used"),
    the number of "candidates" (a lower bound unless "exact"), the schedule in use ("used", with "cost" and whether it is "held" by the
    space), the `best` candidates by estimated cost (cycles per multiply-add, None where the kernel has no model), and
    `samples` drawn with `seed`. Every candidate is legal: `compile(model, schedules={name: candidate["schedule"]})`.
    Kernels that only come to be once others are scheduled have no entry.
    """
    for name, number in (("best", best), ("samples", samples), ("seed", seed)):
        if not isinstance(number, int) or number < 0:
            raise errors.InvalidArgument(f"expected {name} to be a number that is not negative, but got {number!r}")
    compiled = _compile_model(model, target, None, precision, shapes, None, True, False, progress, fusion, schedules,
                              {"best": best, "samples": samples, "seed": seed})
    return {kernel["name"]: {**kernel["space"], "nodes": kernel["nodes"]} for kernel in compiled.explain()["kernels"] if "space" in kernel}


def _compile_model(model, target, threads, precision, shapes, output, cache, timing, progress, fusion, schedules, spaces=None,
                   specialize=None):
    if threads is not None and (not isinstance(threads, int) or threads < 1):
        raise errors.InvalidArgument(f"expected threads to be a positive number or None, but got {threads!r}")
    if specialize is not None and (not isinstance(specialize, int) or specialize < 0):
        raise errors.InvalidArgument(f"expected specialize to be a number of copies, True or None, but got {specialize!r}")
    request = {"target": target, "threads": threads or 0, "cache": bool(cache),
               "shapes": {str(name): [-1 if dim is None or isinstance(dim, str) else int(dim) for dim in shape]
                          for name, shape in (shapes or {}).items()}}
    if timing:
        request.update(timing=True, cache=False)
    _add_options(request, fusion, precision)
    _add_schedules(request, schedules)
    if spaces is not None:
        request["spaces"] = spaces
    if output:
        request["output"] = os.path.abspath(output)
    data = None
    if isinstance(model, (str, os.PathLike)):
        request["path"] = path = os.fspath(model)
        if not os.path.isfile(path):
            raise errors.FileError(f"no file {path!r}" if not os.path.exists(path) else f"{path!r} is not a file")
    elif isinstance(model, (bytes, bytearray, memoryview)):
        data = bytes(model)
    elif hasattr(model, "SerializeToString"):
        data = model.SerializeToString()
    else:
        raise errors.InvalidArgument(f"expected a path, bytes or an onnx.ModelProto, but got {type(model).__name__}")
    compiled = _compile(request, data, progress)
    unknown = set(request["shapes"]) - {value.name for value in compiled.inputs}
    if unknown:
        raise errors.InvalidArgument(f"a shape is given for {sorted(unknown)[0]!r}, but the inputs are "
                                     f"{', '.join(map(str, compiled.inputs)) or 'none'}")
    if specialize:
        compiled._handle.specialize(json.dumps(request), data, DEFAULT_COPIES if specialize is True else specialize, 0)
        _specialized.add(compiled)
    return compiled


def compile_program(text, name, target="host", threads=None, *, output=None, cache=True, progress=None, fusion=True,
                    precision="reorder"):
    """Compiles a Program in MLIR's text form, or finds it in the cache; `name` stands for it in messages."""
    request = {"target": target, "threads": threads or 0, "cache": bool(cache), "shapes": {}, "path": name}
    _add_options(request, fusion, precision)
    if output:
        request["output"] = os.path.abspath(output)
    return _compile(request, text.encode(), progress)


def _add_options(request, fusion, precision):
    """Adds what is not the default: such options make another entry of the cache."""
    if precision not in ("reorder", "fast"):
        raise errors.InvalidArgument(f"expected precision 'reorder' or 'fast', but got {precision!r}")
    if precision != "reorder":
        request["precision"] = precision
    if not fusion:
        request["fusion"] = False


def _add_schedules(request, schedules):
    for name, schedule in (schedules or {}).items():
        if not isinstance(name, str) or not isinstance(schedule, str):
            raise errors.InvalidArgument("expected schedules to be {name of a kernel or node: \"#tenon.schedule<...>\"}, but got "
                                         f"{name!r}: {schedule!r}")
    if schedules:
        request["schedules"] = dict(schedules)


def _compile(request, data, progress):
    start = time.perf_counter()
    reply = json.loads(extension().compile(json.dumps(request), data, progress))
    if "warning" in reply:
        warnings.warn(reply["warning"], RuntimeWarning, stacklevel=3)
    try:
        handle = extension().Handle(reply["output"], request["threads"])
    finally:
        if reply["temporary"]:  # what is loaded needs no name any more
            shutil.rmtree(os.path.dirname(reply["output"]), ignore_errors=True)
    return Model(handle, {
        "path": None if reply["temporary"] else reply["output"], "cached": reply["cached"],
        "threads": request["threads"] or None, "compiled_kernels": reply["compiled_kernels"],
        "seconds": time.perf_counter() - start, "stages": reply["seconds"], "timing": reply.get("timing", "")})


def cache_folder():
    """Where compiled models and captured arrays are kept."""
    given = os.environ.get("TENON_CACHE_DIR")
    if given:
        return given
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "tenon")


def load(path, threads=None):
    """Opens a shared object that `compile(output=...)` or `tenon compile -o` wrote. No compiler is needed."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise errors.FileError(f"no file {path!r}")
    start = time.perf_counter()
    handle = extension().Handle(path, threads or 0)
    return Model(handle, {"path": path, "cached": True, "threads": threads, "seconds": time.perf_counter() - start})


def version() -> str:
    """The version of the native library."""
    return extension().version()
