"""The demo reads back what it draws; its own functions work without a net."""
import subprocess
import sys

import numpy as np
import ocr
import pytest
from conftest import ROOT


def test_boxes():
    probability = np.zeros((40, 60))
    probability[10:20, 5:30] = 1
    probability[14:16, 29:40] = 1  # joined to the first
    probability[30:38, 40:55] = 0.9
    probability[0:2, 0:2] = 1  # too small
    assert ocr.boxes(probability) == [(3, 0, 27, 47), (24, 34, 40, 60)]


def test_decode():
    alphabet = ["", "a", "b", " "]
    steps = [1, 1, 0, 1, 2, 2, 3, 0, 2]
    assert ocr.decode(np.eye(4)[steps][None], alphabet) == "aab b"


@pytest.mark.executes
def test_demo(subprocess_environment):
    run = subprocess.run([sys.executable, str(ROOT / "examples" / "demo.py")], env=subprocess_environment,
                         capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "the text read is the text drawn" in run.stdout
    assert "Paris" in run.stdout
    assert "step by step" in run.stdout
