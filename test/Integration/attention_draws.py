#!/usr/bin/env python3
"""Generated attentions: compiled code against NumPy in float64, for AVX2 and AVX-512 code.

The first cases are a covering design of the axes in attention/case.py (score, mask, normalizer, heads, storage, lengths, iteration,
dtype, shape, dims, sources, results): every two values of two axes meet in one of them. More, up to `--count`, are drawn. A case that the
compiler refuses by a message of attention/refusals.py counts apart. `--list` prints the cases.
"""
import sys

import numpy as np

from attention.case import AXES, Case
from attention.refusals import REFUSALS
from attention.timing import measure
from draws import Family, main


class Attention:
    """A case as draws.py runs it."""

    archive = b""

    def __init__(self, choice, seed):
        self.case, self.text = Case(choice, seed), Case(choice, seed).mlir()
        self.title = self.case.title()
        arguments = self.case.arguments()
        self.arguments, self.expected = list(arguments.values()), self.case.expected(arguments)

    def mlir(self, archive):
        return self.text

    def problem(self, results):
        for result, right in zip((np.asarray(result, np.float64) for result in results), self.expected, strict=True):
            finite = np.isfinite(right)  # of nothing, a log-sum-exp is -inf
            if result.shape != right.shape or not np.array_equal(result[~finite], right[~finite]):
                return "of another shape, or finite elsewhere"
            worst = np.abs(result[finite] - right[finite]).max(initial=0)
            if not worst <= self.case.tolerance(right[finite]):
                return f"off by {worst:.3g}"
        return ""


FAMILIES = (Family("attention", AXES, Attention, REFUSALS),)

if __name__ == "__main__":
    sys.exit(main(__doc__, FAMILIES, 100, measure=measure))
