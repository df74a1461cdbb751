"""Arrays in other shapes and orders: reshape, transpose, broadcasts, concatenation, padding; new arrays."""
import numbers

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .array import Array, apply, as_array, broadcast_shapes, generic
from .scalar import Scalar


def sizes_text(shape):
    return ", ".join(dim.ssa if isinstance(dim, dims_.Dim) else str(dim) for dim in shape)


def axis_of(axis, ndim, operator):
    if not isinstance(axis, numbers.Integral) or not -ndim <= axis < ndim:
        trace_.fail(f"in {operator}: expected an axis from {-ndim} to {ndim - 1}, but got {axis}")
    return int(axis) % ndim if ndim else 0


# -- shapes ----------------------------------------------------------------------------------------------------------
def _groups(old, new):
    """Pairs of ranges of dims whose products are equal for sure, as short as possible; None where there are none."""
    groups, i, j = [], 0, 0
    while i < len(old) or j < len(new):
        a, b = i, j
        i, j = min(i + 1, len(old)), min(j + 1, len(new))
        while not dims_.same_product(old[a:i], new[b:j]):
            left, right = old[a:i], new[b:j]
            if i < len(old) and (j == len(new) or _is_smaller(left, right)):
                i += 1
            elif j < len(new):
                j += 1
            else:
                return None
        groups.append(((a, i), (b, j)))
    # Ones that stand alone on one side join a neighbour.
    merged = []
    for group in groups:
        (a, i), (b, j) = group
        if (a == i or b == j) and merged:
            (pa, _), (pb, _) = merged.pop()
            group = ((pa, i), (pb, j))
        elif merged and (merged[-1][0][0] == merged[-1][0][1] or merged[-1][1][0] == merged[-1][1][1]):
            (pa, _), (pb, _) = merged.pop()
            group = ((pa, i), (pb, j))
        merged.append(group)
    return merged


def _is_smaller(left, right):
    exact = dims_.divide(right, left)
    if exact is not None:
        return True
    if dims_.divide(left, right) is not None:
        return False
    (left_constant, left_factors), (right_constant, right_factors) = dims_._split(left), dims_._split(right)
    return (len(left_factors), left_constant) < (len(right_factors), right_constant)


def reshape(x, shape):
    """x with the same elements in row-major order; one size may be -1."""
    x = as_array(x)
    shape = [shape] if isinstance(shape, (numbers.Integral, dims_.Dim)) else list(shape)
    shape = [int(dim) if isinstance(dim, numbers.Integral) else dim for dim in shape]
    trace = trace_.current()
    open_dims = [at for at, dim in enumerate(shape) if not isinstance(dim, dims_.Dim) and dim == -1]
    if len(open_dims) > 1 or any(isinstance(dim, int) and dim < -1 for dim in shape):
        trace_.fail(f"in reshape: expected sizes and at most one -1, but got {dims_.text(shape)}")
    if open_dims:
        rest = shape[:open_dims[0]] + shape[open_dims[0] + 1:]
        missing = dims_.divide(x.shape, rest) if dims_.product(rest) != 0 else None
        if missing is None:
            if all(isinstance(dim, int) for dim in x.shape + tuple(rest)):
                trace_.fail(f"in reshape: an array of shape {dims_.text(x.shape)} cannot become {dims_.text(shape)}")
            missing = x.size // dims_.product(rest)
        shape[open_dims[0]] = missing
    shape = tuple(shape)
    if shape == x.shape:
        return x
    if not dims_.same_product(x.shape, shape):
        if all(isinstance(dim, int) for dim in x.shape + shape):
            trace_.fail(f"in reshape: an array of shape {dims_.text(x.shape)} cannot become {dims_.text(shape)}")
        trace.check_equal(x.size, dims_.product(shape),
                          f"in reshape: an array of shape {dims_.text(x.shape)} cannot become {dims_.text(shape)}")
        groups = [((0, x.ndim), (0, len(shape)))]
    else:
        groups = _groups(x.shape, shape) or [((0, x.ndim), (0, len(shape)))]
    if not x.shape:
        return Array(trace.emit_value(f"tensor.expand_shape {x.ssa} [] output_shape [{sizes_text(shape)}] : {x.type} into "
                                      f"{trace.tensor_type(shape, x.dtype)}", "reshape"), shape, x.dtype)
    if not shape:
        return Array(trace.emit_value(f"tensor.collapse_shape {x.ssa} [] : {x.type} into tensor<{x.dtype.mlir}>", "reshape"),
                     (), x.dtype)
    flat = tuple(x.shape[a] if i - a == 1 else dims_.product(x.shape[a:i]) if dims_.same_product(x.shape[a:i], shape[b:j])
                 else dims_.product(x.shape[a:i]) for (a, i), (b, j) in groups)
    if any(i - a > 1 for (a, i), _ in groups):
        parts = ", ".join(f"[{', '.join(map(str, range(a, i)))}]" for (a, i), _ in groups)
        x = Array(trace.emit_value(f"tensor.collapse_shape {x.ssa} [{parts}] : {x.type} into "
                                   f"{trace.tensor_type(flat, x.dtype)}", "reshape"), flat, x.dtype)
    if any(j - b > 1 for _, (b, j) in groups):
        parts = ", ".join(f"[{', '.join(map(str, range(b, j)))}]" for _, (b, j) in groups)
        x = Array(trace.emit_value(f"tensor.expand_shape {x.ssa} [{parts}] output_shape [{sizes_text(shape)}] : {x.type} into "
                                   f"{trace.tensor_type(shape, x.dtype)}", "reshape"), shape, x.dtype)
    elif trace.tensor_type(x.shape, x.dtype) != trace.tensor_type(shape, x.dtype):
        x = Array(trace.emit_value(f"tensor.cast {x.ssa} : {x.type} to {trace.tensor_type(shape, x.dtype)}"), shape, x.dtype)
    return Array(x.ssa, shape, x.dtype)


def expand_dims(x, axis):
    x = as_array(x)
    axis = axis_of(axis, x.ndim + 1, "expand_dims")
    return reshape(x, x.shape[:axis] + (1,) + x.shape[axis:])


def squeeze(x, axis):
    x = as_array(x)
    axes = {axis_of(a, x.ndim, "squeeze") for a in (axis if isinstance(axis, (tuple, list)) else (axis,))}
    for a in axes:
        if x.shape[a] != 1:
            trace_.fail(f"in squeeze: expected size 1 of dim {a}, but got {x.shape[a]}")
    return reshape(x, [size for a, size in enumerate(x.shape) if a not in axes])


def transpose(x, axes=None):
    """x with its dims in the order `axes` (reversed without)."""
    x = as_array(x)
    axes = tuple(reversed(range(x.ndim))) if axes is None else tuple(axis_of(a, x.ndim, "transpose") for a in axes)
    if sorted(axes) != list(range(x.ndim)):
        trace_.fail(f"in transpose: expected a permutation of {x.ndim} dims, but got {list(axes)}")
    if axes == tuple(range(x.ndim)):
        return x
    shape = tuple(x.shape[a] for a in axes)
    trace = trace_.current()
    target = trace.empty(shape, x.dtype)
    return Array(trace.emit_value(f"linalg.transpose ins({x.ssa} : {x.type}) outs({target} : "
                                  f"{trace.tensor_type(shape, x.dtype)}) permutation = [{', '.join(map(str, axes))}]",
                                  "transpose"), shape, x.dtype)


def broadcast_to(x, shape):
    return broadcast(as_array(x), tuple(shape), "broadcast_to")


def broadcast(x, shape, operator):
    """x as an array of `shape`; messages are those of `operator`."""
    full = broadcast_shapes([x.shape, shape], operator)
    if len(full) != len(shape) or any(a != b and isinstance(a, int) and isinstance(b, int) for a, b in zip(full, shape)):
        trace_.fail(f"in {operator}: an array of shape {dims_.text(x.shape)} cannot become {dims_.text(shape)}")
    if x.shape == shape:
        return x
    lead = len(shape) - x.ndim
    kept = [a for a, size in enumerate(x.shape) if not (size == 1 and shape[lead + a] != 1)]
    source = reshape(x, [x.shape[a] for a in kept]) if len(kept) < x.ndim else x
    return generic(operator, [(source, [lead + a for a in kept])], shape, lambda e: e)


def repeat(x, count, axis):
    """Each element `count` times in a row along an axis."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim, "repeat")
    wide = broadcast_to(expand_dims(x, axis + 1), x.shape[:axis + 1] + (count,) + x.shape[axis + 1:])
    return reshape(wide, x.shape[:axis] + (x.shape[axis] * count,) + x.shape[axis + 1:])


# -- joins -----------------------------------------------------------------------------------------------------------
def concatenate(arrays, axis=0):
    """Arrays behind each other along an axis."""
    arrays = [as_array(a) for a in arrays]
    if not arrays:
        trace_.fail("in concatenate: expected at least one array")
    axis = axis_of(axis, arrays[0].ndim, "concatenate")
    trace, first = trace_.current(), arrays[0]
    for other in arrays[1:]:
        if other.dtype != first.dtype or other.ndim != first.ndim:
            trace_.fail(f"in concatenate: expected arrays of one dtype and rank, but got {first.dtype}{dims_.text(first.shape)} "
                        f"and {other.dtype}{dims_.text(other.shape)}")
        for a in range(first.ndim):
            if a != axis:
                trace.check_equal(first.shape[a], other.shape[a], f"in concatenate: shapes {dims_.text(first.shape)} and "
                                  f"{dims_.text(other.shape)} differ in dim {a}: {first.shape[a]} and {other.shape[a]}")
    if len(arrays) == 1:
        return first
    total = arrays[0].shape[axis]
    for other in arrays[1:]:
        total = total + other.shape[axis]
    shape = first.shape[:axis] + (total,) + first.shape[axis + 1:]
    text = (f"tensor.concat dim({axis}) {', '.join(a.ssa for a in arrays)} : ({', '.join(a.type for a in arrays)}) -> "
            f"{trace.tensor_type(shape, first.dtype)}")
    return Array(trace.emit_value(text, "concatenate"), shape, first.dtype)


def stack(arrays, axis=0):
    """Arrays of one shape along a new dim."""
    arrays = [as_array(a) for a in arrays]
    return concatenate([expand_dims(a, axis) for a in arrays], axis_of(axis, arrays[0].ndim + 1, "stack") if arrays else 0)


def split(x, parts, axis=-1):
    """x cut into `parts` equal parts (a number), or at given places (a list)."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim, "split")
    size = x.shape[axis]
    if isinstance(parts, numbers.Integral):
        if isinstance(size, int) and size % parts:
            trace_.fail(f"in split: {size} elements of dim {axis} do not make {parts} equal parts")
        each = size // parts
        bounds = [each * i if i else 0 for i in range(parts)] + [size]
    else:
        bounds = [0, *parts, size]
    lead = (slice(None),) * axis
    return [x[lead + (slice(a, b),)] for a, b in zip(bounds, bounds[1:])]


def pad(x, widths, value=0):
    """x with (before, after) elements of `value` around each dim."""
    x = as_array(x)
    widths = [tuple(w) for w in widths]
    if len(widths) != x.ndim:
        trace_.fail(f"in pad: expected {x.ndim} pairs of widths, but got {len(widths)}")
    if any(isinstance(w, int) and w < 0 for pair in widths for w in pair):
        trace_.fail("in pad: a negative width")
    trace = trace_.current()
    shape = tuple(size + (low + high if isinstance(low, dims_.Dim) or not isinstance(high, dims_.Dim) else high + low)
                  for size, (low, high) in zip(x.shape, widths))
    constant = trace.constant(value, x.dtype)
    block = ", ".join(f"{trace.fresh('i')}: index" for _ in x.shape)
    kind = trace.tensor_type(shape, x.dtype)
    text = (f"tensor.pad {x.ssa} low[{sizes_text(low for low, _ in widths)}] high[{sizes_text(high for _, high in widths)}] {{\n"
            f"^bb0({block}):\ntensor.yield {constant} : {x.dtype.mlir}\n}} : {x.type} to {kind}")
    return Array(trace.emit_value(text, "pad"), shape, x.dtype)


# -- new arrays ------------------------------------------------------------------------------------------------------
def full(shape, value, dtype=dtypes.float32):
    """An array of one number."""
    dtype = dtypes.dtype_of(dtype)
    shape = (shape,) if isinstance(shape, (numbers.Integral, dims_.Dim)) else tuple(shape)
    trace = trace_.current()
    target, kind = trace.empty(shape, dtype), trace.tensor_type(shape, dtype)
    start = trace.constant(value, dtype)
    return Array(trace.emit_value(f"linalg.fill ins({start} : {dtype.mlir}) outs({target} : {kind}) -> {kind}", "full"), shape, dtype)


def zeros(shape, dtype=dtypes.float32):
    return full(shape, 0, dtype)


def ones(shape, dtype=dtypes.float32):
    return full(shape, 1, dtype)


def arange(stop, dtype=dtypes.int64):
    """0, 1, .. stop - 1."""
    dtype = dtypes.dtype_of(dtype)
    trace = trace_.current()
    return generic("arange", [], (stop,), lambda: scalar.cast(Scalar(trace.emit_value("linalg.index 0 : index"), dtypes.index), dtype))


def tril(x, offset=0):
    """x with zeros above its `offset`-th diagonal, in its last two dims."""
    x = as_array(x)
    rows = arange(x.shape[-2]).reshape(x.shape[-2], 1)
    return apply("multiply", x, apply("less_equal", arange(x.shape[-1]), rows + offset).astype(x.dtype))


