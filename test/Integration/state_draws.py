#!/usr/bin/env python3
"""Generated linear attentions and recurrences: compiled code against NumPy in float64.

Two families, for AVX2 and AVX-512 code, each with its axes in state/. Linear attentions go by chunks, step by step, or both ways in
one function, whose results are to be the same. The first cases of a family are a covering design: every two values of two axes
meet in one of them. More, up to `--count`, are drawn. `--list` prints the cases.
"""
import sys

from draws import Family, main
from state import linear, recurrence
from state.timing import measure

FAMILIES = (Family("linear_attention", linear.AXES, linear.LinearAttention), Family("recurrence", recurrence.AXES, recurrence.Recurrence))

if __name__ == "__main__":
    sys.exit(main(__doc__, FAMILIES, 60, threads=2, measure=measure))
