"""Parts of arrays by index: slices, gathers, and arrays with other values in a place."""
import numbers
from typing import NamedTuple

import numpy as np

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .array import Array, as_array, generic
from .movement import axis_of, broadcast, reshape, sizes_text
from .scalar import Scalar


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
        return f"[{sizes_text(self.offsets)}] [{sizes_text(self.sizes)}] [{sizes_text(self.steps)}]"

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
        value = broadcast(value, kept, "x.at[..].set") if value.shape != kept else value
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
