"""Which keys a query sees: masks of tenon.attention, combined by & | ~.

With S queries and T keys, query q stands at place q + T - S (`align="end"`, the default: the last query beside the last
key) or at place q (`align="start"`).
"""
from .. import errors

__all__ = ["causal", "window", "prefix", "Mask"]


class Mask:
    """A mask; `text` is its attribute."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"<tenon mask {self.text}>"

    def __and__(self, other):
        return _combine("all_of", self, other)

    def __or__(self, other):
        return _combine("any_of", self, other)

    def __invert__(self):
        return Mask(f"#tenon.not<{self.text}>")


def _combine(kind, left, right):
    if not isinstance(right, Mask):
        return NotImplemented
    return Mask(f"#tenon.{kind}<{left.text}, {right.text}>")


def _align(align):
    if align not in ("end", "start"):
        raise errors.InvalidArgument(f"expected align 'end' or 'start', but got {align!r}")
    return align


def causal(align="end"):
    """A query sees the keys up to its own place."""
    return Mask(f"#tenon.causal<{_align(align)}>")


def window(left, right=-1, align="end"):
    """A query at place p sees keys p - left to p + right; -1 is without bound."""
    for side, value in (("left", left), ("right", right)):
        if not isinstance(value, int) or value < -1:
            raise errors.InvalidArgument(f"in masks.window: expected {side} to be -1 or more, but got {value!r}")
    return Mask(f"#tenon.window<{left}, {right}, {_align(align)}>")


def prefix(length):
    """Every query sees the first `length` keys."""
    if not isinstance(length, int) or length < 0:
        raise errors.InvalidArgument(f"in masks.prefix: expected a length of 0 or more, but got {length!r}")
    return Mask(f"#tenon.prefix<{length}>")
