"""Runs a script of drawn programs that counts pairs, test/Integration/<name>.py."""
import os
import re
import subprocess
import sys

import tenon
from conftest import FULL, ROOT


def run_draws(name, count, many, seed, share=0.9, jobs=1):
    """`count` cases, or `many` in a full run, none of them wrong and at least `share` equal."""
    places = [os.path.dirname(os.path.dirname(tenon.__file__)), *sys.path]
    command = [sys.executable, ROOT / "test" / "Integration" / f"{name}.py", "--count", many if FULL else count, "--seed", seed, "--jobs", jobs]
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=3600 if FULL else 900,
                         env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))})
    assert run.returncode == 0, run.stdout + run.stderr
    equal, of = (int(re.search(pattern, run.stdout, re.M)[1]) for pattern in (r"^(\d+) equal", r"refused, of (\d+)$"))
    assert equal >= share * of, run.stdout
