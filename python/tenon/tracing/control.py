"""Control flow that depends on values: branches and loops of the compiled program."""
from . import dims as dims_
from . import trace as trace_, tree
from .array import Array, as_array
from .indexing import _scalar_index, ds

__all__ = ["cond", "while_loop", "fori_loop", "scan"]


def _flatten(value, operator):
    leaves, structure = tree.flatten(value, lambda v: not isinstance(v, (tuple, list, dict)))
    return [as_array(leaf) for leaf in leaves], structure


def _types(arrays):
    return ", ".join(array.type for array in arrays)


def _truth(condition, operator):
    condition = as_array(condition)
    if condition.ndim != 0 or not condition.dtype.is_bool:
        trace_.fail(f"in {operator}: expected a condition of bool without dims, but got {condition.dtype}{dims_.text(condition.shape)}")
    return trace_.current().emit_value(f"tensor.extract {condition.ssa}[] : tensor<i1>")


def _checked(operator, what, before, after, before_structure, after_structure):
    """Results of a branch or a loop's body must be like those that they stand for."""
    if before_structure != after_structure:
        trace_.fail(f"in {operator}: {what} nest in different ways: {before_structure} and {after_structure}")
    for number, (old, new) in enumerate(zip(before, after)):
        if old.dtype != new.dtype or old.shape != new.shape:
            trace_.fail(f"in {operator}: {what} differ: array {number} is {old.dtype}{dims_.text(old.shape)} and "
                        f"{new.dtype}{dims_.text(new.shape)}")


def _yield(arrays):
    return f"scf.yield {', '.join(a.ssa for a in arrays)} : {_types(arrays)}" if arrays else "scf.yield"


def _results(trace, arrays):
    """Names for the results of an op that stand for `arrays`."""
    return [Array(trace.fresh(), array.shape, array.dtype) for array in arrays]


def _bind(results):
    return f"{', '.join(r.ssa for r in results)} = " if results else ""


def _outer(trace, arrays, operator):
    """Results whose sizes were computed inside of a branch have no size outside of it."""
    for array in arrays:
        for dim in array.shape:
            if isinstance(dim, dims_.Dim) and any(factor not in trace.factor_values for factor in dim.factors):
                trace_.fail(f"in {operator}: the size '{dim}' of a result is only known inside of it")


def cond(condition, if_true, if_false, *operands):
    """if_true(*operands) where condition (a bool without dims), else if_false(*operands): only one of them runs."""
    trace = trace_.current()
    condition = _truth(condition, "cond")
    branches = []
    for function in (if_true, if_false):
        outside = dict(trace.factor_values)
        with trace.block() as lines:
            arrays, structure = _flatten(function(*operands), "cond")
            trace.emit(_yield(arrays))
        trace.factor_values = outside
        branches.append((arrays, structure, lines))
    (left, structure, then_lines), (right, other, else_lines) = branches
    _checked("cond", "the results of the branches", left, right, structure, other)
    _outer(trace, left, "cond")
    results = _results(trace, left)
    text = "\n".join([f"{_bind(results)}scf.if {condition} -> ({_types(left)}) {{", *then_lines, "} else {", *else_lines, "}"])
    trace.emit(text, "cond")
    return tree.unflatten(structure, results)


def while_loop(condition, body, init):
    """state = init; while condition(*state): state = body(*state). `init` is a tuple of arrays (or one array); the state
    keeps its shapes and dtypes."""
    trace = trace_.current()
    single = not isinstance(init, (tuple, list))
    state, structure = _flatten((init,) if single else tuple(init), "while_loop")
    outside = dict(trace.factor_values)
    before = _results(trace, state)
    with trace.block() as test_lines:
        flag = _truth(condition(*tree.unflatten(structure, before)), "while_loop")
        trace.emit(f"scf.condition({flag}) {', '.join(a.ssa for a in before)} : {_types(before)}")
    trace.factor_values = dict(outside)
    after = _results(trace, state)
    with trace.block() as body_lines:
        made = body(*tree.unflatten(structure, after))
        made, made_structure = _flatten((made,) if single or not isinstance(made, (tuple, list)) else tuple(made), "while_loop")
        _checked("while_loop", "the state and what the body makes of it", state, made, structure, made_structure)
        trace.emit(_yield(made))
    trace.factor_values = outside
    results = _results(trace, state)
    inits = ", ".join(f"{b.ssa} = {s.ssa}" for b, s in zip(before, state))
    block = ", ".join(f"{a.ssa}: {a.type}" for a in after)
    text = "\n".join([f"{_bind(results)}scf.while ({inits}) : ({_types(state)}) -> ({_types(state)}) {{", *test_lines, "} do {",
                      f"^bb0({block}):", *body_lines, "}"])
    trace.emit(text, "while_loop")
    results = tree.unflatten(structure, results)
    return results[0] if single else results


def _bound(value):
    if isinstance(value, Array):
        value = _scalar_index(value)
    return trace_.current().index(value)


def _for(operator, low, high, state, structure, body):
    """scf.for over [low, high); body(index as a Dim, state) -> (state' leaves, structure)."""
    trace = trace_.current()
    low, high, one = _bound(low), _bound(high), trace.constant(1)
    outside = dict(trace.factor_values)
    carried, place = _results(trace, state), trace.fresh("i")
    with trace.block() as lines:
        made, made_structure = body(trace.unknown_dim(place, "step"), carried)
        _checked(operator, "the state and what the body makes of it", state, made, structure, made_structure)
        trace.emit(_yield(made))
    trace.factor_values = outside
    results = _results(trace, state)
    inits = ", ".join(f"{c.ssa} = {s.ssa}" for c, s in zip(carried, state))
    head = f" iter_args({inits}) -> ({_types(state)})" if state else ""
    trace.emit("\n".join([f"{_bind(results)}scf.for {place} = {low} to {high} step {one}{head} {{", *lines, "}"]), operator)
    return results


def fori_loop(low, high, body, init):
    """state = init; for i in low .. high - 1: state = body(i, state). Bounds are numbers, sizes or integer arrays
    without dims; i is an array of int64 without dims."""
    trace_.current()
    state, structure = _flatten(init, "fori_loop")

    def step(place, carried):
        return _flatten(body(_index_array(place), tree.unflatten(structure, carried)), "fori_loop")

    return tree.unflatten(structure, _for("fori_loop", low, high, state, structure, step))


def _index_array(place):
    return as_array(place)


def scan(body, init, xs, length=None, reverse=False):
    """(state, ys): for each x along dim 0 of `xs` (arrays, nested as you like; None with a `length`),
    state, y = body(state, x); ys has the y's behind each other."""
    trace = trace_.current()
    state, structure = _flatten(init, "scan")
    inputs, inputs_structure = _flatten(xs, "scan") if xs is not None else ([], ("static", None))
    for array in inputs:
        if array.ndim == 0:
            trace_.fail("in scan: expected arrays of one dim or more, but got one without")
        if length is None:
            length = array.shape[0]
        trace.check_equal(length, array.shape[0], f"in scan: lengths {length} and {array.shape[0]} differ")
    if length is None:
        trace_.fail("in scan: expected arrays to scan, or a length")

    def slices(place):
        at = length - 1 - place if reverse else place
        return at, tree.unflatten(inputs_structure, [array[ds(at, 1, inside=True)].reshape(array.shape[1:]) for array in inputs])

    def run(place, carried):
        at, x = slices(place)
        made = body(tree.unflatten(structure, carried), x)
        if not isinstance(made, tuple) or len(made) != 2:
            trace_.fail("in scan: expected the body to give a pair (state, y)")
        return at, made

    # What y is like is known only once the body has been traced: once for that, once for the loop.
    outside, names = dict(trace.factor_values), dict(trace._names)
    with trace.block():
        _, (_, y) = run(trace.unknown_dim(trace.fresh("i"), "step"), _results(trace, state))
        y_leaves, y_structure = _flatten(y, "scan") if y is not None else ([], ("static", None))
    trace.factor_values = outside
    trace._names = names
    _outer(trace, y_leaves, "scan")
    outputs = [Array(trace.empty((length,) + y.shape, y.dtype), (length,) + y.shape, y.dtype) for y in y_leaves]

    def step(place, carried):
        at, (after, y) = run(place, carried[:len(state)])
        leaves = _flatten(y, "scan")[0] if y is not None else []
        made, made_structure = _flatten(after, "scan")
        _checked("scan", "the state and what the body makes of it", state, made, structure, made_structure)
        filled = [out.at[ds(at, 1, inside=True)].set(leaf.reshape((1,) + leaf.shape)) for out, leaf in zip(carried[len(state):], leaves)]
        return made + filled, None

    results = _for("scan", 0, length, state + outputs, None, step)
    return tree.unflatten(structure, results[:len(state)]), tree.unflatten(y_structure, results[len(state):])


