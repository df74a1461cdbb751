"""The axes of drawn attentions, one module each: what a value on the axis says in MLIR and what it means in NumPy.

A new value goes into its module's table (SCORES, MASKS, NORMALIZERS, ITERATIONS, ..); case.py puts them together, pairs.py picks
which go together, refusals.py knows what the compiler may refuse.
"""
