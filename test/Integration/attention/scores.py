"""The score: a region on the product of query and key, and the same in NumPy."""
import numpy as np

from .operand import Operand, normal


class Score:
    """`lines` of the region, from %a (of the case's type of sums) to `result`; `apply(a, x, i, j)` says the same of [b, h, s, t]."""

    def __init__(self, lines, apply, extra=None, maps="", dynamic=()):
        self.lines, self.apply, self.extra, self.maps, self.dynamic = lines, apply, extra, maps, dynamic

    def read(self, x):
        """What regions read as %y, or else as %scale: broadcasts to [b, h, s, t]."""
        if x is None:
            return 0.25
        return x if x.ndim == 4 else x[:, None, :] if x.ndim == 2 else x[:, None, None]

    @property
    def result(self):
        return "%w" if self.lines else "%a"

    def operand(self, case):
        """The array that the region reads at (b, h, q, k) as %y; the sources have as many keys each."""
        if self.extra is None:
            return None
        shape = self.extra(case.b, case.h, case.s, case.sources[0].storage.keys)
        return Operand("x", shape, case.sums, normal(shape), self.dynamic)


SCORES = {
    "plain": Score([], lambda a, x, i, j: a),
    "scale": Score(["%w = arith.mulf %a, %scale : T"], lambda a, x, i, j: a * 0.25),
    "bias": Score(["%w = arith.addf %a, %y : T"], lambda a, x, i, j: a + x, lambda b, h, s, t: (b, 1, s, t), "(b, 0, q, k)", (0, 2, 3)),
    "relative": Score(["%w = arith.addf %a, %y : T"], lambda a, x, i, j: a + x[None, :, None, :], lambda b, h, s, t: (h, t), "(h, k)", (1,)),
    "headwise": Score(["%w = arith.mulf %a, %y : T"], lambda a, x, i, j: a * x[None, :, None, None], lambda b, h, s, t: (h,), "(h)"),
    "soft cap": Score(["%c0 = arith.mulf %a, %scale : T", "%c1 = math.tanh %c0 : T", "%w = arith.divf %c1, %scale : T"],
                      lambda a, x, i, j: np.tanh(a * 0.25) / 0.25),
    "alibi": Score(["%d = arith.subi %i, %j : index", "%n = arith.index_cast %d : index to i32", "%f = arith.sitofp %n : i32 to T",
                    "%slope = arith.mulf %f, %scale : T", "%w = arith.addf %a, %slope : T"], lambda a, x, i, j: a + (i - j) * 0.25),
}
