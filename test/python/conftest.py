"""What the Python tests share. The cache lies in build/, so that tests neither use nor fill the user's."""
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT / "python", ROOT / "tools" / "dev", ROOT / "examples"):
    sys.path.insert(0, str(folder))
os.environ["TENON_CACHE_DIR"] = os.environ.get("TENON_TEST_CACHE_DIR", str(ROOT / "build" / "test-cache"))
FULL = bool(os.environ.get("TENON_TEST_FULL"))


def pytest_collection_modifyitems(items):
    for item in items:
        if item.get_closest_marker("full") and not FULL:
            item.add_marker(pytest.mark.skip(reason="long: runs with make test-full"))


@pytest.fixture
def tn():
    import tenon

    tenon.version()  # a missing extension module fails here, with a message that says what to do
    return tenon


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of this test's own."""
    monkeypatch.setenv("TENON_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def subprocess_environment():
    env = dict(os.environ)
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT / "python"), str(ROOT / "tools" / "dev"), env.get("PYTHONPATH", "")])
    return env
