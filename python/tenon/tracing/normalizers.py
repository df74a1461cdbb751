"""How the scores of a query become weights: the `normalizer` of tenon.attention."""
from .. import errors

__all__ = ["softmax", "sigmoid", "relu", "none", "Normalizer"]


class Normalizer:
    """A normalizer; `text` is its keyword, `sink` an array of one more score per head."""

    def __init__(self, text, sink=None):
        self.text, self.sink = text, sink

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


def of(value):
    """The normalizer that `value` (None, a name, or a normalizer) means."""
    if value is None:
        return softmax()
    if isinstance(value, str) and value in __all__:
        return globals()[value]()
    if not isinstance(value, Normalizer):
        raise errors.InvalidArgument(f"expected a normalizer such as tenon.softmax(), but got {value!r}")
    return value
