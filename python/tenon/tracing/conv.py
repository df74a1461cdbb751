"""Convolutions and pools of 1 to 3 spatial dims."""
from . import dims as dims_
from . import trace as trace_
from .array import Array, as_array, check_dtypes

__all__ = ["conv", "max_pool", "avg_pool"]


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def _each(operator, name, value, count):
    values = [value] * count if isinstance(value, int) else list(value)
    if len(values) != count or not all(isinstance(v, int) and v >= 1 for v in values):
        trace_.fail(f"in {operator}: expected {name} to be one number from 1, or {count}, but got {value!r}")
    return values


def _pads(operator, padding, sizes, windows, strides):
    """n numbers at the start, then n at the end, of "same", "valid", a number, or (before, after) per dim."""
    count = len(windows)
    if padding == "valid":
        return [0] * (2 * count)
    if padding == "same":
        if not all(isinstance(size, int) for size in sizes):
            trace_.fail(f"in {operator}: padding 'same' needs sizes that are known, but got {dims_.text(sizes)}")
        total = [max(0, (-(-size // stride) - 1) * stride + window - size) for size, window, stride in zip(sizes, windows, strides)]
        return [t // 2 for t in total] + [t - t // 2 for t in total]
    pairs = [(padding, padding)] * count if isinstance(padding, int) else [(p, p) if isinstance(p, int) else tuple(p) for p in padding]
    if len(pairs) != count or any(len(pair) != 2 for pair in pairs):
        trace_.fail(f"in {operator}: expected padding 'same', 'valid', a number, or one or two per spatial dim, but got {padding!r}")
    return [low for low, _ in pairs] + [high for _, high in pairs]


def _list(values):
    return "[" + ", ".join(map(str, values)) + "]"


def _out_size(size, pads, window, stride):
    rest = size + (pads[0] + pads[1] - window)
    return max(0, rest // stride + 1) if isinstance(rest, int) else rest // stride + 1


def conv(x, filter, bias=None, *, stride=1, padding="valid", dilation=1, groups=1, transposed=False, output_padding=0,
         per_sample=False):
    """Convolution of x [N, C, D1..Dn] (n = 1 to 3) with a filter [F, C // groups, K1..Kn] plus bias [F].

    padding         "valid", "same", a number, or (before, after) per spatial dim
    transposed      the transposed convolution: filter [C, F // groups, K1..Kn]
    per_sample      each batch has its own filter: [N, F, C // groups, K1..Kn]
    """
    x, w = as_array(x), as_array(filter)
    n = x.ndim - 2
    if n not in (1, 2, 3) or w.ndim != x.ndim + (1 if per_sample else 0):
        trace_.fail(f"in conv: expected x [N, C, D1..Dn] and a filter [F, C, K1..Kn] with 1 to 3 spatial dims, but got {_shown(x)} and {_shown(w)}")
    check_dtypes("conv", [x, w])
    strides, dilations = _each("conv", "stride", stride, n), _each("conv", "dilation", dilation, n)
    outer = w.shape[1:] if per_sample else w.shape
    if not all(isinstance(size, int) for size in outer):
        trace_.fail(f"in conv: expected a filter whose sizes are known, but got {_shown(w)}")
    windows = [(k - 1) * d + 1 for k, d in zip(outer[2:], dilations)]
    channels = outer[0] if transposed else outer[1] * groups
    if x.shape[1] != channels or groups < 1 or outer[0] % groups:
        trace_.fail(f"in conv: the filter {_shown(w)} in {groups} groups is for {channels} channels, but x {_shown(x)} has {x.shape[1]}")
    text = f"tenon.conv {x.ssa}, {w.ssa}"
    types = f"{x.type}, {w.type}"
    features = outer[1] * groups if transposed else outer[0]
    if bias is not None:
        bias = as_array(bias)
        if bias.ndim != 1 or bias.shape[0] != features:
            trace_.fail(f"in conv: expected a bias of {features} elements, but got {_shown(bias)}")
        text, types = text + f" bias {bias.ssa}", types + f", {bias.type}"
    extra = ""
    if transposed:
        pads = _pads("conv", 0 if padding == "valid" else padding, x.shape[2:], windows, [1] * n)
        extra_sizes = [output_padding] * n if isinstance(output_padding, int) else list(output_padding)
        sizes = [(size - 1) * s + (o + w_ - pads[i] - pads[n + i])
                 for i, (size, s, o, w_) in enumerate(zip(x.shape[2:], strides, extra_sizes, windows))]
        if any(extra_sizes):
            extra = f" {{output_padding = array<i64: {', '.join(map(str, extra_sizes))}>}}"
    else:
        pads = _pads("conv", padding, x.shape[2:], windows, strides)
        sizes = [_out_size(size, (pads[i], pads[n + i]), windows[i], strides[i]) for i, size in enumerate(x.shape[2:])]
    shape = (x.shape[0], features, *sizes)
    trace = trace_.current()
    text += (f" strides {_list(strides)} dilations {_list(dilations)} pads {_list(pads)} groups {groups}"
             + (" transposed" if transposed else "") + (" per_sample" if per_sample else "") + extra
             + f" : {types} -> {trace.tensor_type(shape, x.dtype)}")
    return Array(trace.emit_value(text, "conv"), shape, x.dtype)


def _pool(kind, x, window, stride, padding):
    x = as_array(x)
    n = x.ndim - 2
    if n not in (1, 2, 3):
        trace_.fail(f"in {kind}_pool: expected x [N, C, D1..Dn] with 1 to 3 spatial dims, but got {_shown(x)}")
    windows = _each(f"{kind}_pool", "window", window, n)
    strides = _each(f"{kind}_pool", "stride", windows if stride is None else stride, n)
    pads = _pads(f"{kind}_pool", padding, x.shape[2:], windows, strides)
    shape = (*x.shape[:2], *[_out_size(size, (pads[i], pads[n + i]), windows[i], strides[i]) for i, size in enumerate(x.shape[2:])])
    trace = trace_.current()
    word = {"max": "max", "avg": "average"}[kind]
    return Array(trace.emit_value(f"tenon.pool {word} {x.ssa} kernel {_list(windows)} strides {_list(strides)} dilations "
                                  f"{_list([1] * n)} pads {_list(pads)} : {x.type} -> {trace.tensor_type(shape, x.dtype)}", f"{kind}_pool"),
                 shape, x.dtype)


def max_pool(x, window, stride=None, padding="valid"):
    """The largest element of each window of x [N, C, D1..Dn]; the stride is the window unless given."""
    return _pool("max", x, window, stride, padding)


def avg_pool(x, window, stride=None, padding="valid"):
    """The mean of the elements of each window inside of x [N, C, D1..Dn]; the stride is the window unless given."""
    return _pool("avg", x, window, stride, padding)
