"""Mixtures of experts: routing, matmuls over ragged groups, and the whole layer as one op."""
from . import dims as dims_
from . import dtypes, trace as trace_
from .array import Array, as_array, check_dtypes

__all__ = ["moe", "route", "grouped_matmul", "segment_reduce", "Routing"]

ACTIVATIONS = ("identity", "relu", "silu", "gelu", "gelu_tanh", "relu_squared")
SCORES = ("softmax", "sigmoid", "relu")


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def _one_of(operator, what, value, known):
    if value not in known:
        trace_.fail(f"in {operator}: expected {what} to be one of {', '.join(known)}, but got {value!r}")


class Routing:
    """How tokens find their experts: the options that `route` and `moe` share.

    score        "softmax", "sigmoid" or "relu" of the logits
    top_k        experts per token; 0: all above the threshold
    threshold    only experts whose choice is greater: their number then varies by token
    groups, top_groups, group_top   experts stand in `groups` equal runs; of these the `top_groups` with the largest sum of
                 their `group_top` best choices stay
    normalize    whether a token's weights are divided by their sum; scale: a factor of the weights
    """

    def __init__(self, score="softmax", top_k=0, threshold=None, groups=1, top_groups=1, group_top=1, normalize=False, scale=1.0):
        self.score, self.top_k, self.threshold = score, top_k, threshold
        self.groups, self.top_groups, self.group_top, self.normalize, self.scale = groups, top_groups, group_top, normalize, scale

    def text(self):
        words = [f"top_k {self.top_k}"] if self.top_k else []
        words += [f"threshold {float(self.threshold):.9e}"] if self.threshold is not None else []
        words += [f"{name} {getattr(self, name)}" for name in ("groups", "top_groups", "group_top") if getattr(self, name) != 1]
        words += ["normalize"] if self.normalize else []
        words += [f"scale {float(self.scale):.9e}"] if self.scale != 1 else []
        return " ".join(words)

    def check(self, operator, logits, biases):
        _one_of(operator, "score", self.score, SCORES)
        if logits.ndim != 2 or not logits.dtype.is_float:
            trace_.fail(f"in {operator}: expected logits [tokens, experts] of floats, but got {_shown(logits)}")
        experts = logits.shape[1]
        if not self.top_k and self.threshold is None:
            trace_.fail(f"in {operator}: expected top_k or a threshold")
        if self.top_k < 0 or isinstance(experts, int) and self.top_k > experts:
            trace_.fail(f"in {operator}: top_k {self.top_k} of {experts} experts")
        if isinstance(experts, int) and (self.groups < 1 or experts % self.groups):
            trace_.fail(f"in {operator}: {experts} experts do not make {self.groups} equal groups")
        if biases is not None and (biases.ndim != 1 or biases.shape[0] != experts):
            trace_.fail(f"in {operator}: expected a bias per expert, of which there are {experts}, but got {_shown(biases)}")


def route(logits, *, biases=None, **options):
    """(offsets [E + 1], tokens, weights): expert e has the entries offsets[e] to offsets[e + 1] - 1 of `tokens` and `weights`.
    Options: see Routing."""
    logits, biases = as_array(logits), None if biases is None else as_array(biases)
    routing = Routing(**options)
    routing.check("route", logits, biases)
    trace = trace_.current()
    experts, room = logits.shape[1], logits.shape[0] * (routing.top_k or logits.shape[1])
    kinds = [((experts + 1,), dtypes.int64), ((room,), dtypes.int64), ((room,), logits.dtype)]
    names = [trace.fresh() for _ in kinds]
    bias = "" if biases is None else f" biases {biases.ssa} : {biases.type}"
    trace.emit(f"{', '.join(names)} = tenon.route {routing.score} {logits.ssa}{bias} {routing.text()} : {logits.type} -> "
               + ", ".join(trace.tensor_type(*kind) for kind in kinds), "route")
    return tuple(Array(name, *kind) for name, kind in zip(names, kinds))


def grouped_matmul(x, weights, offsets, *, activation="identity", rows=None, biases=None, factors=None, scatter=None,
                   scales=None, out=None):
    """Rows in groups of any length, each group times its own matrix weights[e] [K, N]; see tenon.grouped_matmul in the
    reference of ops. `rows` gathers rows of x, `scatter` adds results to rows of `out`, times `scales`."""
    x, weights, offsets = as_array(x), as_array(weights), as_array(offsets)
    _one_of("grouped_matmul", "activation", activation, ACTIVATIONS)
    if x.ndim != 2 or weights.ndim != 3:
        trace_.fail(f"in grouped_matmul: expected x [rows, K] and weights [E, K, N], but got {_shown(x)} and {_shown(weights)}")
    check_dtypes("grouped_matmul", [x, weights])
    trace = trace_.current()
    trace.check_equal(x.shape[1], weights.shape[1], f"in grouped_matmul: the inner sizes of {_shown(x)} and {_shown(weights)} differ: "
                      f"{x.shape[1]} and {weights.shape[1]}")
    text, length = "", x.shape[0]
    given = {name: as_array(value) for name, value in (("rows", rows), ("biases", biases), ("factors", factors),
                                                       ("scatter", scatter), ("scales", scales)) if value is not None}
    for name, array in given.items():
        text += f" {name} {array.ssa} : {array.type}"
    for name in ("rows", "scatter", "factors"):
        if name in given:
            length = given[name].shape[0]
            break
    if (out is None) != ("scatter" not in given):
        trace_.fail("in grouped_matmul: expected `scatter` and `out` together")
    shape = (length, weights.shape[2]) if out is None else as_array(out).shape
    init = trace.empty(shape, x.dtype) if out is None else as_array(out).ssa
    kind = trace.tensor_type(shape, x.dtype)
    return Array(trace.emit_value(f"tenon.grouped_matmul {activation} {x.ssa}, {weights.ssa} offsets {offsets.ssa}{text} "
                                  f"outs({init} : {kind}) : {x.type}, {weights.type}, {offsets.type} -> {kind}", "grouped_matmul"),
                 shape, x.dtype)


def moe(tokens, logits, up, down, *, gate=None, activation="silu", biases=None, shared_gate=None, shared_up=None,
        shared_down=None, **options):
    """A mixture of experts: tokens [T, D] go to experts by logits [T, E]; an expert's result is
    (activation(x @ gate[e]) * (x @ up[e])) @ down[e], without `gate` activation(x @ up[e]) @ down[e]; these are summed by their
    weights, to what the shared expert makes of each token. gate, up [E, D, F]; down [E, F, D]. Options: see Routing."""
    tokens, logits = as_array(tokens), as_array(logits)
    _one_of("moe", "activation", activation, ACTIVATIONS)
    biases = None if biases is None else as_array(biases)
    routing = Routing(**options)
    routing.check("moe", logits, biases)
    given = {name: as_array(value) for name, value in (("gate", gate), ("up", up), ("down", down), ("shared_gate", shared_gate),
                                                       ("shared_up", shared_up), ("shared_down", shared_down)) if value is not None}
    if tokens.ndim != 2:
        trace_.fail(f"in moe: expected tokens [T, D], but got {_shown(tokens)}")
    check_dtypes("moe", [tokens, *given.values()])
    trace = trace_.current()
    trace.check_equal(tokens.shape[0], logits.shape[0], f"in moe: tokens {_shown(tokens)} and logits {_shown(logits)} differ in rows: "
                      f"{tokens.shape[0]} and {logits.shape[0]}")
    for name in ("gate", "up", "down"):
        if name not in given:
            continue
        array = given[name]
        depth = array.shape[2 if name == "down" else 1] if array.ndim == 3 else None
        if array.ndim != 3 or array.shape[0] != logits.shape[1] or depth != tokens.shape[1]:
            wanted = "[E, F, D]" if name == "down" else "[E, D, F]"
            trace_.fail(f"in moe: expected {name} {wanted} with E = {logits.shape[1]} and D = {tokens.shape[1]}, but got {_shown(array)}")
    words = [f"biases {biases.ssa} : {biases.type}"] if biases is not None else []
    words += [routing.text()] + [f"{name} {array.ssa} : {array.type}" for name, array in given.items()]
    return Array(trace.emit_value(f"tenon.moe {activation} {tokens.ssa}, {logits.ssa} route {routing.score} {' '.join(words)} : "
                                  f"{tokens.type}, {logits.type} -> {tokens.type}", "moe"), tokens.shape, tokens.dtype)


def segment_reduce(x, offsets, kind="sum"):
    """One row from each segment of rows of x: segment s is rows offsets[s] to offsets[s + 1] - 1. kind: sum, max, min, mean."""
    x, offsets = as_array(x), as_array(offsets)
    _one_of("segment_reduce", "kind", kind, ("sum", "max", "min", "mean"))
    if offsets.ndim != 1 or x.ndim == 0:
        trace_.fail(f"in segment_reduce: expected rows and offsets with one dim, but got {_shown(x)} and {_shown(offsets)}")
    trace = trace_.current()
    shape = (offsets.shape[0] - 1,) + x.shape[1:]
    return Array(trace.emit_value(f"tenon.segment_reduce {kind} {x.ssa} offsets {offsets.ssa} : {x.type}, {offsets.type} -> "
                                  f"{trace.tensor_type(shape, x.dtype)}", "segment_reduce"), shape, x.dtype)
