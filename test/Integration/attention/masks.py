"""The mask of a source: its attribute, and which pairs it lets through.

`sees(at)` gets arrays that broadcast to [queries, keys]: at.i and at.j, the indices; at.s and at.t, how many queries and keys
there are; at.b and at.h, the batch and the query's head; and at.values, the case's arguments by name.
"""
import numpy as np


class Mask:
    """A drawn mask; `operands` are arguments of the function that it reads."""

    def __init__(self, text, sees, operands=()):
        self.text, self.sees, self.operands = text, sees, list(operands)


def _align(r):
    align = r.choice(("", "start"))
    return align, (lambda at: at.i) if align else (lambda at: at.i + at.t - at.s)


def causal(r, depth):
    align, place = _align(r)
    return Mask("#tenon.causal" + (f"<{align}>" if align else ""), lambda at: at.j <= place(at))


def window(r, depth):
    align, place = _align(r)
    left, right = r.choice((-1, 0, 1, 4, 20, 70)), r.choice((-1, 0, 0, 2, 30))
    return Mask(f"#tenon.window<{left}, {right}{', ' + align if align else ''}>",
                lambda at: ((left < 0) | (place(at) - left <= at.j)) & ((right < 0) | (at.j <= place(at) + right)))


def prefix(r, depth):
    length = r.choice((0, 1, 3, 10, 200))
    return Mask(f"#tenon.prefix<{length}>", lambda at: at.j < length)


def inverted(r, depth):
    part = drawn(r, depth + 1)
    return Mask(f"#tenon.not<{part.text}>", lambda at: ~np.asarray(part.sees(at), bool), part.operands)


def _combined(kind, combine):
    def draw(r, depth):
        parts = [drawn(r, depth + 1) for _ in range(r.randint(1, 3))]
        return Mask(f"#tenon.{kind}<{', '.join(part.text for part in parts)}>",
                    lambda at: combine.reduce(np.broadcast_arrays(*[np.asarray(part.sees(at), bool) for part in parts])),
                    [operand for part in parts for operand in part.operands])
    return draw


MASKS = {"dense": None, "causal": causal, "window": window, "prefix": prefix, "all of": _combined("all_of", np.logical_and),
         "any of": _combined("any_of", np.logical_or), "not": inverted}
_NESTED = ("all of", "any of", "not")


def drawn(r, depth):
    """Any mask, as a part of another."""
    return MASKS[r.choice([name for name in MASKS if name != "dense" and (depth < 2 or name not in _NESTED)])](r, depth)


def make(r, name):
    return MASKS[name](r, 0) if MASKS[name] else None
