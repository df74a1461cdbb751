"""Drawn candidates of the schedule spaces of drawn kernels give the right numbers, for AVX2 and AVX-512 code."""
import os
import re
import subprocess
import sys

import tenon
from conftest import FULL, ROOT


def test_draws_agree():
    places = [os.path.dirname(os.path.dirname(tenon.__file__)), *sys.path]
    command = [sys.executable, ROOT / "test" / "Integration" / "schedule_draws.py", "--count", 700 if FULL else 14, "--samples", 4 if FULL else 2]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=7200 if FULL else 900,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    assert run.returncode == 0, run.stdout + run.stderr
    tried, families = map(int, re.search(r"^(\d+) schedules of (\d+) families", run.stdout, re.M).groups())
    assert families == 7 and tried >= (10000 if FULL else 80), run.stdout
