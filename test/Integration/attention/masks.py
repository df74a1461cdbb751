"""The mask of a source: its attribute and predicate, and which pairs they let through.

A mask is drawn for `on`: on.b, on.h, on.s and on.t, the sizes, and on.tables, to which it appends the operands that it names.
`sees(at)` gets arrays that broadcast to [queries, keys]: at.i and at.j, the indices; at.s and at.t, how many queries and keys
there are; at.b and at.h, the batch and the query's head; and at.values, the case's arguments by name.
"""
from types import SimpleNamespace

import numpy as np

from .operand import Operand


class Mask:
    """A drawn mask; `predicate` are lines of a region that yields %p. `tables` are operands, each with its map."""

    def __init__(self, text, sees, predicate=()):
        self.text, self.sees, self.predicate, self.tables = text, sees, predicate, []

    @property
    def operands(self):
        return [operand for operand, _ in self.tables]

    def clauses(self, dynamic):
        """What tenon.kv_source says of it: before the types, and behind them."""
        text = ""
        if self.tables:
            text = (f" mask_operands({', '.join(f'%{o.name}' for o in self.operands)} : {', '.join(o.type(dynamic) for o in self.operands)})"
                    f" maps [{', '.join(f'affine_map<(b, h, q, k) -> ({dims})>' for _, dims in self.tables)}]")
        if self.text:
            text += f" mask({self.text})"
        if not self.predicate:
            return text, ""
        block = ", ".join([f"%{name}: index" for name in "bhij"] + [f"%t{n}: {o.element}" for n, o in enumerate(self.operands)])
        return text, f" predicate {{\n  ^bb0({block}):\n    " + "\n    ".join(self.predicate) + "\n    tenon.yield %p : i1\n  }"


def _table(r, on, along, draw):
    """A drawn operand along "q" or "k", for all batches and heads or each: its number, and at -> its row or column."""
    dims = r.choice((along, f"b{along}") + ((f"bh{along}", f"h{along}") if along == "q" else ()))
    shape = tuple({"b": on.b, "h": on.h, "q": on.s, "k": on.t}[dim] for dim in dims)
    dynamic = tuple(n for n, dim in enumerate(dims) if dim != "h")
    name = f"m{on.number}_{len(on.tables)}"
    on.tables.append((Operand(name, shape, r.choice(("i32", "i64")), lambda rng: draw(rng, shape), dynamic), ", ".join(dims)))

    def read(at):
        values = at.values[name][tuple(getattr(at, dim) if dim in "bh" else slice(None) for dim in dims)]
        return values[:, None] if along == "q" else values[None, :]
    return len(on.tables) - 1, read


def _align(r):
    align = r.choice(("", "start"))
    return align, (lambda at: at.i) if align else (lambda at: at.i + at.t - at.s)


def causal(r, depth, on):
    align, place = _align(r)
    return Mask("#tenon.causal" + (f"<{align}>" if align else ""), lambda at: at.j <= place(at))


def window(r, depth, on):
    align, place = _align(r)
    left, right = r.choice((-1, 0, 1, 4, 20, 70)), r.choice((-1, 0, 0, 2, 30))
    return Mask(f"#tenon.window<{left}, {right}{', ' + align if align else ''}>",
                lambda at: ((left < 0) | (place(at) - left <= at.j)) & ((right < 0) | (at.j <= place(at) + right)))


def prefix(r, depth, on):
    length = r.choice((0, 1, 3, 10, 200))
    return Mask(f"#tenon.prefix<{length}>", lambda at: at.j < length)


def inverted(r, depth, on):
    part = drawn(r, depth + 1, on)
    return Mask(f"#tenon.not<{part.text}>", lambda at: ~np.asarray(part.sees(at), bool))


def _combined(kind, combine):
    def draw(r, depth, on):
        parts = [drawn(r, depth + 1, on) for _ in range(r.randint(1, 3))]
        return Mask(f"#tenon.{kind}<{', '.join(part.text for part in parts)}>",
                    lambda at: combine.reduce(np.broadcast_arrays(*[np.asarray(part.sees(at), bool) for part in parts])))
    return draw


def per_head(r, depth, on):
    parts = [drawn(r, depth + 1, on) for _ in range(r.randint(1, 3))]
    return Mask(f"#tenon.per_head<{', '.join(part.text for part in parts)}>", lambda at: parts[at.h % len(parts)].sees(at))


def dilated(r, depth, on):
    align, place = _align(r)
    left, right, step = r.choice((-1, 0, 2, 20)), r.choice((-1, 0, 0, 3)), r.choice((1, 2, 3, 7, 64))

    def sees(at):
        away = at.j - place(at)
        return (away % step == 0) & ((left < 0) | (away >= -left * step)) & ((right < 0) | (away <= right * step))
    return Mask(f"#tenon.dilated<{left}, {right}, {step}{', ' + align if align else ''}>", sees)


def strided(r, depth, on):
    stride, block = r.choice((1, 2, 3, 5)), r.choice((1, 1, 4, 64, 256))
    offset = r.randrange(stride)
    return Mask(f"#tenon.strided<{stride}, {offset}, {block}>", lambda at: at.j // block % stride == offset)


def neighborhood(r, depth, on):
    align, place = _align(r)
    dims, rest, grid = r.choice((1, 2, 2, 3)), max(on.t, 1), []
    for _ in range(dims - 1):
        grid.append(r.choice([n for n in (1, 2, 3, 4, 7, 10, 16) if n <= rest]))
        rest //= grid[-1]
    grid.append(max(rest + r.choice((0, 0, 0, 1, -1)), 1))
    r.shuffle(grid)
    size, stride, dilation, causal = [], [], [], []
    for length in grid:
        size.append(r.randint(1, min(length, 9)))
        stride.append(r.randint(1, size[-1]) if r.random() < 0.5 else 1)
        dilation.append(r.randint(1, length // size[-1]) if r.random() < 0.5 else 1)
        causal.append(int(r.random() < 0.3))
    count = int(np.prod(grid))

    def sees(at):
        p, seen = place(at), (at.j < count)
        seen = seen & (p >= 0) & (p < count)
        p, j, inner = np.clip(p, 0, None), at.j, count
        for length, width, step, spread, back in zip(grid, size, stride, dilation, causal):
            inner //= length
            x, y = p // inner % length, j // inner % length
            many = (length - x % spread + spread - 1) // spread  # of the same remainder
            n, m = x // spread, y // spread
            leader = np.minimum(n // step * step + (step - 1 if back else step // 2), many - 1)
            first = np.maximum(leader - width + 1, 0) if back else np.clip(leader - width // 2, 0, many - width)
            seen = seen & (x % spread == y % spread) & (m >= first) & (m <= n if back else m < first + width)
        return seen
    lists = ", ".join(f"{name} = {entries}" for name, entries in
                      (("grid", grid), ("size", size), ("stride", stride), ("dilation", dilation), ("causal", causal)))
    return Mask(f"#tenon.neighborhood<{lists}{f', align = {align}' if align else ''}>", sees)


def document(r, depth, on):
    count, ordered = r.choice((1, 2, 5)), r.random() < 0.6
    draw = lambda rng, shape: (lambda ids: np.sort(ids, axis=-1) if ordered else ids)(rng.integers(-1, count, shape))
    (mine, ids), (theirs, key_ids) = _table(r, on, "q", draw), _table(r, on, "k", draw)
    return Mask(f"#tenon.document<{mine}, {theirs}>", lambda at: ids(at) == key_ids(at))


def key_interval(r, depth, on):
    far = r.choice((0, 1, on.t))
    low, lows = _table(r, on, "q", lambda rng, shape: rng.integers(-3, max(on.t - far, 0) + 1, shape))
    high, highs = _table(r, on, "q", lambda rng, shape: rng.integers(far, on.t + 5, shape))
    return Mask(f"#tenon.key_interval<{low}, {high}>", lambda at: (lows(at) <= at.j) & (at.j < highs(at)))


def predicate(r, depth, on):
    """Of one more table and of indices, on top of a mask or alone."""
    under = drawn(r, 1, on) if r.random() < 0.5 else None
    number, table = _table(r, on, r.choice("qk"), lambda rng, shape: rng.integers(0, 4, shape))
    kind = on.tables[number][0].element
    lines = ["%u0 = arith.addi %i, %j : index", "%u1 = arith.addi %u0, %h : index", "%c3 = arith.constant 3 : index",
             "%u2 = arith.remui %u1, %c3 : index", "%c1 = arith.constant 1 : index", "%p0 = arith.cmpi ne, %u2, %c1 : index",
             f"%z = arith.constant 0 : {kind}", f"%p1 = arith.cmpi ne, %t{number}, %z : {kind}", "%p = arith.andi %p0, %p1 : i1"]
    return Mask(under.text if under else "", lambda at: ((at.i + at.j + at.h) % 3 != 1) & (table(at) != 0) & (under.sees(at) if under else True),
                lines)


MASKS = {"dense": None, "causal": causal, "window": window, "prefix": prefix, "dilated": dilated, "strided": strided,
         "neighborhood": neighborhood, "document": document, "key interval": key_interval, "predicate": predicate,
         "all of": _combined("all_of", np.logical_and), "any of": _combined("any_of", np.logical_or), "not": inverted, "per head": per_head}
_NESTED = ("all of", "any of", "not", "per head")


def drawn(r, depth, on):
    """Any mask, as a part of another."""
    names = [name for name in MASKS if name not in ("dense", "predicate") and (depth < 2 or name not in _NESTED)]
    return MASKS[r.choice(names)](r, depth, on)


def make(r, name, number, case, keys):
    """The mask of source `number`; null where all is seen."""
    if not MASKS[name]:
        return None
    on = SimpleNamespace(b=case.b, h=case.h, s=case.s, t=keys, number=number, tables=[])
    mask = MASKS[name](r, 0, on)
    mask.tables = on.tables
    return mask
