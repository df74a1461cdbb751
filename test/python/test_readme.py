"""The Python and C examples of the README and the guides run as they are printed."""
import re
import subprocess
import sys

import pytest
import small_models
from conftest import ROOT



def snippets(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.S)


PYTHON = [(page.stem, code) for page in (ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md")))
          for code in snippets(page, "python")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.onnx").write_bytes(small_models.mlp()[0].SerializeToString())
    return tmp_path


@pytest.mark.parametrize("page, code", PYTHON, ids=[f"{page}-{number}" for number, (page, _) in enumerate(PYTHON)])
def test_python(page, code, folder, subprocess_environment):
    (folder / "example.py").write_text(code)
    run = subprocess.run([sys.executable, "example.py"], cwd=folder, env=subprocess_environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    if "print(" in code:
        assert "float32" in run.stdout


def test_c(tn, folder):
    library = ROOT / "build" / "lib"
    tn.compile(folder / "model.onnx", output=folder / "model.so")
    (folder / "example.c").write_text(snippets(ROOT / "README.md", "c")[0])
    subprocess.run(["clang-22", "-std=c11", "-Wall", "-Werror", "example.c", f"-I{ROOT / 'include'}", f"-L{library}",
                    "-ltenon", f"-Wl,-rpath,{library}", "-o", "example"], cwd=folder, check=True)
    run = subprocess.run(["./example"], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout == "2 x 8\n"


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text()):
            if "generated" in str(page.parent):
                continue
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
