#!/usr/bin/env python3
"""Generated low-precision formats: compiled code against NumPy, for AVX2 and AVX-512 code.

Three families: integers of 1 to 8 bits, tables (codebooks, and floats of 4 to 16 bits), and the named formats of GGUF files, each with
its axes in formats/. Values that are dequantized alone must be equal to the last bit; matmuls that decode them are compared
within 1e-5 of the sum of magnitudes. The first cases of a family are a covering design: every two values of two axes meet in
one of them. More, up to `--count`, are drawn. `--list` prints the cases.
"""
import sys

from draws import Family, main
from formats import drawn, named

REFUSALS = (
    r"expected a scale, zero point or minimum where there are groups",  # C6 of #tenon.format
    r"expected 'super' to be a multiple of 'group', but got \d+ and 0$",  # C5 of #tenon.format
    r"expected an integer or float element of 1, 2, 4, 8, 16, 32 or 64 bits, but got '?[if]\d",  # C2 of tenon.weight
    r"'\w+' has the unknown dtype '(int[3567]|f6E2M3FN|f6E3M2FN|f8E4M3|f8E3M4)'")  # no type of the C interface
FAMILIES = (Family("integers", drawn.INTEGER_AXES, drawn.Format, REFUSALS), Family("tables", drawn.TABLE_AXES, drawn.Format, REFUSALS),
            Family("named", named.AXES, named.Named))

if __name__ == "__main__":
    sys.exit(main(__doc__, FAMILIES, 400))
