"""Drawn convolutions, compiled and run: see test/Integration/conv_draws.py."""
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "Integration" / "conv_draws.py"
pytestmark = pytest.mark.executes


def draw(count, seed, precision="reorder"):
    done = subprocess.run([sys.executable, str(SCRIPT), "--count", str(count), "--seed", str(seed), "--precision", precision],
                          capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_some():
    draw(40, seed=1)


@pytest.mark.full
def test_all():
    draw(500, seed=0)


def test_some_within_bounds():
    draw(30, seed=1, precision="fast")


@pytest.mark.full
def test_all_within_bounds():
    draw(300, seed=0, precision="fast")
