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

    def lines(self, case):
        """What the clauses name."""
        return []

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
        with np.errstate(divide="ignore"):
            self.lse = (np.log(total) + top)[..., 0]
        return weights / np.where(total == 0, 1, total)


class Entmax(Normalizer):
    def __init__(self, alpha):
        super().__init__(f"entmax alpha({alpha})")
        self.alpha, self.power = alpha, 1 / (alpha - 1)

    def weights(self, case, scores, seen, values):
        above = np.where(seen, (self.alpha - 1) * scores, -np.inf)
        top = above.max(3, keepdims=True, initial=-np.inf)
        above = above - np.where(np.isfinite(top), top, 0)
        low, high = -np.ones_like(top), np.zeros_like(top)
        for _ in range(80):
            middle = (low + high) / 2
            over = (np.maximum(above - middle, 0) ** self.power).sum(3, keepdims=True) >= 1
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        weights = np.maximum(above - low, 0) ** self.power
        total = weights.sum(3, keepdims=True)
        return weights / np.where(total == 0, 1, total)


class Rule(Normalizer):
    """The score over the sum and the highest of the scores' sizes: a state of two numbers."""

    def __init__(self):
        super().__init__("user")

    def clauses(self, case):
        return " rule(%rule)"

    def lines(self, case):
        t = case.sums
        return [f"%zero = arith.constant 0.0 : {t}", "%rule = tenon.normalizer init {", f"  tenon.yield %zero, %zero : {t}, {t}",
                "} update {", f"^bb0(%sum: {t}, %top: {t}, %score: {t}):", f"  %size = math.absf %score : {t}",
                f"  %next = arith.addf %sum, %size : {t}", f"  %higher = arith.maximumf %top, %size : {t}",
                f"  tenon.yield %next, %higher : {t}, {t}", "} combine {", f"^bb0(%sum0: {t}, %top0: {t}, %sum1: {t}, %top1: {t}):",
                f"  %both = arith.addf %sum0, %sum1 : {t}", f"  %highest = arith.maximumf %top0, %top1 : {t}",
                f"  tenon.yield %both, %highest : {t}, {t}", "} finish {", f"^bb0(%score: {t}, %sum: {t}, %top: {t}):",
                f"  %total = arith.addf %sum, %top : {t}", f"  %weight = arith.divf %score, %total : {t}", f"  tenon.yield %weight : {t}", "}"]

    def weights(self, case, scores, seen, values):
        size = np.where(seen, np.abs(scores), 0)
        total = size.sum(3, keepdims=True) + size.max(3, keepdims=True, initial=0)
        return np.where(seen, scores / np.where(total == 0, 1, total), 0)


NORMALIZERS = {"softmax": Softmax(), "sink": Softmax(sink=True), "sigmoid": Normalizer("sigmoid", lambda a: 1 / (1 + np.exp(-a))),
               "relu": Normalizer("relu", lambda a: np.maximum(a, 0)), "none": Normalizer("none", lambda a: a),
               "entmax 1.3": Entmax(1.3), "entmax 1.5": Entmax(1.5), "sparsemax": Entmax(2.0), "rule": Rule()}
