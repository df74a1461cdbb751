"""Generated contractions for AVX2 and AVX-512 code equal NumPy's to the last bit."""
import os
import re
import subprocess
import sys

import tenon

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "Integration", "contract_draws.py")


def draw(*options):
    places = [os.path.dirname(os.path.dirname(tenon.__file__)), *sys.path]
    run = subprocess.run([sys.executable, SCRIPT, "--seed", "3", *options], capture_output=True, text=True, timeout=300,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_draws_equal_numpy():
    draw("--count", "12")


def test_reductions_by_chunks_equal_numpy():
    assert int(re.search(r"(\d+) reductions by chunks", draw("--count", "24", "--small-caches"))[1]) >= 3
