"""Generated linear attentions and recurrences agree with NumPy in float64, for AVX2 and AVX-512 code."""
from drawn import run_draws


def test_draws_agree():
    run_draws("state_draws", 60, 600, 0)  # half are linear attentions, half recurrences; the first of each are a covering design
