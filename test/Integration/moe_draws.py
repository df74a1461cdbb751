#!/usr/bin/env python3
"""Generated matmuls of groups, mixtures of experts, routes and selections: compiled code against NumPy in float64.

Five families, for AVX2 and AVX-512 code: grouped_matmul, moe, route, select (top_k and sort) and segment_reduce, each with its axes in
experts/. The first cases of a family are a covering design: every two values of two axes meet in one of them. More, up to
`--count`, are drawn. `--list` prints the cases.
"""
import sys

from draws import Family, main
from experts.grouped import AXES, Grouped
from experts.routing import MOE_AXES, ROUTE_AXES, Moe, Route
from experts.selection import SEGMENT_AXES, SELECT_AXES, Segments, Select
from experts.timing import measure

FAMILIES = (Family("grouped_matmul", AXES, Grouped), Family("moe", MOE_AXES, Moe), Family("route", ROUTE_AXES, Route),
            Family("select", SELECT_AXES, Select), Family("segment_reduce", SEGMENT_AXES, Segments,
                   ("expected input and result that agree in their type, which fits 'mean'",)))

if __name__ == "__main__":
    sys.exit(main(__doc__, FAMILIES, 60, threads=2, measure=measure))
