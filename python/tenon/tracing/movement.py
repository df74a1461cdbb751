"""Arrays in other shapes and orders: reshape, transpose, slices, gathers, concatenation, padding."""
import numbers
from typing import NamedTuple

import numpy as np

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .array import Array, apply, as_array, broadcast_shapes, generic
from .scalar import Scalar


def _sizes(shape):
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
        return Array(trace.emit_value(f"tensor.expand_shape {x.ssa} [] output_shape [{_sizes(shape)}] : {x.type} into "
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
        x = Array(trace.emit_value(f"tensor.expand_shape {x.ssa} [{parts}] output_shape [{_sizes(shape)}] : {x.type} into "
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
    x = as_array(x)
    shape = tuple(shape)
    full = broadcast_shapes([x.shape, shape], "broadcast_to")
    if len(full) != len(shape) or any(a != b and isinstance(a, int) and isinstance(b, int) for a, b in zip(full, shape)):
        trace_.fail(f"in broadcast_to: an array of shape {dims_.text(x.shape)} cannot become {dims_.text(shape)}")
    if x.shape == shape:
        return x
    lead = len(shape) - x.ndim
    kept = [a for a, size in enumerate(x.shape) if not (size == 1 and shape[lead + a] != 1)]
    source = reshape(x, [x.shape[a] for a in kept]) if len(kept) < x.ndim else x
    return generic("broadcast_to", [(source, [lead + a for a in kept])], shape, lambda e: e)


def repeat(x, count, axis):
    """Each element `count` times in a row along an axis."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim, "repeat")
    wide = broadcast_to(expand_dims(x, axis + 1), x.shape[:axis + 1] + (count,) + x.shape[axis + 1:])
    return reshape(wide, x.shape[:axis] + (x.shape[axis] * count,) + x.shape[axis + 1:])


# -- slices ----------------------------------------------------------------------------------------------------------
def _scalar_index(x):
    """The number in an integer array without dims, as a size."""
    trace = trace_.current()
    if x.dtype.is_float or x.dtype.is_bool:
        trace_.fail(f"expected an index of an integer type, but got {x.dtype}")
    element = trace.emit_value(f"tensor.extract {x.ssa}[] : {x.type}")
    return trace.unknown_dim(trace.emit_value(f"arith.index_cast {element} : {x.dtype.mlir} to index"), "index")


def size_of(x):
    """A number that an integer array without dims holds, as a size or bound of slices. Negative ones count as 0."""
    trace = trace_.current()
    found = _scalar_index(as_array(x))
    return trace.unknown_dim(trace.emit_value(f"arith.maxsi {found.ssa}, {trace.constant(0)} : index"))


def _bounds(key, size, axis):
    """(start, length) of a slice with step 1 or more, or of the reversed run of a negative step."""
    def place(bound, default):
        if bound is None:
            return default
        if isinstance(bound, Array):
            bound = size_of(bound)
        if isinstance(bound, numbers.Integral):
            bound = int(bound)
            if isinstance(size, int):
                return max(0, min(size, bound + size if bound < 0 else bound))
            return dims_.maximum(trace_.current(), size + bound, 0) if bound < 0 else dims_.minimum(trace_.current(), size, bound) if bound else 0
        if not isinstance(bound, dims_.Dim):
            trace_.fail(f"in a slice of dim {axis}: expected numbers, but got {type(bound).__name__}")
        return bound if bound == size else dims_.minimum(trace_.current(), bound, size)

    start, stop = place(key.start, 0), place(key.stop, size)
    return start, dims_.maximum(trace_.current(), stop - start, 0) if start != 0 else stop


class ds(NamedTuple):
    """In an index: `size` elements from `start`, which may be an integer array without dims. That they lie inside of the
    dim is checked at the call."""
    start: object
    size: object
    inside: bool = False  #: known to lie inside: not checked


def _parts(key):
    return key if isinstance(key, tuple) and not isinstance(key, ds) else (key,)


def _expand_key(x, key):
    key = _parts(key)
    count = sum(1 for part in key if part is not None and part is not Ellipsis)
    if sum(1 for part in key if part is Ellipsis) > 1:
        trace_.fail("an index with two ellipses")
    if count > x.ndim:
        trace_.fail(f"an index of {count} dims into an array of shape {dims_.text(x.shape)}")
    if not any(part is Ellipsis for part in key):
        key = key + (Ellipsis,)
    at = next(i for i, part in enumerate(key) if part is Ellipsis)
    return key[:at] + (slice(None),) * (x.ndim - count) + key[at + 1:]


class _Places:
    """The slice that a key of numbers and slices means: offsets, sizes and steps per dim, which dims vanish, and the
    shape that it has as a result (None in the key makes a dim)."""

    def __init__(self, x, key):
        trace = trace_.current()
        self.offsets, self.sizes, self.steps, self.dropped, self.shape, self.flipped = [], [], [], [], [], []
        axis = 0
        for part in _expand_key(x, key):
            if part is None:
                self.shape.append(1)
                continue
            size = x.shape[axis]
            if isinstance(part, ds):
                start, step, length = self._run(trace, part, size, axis), 1, part.size
                self.shape.append(length)
            elif isinstance(part, slice):
                step = 1 if part.step is None else int(part.step)
                if step == 0:
                    trace_.fail(f"in a slice of dim {axis}: a step of 0")
                if step < 0:
                    if part.start is not None or part.stop is not None:
                        trace_.fail(f"in a slice of dim {axis}: a negative step goes with neither start nor stop")
                    self.flipped.append(len(self.shape))
                    part = slice(None)
                    if step != -1:
                        trace_.fail(f"in a slice of dim {axis}: expected a step of -1 or more than 0, but got {step}")
                    step = 1
                start, length = _bounds(part, size, axis)
                length = length if step == 1 else (length + (step - 1)) // step
                self.shape.append(length)
            else:
                start, step, length = self._index(trace, part, size, axis), 1, 1
                self.dropped.append(axis)
            self.offsets.append(start)
            self.sizes.append(length)
            self.steps.append(step)
            axis += 1

    @staticmethod
    def _run(trace, part, size, axis):
        start = _scalar_index(part.start) if isinstance(part.start, Array) else part.start
        if part.inside or (isinstance(start, int) and start == 0 and part.size == size):
            return start
        end = start + part.size if isinstance(start, dims_.Dim) or not isinstance(part.size, dims_.Dim) else part.size + start
        message = f"{part.size} elements from {start} leave dim {axis} of size {size}"
        if all(isinstance(number, int) for number in (start, end, size)):
            if start < 0 or end > size:
                trace_.fail(message)
            return start
        low = trace.emit_value(f"arith.cmpi sge, {trace.index(start)}, {trace.constant(0)} : index")
        high = trace.emit_value(f"arith.cmpi sle, {trace.index(end)}, {trace.index(size)} : index")
        trace.check(trace.emit_value(f"arith.andi {low}, {high} : i1"), message)
        return start

    @staticmethod
    def _index(trace, part, size, axis):
        if isinstance(part, numbers.Integral) and not isinstance(part, bool):
            part = int(part)
            if isinstance(size, int) and not -size <= part < size:
                trace_.fail(f"index {part} is out of range for dim {axis} of size {size}")
            return part + size if part < 0 else part
        if isinstance(part, Array):
            part = _scalar_index(part)
        if not isinstance(part, dims_.Dim):
            trace_.fail(f"in an index of dim {axis}: expected numbers, slices or integer arrays, but got {type(part).__name__}")
        zero = trace.constant(0)
        low = trace.emit_value(f"arith.cmpi sge, {part.ssa}, {zero} : index")
        high = trace.emit_value(f"arith.cmpi slt, {part.ssa}, {trace.index(size)} : index")
        trace.check(trace.emit_value(f"arith.andi {low}, {high} : i1"), f"an index is out of range for dim {axis} of size {size}")
        return part

    @property
    def text(self):
        return f"[{_sizes(self.offsets)}] [{_sizes(self.sizes)}] [{_sizes(self.steps)}]"

    @property
    def kept(self):
        return tuple(size for axis, size in enumerate(self.sizes) if axis not in self.dropped)


def get_item(x, key):
    parts = _parts(key)
    if any(isinstance(part, Scalar) for part in parts):
        reader = x.trace.region_reader
        if reader is None:
            trace_.fail("an index that belongs to a region, outside of one")
        return reader(x, parts)
    lists = [part for part in parts if isinstance(part, (Array, np.ndarray, list)) and as_array(part).ndim > 0]
    if lists:
        if len(lists) > 1 or any(part is None for part in parts):
            trace_.fail("an index by more than one array; use tenon.take")
        axis = 0
        full = _expand_key(x, key)
        for axis, part in enumerate(full):
            if isinstance(part, (Array, np.ndarray, list)) and as_array(part).ndim > 0:
                break
        rest = tuple(slice(None) if part is full[axis] else part for part in full)
        if any(not isinstance(part, slice) for part in rest[:axis]):
            trace_.fail("an index by an array behind one by a number; use tenon.take")
        return take(x[rest], full[axis], axis)
    places = _Places(x, key)
    trace = trace_.current()
    if not places.dropped and all(o == 0 and s == full for o, s, full in zip(places.offsets, places.sizes, x.shape)) and all(step == 1 for step in places.steps):
        result = x
    else:
        kept = places.kept
        result = Array(trace.emit_value(f"tensor.extract_slice {x.ssa}{places.text} : {x.type} to "
                                        f"{trace.tensor_type(kept, x.dtype)}", "slice"), kept, x.dtype)
    result = reshape(result, places.shape)
    return flip(result, places.flipped) if places.flipped else result


class At:
    """`x.at[key]`; see Array.at."""

    def __init__(self, x):
        self.x = x

    def __getitem__(self, key):
        return _AtKey(self.x, key)


class _AtKey:
    def __init__(self, x, key):
        self.x, self.key = x, key

    def set(self, value):
        x = self.x
        places = _Places(x, self.key)
        if places.flipped or any(part is None for part in _parts(self.key)):
            trace_.fail("x.at[key].set takes numbers and slices with positive steps")
        value = as_array(value, like=x.dtype)
        if value.dtype != x.dtype:
            trace_.fail(f"in x.at[..].set: expected a value of {x.dtype}, but got {value.dtype}; use .astype()")
        kept = places.kept
        value = broadcast_to(value, kept) if value.shape != kept else value
        trace = trace_.current()
        return Array(trace.emit_value(f"tensor.insert_slice {value.ssa} into {x.ssa}{places.text} : "
                                      f"{trace.tensor_type(kept, x.dtype)} into {x.type}", "set"), x.shape, x.dtype)


def flip(x, axes):
    """x with the order of its elements along some dims reversed."""
    x = as_array(x)
    axes = {axis_of(a, x.ndim, "flip") for a in (axes if isinstance(axes, (tuple, list)) else (axes,))}
    trace = trace_.current()

    def body():
        at = []
        for axis, size in enumerate(x.shape):
            place = trace.emit_value(f"linalg.index {axis} : index")
            if axis in axes:
                last = trace.emit_value(f"arith.subi {trace.index(size)}, {trace.constant(1)} : index")
                place = trace.emit_value(f"arith.subi {last}, {place} : index")
            at.append(place)
        return Scalar(trace.emit_value(f"tensor.extract {x.ssa}[{', '.join(at)}] : {x.type}"), x.dtype)

    return generic("flip", [], x.shape, body)


def take(x, indices, axis=0):
    """x's slices at `indices` (integers of any shape) along an axis. An index out of range is an error at the call;
    negative ones count from the end."""
    x, indices = as_array(x), as_array(indices)
    axis = axis_of(axis, x.ndim, "take")
    if not (indices.dtype.is_integer or indices.dtype.is_unsigned) or indices.dtype.is_bool:
        trace_.fail(f"in take: expected integer indices, but got {indices.dtype}{dims_.text(indices.shape)}")
    trace = trace_.current()
    from . import reduce

    size = trace.index(x.shape[axis])
    limit = Scalar(size, dtypes.index)

    def fits(e):
        place = scalar.cast(e, dtypes.index)
        low = scalar.compare("ge")(place, scalar.neg(limit))
        return scalar._op("arith.andi", (low, scalar.compare("lt")(place, limit)))

    ok = generic("take", [(indices, range(indices.ndim))], indices.shape, fits)
    ok = reduce.all(ok)
    trace.check(trace.emit_value(f"tensor.extract {ok.ssa}[] : tensor<i1>"), f"an index is out of range for dim {axis} of size {x.shape[axis]}")
    shape = x.shape[:axis] + indices.shape + x.shape[axis + 1:]

    def body(e):
        place = scalar.cast(e, dtypes.index)
        wrapped = scalar.select(scalar.compare("lt")(place, scalar.literal(0, dtypes.index)), scalar.add(place, limit), place)
        at = [trace.emit_value(f"linalg.index {a if a < axis else a - 1 + indices.ndim} : index") if a != axis else wrapped.ssa
              for a in range(x.ndim)]
        return Scalar(trace.emit_value(f"tensor.extract {x.ssa}[{', '.join(at)}] : {x.type}"), x.dtype)

    return generic("take", [(indices, range(axis, axis + indices.ndim))], shape, body)


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
    text = (f"tensor.pad {x.ssa} low[{_sizes(low for low, _ in widths)}] high[{_sizes(high for _, high in widths)}] {{\n"
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


