"""Element-wise functions of arrays and of numbers in regions."""
from . import scalar
from .array import apply

#: NumPy's names.
__all__ = list(scalar.FUNCTIONS)

_DOCS = {
    "divide": "x / y; integers become float32.", "remainder": "x - floor(x / y) * y.",
    "sigmoid": "1 / (1 + exp(-x)).", "softplus": "log(1 + exp(x)), without overflow.", "rsqrt": "1 / sqrt(x).",
    "gelu": "x * the normal distribution's integral up to x, by erf.", "gelu_tanh": "The approximation of gelu by tanh.",
    "round": "To the nearest integer, of two the even one.", "floor_divide": "floor(x / y).",
}


def _make(name, count):
    if count == 1:
        def function(x):
            return apply(name, x)
    else:
        def function(x, y):
            return apply(name, x, y)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = _DOCS.get(name, f"{name.replace('_', ' ').capitalize()}, element by element.")
    return function


for _name, (_count, _) in scalar.FUNCTIONS.items():
    globals()[_name] = _make(_name, _count)


def silu(x):
    """x * sigmoid(x)."""
    return x * apply("sigmoid", x)


def relu(x):
    """max(x, 0)."""
    return apply("maximum", x, 0)


def clip(x, low, high):
    """min(max(x, low), high)."""
    return apply("minimum", apply("maximum", x, low), high)


__all__ += ["silu", "relu", "clip"]
