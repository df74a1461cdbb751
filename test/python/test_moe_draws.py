"""Generated matmuls of groups, mixtures of experts, routes and selections agree with NumPy, for AVX2 and AVX-512 code."""
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "Integration" / "moe_draws.py"
COUNT = 480 if os.environ.get("TENON_TEST_FULL") else 24  # of six, two are matmuls of groups and two are mixtures


def test_draws_agree():
    run = subprocess.run([sys.executable, SCRIPT, "--count", str(COUNT)], capture_output=True, text=True, timeout=1200)
    assert run.returncode == 0, run.stdout + run.stderr
