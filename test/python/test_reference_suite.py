"""The node suite of the onnx package on the reference evaluator: the meaning that compiled code is compared with."""
import json
import subprocess
import sys
from collections import Counter

import pytest
from conftest import ROOT

# Of 1,884 cases; a count that falls says that an operator was lost.
LEAST = 1620


def test_node_suite_on_reference(tmp_path, subprocess_environment):
    if not (ROOT / "build" / "bin" / "tenon-run").exists():
        pytest.skip("tenon-run is not built")
    result = tmp_path / "result.json"
    run = subprocess.run([sys.executable, str(ROOT / "tools" / "dev" / "node_suite.py"), "--reference",
                          "--json", str(result)], env=subprocess_environment, capture_output=True, text=True,
                         timeout=600)
    assert result.exists(), run.stderr[-2000:]
    results = json.loads(result.read_text())
    bad = {name: why for name, (kind, why) in results.items() if kind in ("wrong", "crash", "hang")}
    assert not bad
    assert Counter(kind for kind, _ in results.values())["pass"] >= LEAST
