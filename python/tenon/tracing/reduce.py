"""Reductions over dims, and what is made of them."""
import math

from . import dims as dims_
from . import dtypes, scalar, trace as trace_
from .array import Array, apply, as_array, elementwise, generic
from .indexing import size_of
from .movement import axis_of, reshape, squeeze
from .scalar import Scalar


def _axes(x, axis, operator):
    if axis is None:
        return tuple(range(x.ndim))
    return tuple(sorted({axis_of(a, x.ndim, operator) for a in (axis if isinstance(axis, (tuple, list)) else (axis,))}))


def _reduce(operator, x, axis, keepdims, combine, start, dtype=None):
    x = as_array(x)
    axes = _axes(x, axis, operator)
    dtype = dtype or x.dtype
    if not axes:
        return x.astype(dtype)
    kept = [a for a in range(x.ndim) if a not in axes]
    loops = {a: i for i, a in enumerate(kept + list(axes))}
    result = generic(operator, [(x, [loops[a] for a in range(x.ndim)])], [x.shape[a] for a in kept],
                     lambda e, acc: combine(scalar.cast(e, dtype), acc), reduced=len(axes), init=start, dtype=dtype)
    if keepdims:
        result = reshape(result, [1 if a in axes else size for a, size in enumerate(x.shape)])
    return result


def _sum_type(x):
    return dtypes.float32 if x.dtype.is_float and x.dtype.bits < 32 else x.dtype


def sum(x, axis=None, keepdims=False):
    """Sums over `axis` (a dim, several, or all with None); of 16-bit floats in float32, of bools as int64."""
    x = as_array(x)
    if x.dtype.is_bool:
        x = x.astype(dtypes.int64)
    return _reduce("sum", x, axis, keepdims, scalar.add, 0, _sum_type(x)).astype(x.dtype)


def count_of(x, axis, operator):
    """The number of elements that a reduction over `axis` sees in each sum."""
    return dims_.product([x.shape[a] for a in _axes(x, axis, operator)])


def mean(x, axis=None, keepdims=False):
    """The mean; of integers in float32."""
    x = as_array(x)
    if not x.dtype.is_float:
        x = x.astype(dtypes.float32)
    total = _reduce("mean", x, axis, keepdims, scalar.add, 0, _sum_type(x))
    return divide_by_size(total, count_of(x, axis, "mean"), "mean").astype(x.dtype)


def divide_by_size(x, count, operator):
    if isinstance(count, int):
        return elementwise(operator, lambda e: scalar.mul(e, scalar.literal(1 / count if count else math.nan, e.dtype)), x)
    number = scalar.cast(Scalar(count.ssa, dtypes.index), x.dtype)
    return elementwise(operator, lambda e: scalar._op("arith.divf", (e, number)), x)


def _lowest(dtype):
    if dtype.is_float:
        return -math.inf
    return 0 if dtype.is_unsigned else -(1 << dtype.bits - 1)


def _highest(dtype):
    if dtype.is_float:
        return math.inf
    return (1 << dtype.bits) - 1 if dtype.is_unsigned else (1 << dtype.bits - 1) - 1


def max(x, axis=None, keepdims=False):
    """The largest element; NaN where there is one."""
    x = as_array(x)
    return _reduce("max", x, axis, keepdims, scalar.maximum, _lowest(x.dtype))


def min(x, axis=None, keepdims=False):
    """The smallest element; NaN where there is one."""
    x = as_array(x)
    return _reduce("min", x, axis, keepdims, scalar.minimum, _highest(x.dtype))


def prod(x, axis=None, keepdims=False):
    x = as_array(x)
    return _reduce("prod", x, axis, keepdims, scalar.mul, 1, _sum_type(x)).astype(x.dtype)


def all(x, axis=None, keepdims=False):
    return _reduce("all", as_array(x).astype(dtypes.bool_), axis, keepdims, scalar.logic("arith.andi"), True)


def any(x, axis=None, keepdims=False):
    return _reduce("any", as_array(x).astype(dtypes.bool_), axis, keepdims, scalar.logic("arith.ori"), False)


# -- order -----------------------------------------------------------------------------------------------------------
def top_k(x, k, axis=-1, largest=True):
    """(values, indices) of the k largest (or smallest) elements along an axis, in order; of equals the first come first."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim, "top_k")
    trace = trace_.current()
    if isinstance(k, Array):
        k = size_of(k)
    if isinstance(k, int) and isinstance(x.shape[axis], int) and not 0 <= k <= x.shape[axis]:
        trace_.fail(f"in top_k: expected k from 0 to the {x.shape[axis]} elements of dim {axis}, but got {k}")
    shape = x.shape[:axis] + (k,) + x.shape[axis + 1:]
    values, indices = trace.fresh(), trace.fresh()
    count = "" if isinstance(k, int) else f" k {k.ssa}"
    trace.emit(f"{values}, {indices} = tenon.top_k {'' if largest else 'smallest '}{x.ssa}{count} axis {axis} : {x.type} -> "
               f"{trace.tensor_type(shape, x.dtype)}, {trace.tensor_type(shape, dtypes.int64)}", "top_k")
    return Array(values, shape, x.dtype), Array(indices, shape, dtypes.int64)


def argmax(x, axis=-1, keepdims=False):
    """Where the largest element is; the first of equals, the first NaN where there is one."""
    x = as_array(x)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    _, at = top_k(x, 1, axis)
    return at if keepdims else squeeze(at, axis)


def sort(x, axis=-1, descending=False):
    """(values, indices) of the elements along an axis in order; equal elements keep theirs."""
    x = as_array(x)
    axis = axis_of(axis, x.ndim, "sort")
    trace = trace_.current()
    values, indices = trace.fresh(), trace.fresh()
    order = trace.tensor_type(x.shape, dtypes.int64)
    trace.emit(f"{values}, {indices} = tenon.sort {'descending ' if descending else ''}{x.ssa} axis {axis} : {x.type} -> "
               f"{x.type}, {order}", "sort")
    return Array(values, x.shape, x.dtype), Array(indices, x.shape, dtypes.int64)


# -- normalisations ---------------------------------------------------------------------------------------------------
def softmax(x, axis=-1):
    """exp(x - max) / sum over an axis."""
    x = as_array(x)
    e = apply("exp", x - max(x, axis, keepdims=True))
    return e / sum(e, axis, keepdims=True)


def log_softmax(x, axis=-1):
    x = as_array(x)
    shifted = x - max(x, axis, keepdims=True)
    return shifted - apply("log", sum(apply("exp", shifted), axis, keepdims=True))


def layer_norm(x, weight=None, bias=None, epsilon=1e-5, axis=-1):
    """(x - mean) / sqrt(variance + epsilon) over an axis, times weight, plus bias."""
    x = as_array(x)
    centered = x - mean(x, axis, keepdims=True)
    y = centered * apply("rsqrt", mean(centered * centered, axis, keepdims=True) + epsilon)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x, weight=None, epsilon=1e-6, axis=-1):
    """x / sqrt(mean of squares + epsilon) over an axis, times weight."""
    x = as_array(x)
    y = x * apply("rsqrt", mean(x * x, axis, keepdims=True) + epsilon)
    return y if weight is None else y * weight


def l2_norm(x, epsilon=1e-12, axis=-1):
    """x / max(its Euclidean length over an axis, epsilon)."""
    x = as_array(x)
    return x / apply("maximum", apply("sqrt", sum(x * x, axis, keepdims=True)), epsilon)


__all__ = ["sum", "mean", "max", "min", "prod", "all", "any", "top_k", "argmax", "sort", "softmax", "log_softmax",
           "layer_norm", "rms_norm", "l2_norm"]
