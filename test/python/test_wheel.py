"""The wheel, installed in a new environment: the README's examples run there, with nothing of the source tree."""
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import small_models
from conftest import ROOT
from test_readme import snippets

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A new environment with the wheel; what it depends on comes from this one, for want of a network."""
    folder = tmp_path_factory.mktemp("wheel")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TENON"))}
    clean["TENON_CACHE_DIR"] = str(folder / "cache")
    clean["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), clean["PATH"]])

    def run(*command, **options):
        result = subprocess.run(list(map(str, command)), env=clean, cwd=folder, capture_output=True, text=True, **options)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ROOT)
    wheel, = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps", wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    (site / "others.pth").write_text(sysconfig.get_path("purelib"))
    (folder / "model.onnx").write_bytes(small_models.mlp()[0].SerializeToString())
    return folder, python, site / "tenon", wheel, run


def test_it_is_small(environment):
    folder, python, package, wheel, run = environment
    print(f"{wheel.name}: {wheel.stat().st_size / 2**20:.0f} MiB")
    assert wheel.stat().st_size < 60 << 20
    assert {path.name for path in (package / "lib").iterdir()} <= {"libtenon.so", "libtenon_compiler.so", "libz.so.1",
                                                                   "libzstd.so.1"}


def test_python_example(environment):
    folder, python, package, wheel, run = environment
    assert "float32" in run(python, "-c", snippets(ROOT / "README.md", "python")[-1])
    maps = run(python, "-c", "import tenon; tenon.compile('model.onnx', cache=False); print(open('/proc/self/maps').read())")
    loaded = {line.split()[-1] for line in maps.splitlines() if "libtenon" in line or "LLVM" in line}
    assert loaded == {str(package / "lib" / name) for name in ("libtenon.so", "libtenon_compiler.so")}


def test_c_example(environment):
    folder, python, package, wheel, run = environment
    run(python, "-m", "tenon", "compile", "model.onnx", "-o", "model.so")
    (folder / "example.c").write_text(snippets(ROOT / "README.md", "c")[0])
    run("cc", "-std=c11", "example.c", f"-I{package / 'include'}", f"-L{package / 'lib'}", "-ltenon",
        f"-Wl,-rpath,{package / 'lib'}", "-o", "example")
    assert run("./example") == "2 x 8\n"


def test_command_line(environment):
    folder, python, package, wheel, run = environment
    assert "compiled" in run(python.parent / "tenon", "run", "model.onnx", "--no-cache")
    assert str(package) in run(python.parent / "tenon", "doctor")
