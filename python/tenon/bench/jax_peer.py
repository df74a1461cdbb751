"""ONNX graphs as one jax.jit function, to compare with: each operator in the words of jax.numpy and jax.lax.

Weights are arguments of the function, so that XLA neither folds nor copies them; integers and short
lists, which may say shapes, are known while it is traced. An operator or a form of it that is not here is `Unsupported`: the row says so. What is here is what the suites'
models hold. Images stay in ONNX's order (NCHW), which XLA rearranges by itself: convolutions written for NHWC took as long.
"""
import os

import numpy as np


class Unsupported(Exception):
    """What a peer's way of reading a model cannot express."""


def limit_threads(threads):
    """Must run before jax is imported: XLA takes the size of its thread pool from NPROC."""
    os.environ["NPROC"] = str(threads)
    os.environ["JAX_PLATFORMS"] = "cpu"
    if threads == 1:
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"


def load(path):
    """(function of (weights, inputs) that gives the outputs, weights, input names, output names)."""
    import jax
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    graph = model.graph
    version = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    missing = sorted({node.op_type for node in graph.node if node.domain or node.op_type not in OPS})
    if missing:
        raise Unsupported(f"no jax function for {', '.join(missing)}")
    weights = {name: array for name, array in known.items() if array.dtype.kind == "f" and array.size > 16}
    static = {name: array for name, array in known.items() if name not in weights}
    nodes = [(node.op_type, list(node.input), list(node.output),
              {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}) for node in graph.node]
    inputs = [value.name for value in graph.input if value.name not in known]
    outputs = [value.name for value in graph.output]
    read = {name for _, operands, _, _ in nodes for name in operands if name} | set(outputs)

    def evaluate(weights, feeds):
        values = {"": None, **static, **weights, **feeds}
        for op, operands, results, attributes in nodes:
            arguments = [values[name] for name in operands]
            given = [x for x in arguments if x is not None]
            node = Node(op, version, attributes)
            if all(isinstance(x, np.ndarray) for x in given) and op != "Shape":  # sizes: computed while tracing
                with jax.ensure_compile_time_eval():
                    made = OPS[op](node, *arguments)
                    made = tuple(np.asarray(x) for x in (made if isinstance(made, tuple) else (made,)))
            else:
                made = OPS[op](node, *arguments)
                made = made if isinstance(made, tuple) else (made,)
            if any(name in read for name in results[len(made):]):
                raise Unsupported(f"{op} with {len(results)} results")
            values.update(zip(results, made))
        return [values[name] for name in outputs]

    return evaluate, weights, inputs, outputs


class Node:
    """The attributes of a node, by `node.get(name, default)`."""

    def __init__(self, op, version, attributes):
        self.op, self.version, self.attributes = op, version, attributes

    def get(self, name, default=None):
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def only(self, **expected):
        """Refuses attributes that are not as the functions here take them for granted."""
        for name, value in expected.items():
            if self.get(name, value) != value:
                raise Unsupported(f"{self.op} with {name} = {self.get(name)!r}")


def _numbers(value, what):
    if not isinstance(value, np.ndarray):
        raise Unsupported(f"{what} that depend on the inputs")
    return [int(x) for x in value.reshape(-1)]


def _axes(node, given, rank):
    axes = node.get("axes") if given is None else _numbers(given, "axes")
    return tuple(range(rank)) if axes is None else tuple(axis % rank for axis in axes)


def _binary(name):
    def apply(node, x, y):
        import jax.numpy as jnp

        return getattr(jnp, name)(x, y)
    return apply


def _unary(name, module="jax.numpy"):
    def apply(node, x):
        import importlib

        return getattr(importlib.import_module(module), name)(x)
    return apply


def _sum(node, *xs):
    return sum(xs[1:], xs[0])


def _div(node, x, y):
    import jax.numpy as jnp

    return jnp.divide(x, y) if np.dtype(x.dtype).kind == "f" else jnp.floor_divide(x, y)


def _softmax(node, x):
    import jax

    if node.version >= 13:
        return jax.nn.softmax(x, node.get("axis", -1))
    axis = node.get("axis", 1) % x.ndim
    return jax.nn.softmax(x, tuple(range(axis, x.ndim)))


def _layer_norm(node, x, scale, bias=None):
    import jax.numpy as jnp
    from jax import lax

    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    centred = x - jnp.mean(x, axes, keepdims=True)
    y = centred * lax.rsqrt(jnp.mean(centred * centred, axes, keepdims=True) + node.get("epsilon", 1e-5)) * scale
    return y if bias is None else y + bias


def _rms_norm(node, x, scale):
    import jax.numpy as jnp
    from jax import lax

    axes = tuple(range(node.get("axis", -1) % x.ndim, x.ndim))
    return x * lax.rsqrt(jnp.mean(x * x, axes, keepdims=True) + node.get("epsilon", 1e-5)) * scale


def _batch_norm(node, x, scale, bias, mean, variance):
    from jax import lax

    node.only(training_mode=0)
    at = (1, -1) + (1,) * (x.ndim - 2)
    factor = scale * lax.rsqrt(variance + node.get("epsilon", 1e-5))
    return x * factor.reshape(at) + (bias - mean * factor).reshape(at)


def _attention(node, q, k, v, *more):
    import jax

    node.only(softcap=0.0, qk_matmul_output_mode=0, right_window_size=-1)
    if any(x is not None for x in more) or q.ndim != 4:
        raise Unsupported("Attention with a mask, a cache or three dims")
    left = node.get("left_window_size", -1)
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
    y = jax.nn.dot_product_attention(q, k, v, scale=node.get("scale"), is_causal=bool(node.get("is_causal", 0)),
                                     local_window_size=None if left < 0 else (left, 0))
    return y.transpose(0, 2, 1, 3)


def _pads(node, x, kernel, strides, dilations):
    """[(before, after)] for each spatial dim."""
    mode, n = node.get("auto_pad", "NOTSET"), len(kernel)
    if mode == "NOTSET":
        pads = node.get("pads", [0] * (2 * n))
        return list(zip(pads[:n], pads[n:]))
    if mode == "VALID":
        return [(0, 0)] * n
    result = []
    for size, width, stride, dilation in zip(x.shape[2:], kernel, strides, dilations):
        whole = max((-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size, 0)
        result.append((whole // 2, whole - whole // 2) if mode == "SAME_UPPER" else (whole - whole // 2, whole // 2))
    return result


def _conv_dims(rank):
    spatial = "DHW"[-(rank - 2):]
    return "NC" + spatial, "OI" + spatial, "NC" + spatial


def _with_bias(y, bias):
    return y if bias is None else y + bias.reshape((1, -1) + (1,) * (y.ndim - 2))


def _conv(node, x, w, bias=None):
    from jax import lax

    n = x.ndim - 2
    strides, dilations = node.get("strides", [1] * n), node.get("dilations", [1] * n)
    y = lax.conv_general_dilated(x, w, strides, _pads(node, x, w.shape[2:], strides, dilations), rhs_dilation=dilations,
                                 dimension_numbers=_conv_dims(x.ndim), feature_group_count=node.get("group", 1))
    return _with_bias(y, bias)


def _conv_transpose(node, x, w, bias=None):
    import jax.numpy as jnp
    from jax import lax

    node.only(auto_pad="NOTSET", output_shape=None)
    n, groups = x.ndim - 2, node.get("group", 1)
    strides, dilations = node.get("strides", [1] * n), node.get("dilations", [1] * n)
    pads, extra = node.get("pads", [0] * (2 * n)), node.get("output_padding", [0] * n)
    w = jnp.flip(w, tuple(range(2, w.ndim))).reshape((groups, w.shape[0] // groups) + w.shape[1:])
    w = jnp.swapaxes(w, 1, 2).reshape((-1, w.shape[1]) + w.shape[3:])
    reach = [(size - 1) * dilation for size, dilation in zip(w.shape[2:], dilations)]
    padding = [(r - low, r - high + e) for r, low, high, e in zip(reach, pads[:n], pads[n:], extra)]
    y = lax.conv_general_dilated(x, w, [1] * n, padding, lhs_dilation=strides, rhs_dilation=dilations,
                                 dimension_numbers=_conv_dims(x.ndim), feature_group_count=groups)
    return _with_bias(y, bias)


def _window(node, x, start, combine):
    """A reduction over windows: (what it gives, the arguments for another of the same windows)."""
    from jax import lax

    kernel = node.get("kernel_shape")
    n = len(kernel)
    strides, dilations = node.get("strides", [1] * n), node.get("dilations", [1] * n)
    pads = _pads(node, x, kernel, strides, dilations)
    if node.get("ceil_mode", 0):
        fitted = []
        for size, width, stride, dilation, (low, high) in zip(x.shape[2:], kernel, strides, dilations, pads):
            reach = (width - 1) * dilation + 1
            count = -(-(size + low + high - reach) // stride) + 1
            if (count - 1) * stride >= size + low:  # a window must start inside
                count -= 1
            fitted.append((low, max(high, (count - 1) * stride + reach - size - low)))
        pads = fitted
    shape = dict(window_dimensions=(1, 1, *kernel), window_strides=(1, 1, *strides), window_dilation=(1, 1, *dilations))
    return lax.reduce_window(x, start, combine, padding=((0, 0), (0, 0), *pads), **shape), pads, shape


def _max_pool(node, x):
    from jax import lax

    return _window(node, x, -np.inf, lax.max)[0]


def _average_pool(node, x):
    import jax.numpy as jnp
    from jax import lax

    total, pads, shape = _window(node, x, 0.0, lax.add)
    if not any(low or high for low, high in pads):
        return total / np.prod(node.get("kernel_shape"))
    ones = jnp.ones_like(x[:1, :1])
    if node.get("count_include_pad", 0):
        node.only(ceil_mode=0)
        ones = jnp.pad(ones, ((0, 0), (0, 0), *pads), constant_values=1)
        pads = [(0, 0)] * len(pads)
    return total / lax.reduce_window(ones, 0.0, lax.add, padding=((0, 0), (0, 0), *pads), **shape)


def _lrn(node, x):
    from jax import lax

    size = node.get("size")
    low = (size - 1) // 2
    total = lax.reduce_window(x * x, 0.0, lax.add, (1, size) + (1,) * (x.ndim - 2), (1,) * x.ndim,
                              ((0, 0), (low, size - 1 - low)) + ((0, 0),) * (x.ndim - 2))
    return x / (node.get("bias", 1.0) + node.get("alpha", 1e-4) / size * total) ** node.get("beta", 0.75)


def _gemm(node, a, b, c=None):
    a, b = (a.T if node.get("transA", 0) else a), (b.T if node.get("transB", 0) else b)
    y = node.get("alpha", 1.0) * (a @ b) if node.get("alpha", 1.0) != 1 else a @ b
    return y if c is None else y + node.get("beta", 1.0) * c


def _lstm(node, x, w, r, bias=None, lengths=None, h=None, c=None, peepholes=None):
    import jax
    import jax.numpy as jnp
    from jax import lax

    node.only(layout=0, input_forget=0, clip=None, activations=None)
    if lengths is not None or peepholes is not None:
        raise Unsupported("LSTM with sequence lengths or peepholes")
    size, directions, ys, hs, cs = node.get("hidden_size"), w.shape[0], [], [], []
    for d in range(directions):
        reverse = node.get("direction", "forward") == "reverse" or d == 1
        zero = jnp.zeros((x.shape[1], size), x.dtype)
        gates = x @ w[d].T
        if bias is not None:
            gates = gates + bias[d, :4 * size] + bias[d, 4 * size:]

        def step(state, gate, d=d):
            i, o, f, g = jnp.split(gate + state[0] @ r[d].T, 4, axis=-1)
            cell = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            hidden = jax.nn.sigmoid(o) * jnp.tanh(cell)
            return (hidden, cell), hidden

        start = (zero if h is None else jnp.asarray(h)[d], zero if c is None else jnp.asarray(c)[d])
        (hidden, cell), y = lax.scan(step, start, gates, reverse=reverse)
        ys.append(y), hs.append(hidden), cs.append(cell)
    return jnp.stack(ys, 1), jnp.stack(hs), jnp.stack(cs)


def _reshape(node, x, shape=None):
    shape = _numbers(shape, "shapes") if shape is not None else node.get("shape")
    if not node.get("allowzero", 0):
        shape = [x.shape[i] if size == 0 else size for i, size in enumerate(shape)]
    return x.reshape(shape)


def _flatten(node, x):
    axis = node.get("axis", 1)
    return x.reshape(int(np.prod(x.shape[:axis])), -1)


def _unsqueeze(node, x, axes=None):
    import jax.numpy as jnp

    given = node.get("axes") if axes is None else _numbers(axes, "axes")
    return jnp.expand_dims(x, tuple(axis % (x.ndim + len(given)) for axis in given))


def _squeeze(node, x, axes=None):
    import jax.numpy as jnp

    if axes is None and node.get("axes") is None:
        return jnp.squeeze(x)
    return jnp.squeeze(x, _axes(node, axes, x.ndim))


def _transpose(node, x):
    import jax.numpy as jnp

    return jnp.transpose(x, node.get("perm"))


def _expand(node, x, shape):
    import jax.numpy as jnp

    return jnp.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(_numbers(shape, "shapes"))))


def _concat(node, *xs):
    import jax.numpy as jnp

    return jnp.concatenate(xs, node.get("axis"))


def _gather(node, x, indices):
    import jax.numpy as jnp

    axis = node.get("axis", 0)
    if isinstance(indices, np.ndarray):
        indices = np.where(indices < 0, indices + x.shape[axis], indices)
    return jnp.take(x, indices, axis, mode="wrap")


def _slice(node, x, starts=None, ends=None, axes=None, steps=None):
    starts = node.get("starts") if starts is None else _numbers(starts, "slices")
    ends = node.get("ends") if ends is None else _numbers(ends, "slices")
    axes = node.get("axes", list(range(len(starts)))) if axes is None else _numbers(axes, "axes")
    steps = [1] * len(starts) if steps is None else _numbers(steps, "slices")
    parts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        if step < 0 and end < -x.shape[axis]:
            end = None
        parts[axis] = slice(start, end, step)
    return x[tuple(parts)]


def _pad(node, x, pads=None, value=None, axes=None):
    import jax.numpy as jnp

    pads = node.get("pads") if pads is None else _numbers(pads, "pads")
    axes = list(range(x.ndim)) if axes is None else _numbers(axes, "axes")
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(axes):
        widths[axis] = (pads[i], pads[i + len(axes)])
    mode = node.get("mode", "constant")
    if mode not in ("constant", "reflect", "edge"):
        raise Unsupported(f"Pad with mode = {mode!r}")
    more = {"constant_values": node.get("value", 0.0) if value is None else value.reshape(())} if mode == "constant" else {}
    return jnp.pad(x, widths, mode, **more)


def _reduce_mean(node, x, axes=None):
    import jax.numpy as jnp

    return jnp.mean(x, _axes(node, axes, x.ndim), keepdims=bool(node.get("keepdims", 1)))


def _global_average_pool(node, x):
    import jax.numpy as jnp

    return jnp.mean(x, tuple(range(2, x.ndim)), keepdims=True)


def _clip(node, x, low=None, high=None):
    import jax.numpy as jnp

    return jnp.clip(x, node.get("min") if low is None else low, node.get("max") if high is None else high)


def _hard_sigmoid(node, x):
    import jax.numpy as jnp

    return jnp.clip(node.get("alpha", 0.2) * x + node.get("beta", 0.5), 0, 1)


def _resize(node, x, region=None, scales=None, sizes=None):
    import jax.numpy as jnp

    if node.op == "Upsample":
        scales = region
    factors = [size / old for size, old in zip(_numbers(sizes, "sizes"), x.shape)] if sizes is not None and sizes.size else \
        [float(s) for s in np.asarray(scales)]
    node.only(mode="nearest")
    if any(factor != int(factor) or factor < 1 for factor in factors):
        raise Unsupported(f"{node.op} by {factors}: only by whole numbers")
    # By whole numbers every way to round gives the same rows, save these two that read half a row on.
    if node.get("coordinate_transformation_mode", "half_pixel") in ("align_corners", "tf_crop_and_resize") or \
            node.get("coordinate_transformation_mode") == "asymmetric" and node.get("nearest_mode", "round_prefer_floor") != "floor":
        raise Unsupported(f"{node.op} with {node.get('coordinate_transformation_mode')} and {node.get('nearest_mode')}")
    for axis, factor in enumerate(factors):
        x = jnp.repeat(x, int(factor), axis) if factor != 1 else x
    return x


def _cast(node, x):
    import onnx

    kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(node.get("to")))
    return x.astype(kind)


def _constant(node):
    from onnx import numpy_helper

    for name, value in node.attributes.items():
        if name == "value":
            return numpy_helper.to_array(value)
        if name in ("value_int", "value_ints", "value_float", "value_floats"):
            return np.asarray(value, np.int64 if "int" in name else np.float32)
    raise Unsupported(f"Constant with {', '.join(node.attributes)}")


def _constant_of_shape(node, shape):
    from onnx import numpy_helper

    value = numpy_helper.to_array(node.get("value")) if "value" in node.attributes else np.zeros(1, np.float32)
    return np.full(_numbers(shape, "shapes"), value[0], value.dtype)


def _shape(node, x):
    return np.asarray(x.shape[node.get("start", 0):node.get("end", None)], np.int64)


def _keep(node, x, *_):
    return x


OPS = {
    "Add": _binary("add"), "Sub": _binary("subtract"), "Mul": _binary("multiply"), "Div": _div, "Pow": _binary("power"),
    "Max": _binary("maximum"), "Min": _binary("minimum"), "MatMul": _binary("matmul"), "Sum": _sum,
    "Relu": _unary("relu", "jax.nn"), "Sigmoid": _unary("sigmoid", "jax.nn"), "Erf": _unary("erf", "jax.scipy.special"),
    "Tanh": _unary("tanh"), "Sqrt": _unary("sqrt"), "Exp": _unary("exp"), "Neg": _unary("negative"),
    "HardSigmoid": _hard_sigmoid, "Clip": _clip, "Softmax": _softmax,
    "LayerNormalization": _layer_norm, "RMSNormalization": _rms_norm, "BatchNormalization": _batch_norm, "LRN": _lrn,
    "Attention": _attention, "Conv": _conv, "ConvTranspose": _conv_transpose, "MaxPool": _max_pool,
    "AveragePool": _average_pool, "GlobalAveragePool": _global_average_pool, "ReduceMean": _reduce_mean, "Gemm": _gemm,
    "LSTM": _lstm, "Reshape": _reshape, "Flatten": _flatten, "Unsqueeze": _unsqueeze, "Squeeze": _squeeze,
    "Transpose": _transpose, "Expand": _expand, "Concat": _concat, "Gather": _gather, "Slice": _slice, "Pad": _pad,
    "Resize": _resize, "Upsample": _resize, "Cast": _cast, "Constant": _constant, "ConstantOfShape": _constant_of_shape,
    "Shape": _shape, "Identity": _keep, "Dropout": _keep,
}
