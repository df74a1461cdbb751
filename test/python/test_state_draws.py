"""Generated linear attentions and recurrences agree with NumPy in float64, for AVX2 and AVX-512 code."""
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "Integration" / "state_draws.py"
COUNT = 600 if os.environ.get("TENON_TEST_FULL") else 60  # half are linear attentions, half recurrences


def test_draws_agree():
    run = subprocess.run([sys.executable, SCRIPT, "--count", str(COUNT)], capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout + run.stderr
