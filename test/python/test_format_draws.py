"""Generated low-precision formats, alone and as weights of matmuls, for AVX2 and AVX-512 code."""
from drawn import run_draws


def test_draws_equal_numpy():
    run_draws("format_draws", 100, 900, 3, share=0.8)  # of three families; not every width is a type of files and of the C interface
