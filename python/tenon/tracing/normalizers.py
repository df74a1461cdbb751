"""How the scores of a query become weights: the `normalizer` of tenon.attention."""
import numbers

from .. import errors
from . import scalar, trace as trace_
from .scalar import Scalar

__all__ = ["softmax", "sigmoid", "relu", "none", "entmax", "normalizer", "Normalizer"]


class Normalizer:
    """A normalizer; `text` is its keyword, `sink` an array of one more score per head, `rule` what `normalizer` was given."""

    def __init__(self, text, sink=None, rule=None):
        self.text, self.sink, self.rule = text, sink, rule

    def __repr__(self):
        return f"<tenon normalizer {self.text}>"


def softmax(sink=None):
    """Exponentials divided by their sum, to which `sink` [H] adds the exponential of one more score per head: a head may
    then attend to nothing."""
    return Normalizer("softmax", sink)


def sigmoid():
    """1 / (1 + exp(-score)), each score by itself."""
    return Normalizer("sigmoid")


def relu():
    """max(score, 0)."""
    return Normalizer("relu")


def none():
    """The scores themselves."""
    return Normalizer("none")


def entmax(alpha=1.5):
    """max((alpha - 1) * score - t, 0) ** (1 / (alpha - 1)), with the t at which weights sum to 1: scores far below the
    highest weigh nothing. `alpha` is above 1, where entmax becomes softmax, and at most 2, where it is sparsemax."""
    if not isinstance(alpha, numbers.Real) or not 1 < alpha <= 2:
        raise errors.InvalidArgument(f"expected an alpha above 1 and at most 2 for entmax, but got {alpha!r}")
    return Normalizer(f"entmax alpha({float(alpha)!r})")


def normalizer(init, update, combine, finish):
    """A rule of your own: a row of scores is folded into a state, a number or a tuple of numbers, under which each score
    gets its weight. A row is folded in any order and in any parts; keys that are hidden, and scores of -inf, are left out.

    init     the state of no scores
    update   (state, score) -> state
    combine  (state, state) -> the state of both parts; changes nothing where one of them is `init`
    finish   (score, state of the whole row) -> weight

    Example (scores over the sum of their sizes):
        tn.normalizer(0.0, lambda sum, s: sum + tn.absolute(s), lambda a, b: a + b, lambda s, sum: s / sum)
    """
    parts = init if isinstance(init, tuple) else (init,)
    if not parts or not all(scalar.is_number(part) for part in parts):
        raise errors.InvalidArgument(f"expected a number or a tuple of numbers as 'init' of a normalizer, but got {init!r}")
    for name, function in (("update", update), ("combine", combine), ("finish", finish)):
        if not callable(function):
            raise errors.InvalidArgument(f"expected a function as '{name}' of a normalizer, but got {function!r}")
    return Normalizer("user", rule=(init, update, combine, finish))


def emit_rule(trace, rule, kind):
    """The tenon.normalizer of a rule, for scores of dtype `kind`."""
    init, update, combine, finish = rule
    alone, count = not isinstance(init, tuple), 1 if not isinstance(init, tuple) else len(init)

    def refuse(array, indices):
        trace_.fail("in a normalizer: arrays cannot be read here; what depends on keys or heads belongs into `score`")

    def region(name, shape, body, results):
        """`shape` says for each argument whether it is a state; `results`, whether a state is made."""
        arguments, block = [], []
        for is_state in shape:
            names = [trace.fresh("n") for _ in range(count if is_state else 1)]
            block += [f"{each}: {kind.mlir}" for each in names]
            values = tuple(Scalar(each, kind) for each in names)
            arguments.append(values if is_state and not alone else values[0])
        with trace.block() as lines, trace.reading(refuse):
            made = body(*arguments)
            made = tuple(made) if results and not alone and isinstance(made, (tuple, list)) else (made,)
            wanted = count if results else 1
            if len(made) != wanted or not all(scalar.is_number(part) or isinstance(part, Scalar) for part in made):
                what = "a number" if wanted == 1 else f"{wanted} numbers"
                trace_.fail(f"in a normalizer: expected '{name}' to give {what}, but got {_shown(made)}")
            made = [scalar.cast(part, kind) if isinstance(part, Scalar) else scalar.literal(float(part), kind) for part in made]
            trace.emit(f"tenon.yield {', '.join(part.ssa for part in made)} : {', '.join([kind.mlir] * wanted)}")
        head = f"^bb0({', '.join(block)}):\n" if block else ""
        return f"{name} {{\n{head}" + "\n".join(lines) + "\n}"

    text = " ".join([region("init", [], lambda: init, True), region("update", [True, False], update, True),
                     region("combine", [True, True], combine, True), region("finish", [False, True], finish, False)])
    return trace.emit_value(f"tenon.normalizer {text}", "normalizer")


def _shown(made):
    names = [type(part).__name__ for part in made]
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def of(value):
    """The normalizer that `value` (None, a name, or a normalizer) means."""
    if value is None:
        return softmax()
    if isinstance(value, str) and value in ("softmax", "sigmoid", "relu", "none", "entmax"):
        return globals()[value]()
    if not isinstance(value, Normalizer):
        raise errors.InvalidArgument(f"expected a normalizer such as tenon.softmax(), but got {value!r}")
    return value
