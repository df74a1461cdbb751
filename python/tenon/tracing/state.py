"""States along a sequence: linear attention with any of its rules, and recurrences of any cell."""
import math

from . import dims as dims_
from . import dtypes, trace as trace_, tree
from .array import Array, as_array, check_dtypes
from .control import _bind, _checked, _flatten, _outer, _results, _types

__all__ = ["linear_attention", "recurrence"]

#: rule -> (has a decay, has a beta)
RULES = {"linear": (False, False), "gated": (True, False), "delta": (False, True), "gated_delta": (True, True)}


def _shown(array):
    return f"{array.dtype}{dims_.text(array.shape)}"


def linear_attention(q, k, v, *, rule=None, decay=None, beta=None, state=None, scale=None, chunk=64):
    """(y, state) of linear attention: q [B, Hq, T, K] reads what k [B, H, T, K] and v [B, H, T, V] write, token by token, into
    a state [B, H, K, V] per head. y is [B, Hq, T, V]; query head h reads head h // (Hq // H).

    rule    "linear": state += outer(k, v); "gated": state is first scaled by exp(decay); "delta": of v is written
            beta * (v - what k reads); "gated_delta": both. Without it, by which of decay and beta there are
    decay   logarithms of what stays of the state: [B, H, T], or [B, H, T, K] for each key
    beta    [B, H, T]
    state   to start from, zeros without; the state that comes back starts the next call
    scale   of what is read: without it 1 / sqrt(K), or 1 where K is not known
    chunk   how many tokens are worked on at once; 1 goes step by step
    """
    trace = trace_.current()
    given = {name: as_array(value) for name, value in (("q", q), ("k", k), ("v", v), ("decay", decay), ("beta", beta), ("state", state))
             if value is not None}
    if rule is None:
        rule = {flags: name for name, flags in RULES.items()}["decay" in given, "beta" in given]
    if rule not in RULES:
        trace_.fail(f"in linear_attention: expected rule to be one of {', '.join(RULES)}, but got {rule!r}")
    for name, wanted in zip(("decay", "beta"), RULES[rule]):
        if (name in given) != wanted:
            trace_.fail(f"in linear_attention: expected {'a' if wanted else 'no'} {name} with the rule {rule}")
    for name, array in given.items():
        ranks = {"decay": (3, 4), "beta": (3,)}.get(name, (4,))
        if array.ndim not in ranks or not array.dtype.is_float:
            trace_.fail(f"in linear_attention: expected {name} of floats with {' or '.join(map(str, ranks))} dims, but got {_shown(array)}")
    q, k, v = given["q"], given["k"], given["v"]
    check_dtypes("linear_attention", [array for name, array in given.items() if name != "state"])
    heads, group_heads = k.shape[1], q.shape[1]
    if not isinstance(heads, int) or not isinstance(group_heads, int) or heads == 0 or group_heads % heads:
        trace_.fail(f"in linear_attention: the {heads} heads of k {_shown(k)} do not divide the {group_heads} of q {_shown(q)}")
    batch, tokens, depth, width = q.shape[0], q.shape[2], q.shape[3], v.shape[3]
    shapes = {"k": (batch, heads, tokens, depth), "v": (batch, heads, tokens, width), "decay": (batch, heads, tokens, depth),
              "beta": (batch, heads, tokens), "state": (batch, heads, depth, width)}
    for name, shape in shapes.items():
        for have, want in zip(given[name].shape if name in given else (), shape):
            trace.check_equal(want, have, f"in linear_attention: expected {name} {dims_.text(shape[:given[name].ndim])}, but got "
                              f"{_shown(given[name])}")
    if not isinstance(chunk, int) or chunk < 1:
        trace_.fail(f"in linear_attention: expected chunk of at least 1, but got {chunk!r}")
    if scale is None:
        scale = 1 / math.sqrt(max(depth, 1)) if isinstance(depth, int) else 1.0
    kind = given["state"].dtype if "state" in given else dtypes.float64 if q.dtype.name == "float64" else dtypes.float32
    results = [((batch, group_heads, tokens, width), q.dtype), (shapes["state"], kind)]
    text = f"tenon.linear_attention {rule} {q.ssa}, {k.ssa}, {v.ssa}"
    text += "".join(f" {name}({given[name].ssa} : {given[name].type})" for name in ("decay", "beta", "state") if name in given)
    names = [trace.fresh() for _ in results]
    trace.emit(f"{', '.join(names)} = {text} scale {float(scale):.17e} chunk {chunk} : {_types([q, k, v])} -> "
               + ", ".join(trace.tensor_type(*result) for result in results), "linear_attention")
    return tuple(Array(name, *result) for name, result in zip(names, results))


def recurrence(cell, inputs, init, *, lengths=None, reverse=False):
    """(outputs, states): for each step t along dim 0 of `inputs`, y, states = cell(inputs[t], states), from `init`; outputs
    has the y's behind each other. Inputs, states and y are arrays, nested as you like.

    lengths   integers [B], where B is the first dim of states and of y: entry b has the steps before lengths[b]; at the
              others its states stay and its outputs are zero
    reverse   from the last step to the first
    """
    trace = trace_.current()
    xs, inputs_structure = _flatten(inputs, "recurrence")
    states, structure = _flatten(init, "recurrence")
    if not xs:
        trace_.fail("in recurrence: expected at least one input")
    for x in xs:
        if x.ndim == 0:
            trace_.fail("in recurrence: expected inputs of one dim or more, but got one without")
        trace.check_equal(xs[0].shape[0], x.shape[0], f"in recurrence: inputs of {xs[0].shape[0]} and {x.shape[0]} steps")
    if lengths is not None:
        lengths = as_array(lengths)
        if lengths.ndim != 1 or not lengths.dtype.is_integer:
            trace_.fail(f"in recurrence: expected lengths of integers with one dim, but got {_shown(lengths)}")
    outside = dict(trace.factor_values)
    rows = [Array(trace.fresh(), x.shape[1:], x.dtype) for x in xs]
    before = _results(trace, states)
    with trace.block() as lines:
        made = cell(tree.unflatten(inputs_structure, rows), tree.unflatten(structure, before))
        if not isinstance(made, tuple) or len(made) != 2:
            trace_.fail("in recurrence: expected the cell to give a pair (y, states)")
        ys, outputs_structure = _flatten(made[0], "recurrence")
        after, after_structure = _flatten(made[1], "recurrence")
        _checked("recurrence", "the states and what the cell makes of them", states, after, structure, after_structure)
        trace.emit(f"tenon.yield {', '.join(a.ssa for a in ys + after)} : {_types(ys + after)}" if ys + after else "tenon.yield")
    trace.factor_values = outside
    _outer(trace, ys, "recurrence")
    for array in ys + states if lengths is not None else []:
        if array.ndim == 0:
            trace_.fail("in recurrence: with lengths, states and outputs have the batch as their first dim, but one has no dims")
        trace.check_equal(lengths.shape[0], array.shape[0], f"in recurrence: {lengths.shape[0]} lengths for states and outputs of "
                          f"{array.shape[0]} entries")
    shapes = [((xs[0].shape[0],) + y.shape, y.dtype) for y in ys]
    outs = [Array(trace.empty(*shape), *shape) for shape in shapes]
    results = _results(trace, outs + states)
    text = f"{_bind(results)}tenon.recurrence{' reverse' if reverse else ''}"
    for word, arrays in (("inputs", xs), ("states", states), ("lengths", [lengths] if lengths is not None else []), ("outs", outs)):
        if arrays:
            text += f" {word}({', '.join(a.ssa for a in arrays)} : {_types(arrays)})"
    block = ", ".join(f"{a.ssa}: {a.type}" for a in rows + before)
    text = "\n".join([f"{text} {{", f"^bb0({block}):", *lines, "}" + (f" -> {_types(results)}" if results else "")])
    trace.emit(text, "recurrence")
    return tree.unflatten(outputs_structure, results[:len(ys)]), tree.unflatten(structure, results[len(ys):])
