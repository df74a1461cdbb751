"""@tenon.jit: functions of arrays that are traced once per kind of arguments, compiled, and called."""
import functools
import inspect
import os
import threading
from typing import NamedTuple, Tuple, Union

import numpy as np

from .. import errors, model as model_
from . import dims as dims_
from . import dtypes, scalar, tree
from .array import Array, as_array
from .trace import Trace, user_lines


class Spec(NamedTuple):
    """What an argument will be: `shape` of numbers and names (a name is a size known at the call; the same name is the
    same size everywhere), and an element type."""
    shape: Tuple[Union[int, str], ...]
    dtype: dtypes.DType

    def __str__(self):
        return f"{self.dtype}{dims_.text(self.shape)}"


def spec(shape, dtype="float32"):
    """Describes an argument for `compile` and `lower`: tenon.spec(("n", 64), "float32")."""
    shape = (shape,) if isinstance(shape, (int, str)) else tuple(shape)
    for dim in shape:
        if not (isinstance(dim, int) and dim >= 0) and not (isinstance(dim, str) and dim):
            raise errors.InvalidArgument(f"expected sizes that are numbers or names, but got {dim!r} in {list(shape)}")
    return Spec(shape, dtypes.dtype_of(dtype))


def _is_leaf(value):
    if isinstance(value, (Spec, np.ndarray, Array)):
        return True
    return hasattr(value, "__dlpack__") and not isinstance(value, np.generic)


class Lowered(NamedTuple):
    """A traced function: the Program's text and what its arguments and results are."""
    text: str
    inputs: Tuple[str, ...]
    out_structure: object


class Function:
    """A function of arrays; made by `tenon.jit`. Call it with arrays of NumPy (or of DLPack).

    Arguments are arrays, nested tuples, lists and dicts of them, and anything else that is hashable, which is a constant
    of the trace. Each new combination of shapes, dtypes and constants is traced and compiled once; dims named by `dims`
    stay open.
    """

    def __init__(self, function, dims=None, donate=(), target="host", threads=None, cache=True, fusion=True,
                 precision="reorder"):
        functools.update_wrapper(self, function)
        self._function, self._dims = function, dict(dims or {})
        self._donate = (donate,) if isinstance(donate, str) else tuple(donate)
        self._options = {"target": target, "threads": threads, "cache": cache, "fusion": fusion,
                         "precision": precision}
        self._signature = inspect.signature(function)
        for name in list(self._dims) + list(self._donate):
            if name not in self._signature.parameters:
                raise errors.InvalidArgument(f"{function.__name__} has no argument {name!r}; its arguments are "
                                             f"{', '.join(self._signature.parameters)}")
        self._models = {}
        self._lock = threading.Lock()

    def __get__(self, instance, owner):
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args, **kwargs):
        bound = self._bind(args, kwargs)
        leaves, structure = tree.flatten(bound, _is_leaf)
        arrays = [model_._as_array(leaf) if not isinstance(leaf, Array) else leaf for leaf in leaves]
        if any(isinstance(array, Array) for array in arrays):
            return self._function(*args, **kwargs)  # inside of another traced function
        specs = self._specs(structure, arrays)
        compiled, out_structure = self._compiled(structure, specs)
        results = compiled._run(arrays, None)
        return tree.unflatten(out_structure, results)

    def __repr__(self):
        return f"<tenon.jit function {self.__name__}{self._signature}>"

    def compile(self, *args, output=None, **kwargs):
        """The compiled model for arguments described by arrays or `tenon.spec`; `output` is where its shared object goes,
        for programs without Python (see `tenon compile --header`). Results in nested containers are flat here."""
        leaves, structure = tree.flatten(self._bind(args, kwargs), _is_leaf)
        return self._compiled(structure, self._specs(structure, leaves), output)[0]

    def lower(self, *args, **kwargs):
        """The Program (MLIR text) for arguments described by arrays or `tenon.spec`."""
        leaves, structure = tree.flatten(self._bind(args, kwargs), _is_leaf)
        return self._lower(structure, self._specs(structure, leaves)).text

    # ------------------------------------------------------------------------------------------------------------------
    def _bind(self, args, kwargs):
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise errors.InvalidArgument(f"{self.__name__}: {error}") from None
        bound.apply_defaults()
        return dict(bound.arguments)

    def _specs(self, structure, leaves):
        """A Spec per leaf, with the names that `dims` gives to sizes."""
        leaves, specs = iter(leaves), []
        for name, part in structure[1]:
            for leaf_name in tree.names(part, name):
                leaf = next(leaves)
                if isinstance(leaf, Spec):
                    specs.append(leaf)
                    continue
                shape, dtype = tuple(leaf.shape), dtypes.dtype_of(leaf.dtype)
                named = self._dims.get(leaf_name, self._dims.get(name))
                if named is not None:
                    shape = self._named(leaf_name, shape, named)
                specs.append(Spec(shape, dtype))
        return tuple(specs)

    def _named(self, name, shape, named):
        if len(named) != len(shape) or any(isinstance(dim, int) and dim != size for dim, size in zip(named, shape)):
            raise errors.InvalidArgument(f"{self.__name__}: expected argument '{name}' of shape {dims_.text(named)}, but got "
                                         f"{dims_.text(shape)}")
        return tuple(size if dim is None else dim for dim, size in zip(named, shape))

    def _compiled(self, structure, specs, output=None):
        try:
            key = (structure, specs)
            known = self._models.get(key) if output is None else None
        except TypeError as error:
            raise errors.InvalidArgument(f"{self.__name__}: an argument is neither an array nor hashable ({error})") from None
        if known is not None:
            return known
        with self._lock:
            if output is None and key in self._models:
                return self._models[key]
            lowered = self._lower(structure, specs)
            compiled = model_.compile_program(lowered.text, f"{self.__name__}.mlir", output=output, **self._options)
            result = compiled, lowered.out_structure
            if output is None:
                self._models[key] = result
            return result

    def _lower(self, structure, specs):
        trace = Trace()
        with trace.active():
            names = [leaf for name, part in structure[1] for leaf in tree.names(part, name)]
            roots = [name for name, part in structure[1] for _ in tree.names(part, name)]
            arguments, sizes = [], {}
            for number, sp in enumerate(specs):
                shape = []
                for axis, dim in enumerate(sp.shape):
                    if isinstance(dim, str) and dim not in sizes:
                        kind = trace.tensor_type([_Open if isinstance(d, str) else d for d in sp.shape], sp.dtype)
                        place = trace.constant(axis)
                        sizes[dim] = trace.dim(trace.emit_value(f"tensor.dim %arg{number}, {place} : {kind}"), dim)
                    shape.append(sizes[dim] if isinstance(dim, str) else dim)
                arguments.append(Array(f"%arg{number}", shape, sp.dtype))
            bound = tree.unflatten(structure, arguments)
            results = self._call(bound)
            out_leaves, out_structure = tree.flatten(
                results, lambda v: isinstance(v, (Array, np.ndarray, scalar.Scalar, dims_.Dim)) or scalar.is_number(v))
            outputs = [as_array(leaf) for leaf in out_leaves]
            if _has_static(out_structure):
                raise errors.InvalidArgument(f"{self._place()}: expected arrays as results, but got {_has_static(out_structure)}")
            if not outputs:
                raise errors.InvalidArgument(f"{self._place()}: the function returns no array")
            donated = self._match_donated(roots, arguments, outputs)
            declarations = trace.declare_weights(os.path.join(model_.cache_folder(), "arrays"))
        out_names = tree.names(out_structure, "" if isinstance(results, dict) else "result") if out_structure != "*" else ["result"]
        known = set(sizes)
        heads = ", ".join(_port(f"%arg{number}: ", argument, name, sp.shape, donated.get(number))
                          for number, (argument, name, sp) in enumerate(zip(arguments, names, specs)))
        tails = ", ".join(_port("", output, name, [dim if str(dim) in known or isinstance(dim, int) else None for dim in output.shape]) for output, name in zip(outputs, out_names))
        lines = ["module {", *declarations, f"func.func @main({heads}) -> ({tails}) {{", *trace.lines,
                 f"return {', '.join(output.ssa for output in outputs)} : {', '.join(output.type for output in outputs)}", "}", "}"]
        return Lowered("\n".join(lines) + "\n", tuple(names), out_structure)

    def _call(self, bound):
        args, kwargs = [], {}
        for name, parameter in self._signature.parameters.items():
            if parameter.kind == parameter.VAR_POSITIONAL:
                args += bound[name]
            elif parameter.kind == parameter.VAR_KEYWORD:
                kwargs.update(bound[name])
            elif parameter.kind == parameter.KEYWORD_ONLY:
                kwargs[name] = bound[name]
            else:
                args.append(bound[name])
        with user_lines():
            return self._function(*args, **kwargs)

    def _place(self):
        """Where the function stands, for messages about all of it."""
        code = getattr(inspect.unwrap(self._function), "__code__", None)
        return f"{code.co_filename}:{code.co_firstlineno}: in {self.__name__}" if code else self.__name__

    def _match_donated(self, roots, arguments, outputs):
        """{argument: result}: donated arguments, in order, with results of their shape and dtype."""
        taken, matched = set(), {}
        for number, (root, argument) in enumerate(zip(roots, arguments)):
            if root not in self._donate:
                continue
            for position, output in enumerate(outputs):
                if position not in taken and output.shape == argument.shape and output.dtype == argument.dtype:
                    taken.add(position)
                    matched[number] = position
                    break
            else:
                raise errors.InvalidArgument(f"{self.__name__}: no result can take the memory of the donated argument '{root}' "
                                             f"({argument.dtype}{dims_.text(argument.shape)})")
        return matched


class _OpenDim:
    """Any size that is not a number."""


_Open = _OpenDim()


def _has_static(structure):
    if structure == "*":
        return None
    kind, *rest = structure
    if kind == "static":
        return repr(rest[0])
    parts = [part for _, part in rest[0]] if kind == "dict" else rest[-1]
    return next((found for found in map(_has_static, parts) if found), None)


def _port(prefix, array, name, shape, donated=None):
    dims = ", ".join(f'"{dim}"' if dim is not None and not isinstance(dim, int) else '""' for dim in shape)
    attributes = [f'tenon.name = "{name}"', f'tenon.dtype = "{array.dtype}"', f"tenon.dims = [{dims}]"]
    if donated is not None:
        attributes.append(f"tenon.donated = {donated} : i64")
    return f"{prefix}{array.type} {{{', '.join(attributes)}}}"


def jit(function=None, *, dims=None, donate=(), target="host", threads=None, cache=True, fusion=True,
        precision="reorder"):
    """Compiles a function of arrays.

        @tenon.jit
        def attend(q, k, v):
            return tenon.attention(q, k, v, scale=0.125, mask=tenon.masks.causal())

    The function runs once per kind of arguments, on traced arrays, and what it does to them becomes a program that is
    fused and compiled for this machine. Python's control flow happens while tracing; for what depends on values there are
    tenon.cond, tenon.while_loop, tenon.fori_loop and tenon.scan. NumPy arrays that the function uses are constants.

    dims     {argument: shape}: sizes by name are open: one compiled function serves all. {"x": ("n", 64)}
    donate   names of arguments whose memory results of the same shape and dtype take over (updated in place)
    target, threads, cache, fusion, precision   as of tenon.compile
    """
    if function is None:
        return functools.partial(jit, dims=dims, donate=donate, target=target, threads=threads, cache=cache, fusion=fusion,
                                 precision=precision)
    return Function(function, dims, donate, target, threads, cache, fusion, precision)
