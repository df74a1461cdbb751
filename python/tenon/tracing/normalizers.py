"""How the scores of a query become weights: the `normalizer` of tenon.attention."""
from .. import errors

__all__ = ["softmax", "sigmoid", "relu", "none", "Normalizer"]


class Normalizer:
    """A normalizer; `text` is its keyword."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"<tenon normalizer {self.text}>"


def softmax():
    """Exponentials divided by their sum."""
    return Normalizer("softmax")


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
