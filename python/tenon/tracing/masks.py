"""Which keys a query sees: masks of tenon.attention, combined by & | ~.

With S queries and T keys, query q stands at place q + T - S (`align="end"`, the default: the last query beside the last
key) or at place q (`align="start"`).
"""
from .. import errors

__all__ = ["causal", "window", "prefix", "dilated", "strided", "neighborhood", "document", "key_interval", "per_head", "Mask"]


class Mask:
    """A mask. Its attribute is `form` with the numbers of the operands in its braces, which read `tables`: pairs of an array and
    whether it is read by keys."""

    def __init__(self, form, tables=()):
        self.form, self.tables = form, list(tables)

    def __repr__(self):
        return f"<tenon mask {self.attribute(range(len(self.tables)))}>"

    def attribute(self, numbers):
        """The attribute's text, where table n is operand `numbers[n]` of the source."""
        return self.form.format(*numbers)

    def __and__(self, other):
        return _combine("all_of", [self, other])

    def __or__(self, other):
        return _combine("any_of", [self, other])

    def __invert__(self):
        return Mask(f"#tenon.not<{self.form}>", self.tables)


def _combine(kind, parts):
    if not all(isinstance(part, Mask) for part in parts):
        return NotImplemented
    forms, tables = [], []
    for part in parts:
        forms.append(part.attribute([f"{{{len(tables) + n}}}" for n in range(len(part.tables))]))
        tables += part.tables
    return Mask(f"#tenon.{kind}<{', '.join(forms)}>", tables)


def _align(align):
    if align not in ("end", "start"):
        raise errors.InvalidArgument(f"expected align 'end' or 'start', but got {align!r}")
    return align


def _check_number(name, what, value, lowest):
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise errors.InvalidArgument(f"in masks.{name}: expected {what} {lowest} or more, but got {value!r}")


def causal(align="end"):
    """A query sees the keys up to its own place."""
    return Mask(f"#tenon.causal<{_align(align)}>")


def window(left, right=-1, align="end"):
    """A query at place p sees keys p - left to p + right; -1 is without bound."""
    for side, value in (("left", left), ("right", right)):
        _check_number("window", f"{side} to be", value, -1)
    return Mask(f"#tenon.window<{left}, {right}, {_align(align)}>")


def prefix(length):
    """Every query sees the first `length` keys."""
    _check_number("prefix", "a length of", length, 0)
    return Mask(f"#tenon.prefix<{length}>")


def dilated(left, right=-1, dilation=1, align="end"):
    """A query at place p sees keys p + n * dilation for -left <= n <= right; -1 is without bound."""
    for side, value in (("left", left), ("right", right)):
        _check_number("dilated", f"{side} to be", value, -1)
    _check_number("dilated", "a dilation of", dilation, 1)
    return Mask(f"#tenon.dilated<{left}, {right}, {dilation}, {_align(align)}>")


def strided(stride, offset=0, block=1):
    """Every query sees every `stride`-th block of `block` keys, from block `offset` on: keys k where
    k // block % stride == offset."""
    _check_number("strided", "a stride of", stride, 1)
    _check_number("strided", "a block of", block, 1)
    _check_number("strided", "an offset of", offset, 0)
    if offset >= stride:
        raise errors.InvalidArgument(f"in masks.strided: expected an offset below the stride {stride}, but got {offset}")
    return Mask(f"#tenon.strided<{stride}, {offset}, {block}>")


def neighborhood(grid, size, stride=1, dilation=1, causal=False, align="end"):
    """Queries and keys are places of a grid, numbered row by row; a query sees the `size` places around its own, in every dim
    (NATTEN). At edges the window is moved inside.

    grid      lengths of the dims, for example (rows, columns)
    size      places of the window per dim; as the next three, one value for all dims or one for each
    stride    runs of so many queries share the window of the one in their middle (in a causal dim, of their last)
    dilation  places of a window are so many apart
    causal    in this dim, a window ends at the query's own place
    """
    grid = (grid,) if isinstance(grid, int) else tuple(grid)
    lists = [grid]
    for name, value, lowest in (("size", size, 1), ("stride", stride, 1), ("dilation", dilation, 1), ("causal", causal, 0)):
        value = tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(grid)
        if len(value) != len(grid):
            raise errors.InvalidArgument(f"in masks.neighborhood: expected {name} for {len(grid)} dims, but got {value!r}")
        lists.append(tuple(int(entry) if name == "causal" else entry for entry in value))
        for entry in lists[-1]:
            _check_number("neighborhood", f"{name} of", entry, lowest)
    if not grid:
        raise errors.InvalidArgument("in masks.neighborhood: expected a grid of at least one dim, but got ()")
    for length, width, step, spread, _ in zip(*lists):
        _check_number("neighborhood", "a grid of lengths", length, 1)
        if width * spread > length or step > width:
            raise errors.InvalidArgument("in masks.neighborhood: expected a size that, times the dilation, fits the grid, and a stride up "
                                         f"to the size, but got size {width}, dilation {spread} and stride {step} for length {length}")
    names = ("grid", "size", "stride", "dilation", "causal")
    text = ", ".join(f"{name} = [{', '.join(map(str, entries))}]" for name, entries in zip(names, lists))
    return Mask(f"#tenon.neighborhood<{text}, align = {_align(align)}>")


def document(ids, key_ids=None):
    """A query sees the keys of its own document: `ids`, integers [B, S] or [S], numbers the documents of queries, `key_ids`, [B, T]
    or [T], those of keys; without it they are the queries'."""
    return Mask("#tenon.document<{0}, {1}>", [(ids, False), (ids if key_ids is None else key_ids, True)])


def key_interval(low, high):
    """A query sees the keys from `low` to before `high`: integers [B, S], [S], or [B, H, S] for each head."""
    return Mask("#tenon.key_interval<{0}, {1}>", [(low, False), (high, False)])


def per_head(masks):
    """Head h of the queries has mask number h % len(masks)."""
    masks = list(masks)
    if not masks or not all(isinstance(mask, Mask) for mask in masks):
        raise errors.InvalidArgument(f"in masks.per_head: expected a list of masks, but got {masks!r}")
    return _combine("per_head", masks)
