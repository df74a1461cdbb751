"""Generated low-precision formats, alone and as weights of matmuls, for AVX2 and AVX-512 code."""
import os
import subprocess
import sys

import pytest
import tenon

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "Integration", "format_draws.py")


def run_draws(count, seed, timeout):
    places = [os.path.dirname(os.path.dirname(tenon.__file__)), *sys.path]
    run = subprocess.run([sys.executable, SCRIPT, "--count", str(count), "--seed", str(seed)], capture_output=True, text=True, timeout=timeout,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    assert run.returncode == 0, run.stdout + run.stderr


def test_draws_equal_numpy():
    run_draws(100, 3, 300)


@pytest.mark.full
def test_many_draws_equal_numpy():
    run_draws(400, 0, 1800)
