"""From scores to weights: the normalizer of an attention, and the same in NumPy."""
import numpy as np

from .operand import Operand, normal


class Normalizer:
    """One whose weights are a function of each score by itself."""

    def __init__(self, keyword, weigh=None):
        self.keyword, self.weigh = keyword, weigh

    def operands(self, case):
        return []

    def clauses(self, case):
        """What stands between sources and outs."""
        return ""

    def weights(self, case, scores, seen, values):
        """Weights [b, h, s, t] of the keys of all sources; 0 where not `seen`."""
        return np.where(seen, self.weigh(scores), 0)


class Softmax(Normalizer):
    def __init__(self, sink=False):
        super().__init__("softmax")
        self.sink = sink

    def operands(self, case):
        return [Operand("sink", (case.h,), case.sums, normal((case.h,), 3))] if self.sink else []

    def clauses(self, case):
        return f" sink(%sink : {self.operands(case)[0].type(False)})" if self.sink else ""

    def weights(self, case, scores, seen, values):
        sink = values["sink"][None, :, None, None] if self.sink else -np.inf
        top = np.maximum(np.max(np.where(seen, scores, -np.inf), axis=3, keepdims=True, initial=-np.inf), sink)
        top = np.where(np.isfinite(top), top, 0)
        weights = np.where(seen, np.exp(np.where(seen, scores - top, 0)), 0)
        total = weights.sum(3, keepdims=True) + np.exp(sink - top)
        return weights / np.where(total == 0, 1, total)


NORMALIZERS = {"softmax": Softmax(), "sink": Softmax(sink=True), "sigmoid": Normalizer("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
               "relu": Normalizer("relu", lambda a: np.maximum(a, 0)), "none": Normalizer("none", lambda a: a)}
