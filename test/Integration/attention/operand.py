"""What a part of a case asks the function for: an argument, and how to draw it."""
from typing import Callable, NamedTuple, Tuple

import numpy as np


def numpy_type(name):
    import ml_dtypes

    return {"f32": np.float32, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f64": np.float64, "i32": np.int32, "i64": np.int64}[name]


class Operand(NamedTuple):
    """An argument `%name`; `draw(rng)` makes an array of `shape`. Where the case is dynamic, so are the dims `dynamic`."""
    name: str
    shape: Tuple[int, ...]
    element: str
    draw: Callable
    dynamic: Tuple[int, ...] = ()

    def type(self, dynamic):
        named = ["?" if dynamic and i in self.dynamic else str(n) for i, n in enumerate(self.shape)]
        return "tensor<" + "x".join(named + [self.element]) + ">"

    def array(self, rng):
        return np.asarray(self.draw(rng)).reshape(self.shape).astype(numpy_type(self.element))


def normal(shape, scale=1.0):
    return lambda rng: scale * rng.normal(size=shape)


def integers(low, high, shape):
    return lambda rng: rng.integers(low, high, shape)
