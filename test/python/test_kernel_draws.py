"""Generated kernels without contractions for AVX2 and AVX-512 code agree with NumPy's and write nothing outside."""
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "Integration" / "kernel_draws.py"
SEEDS = range(8 if os.environ.get("TENON_TEST_FULL") else 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_draws_agree(seed):
    run = subprocess.run([sys.executable, SCRIPT, "--seed", str(seed)], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stdout + run.stderr
