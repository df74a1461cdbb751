"""The node suite of the onnx package, compiled and run: many pass, none is wrong, none crashes or hangs."""
import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from conftest import FULL, ROOT

pytestmark = pytest.mark.executes
# Of 1,884 cases. The quick run takes every sixth.
LEAST = 1500


def test_node_suite(tmp_path, subprocess_environment):
    every = 1 if FULL else 6
    result = tmp_path / "result.json"
    run = subprocess.run([sys.executable, str(ROOT / "tools" / "dev" / "node_suite.py"), "--run", "--every", str(every),
                          "--json", str(result)], env=subprocess_environment, capture_output=True, text=True,
                         timeout=3000)
    print(run.stdout[-8000:])
    assert result.exists(), run.stderr[-2000:]
    results = json.loads(result.read_text())
    counts = Counter(kind for kind, _ in results.values())
    bad = {name: why for name, (kind, why) in results.items() if kind in ("wrong", "crash", "hang")}
    assert not bad
    assert counts["pass"] * every >= LEAST, f"{dict(counts)} with TENON_TARGET={os.environ.get('TENON_TARGET', 'host')}"
