"""Generated matmuls of groups, mixtures of experts, routes and selections agree with NumPy, for AVX2 and AVX-512 code."""
from drawn import run_draws


def test_draws_agree():
    run_draws("moe_draws", 24, 1500, 0)  # of five families; the first of each are a covering design
