"""Generated contractions for AVX2 and AVX-512 code equal NumPy's to the last bit."""
import os
import subprocess
import sys

import tenon

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "Integration", "contract_draws.py")


def test_draws_equal_numpy():
    places = [os.path.dirname(os.path.dirname(tenon.__file__)), *sys.path]
    run = subprocess.run([sys.executable, SCRIPT, "--count", "12", "--seed", "3"], capture_output=True, text=True, timeout=300,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    assert run.returncode == 0, run.stdout + run.stderr
